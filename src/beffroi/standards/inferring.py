"""Inferring: what the columns of a file are, from all that they hold, as the fields of a collection."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from beffroi.model.collection import OWN, Collection, Field, Geometry, Kind, Record
from beffroi.model.principal import Role
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.model.value import parse_value
from beffroi.standards.layer_file import LayerRow, folded, number_of

__all__ = ["MADE_KEY", "Inferred", "Inferring", "perhaps_personal", "slug"]

MADE_KEY = "import_key"  # the key of files whose rows have none: the file's name and the row's number
_CODED = re.compile(
    r"(.*_)?(insee|siret|siren|code|postal|cp|telephone|tel|prm|pce|numero|num|ref|reference|id|gid|fid|uid|identifiant)(_.*)?\Z"
)
_KEYS = re.compile(
    r"(id|gid|fid|objectid|uid|uuid|code|n|no|numero|num|matricule|repere|ref|reference|identifiant|id_.*|.*_id|code_.*|numero_.*|ref_.*)\Z"
)
_PERSONAL = re.compile(
    r"(prenoms?|(e?_?mail|courriel|telephone|tel|portable|mobile)(_.*)?|date_naissance|naissance|proprietaire|locataire|titulaire|nom_(usage|naissance|famille|proprietaire|patronymique))\Z"
)
_WHOLE = re.compile(r"[+-]?(0|[1-9]\d{0,17})\Z")
_FALSE_OR_TRUE = {"oui", "non", "vrai", "faux", "true", "false", "yes", "no"}
_DATE = re.compile(r"(\d{4}-\d{2}-\d{2}|\d{1,2}/\d{1,2}/\d{4})\Z")
_INSTANT = re.compile(
    r"(\d{4}-\d{2}-\d{2}|\d{1,2}/\d{1,2}/\d{4})[T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?\Z"
)
_RESERVED = {MADE_KEY}
_SHAPES: dict[str, Geometry] = {
    "Point": "point", "MultiPoint": "point", "LineString": "line", "MultiLineString": "line",
    "Polygon": "polygon", "MultiPolygon": "polygon",
}  # fmt: skip


def slug(name: str, taken: Iterable[str] = (), most: int = 40) -> str:
    """Return `name` as the name of a table or a field: a-z, 0-9 and `_`, other than those taken."""
    plain = folded(name)
    plain = (plain if plain[:1].isalpha() else f"c_{plain}" if plain else "colonne")[:most].strip("_")
    held, number, found = set(taken), 1, plain
    while found in held:
        number += 1
        found = f"{plain[: most - len(str(number)) - 1]}_{number}"
    return found


def perhaps_personal(columns: Iterable[str]) -> tuple[str, ...]:
    """Return the columns whose names say that they may hold personal data; a name alone may be that of a street."""
    names = {column: folded(column) for column in columns}
    found = [column for column, name in names.items() if _PERSONAL.match(name)]
    persons = any(names[column].startswith("prenom") for column in found)
    return tuple(c for c, name in names.items() if c in found or (persons and name == "nom"))


class Inferred(msgspec.Struct, frozen=True):
    """A collection for a file and the field of each of its columns."""

    collection: Collection
    fields: dict[str, Field]
    personal: tuple[str, ...]  # columns whose name says that they may be personal


class _Column:
    """What one column holds so far: how many values, and of which kinds they may all be."""

    __slots__ = ("coded", "count", "distinct", "kinds", "known", "native")

    def __init__(self, name: str) -> None:
        self.kinds: set[Kind] = {"boolean", "integer", "number", "date", "instant"}
        self.coded = _CODED.match(folded(name)) is not None
        self.count = 0
        self.known: set[Any] | None = set() if _KEYS.match(folded(name)) else None
        self.distinct = True
        self.native: set[type] = set()

    def take(self, value: Any) -> None:
        self.count += 1
        self.native.add(type(value))
        if self.known is not None:
            mark = str(value)
            self.distinct = self.distinct and mark not in self.known
            self.known.add(mark)
            if not self.distinct:
                self.known = None
        if self.kinds:
            self.kinds = {kind for kind in self.kinds if _may_be(kind, value)}

    def kind(self) -> Kind:
        if not self.count:
            return "text"
        if self.native & {dict, list}:
            return "json"
        if self.coded and self.native == {str}:
            # 01234 is a code; a column of codes that all look like numbers is one too
            return "text" if self.kinds & {"integer", "number"} else self._first()
        return self._first()

    def _first(self) -> Kind:
        order: tuple[Kind, ...] = ("boolean", "integer", "number", "date", "instant")
        return next((k for k in order if k in self.kinds), "text")


def _may_be(kind: Kind, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if isinstance(value, int):
        return kind == "number" or (kind == "integer" and abs(value) < 2**63)
    if isinstance(value, float):
        return kind == "number"
    if not isinstance(value, str):
        return False
    text = value.strip()
    if kind == "boolean":
        return text.lower() in _FALSE_OR_TRUE
    if kind == "integer":
        return _WHOLE.match(text) is not None
    if kind == "number":
        bare = text.lstrip("+-")
        return number_of(text) is not None and (not bare.startswith("0") or bare[1:2] in ("", ".", ","))
    pattern = _DATE if kind == "date" else _INSTANT
    return pattern.match(text) is not None and _reads(kind, text)


def _reads(kind: Kind, text: str) -> bool:
    try:
        return parse_value(Field(Text("", ""), "x", kind), text) is not None
    except Problem:
        return False


class Inferring:
    """Learns from the rows of a layer, each once, what collection holds them."""

    def __init__(self) -> None:
        self._columns: dict[str, _Column] = {}
        self._rows = 0
        self._ids: set[str] | None = set()
        self._shapes: set[str] = set()
        self._placed = 0

    def take(self, row: LayerRow) -> None:
        """Learn from one row."""
        self._rows += 1
        if self._ids is not None:
            self._ids = self._with(row.id)
        if row.geometry is not None:
            self._placed += 1
            self._shapes.add(_SHAPES.get(str(row.geometry.get("type")), "any"))
        for name, value in row.values.items():
            column = self._columns.get(name)
            if column is None:
                column = self._columns[name] = _Column(name)
            if value is not None and value != "":
                column.take(value)

    def tells_apart(self, name: str) -> bool:
        """True when a column that is called like a key has a value of its own in every row so far."""
        column = self._columns[name]
        return column.known is not None and column.distinct and column.count == self._rows

    def _with(self, own: str) -> set[str] | None:
        assert self._ids is not None
        if not own or own in self._ids:
            return None
        self._ids.add(own)
        return self._ids

    def collection(self, name: str, title: str, *, read: Role = "citizen") -> Inferred:
        """Return the collection called `name`, readable by the role `read`, that holds the rows learnt from."""
        fields: dict[str, Field] = {}
        key = next(filter(self.tells_apart, self._columns), "")
        for column, learnt in self._columns.items():
            field_name = slug(column, [*(f.name for f in fields.values()), *_RESERVED])
            kind = learnt.kind()
            if column == key and kind not in ("text", "integer"):
                kind = "text"
            fields[column] = Field(
                Text(column, column), field_name, kind, required=column == key, key=column == key,
                listed=len(fields) < 8,
            )  # fmt: skip
        own = list(fields.values())
        if not key:
            words = Text("Identifiant d'import", "Import key")
            own.append(Field(words, MADE_KEY, "text", required=True, key=True, listed=False))
        label = next((f.name for f in own if f.kind == "text" and not f.key and f.listed), "")
        made = Collection(
            name, Text(title, title), Record, geometry=self._geometry(), label=label or own[0].name, service=OWN,
            read=read, fields=tuple(own),
        )  # fmt: skip
        return Inferred(made, fields, perhaps_personal(fields))

    def _geometry(self) -> Geometry:
        if not self._placed:
            return "none"
        (only,) = self._shapes if len(self._shapes) == 1 else ("any",)
        return only  # type: ignore[return-value]
