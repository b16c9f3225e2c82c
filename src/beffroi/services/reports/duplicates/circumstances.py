"""The circumstances of each report of a log at the moment it is made: what a clerk could have known then.

No report's own status or completion is used, and of earlier reports the completion date only once it is past.
A day is the finest time that the log has: a completion on the day of creation is not past yet.
"""

import math
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray

from beffroi.services.reports.duplicates.log import Logged

__all__ = ["NAMES", "circumstances"]

_NEAR_M = 100.0
_NEAR_DAYS = 400
_TURNS = 150  # closings of a ward that tell how fast it works these days
_NAN = math.nan


class _Ward:
    """How a ward is working: open reports, delays of its last closings (days), day of the last one."""

    def __init__(self) -> None:
        self.open = 0
        self.turns: deque[int] = deque(maxlen=_TURNS)
        self.last: int | None = None

    def still(self, age: int) -> tuple[float, float]:
        """Return the share of closings that took `age` days or more, and of these the share that took just that."""
        if not self.turns:
            return _NAN, _NAN
        longer = [t for t in self.turns if t >= age]
        return len(longer) / len(self.turns), (longer.count(age) / len(longer) if longer else _NAN)


class _Past:
    """The reports before the one being looked at. `here` gives those of the same point or address."""

    def __init__(self, reports: Sequence[Logged]) -> None:
        self.reports = reports
        self.natures: dict[str, int] = {}
        self.points: dict[tuple[int, int], list[int]] = defaultdict(list)
        self.addresses: dict[str, list[int]] = defaultdict(list)
        self.cells: dict[tuple[int, int], list[int]] = defaultdict(list)
        self.wards: dict[str, _Ward] = defaultdict(_Ward)
        self.closings = sorted(
            (r.completed, i)
            for i, r in enumerate(reports)
            if r.completed is not None and r.completed >= r.created
        )
        self.closed = 0
        self.day = self.yesterday = self.latest = 0  # ranks: last one of days before, last one seen

    def advance(self, day: int) -> None:
        """Let what was completed before `day` be known."""
        while self.closed < len(self.closings) and self.closings[self.closed][0] < day:
            completed, i = self.closings[self.closed]
            ward = self.wards[self.reports[i].ward]
            ward.open -= 1
            ward.turns.append(completed - self.reports[i].created)
            ward.last = completed
            self.closed += 1
        if day != self.day:
            self.day, self.yesterday = day, self.latest

    def here(self, r: Logged) -> list[int]:
        """Return the earlier reports of the same address or metre, in order."""
        found = set(self.addresses[r.address]) if r.address else set()
        if not math.isnan(r.x + r.y):
            found.update(self.points[round(r.x), round(r.y)])
        return sorted(found)

    def near(self, r: Logged, but: Sequence[int]) -> list[tuple[float, int]]:
        """Return `(metres, report)` within 100 m and 400 days, those of `but` left out."""
        if math.isnan(r.x + r.y):
            return []
        left_out = set(but)
        column, row = int(r.x // _NEAR_M), int(r.y // _NEAR_M)
        found = []
        for cell in ((column + i, row + j) for i in (-1, 0, 1) for j in (-1, 0, 1)):
            for k in self.cells.get(cell, ()):
                other = self.reports[k]
                if r.created - other.created <= _NEAR_DAYS and k not in left_out:
                    metres = math.hypot(r.x - other.x, r.y - other.y)
                    if metres <= _NEAR_M:
                        found.append((metres, k))
        return found

    def add(self, i: int) -> None:
        """Put report `i` among the earlier ones."""
        r = self.reports[i]
        if r.address:
            self.addresses[r.address].append(i)
        if not math.isnan(r.x + r.y):
            self.points[round(r.x), round(r.y)].append(i)
            self.cells[int(r.x // _NEAR_M), int(r.y // _NEAR_M)].append(i)
        if r.completed is None or r.completed >= r.created:
            self.wards[r.ward].open += 1
        if r.sequence:
            self.latest = r.sequence[1]

    def open_on(self, day: int, those: Sequence[int]) -> list[int]:
        """Return those not known to be completed on `day`."""
        return [j for j in those if (c := self.reports[j].completed) is None or c >= day]

    def nature(self, i: int | None) -> float:
        """Return a stable number for a report's nature."""
        return (
            _NAN if i is None else float(self.natures.setdefault(self.reports[i].nature, len(self.natures)))
        )


def _gap(r: Logged, other: Logged | None) -> float:
    """Return log(1 + numbers given out in between): numbers are one sequence a year, so they tell the hour."""
    mine, theirs = r.sequence, other.sequence if other else None
    if mine is None or theirs is None or mine[0] != theirs[0] or mine[1] < theirs[1]:
        return _NAN
    return math.log1p(mine[1] - theirs[1])


def _of_place(past: _Past, i: int, r: Logged, here: list[int], opened: list[int]) -> dict[str, float]:
    """Return what the earlier reports of the same place tell."""
    reports, day = past.reports, r.created
    closed = [c for j in here if (c := reports[j].completed) is not None and c < day]
    together = len(closed) - len(set(closed))  # closed on one day: were probably one thing
    first, last = (opened[0], opened[-1]) if opened else (None, None)

    def since(j: int | None) -> float:
        return _NAN if j is None else float(day - reports[j].created)

    def alike(j: int | None) -> float:
        return _NAN if j is None else float(reports[j].nature == r.nature)

    return {
        "open": len(opened),
        "open_today": sum(reports[j].created == day for j in opened),
        "open_alike": sum(reports[j].nature == r.nature for j in opened),
        "open_natures": len({reports[j].nature for j in opened}),
        "within_7_days": sum(day - reports[j].created <= 7 for j in here),
        "within_30_days": sum(day - reports[j].created <= 30 for j in here),
        "within_365_days": sum(day - reports[j].created <= 365 for j in here),
        "ever": len(here),
        "since_last_open": since(last),
        "since_first_open": since(first),
        "since_last": since(here[-1] if here else None),
        "gap_last_open": _gap(r, reports[last] if last is not None else None),
        "gap_first_open": _gap(r, reports[first] if first is not None else None),
        "alike_last_open": alike(last),
        "alike_first_open": alike(first),
        "nature": past.nature(i),
        "nature_first_open": past.nature(first),
        "nature_last_open": past.nature(last),
        "weekday_first_open": _NAN if first is None else float(_weekday(reports[first].created)),
        "since_closed": _NAN if not closed else float(day - max(closed)),
        "closed": len(closed),
        "closed_together": together,
        "closed_together_share": together / len(closed) if closed else _NAN,
    }


def _of_neighbours(past: _Past, r: Logged, here: list[int]) -> dict[str, float]:
    """Return what other places within 100 m tell."""
    reports, day = past.reports, r.created
    near = past.near(r, here)
    known = set(past.open_on(day, [j for _, j in near]))
    opened = [(metres, j) for metres, j in near if j in known]
    nearest = min(opened, default=None)
    return {
        "near_open": len(opened),
        "near_open_50_m": sum(metres <= 50 for metres, _ in opened),
        "near_metres": nearest[0] if nearest else _NAN,
        "near_since": float(day - reports[nearest[1]].created) if nearest else _NAN,
        "near_alike": float(reports[nearest[1]].nature == r.nature) if nearest else _NAN,
        "near_7_days_50_m": sum(metres <= 50 and day - reports[j].created <= 7 for metres, j in near),
        "near_30_days": sum(day - reports[j].created <= 30 for _, j in near),
    }


def _of_ward(past: _Past, r: Logged, first: int | None) -> dict[str, float]:
    """Return how the ward works: is the first open report of the place likely to be done by now?"""
    ward = past.wards[r.ward]
    share, now = ward.still(r.created - past.reports[first].created) if first is not None else (_NAN, _NAN)
    turns = list(ward.turns)
    rank = r.sequence[1] if r.sequence else 0
    return {
        "still_open_share": share,
        "closes_today_share": now,
        "ward_days": float(np.mean(turns)) if turns else _NAN,
        "ward_median_days": float(np.median(turns)) if turns else _NAN,
        "ward_open": ward.open,
        "ward_since_closing": _NAN if ward.last is None else float(r.created - ward.last),
        "weekday": _weekday(r.created),
        "hour": float(rank - past.yesterday) if rank > past.yesterday else _NAN,
    }


def _weekday(day: int) -> int:
    return date.fromordinal(day).weekday()


def _row(past: _Past, i: int) -> dict[str, float]:
    r = past.reports[i]
    past.advance(r.created)
    here = past.here(r)
    opened = past.open_on(r.created, here)
    first = opened[0] if opened else None
    return {
        **_of_place(past, i, r, here, opened),
        **_of_neighbours(past, r, here),
        **_of_ward(past, r, first),
    }


def circumstances(
    reports: Sequence[Logged], progress: Callable[[float], None] = lambda _: None
) -> NDArray[np.float64]:
    """Return one row per report (in order of creation) and one column per name of `NAMES`; NaN where nothing is
    known."""
    past, rows = _Past(reports), np.full((len(reports), len(NAMES)), np.nan)
    for i in range(len(reports)):
        rows[i] = tuple(_row(past, i).values())
        past.add(i)
        if i % 2_000 == 0:
            progress(i / len(reports))
    return rows


_ONE = Logged("00-0", 1, None, None, "", "", "", "", _NAN, _NAN)
NAMES: tuple[str, ...] = tuple(_row(_Past([_ONE]), 0))
"""The columns, in order."""
