"""How many records are in each state, read from the counts that triggers keep (`record_tables`), where a query asks
nothing that they do not hold."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, func, select

from beffroi.store.quick import quick
from beffroi.store.record import Query
from beffroi.store.record_plan import planned
from beffroi.store.record_tables import Shelf, walk_index

__all__ = ["count_by", "holds", "index_holding", "read"]


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


def count_by(
    c: Connection, shelf: Shelf, query: Query, field: str, where: Sequence[ColumnElement[bool]]
) -> list[Any]:  # fmt: skip
    """Return each value of a field, with how many records of a query have it; `where` are the query's conditions."""
    plan = planned(select(shelf.table.c[field], func.count()).where(*where).group_by(field), c.dialect)
    index = index_holding(shelf, query, field) if c.dialect.name == "sqlite" else None
    if index is not None:  # SQLite would take the index of the field itself, and read every row by it
        main = f"FROM {shelf.table.name}"
        plan = msgspec.structs.replace(plan, sql=plan.sql.replace(main, f"{main} INDEXED BY {index}", 1))
    return plan.rows(c, {})


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
