"""Observed: the town's own series made a panel, with what is missing in them and what changed under them."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
from sqlalchemy import select

from beffroi.evaluation.impact.finding import Check, failed, passed, warned
from beffroi.evaluation.impact.panel import Change, Floats, Panel
from beffroi.model.instant import PARIS, from_datetime, to_datetime
from beffroi.model.text import Text
from beffroi.store.buckets import Buckets
from beffroi.store.good import civil_days, good_cells
from beffroi.store.open import Store
from beffroi.store.tables import datastream, historical_location, past

__all__ = ["Gathered", "gather", "sensor_changes"]

_MOST_MISSING = 0.10
_ALTERED = Text("capteur modifié", "sensor altered")
_REPLACED = Text("capteur remplacé", "sensor replaced")
_MOVED = Text("capteur déplacé", "sensor moved")


class Gathered(msgspec.Struct, frozen=True, eq=False):
    """A panel of complete periods, or why there is none; the share of missing periods of each series by its name."""

    panel: Panel | None
    names: tuple[str, ...]
    times: tuple[str, ...]
    values: Floats  # periods × series, NaN where nothing was measured
    start: int
    check: Check


def instant(day: date) -> int:
    """Return midnight of a day in the town, in microseconds."""
    return from_datetime(datetime.combine(day, time(), PARIS))


def gather(store: Store, values: Mapping[str, Any], until_us: int) -> Gathered:
    """Return what was measured for an experiment, in its periods that are over at `until_us`."""
    ids = [*values["treated"], *(values["controls"] or ())]
    others = list(values["covariates"] or ())
    low, high = instant(values["first_day"]), min(instant(values["ends_on"]), until_us)
    periods = _periods(values["step"], low, high)
    names = _names(store, [*ids, *others])
    table = _table(store, [*ids, *others], periods, values)
    start = int(np.searchsorted([begin for begin, _ in periods], instant(values["starts_on"])))
    labels = tuple(to_datetime(begin).astimezone(PARIS).date().isoformat() for begin, _ in periods)
    told = tuple(names.get(i, str(i)) for i in ids)
    missing = np.isnan(table).mean(axis=0) if len(periods) else np.ones(len(ids) + len(others))
    check = _missing(missing, [names.get(i, str(i)) for i in [*ids, *others]])
    if check.outcome == "fail" or not 0 < start < len(periods):
        return Gathered(None, told, labels, table[:, : len(ids)], start, check)
    whole = np.column_stack([_filled(column) for column in table.T])
    cohort = np.where(np.arange(len(ids)) < len(values["treated"]), start, -1)
    changes = sensor_changes(store, ids, [begin for begin, _ in periods], periods[-1][1], names)
    covariates = {
        names.get(i, str(i)): np.repeat(whole[:, [len(ids) + n]], len(ids), axis=1)
        for n, i in enumerate(others)
    }
    outcome = whole[:, : len(ids)]
    if values["method"] in ("its", "before-after"):
        # one series is looked at: the mean of the treated
        panel = Panel(
            outcome[:, cohort >= 0].mean(axis=1, keepdims=True), ("treated",), labels, np.array([start]),
            {name: column[:, :1] for name, column in covariates.items()},
            changes=tuple(msgspec.structs.replace(c, unit="treated") for c in changes if c.unit in told[: len(values["treated"])]),
        )  # fmt: skip
    else:
        panel = Panel(outcome, told, labels, cohort, changes=changes)
    return Gathered(panel, told, labels, table[:, : len(ids)], start, check)


def _periods(step: str, low: int, high: int) -> list[tuple[int, int]]:
    """Return the whole civil periods in [low, high)."""
    buckets = Buckets(step, zone=PARIS)
    found = []
    bounds = buckets.around(low)
    if bounds[0] < low:
        bounds = buckets.after(bounds[1])
    while bounds[1] <= high:
        found.append(bounds)
        bounds = buckets.after(bounds[1])
    return found


def _names(store: Store, ids: Sequence[int]) -> dict[int, str]:
    with store.read() as c:
        rows = c.execute(select(datastream.c.id, datastream.c.name).where(datastream.c.id.in_(ids)))
        return {row[0]: row[1] for row in rows}


def _table(
    store: Store, ids: Sequence[int], periods: list[tuple[int, int]], values: Mapping[str, Any]
) -> Floats:
    """Return the sum or the mean of each series in each period, of values that are not doubtful."""
    table = np.full((len(periods), len(ids)), np.nan)
    if not periods or not ids:
        return table
    low, high = periods[0][0], periods[-1][1]
    grain = civil_days(low, high)
    days = Buckets("day", zone=PARIS)
    begins = [begin for begin, _ in periods]
    totals, counts = np.zeros(table.shape), np.zeros(table.shape)
    column = {i: n for n, i in enumerate(ids)}
    for series, cells in good_cells(store.observations, ids, low, high, grain).items():
        for number, cell in cells.items():
            at = int(np.searchsorted(begins, days.bounds(number, grain)[0], side="right")) - 1
            totals[at, column[series]] += cell.total
            counts[at, column[series]] += cell.numbers
    means = values["measure"] == "mean"
    np.divide(totals, counts if means else np.ones(table.shape), out=table, where=counts > 0)
    return table


def _filled(column: Floats) -> Floats:
    """Return a column whose holes are filled along a straight line."""
    known = np.flatnonzero(~np.isnan(column))
    return np.interp(np.arange(len(column)), known, column[known])


def _missing(shares: Floats, names: Sequence[str]) -> Check:
    worst = int(np.argmax(shares)) if len(shares) else 0
    if not len(shares) or shares[worst] > _MOST_MISSING:
        which = names[worst] if len(names) else "–"
        share = 100 * float(shares[worst]) if len(shares) else 100.0
        return failed(
            Text(f"Il manque {share:.0f} % des périodes de « {which} » (10 % au plus).",
                 f"{share:.0f} % of the periods of '{which}' are missing (10 % at most)."), share=share / 100,
        )  # fmt: skip
    if shares[worst] > 0:
        return warned(
            Text(f"Des périodes manquent, complétées en ligne droite (au plus {100 * shares[worst]:.1f} % d'une série).",
                 f"Some periods are missing, filled along a straight line (at most {100 * shares[worst]:.1f} % of a series)."),
            share=float(shares[worst]),
        )  # fmt: skip
    return passed(Text("Aucune période ne manque.", "No period is missing."))


def sensor_changes(
    store: Store, ids: Sequence[int], begins: Sequence[int], end_us: int, names: Mapping[int, str]
) -> tuple[Change, ...]:
    """Return what changed under these series between the first period and `end_us`, from the platform's own log.

    A datastream tied to another sensor, a sensor whose model or settings changed, a thing that moved.
    """
    low = begins[0]
    found: list[tuple[int, int, Text]] = []
    was, sensor_was = past["datastream"], past["sensor"]
    with store.read() as c:
        now = {
            row.id: row
            for row in c.execute(
                select(datastream.c.id, datastream.c.sensor_id, datastream.c.thing_id).where(
                    datastream.c.id.in_(ids)
                )
            )
        }
        order = (was.c.id, was.c.until_us)
        lines = c.execute(
            select(was.c.id, was.c.sensor_id, was.c.until_us).where(was.c.id.in_(ids)).order_by(*order)
        ).all()
        sensors = {row.sensor_id: i for i, row in now.items()}
        altered = c.execute(
            select(sensor_was.c.id, sensor_was.c.until_us).where(sensor_was.c.id.in_(list(sensors)))
        )
        found += [(sensors[line.id], line.until_us, _ALTERED) for line in altered]
        things = {row.thing_id: i for i, row in now.items()}
        there = historical_location.c
        moves = c.execute(
            select(there.thing_id, there.time_us)
            .where(there.thing_id.in_(list(things)))
            .order_by(there.thing_id, there.time_us)
        ).all()
    sensor_after = {(a.id, a.until_us): b.sensor_id for a, b in pairwise(lines) if a.id == b.id}
    for line in lines:
        current = now.get(line.id)
        after = sensor_after.get((line.id, line.until_us), None if current is None else current.sensor_id)
        if after not in (None, line.sensor_id):
            found.append((line.id, line.until_us, _REPLACED))
    # where a thing first stood is no move
    found += [(things[b.thing_id], b.time_us, _MOVED) for a, b in pairwise(moves) if a.thing_id == b.thing_id]
    return tuple(
        Change(
            names.get(series, str(series)), max(1, int(np.searchsorted(begins, at, side="right")) - 1), note
        )
        for series, at, note in sorted(found, key=lambda one: one[1])
        if low < at < end_us
    )
