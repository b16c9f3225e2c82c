"""Read a table of series at a fixed step: `time` and one column a meter or sensor, CSV, gzipped or not.

Times are as the file has them, local and without offset. Missing rows become missing values; what is missing stays so.
"""

import csv
import gzip
import io
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["Table", "read_table"]

Array = NDArray[np.float64]
_UNKNOWN = {"", "na", "nan", "null", "-", "none"}
_LEAST = 2
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 -- wall clock of the files


class Table(msgspec.Struct, frozen=True):
    """`values[i, j]` is column `names[j]` at `times[i]` (seconds since 1970, local). NaN where unknown."""

    path: str
    names: tuple[str, ...]
    times: NDArray[np.int64]
    values: Array
    missing: int = 0

    def column(self, name: str) -> Array:
        """Return one column. Raises `Problem` when there is none of that name."""
        if name not in self.names:
            raise Problem(
                Text(f"La colonne « {name} » n'est pas dans {self.path}.", f"There is no column '{name}' in {self.path}."),
                Text("Ses colonnes : {names}.", "Its columns: {names}.").filled(names=", ".join(self.names)),
                name,
            )  # fmt: skip
        return self.values[:, self.names.index(name)]

    @property
    def step_s(self) -> int:
        """The usual step between two rows, in seconds."""
        return int(np.median(np.diff(self.times)))

    @property
    def begins(self) -> datetime:
        """The wall-clock time of the first row."""
        return _EPOCH + timedelta(seconds=int(self.times[0]))

    def on_grid(self) -> tuple[int, Array]:
        """Return the first midnight (seconds) and the values on a full grid from it: days × samples × columns."""
        step = self.step_s
        if step <= 0 or 86_400 % step:
            raise Problem(
                Text(f"Le pas de {self.path} est de {step} s : il ne divise pas le jour.",
                     f"The step of {self.path} is {step} s: it does not divide a day."),
                Text("Ramenez la série à un pas régulier, par exemple 15 minutes.",
                     "Bring the series to a regular step, such as 15 minutes."),
                "time",
            )  # fmt: skip
        first = int(self.times[0] // 86_400 * 86_400)
        days = int((self.times[-1] - first) // 86_400) + 1
        samples = 86_400 // step
        grid = np.full((days * samples, len(self.names)), np.nan)
        grid[(self.times - first) // step] = self.values
        return first, grid.reshape(days, samples, len(self.names))


def read_table(path: Path) -> Table:
    """Read the file. Raises `Problem` with the line at fault."""
    lines = csv.reader(io.StringIO(_text(path)))
    header = [c.strip() for c in next(lines, [])]
    if len(header) < _LEAST or header[0].lower() not in ("time", "date", "timestamp", "datetime"):
        raise Problem(
            Text(f"{path.name} ne commence pas par une colonne « time ».", f"{path.name} does not begin with a column 'time'."),
            Text("Première ligne attendue : time, puis un nom par compteur ou capteur.",
                 "Expected first line: time, then one name a meter or sensor."),
            "line 1",
        )  # fmt: skip
    times: list[int] = []
    rows: list[list[float]] = []
    for number, cells in enumerate(lines, start=2):
        if not cells:
            continue
        if len(cells) != len(header):
            raise _wrong(path, number, f"{len(cells)} valeurs au lieu de {len(header)}", f"{len(cells)} values instead of {len(header)}")  # fmt: skip
        times.append(_instant(path, number, cells[0]))
        rows.append(_numbers(path, number, cells))
    if len(times) < _LEAST:
        raise _wrong(path, 2, "la série est vide", "the series is empty")
    when, values = np.array(times), np.array(rows)
    order = np.argsort(when, kind="stable")
    when, values = when[order], values[order]
    keep = np.append(np.diff(when) > 0, True)  # of a time given twice, the last word
    when, values = when[keep], values[keep]
    return Table(path.name, tuple(header[1:]), when, values, int(np.isnan(values).sum()))


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
        return raw.decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise Problem(
            Text(f"Le fichier {path} ne se lit pas : {error}", f"The file {path} cannot be read: {error}"),
            Text(
                "Donnez un CSV en UTF-8, compressé par gzip ou non.", "Give a CSV in UTF-8, gzipped or not."
            ),
            str(path),
        ) from error


def _wrong(path: Path, line: int, fr: str, en: str) -> Problem:
    return Problem(
        Text(f"{path.name}, ligne {line} : {fr}.", f"{path.name}, line {line}: {en}."),
        Text("Corrigez la ligne, ou laissez la valeur vide.", "Mend the line, or leave the value empty."),
        f"line {line}",
    )


def _instant(path: Path, number: int, cell: str) -> int:
    try:
        when = datetime.fromisoformat(cell.strip())
    except ValueError:
        raise _wrong(
            path, number, f"« {cell[:40]} » n'est pas une date", f"'{cell[:40]}' is no date"
        ) from None
    bare = when.replace(tzinfo=None)
    return int((bare - datetime(1970, 1, 1)).total_seconds())  # noqa: DTZ001 -- wall clock of the file


def _numbers(path: Path, number: int, cells: list[str]) -> list[float]:
    found = []
    for cell in cells[1:]:
        try:
            found.append(float(cell))
        except ValueError:
            if cell.strip().lower() not in _UNKNOWN:
                raise _wrong(path, number, f"« {cell[:40]} » n'est pas un nombre", f"'{cell[:40]}' is no number") from None  # fmt: skip
            found.append(float("nan"))
    return found
