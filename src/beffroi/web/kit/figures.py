"""Numbers, units and times as people of a town read them, per language.

French: decimal comma, narrow no-break spaces between thousands and before `%`. English: comma and point.
Times are microseconds UTC, shown in the town's time zone on a 24-hour clock.
"""

from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime

from beffroi.model.instant import DAY_US, HOUR_US, MINUTE_US, SECOND_US, format_instant, to_datetime
from beffroi.web.kit.words import Words

__all__ = ["NO_BREAK", "Figures"]

NARROW = "\u202f"
NO_BREAK = "\u00a0"
_KEPT = 4096  # moments whose words are kept: a list shows the same ones again and again, and Babel takes 40 us for each
_LOCALES = {"fr": "fr_FR", "en": "en_GB"}


class Figures:
    """Formats figures in one language and time zone."""

    def __init__(self, words: Words, zone: ZoneInfo) -> None:
        self.words = words
        self.zone = zone
        self._locale = _LOCALES[words.language]
        self._french = words.language == "fr"
        self._minute = lru_cache(_KEPT)(self._say_minute)
        self._date = lru_cache(_KEPT)(self._say_date)

    def number(self, value: float | None, decimals: int | None = None) -> str:
        """Return `value` with `decimals` (by default as many as it needs, at most 6); "–" when there is none."""
        if value is None:
            return "–"
        text = f"{value:,.{decimals}f}" if decimals is not None else f"{value:,.6f}".rstrip("0").rstrip(".")
        if text.strip("-0.,") == "":
            text = text.lstrip("-")
        text = text.replace("-", "−")
        if self._french:
            text = text.replace(",", NARROW).replace(".", ",")
        return text

    def quantity(self, value: float | None, unit: str = "", decimals: int | None = None) -> str:
        """Return the value followed by its unit: `12,4\xa0°C`, `56\u202f%`."""
        text = self.number(value, decimals)
        if not unit or value is None:
            return text
        if unit == "%":
            return text + (NARROW if self._french else "") + unit
        return text + NO_BREAK + self.unit_name(unit)

    def _local(self, instant_us: int) -> datetime:
        return to_datetime(instant_us).astimezone(self.zone)

    def moment(self, instant_us: int | None) -> str:
        """Return `22 nov. 2026, 14:05`; "–" when there is none."""
        if instant_us is None:
            return "–"
        return self._minute(instant_us // MINUTE_US)

    def _say_minute(self, minute: int) -> str:
        local = self._local(minute * MINUTE_US)
        return str(format_datetime(local, "d MMM y, HH:mm", tzinfo=self.zone, locale=self._locale))

    def day(self, instant: int | date | None) -> str:
        """Return `22 nov. 2026` of an instant or a date; "–" when there is none."""
        if instant is None:
            return "–"
        return self._date(self._local(instant).date() if isinstance(instant, int) else instant)

    def _say_date(self, day: date) -> str:
        return str(format_date(day, "d MMM y", locale=self._locale))

    def long_day(self, instant_us: int) -> str:
        """Return `dimanche 22 novembre 2026`."""
        return str(format_date(self._local(instant_us), "EEEE d MMMM y", locale=self._locale))

    def short_day(self, instant_us: int) -> str:
        """Return `22 nov.`."""
        return str(format_date(self._local(instant_us), "d MMM", locale=self._locale))

    def unit_name(self, unit: str) -> str:
        """Return the symbol of a unit; in English what French symbols there are (`m³/j`, `piétons`) in English."""
        if self._french:
            return unit
        return unit[:-1] + "d" if unit == "j" or unit.endswith("/j") else self.words.kept(unit)

    def unit(self, unit: str) -> str:
        """Return the unit with the space that stands before it."""
        return self.quantity(0.0, unit, 0)[1:]

    def clock(self, instant_us: int) -> str:
        """Return `14:05`."""
        return self._local(instant_us).strftime("%H:%M")

    def duration(self, span_us: int) -> str:
        """Return a length of time in its two largest units: `3 h 20 min`, `2 j 4 h`, `45 s`."""
        day = "j" if self._french else "d"
        parts = [
            (span_us // DAY_US, day),
            (span_us % DAY_US // HOUR_US, "h"),
            (span_us % HOUR_US // MINUTE_US, "min"),
        ]
        said = [f"{n}{NO_BREAK}{unit}" for n, unit in parts if n]
        return NO_BREAK.join(said[:2]) or f"{span_us // SECOND_US}{NO_BREAK}s"

    def age(self, instant_us: int | None, now_us: int) -> str:
        """Return how long ago: `à l'instant`, `il y a 4 min`, `dans 2 h`; after a month, the date."""
        if instant_us is None:
            return "–"
        span = now_us - instant_us
        if abs(span) < MINUTE_US:
            return self.words.of("à l'instant")
        if abs(span) > 31 * DAY_US:
            return self.day(instant_us)
        unit = DAY_US if abs(span) >= 2 * DAY_US else HOUR_US if abs(span) >= HOUR_US else MINUTE_US
        said = self.duration(abs(span) // unit * unit)
        return (
            self.words.of("il y a {span}", span=said) if span > 0 else self.words.of("dans {span}", span=said)
        )

    def iso(self, instant_us: int) -> str:
        """Return the instant for a `datetime` attribute or a link."""
        return format_instant(instant_us)

    def size(self, count: int) -> str:
        """Return a number of bytes: `4,2 kB` or `512 octets`."""
        if count < 1000:
            return f"{count}{NO_BREAK}" + self.words.plural(count, "octet", "octets")
        unit = "ko" if self._french else "kB"
        if count < 1_000_000:
            return self.quantity(count / 1000, unit, 1 if count < 100_000 else 0)
        return self.quantity(count / 1_000_000, "Mo" if self._french else "MB", 1)
