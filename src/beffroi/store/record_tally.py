"""How many records are in each state, read from the counts that triggers keep (`record_tables`), where a query asks
nothing that they do not hold."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select

from beffroi.store.quick import quick
from beffroi.store.record import Query
from beffroi.store.record_tables import Shelf, walk_index

__all__ = ["counting", "holds", "index_holding", "read"]


def holds(shelf: Shelf, query: Query, dialect: str, field: str | None = None) -> bool:
    """True when the counts of a collection answer a query: by state (`field`), commune and what the public sees alone."""
    ends = shelf.collection.ends
    if ends is None or field not in (None, ends[0]):
        return False
    if dialect != "sqlite" or query.deleted is not False:
        return False
    if query.bbox is not None or query.kept is not None or query.text.strip():
        return False
    wanted = query.where.get(ends[0])
    return not query.where or (len(query.where) == 1 and isinstance(wanted, str) and bool(wanted))


def read(c: Connection, shelf: Shelf, query: Query) -> dict[Any, int]:
    """Return how many records of a query are in each state, those alone of which there are any."""
    collection = shelf.collection
    assert collection.ends is not None
    wanted = query.where.get(collection.ends[0])
    found: dict[Any, int] = {}
    kept = f"SELECT value, place, shown, n FROM {shelf.table.name}_tally WHERE n > 0"
    for value, place, shown, n in quick(c, kept, {}):
        seen = query.hidden_in is None or not collection.shown_when or shown or place in query.hidden_in
        if seen and wanted in (None, value) and (query.territories is None or place in query.territories):
            found[value or None] = found.get(value or None, 0) + n
    return found


def counting(
    shelf: Shelf, query: Query, field: str, where: Sequence[ColumnElement[bool]], dialect: str
) -> Select[Any]:  # fmt: skip
    """Return the statement that counts the records of a query, whose conditions are `where`, for each value of a field."""
    counted = select(shelf.table.c[field], func.count()).where(*where).group_by(field)
    index = index_holding(shelf, query, field) if dialect == "sqlite" else None
    if index is None:
        return counted
    # SQLite would take the index of the field itself, and read every row by it
    return counted.with_hint(shelf.table, f"INDEXED BY {index}", "sqlite")


def index_holding(shelf: Shelf, query: Query, field: str) -> str | None:
    """Return the index of a walk that begins with what a query asks and holds all that counting it by `field` needs:
    no row is read then. None when there is none."""
    collection = shelf.collection
    elsewhere = query.territories is not None or bool(query.hidden_in) or query.kept is not None
    if elsewhere or query.deleted is not False or query.bbox is not None or query.text.strip():
        return None
    gate = {collection.shown_when} if query.hidden_in is not None and collection.shown_when else set()
    needed = {*query.where, field, *gate}
    found = (walk for walk in collection.walked if walk[0] in query.where and needed <= set(walk))
    return next((walk_index(shelf.table, walk) for walk in found), None)
