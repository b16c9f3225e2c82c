"""A CSV file that a command is given: gzipped or not, what cannot be read told as a `Problem`, its rows numbered."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["numbered", "opened", "unreadable"]

_MEND = Text("Donnez un CSV en UTF-8, gzip ou non.", "Give a CSV in UTF-8, gzipped or not.")


@contextmanager
def opened(path: Path, mend: Text = _MEND) -> Iterator[TextIO]:
    """Give a text file to be read, whether gzipped or not; its lines as csv wants them.

    Raises `Problem` when it, or what the block reads of it, is no such file.
    """
    try:
        with path.open("rb") as probe:
            packed = probe.read(2) == b"\x1f\x8b"
        with (
            gzip.open(path) if packed else path.open("rb") as raw,
            io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as lines,
        ):
            yield lines
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise unreadable(path, error, mend) from error


def unreadable(path: Path, error: Exception, mend: Text) -> Problem:
    """Return what to say of a file that cannot be read."""
    return Problem(
        Text(f"Le fichier « {path} » ne se lit pas : {error}", f"The file '{path}' cannot be read: {error}"),
        mend,
    )


def numbered(
    lines: Iterable[str], needed: Sequence[str], whose: Text
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each row with the number of its line. Raises `Problem` when columns are missing; `whose` says of what."""
    reader = csv.DictReader(lines, restval="")
    missing = [c for c in needed if c not in (reader.fieldnames or ())]
    if missing:
        names = ", ".join(missing)
        raise Problem(
            Text(f"Il manque des colonnes : {names}", f"Columns are missing: {names}"), whose, place="line 1"
        )
    for row in reader:
        yield reader.line_num, row
