"""The indexes of an R151 read as bytes, for as long as the file has exactly the regular form in which Enedis writes it.

An XML tree costs more than all that is done with it: a million values are 375 MB. Here the file is cut at its values; what stands
between two of them is matched whole, nothing skipped, and remembered, since there are few ways to say it within a day. Whatever is
not of that form (another order, an entity, a document type, a value to be refused, a file that is cut) ends the walk, and the strict
reader says what it is: this one only ever tells what that one would tell too. Text is checked to be UTF-8; characters that XML
forbids are not of the form.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Literal

import msgspec

from beffroi.services.energy.flows.row import Row

__all__ = ["IrregularError", "regular_rows"]

_BLOCK, _LONGEST_POINT = 4_000_000, 64_000_000
_HEAD = 65_536
_REMEMBERED = 4096
_LONGEST = 18  # digits of an index
_END = b"</PRM>"
_VALUE, _PRM, _DATE, _AFFAIR = b"<Valeur>", b"<Id_PRM>", b"<Date_Releve>", b"<Id_Affaire>"
_DIGITS = re.compile(rb"(?:[0-9]{14})?")
_ISO = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TEXT = rb"[^<>&\xef\x00-\x08\x0b\x0c\x0e-\x1f]*"  # \xef: begins U+FFFE and U+FFFF, which XML forbids
_POINT = rb"<PRM>\s*<Id_PRM>(?P<prm>[0-9]{14})</Id_PRM>\s*"
_DAY = (
    rb"<Donnees_Releve>\s*<Date_Releve>(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})</Date_Releve>\s*"
    rb"(?:<(?P<word>(?:Id|Libelle)_Calendrier_(?:Fournisseur|Distributeur)|Id_Affaire)>"
    + _TEXT
    + rb"</(?P=word)>\s*)*"
)
_OPENS = (
    rb"<(?:(?P<opens>Classe_Temporelle(?:_Distributeur)?)>\s*<Id_Classe_Temporelle>(?P<name>[A-Za-z0-9_]+)</Id_Classe_Temporelle>\s*"
    rb"(?:<Libelle_Classe_Temporelle>" + _TEXT + rb"</Libelle_Classe_Temporelle>\s*)?"
    rb"(?:<Rang_Cadran>" + _TEXT + rb"</Rang_Cadran>\s*)?|(?P<power>Puissance_Maximale)>\s*)"
)
_CLOSES = (
    rb"</Valeur>\s*(?:<Indice_Vraisemblance>(?P<doubt>[0-9]?)</Indice_Vraisemblance>\s*)?"
    rb"</(?P<closes>Classe_Temporelle(?:_Distributeur)?|Puissance_Maximale)>\s*"
)
_FIRST = re.compile(rb"\s*" + _POINT + _DAY + _OPENS)
_BETWEEN = re.compile(
    _CLOSES + rb"(?:</Donnees_Releve>\s*(?:</PRM>\s*" + _POINT + rb")?" + _DAY + rb")?" + _OPENS
)
_LAST = re.compile(_CLOSES + rb"</Donnees_Releve>\s*</PRM>")
_BEGIN = re.compile(
    rb"(?:<\?xml version=['\"]1\.0['\"](?: encoding=['\"](?i:utf-8)['\"])?(?: standalone=['\"]yes['\"])?\s*\?>)?\s*"
    rb"<R151(?: xmlns:xsi=\"[\w:/.-]*\")?\s*>\s*<En_Tete_Flux>((?:\s*<(\w+)>"
    + _TEXT
    + rb"</\2>)*)\s*</En_Tete_Flux>"
)
_HEADER = re.compile(rb"<(\w+)>\s*(.*?)\s*</\1>", re.DOTALL)
_CLOSING = re.compile(rb"\s*</R151>\s*\Z")
_GRIDS: dict[bytes, Literal["D", "F"]] = {b"Classe_Temporelle_Distributeur": "D", b"Classe_Temporelle": "F"}

Days = Callable[[str], tuple[str, str]]
"""A day's beginning and end, as instants. Raises for what is no day."""


class IrregularError(Exception):
    """The file has not, or has no longer, the regular form."""


class _Head(msgspec.Struct, frozen=True):
    unit: str | None
    power: str | None
    ends: int


class _Step(msgspec.Struct, frozen=True, gc=False):
    """What stands before a value: how the one before it ended, a new point, a new day, and of what the value is."""

    closes: bytes
    status: str | None  # of the value before
    prm: str
    start: str  # of the new day, "" for the same
    end: str
    opens: bytes
    grid: Literal["D", "F"] | None  # None: a highest power
    name: str


def _cut(piece: bytes, day: int) -> tuple[bytes, bytes, bytes, bytes]:
    """Return a piece without its point, its day (which begins at `day`) and its affair, then these three ("0" for none)."""
    point = piece.find(_PRM, 0, day) + len(_PRM)
    prm = piece[point : point + 14] if point >= len(_PRM) else b""
    before = piece[:point] + piece[point + 14 : day] if prm else piece[:day]
    affair = piece.find(_AFFAIR, day) + len(_AFFAIR)
    if affair < len(_AFFAIR):
        return before + piece[day + 10 :], prm, piece[day : day + 10], b"0"
    ends = piece.find(b"<", affair)
    return before + piece[day + 10 : affair] + piece[ends:], prm, piece[day : day + 10], piece[affair:ends]


