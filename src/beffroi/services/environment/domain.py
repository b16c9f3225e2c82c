"""What environment figures are made of: values by civil day, means, exceedances, trends. Pure."""

import statistics
from collections.abc import Iterable, Mapping, Sequence

from beffroi.model.instant import DAY_US, PARIS, to_datetime

__all__ = ["by_day", "days_beyond", "middle_day", "percent_change"]

Values = Iterable[tuple[int, float]]


def by_day(values: Values) -> dict[int, list[float]]:
    """Return the values of `(instant_us, value)` pairs by civil day at Paris (ordinal of the day).

    The day of a value is that of its instant; an interval counts for the day in which it starts.
    """
    found: dict[int, list[float]] = {}
    offset_of: dict[int, int] = {}
    for instant_us, value in values:
        hour = instant_us // 3_600_000_000
        if hour not in offset_of:
            offset = to_datetime(instant_us).astimezone(PARIS).utcoffset()
            offset_of[hour] = 0 if offset is None else int(offset.total_seconds()) * 1_000_000
        found.setdefault((instant_us + offset_of[hour]) // DAY_US, []).append(value)
    return found


def middle_day(series: Sequence[Mapping[int, float]]) -> dict[int, float]:
    """Return for each day the median over the series that have it: one faulty sensor does not decide."""
    days = {day for one in series for day in one}
    return {day: statistics.median([one[day] for one in series if day in one]) for day in sorted(days)}


def days_beyond(days: Mapping[int, float], limit: float, *, below: bool = False) -> int:
    """Return on how many days the value was over the limit (or under it)."""
    return sum(value < limit if below else value > limit for value in days.values())


def percent_change(before: float | None, now: float | None) -> float | None:
    """Return the change in %, None when there is nothing to compare with."""
    if before is None or now is None or before <= 0:
        return None
    return 100.0 * (now - before) / before
