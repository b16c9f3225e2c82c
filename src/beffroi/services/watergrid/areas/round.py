"""One round of the water duty: areas whose day has ended, then the places of their leaks, meters and sewers."""

import logging
import threading
from datetime import timedelta
from typing import Any

import numpy as np
from sqlalchemy import select

from beffroi.model.instant import DAY_US, HOUR_US
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import Problem
from beffroi.services.watergrid.areas.checking import Verdict, check_meter
from beffroi.services.watergrid.areas.judging import judge, overdue
from beffroi.services.watergrid.areas.places import locate_area
from beffroi.services.watergrid.areas.reading import last_day, local_day, rows_of, series_of
from beffroi.services.watergrid.sewers import infiltration, overflow_hours
from beffroi.store.record import Query, Row
from beffroi.store.tables import datastream
from beffroi.town import Town

__all__ = ["SEWER_DAYS", "look_round", "rain_by_day", "verdict_of"]

log = logging.getLogger("beffroi.watergrid")
_METER_DAYS, SEWER_DAYS = 14, 30


def look_round(town: Town, stop: threading.Event | None = None) -> None:
    """Do all that is due now; the trouble of one does not leave the others unwatched."""
    due = [area for area in town.store.records.all("water_area") if overdue(town, area)]
    for area in due:
        if stop is not None and stop.is_set():
            return
        _try(area, lambda area=area: (judge(town, area), locate_area(town, area)))
    if due or not list(town.store.records.find("water_area", Query(limit=1)).rows):
        for meter in town.store.records.all("water_meter"):
            _try(meter, lambda meter=meter: _meter(town, meter))
    for point in town.store.records.all("sewer_point"):
        judged = point.values.get("judged")
        if judged is None or town.clock() - int(judged) >= DAY_US:
            _try(point, lambda point=point: _sewer(town, point))


def _try(row: Row, work: Any) -> None:
    try:
        work()
    except Problem as problem:
        log.warning("%s %s: %s", row.collection, row.id, problem)
    except Exception:
        log.exception("%s %s could not be judged", row.collection, row.id)


def verdict_of(town: Town, meter: Row) -> Verdict | None:
    """Judge a meter by its last fortnight; None when it has no series."""
    series = series_of(town, "water_meter", "water_flow").get(meter.id)
    if series is None:
        return None
    first = last_day(town.clock()) - timedelta(days=_METER_DAYS - 1)
    flow = rows_of(town, [(1, series, "")], first, _METER_DAYS).reshape(-1)
    stopped = meter.values["state"] == "stopped"
    return check_meter(flow, meter.values.get("nominal_m3h"), stopped_before=stopped)


def _meter(town: Town, meter: Row) -> None:
    verdict = verdict_of(town, meter)
    if verdict is not None and verdict.state != meter.values["state"]:
        town.store.records.put("water_meter", {"state": verdict.state}, id=meter.id, who=SYSTEM, reason="Compteur vérifié par ses mesures")  # fmt: skip


def _sewer(town: Town, point: Row) -> None:
    now = town.clock()
    first = last_day(now) - timedelta(days=SEWER_DAYS - 1)
    values: dict[str, Any] = {"judged": local_day(last_day(now) + timedelta(days=1, hours=6))}
    flow = series_of(town, "sewer_point", "sewer_flow").get(point.id)
    if flow is not None:
        rows = rows_of(town, [(1, flow, "")], first, SEWER_DAYS)
        found = infiltration(
            rows,
            rain_by_day(town, local_day(first + timedelta(hours=6))),
            point.values.get("households") or 0,
            point.values["legitimate_lh"],
        )
        values |= {
            k: None if v is None else round(v, 2)
            for k, v in (("dry_m3h", found.dry_m3h), ("wet_m3h", found.wet_m3h))
        }
    ran = series_of(town, "sewer_point", "sewer_overflow").get(point.id)
    if ran is not None:
        hours = overflow_hours(rows_of(town, [(1, ran, "")], first, SEWER_DAYS).reshape(-1), 1.0)
        values["overflow_h"] = None if hours is None else round(hours, 1)
    town.store.records.put("sewer_point", values, id=point.id, who=SYSTEM, reason="Bilan du jour")


def rain_by_day(town: Town, start_us: int) -> Any:
    """Return the rain of each of 30 days from an instant, mm, the mean of the town's gauges, NaN where none speaks."""
    with town.store.read() as connection:
        gauges = [
            n for (n,) in connection.execute(select(datastream.c.id).where(datastream.c.kind == "rain"))
        ]
    sums = np.full((SEWER_DAYS, max(len(gauges), 1)), np.nan)
    for column, number in enumerate(gauges):
        for one in town.store.observations.series(number, start_us, start_us + SEWER_DAYS * DAY_US + HOUR_US):
            day = (one.start_us - start_us) // DAY_US
            if one.result.value is not None and 0 <= day < SEWER_DAYS:
                before = 0.0 if np.isnan(sums[day, column]) else sums[day, column]
                sums[day, column] = before + float(one.result.value)
    seen = np.isfinite(sums)
    count = seen.sum(axis=1)
    return np.where(count > 0, np.where(seen, sums, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)
