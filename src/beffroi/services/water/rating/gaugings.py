"""Read gaugings: a stage and a discharge measured together, from the files in which hydrologists keep them.

What cannot be used is refused with its line; what is doubtful is kept or left out with a flag that names its line.
"""

import csv
import io
import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["Flag", "Gauging", "GaugingFile", "read_dated_gaugings", "read_gaugings"]

Array = NDArray[np.float64]
_SIGMA = 0.05  # of Q: an ordinary gauging (ISO 748), when its file says nothing
_LONGEST_REACH_M = 40.0  # no river's gaugings span more metres
_DATE = ("Year", "Month", "Day", "Hour", "Minutes")
_COLUMNS = Text(
    "Le fichier doit avoir les colonnes {names}, séparées par une virgule, un point-virgule ou une tabulation.",
    "The file must have the columns {names}, separated by a comma, a semicolon or a tab.",
)


class Gauging(msgspec.Struct, frozen=True):
    """One gauging. `sigma` is relative to the discharge; `at` is in seconds, 0 when unknown; `line` is the file's."""

    stage: float
    discharge: float
    sigma: float
    at: float = 0.0
    line: int = 0


class Flag(msgspec.Struct, frozen=True):
    """What is doubtful of a line: `duplicate`, `zero_flow`, `unordered`, `outlier`, `shift`, `stage_unit`."""

    flag: str
    line: int


class GaugingFile(msgspec.Struct, frozen=True):
    """The gaugings of a file, in the order of time when they have dates, and what is doubtful of it."""

    gaugings: tuple[Gauging, ...]
    flags: tuple[Flag, ...]

    def arrays(self) -> tuple[Array, Array, Array]:
        """Return stages, discharges and relative sigmas."""
        table = np.array([(g.stage, g.discharge, g.sigma) for g in self.gaugings]).reshape(-1, 3)
        return table[:, 0], table[:, 1], table[:, 2]


def read_gaugings(path: Path) -> GaugingFile:
    """Read `stage,q,q_sigma` (the last optional, in the unit of q). Raises `Problem` with the line at fault."""
    return _gathered(_undated(_rows(path, ("stage", "q"))))


def read_dated_gaugings(path: Path) -> GaugingFile:
    """Read Day, Month, Year, Hour, Minutes, h (m), Q (m³/s), Qsigma (%). Raises `Problem` with the line at fault."""
    file = _gathered(_dated(_rows(path, (*_DATE, "h", "Q", "Qsigma"))))
    stages = file.arrays()[0]
    if len(stages) and np.ptp(stages) > _LONGEST_REACH_M:
        furthest = file.gaugings[int(np.argmax(np.abs(stages - np.median(stages))))]
        raise _stage_unit(furthest.line)
    return file


def _undated(rows: Iterable[tuple[int, dict[str, str]]]) -> Iterator[Gauging]:
    for line, row in rows:
        discharge = _number(row, "q", line)
        stated = (row.get("q_sigma") or "").strip()
        sigma = _number(row, "q_sigma", line) / discharge if stated and discharge > 0 else _SIGMA
        yield _checked(Gauging(_number(row, "stage", line), discharge, sigma, line=line))


def _dated(rows: Iterable[tuple[int, dict[str, str]]]) -> Iterator[Gauging]:
    for line, row in rows:
        parts = [_number(row, name, line) for name in _DATE]
        try:
            at = datetime(*(int(p) for p in parts), tzinfo=UTC)  # type: ignore[arg-type, misc]
        except ValueError as error:
            raise Problem(
                Text("Cette date n'existe pas", "This date does not exist"),
                Text("Corrigez le jour, le mois ou l'heure.", "Mend the day, the month or the hour."),
                place=f"line {line}",
            ) from error
        sigma = _number(row, "Qsigma", line) / 100
        yield _checked(Gauging(_number(row, "h", line), _number(row, "Q", line), sigma, at.timestamp(), line))


