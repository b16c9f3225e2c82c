"""By when a works declaration is answered: R554-22 and R554-26 of the environment code, public holidays left out.

DT and joint DT-DICT: 9 days when dematerialised, 15 otherwise, 15 more when the operator measures on site. The DICT alone
(7 and 9 days) is remembered, not read: « à vérifier ». Days are calendar days from the day after the reception; a holiday
is not counted, and the last day is a working one.
"""

from datetime import date, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from beffroi.model.instant import to_datetime
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.standards.public_holidays import french_holidays, region_of
from beffroi.store.record import Row
from beffroi.town import Town

__all__ = ["Deadline", "Kind", "clock_of", "deadline", "today_of", "valid_until"]

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


def clock_of(row: Row) -> Deadline:
    """Return by when a declaration of the register is to be answered, by the holidays of its own commune."""
    v = row.values
    on_site = bool(v["on_site"]) and v["kind"] != "dict"
    return deadline(
        v["kind"], v["received"], dematerialised=bool(v["dematerialised"]), on_site=on_site, region=region_of(row.territory)
    )  # fmt: skip


def today_of(town: Town, instant_us: int | None = None) -> date:
    """Return the day that it is in the town, now or at an instant: at half past midnight it is no longer yesterday."""
    at = town.clock() if instant_us is None else instant_us
    return to_datetime(at).astimezone(ZoneInfo(town.settings.time_zone)).date()
