"""The series of the town's meters as days of an area: rows from 06:00 to 06:00 of French time, at an hour's step.

A day of 25 hours gives the mean of the hour that comes twice, one of 23 hours has a hole: use follows the clock on the wall.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from beffroi.model.instant import DAY_US, HOUR_US, PARIS, to_datetime
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.watergrid.leaks.balance import CUT_HOUR
from beffroi.services.watergrid.leaks.detect import terms
from beffroi.store.record import Query, Row
from beffroi.store.tables import datastream, thing
from beffroi.town import Town

__all__ = ["HOURS", "local_day", "rows_of", "series_of", "signed_meters", "wall"]

Array = NDArray[np.float64]
HOURS = 24
_BAD = 3  # a suspect value still says that a meter is stopped; a bad one says nothing


def series_of(town: Town, collection: str, kind: str) -> dict[int, int]:
    """Return the datastream of `kind` of each record of `collection` that a thing sits on, by record id."""
    joined = (
        select(thing.c.record_id, datastream.c.id)
        .join(datastream, datastream.c.thing_id == thing.c.id)
        .where(thing.c.collection == collection, datastream.c.kind == kind)
        .order_by(datastream.c.id)
    )
    with town.store.read() as connection:
        return {record: number for record, number in connection.execute(joined) if record is not None}


def signed_meters(town: Town, area: Row) -> list[tuple[int, int, str]]:
    """Return sign, datastream and code of the meters of an area. Raises `Problem` when its expression names no meter, or one
    without measurements: a sum that left it out would be another flow."""
    meters = {
        r.values["code"]: r.id for r in town.store.records.all("water_meter", Query(territories=_of(area)))
    }
    series = series_of(town, "water_meter", "water_flow")
    found = []
    for sign, code in terms(area.values["inflow"], list(meters)):
        if meters[code] not in series:
            raise Problem(
                Text(f"Le compteur « {code} » n'a pas de mesures de débit.", f"The meter '{code}' has no measurements of flow."),
                Text("Sur la page de son capteur, reliez-le à cette fiche et dites qu'il mesure « Débit du réseau d'eau ».",
                     "On the page of its sensor, link it to this record and say that it measures 'Flow of the water network'."),
                "inflow",
            )  # fmt: skip
        found.append((sign, series[meters[code]], code))
    return found


def _of(area: Row) -> tuple[str, ...] | None:
    return None if area.territory is None else (area.territory,)


def wall(instant_us: int) -> datetime:
    """Return what a clock on the wall in France shows, without its offset."""
    return to_datetime(instant_us).astimezone(PARIS).replace(tzinfo=None)


def local_day(day: datetime) -> int:
    """Return the instant at which a wall-clock time is, in microseconds UTC."""
    return int(day.replace(tzinfo=PARIS).astimezone(UTC).timestamp()) * 1_000_000


def rows_of(town: Town, signed: Iterable[tuple[int, int, str]], first: datetime, days: int) -> Array:
    """Return the flow of an area in m³/h, days × 24, from 06:00 of the wall-clock day `first`; NaN where a meter is silent."""
    start = first.replace(hour=CUT_HOUR, minute=0, second=0, microsecond=0)
    total = np.zeros(days * HOURS)
    for sign, series, _ in signed:
        total += sign * _hours(town, series, start, days * HOURS)
    return total.reshape(days, HOURS)


def _hours(town: Town, series: int, start: datetime, count: int) -> Array:
    begin, end = local_day(start), local_day(start + timedelta(hours=count))
    sums, seen = np.zeros(count), np.zeros(count)
    offsets: dict[int, int] = {}
    for one in town.store.observations.series(series, begin - HOUR_US, end):
        value = one.result.value
        if value is None or one.quality == _BAD:
            continue
        at = one.start_us if one.end_us is None else (one.start_us + one.end_us) // 2
        hour = at // HOUR_US
        if hour not in offsets:
            offsets[hour] = int((wall(hour * HOUR_US) - start) / timedelta(hours=1))
        if 0 <= offsets[hour] < count:
            sums[offsets[hour]] += float(value)
            seen[offsets[hour]] += 1
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Array = np.where(seen > 0, sums / seen, np.nan)
    return found


def last_day(now_us: int) -> datetime:
    """Return the last wall-clock day whose balance, which ends at 06:00 of the next, is over."""
    now = wall(now_us)
    return (now - timedelta(hours=CUT_HOUR)).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(
        days=1
    )


def first_day(town: Town, series: Iterable[int], now_us: int) -> datetime | None:
    """Return the first wall-clock day on which all of the series speak, at most 800 days ago."""
    firsts = []
    for one in series:
        found = town.store.observations.series(one, now_us - 800 * DAY_US, now_us, limit=1)
        if not found:
            return None
        firsts.append(found[0].start_us)
    return (
        None
        if not firsts
        else wall(max(firsts)).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    )


def told(area: Row) -> bool:
    """Say whether an area has been learnt, from the inflow that it has now."""
    learnt: Mapping[str, Any] = area.values.get("learnt") or {}
    return "shape" in learnt and learnt.get("inflow", area.values["inflow"]) == area.values["inflow"]


def refuse(area: Row, problem: Problem) -> str:
    """Return in French why an area cannot be judged."""
    return f"{area.values['code']} : {problem.reason.fr} {problem.mend.fr}"
