"""What the environment's figures are made of: the good values of each series of a kind, and the town's figure of each day."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, or_, select

from beffroi.model.instant import HOUR_US, PARIS
from beffroi.model.observation import Quality
from beffroi.services.environment.air_index import GASES, to_ug_m3
from beffroi.services.environment.datastreams import DATASTREAMS
from beffroi.services.environment.domain import middle_day
from beffroi.store.aggregates import AggregateQuery, Cell, Grain
from beffroi.store.buckets import Buckets
from beffroi.store.tables import datastream, observation, thing
from beffroi.town import Town

__all__ = ["Compute", "days_of", "hours_of", "mean", "middle_days", "series_of", "values_of"]

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


def cells_of(
    town: Town, ids: Iterable[int], start_us: int, end_us: int, grain: Grain
) -> dict[int, dict[int, Cell]]:
    """Return what the good values of each series come to in each bucket of time that has some, added up by the store."""
    found: dict[int, dict[int, Cell]] = {number: {} for number in ids}
    query = AggregateQuery(
        datastreams=tuple(found), within=(start_us, end_us), grain=grain, by_series=True,
        where=lambda _dialect: observation.c.quality.not_in([int(quality) for quality in _LEFT_ASIDE]),
    )  # fmt: skip
    for (number, _, bucket), cell in town.store.observations.aggregate(query).items() if found else ():
        if cell.numbers:
            found[number][bucket] = cell
    return found


def days_of(town: Town, ids: Iterable[int], start_us: int, end_us: int) -> dict[int, dict[int, Cell]]:
    """Return what the good values of each series come to by civil day at Paris (ordinal since 1970)."""
    return cells_of(town, ids, start_us, end_us, _days(start_us, end_us))


def concentrations(
    town: Town, kind: str, territory: str | None, start_us: int, end_us: int, grain: Grain
) -> list[dict[int, Cell]]:
    """Return what each series of a kind comes to in each bucket, those of a gas in parts per billion brought to µg/m³."""
    found = cells_of(town, series_of(town, kind, territory), start_us, end_us, grain)
    if kind not in GASES:
        return list(found.values())
    parts = cells_of(town, _in_ppb(town, kind, territory), start_us, end_us, grain)
    a_ppb = to_ug_m3(kind, 1.0)
    return [
        *found.values(),
        *({n: _scaled(cell, a_ppb) for n, cell in cells.items()} for cells in parts.values()),
    ]


def _scaled(cell: Cell, by: float) -> Cell:
    low, high = (cell.low or 0.0) * by, (cell.high or 0.0) * by
    return Cell(cell.n, cell.numbers, cell.total * by, low, high)


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


def hours_of(
    town: Town, kind: str, territory: str | None, start_us: int, end_us: int
) -> list[list[tuple[int, float]]]:
    """Return the hourly means of each series of a kind, with the instants at which the hours begin."""
    found = concentrations(town, kind, territory, start_us, end_us, Grain(HOUR_US))
    return [[(hour * HOUR_US, mean(cell)) for hour, cell in sorted(hours.items())] for hours in found]


def mean(cell: Cell) -> float:
    """Return the mean of a bucket's values."""
    return cell.total / cell.numbers


def middle_days(
    town: Town,
    kind: str,
    territory: str | None,
    start_us: int,
    end_us: int,
    of: Callable[[Cell], float | None],
) -> dict[int, float]:
    """Return the town's figure of each day: `of` each station's day, then the median of the stations."""
    series = concentrations(town, kind, territory, start_us, end_us, _days(start_us, end_us))
    return middle_day([{day: of(cell) or 0.0 for day, cell in days.items()} for days in series])


def _days(start_us: int, end_us: int) -> Grain:
    return Buckets("day", zone=PARIS).grain(start_us, end_us)
