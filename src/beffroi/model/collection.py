"""Collection: the declaration of one kind of record.

A service writes a typed class and a few lines of data; from them the platform makes storage, history,
rights, search, pages, map layer, exports, the OGC API collection, the dataset, rule triggers and imports.

    class Bin(Record):
        code: str = field("Identifiant", "Identifier", key=True)
        volume_l: float | None = field("Volume", "Volume", unit="L", minimum=0)
        state: str = field("État", "State", choices=(choice("ok", "En service", "In service"),), default="ok")

    BIN = Collection("bin", Text("Conteneurs", "Bins"), Bin, geometry="point")
"""

import types
import typing
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, Literal

import msgspec

from beffroi.model.principal import ROLES, Principal, Role
from beffroi.model.text import Text

__all__ = [
    "NAME_OF_RECORD",
    "OWN",
    "Choice",
    "Collection",
    "Field",
    "Geometry",
    "Network",
    "Personal",
    "Record",
    "choice",
    "field",
]

Geometry = Literal["none", "point", "line", "polygon", "any"]
# what runs under or along the streets, as works near networks tell them apart
Network = Literal["", "lighting", "electricity", "gas", "heat", "telecom", "water", "sewer"]
Kind = Literal["text", "integer", "number", "boolean", "date", "instant", "json", "reference"]
NAME_OF_RECORD = r"[a-z_]+/\d+"
OWN = "own"  # the service of the collections that a town made itself, from its files
Severity = Literal["vert", "jaune", "orange", "rouge"]
_KINDS: dict[type, Kind] = {
    str: "text", int: "integer", float: "number", bool: "boolean", date: "date", datetime: "instant",
    dict: "json", list: "json",
}  # fmt: skip


class Choice(msgspec.Struct, frozen=True):
    """One allowed value of a field, its words, and its severity when it says how something is doing."""

    value: str
    title: Text
    severity: Severity | None = None


def choice(value: str, fr: str, en: str, severity: Severity | None = None) -> Choice:
    """Return a `Choice` from its value and its two titles."""
    return Choice(value, Text(fr, en), severity)


class Personal(msgspec.Struct, frozen=True):
    """Why a field holds personal data, and for how many days after the record's end of life (or last
    change) it may. The value is stored only encrypted, under a key of its person; dropping the key erases."""

    purpose: Text
    retention_days: int


class Field(msgspec.Struct, frozen=True):
    """One field of a record (the name and the kind come from the class that declares it)."""

    title: Text
    name: str = ""
    kind: Kind = "text"
    required: bool = False
    hint: Text = Text("", "")
    unit: str = ""
    key: bool = False  # unique within a territory; imports match on it
    choices: tuple[Choice, ...] = ()
    default: Any = None
    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None
    reference: str | None = None  # name of the collection whose record id this field holds
    long: bool = False  # a paragraph, not a line
    listed: bool = True  # a column of the default table
    read: Role = "citizen"  # the least role that sees it
    personal: Personal | None = None
    searched: bool = True  # a search looks in its words: not in codes that millions of records have in common
    check: Callable[[Any], object] | None = None  # raises `Problem` for a value that its trade cannot read
    derived: bool = False  # worked out by its service from other data: no form asks for it
    words: Callable[[Any, str], str] | None = (
        None  # what its trade writes, in the words of a language ("fr", "en")
    )

    @property
    def names_record(self) -> bool:
        """True when it holds the name of a record of any collection, as text: "lamp/12"."""
        return self.pattern == NAME_OF_RECORD

    def title_of(self, value: object, language: str) -> str:
        """Return the words for one of the field's choices, or the value as text."""
        for option in self.choices:
            if option.value == value:
                return option.title.of(language)
        return "" if value is None else str(value)


def field(fr: str, en: str, **options: Any) -> Any:
    """Declare a field with its French and English titles and the options of `Field`."""
    return Field(Text(fr, en), **options)


class Record:
    """Base of the typed classes that declare records."""


def _kind_of(hint: Any, declared: Field) -> tuple[Kind, bool]:
    """Return the storage kind and whether a value is required, from a type hint."""
    args = (
        typing.get_args(hint)
        if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union
        else ()
    )
    optional = type(None) in args
    bare = next((a for a in args if a is not type(None)), hint) if args else hint
    origin = typing.get_origin(bare) or bare
    kind = "reference" if declared.reference else _KINDS.get(origin)
    if kind is None:
        raise TypeError(f"a field cannot be of type {hint!r}; use one of {[t.__name__ for t in _KINDS]}")
    return kind, not optional and declared.default is None


def _fields_of(record: type[Record]) -> tuple[Field, ...]:
    fields = []
    for name, hint in typing.get_type_hints(record).items():
        declared = getattr(record, name, None)
        if not isinstance(declared, Field):
            raise TypeError(f"{record.__name__}.{name} must be declared with field(...)")
        kind, required = _kind_of(hint, declared)
        fields.append(
            msgspec.structs.replace(declared, name=name, kind=kind, required=required or declared.required)
        )
    return tuple(fields)


