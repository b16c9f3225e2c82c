"""Columns of numbers in a CSV file: what is no number is refused with its line."""

from collections.abc import Sequence
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.standards.text_table import open_table

__all__ = ["read_column", "read_columns"]

_EMPTY = {"", "na", "nan", "null", "none", "-"}
MOST_ROWS = 5_000_000
_LEAST_COUNTED = 4


def _number(text: str) -> float | None:
    """Return the number in a cell, NaN when it is empty, None when it is text."""
    bare = text.strip()
    if bare.lower() in _EMPTY:
        return float("nan")
    if bare.count(",") == 1 and "." not in bare:
        bare = bare.replace(",", ".")
    try:
        value = float(bare)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def read_column(stream: BinaryIO, name: str) -> tuple[NDArray[np.float64], int]:
    """Return the numbers of one column and how many cells were empty. Raises `Problem` at the line."""
    (found,) = read_columns(stream, [name]).values()
    known = found[~np.isnan(found)]
    if not len(known):
        raise Problem(
            Text(f"La colonne « {name} » est vide.", f"The column '{name}' is empty."),
            None,
            f"--column {name}",
        )
    return known, len(found) - len(known)


def read_columns(stream: BinaryIO, names: Sequence[str] = ()) -> dict[str, NDArray[np.float64]]:
    """Return columns of numbers by name, NaN where a cell is empty; without `names`, all but those that are text or count rows.

    A column is text when its first cell that is not empty is no number (a date, a name); the first one counts rows when it
    rises by equal steps. Raises `Problem`.
    """
    table = open_table(stream)
    heads = table.header
    for name in names:
        if name not in heads:
            known = ", ".join(heads[:20])
            raise Problem(
                Text(f"Il n'y a pas de colonne « {name[:40]} ».", f"There is no column '{name[:40]}'."),
                Text(f"Les colonnes sont : {known}.", f"The columns are: {known}."), f"--column {name[:40]}",
            )  # fmt: skip
    places = [heads.index(n) for n in names] if names else [i for i, n in enumerate(heads) if n]
    found: dict[int, list[float]] = {i: [] for i in places}
    settled: set[int] = set(places) if names else set()
    for count, (line, cells) in enumerate(table.rows(), 1):
        if cells is None or len(cells) < len(heads) or count > MOST_ROWS:
            raise _bad_row(line, count > MOST_ROWS)
        for place in list(found):
            value = _number(cells[place])
            if value is None and place not in settled:
                del found[place]  # dates, names
                continue
            if value is None:
                raise Problem(
                    Text(f"« {cells[place][:40]} » n'est pas un nombre.", f"'{cells[place][:40]}' is not a number."),
                    Text("Corrigez la cellule, ou laissez-la vide.", "Mend the cell, or leave it empty."), f"line {line}, {heads[place]}",
                )  # fmt: skip
            if not np.isnan(value):
                settled.add(place)
            found[place].append(value)
    columns = {heads[place]: np.array(values) for place, values in found.items()}
    if not names and len(columns) > 1 and _counts(columns.get(heads[0])):
        del columns[heads[0]]
    return columns


def _counts(column: NDArray[np.float64] | None) -> bool:
    """Tell whether a column numbers its rows, or says a time in equal steps."""
    if column is None or len(column) < _LEAST_COUNTED:
        return False
    steps = np.diff(column)
    return bool(steps[0] > 0 and np.allclose(steps, steps[0], rtol=1e-6))


def _bad_row(line: int, many: bool) -> Problem:
    if many:
        return Problem(
            Text(f"Le fichier a plus de {MOST_ROWS} lignes.", f"The file has more than {MOST_ROWS} rows."),
            Text("Donnez-en une partie.", "Give a part of it."),
            f"line {line}",
        )
    return Problem(
        Text("Cette ligne n'a pas toutes ses colonnes.", "This line lacks columns."),
        Text("Corrigez-la dans le fichier.", "Mend it in the file."),
        f"line {line}",
    )
