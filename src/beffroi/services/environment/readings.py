"""What the environment's figures are made of: the good values of each series of a kind, and the town's figure of each day."""

from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, or_, select, true

from beffroi.model.instant import HOUR_US
from beffroi.services.environment.air_index import GASES, to_ug_m3
from beffroi.services.environment.datastreams import DATASTREAMS
from beffroi.services.environment.domain import middle_day
from beffroi.store.aggregates import Cell, Grain
from beffroi.store.good import civil_days, good_cells, good_values
from beffroi.store.tables import datastream, thing
from beffroi.town import Town

__all__ = ["Compute", "days_of", "hours_of", "middle_days", "series_of", "values_of"]

_SERVICE = "environment"
_KINDS = tuple(kind.code for kind in DATASTREAMS)
_NAMES = {kind.code: {kind.code, *kind.aliases} for kind in DATASTREAMS}
Compute = Callable[[Any, str | None, int, int], float | None]


def series_of(town: Town, kind: str | None, territory: str | None) -> dict[int, int | None]:
    """Return the datastreams of a kind (None: any), with their expected interval, in a territory (None: all)."""
    # what came by a standard belongs to no service; a classroom's thermometer belongs to another
    kinds = _KINDS if kind is None else (kind,)
    wanted = (thing.c.service.in_((_SERVICE, "")), datastream.c.kind.in_(kinds))
    return dict(_found(town, territory, datastream.c.expected_interval_us, *wanted))


def _in_ppb(town: Town, gas: str, territory: str | None) -> list[int]:
    """Return the series of a gas that are in parts per billion: in another unit than the kind's they are of no kind."""
    rows = _found(town, territory, datastream.c.properties, datastream.c.unit_definition == "[ppb]")
    return [n for n, told in rows if str(msgspec.json.decode(told or "{}").get("code", "")).lower() in _NAMES[gas]]  # fmt: skip


def _found(town: Town, territory: str | None, column: Any, *wanted: ColumnElement[bool]) -> list[Any]:
    here = true() if territory is None else or_(thing.c.territory == territory, thing.c.territory.is_(None))
    rows = select(datastream.c.id, column).join(thing, thing.c.id == datastream.c.thing_id)
    with town.store.read() as connection:
        return list(connection.execute(rows.where(here, *wanted).order_by(datastream.c.id)))


def values_of(
    town: Town, kind: str, territory: str | None, start_us: int, end_us: int
) -> list[list[tuple[int, float]]]:
    """Return the good values of each series of a kind, with their instants."""
    return [
        good_values(town.store.observations, n, start_us, end_us) for n in series_of(town, kind, territory)
    ]


def days_of(
    town: Town, kind: str, territory: str | None, start_us: int, end_us: int
) -> dict[int, dict[int, Cell]]:
    """Return what the good values of each series of a kind come to by civil day at Paris (ordinal since 1970)."""
    return _cells(town, kind, territory, start_us, end_us, civil_days(start_us, end_us))


def hours_of(
    town: Town, kind: str, territory: str | None, start_us: int, end_us: int
) -> list[list[tuple[int, float]]]:
    """Return the hourly means of each series of a kind, with the instants at which the hours begin."""
    found = _cells(town, kind, territory, start_us, end_us, Grain(HOUR_US)).values()
    return [[(hour * HOUR_US, cell.mean) for hour, cell in hours.items()] for hours in found]


def _cells(
    town: Town, kind: str, territory: str | None, start_us: int, end_us: int, grain: Grain
) -> dict[int, dict[int, Cell]]:
    """Return what each series comes to in each bucket; those of a gas in parts per billion are brought to µg/m³."""
    parts = _in_ppb(town, kind, territory) if kind in GASES else []
    ids = {**dict.fromkeys(series_of(town, kind, territory), 1.0), **{n: to_ug_m3(kind, 1.0) for n in parts}}
    found = good_cells(town.store.observations, ids, start_us, end_us, grain)
    return {n: {at: cell.times(ids[n]) for at, cell in cells.items()} for n, cells in found.items()}


def middle_days(
    town: Town, kind: str, territory: str | None, start_us: int, end_us: int, of: Callable[[Cell], Any]
) -> dict[int, float]:
    """Return the town's figure of each day: `of` each station's day, then the median of the stations."""
    series = days_of(town, kind, territory, start_us, end_us)
    return middle_day([{day: of(cell) for day, cell in days.items()} for days in series.values()])
