"""Tables in text files: encoding, separator and lines, read as a stream.

Reads UTF-8 with or without BOM, UTF-16 with BOM, Windows-1252 and Mac Roman; `;`, `,`, tab and `|`.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from typing import BinaryIO

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["TextTable", "open_table", "other_kind"]

_BLOCK = 1 << 18
_AMID = re.compile(
    r"[^\W\d_]Ž[a-z]"
)  # within a word in small letters: what Mac Roman writes "é", read as Windows-1252
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f]")
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_PACKED = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\x1f\x8b", b"%PDF", b"7z\xbc\xaf", b"SQLite format 3")


class TextTable:
    """An opened table: its `header` cells and, once only, its `rows`."""

    def __init__(self, lines: Iterator[str], delimiter: str, header_at: int = 1, skip: int = 0) -> None:
        self.delimiter = delimiter
        self._skip = skip
        for _ in range(skip):
            next(lines, None)
        self._reader = csv.reader(lines, delimiter=delimiter)
        self.header = self._first(header_at)

    def _first(self, header_at: int) -> list[str]:
        if header_at == 0:
            return []
        for _, cells in self.rows():
            if cells is None:
                break
            return [cell.strip() for cell in cells]
        raise Problem(
            Text("Le fichier n'a pas de ligne d'en-tête.", "The file has no header line."),
            Text("Vérifiez que c'est le bon fichier.", "Check that it is the right file."),
        )

    def rows(self) -> Iterator[tuple[int, list[str] | None]]:
        """Yield each row that is not blank with its line number; None stands for a row that cannot be read."""
        while True:
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error:
                yield self._skip + self._reader.line_num, None
                continue
            if any(map(str.strip, cells)):
                yield self._skip + self._reader.line_num, cells


def open_table(
    stream: BinaryIO, *, encoding: str = "", delimiter: str = "", header: bool = True, skip: int = 0
) -> TextTable:
    """Return the table that `stream` (seekable) holds; what is not told is found out.

    The whole stream is read once to find its encoding, so that a file that is no text is refused before
    any row of it is taken. Raises `Problem`.
    """
    named = _checked_encoding(stream, encoding or _encoding(stream))
    stream.seek(0)
    text = io.TextIOWrapper(_Borrowed(stream), encoding=named, newline="")
    if not delimiter:
        for _ in range(skip):
            text.readline()
        delimiter = _delimiter(text)
        stream.seek(0)
        text = io.TextIOWrapper(_Borrowed(stream), encoding=named, newline="")
    return TextTable(iter(text), delimiter, int(header), skip)


class _Borrowed(io.BufferedReader):
    """A reader over someone else's stream: closing it (as TextIOWrapper does when dropped) leaves theirs open."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream)  # type: ignore[arg-type]

    def close(self) -> None:
        """Leave the stream open."""

    def _dealloc_warn(self, _source: object) -> None:
        """Warn of nothing: the stream is its owner's to close."""


def _encoding(stream: BinaryIO) -> str:
    stream.seek(0)
    start = stream.read(16)
    for bom, name in _BOMS:
        if start.startswith(bom):
            return name
    if any(start.startswith(mark) for mark in _PACKED):
        raise other_kind()
    # Mac Roman gives any byte a letter: only what Windows-1252 cannot be, or would not, is taken for it
    return next((name for name in ("utf-8", "cp1252") if _decodes(stream, name)), "mac_roman")


def _decodes(stream: BinaryIO, encoding: str) -> bool:
    stream.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while block := stream.read(_BLOCK):
            text = decoder.decode(block)
            if encoding == "cp1252" and _AMID.search(text):
                return False
            if "\x00" in text or (encoding == "mac_roman" and _CONTROLS.search(text)):
                raise other_kind()
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _checked_encoding(stream: BinaryIO, encoding: str) -> str:
    try:
        codecs.lookup(encoding)
    except LookupError as error:
        raise Problem(
            Text("Cet encodage n'est pas connu.", "This encoding is not known."),
            Text("Écrivez utf-8 ou windows-1252.", "Write utf-8 or windows-1252."),
            place="encoding",
        ) from error
    if encoding == "utf-8" or _decodes(stream, encoding):
        return encoding
    raise other_kind()


def other_kind() -> Problem:
    """Return the problem of a file that is no text at all."""
    return Problem(
        Text("Le fichier n'est pas un fichier texte lisible.", "The file is not a readable text file."),
        Text("Enregistrez le tableau en « CSV UTF-8 », puis recommencez.",
             "Save the table as 'CSV UTF-8', then try again."),
    )  # fmt: skip


def _delimiter(text: io.TextIOWrapper) -> str:
    for line in iter(lambda: text.readline(1 << 16), ""):
        if line.strip():
            return next((mark for mark in "\t;,|" if mark in line), ";")
    raise Problem(
        Text("Le fichier est vide.", "The file is empty."),
        Text("Vérifiez que c'est le bon fichier.", "Check that it is the right file."),
    )
