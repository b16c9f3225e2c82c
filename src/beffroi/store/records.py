"""Records: the second shape of data. Get, find, put, delete, undo, history, and the bus of changes.

Every change is written in one transaction with its line of history. Nothing here checks who may do what:
`beffroi.store.desk` gives the records as one principal may see and change them.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, NamedTuple, Protocol

import msgspec
from sqlalchemy import Connection, and_, func, literal, select

from beffroi.model.collection import OWN, Collection
from beffroi.model.principal import Principal
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.store import record_tally
from beffroi.store.geometry import geojson_of
from beffroi.store.personal import Keyring
from beffroi.store.record import Change, News, Page, Query, Row
from beffroi.store.record_codec import Reader, from_column, from_history, place_of
from beffroi.store.record_plan import Asked, Plan, Plans, asked_of, planned, slot
from beffroi.store.record_query import (
    MOST_WORDS,
    Cursor,
    bound_of,
    conditions,
    cursor_of,
    is_unknown,
    leading_to,
    means_of,
    order_of,
    phases,
    terms_of,
)
from beffroi.store.record_tables import (
    Shelf,
    declaration_of,
    migrate,
    prepare,
    recalled,
    searched_fields,
    table_of,
)
from beffroi.store.record_writer import Writer, missing
from beffroi.store.tables import declared, history

__all__ = ["House", "Records", "Shelf"]

MOST_COMMON = 10_000  # words and values known to be common
_IN = 400  # values in one condition
RECALL_S = 1.0  # between two looks for collections that another process declared


class House(Protocol):
    """What the records need of the store."""

    dialect: str

    def read(self) -> AbstractContextManager[Connection]:
        """Return a connection for reading."""
        ...

    def write(self, *, many: bool = False) -> AbstractContextManager[Connection]:
        """Return a connection inside one transaction, perhaps one of many."""
        ...

    def checkpoint(self) -> None:
        """Move what was committed to its place."""
        ...

    def glance(self, sql: str, values: Mapping[str, Any]) -> list[Any]:
        """Return the rows of one small statement."""
        ...

    def next(self, c: Connection, n: int = 1) -> int:
        """Return the first of `n` fresh numbers."""
        ...


def _unknown(name: str) -> NotFound:
    shown = name[:60]
    return NotFound(Text(f"Il n'y a pas de collection « {shown} ».", f"There is no collection '{shown}'."),
                    Text("La page Données liste les collections.", "The Data page lists the collections."))  # fmt: skip


class Records:
    """The records of one installation. `audit(c, who, [(action, target, details)])` is called in each transaction."""

    def __init__(
        self,
        house: House,
        secret: Callable[[], bytes],
        clock: Callable[[], int],
        audit: Callable[..., Any] | None = None,
    ) -> None:
        self._collections: dict[str, Collection] = {}
        self._recalled_s = -RECALL_S
        self.keyring = Keyring(secret)
        self.house = house
        self.clock = clock
        self.audit = audit
        self._shelves: dict[str, Shelf] = {}
        self._plans = Plans()
        self._common: set[tuple[str, str, Any]] = set()

    # --- Declarations.

    def declare(self, collections: Iterable[Collection]) -> list[str]:
        """Make or migrate the tables of `collections`; return the names of those that changed.

        A collection whose service was removed stays readable. Raises `Problem` when a declaration would lose data.
        """
        wanted = list(collections)
        with self.house.write() as c:
            prepare(c)
            changed = migrate(c, wanted)
            names = {collection.name for collection in wanted}
            gone = [
                recalled(row.declaration)
                for row in c.execute(select(declared))
                if row.collection not in names
            ]
        for collection in (*gone, *wanted):
            self._shelve(collection)
        return changed

    def declare_own(self, collection: Collection) -> None:
        """Make or widen the table of one of the town's own collections. Raises `Problem` when data would be lost."""
        with self.house.write() as c:
            migrate(c, [collection])
        self._shelve(collection)

    @property
    def collections(self) -> Mapping[str, Collection]:
        """Every declared collection by name, those that another process has just declared too."""
        now_s = time.monotonic()
        if now_s - self._recalled_s >= RECALL_S:
            self._recalled_s = now_s
            self._recall()
        return self._collections

    def _recall(self) -> None:
        """Take in the town's own collections that another process declared since."""
        if not self._collections:
            return  # nothing is declared yet: there may be no table to look in
        with self.house.read() as c:
            kept = c.execute(select(declared.c.collection, declared.c.declaration)).fetchall()
        for name, declaration in kept:
            known = self._collections.get(name)
            if known is None or (known.service == OWN and declaration_of(known).decode() != declaration):
                self._shelve(recalled(declaration))

    def _shelve(self, collection: Collection) -> None:
        self._collections[collection.name] = collection
        self._shelves[collection.name] = Shelf(collection, table_of(collection))
        self._plans.clear()

    def shelf(self, collection: str | Collection) -> Shelf:
        """Return the declared collection and its table. Raises `NotFound`."""
        name = collection if isinstance(collection, str) else collection.name
        shelf = self._shelves.get(name)
        if shelf is None:
            self._recall()
            shelf = self._shelves.get(name)
        if shelf is None:
            raise _unknown(name)
        return shelf

    # --- Reading.

    def get(
        self,
        collection: str | Collection,
        record_id: int,
        *,
        deleted: bool | None = False,
        c: Connection | None = None,
    ) -> Row:
        """Return one record. Raises `NotFound`; a deleted one is only returned with `deleted` True or None."""
        shelf = self.shelf(collection)
        query = Query(where={"_id": record_id}, deleted=deleted, limit=1)
        found = self.find(collection, query, c=c).rows if abs(record_id) < 2**63 else []
        if not found:
            raise missing(shelf.collection, record_id)
        return found[0]

    def by_key(
        self,
        collection: str | Collection,
        key: Any,
        territory: str | None = None,
        c: Connection | None = None,
    ) -> Row | None:
        """Return the live record whose key field is `key` in `territory`, or None."""
        field = self.shelf(collection).collection.key
        if field is None:
            return None
        where = {field.name: key, "_territory": territory or ""}
        return next(iter(self.find(collection, Query(where=where, limit=1), c=c).rows), None)

    def ids_by_key(self, collection: str | Collection, keys: Iterable[str]) -> dict[str, dict[str, int]]:
        """Return, for each key that live records have, their ids by territory ("" for none)."""
        shelf = self.shelf(collection)
        field = shelf.collection.key
        found: dict[str, dict[str, int]] = {}
        if field is None or field.kind != "text":
            return found
        t, wanted = shelf.table, list(keys)
        with self._reading(None) as connection:
            for start in range(0, len(wanted), _IN):
                some = select(t.c[field.name], t.c["_territory"], t.c["_id"]).where(
                    t.c[field.name].in_(wanted[start : start + _IN]), t.c["_deleted_us"].is_(None)
                )
                for key, territory, record_id in connection.execute(some):
                    found.setdefault(key, {})[territory or ""] = record_id
        return found

    def find(self, collection: str | Collection, query: Query = Query(), c: Connection | None = None) -> Page:
        """Return one page of records. Raises `Problem` for an unknown or personal field, or a bad cursor."""
        shelf = self.shelf(collection)
        asked = self._asked(shelf, query)
        rows: list[Any] = []
        with self._reading(c) as connection:
            reading = self._planned(connection, shelf, query, asked)
            for plan in reading.plans:
                rows += plan.rows(connection, {**asked.values, "most": query.limit + 1 - len(rows)})
                if len(rows) > query.limit:
                    break
            more = len(rows) > query.limit
            rows = rows[: query.limit]
            back = asked.cursor is not None and asked.cursor.back
            if back:
                rows.reverse()
            found = self._rows(connection, shelf.collection, reading.reader, rows)
        if not rows:
            return Page([])
        after = _mark(rows[-1], query.sort, back=False) if more or back else None
        before = (
            _mark(rows[0], query.sort, back=True) if (more if back else asked.cursor is not None) else None
        )
        return Page(found, after, before)

    def _asked(self, shelf: Shelf, query: Query) -> Asked:
        collection, dialect = shelf.collection, self.house.dialect
        if dialect != "sqlite":
            return asked_of(collection, query, dialect)
        common: list[str] = []
        usual: list[str] = []
        if query.text.strip() and searched_fields(collection):
            words = f"{shelf.table.name}_words"
            common = [
                t for t in terms_of(query.text) if self._is_common(words, f"{words} MATCH :value", f'"{t}"')
            ]
        elif query.bbox is None and collection.ends is not None and not _names_one(collection, query):
            usual = [n for n, wanted in query.where.items() if self._is_usual(shelf, n, wanted)]
            usual += self._usual_places(shelf, query)
        return asked_of(collection, query, dialect, common, usual)

    def _is_usual(self, shelf: Shelf, name: str, wanted: Any) -> bool:
        """True when very many records have what a query asks of a field (see `means_of`)."""
        field = shelf.collection.field(name)
        if (
            field is None
            or field.personal is not None
            or not (is_unknown(wanted) or isinstance(wanted, str | int))
        ):
            return False
        value = None if is_unknown(wanted) or wanted == "" else bound_of(field, wanted)
        return self._is_common(shelf.table.name, f'"{name}" IS :value AND _deleted_us IS NULL', value)

    def _usual_places(self, shelf: Shelf, query: Query) -> list[str]:
        """Return `_territory` when very many records are in one of the territories that a query asks for."""
        if shelf.collection.ends is None or self.house.dialect != "sqlite":
            return []
        inside = "_territory = :value AND _deleted_us IS NULL"
        held = (self._is_common(shelf.table.name, inside, place) for place in query.territories or ())
        return ["_territory"] if any(held) else []

    def _is_common(self, table: str, condition: str, value: Any) -> bool:
        """True when more rows than anyone reads one by one meet a condition. What is common stays so."""
        known = (table, condition, value)
        if known in self._common:
            return True
        asked = f"SELECT 1 FROM {table} WHERE {condition} LIMIT 1 OFFSET {MOST_WORDS}"
        if not self.house.glance(asked, {"value": value}):
            return False
        if len(self._common) < MOST_COMMON:
            self._common.add(known)
        return True

    def _planned(self, c: Connection, shelf: Shelf, query: Query, asked: Asked) -> "_Reading":
        """Return the statements whose rows, one after the other, are those of a query (see `phases`)."""

        def make() -> _Reading:
            collection, table = shelf.collection, shelf.table
            fields = [f for f in collection.fields if query.fields is None or f.name in query.fields]
            name = query.sort.removeprefix("-")
            name = {"_created": "_created_us", "_updated": "_updated_us"}.get(name, name)
            sort = table.c[name] if name in table.c else literal(None)
            columns = [*(table.c[f.name] for f in fields), *(table.c[n] for n in _OWN), sort.label("_sort")]
            made = phases(collection, table, asked.query, columns, self.house.dialect, asked.cursor, asked.match,
                          means=asked.means)  # fmt: skip
            plans = tuple(planned(statement.limit(slot("most")), c.dialect) for statement in made)
            return _Reading(plans, Reader(fields))

        return self._plans.get(("rows", shelf.collection.name, asked.shape), make)

    def all(self, collection: str | Collection, query: Query = Query()) -> Iterator[Row]:
        """Yield every record of a query, page by page, without holding a transaction between pages."""
        following: str | None = query.after
        while True:
            page = self.find(collection, msgspec.structs.replace(query, after=following))
            yield from page.rows
            if page.next is None:
                return
            following = page.next

    def count(
        self,
        collection: str | Collection,
        query: Query = Query(),
        c: Connection | None = None,
        most: int | None = None,
        *,
        walk: bool = False,
    ) -> int:
        """Return how many records a query has in all (its page does not matter); with `most`, counting ends there: a
        million rows are not walked for a figure that nobody reads. With `walk` it goes along the query's order, which
        reads no row when one of the collection's `walked` holds all that is asked."""
        shelf = self.shelf(collection)
        if record_tally.holds(shelf, query, self.house.dialect):
            with self._reading(c) as connection:
                known = sum(record_tally.read(connection, shelf, query).values())
                return known if most is None else min(most, known)
        asked = self._asked(shelf, query)

        def make(c: Connection) -> Plan:
            table, dialect = shelf.table, self.house.dialect
            where = conditions(shelf.collection, table, asked.query, dialect, asked.match, means=asked.means)
            some = select(literal(1)).select_from(table).where(*where)
            if most is not None:
                some = some.limit(slot("most"))
            if walk:
                some = some.order_by(*order_of(shelf.collection, table, query.sort))
            return planned(select(func.count()).select_from(some.subquery()), c.dialect)

        shape = ("count", shelf.collection.name, asked.shape, most is None, walk)
        with self._reading(c) as connection:
            plan = self._plans.get(shape, partial(make, connection))
            return int(plan.rows(connection, {**asked.values, "most": most})[0][0])

    def leading(
        self, collection: str | Collection, ids: Iterable[int], path: str, to: Iterable[int]
    ) -> set[int]:
        """Return which records of `ids` lead by `path` to one of `to` (see `Collection.kept_to`)."""
        shelf, wanted = self.shelf(collection), list(ids)
        inside = leading_to(shelf.collection, shelf.table, path, to)
        with self._reading(None) as c:
            return set(
                c.execute(
                    select(shelf.table.c["_id"]).where(shelf.table.c["_id"].in_(wanted), inside)
                ).scalars()
            )

    def tally(self, collection: str | Collection, field: str, query: Query = Query()) -> dict[Any, int]:
        """Return the number of records of a query for each value of one field that is not personal."""
        shelf, dialect = self.shelf(collection), self.house.dialect
        declared_field = shelf.collection.field(field)
        if declared_field is None or declared_field.personal is not None:
            uncounted = Text(f"« {field} » ne se compte pas.", f"'{field}' cannot be counted.")
            raise Problem(uncounted, place=field)
        if record_tally.holds(shelf, query, dialect, field):
            with self._reading(None) as c:
                return record_tally.read(c, shelf, query)
        means = means_of(shelf.collection, query, dialect, self._usual_places(shelf, query))
        where = conditions(shelf.collection, shelf.table, query, dialect, means=means)
        with self._reading(None) as c:
            counted = record_tally.count_by(c, shelf, query, field, where)
            return {from_column(declared_field, value, None, ""): n for value, n in counted}

    def stamp(self, collection: str | Collection) -> tuple[int, int, int]:
        """Return what differs after any change of a collection, for what is kept in memory of a small one."""
        table = self.shelf(collection).table
        asked = (
            f"SELECT count(*), coalesce(sum(_version), 0), coalesce(max(_updated_us), 0) FROM {table.name}"
        )
        ((count, versions, newest),) = self.house.glance(asked, {})
        return int(count), int(versions), int(newest)

    def extent(
        self, collection: str | Collection, query: Query = Query()
    ) -> tuple[float, float, float, float] | None:
        """Return the box around the records of a query, or None when none has a place."""
        shelf = self.shelf(collection)
        where = conditions(shelf.collection, shelf.table, query, self.house.dialect)
        t = shelf.table.c
        box = select(func.min(t["_minx"]), func.min(t["_miny"]), func.max(t["_maxx"]), func.max(t["_maxy"]))
        with self._reading(None) as c:
            minx, miny, maxx, maxy = c.execute(box.where(*where)).one()
        return None if minx is None else (minx, miny, maxx, maxy)

    @contextmanager
    def _reading(self, c: Connection | None) -> Iterator[Connection]:
        if c is not None:
            yield c
            return
        with self.house.read() as connection:
            yield connection

    def _rows(self, c: Connection, collection: Collection, reader: Reader, rows: list[Any]) -> list[Row]:
        first = reader.width
        keys = self.keyring.keys(c, (row[first + 1] for row in rows)) if reader.reveals else {}
        return [_row(collection, reader, row, row[first:], keys) for row in rows]

    # --- History and the bus.

    def history(
        self, collection: str | Collection, record_id: int, *, reveal: bool = False, limit: int = 1000
    ) -> list[Change]:
        """Return the changes of one record, the newest first; `reveal` opens personal values."""
        shelf = self.shelf(collection)
        one = and_(history.c.collection == shelf.collection.name, history.c.record_id == record_id)
        with self._reading(None) as c:
            rows = c.execute(
                select(history)
                .where(one)
                .order_by(history.c.version.desc(), history.c.seq.desc())
                .limit(limit)
            )
            found = rows.all()
            person = c.execute(
                select(shelf.table.c["_person"]).where(shelf.table.c["_id"] == record_id)
            ).scalar()
            key = self.keyring.keys(c, [person]).get(person) if reveal and person is not None else None
        return [self._change(row, key) for row in found]

    def after(self, seq: int, limit: int = 10_000, *, fields: frozenset[str] | None = None) -> list[Change]:
        """Return the committed changes with a number above `seq`, in commit order: the bus of records.

        With `fields` only those are told of each change: who looks for a few reads a million rows ten times faster.
        """
        return self.news(seq, limit, fields=fields).changes

    def news(
        self, seq: int, limit: int = 10_000, *, fields: frozenset[str] | None = None,
        wanted: Callable[[str, str, str], bool] | None = None,
    ) -> News:  # fmt: skip
        """Return what the next `limit` changes after `seq` tell, as `after` does, and how far they go.

        Only those are opened of which `wanted(collection, action, what is after it as JSON)` is true: a million imported
        records pass by who looks for an alarm in seconds.
        """
        rows = self.house.glance(_NEWS, {"seq": seq, "limit": limit})
        kept = rows if wanted is None else [r for r in rows if wanted(r[1], r[4], r[10] or "")]
        changes = [self._change(_Line(*row), None, fields) for row in kept]
        return News(rows[-1][0] if rows else seq, len(rows), changes)

    def head(self) -> int:
        """Return the number of the last committed change (0: none)."""
        with self._reading(None) as c:
            return int(c.execute(select(func.coalesce(func.max(history.c.seq), 0))).scalar_one())

    def changes(self, change_set: int, limit: int = 1000) -> list[Change]:
        """Return the changes made together under one number, in order."""
        with self._reading(None) as c:
            made = (
                select(history).where(history.c.change_set == change_set).order_by(history.c.seq).limit(limit)
            )
            return [self._change(row, None) for row in c.execute(made)]

    def _change(self, row: Any, key: bytes | None, fields: frozenset[str] | None = None) -> Change:
        shelf = self._shelves.get(row.collection)
        before, after = (_opened(shelf, row.record_id, kept, key, fields) for kept in (row.before, row.after))
        return Change(row.seq, row.collection, row.record_id, row.version, row.action, row.at_us, row.author,
                      row.reason, row.change_set, before, after)  # fmt: skip

    # --- Writing (the work is done by `Writer`).

    @contextmanager
    def writer(self, who: Principal, reason: str = "", change_set: int | None = None,
               c: Connection | None = None, *, many: bool = False) -> Iterator[Writer]:  # fmt: skip
        """Give a `Writer` whose changes share one change set and one transaction (the caller's when `c` is given).

        With `many`, one transaction of many (see `Database.write`).
        """
        if c is not None:
            writer = Writer(self, c, who, reason, change_set)
            yield writer
            writer.note()
            return
        with self.house.write(many=many) as connection:
            writer = Writer(self, connection, who, reason, change_set)
            yield writer
            writer.note()

    def put(
        self, collection: str | Collection, values: Mapping[str, Any], *, id: int | None = None,  # noqa: A002
        version: int | None = None, geometry: Mapping[str, Any] | None = None, territory: str | None = None,
        person: int | None = None, who: Principal, reason: str = "", change_set: int | None = None,
        c: Connection | None = None,
    ) -> Row:  # fmt: skip
        """Create a record, or change the given fields of record `id`; return it as it is then.

        On a change, `geometry` and `territory` None leave them as they are; `{}` and "" take them away. With
        `version`, raises `Conflict` when the record is no longer at it. Raises `Problem` for a wrong value,
        `NotFound`, `Conflict` for a key that is taken. With `c`, joins the caller's transaction.
        """
        with self.writer(who, reason, change_set, c) as writer:
            if id is None:
                return writer.create(collection, values, geometry, territory, person)
            return writer.change(collection, id, values, geometry, territory, person, version)

    def delete(
        self, collection: str | Collection, record_id: int, *, version: int | None = None, who: Principal,
        reason: str = "", change_set: int | None = None, c: Connection | None = None,
    ) -> Row:  # fmt: skip
        """Delete a record (it can be restored until retention purges it); return it. Raises as `put`."""
        with self.writer(who, reason, change_set, c) as writer:
            return writer.delete(collection, record_id, version)

    def undo(
        self, change_set: int, who: Principal, reason: str = "", c: Connection | None = None
    ) -> list[Row]:
        """Take back every change of a change set, as a new one (which can be undone too).

        Raises `Conflict` when one of the records was changed since in the same fields, `NotFound`.
        """
        with self.writer(who, reason, None, c) as writer:
            return writer.undo(change_set)