class Collection(msgspec.Struct, frozen=True, eq=False, dict=True):
    """One kind of record. `name` is its table, its URL and its id in the standards: keep it forever."""

    name: str
    title: Text
    record: type[Record]
    description: Text = Text("", "")
    geometry: Geometry = "none"
    label: str = ""  # the field that names a record on screen; the key field by default
    read: Role = "citizen"  # the least role that may read; "citizen" makes it public and open data
    write: Role = "agent"
    delete: Role = "responsable"
    shown_when: str = (
        ""  # a boolean field; records where it is not true exist for their territory's staff only
    )
    # a reference field, or `field.field` through it: an agent among the `members` of records it leads to is a citizen
    # for the records that lead to others
    kept_to: str = ""
    status: str = ""  # the field that colours map and list (its choices have severities)
    schema: str = ""  # URL of the open-data schema that it publishes
    licence: str = "etalab-2.0"
    renamed: dict[str, str] = {}  # new field name -> old field name
    dropped: tuple[str, ...] = ()  # fields that existed once; their column is kept, no longer read
    retention_days: int | None = None  # deleted records are purged after that many days
    end_of_life: str = ""  # an instant or date field from which personal retention counts
    network: Network = ""  # the network that its records are parts of: works near them concern it
    system: bool = False  # written by the platform itself, not by forms or imports
    service: str = ""  # filled when a service registers it
    # indexes of its long lists: the fields and own columns that one walks, then those that only filter on the way, so
    # that no row is read that the list does not show; ("requested", "_id", "state") walks the newest of some states
    walked: tuple[tuple[str, ...], ...] = ()
    # a field and the value it ends with, such as ("state", "closed"): the records that are under way, a few among
    # millions, have an index of places of their own
    ends: tuple[str, str] | None = None
    fields: tuple[Field, ...] = ()  # filled from `record`

    def __post_init__(self) -> None:
        """Read the fields from the class and check that the declaration holds together."""
        fields = self.fields or _fields_of(self.record)
        msgspec.structs.force_setattr(self, "fields", fields)
        self.__dict__["_by_name"] = {f.name: f for f in fields}  # asked a hundred times for each record
        self.__dict__["_key"] = next((f for f in fields if f.key), None)
        self.__dict__["_required"] = tuple(f for f in fields if f.required)
        self.__dict__["_names"] = names = tuple(f.name for f in fields)
        if not self.label:
            label = next((f.name for f in fields if f.key), names[0] if names else "")
            msgspec.structs.force_setattr(self, "label", label)
        for mentioned in (self.label, self.status, self.end_of_life, self.shown_when):
            if mentioned and mentioned not in names:
                raise TypeError(f"collection {self.name}: no field is named {mentioned}")
        for name in (name for walk in self.walked for name in walk):
            walked = self.field(name)
            if name[0] != "_" and (walked is None or walked.personal is not None):
                raise TypeError(
                    f"collection {self.name}: walked names {name}, which no list can be ordered by"
                )
        if self.ends is not None and (
            (last := self.field(self.ends[0])) is None or last.kind != "text" or last.personal
        ):
            raise TypeError(
                f"collection {self.name}: ends names {self.ends[0]}, which is not a plain text field"
            )
        way = self.field(self.kept_to.partition(".")[0])
        if self.kept_to and (way is None or way.reference is None):
            raise TypeError(f"collection {self.name}: kept_to names no reference: {self.kept_to}")
        gate = self.field(self.shown_when)
        if gate is not None and (gate.kind != "boolean" or gate.personal is not None):
            raise TypeError(f"collection {self.name}: shown_when names {gate.name}, which is not a boolean")

    def field(self, name: str) -> Field | None:
        """Return the field called `name`, or None."""
        found: Field | None = self.__dict__["_by_name"].get(name)
        return found

    @property
    def key(self) -> Field | None:
        """The field that identifies a record within a territory, if one does."""
        found: Field | None = self.__dict__["_key"]
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the fields, in their order."""
        found: tuple[str, ...] = self.__dict__["_names"]
        return found

    @property
    def required(self) -> tuple[Field, ...]:
        """The fields that must have a value."""
        found: tuple[Field, ...] = self.__dict__["_required"]
        return found

    @property
    def personal(self) -> tuple[Field, ...]:
        """The fields that hold personal data."""
        return tuple(f for f in self.fields if f.personal is not None)

    def readable(self, who: Principal) -> bool:
        """True when `who` may read records of this collection (their territory is checked apart)."""
        return _at_least(who.role, self.read) and _own_service(who, self.service)

    def writable(self, who: Principal) -> bool:
        """True when `who` may create and change records of this collection."""
        return not self.system and _at_least(who.role, self.write) and _own_service(who, self.service)

    def deletable(self, who: Principal) -> bool:
        """True when `who` may delete records of this collection."""
        return not self.system and _at_least(who.role, self.delete) and _own_service(who, self.service)

    def visible_fields(self, who: Principal) -> tuple[Field, ...]:
        """Return the fields that `who` may see; elected officials never see personal ones."""
        return tuple(
            f for f in self.fields
            if _at_least(who.role, f.read) and (f.personal is None or who.staff or who.role == "supplier")
        )  # fmt: skip


def _at_least(role: Role, least: Role) -> bool:
    return ROLES.index(role) >= ROLES.index(least)


def _own_service(who: Principal, service: str) -> bool:
    return who.role not in ("supplier", "device") or who.service in (None, service)
