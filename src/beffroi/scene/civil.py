"""French civil time and the sun, quickly: what people and lamps go by."""

import math
from datetime import date
from functools import lru_cache

from beffroi.model.instant import DAY_US, HOUR_US, PARIS, to_datetime

__all__ = ["Moment", "day_of_year", "moment", "school_day", "sun_elevation"]

LATITUDE = math.radians(47.07)
LONGITUDE_HOURS = 2.37 / 15.0
# Fixed public holidays (article L3133-1 of the Labour Code), month and day; the movable ones follow Easter.
_HOLIDAYS = {(1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25)}


class Moment(tuple[int, int, float, bool]):
    """`(civil day since 1970, weekday from Monday = 0, hour 0-24, holiday)` at Paris."""

    __slots__ = ()


@lru_cache(maxsize=4096)
def _offset_us(hour: int) -> int:
    offset = to_datetime(hour * HOUR_US).astimezone(PARIS).utcoffset()
    return 0 if offset is None else int(offset.total_seconds()) * 1_000_000


@lru_cache(maxsize=4096)
def _holiday(day: int) -> bool:
    on = to_datetime(day * DAY_US).date()
    return (on.month, on.day) in _HOLIDAYS or day - _easter(on.year) in (1, 39, 50)


@lru_cache(maxsize=64)
def _easter(year: int) -> int:
    """Return the day since 1970 of Easter Sunday (the anonymous Gregorian algorithm)."""
    a, b, c = year % 19, year // 100, year % 100
    d = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    e = (32 + 2 * (b % 4) + 2 * (c // 4) - d - c % 4) % 7
    f = d + e - 7 * ((a + 11 * d + 22 * e) // 451) + 114
    return date(year, f // 31, f % 31 + 1).toordinal() - date(1970, 1, 1).toordinal()


def moment(instant_us: int) -> Moment:
    """Return the civil day, weekday, hour and holiday of an instant at Paris."""
    local = instant_us + _offset_us(instant_us // HOUR_US)
    day, rest = divmod(local, DAY_US)
    return Moment((day, (day + 3) % 7, rest / HOUR_US, _holiday(day)))


def day_of_year(instant_us: int) -> float:
    """Return the day of the year, 0 to 365.25, counted in mean years from 1 January 1970."""
    return (instant_us / DAY_US) % 365.25


def school_day(day: int, weekday: int, holiday: bool) -> bool:
    """True on the days a primary school of the four-day week is open (holidays of zone B, about)."""
    if holiday or weekday in (2, 5, 6):
        return False
    of_year = (day % 365.25) / 365.25 * 365
    breaks = ((0, 4), (44, 59), (101, 116), (187, 243), (291, 306), (353, 366))
    return not any(first <= of_year < last for first, last in breaks)


def sun_elevation(instant_us: int) -> float:
    """Return the sine of the sun's elevation over the town (negative at night)."""
    declination = math.radians(-23.44) * math.cos(2 * math.pi * (day_of_year(instant_us) + 10) / 365.25)
    solar_hour = (instant_us % DAY_US) / HOUR_US + LONGITUDE_HOURS
    hour_angle = math.radians(15.0 * (solar_hour - 12.0))
    return math.sin(LATITUDE) * math.sin(declination) + math.cos(LATITUDE) * math.cos(declination) * math.cos(
        hour_angle
    )