class _Steps:
    """What was met between values, each form read once: as it is, or but for its point, day and affair."""

    def __init__(self, day_of: Days) -> None:
        self._day_of = day_of
        self._dated: dict[bytes, _Step] = {}
        self.known: dict[bytes, _Step] = {}

    def between(self, after: bytes) -> _Step:
        """Return what stands between two values."""
        at = after.find(_DATE)
        if at < 0:
            return self._keep(self.known, after, self.read(_BETWEEN, after))
        form, prm, day, affair = _cut(after, at + len(_DATE))
        known = self._dated.get(form)
        if known is None or not affair.isalnum() or not _DIGITS.fullmatch(prm):
            return self._keep(self._dated, form, self.read(_BETWEEN, after))
        start, end = self._day(day)
        return _Step(
            known.closes,
            known.status,
            prm.decode() if known.prm else "",
            start,
            end,
            known.opens,
            known.grid,
            known.name,
        )

    def _keep(self, among: dict[bytes, _Step], form: bytes, step: _Step) -> _Step:
        if len(among) >= _REMEMBERED:
            among.clear()
        among[form] = step
        return step

    def read(self, pattern: re.Pattern[bytes], piece: bytes) -> _Step:
        """Return what a piece says by a pattern that it must be wholly."""
        found = pattern.fullmatch(piece)
        if found is None:
            raise IrregularError
        said: dict[str, bytes] = {n: text or b"" for n, text in found.groupdict().items()}
        text = {n: said.get(n, b"").decode() for n in ("prm", "name", "doubt")}
        opens = said.get("opens") or said.get("power", b"")
        start, end = self._day(said["day"]) if said.get("day") else ("", "")
        status = "iv=" + text["doubt"] if text["doubt"] not in ("", "0") else None
        return _Step(
            said.get("closes", b""), status, text["prm"], start, end, opens, _GRIDS.get(opens), text["name"]
        )

    def _day(self, said: bytes) -> tuple[str, str]:
        if not _ISO.fullmatch(said):
            raise IrregularError
        return self._day_of(said.decode())


def regular_rows(path: Path, day_of: Days) -> Iterator[Row]:
    """Yield the rows of an R151. Raises `IrregularError` at the first thing that is not of its regular form."""
    with path.open("rb") as file:
        begun = file.read(_HEAD)
        head = _head(begun)
        file.seek(head.ends)
        steps = _Steps(day_of)
        for block in _blocks(file):
            yield from _points(block, head, steps)


def _head(begun: bytes) -> _Head:
    found = _BEGIN.match(begun)
    if found is None:
        raise IrregularError
    names = [name for name, _ in _HEADER.findall(found[1])]
    said = {name: _decoded(text) for name, text in _HEADER.findall(found[1])}
    if said.get(b"Identifiant_Flux", "").lower() != "r151" or len(names) != len(said):
        raise IrregularError
    return _Head(said.get(b"Unite_Mesure_Index") or None, said.get(b"Unite_Mesure_Puissance") or None, found.end())  # fmt: skip


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the rest of a file, cut after points; raise `IrregularError` when it does not end as it should."""
    kept = b""
    while more := file.read(_BLOCK):
        kept += more
        cut = kept.rfind(_END) + len(_END)
        if cut >= len(_END):
            block, kept = kept[:cut], kept[cut:]
            _decoded(block)
            yield block
        elif len(kept) > _LONGEST_POINT:
            raise IrregularError
    if not _CLOSING.match(kept):
        raise IrregularError


def _decoded(text: bytes) -> str:
    try:
        return text.decode("ascii" if text.isascii() else "utf-8")
    except UnicodeDecodeError as error:
        raise IrregularError from error


def _points(block: bytes, head: _Head, steps: _Steps) -> Iterator[Row]:
    """Yield the rows of whole points."""
    first, *pieces = block.split(_VALUE)
    step = steps.read(_FIRST, first)
    prm, start, end = step.prm, step.start, step.end
    known, last = steps.known, len(pieces) - 1
    for number, piece in enumerate(pieces):
        cut = piece.find(b"<")
        text, after = piece[:cut], piece[cut:]
        if not 0 < cut <= _LONGEST or not text.isdigit():
            raise IrregularError
        opened = step
        step = known.get(after) or (steps.between(after) if number < last else steps.read(_LAST, after))
        if step.closes != opened.opens:
            raise IrregularError
        if opened.grid is None:
            yield Row(prm, "curve", None, start, end, int(text), head.power, "PMAX", "réel", None)
        else:
            yield Row(
                prm, "index", opened.grid, end, end, int(text), head.unit, opened.name, "réel", step.status
            )
        if step.end:
            prm, start, end = step.prm or prm, step.start, step.end
