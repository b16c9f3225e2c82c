"""Hours of the week in French civil time: when a rule watches.

A window belongs to the day on which it starts; one that ends before it starts runs past midnight. Windows
are taken on the clock of the wall, so a night of 23 or 25 hours is as long as it is.
"""

from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from beffroi.model.instant import PARIS, from_datetime, to_datetime

__all__ = ["DAYS", "CivilHours"]

DAYS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
_DAY_MINUTES = 1440


class CivilHours(msgspec.Struct, frozen=True):
    """Weekdays (0 is Monday) and minutes of the day `start` to `end` (0-1440), start included, end excluded."""

    days: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    start: int = 0
    end: int = _DAY_MINUTES

    def contains(self, instant_us: int) -> bool:
        """True when the instant falls in a window."""
        return any(first <= instant_us < last for first, last in self._around(instant_us))

    def next_edge(self, instant_us: int) -> int:
        """Return the first instant after `instant_us` at which a window starts or ends."""
        day = to_datetime(instant_us).astimezone(PARIS).date()
        for ahead in range(-1, 9):
            window = _window(self, day + timedelta(days=ahead))
            for edge in window or ():
                if edge > instant_us:
                    return edge
        raise AssertionError("a week always has an edge")

    def _around(self, instant_us: int) -> list[tuple[int, int]]:
        day = to_datetime(instant_us).astimezone(PARIS).date()
        windows = (_window(self, day + timedelta(days=ahead)) for ahead in (-1, 0))
        return [window for window in windows if window]


@lru_cache(maxsize=4096)
def _window(hours: CivilHours, day: date) -> tuple[int, int] | None:
    """Return the window that starts on `day`, if that weekday has one (and the clock change left any of it)."""
    if day.weekday() not in hours.days:
        return None
    past_midnight = hours.end <= hours.start
    first = _instant(day, hours.start, PARIS)
    last = _instant(day + timedelta(days=1) if past_midnight else day, hours.end, PARIS)
    return (first, last) if last > first else None


def _instant(day: date, minute: int, zone: ZoneInfo) -> int:
    extra, minute = divmod(minute, _DAY_MINUTES)
    moment = datetime.combine(day + timedelta(days=extra), time(minute // 60, minute % 60), tzinfo=zone)
    return from_datetime(moment)
