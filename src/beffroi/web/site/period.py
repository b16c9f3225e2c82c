"""The range of time a chart shows: the same buttons everywhere, or two dates that the reader chose."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from beffroi.model.instant import DAY_US, from_datetime, parse_instant
from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["PERIODS", "Period", "period_of"]

PERIODS: dict[str, tuple[int, Text]] = {
    "24h": (DAY_US, Text("24 h", "24 h")),
    "7j": (7 * DAY_US, Text("7 j", "7 d")),
    "1m": (31 * DAY_US, Text("1 mois", "1 month")),
    "1a": (366 * DAY_US, Text("1 an", "1 year")),
}
LONGEST_US = 20 * 366 * DAY_US


class Period(msgspec.Struct, frozen=True):
    """A range [start, end) in microseconds. `name` is the button's, "" when the reader chose dates.

    `moved` is True when the range ends at the last value because nothing came since.
    """

    start_us: int
    end_us: int
    name: str = ""
    moved: bool = False

    @property
    def query(self) -> dict[str, str]:
        """The parameters that lead to the same range."""
        if self.name:
            return {"periode": self.name}
        return {"du": _day(self.start_us), "au": _day(self.end_us - 1)}


def _day(instant_us: int) -> str:
    return datetime.fromtimestamp(instant_us // 1_000_000, UTC).strftime("%Y-%m-%d")


def period_of(
    query: Mapping[str, Any], zone: ZoneInfo, now_us: int, last_us: int | None, usual: str = "7j"
) -> Period:
    """Return the range that `?periode=` or `?du=…&au=…` (days, both included) asks for.

    A range of the buttons ends now, or at the last value when nothing came within it. Raises `Problem`.
    """
    first, last = str(query.get("du", "")), str(query.get("au", ""))
    if first or last:
        return _chosen(first, last, zone, now_us)
    name = str(query.get("periode", usual))
    span = PERIODS.get(name, PERIODS[usual])[0]
    name = name if name in PERIODS else usual
    if last_us is not None and last_us < now_us - span:
        return Period(last_us + 1 - span, last_us + 1, name, moved=True)
    return Period(now_us - span, now_us, name)


def _chosen(first: str, last: str, zone: ZoneInfo, now_us: int) -> Period:
    start = _midnight(first, zone, "du") if first else now_us - 7 * DAY_US
    end = _midnight(last, zone, "au", 1) if last else now_us
    if not start < end:
        raise Problem(
            Text("La période finit avant de commencer.", "The period ends before it starts."),
            Text("Mettez la date de début avant la date de fin.", "Put the first date before the last."),
            place="du",
        )
    return Period(max(start, end - LONGEST_US), end)


def _midnight(text: str, zone: ZoneInfo, place: str, days: int = 0) -> int:
    try:
        start = parse_instant(text[:10], zone)
    except Problem as problem:
        raise problem.at(place) from problem
    if not days:
        return start
    # the next civil midnight: a day of a time change has 23 or 25 hours
    following = datetime.fromtimestamp((start + DAY_US // 2 + days * DAY_US) // 1_000_000, zone)
    return from_datetime(following.replace(hour=0, minute=0, second=0, microsecond=0, fold=0))
