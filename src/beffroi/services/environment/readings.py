"""What the environment's figures are made of: the good values of each series of a kind, and the town's figure of each day."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, or_, select

from beffroi.model.observation import Quality
from beffroi.services.environment.air_index import GASES, to_ug_m3
from beffroi.services.environment.datastreams import DATASTREAMS
from beffroi.services.environment.domain import by_day, middle_day
from beffroi.store.tables import datastream, thing
from beffroi.town import Town

__all__ = ["Compute", "concentrations", "days_of", "series_of", "values_of"]

_SERVICE = "environment"
_KINDS = tuple(kind.code for kind in DATASTREAMS)
_NAMES = {kind.code: {kind.code, *kind.aliases} for kind in DATASTREAMS}
_LEFT_ASIDE = (Quality.SUSPECT, Quality.BAD)
Compute = Callable[[Any, str | None, int, int], float | None]


def series_of(town: Town, kind: str | None, territory: str | None) -> dict[int, int | None]:
    """Return the datastreams of a kind (None: any), with their expected interval, in a territory (None: all)."""
    # what came by a standard belongs to no service; a classroom's thermometer belongs to another
    wanted: list[ColumnElement[bool]] = [thing.c.service.in_((_SERVICE, "")), datastream.c.kind.in_(_KINDS)]
    if kind is not None:
        wanted.append(datastream.c.kind == kind)
    if territory is not None:
        wanted.append(or_(thing.c.territory == territory, thing.c.territory.is_(None)))
    columns = select(datastream.c.id, datastream.c.expected_interval_us).join(
        thing, thing.c.id == datastream.c.thing_id
    )
    with town.store.read() as connection:
        return {
            row[0]: row[1] for row in connection.execute(columns.where(*wanted).order_by(datastream.c.id))
        }


def values_of(town: Town, ids: Iterable[int], start_us: int, end_us: int) -> list[list[tuple[int, float]]]:
    """Return the good values of each series, with their instants."""
    return [
        [
            (o.start_us, o.result.value)
            for o in town.store.observations.series(i, start_us, end_us)
            if o.result.value is not None and o.quality not in _LEFT_ASIDE
        ]
        for i in ids
    ]


def concentrations(
    town: Town, kind: str, territory: str | None, start_us: int, end_us: int
) -> list[list[tuple[int, float]]]:
    """Return the good values of each series of a kind, those of a gas in parts per billion converted to µg/m³."""
    found = values_of(town, series_of(town, kind, territory), start_us, end_us)
    if kind in GASES:
        parts = values_of(town, _in_ppb(town, kind, territory), start_us, end_us)
        found += [[(at, to_ug_m3(kind, value)) for at, value in values] for values in parts]
    return found


def _in_ppb(town: Town, gas: str, territory: str | None) -> list[int]:
    """Return the series of a gas that are in parts per billion: in another unit than the kind's they are of no kind."""
    wanted = [datastream.c.unit_definition == "[ppb]"]
    if territory is not None:
        wanted.append(or_(thing.c.territory == territory, thing.c.territory.is_(None)))
    columns = select(datastream.c.id, datastream.c.properties).join(
        thing, thing.c.id == datastream.c.thing_id
    )
    with town.store.read() as connection:
        rows = connection.execute(columns.where(*wanted).order_by(datastream.c.id)).all()
    return [
        n for n, told in rows if str(msgspec.json.decode(told or "{}").get("code", "")).lower() in _NAMES[gas]
    ]


def days_of(kind: str, reduce: Callable[[list[float]], float], town: Town, territory: str | None, start_us: int,
          end_us: int) -> dict[int, float]:  # fmt: skip
    """Return the town's figure of each day: each station's day reduced, then the median of the stations."""
    series = concentrations(town, kind, territory, start_us, end_us)
    return middle_day([{day: reduce(v) for day, v in by_day(values).items()} for values in series])
