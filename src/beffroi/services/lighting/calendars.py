"""Calendars: which program holds on which night. The first rule that fits wins, as in TALQ's Calendar.

One rule a line, then the code of a program:

    12-15..01-05 fetes
    2027-07-13..2027-07-14 fetes
    sam,dim week-end
    feries week-end
"""

import re
from collections.abc import Container, Mapping, Sequence
from datetime import date, timedelta

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.lighting.schedule import PARIS, Nights, Program, nights_of
from beffroi.standards.public_holidays import french_holidays

__all__ = [
    "Calendar", "Plan", "Rule", "calendar_nights", "check_calendar", "choose", "plan_nights", "read_rules", "rules_text",
]  # fmt: skip

_NAMES = {
    "fr": ("lun", "mar", "mer", "jeu", "ven", "sam", "dim"), "en": ("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
}  # fmt: skip
_DAYS = {"lun": 0, "mon": 0, "mar": 1, "tue": 1, "mer": 2, "wed": 2, "jeu": 3, "thu": 3, "ven": 4, "fri": 4,
         "sam": 5, "sat": 5, "dim": 6, "sun": 6}  # fmt: skip
_HOLIDAYS = ("feries", "fériés", "holidays")
_SPAN = re.compile(r"((?:\d{4}-)?\d{2}-\d{2})\.\.((?:\d{4}-)?\d{2}-\d{2})\Z")


class Rule(msgspec.Struct, frozen=True):
    """The nights on which a program holds: dates (`MM-DD` every year, or `YYYY-MM-DD`), week days from Monday = 0."""

    program: str
    first: str = ""
    last: str = ""
    weekdays: tuple[int, ...] = ()
    holidays: bool = False

    def text(self, language: str = "en") -> str:
        """Return the rule as a line that `read_rules` reads back."""
        if self.holidays:
            return f"{'feries' if language == 'fr' else 'holidays'} {self.program}"
        if self.weekdays:
            return f"{','.join(_NAMES[language][day] for day in self.weekdays)} {self.program}"
        return f"{self.first}..{self.last} {self.program}"

    def holds(self, day: date, holidays: frozenset[date]) -> bool:
        """True when the night that begins on `day` is one of these."""
        if self.holidays:
            return day in holidays
        if self.weekdays:
            return day.weekday() in self.weekdays
        said = day.isoformat() if len(self.first) > 5 else f"{day:%m-%d}"
        if self.first <= self.last:
            return self.first <= said <= self.last
        return said >= self.first or said <= self.last  # over the new year


class Calendar(msgspec.Struct, frozen=True):
    """Rules in order, and the program of all other nights."""

    default: str
    rules: tuple[Rule, ...] = ()


class Plan(msgspec.Struct, frozen=True):
    """What lamps follow: a calendar, and its programs by code."""

    calendar: Calendar
    programs: Mapping[str, Program]

    def of_nights(self, first: date, count: int) -> list[Program]:
        """Return the program of each night."""
        return [self.programs[code] for code in choose(self.calendar, first, count)]

    @property
    def usual(self) -> Program:
        """The program of the nights that no rule names."""
        return self.programs[self.calendar.default]

    def key(self) -> str:
        """Return a text that is equal for plans that say the same."""
        used = dict.fromkeys([*(rule.program for rule in self.calendar.rules), self.calendar.default])
        rules = [rule.text() for rule in self.calendar.rules]
        return "\n".join([*rules, *(f"{code}: {self.programs[code].text()}" for code in used)])


def rules_text(text: str, language: str) -> str:
    """Return the rules of a calendar in the words of a language; a text that cannot be read as it is."""
    try:
        return "\n".join(rule.text(language) for rule in read_rules(text))
    except Problem:
        return text


def read_rules(text: str) -> tuple[Rule, ...]:
    """Read rules, one a line. Raises `Problem` at `line N`."""
    return tuple(_rule(line.strip(), n) for n, line in enumerate(text.splitlines(), 1) if line.strip())


def _rule(line: str, number: int) -> Rule:
    when, _, program = line.partition(" ")
    program = program.strip()
    span = _SPAN.match(when)
    if program and when.lower() in _HOLIDAYS:
        return Rule(program, holidays=True)
    if program and span and _dates(span[1], span[2]):
        return Rule(program, span[1], span[2])
    days = [_DAYS.get(part[:3]) for part in when.lower().split(",")]
    if program and all(d is not None for d in days):
        return Rule(program, weekdays=tuple(d for d in days if d is not None))
    raise Problem(
        Text(f"Cette règle n'est pas lisible : « {line[:60]} ».", f"This rule cannot be read: '{line[:60]}'."),
        Text("Par exemple : 12-15..01-05 fetes, ou : sam,dim week-end", "For example: 12-15..01-05 feast, or: sat,sun week-end"),
        place=f"line {number}",
    )  # fmt: skip


def _dates(first: str, last: str) -> bool:
    try:
        for said in (first, last):
            date.fromisoformat(said if len(said) > 5 else f"2028-{said}")
    except ValueError:
        return False
    return len(first) == len(last) and (len(first) == 5 or first <= last)


def choose(calendar: Calendar, first: date, count: int) -> list[str]:
    """Return the code of the program of each night."""
    days = [first + timedelta(days=n) for n in range(count)]
    wanted = any(rule.holidays for rule in calendar.rules)
    known = (
        frozenset[date]().union(*(french_holidays(y) for y in {d.year for d in days}))
        if wanted
        else frozenset[date]()
    )
    return [next((r.program for r in calendar.rules if r.holds(d, known)), calendar.default) for d in days]


def calendar_nights(
    calendar: Calendar, programs: Mapping[str, Program], longitude: NDArray[np.float64], latitude: NDArray[np.float64],
    first: date, count: int = 365, zone: str = PARIS,
) -> Nights:  # fmt: skip
    """Return the nights under a calendar. Raises `Problem` when it names a program that is not known."""
    check_calendar(calendar, programs)
    codes = choose(calendar, first, count)
    parts = {c: nights_of(programs[c], longitude, latitude, first, count, zone) for c in dict.fromkeys(codes)}
    index = np.array([list(parts).index(code) for code in codes])

    def picked(name: str) -> NDArray[np.float64]:
        stacked = np.stack([getattr(part, name) for part in parts.values()])
        found: NDArray[np.float64] = np.take_along_axis(stacked, index[None, None, :], 0)[0]
        return found

    one = next(iter(parts.values()))
    return Nights(one.days, picked("on"), picked("off"), picked("lit"), picked("full"))


def plan_nights(
    plan: Plan | Program, longitude: NDArray[np.float64], latitude: NDArray[np.float64], first: date, count: int = 365, zone: str = PARIS
) -> Nights:  # fmt: skip
    """Return the nights under a plan, or under one program all the year."""
    if isinstance(plan, Program):
        return nights_of(plan, longitude, latitude, first, count, zone)
    return calendar_nights(plan.calendar, plan.programs, longitude, latitude, first, count, zone)


def check_calendar(calendar: Calendar, programs: Container[str]) -> None:
    """Raise `Problem` when a calendar names a program that is not known."""
    names: Sequence[str] = [calendar.default, *(rule.program for rule in calendar.rules)]
    missing = next((name for name in names if name not in programs), None)
    if missing is not None:
        raise Problem(
            Text(f"Le programme « {missing[:40]} » n'existe pas.", f"There is no program '{missing[:40]}'."),
            Text("Créez-le, ou corrigez la règle.", "Make it, or mend the rule."),
            place="rules",
        )