def _rows(path: Path, needed: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows with their lines, whatever of the usual separators the file has."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(
            Text(
                f"Le fichier « {path} » ne se lit pas : {error}", f"The file '{path}' cannot be read: {error}"
            ),
            Text("Donnez un fichier texte en UTF-8.", "Give a text file in UTF-8."),
        ) from error
    head = text.split("\n", 1)[0]
    separator = max("\t;,", key=head.count)
    reader = csv.DictReader(io.StringIO(text), delimiter=separator, restval="")
    reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
    missing = [name for name in needed if name not in reader.fieldnames]
    if missing:
        names = ", ".join(missing)
        raise Problem(
            Text(f"Il manque des colonnes : {names}", f"Columns are missing: {names}"),
            Text(_COLUMNS.of("fr", names=", ".join(needed)), _COLUMNS.of("en", names=", ".join(needed))),
            place="line 1",
        )
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise Problem(
            Text(f"Ligne illisible : {error}", f"Unreadable line: {error}"), place=f"line {reader.line_num}"
        ) from error


def _number(row: dict[str, str], name: str, line: int) -> float:
    said = (row.get(name) or "").strip()
    try:
        value = float(said.replace(",", "."))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise Problem(
            Text(
                f"« {said} » n'est pas un nombre, colonne {name}", f"'{said}' is not a number, column {name}"
            ),
            Text("Corrigez la valeur ou retirez la ligne.", "Mend the value or take the line out."),
            place=f"line {line}",
        )
    return value


def _checked(gauging: Gauging) -> Gauging:
    if gauging.discharge < 0:
        raise Problem(
            Text(f"Débit négatif : {gauging.discharge:g}", f"Negative discharge: {gauging.discharge:g}"),
            Text("Un jaugeage vers l'amont n'entre pas dans une courbe : retirez la ligne.",
                 "A gauging of upstream flow is no part of a curve: take the line out."),
            place=f"line {gauging.line}",
        )  # fmt: skip
    if not 0 < gauging.sigma < 2:
        raise Problem(
            Text(f"Incertitude impossible : {gauging.sigma:.0%} du débit", f"Impossible uncertainty: {gauging.sigma:.0%} of Q"),
            Text("q_sigma est dans l'unité du débit, Qsigma en pour cent.",
                 "q_sigma is in the unit of the discharge, Qsigma in per cent."),
            place=f"line {gauging.line}",
        )  # fmt: skip
    return gauging


def _gathered(found: Iterable[Gauging]) -> GaugingFile:
    """Sort by time, leave out what teaches nothing, and flag it."""
    kept: list[Gauging] = []
    flags: list[Flag] = []
    seen: set[tuple[float, float, float]] = set()
    latest = 0.0
    for gauging in found:
        what = (gauging.at, gauging.stage, gauging.discharge)
        if what in seen:
            flags.append(Flag("duplicate", gauging.line))
        if what in seen and gauging.at:  # without dates, two gaugings may well be equal
            continue
        if gauging.discharge == 0:  # the stage is at or below zero flow, which no logarithm can use
            flags.append(Flag("zero_flow", gauging.line))
        else:
            if gauging.at < latest:
                flags.append(Flag("unordered", gauging.line))
            latest = max(latest, gauging.at)
            kept.append(gauging)
        seen.add(what)
    kept.sort(key=lambda g: g.at)
    mixed = _mixed_units(kept)
    if mixed is not None:
        raise _stage_unit(mixed.line)
    return GaugingFile(tuple(kept), tuple(flags))


def _mixed_units(gaugings: list[Gauging]) -> Gauging | None:
    """Return a gauging whose stage is a hundred times that of the others at its discharge, if any."""
    ordered = sorted(gaugings, key=lambda g: g.discharge)
    for one, other in pairwise(ordered):
        low, high = sorted((one, other), key=lambda g: abs(g.stage))
        near = other.discharge < 1.3 * one.discharge
        if near and abs(high.stage) > 5 and abs(low.stage) > 0.05 and 50 < abs(high.stage / low.stage) < 200:
            return high
    return None


def _stage_unit(line: int) -> Problem:
    return Problem(
        Text(
            "Cette hauteur semble en centimètres parmi des mètres",
            "This stage seems in centimetres among metres",
        ),
        Text(
            "Donnez toutes les hauteurs dans la même unité, en mètres.",
            "Give all stages in one unit, in metres.",
        ),
        place=f"line {line}",
    )
