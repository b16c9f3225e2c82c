"""A log of reports as a city publishes it: Chicago 311's sanitation complaints, whose `status` marks duplicates.

Columns read: `creation_date`, `completion_date` (ISO days), `status`, `service_request_number`, `nature`,
`street_address`, `ward`, `community_area`, `x_coordinate`, `y_coordinate` (US survey feet). Others are ignored.
"""

import math
import re
from datetime import date
from pathlib import Path

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.reports.csv_file import numbered, opened

__all__ = ["Logged", "read_log"]

_FOOT_M = 1200 / 3937  # US survey foot
_NEEDED = ("creation_date", "completion_date", "service_request_number", "street_address", "status")
_WHOSE = Text("Ce sont celles du journal 311 de Chicago.", "They are those of Chicago's 311 log.")
_NUMBER = re.compile(r"(\d{2})-(\d+)")


class Logged(msgspec.Struct, frozen=True):
    """One report of a log. Days are proleptic ordinals; x and y metres of one plane, NaN when unknown."""

    number: str
    created: int
    completed: int | None
    duplicate: bool | None  # None when the status is blank
    nature: str
    address: str
    ward: str
    area: str
    x: float
    y: float

    @property
    def sequence(self) -> tuple[str, int] | None:
        """Return the year and rank that the request number holds (`11-03774632`), None when it holds none."""
        found = _NUMBER.fullmatch(self.number)
        return (found[1], int(found[2])) if found else None


def read_log(path: Path) -> list[Logged]:
    """Return the reports of a CSV file, gzipped or not, in order of creation then number; of a repeated number,
    its first row. Raises `Problem` naming the line and column."""
    seen: dict[str, Logged] = {}
    with opened(path) as lines:
        for line, row in numbered(lines, _NEEDED, _WHOSE):
            number = row["service_request_number"].strip()
            if not number:
                raise Problem(
                    Text("Le numéro manque.", "The number is missing."),
                    place=f"line {line}, service_request_number",
                )
            if number not in seen:
                seen[number] = _logged(number, row, line)
    return sorted(seen.values(), key=lambda r: (r.created, r.number))


def _logged(number: str, row: dict[str, str], line: int) -> Logged:
    status = row["status"].strip()
    created = _day(row["creation_date"], f"line {line}, creation_date")
    if created is None:
        raise Problem(
            Text("La date de création manque.", "The creation date is missing."),
            place=f"line {line}, creation_date",
        )
    return Logged(
        number=number,
        created=created,
        completed=_day(row["completion_date"], f"line {line}, completion_date"),
        duplicate=status.lower().endswith("dup") if status else None,
        nature=row.get("nature", "").strip(),
        address=" ".join(row["street_address"].upper().split()),
        ward=row.get("ward", "").strip(),
        area=row.get("community_area", "").strip(),
        x=_metres(row.get("x_coordinate", ""), f"line {line}, x_coordinate"),
        y=_metres(row.get("y_coordinate", ""), f"line {line}, y_coordinate"),
    )


def _day(text: str, place: str) -> int | None:
    try:
        return date.fromisoformat(text.strip()[:10]).toordinal() if text.strip() else None
    except ValueError as error:
        raise Problem(
            Text(f"« {text} » n'est pas une date.", f"'{text}' is not a date."),
            Text("Écrivez AAAA-MM-JJ.", "Write YYYY-MM-DD."),
            place,
        ) from error


def _metres(text: str, place: str) -> float:
    try:
        return float(text) * _FOOT_M if text.strip() else math.nan
    except ValueError as error:
        raise Problem(
            Text(f"« {text} » n'est pas un nombre.", f"'{text}' is not a number."), place=place
        ) from error
