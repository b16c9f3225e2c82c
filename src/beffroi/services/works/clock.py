"""By when a works declaration is answered: R554-22 and R554-26 of the environment code, public holidays left out.

DT and joint DT-DICT: 9 days when dematerialised, 15 otherwise, 15 more when the operator measures on site. The DICT alone
(7 and 9 days) is remembered, not read: « à vérifier ». Days are calendar days from the day after the reception; a holiday
is not counted, and the last day is a working one.
"""

from datetime import date, timedelta
from typing import Literal

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.standards.public_holidays import french_holidays

__all__ = ["Deadline", "Kind", "deadline", "valid_until"]

Kind = Literal["dt", "joint", "dict"]
_DAYS: dict[Kind, tuple[int, int]] = {"dt": (9, 15), "joint": (9, 15), "dict": (7, 9)}
_ON_SITE = 15
_VALID_MONTHS = 3


class Deadline(msgspec.Struct, frozen=True):
    """The last day for an answer, how many days that is, and where the delay comes from; `sure` False: to be checked."""

    day: date
    days: int
    source: Text
    sure: bool


def deadline(
    kind: Kind, received: date, *, dematerialised: bool, on_site: bool = False, region: str = ""
) -> Deadline:
    """Return by when a declaration is to be answered. Raises `Problem` for a measure on site of a DICT (there is none)."""
    if kind not in _DAYS:
        raise Problem(
            Text("Cette sorte de déclaration n'existe pas.", "There is no such kind of declaration."),
            Text("dt, joint ou dict.", "dt, joint or dict."), place="kind",
        )  # fmt: skip
    days = _DAYS[kind][0 if dematerialised else 1]
    if on_site:
        if kind == "dict":
            raise Problem(
                Text("Le délai d'une DICT ne s'allonge pas pour mesurer.", "The delay of a DICT is not longer to measure."),
                Text("Répondez dans le délai, ou prenez rendez-vous.", "Answer in time, or make an appointment."), place="on_site",
            )  # fmt: skip
        days += _ON_SITE
    day, left = received, days
    while left:
        day += timedelta(days=1)
        left -= day not in french_holidays(day.year, region)
    while day.weekday() >= 5 or day in french_holidays(day.year, region):
        day += timedelta(days=1)
    source = (
        Text("délai retenu de mémoire (R554-26 du code de l'environnement)", "delay from memory (R554-26 of the environment code)")
        if kind == "dict"
        else Text("R554-22 du code de l'environnement, jours fériés exclus", "R554-22 of the environment code, public holidays left out")
    )  # fmt: skip
    return Deadline(day, days, source, kind != "dict")


def valid_until(answered: date) -> date:
    """Return until when an answer holds: three months."""
    month = answered.month - 1 + _VALID_MONTHS
    year, month = answered.year + month // 12, month % 12 + 1
    last = (date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)).day
    return date(year, month, min(answered.day, last))
