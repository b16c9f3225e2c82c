"""What a text table is like, before it is read: its encoding, its separator, the line of its header.

Files of towns begin with titles, notes and empty lines as often as with their header, and some have none.
"""

import codecs
import csv
import re
from collections import Counter
from pathlib import Path

import msgspec

__all__ = ["Guess", "guess_of", "header_in", "old_encoding"]

_HEAD = 1 << 17
_ROWS = 60
_YEAR = re.compile(r"(19|20)\d\d\Z")
_VALUE = re.compile(r"[+-]?[\d\s.,/:T\u202f\xa0%€-]*\d[\d\s.,/:TZ\u202f\xa0%€+-]*\Z")
_NOT_WINDOWS = frozenset(b"\x81\x8d\x8f\x90\x9d")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class Guess(msgspec.Struct, frozen=True):
    """`header`: the number of its line, 0 when there is none; `sure`: most lines have as many cells as the header."""

    encoding: str
    delimiter: str
    header: int
    sure: bool


def guess_of(path: Path, encoding: str = "", delimiter: str = "") -> Guess:
    """Return what the beginning of a file lets one guess; what is told is kept."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    named = encoding or _encoding(head)
    lines = head.decode(named, "replace").lstrip("\ufeff").splitlines()[:_ROWS]
    if len(head) == _HEAD:
        lines = lines[:-1] or lines
    marks = delimiter or "\t;,|"
    best = max(marks, key=lambda mark: _agreement(lines, mark))
    rows = list(csv.reader(lines, delimiter=best))
    header = header_in(rows)
    widths = [len(row) for row in rows[max(0, header - 1) :] if any(map(str.strip, row))]
    usual = _usual(widths)
    return Guess(named, best, header, sum(w == usual for w in widths) >= 0.8 * len(widths))


def header_in(rows: list[list[str]]) -> int:
    """Return which row (from 1) names the columns, 0 when the first one already holds values."""
    filled = [sum(bool(cell.strip()) for cell in row) for row in rows]
    wide = _usual([n for n in filled if n])
    first = next((i for i, n in enumerate(filled) if n >= max(1, 0.6 * wide) and (wide < 2 or n > 1)), 0)
    if not rows:
        return 1
    names = [cell.strip() for cell in rows[first] if cell.strip()]
    values = [name for name in names if _VALUE.match(name) and not _YEAR.match(name)]
    following = [cell for row in rows[first + 1 : first + 6] for cell in row if cell.strip()]
    if following and len(values) >= max(1, len(names) / 2) and any(map(_VALUE.match, following)):
        return 0
    return first + 1


def _encoding(head: bytes) -> str:
    for bom, name in _BOMS:
        if head.startswith(bom):
            return name
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return old_encoding(head)
    return "utf-8"


def old_encoding(head: bytes) -> str:
    """Return the encoding of a text of before Unicode: Windows-1252, or Mac Roman when it has bytes that Windows has not.

    Mac Roman gives any byte a letter: only a text without control characters is taken for it.
    """
    strange = set(head) & _NOT_WINDOWS
    controls = any(b < 32 and b not in b"\t\n\r\x0c" for b in head)
    return "mac_roman" if strange and not controls else "cp1252"


def _usual(counts: list[int]) -> int:
    """Return the width that most rows have, the larger of two as frequent ones."""
    return max(Counter(counts).items(), key=lambda pair: (pair[1], pair[0]))[0] if counts else 1


def _agreement(lines: list[str], mark: str) -> tuple[float, int]:
    """Return the share of lines that have the usual number of cells, and that number; a lone cell agrees with nothing."""
    try:
        widths = [len(row) for row in csv.reader(lines, delimiter=mark) if any(map(str.strip, row))]
    except csv.Error:
        return 0.0, 0
    usual = _usual(widths)
    return (sum(w == usual for w in widths) / len(widths), usual) if widths and usual > 1 else (0.0, 0)
