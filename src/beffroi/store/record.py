"""What the record store gives and takes: rows, queries, pages, changes."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from beffroi.model.text import Text

__all__ = [
    "Change",
    "Entry",
    "Kept",
    "News",
    "Operator",
    "Outcome",
    "Page",
    "Query",
    "Reject",
    "Row",
    "Where",
]

Action = Literal["create", "update", "delete", "restore", "erase"]
Operator = Literal["=", "!=", "<", "<=", ">", ">=", "contains", "known", "unknown"]


class Row(msgspec.Struct, frozen=True):
    """One record as it is now. `values` holds every field asked for (`None`: not known, or erased)."""

    collection: str
    id: int
    version: int
    values: dict[str, Any]
    geometry: dict[str, Any] | None = None
    territory: str | None = None
    created_us: int = 0
    updated_us: int = 0
    deleted_us: int | None = None
    author: str = ""
    person: int | None = None  # the key under which its personal values are sealed


class Where(msgspec.Struct, frozen=True):
    """One condition on a field other than equality; `known` and `unknown` take no value."""

    operator: Operator
    value: Any = None


class Kept(msgspec.Struct, frozen=True):
    """Whose records these are: those that lead by `path` (see `Collection.kept_to`) to one of `ids`; when not `strict`,
    also what is public of the others."""

    path: str
    ids: tuple[int, ...]
    strict: bool = False


class Query(msgspec.Struct, frozen=True):
    """Which records, in what order, which part of them.

    `where` maps a field to a value, to several values (any of them), to a `Where`, or to a tuple of `Where`
    (all of them). Names of the platform's own columns start with an underscore: `_id`, `_version`,
    `_territory`, `_created`, `_updated`, `_author`. `sort` is a field, descending with a leading "-".
    `deleted`: False live records, True deleted ones, None both. `after` is `Page.next` or `Page.previous`.
    `fields` limits what is read; `text_fields` limits where words are looked for (rights). `hidden_in` says in
    which territories records that are not shown (`Collection.shown_when`) are found: None everywhere, () nowhere. `kept` limits to a group's records.
    Of a box that holds more than `box_most` records, whatever they are, only those stored last are looked at (SQLite).
    """

    where: Mapping[str, Any] = {}
    text: str = ""
    bbox: tuple[float, float, float, float] | None = None
    box_most: int | None = None
    territories: tuple[str, ...] | None = None
    deleted: bool | None = False
    sort: str = "_id"
    limit: int = 100
    after: str | None = None
    fields: tuple[str, ...] | None = None
    text_fields: tuple[str, ...] | None = None
    hidden_in: tuple[str, ...] | None = None
    kept: Kept | None = None


class Page(msgspec.Struct, frozen=True):
    """Some rows in order, with the cursors of the pages after and before (None at the ends)."""

    rows: list[Row]
    next: str | None = None
    previous: str | None = None


class Change(msgspec.Struct, frozen=True):
    """One committed change: the bus of records. `before` and `after` hold the fields that changed (all known
    ones at creation), `_geometry` and `_territory` included; personal values are `None` unless asked for."""

    seq: int
    collection: str
    record_id: int
    version: int
    action: Action
    at_us: int
    author: str
    reason: str
    change_set: int
    before: dict[str, Any]
    after: dict[str, Any]


class News(msgspec.Struct, frozen=True):
    """Some of the changes up to the number `seq`, and how many there were in all."""

    seq: int
    read: int
    changes: list[Change]


class Entry(msgspec.Struct, frozen=True):
    """One record to import; `place` says where it was read ("line 12")."""

    values: Mapping[str, Any]
    geometry: Mapping[str, Any] | None = None
    territory: str | None = None
    place: str = ""


class Reject(msgspec.Struct, frozen=True):
    """One entry that was refused, why, and what to do."""

    place: str
    field: str
    reason: Text
    mend: Text


class Outcome(msgspec.Struct):
    """What a bulk put did; `change_set` undoes it as one."""

    change_set: int
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejects: list[Reject] = msgspec.field(default_factory=list)
    told: int = 0  # rejects that were taken out of the list, and kept elsewhere

    @property
    def rejected(self) -> int:
        """Number of entries refused."""
        return self.told + len(self.rejects)

    @property
    def stored(self) -> int:
        """Number of records created or changed."""
        return self.created + self.updated

    @property
    def read(self) -> int:
        """Number of entries given."""
        return self.created + self.updated + self.unchanged + self.rejected
