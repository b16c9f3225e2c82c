"""Deadlines: by when a report should be dealt with, and how late it is.

A deadline is promised in calendar days or in working days. A calendar day is a day of the civil clock, so that
"tomorrow at the same time" stays so when summer time begins. A working day is Monday to Friday outside the legal
holidays of the place (Code du travail L3133-1; Alsace-Moselle L3134-13; overseas L3422-2). A report that arrives on a
day off starts at midnight of the next working day, as in Signalen, whose published cases are reproduced.
Good Friday is off everywhere in Alsace-Moselle here, though the law asks for a temple in the commune.
"""

from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from beffroi.model.instant import from_datetime, to_datetime
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.standards.public_holidays import french_holidays

__all__ = ["MOST_DAYS", "Calendar", "Promise", "due_us", "lateness", "region_of"]

MOST_DAYS = 3650
VERY_LATE = 3
_DEPARTMENTS = {"57": "57", "67": "6AE", "68": "6AE"}
_OVERSEAS = {"975": "PM", "977": "BL", "978": "MF", "984": "TF", "986": "WF", "987": "PF", "988": "NC"}
_OVERSEAS |= {code: code for code in ("971", "972", "973", "974", "976")}


class Promise(msgspec.Struct, frozen=True):
    """By when something is promised: a number of days, calendar or working ones."""

    days: int
    working: bool = False


class Calendar(msgspec.Struct, frozen=True):
    """The civil clock and the holidays of a place; `region` is an ISO 3166-2:FR subdivision, "" for the common ones."""

    zone: ZoneInfo
    region: str = ""

    def off(self, day: date) -> bool:
        """True for a weekend day or a legal holiday."""
        return day.weekday() >= 5 or self.holiday(day)

    def holiday(self, day: date) -> bool:
        """True for a legal holiday."""
        return day in french_holidays(day.year, self.region)


def region_of(insee: str) -> str:
    """Return the holidays' region of a commune from its INSEE code, "" where only the common holidays hold."""
    return _OVERSEAS.get(insee[:3]) or _DEPARTMENTS.get(insee[:2], "")


def due_us(start_us: int, promise: Promise, calendar: Calendar, factor: int = 1) -> int:
    """Return the instant by which a report made at `start_us` is due; `factor` 3 is "three times late".

    Raises `Problem` for a promise that is negative or longer than ten years.
    """
    if not 0 <= promise.days <= MOST_DAYS:
        raise Problem(
            Text("Ce délai n'est pas possible.", "This delay is not possible."),
            Text(f"Écrivez un nombre de jours de 0 à {MOST_DAYS}.", f"Write a number of days from 0 to {MOST_DAYS}."),
            place="days",
        )  # fmt: skip
    days = promise.days * factor
    start = to_datetime(start_us).astimezone(calendar.zone)
    if not promise.working:
        return _instant(start.date() + timedelta(days=days), start.timetz(), calendar)
    day, clock = start.date(), start.timetz()
    if calendar.off(day):
        day, clock = _next_working(day, calendar), time(0)
    for _ in range(days):
        day = _next_working(day, calendar)
    return _instant(day, clock, calendar)


def _next_working(day: date, calendar: Calendar) -> date:
    day += timedelta(days=1)
    while calendar.off(day):
        day += timedelta(days=1)
    return day


def _instant(day: date, clock: time, calendar: Calendar) -> int:
    """Return the instant of a civil time; one that the change to summer time skips is an hour later."""
    return from_datetime(datetime.combine(day, clock.replace(tzinfo=None, fold=0), calendar.zone))


def lateness(
    now_us: int, start_us: int, promise: Promise | None, calendar: Calendar
) -> Literal[0, 1, 3]:  # fmt: skip
    """Return 0 in time (or nothing promised), 1 late, 3 when three times the promised delay is over."""
    if promise is None or now_us <= due_us(start_us, promise, calendar):
        return 0
    return 3 if now_us > due_us(start_us, promise, calendar, VERY_LATE) else 1
