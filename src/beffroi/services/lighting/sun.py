"""Sunrise, sunset and civil twilight, for many places and days at once.

The sun's place is that of Meeus, *Astronomical Algorithms*, chapter 25 (low accuracy, 0.01°), as NOAA's solar
calculator uses it. It depends on the instant only: declination and equation of time are tabled once a day and
interpolated to the second order, so that a place and day cost a few products and one arc cosine for each event.

Altitudes are those of the centre of the disc seen from the ground: −0.8333° at sunrise and sunset (refraction of 34'
and a radius of 16'), −6° at civil twilight. Against Skyfield and DE421 the error stays under 10 s from 51° S to 51° N
(`bench/lighting.py` measures it).
"""

from datetime import date

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["CIVIL", "HORIZON", "SunTimes", "civil_days", "sun_times"]

HORIZON, CIVIL = -0.8333, -6.0  # degrees
_PARALLAX = (
    0.00244  # degrees at the horizon: Skyfield's altitudes are seen from the ground, Meeus' from the centre
)
_DAY_S = 86_400.0
_J2000_S = 946_728_000.0  # 2000-01-01T12:00Z in seconds since 1970
_CELL = 1 << 15  # events computed at once: arrays that fit a cache

Floats = NDArray[np.float64]


class SunTimes(msgspec.Struct, frozen=True, eq=False):
    """Seconds since 1970 (UTC) of the day's events, shape (places, days); NaN where there is none (polar day, night)."""

    dawn: Floats  # civil
    sunrise: Floats
    sunset: Floats
    dusk: Floats  # civil


def civil_days(first: date, count: int) -> NDArray[np.int64]:
    """Return `count` days from `first` on, as days since 1970."""
    return first.toordinal() - date(1970, 1, 1).toordinal() + np.arange(count, dtype=np.int64)


def _sun(seconds: Floats) -> tuple[Floats, Floats]:
    """Return the sine of the declination, and the equation of time in seconds, at instants (seconds since 1970)."""
    t: Floats = np.asarray(
        (seconds + 69.0 - _J2000_S) / (_DAY_S * 36_525.0), np.float64
    )  # Julian centuries of dynamical time
    longitude = np.radians(280.46646 + t * (36_000.76983 + t * 0.0003032))
    anomaly = np.radians(357.52911 + t * (35_999.05029 - t * 0.0001537))
    eccentricity = 0.016708634 - t * (0.000042037 + t * 0.0000001267)
    centre = np.radians(
        np.sin(anomaly) * (1.914602 - t * (0.004817 + t * 0.000014))
        + np.sin(2 * anomaly) * (0.019993 - t * 0.000101)
        + np.sin(3 * anomaly) * 0.000289
    )
    node = np.radians(125.04 - 1934.136 * t)
    apparent = longitude + centre - np.radians(0.00569 + 0.00478 * np.sin(node))
    obliquity = np.radians(23.439291 - t * 0.013004167 + 0.00256 * np.cos(node))
    sine = np.sin(obliquity) * np.sin(apparent)
    y = np.tan(obliquity / 2) ** 2
    equation = (
        y * np.sin(2 * longitude)
        - 2 * eccentricity * np.sin(anomaly)
        + 4 * eccentricity * y * np.sin(anomaly) * np.cos(2 * longitude)
        - 0.5 * y * y * np.sin(4 * longitude)
        - 1.25 * eccentricity**2 * np.sin(2 * anomaly)
    )
    return sine, np.degrees(equation) * 240.0


class _Table:
    """Declination and equation of time on each day at 0 h, 12 h and 24 h, as a parabola."""

    def __init__(self, days: NDArray[np.int64]) -> None:
        start = days * _DAY_S
        self.parts: list[tuple[Floats, Floats, Floats]] = []
        moments = (start, start + _DAY_S / 2, start + _DAY_S)
        for a, b, c in zip(*(_sun(np.asarray(m, np.float64)) for m in moments), strict=True):
            self.parts.append((a, 4 * b - 3 * a - c, 2 * (a + c) - 4 * b))

    def at(self, which: int, share: Floats) -> Floats:
        """Return the sine of the declination (0) or the equation of time (1) at a share of each day."""
        a, b, c = self.parts[which]
        return (c * share + b) * share + a


def sun_times(longitude: ArrayLike, latitude: ArrayLike, days: NDArray[np.int64]) -> SunTimes:
    """Return the events of the solar days whose noon falls on the local civil `days` (days since 1970).

    `longitude` and `latitude` in degrees (WGS 84), of one place or many. Raises `Problem` for places off the globe.
    """
    east, north = (
        np.atleast_1d(np.asarray(longitude, np.float64)),
        np.atleast_1d(np.asarray(latitude, np.float64)),
    )
    if not (np.all(np.abs(north) <= 90) and np.all(np.abs(east) <= 180)):
        raise Problem(
            Text("Ce lieu n'est pas sur la Terre.", "This place is not on Earth."),
            Text("Donnez la longitude puis la latitude, en degrés.", "Give the longitude, then the latitude, in degrees."),
            place="longitude, latitude",
        )  # fmt: skip
    shape = (len(east), len(days))
    found = SunTimes(*(np.empty(shape) for _ in range(4)))
    table = _Table(days)
    rows = max(1, _CELL // max(len(days), 1))
    with np.errstate(invalid="ignore"):
        for first in range(0, len(east), rows):
            part = slice(first, first + rows)
            _fill(found, part, table, days, east[part, None], np.radians(north[part, None]))
    return found


def _fill(
    found: SunTimes, part: slice, table: _Table, days: NDArray[np.int64], east: Floats, north: Floats
) -> None:
    noon = 0.5 - east / 360.0
    noon = noon - table.at(1, noon + np.zeros(len(days))) / _DAY_S
    sine, cosine = np.sin(north), np.cos(north)
    for altitude, before, after in (
        (HORIZON, found.sunrise, found.sunset),
        (CIVIL, found.dawn, found.dusk),
    ):
        height = np.sin(np.radians(altitude + _PARALLAX))

        def angle(share: Floats, height: np.float64 = height) -> Floats:
            """Return the hour angle of the altitude, in days, with the declination at a share of the day."""
            declination = table.at(0, share)
            turned: Floats = np.arccos(
                (height - sine * declination) / (cosine * np.sqrt(1 - declination * declination))
            ) / (2 * np.pi)
            return turned

        half = angle(noon)
        for sign, into in ((-1.0, before), (1.0, after)):
            share = noon + sign * half
            equation = table.at(1, share) / _DAY_S
            moment = 0.5 - east / 360.0 - equation + sign * angle(share)
            into[part] = (days + moment) * _DAY_S
