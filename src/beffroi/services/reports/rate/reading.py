"""Files that rates are computed from, told apart by their columns.

| file | columns |
|---|---|
| incidents | `days` (T), `duplicates` (M); `area`, `category` |
| reports | `incident`, `reported_at`; `area`, `category`, `reporter` (a pseudonym), `inspected_at`, `closed_at` |
| a log like Chicago 311's | `service_request_number`, `creation_date`, `completion_date`, `status`, … |

Times are ISO 8601; without an offset they are UTC.
"""

import csv
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.reports.csv_file import opened
from beffroi.services.reports.duplicates.log import read_log
from beffroi.services.reports.rate.incidents import (
    CAP_DAYS,
    DROP_DAYS,
    Incident,
    Told,
    incidents_of,
    incidents_of_log,
)

__all__ = ["read_incidents"]

_DAY_S = 86_400.0


def read_incidents(
    path: Path, *, end: datetime | None = None, cap: float = CAP_DAYS, drop: float = DROP_DAYS
) -> list[Incident]:
    """Return the incidents of a file; `end` of the data is the last time met when not given. Raises `Problem`."""
    with opened(path) as lines:
        reader = csv.DictReader(lines, restval="")
        heads = set(reader.fieldnames or ())
        if {"days", "duplicates"} <= heads:
            return [i for i in map(_incident, _numbered(reader)) if i.days > drop]
        if {"incident", "reported_at"} <= heads:
            told = [_told(*row) for row in _numbered(reader)]
            last = _days(end) if end else max((t for r in told for t in _times(r)), default=0.0)
            return incidents_of(told, last, cap=cap, drop=drop)
    if "service_request_number" in heads:
        return incidents_of_log(read_log(path), cap=cap, drop=drop)
    raise Problem(
        Text("Les colonnes ne disent pas quel fichier c'est.", "The columns do not tell what file this is."),
        Text(
            "Donnez days et duplicates ; ou incident et reported_at ; ou un journal 311 de Chicago.",
            "Give days and duplicates; or incident and reported_at; or a log of Chicago 311.",
        ),
        place="line 1",
    )


def _numbered(reader: "csv.DictReader[str]") -> Iterator[tuple[int, dict[str, str]]]:
    for row in reader:
        yield reader.line_num, row


def _incident(numbered: tuple[int, dict[str, str]]) -> Incident:
    line, row = numbered
    days = _number(row["days"], f"line {line}, days")
    again = _number(row["duplicates"], f"line {line}, duplicates")
    if again != int(again):
        raise Problem(
            Text("Un compte est un entier.", "A count is a whole number."), place=f"line {line}, duplicates"
        )
    return Incident(
        row.get("area", ""), row.get("category", ""), days, int(again), name=row.get("incident") or str(line)
    )


def _number(text: str, place: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise Problem(
            Text(f"« {text} » n'est pas un nombre positif.", f"'{text}' is not a positive number."),
            place=place,
        )
    return number


def _told(line: int, row: dict[str, str]) -> Told:
    at = _at(row["reported_at"], f"line {line}, reported_at")
    if at is None or not row["incident"]:
        raise Problem(
            Text("L'incident ou l'heure manque.", "The incident or the time is missing."),
            place=f"line {line}",
        )
    return Told(
        incident=row["incident"],
        at=at,
        area=row.get("area", ""),
        category=row.get("category", ""),
        by=row.get("reporter", ""),
        inspected=_at(row.get("inspected_at", ""), f"line {line}, inspected_at"),
        closed=_at(row.get("closed_at", ""), f"line {line}, closed_at"),
    )


def _at(text: str, place: str) -> float | None:
    if not text.strip():
        return None
    try:
        return _days(datetime.fromisoformat(text.strip()))
    except ValueError as error:
        raise Problem(
            Text(f"« {text} » n'est pas une date.", f"'{text}' is not a date."),
            Text("Écrivez 2026-11-25T10:00:00Z.", "Write 2026-11-25T10:00:00Z."),
            place,
        ) from error


def _days(at: datetime) -> float:
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() / _DAY_S


def _times(report: Told) -> Iterable[float]:
    return (t for t in (report.at, report.inspected, report.closed) if t is not None)
