"""Instants and intervals as integers: microseconds since 1970-01-01T00:00:00Z.

Integers sort, compare and store exactly; aware datetimes appear only at the edges.
"""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = [
    "DAY_US", "HOUR_US", "MINUTE_US", "PARIS", "SECOND_US", "Clock", "format_instant", "format_interval",
    "from_datetime", "parse_duration", "parse_instant", "parse_interval", "system_clock", "to_datetime",
]  # fmt: skip

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
PARIS = ZoneInfo("Europe/Paris")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Clock = Callable[[], int]
"""Returns the present instant in microseconds; passed in wherever time matters, so tests own it."""

_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?"
    r"\s*(Z|z|[+-]\d\d(?::?\d\d)?)?)?\Z"
)
_DURATION = re.compile(
    r"(-)?P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:[.,](\d{1,6})\d*)?S)?)?\Z"
)


def system_clock() -> int:
    """Return now from the machine's clock."""
    return time.time_ns() // 1000


def to_datetime(instant_us: int) -> datetime:
    """Return the aware UTC datetime of an instant."""
    return _EPOCH + timedelta(microseconds=instant_us)


def from_datetime(moment: datetime) -> int:
    """Return the instant of an aware datetime; a naive one is French civil time (Europe/Paris)."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=PARIS)
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * SECOND_US + delta.microseconds


def _refuse(text: str) -> Problem:
    return Problem(
        Text("« {text} » n'est pas une date que Beffroi comprend.", "'{text}' is not a time Beffroi understands.")
        .filled(text=text[:60].replace("{", "(").replace("}", ")")),
        Text("Écrivez une date ISO 8601, par exemple 2026-11-22T14:05:00+01:00.",
             "Write an ISO 8601 time, such as 2026-11-22T14:05:00+01:00."),
    )  # fmt: skip


def parse_instant(text: str, naive: ZoneInfo | timezone = UTC) -> int:
    """Return the instant that an ISO 8601 `text` names.

    Offsets `Z`, `+01:00`, `+0100` and `+01` are read; a time without offset is taken in `naive`
    (an hour that happens twice at the end of summer time is its first one). A date alone is its
    midnight. Raises `Problem`.
    """
    match = _ISO.match(text.strip())
    if match is None:
        raise _refuse(text)
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    try:
        moment = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0),
                          int((fraction or "")[:6].ljust(6, "0")), tzinfo=_zone(offset, naive))  # fmt: skip
        return from_datetime(moment)
    except (ValueError, OverflowError) as error:
        raise _refuse(text) from error


def _zone(offset: str | None, naive: ZoneInfo | timezone) -> ZoneInfo | timezone:
    if offset is None:
        return naive
    if offset in "Zz":
        return UTC
    sign = -1 if offset[0] == "-" else 1
    minutes = int(offset[1:3]) * 60 + int(offset[3:].lstrip(":") or 0)
    return timezone(sign * timedelta(minutes=minutes))


def parse_interval(text: str, naive: ZoneInfo | timezone = UTC) -> tuple[int, int | None]:
    """Return `(start, end)` of `start/end`, or `(instant, None)` of a single time. Raises `Problem`."""
    start, slash, end = text.partition("/")
    first = parse_instant(start, naive)
    if not slash:
        return first, None
    last = parse_instant(end, naive)
    if last < first:
        raise Problem(
            Text("L'intervalle finit avant de commencer.", "The interval ends before it starts."),
            Text("Écrivez début/fin dans l'ordre.", "Write start/end in order."),
        )
    return first, last


def format_instant(instant_us: int) -> str:
    """Return the instant as ISO 8601 in UTC, milliseconds or microseconds only when they are not zero."""
    seconds, rest = divmod(instant_us, SECOND_US)
    moment = _EPOCH + timedelta(seconds=seconds)
    text = moment.isoformat()[:19]
    if rest:
        text += f".{rest // 1000:03d}" if rest % 1000 == 0 else f".{rest:06d}"
    return text + "Z"


def format_interval(start_us: int, end_us: int | None) -> str:
    """Return `start/end`, or the instant alone when there is no end."""
    return (
        format_instant(start_us) if end_us is None else f"{format_instant(start_us)}/{format_instant(end_us)}"
    )


def parse_duration(text: str) -> int:
    """Return the microseconds of an ISO 8601 duration such as `PT1H` or `P7D` (no years or months).

    Raises `Problem`.
    """
    match = _DURATION.match(text.strip())
    if match is None or text.strip().lstrip("-") in ("P", "PT"):
        raise Problem(
            Text("La durée n'est pas comprise.", "The duration is not understood."),
            Text("Écrivez par exemple PT10M, PT1H ou P1D.", "Write for example PT10M, PT1H or P1D."),
        )
    sign, weeks, days, hours, minutes, seconds, fraction = match.groups()
    total = (int(weeks or 0) * 7 + int(days or 0)) * DAY_US
    total += int(hours or 0) * HOUR_US + int(minutes or 0) * MINUTE_US + int(seconds or 0) * SECOND_US
    total += int((fraction or "").ljust(6, "0"))
    return -total if sign else total
