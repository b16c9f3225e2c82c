"""Periods: the time column of a table, as numbers that sort, and what is missing in it."""

import re
from collections.abc import Sequence
from datetime import date, datetime

import numpy as np

from beffroi.evaluation.impact.panel import Floats
from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["natural_season", "number_of", "numbers_of", "refuse_gaps"]

_MONTH = re.compile(r"(\d{4})[-/](\d{1,2})\Z")
_QUARTER = re.compile(r"(\d{4})[- ]?[QqTt]([1-4])\Z")
_WEEK = re.compile(r"(\d{4})-?[WwSs](\d{2})\Z")
_FRENCH = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})\Z")
_GAP = 1.6  # a month of 31 days after one of 28 is no gap; a missing one is


def number_of(text: str, place: str = "") -> float:
    """Return the instant that `text` names: a plain number as it is, a date in days. Raises `Problem`.

    Understood: 1989 · 2024-05-01 · 2024-05-01T06:00 · 2024-05 · 2024-Q2 · 2024-W18 · 01/05/2024.
    """
    text = text.strip()
    try:
        value = float(text)
    except ValueError:
        value = _dated(text)
    if not np.isfinite(value):
        raise Problem(
            Text(f"« {text} » n'est pas une période.", f"'{text}' is not a period."),
            Text("Écrivez une année, un numéro ou une date (2024-05-01, 2024-05, 2024-W18, 01/05/2024).",
                 "Write a year, a number or a date (2024-05-01, 2024-05, 2024-W18, 01/05/2024)."),
            place,
        )  # fmt: skip
    return value


def _dated(text: str) -> float:
    try:
        if found := _MONTH.match(text):
            return float(date(int(found[1]), int(found[2]), 1).toordinal())
        if found := _QUARTER.match(text):
            return float(date(int(found[1]), 3 * int(found[2]) - 2, 1).toordinal())
        if found := _WEEK.match(text):
            return float(date.fromisocalendar(int(found[1]), int(found[2]), 1).toordinal())
        if found := _FRENCH.match(text):
            return float(date(int(found[3]), int(found[2]), int(found[1])).toordinal())
        moment = datetime.fromisoformat(text)
    except ValueError:
        return float("nan")
    return moment.toordinal() + (moment.hour + moment.minute / 60 + moment.second / 3600) / 24


def numbers_of(texts: Sequence[str], column: str) -> Floats:
    """Return the instants of a column. Raises `Problem` naming the first line that is none."""
    try:
        found = np.array(texts, dtype=np.float64)
        if np.isfinite(found).all():
            return found
    except ValueError:
        pass
    known: dict[str, float] = {}
    for line, text in enumerate(texts, start=2):
        if text not in known:
            known[text] = number_of(text, f"line {line}, {column}")
    return np.array([known[text] for text in texts], dtype=np.float64)


def refuse_gaps(instants: Floats, labels: Sequence[str]) -> None:
    """Raise `Problem` when a period is missing between two others."""
    steps = np.diff(instants)
    if len(steps) < 2:
        return
    usual = float(np.median(steps))
    wide = np.flatnonzero(steps > _GAP * usual)
    if len(wide):
        before, after = labels[int(wide[0])], labels[int(wide[0]) + 1]
        missing = round(float(steps[wide[0]]) / usual) - 1
        raise Problem(
            Text(f"Il manque {missing} période(s) entre {before} et {after}.",
                 f"{missing} period(s) are missing between {before} and {after}."),
            Text("Ajoutez les lignes manquantes, ou commencez le fichier après le trou.",
                 "Add the missing rows, or begin the file after the gap."),
            f"time {after}",
        )  # fmt: skip


def natural_season(instants: Floats, labels: Sequence[str]) -> tuple[int, ...]:
    """Return the seasons that periods of such a length may have: twelve months, four quarters, seven days, 24 hours."""
    numeric = all(_plain(label) for label in labels[:3])
    if numeric:
        return (12, 4, 7, 24, 52)
    step = float(np.median(np.diff(instants))) if len(instants) > 1 else 0.0
    for longest, seasons in ((0.06, (24,)), (1.5, (7,)), (10, (52,)), (45, (12,)), (120, (4,))):
        if step <= longest:
            return seasons
    return ()


def _plain(label: str) -> bool:
    try:
        float(label)
    except ValueError:
        return False
    return True
