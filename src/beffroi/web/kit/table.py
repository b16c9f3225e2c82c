"""What `kit.table(...)` shows: columns, rows of cells, and where one is in a long list."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

__all__ = ["Cell", "Column", "Pager", "Row"]

ColumnKind = Literal["text", "number", "instant", "age", "date", "severity", "boolean"]


class Column(msgspec.Struct, frozen=True):
    """One column: `name` is the key of its values in rows and in `?sort=`; `title` is already in words.

    `kind` says how values are formatted: number (right-aligned, with `unit` and `decimals`), instant and age
    (microseconds UTC), date, severity ("vert", "jaune", "orange", "rouge"), boolean, or text.
    """

    name: str
    title: str
    kind: ColumnKind = "text"
    sortable: bool = False
    unit: str = ""
    decimals: int | None = None


class Cell(msgspec.Struct, frozen=True):
    """A value with more to say: a link, a severity before it, a note after it in small."""

    value: Any
    href: str = ""
    severity: str = ""
    note: str = ""


class Row(msgspec.Struct, frozen=True):
    """One row: values (or `Cell`s) by column name. `href`: the first column becomes this link.
    `key`: the row can be ticked for bulk actions, and this is sent as `row`."""

    cells: Mapping[str, Any]
    href: str = ""
    key: str = ""


class Pager(msgspec.Struct, frozen=True):
    """Where one is: items `first` to `last` of `total` (None: not counted); links to the neighbours, "" for none."""

    first: int
    last: int
    total: int | None = None
    previous: str = ""
    next: str = ""
