"""Plans: the SQL of a query, made once for each shape of query and asked again with other values.

A page asks the same questions of other values thousands of times, and to make SQL out of expressions costs fifty times
what SQLite takes to answer. The shape of a query is all of it but its values: which fields are compared and how, whether
there is a box, words, a cursor. The expressions are those of `record_query`, with named places where values go.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import RLock
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, Dialect, Select, bindparam

from beffroi.model.collection import Collection, Field
from beffroi.store.quick import one_moment
from beffroi.store.record import Query, Where
from beffroi.store.record_query import (
    Cursor,
    Means,
    bound_of,
    crosses_antimeridian,
    like_of,
    match_of,
    means_of,
    read_cursor,
)

__all__ = ["Asked", "Plan", "Plans", "asked_of", "planned", "slot"]

T = TypeVar("T")
MOST_PLANS = 1000
_BOX = ("minx", "miny", "maxx", "maxy")


class Plan(msgspec.Struct, frozen=True):
    """One statement, ready. `order` names its values by position; None: the driver takes them by name."""

    sql: str
    order: tuple[str, ...] | None
    constants: Mapping[str, Any]

    def rows(self, c: Connection, values: Mapping[str, Any]) -> list[Any]:
        """Return the rows of the statement with these values, as tuples."""
        given = {**self.constants, **values}
        if self.order is None:
            return list(c.exec_driver_sql(self.sql, given).all())
        one_moment(c)
        driver: Any = (
            c.connection.driver_connection
        )  # not by way of SQLAlchemy, which takes 40 us a statement
        found: list[Any] = driver.execute(self.sql, [given[name] for name in self.order]).fetchall()
        return found


class Asked(msgspec.Struct, frozen=True):
    """A query taken apart: its shape, itself with places instead of values, and the values of the places."""

    shape: tuple[Any, ...]
    query: Query
    cursor: Cursor | None
    match: Any
    means: Means
    values: dict[str, Any]


def slot(name: str) -> Any:
    """Return a place for a value in a statement that is made before the value is known."""
    return bindparam(name, required=False)


def asked_of(
    collection: Collection, query: Query, dialect: str, common: Iterable[str] = (), usual: Iterable[str] = ()
) -> Asked:
    """Return a query taken apart; `common` are words that only find themselves (see `match_of`), `usual` fields that
    very many records have in common (see `means_of`).

    Raises `Problem` for a wrong value or cursor.
    """
    values: dict[str, Any] = {}
    where, shapes = {}, []
    for name, wanted in query.where.items():
        where[name], shape = _placed(collection.field(name), wanted, values)
        shapes.append((name, shape))
    cursor = read_cursor(query.after, query.sort)
    placed_cursor = None if cursor is None else _placed_cursor(collection, cursor, values)
    match = match_of(collection, query, dialect, common) if query.text.strip() else ""
    if match:
        values["match"] = match
    means = means_of(collection, query, dialect, usual)
    box: Any = query.bbox
    if box is not None and not crosses_antimeridian(
        box
    ):  # one across the antimeridian is rare, and other SQL
        values.update(zip(_BOX, box, strict=True))
        box = tuple(slot(name) for name in _BOX)
    shape = (
        tuple(shapes), bool(query.text.strip()), bool(match), query.text_fields, query.bbox if box is query.bbox else "box", query.box_most, means,
        query.territories, query.deleted, query.sort, None if cursor is None else (cursor.value is None, cursor.back), query.fields, query.hidden_in, query.kept,
    )  # fmt: skip
    template = msgspec.structs.replace(query, where=where, bbox=box, after=None)
    return Asked(shape, template, placed_cursor, slot("match") if match else "", means, values)


def _placed(field: Field | None, wanted: Any, values: dict[str, Any]) -> tuple[Any, Any]:
    """Return a condition with places instead of its values, and its shape; the values go to `values`."""

    def place(value: Any, take: Callable[[Field | None, Any], Any] = bound_of) -> Any:
        name = f"v{len(values)}"
        values[name] = take(field, value)
        return slot(name)

    def is_nothing(value: Any) -> bool:
        return value is None or (
            value == "" and field is not None
        )  # an empty text is none; of no territory is ""

    def test(one: Where) -> tuple[Where, Any]:
        if one.operator in ("known", "unknown") or is_nothing(one.value):
            return one, (one.operator, None)
        taken = _like if one.operator == "contains" else bound_of
        return Where(one.operator, place(one.value, taken)), one.operator

    if isinstance(wanted, Where):
        return test(wanted)
    if isinstance(wanted, list | set | frozenset | tuple):
        if wanted and all(isinstance(w, Where) for w in wanted):
            tests = [test(w) for w in wanted]
            return tuple(t for t, _ in tests), tuple(shape for _, shape in tests)
        return [place(w) for w in wanted], len(wanted)
    if is_nothing(wanted):
        return None, None
    return place(wanted), "is"


def _like(_field: Field | None, value: Any) -> str:
    return str(like_of(value))


def _placed_cursor(collection: Collection, cursor: Cursor, values: dict[str, Any]) -> Cursor:
    values["from_id"] = cursor.id
    if cursor.value is None:
        return msgspec.structs.replace(cursor, id=slot("from_id"))
    values["from_value"] = bound_of(collection.field(cursor.sort.removeprefix("-")), cursor.value)
    return msgspec.structs.replace(cursor, id=slot("from_id"), value=slot("from_value"))


def planned(statement: Select[Any], dialect: Dialect) -> Plan:
    """Return a statement as a plan."""
    compiled = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    constants = {
        name: value for name, value in compiled.construct_params(_check=False).items() if value is not None
    }
    positional: Sequence[str] | None = getattr(compiled, "positiontup", None)
    return Plan(str(compiled), None if positional is None else tuple(positional), constants)


class Plans:
    """What was made for some shapes of query, the latest asked."""

    def __init__(self) -> None:
        self._kept: dict[Any, Any] = {}
        self._making = RLock()  # a dozen threads that ask the same at once make it once

    def get(self, shape: Any, make: Callable[[], T]) -> T:
        """Return what was made for a shape, made now when it is not known."""
        found: T | None = self._kept.get(shape)
        if found is not None:
            return found
        with self._making:
            found = self._kept.get(shape)
            if found is None:
                found = make()
                if len(self._kept) >= MOST_PLANS:
                    self._kept.clear()
                self._kept[shape] = found
        return found

    def clear(self) -> None:
        """Forget all: tables changed."""
        self._kept.clear()
