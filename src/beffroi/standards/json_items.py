"""The elements of a large JSON array, one at a time, without holding the whole.

Takes `[…]`, `{"results": […]}` (any of the keys told) and JSON lines.
"""

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.result import decode_json
from beffroi.model.text import Text

__all__ = ["json_items"]

_BLOCK = 1 << 17
_LARGEST = 64 << 20
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)
_MEND = Text(
    "C'est un autre fichier, ou il est coupé : vérifiez-le, ou téléchargez-le de nouveau.",
    "It is another file, or it is cut short: check it, or download it again.",
)


def _refuse(fr: str, en: str, line: int) -> Problem:
    return Problem(Text(fr, en), _MEND, place=f"line {line}")


class _Scanner:
    """Finds where each element begins and ends by counting brackets outside strings."""

    def __init__(self, stream: BinaryIO, keys: tuple[str, ...]) -> None:
        self.stream = stream
        self.wanted = ", ".join(keys)
        self.inside = {b'"%s"' % key.encode() for key in keys}
        self.buffer = b""
        self.line = 1
        self.ended = False

    def fill(self) -> bool:
        block = self.stream.read(_BLOCK)
        if not block:
            self.ended = True
            return False
        self.buffer += block
        if len(self.buffer) > _LARGEST:
            raise _refuse(
                "Un élément du fichier est trop gros.", "An element of the file is too large.", self.line
            )
        return True

    def drop(self, count: int) -> None:
        self.line += self.buffer.count(b"\n", 0, count)
        self.buffer = self.buffer[count:]

    def peek(self) -> bytes:
        """Return the next byte that is neither blank nor a comma, b"" at the end of the stream."""
        while True:
            stripped = self.buffer.lstrip(b" \t\r\n,\xef\xbb\xbf")
            self.drop(len(self.buffer) - len(stripped))
            if self.buffer or not self.fill():
                return self.buffer[:1]

    def enter(self) -> None:
        """Go inside the array: the outermost one, or the one under a known key of the outermost object."""
        self.drop(1)
        while True:
            if self.peek() != b'"':
                raise _refuse(
                    f"Le fichier n'a pas la liste attendue : « {self.wanted} ».",
                    f"The file does not have the expected list: '{self.wanted}'.", self.line,
                )  # fmt: skip
            key = self.value()
            if self.peek() != b":":
                raise _refuse("Le JSON n'est pas valide.", "The JSON is not valid.", self.line)
            self.drop(1)
            if key in self.inside and self.peek() == b"[":
                self.drop(1)
                return
            self.peek()
            self.value()

    def value(self) -> bytes:
        """Return the bytes of the next value and go past it."""
        while True:
            end = self._end()
            if end is not None:
                found = self.buffer[:end]
                self.drop(end)
                return found
            if not self.fill():
                raise _refuse(
                    "Le fichier JSON s'arrête au milieu.", "The JSON file stops in the middle.", self.line
                )

    def _end(self) -> int | None:
        if self.buffer[:1] not in (b"{", b"[", b'"'):
            match = re.match(rb"[^\s,\]}]+(?=[\s,\]}])", self.buffer)
            return match.end() if match else (len(self.buffer) or None) if self.ended else None
        depth = 0
        for match in _TOKEN.finditer(self.buffer):
            mark = match[0][:1]
            depth += 1 if mark in b"{[" else -1 if mark in b"}]" else 0
            if depth <= 0:
                return match.end()
        return None


def json_items(stream: BinaryIO, keys: tuple[str, ...] = ()) -> Iterator[tuple[int, Any]]:
    """Yield `(line, element)` of the array that `stream` holds. Raises `Problem` when it is no such JSON."""
    scanner = _Scanner(stream, keys)
    first = scanner.peek()
    lines = False
    if first == b"[":
        scanner.drop(1)
    elif first == b"{":
        lines = _is_lines(scanner)
        if not lines:
            scanner.enter()
    else:
        raise _refuse("Ce n'est pas un fichier JSON.", "This is not a JSON file.", scanner.line)
    while True:
        mark = scanner.peek()
        if mark == b"]" and not lines:
            return
        if not mark:
            if lines:
                return
            raise _refuse(
                "Le fichier JSON s'arrête au milieu.", "The JSON file stops in the middle.", scanner.line
            )
        line = scanner.line
        yield line, _decoded(scanner.value(), line)


def _is_lines(scanner: _Scanner) -> bool:
    """True for JSON lines: the first line is a whole object and another follows."""
    while b"\n" not in scanner.buffer and scanner.fill():
        continue
    first, _, rest = scanner.buffer.partition(b"\n")
    if not rest.lstrip().startswith(b"{"):
        return False
    try:
        msgspec.json.decode(first)
    except msgspec.DecodeError:
        return False
    return True


def _decoded(text: bytes, line: int) -> Any:
    try:
        return decode_json(text)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise _refuse("Le JSON n'est pas valide.", "The JSON is not valid.", line) from error
