"""How many records are in each state, read from the counts that triggers keep (`record_tables`), where a query asks
nothing that they do not hold."""

from typing import Any

from sqlalchemy import Connection

from beffroi.store.quick import quick
from beffroi.store.record import Query
from beffroi.store.record_tables import Shelf

__all__ = ["holds", "read"]


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