class _Line(NamedTuple):
    """One line of history, as it is stored."""

    seq: int
    collection: str
    record_id: int
    version: int
    action: Any
    at_us: int
    author: str
    reason: str
    change_set: int
    before: str | None
    after: str | None


_NEWS = f"SELECT {', '.join(_Line._fields)} FROM history WHERE seq > :seq ORDER BY seq LIMIT :limit"

# The columns of the platform's own that each row begins with after its fields, in the order of `_row`.
_OWN = (
    "_id", "_person", "_version", "_geometry", "_territory", "_created_us", "_updated_us", "_deleted_us", "_author",
)  # fmt: skip


class _Reading(msgspec.Struct, frozen=True):
    """How the rows of a shape of query are read."""

    plans: tuple[Plan, ...]
    reader: Reader


def _names_one(collection: Collection, query: Query) -> bool:
    """True when a query names its records: by their number or their key."""
    return "_id" in query.where or (collection.key is not None and collection.key.name in query.where)


def _mark(row: Any, sort: str, *, back: bool) -> str:
    return cursor_of(Cursor(sort, row[-1], row[-1 - len(_OWN)], back))


def _row(collection: Collection, reader: Reader, stored: Any, own: Any, keys: Mapping[int, bytes]) -> Row:
    record_id, person, version, geometry, territory, created_us, updated_us, deleted_us, author, _ = own
    key = keys.get(person) if person is not None else None
    values = reader.values(stored, key, place_of(collection, record_id) if reader.reveals else "")
    return Row(collection.name, record_id, version, values, geojson_of(geometry), territory or None,
               created_us, updated_us, deleted_us, author, person)  # fmt: skip


def _opened(
    shelf: Shelf | None, record_id: int, kept: str | None, key: bytes | None, fields: frozenset[str] | None
) -> dict[str, Any]:
    values: dict[str, Any] = msgspec.json.decode(kept) if kept else {}
    current = {} if shelf is None else {old: new for new, old in shelf.collection.renamed.items()}
    if fields is not None:
        values = {name: value for name, value in values.items() if current.get(name, name) in fields}
    if shelf is None:
        return values
    opened: dict[str, Any] = {}
    for name, value in values.items():
        field = shelf.collection.field(current.get(name, name)) or shelf.collection.field(name)
        if field is None:
            opened[name] = None if isinstance(value, dict) and "sealed" in value else value
        else:
            opened[field.name] = from_history(field, value, key, place_of(shelf.collection, record_id))
    return opened
