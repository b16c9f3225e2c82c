"""School holidays of zones A, B and C, and public holidays: the first variable of a French town's buildings."""

import tomllib
from datetime import date
from functools import lru_cache
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.model.text import Text

__all__ = ["ZONES", "SchoolCalendar", "labels_of", "public_holiday", "school_calendar"]

ZONES = ("A", "B", "C")
_EPOCH = date(1970, 1, 1).toordinal()
_FIXED = {(1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25)}  # Labour Code, L3133-1
_MOVABLE = (1, 39, 50)  # days after Easter Sunday


class Break(msgspec.Struct, frozen=True):
    """One holiday of some zones, first and last day included."""

    first: date
    last: date
    zones: str


class SchoolCalendar(msgspec.Struct, frozen=True):
    """The dated data, where it comes from, whether it was compared with the source, and the days it covers."""

    source: Text
    taken: date
    checked: bool
    first: date
    last: date
    holidays: tuple[Break, ...]

    def off(self, day: date, zone: str) -> bool | None:
        """Return whether a day is a school holiday of a zone; None when the data do not cover it."""
        if not self.first <= day <= self.last:
            return None
        return any(zone in h.zones and h.first <= day <= h.last for h in self.holidays)


@lru_cache(maxsize=1)
def school_calendar() -> SchoolCalendar:
    """Return the dated data."""
    return msgspec.convert(
        tomllib.loads((Path(__file__).parent / "school_holidays.toml").read_text("utf-8")), SchoolCalendar
    )


@lru_cache(maxsize=64)
def _easter(year: int) -> int:
    """Return the ordinal of Easter Sunday (the anonymous Gregorian algorithm)."""
    a, b, c = year % 19, year // 100, year % 100
    d = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    e = (32 + 2 * (b % 4) + 2 * (c // 4) - d - c % 4) % 7
    f = d + e - 7 * ((a + 11 * d + 22 * e) // 451) + 114
    return date(year, f // 31, f % 31 + 1).toordinal()


def public_holiday(day: date) -> bool:
    """Return whether a day is a public holiday in metropolitan France (not Alsace-Moselle's own)."""
    return (day.month, day.day) in _FIXED or day.toordinal() - _easter(day.year) in _MOVABLE


def labels_of(days: NDArray[np.int64], zone: str) -> NDArray[np.float64]:
    """Return two columns for civil days (since 1970): school holiday of the zone, public holiday. Uncovered days are plain."""
    calendar = school_calendar()
    asked, back = np.unique(days, return_inverse=True)
    dates = [date.fromordinal(int(d) + _EPOCH) for d in asked]
    rows = np.array([[float(bool(calendar.off(d, zone))), float(public_holiday(d))] for d in dates])
    return np.asarray(rows.reshape(-1, 2)[back])
