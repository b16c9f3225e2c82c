"""Conditions of a routing rule: their readable text, and whether they hold for a report.

Answers are conditions on the questions of a category: `type = plastique, verre ; volume >= 2`. All of them must hold;
a question answered by several values holds when one of them does. Hours are civil hours of the place.
"""

import math
import re
from datetime import datetime
from typing import Any

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["DAYS", "Answer", "Window", "day_of", "read_answers", "read_window"]

DAYS = ("lu", "ma", "me", "je", "ve", "sa", "di", "férié")
_ENGLISH = {"mo": 0, "tu": 1, "we": 2, "th": 3, "fr": 4, "su": 6, "holiday": 7, "ferie": 7}
MINUTES = 24 * 60
_ANSWER = re.compile(r"\s*([\w.-]+)\s*(>=|<=|=)\s*(.+?)\s*\Z")
_HOURS = re.compile(r"\s*(\d{1,2})(?:[h:](\d\d)?)?\s*-\s*(\d{1,2})(?:[h:](\d\d)?)?\s*\Z")
_SEASON = re.compile(r"\s*(\d\d?)/(\d\d?)\s*-\s*(\d\d?)/(\d\d?)\s*\Z")


class Answer(msgspec.Struct, frozen=True):
    """A question's answer is one of `values`, or a number from `least` to `most`, both included."""

    question: str
    values: frozenset[str] = frozenset()
    least: float = -math.inf
    most: float = math.inf

    def holds(self, answers: dict[str, Any]) -> bool:
        """True when a report's answers (by question) satisfy this; an unanswered question never does."""
        given = answers.get(self.question)
        several = given if isinstance(given, list) else [given]
        return any(self._one(value) for value in several if value is not None)

    def _one(self, value: object) -> bool:
        if self.values:
            return _folded(str(value)) in self.values
        try:
            return self.least <= float(str(value).replace(",", ".")) <= self.most
        except ValueError:
            return False


class Window(msgspec.Struct, frozen=True):
    """When a report arrives. `days` are numbers in `DAYS` (a legal holiday counts as `férié`, not as its weekday);
    minutes of the day and days of the year (month × 100 + day) from the first to before, or to, the second; both may wrap."""

    days: frozenset[int] = frozenset(range(8))
    minutes: tuple[int, int] = (0, MINUTES)
    season: tuple[int, int] = (101, 1231)

    def holds(self, day: int, minute: int, season: int) -> bool:
        """True when a moment (kind of day, minute of the day, month × 100 + day) is inside."""
        first, last = self.minutes
        hours = first <= minute < last if first < last else (minute >= first or minute < last)
        begin, end = self.season
        year = begin <= season <= end if begin <= end else (season >= begin or season <= end)
        return day in self.days and hours and year


def day_of(moment: datetime, holiday: bool) -> tuple[int, int, int]:
    """Return a local moment as a window reads it: kind of day, minute of the day, month × 100 + day."""
    day = 7 if holiday else moment.weekday()
    return day, moment.hour * 60 + moment.minute, moment.month * 100 + moment.day


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _wrong(place: str, text: str, mend: Text) -> Problem:
    said = Text(f"« {text[:60]} » n'est pas compris.", f"'{text[:60]}' is not understood.")
    return Problem(said, mend, place=place)


def read_answers(text: str, place: str = "answers") -> tuple[Answer, ...]:
    """Return the conditions that `text` writes, one for each question. Raises `Problem` at `place`."""
    found: dict[str, Answer] = {}
    for part in (p for p in re.split(r"[;\n]", text) if p.strip()):
        match = _ANSWER.match(part)
        answer = _read_answer(*match.groups()) if match else None
        if answer is None:
            raise _wrong(place, part, Text("Écrivez par exemple : type = plastique, verre ; volume >= 2.",
                                           "Write for example: type = plastic, glass ; volume >= 2."))  # fmt: skip
        found[answer.question] = _both(found.get(answer.question), answer, place, part)
    return tuple(found.values())


def _read_answer(question: str, sign: str, value: str) -> Answer | None:
    if sign == "=":
        values = frozenset(_folded(v) for v in value.split(",") if v.strip())
        return Answer(question, values) if values else None
    try:
        number = float(value.replace(",", "."))
    except ValueError:
        return None
    return Answer(question, least=number) if sign == ">=" else Answer(question, most=number)


def _both(before: Answer | None, answer: Answer, place: str, part: str) -> Answer:
    if before is None:
        return answer
    if before.values or answer.values:
        raise _wrong(place, part, Text("Cette question a déjà une condition : réunissez les valeurs par des virgules.",
                                       "This question has a condition already: join the values with commas."))  # fmt: skip
    least, most = max(before.least, answer.least), min(before.most, answer.most)
    if least > most:
        raise _wrong(
            place,
            part,
            Text("Aucun nombre ne peut répondre aux deux.", "No number can satisfy both."),
        )
    return Answer(answer.question, least=least, most=most)


def read_window(days: str = "", hours: str = "", season: str = "") -> Window:
    """Return the window that three texts write, each empty for "always".

    `lu-ve` or `sa, di, férié`; `22h-6h` or `08:30-17:00`; `15/10-31/03` (day and month). Raises `Problem`.
    """
    return Window(
        _read_days(days) if days.strip() else frozenset(range(8)),
        _read_hours(hours) if hours.strip() else (0, MINUTES),
        _read_season(season) if season.strip() else (101, 1231),
    )


def _read_days(text: str) -> frozenset[int]:
    mend = Text(
        "Écrivez par exemple lu-ve, ou sa, di, férié.", "Write for example mo-fr, or sa, su, holiday."
    )
    numbers = {name: n for n, name in enumerate(DAYS)} | _ENGLISH
    found: set[int] = set()
    for part in text.casefold().split(","):
        first, dash, last = (p.strip() for p in part.partition("-"))
        if first not in numbers or (dash and last not in numbers):
            raise _wrong("days", part.strip(), mend)
        begin, end = numbers[first], numbers[last if dash else first]
        if begin == 7 or end == 7:
            found |= {begin, end}
        else:
            found |= {(begin + n) % 7 for n in range((end - begin) % 7 + 1)}
    return frozenset(found)


def _read_hours(text: str) -> tuple[int, int]:
    match = _HOURS.match(text)
    first, last = (
        (int(match[1]) * 60 + int(match[2] or 0), int(match[3]) * 60 + int(match[4] or 0))
        if match
        else (0, 0)
    )
    if not match or first == last or max(first, last) > MINUTES or max(match[2] or "", match[4] or "") > "59":
        raise _wrong("hours", text, Text("Écrivez par exemple 22h-6h ou 08:30-17:00.",
                                         "Write for example 22:00-06:00 or 08:30-17:00."))  # fmt: skip
    return first, last


def _read_season(text: str) -> tuple[int, int]:
    match = _SEASON.match(text)
    try:
        if not match:
            raise ValueError
        begin, end = (
            datetime(2024, int(match[n + 1]), int(match[n]))  # noqa: DTZ001 -- a day of any leap year, to check it
            for n in (1, 3)
        )
    except ValueError as error:
        raise _wrong("season", text, Text("Écrivez deux jours et mois, par exemple 15/10-31/03.",
                                          "Write two days with months, such as 15/10-31/03.")) from error  # fmt: skip
    return begin.month * 100 + begin.day, end.month * 100 + end.day
