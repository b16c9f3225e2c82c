"""Buckets of time: durations counted from 1970 in UTC, or the hours, days, weeks, months … of a civil calendar.

A civil day has 23, 24 or 25 hours; weeks begin on Monday (ISO 8601). What SQL counts is hours or civil days (`Grain`);
weeks, months, quarters and years are put together from those.
"""

from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache

import msgspec
from sqlalchemy import Connection, func, select

from beffroi.model.instant import DAY_US, HOUR_US, from_datetime, to_datetime
from beffroi.store.aggregates import Grain
from beffroi.store.tables import latest, observation, segment

__all__ = ["UNITS", "Buckets", "extent"]

UNITS = ("hour", "day", "week", "month", "quarter", "year")
_EPOCH = date(1970, 1, 1)


class Buckets(msgspec.Struct, frozen=True):
    """Buckets of `step_us` (unit ""), or one of `UNITS` in `zone`."""

    unit: str = ""
    step_us: int = 0
    zone: tzinfo = UTC

    def grain(self, low_us: int, high_us: int) -> Grain:
        """Return what SQL must count for instants in [low, high]."""
        if not self.unit:
            return Grain(self.step_us)
        if self.unit == "hour":
            return Grain(HOUR_US, ((0, _offset(self.zone, high_us) % HOUR_US),))
        return Grain(DAY_US, _offsets(self.zone, low_us, high_us))

    @property
    def single(self) -> bool:
        """True when each number of the grain is a bucket of its own."""
        return self.unit in ("", "hour", "day")

    def bounds(self, number: int, grain: Grain) -> tuple[int, int]:
        """Return [start, end) of the bucket that holds number `number` of `grain`."""
        if not self.unit or self.unit == "hour":
            start = number * grain.step_us - grain.offsets[0][1]
            return start, start + grain.step_us
        return _civil(self.unit, self.zone, number)

    def after(self, end_us: int) -> tuple[int, int]:
        """Return the bucket that starts at `end_us`, where another ends."""
        if not self.unit or self.unit == "hour":
            return end_us, end_us + (self.step_us or HOUR_US)
        day = (to_datetime(end_us).astimezone(self.zone).date() - _EPOCH).days
        return _civil(self.unit, self.zone, day)

    def around(self, instant_us: int) -> tuple[int, int]:
        """Return the bucket that holds an instant."""
        grain = self.grain(instant_us, instant_us)
        return self.bounds((instant_us + grain.offsets[-1][1]) // grain.step_us, grain)


def _offset(zone: tzinfo, instant_us: int) -> int:
    found = to_datetime(instant_us).astimezone(zone).utcoffset()
    return 0 if found is None else found // timedelta(microseconds=1)


@lru_cache(maxsize=256)
def _offsets(zone: tzinfo, low_us: int, high_us: int) -> tuple[tuple[int, int], ...]:
    """Return the offsets of a zone from `low` to `high`: (since which instant, microseconds ahead of UTC)."""
    found = [(0, _offset(zone, low_us))]
    here = low_us
    while here < high_us:
        there = min(here + 20 * DAY_US, high_us)
        if _offset(zone, there) != found[-1][1]:
            left, right = here, there
            while right - left > 1:
                middle = (left + right) // 2
                left, right = (middle, right) if _offset(zone, middle) == found[-1][1] else (left, middle)
            found.append((right, _offset(zone, right)))
            there = right
        here = there
    return tuple(found)


@lru_cache(maxsize=100_000)
def _civil(unit: str, zone: tzinfo, day: int) -> tuple[int, int]:
    first = _EPOCH + timedelta(days=day)
    if unit == "week":
        first -= timedelta(days=first.weekday())
    elif unit == "month":
        first = first.replace(day=1)
    elif unit == "quarter":
        first = first.replace(month=first.month - (first.month - 1) % 3, day=1)
    elif unit == "year":
        first = first.replace(month=1, day=1)
    return _midnight(zone, first), _midnight(zone, _next(unit, first))


def _next(unit: str, first: date) -> date:
    if unit in ("day", "week"):
        return first + timedelta(days=1 if unit == "day" else 7)
    months = {"month": 1, "quarter": 3, "year": 12}[unit]
    year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    return date(year, month + 1, 1)


def _midnight(zone: tzinfo, day: date) -> int:
    return from_datetime(datetime(day.year, day.month, day.day, tzinfo=zone))


def extent(connection: Connection) -> tuple[int, int] | None:
    """Return instants between which every observation starts, None when there is none."""
    c, corrected = observation.c, observation.c.seq.is_not(None)
    parts = (
        select(func.min(latest.c.first_us), func.max(latest.c.start_us)),
        select(func.min(segment.c.first_us), func.max(segment.c.max_us)).where(segment.c.live == 1),
        select(func.min(c.start_us), func.max(c.start_us)).where(corrected),
    )
    found = [row for part in parts for row in connection.execute(part) if row[0] is not None]
    return (
        (min(row[0] for row in found), max(row[1] for row in found if row[1] is not None)) if found else None
    )
