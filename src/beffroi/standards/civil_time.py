"""Times as French files write them, and the hour that happens twice.

A naive time is civil time (Europe/Paris unless told). On the day of 25 hours the hour that happens twice
is told apart by the order of the rows; on the day of 23 hours the hour that does not exist is refused.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from beffroi.model.instant import PARIS, from_datetime, parse_instant
from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["CivilClock", "naive_time", "zone_of"]

_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s*(Z|z|[+-]\d\d(?::?\d\d)?)?)?\Z",
    re.ASCII,
)
_FRENCH = re.compile(
    r"(\d\d?)[/.-](\d\d?)[/.-](\d{4})(?:[T ]+(\d\d?)[:hH](\d\d)?(?::(\d\d)(?:[.,](\d{1,9}))?)?)?\Z", re.ASCII
)
_OFFSET = re.compile(r"(?:UTC)?([+-])(\d\d):?(\d\d)?\Z", re.ASCII)
_MEND = Text(
    "Écrivez une date ISO 8601 (2026-11-22T14:05:00+01:00) ou JJ/MM/AAAA HH:MM.",
    "Write an ISO 8601 time (2026-11-22T14:05:00+01:00) or DD/MM/YYYY HH:MM.",
)


def _refuse(text: str, fr: str, en: str) -> Problem:
    shown = text[:40].replace("{", "(").replace("}", ")")
    return Problem(Text(fr, en).filled(text=shown), _MEND)


def zone_of(name: str) -> tzinfo:
    """Return the time zone called `name` ("Europe/Paris", "UTC", "+01:00"). Raises `Problem`."""
    if name.upper() in ("UTC", "Z"):
        return UTC
    match = _OFFSET.match(name)
    try:
        if match is not None:
            sign = -1 if match[1] == "-" else 1
            return timezone(sign * timedelta(hours=int(match[2]), minutes=int(match[3] or 0)))
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Problem(
            Text("Le fuseau horaire n'est pas connu.", "The time zone is not known."),
            Text("Écrivez par exemple Europe/Paris, UTC ou +01:00.",
                 "Write for example Europe/Paris, UTC or +01:00."),
            place="zone",
        ) from error  # fmt: skip


def naive_time(text: str) -> tuple[datetime, bool]:
    """Return the civil time of `text` and whether it carries its own offset (then parse it as an instant).

    Reads ISO 8601, DD/MM/YYYY [HH:MM[:SS]], 14h05, and 24:00 as the next day's midnight. Raises `Problem`.
    """
    text = text.strip()
    match = _ISO.match(text)
    if match is not None:
        year, month, day, *clock, offset = match.groups()
        return _built(text, (year, month, day), clock), offset is not None
    match = _FRENCH.match(text)
    if match is None:
        raise _refuse(
            text, "« {text} » n'est pas une date comprise.", "'{text}' is not a time we understand."
        )
    day, month, year, *clock = match.groups()
    return _built(text, (year, month, day), clock), False


def _plain_iso(text: str) -> datetime | None:
    """Return the time of the shape of nearly all files, read in as little time as can be; None for any other."""
    if len(text) < 16 or text[4] != "-" or text[10] not in "T ":
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _built(text: str, date: tuple[str, str, str], clock: list[str | None]) -> datetime:
    year, month, day = (int(part) for part in date)
    hour, minute, second = (int(part or 0) for part in clock[:3])
    micro = int((clock[3] or "")[:6].ljust(6, "0")) if clock[3] else 0
    midnight = hour == 24 and minute == 0 and second == 0 and micro == 0
    try:
        moment = datetime(year, month, day, 0 if midnight else hour, minute, second, micro)  # noqa: DTZ001
        return moment + timedelta(days=1) if midnight else moment
    except (ValueError, OverflowError) as error:
        raise _refuse(
            text, "« {text} » n'existe pas au calendrier.", "'{text}' is not in the calendar."
        ) from error


class CivilClock:
    """Turns the written times of one series, in the order of its file, into instants.

    Inside the hour that happens twice, rows going forward in the file are its first pass until the time
    repeats or goes back; in a file that runs backwards, the reverse.
    """

    def __init__(self, zone: tzinfo = PARIS) -> None:
        self.zone = zone
        self._last: datetime | None = None
        self._fold = 0
        self._inside = False
        self._backwards = False

    def instant(self, text: str) -> int:
        """Return the instant of the time written as `text`. Raises `Problem`."""
        known = _plain_iso(text)
        if known is not None:
            return from_datetime(known) if known.tzinfo is not None else self.resolve(known, text)
        moment, offset = naive_time(text)
        if offset:
            return parse_instant(text.strip())
        return self.resolve(moment, text)

    def resolve(self, moment: datetime, text: str = "") -> int:
        """Return the instant of the naive civil time `moment`. Raises `Problem` when it does not exist."""
        try:
            early = moment.replace(tzinfo=self.zone, fold=0)
            late = moment.replace(tzinfo=self.zone, fold=1)
            before, after = early.utcoffset(), late.utcoffset()
        except (OverflowError, ValueError) as error:
            raise _refuse(
                text, "« {text} » est hors du calendrier.", "'{text}' is out of the calendar."
            ) from error
        assert before is not None
        assert after is not None
        if before < after:
            raise Problem(
                Text("Cette heure n'existe pas : c'est le jour du passage à l'heure d'été.",
                     "This hour does not exist: the clocks go forward that day."),
                Text("Si la source n'est pas en heure civile, indiquez son fuseau (zone = \"UTC\" ou \"+01:00\").",
                     'If the source is not in civil time, name its zone (zone = "UTC" or "+01:00").'),
            )  # fmt: skip
        twice = before > after
        self._turn(moment, twice)
        return from_datetime(late if twice and self._fold else early)

    def _turn(self, moment: datetime, twice: bool) -> None:
        last = self._last
        if twice and not self._inside:
            self._backwards = last is not None and last > moment
            self._fold = 1 if self._backwards else 0
        elif twice and last is not None:
            if self._backwards and moment >= last:
                self._fold = 0
            elif not self._backwards and moment <= last:
                self._fold = 1
        self._inside = twice
        self._last = moment

    def end_after(self, text: str, start_us: int) -> int:
        """Return the instant of the end of an interval that starts at `start_us`: the first that is not before it.

        Raises `Problem` when the end is before the start.
        """
        moment, offset = naive_time(text)
        if offset:
            ends = [parse_instant(text.strip())]
        else:
            ends = sorted({from_datetime(moment.replace(tzinfo=self.zone, fold=fold)) for fold in (0, 1)})
        for end in ends:
            if end > start_us:
                return end
        if ends[-1] == start_us:
            return start_us
        raise Problem(
            Text("L'intervalle finit avant de commencer.", "The interval ends before it starts."),
            Text("Vérifiez les deux dates de la ligne.", "Check both times of the row."),
        )
