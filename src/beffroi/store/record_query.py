"""A `Query` as bound SQL: conditions, order and keyset cursors over one collection's table."""

import base64
import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import msgspec
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    Table,
    UnaryExpression,
    and_,
    bindparam,
    column,
    false,
    func,
    literal_column,
    or_,
    select,
    table,
)
from sqlalchemy.sql.operators import custom_op

from beffroi.model.collection import Collection, Field
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.model.value import check_value
from beffroi.store.record import Kept, Query, Where
from beffroi.store.record_tables import searched_fields, words_expression

__all__ = [
    "Cursor",
    "Means",
    "bound_of",
    "conditions",
    "crosses_antimeridian",
    "cursor_of",
    "is_unknown",
    "leading_to",
    "like_of",
    "match_of",
    "means_of",
    "order_of",
    "phases",
    "read_cursor",
    "terms_of",
    "under_way",
]

_OWN = {
    "_id": "_id", "_version": "_version", "_territory": "_territory", "_created": "_created_us",
    "_updated": "_updated_us", "_author": "_author",
}  # fmt: skip


def _no_field(collection: Collection, name: str) -> Problem:
    listed = ", ".join(f.name for f in collection.fields if f.personal is None)
    shown = name[:60]
    return Problem(
        Text(f"« {shown} » n'est pas un champ que l'on peut chercher ou trier.",
             f"'{shown}' is not a field that can be searched or sorted."),
        Text(f"Les champs sont : {listed}.", f"The fields are: {listed}."), place=shown,
    )  # fmt: skip


def _column(collection: Collection, source: Table, name: str) -> tuple[ColumnElement[Any], Field | None]:
    if name in _OWN:
        return source.c[_OWN[name]], None
    field = collection.field(name)
    if field is None or field.personal is not None:
        raise _no_field(collection, name)
    return source.c[name], field


_PLAIN: dict[str, type] = {"text": str, "integer": int, "instant": int, "reference": int, "boolean": bool}
_LARGEST = 2**63 - 1


def bound_of(field: Field | None, value: Any) -> Any:
    """Return a value as it is compared with the column of a field. Raises `Problem` when it is none of its values."""
    if field is None or value is None or isinstance(value, BindParameter):
        return value
    if _is_plain(field, value):
        return value
    checked = check_value(
        msgspec.structs.replace(field, choices=(), minimum=None, maximum=None, pattern=None), value
    )
    return checked.isoformat() if isinstance(checked, date) else checked


def _is_plain(field: Field, value: Any) -> bool:
    """True for a value that `check_value` would return as it is: nearly all of them."""
    if type(value) is not _PLAIN.get(field.kind):
        return False
    if isinstance(value, str):
        return bool(value) and "\x00" not in value
    return isinstance(value, int) and -_LARGEST <= value <= _LARGEST


def like_of(value: Any) -> Any:
    """Return the pattern that finds a value in a text, whatever its case."""
    if isinstance(value, BindParameter):
        return value
    escaped = re.sub(r"([%_\\])", r"\\\1", str(value))
    return f"%{escaped}%".lower()


def _test(
    where: ColumnElement[Any], field: Field | None, test: Where, dialect: str
) -> ColumnElement[bool]:  # fmt: skip
    match test.operator:
        case "known":
            return where.is_not(None)
        case "unknown":
            return where.is_(None)
        case "contains":
            # SQLite's LIKE knows no case (of ASCII, as its `lower`), which would cost two thirds of a search
            said = where if dialect == "sqlite" else func.lower(where)
            return said.like(like_of(test.value), escape="\\")
    value = bound_of(field, test.value)
    if value is None:
        return where.is_(None) if test.operator == "=" else where.is_not(None)
    if test.operator == "!=":
        return or_(where != value, where.is_(None))
    return where.op(test.operator, is_comparison=True)(value)


def _condition(
    collection: Collection, source: Table, name: str, wanted: Any, dialect: str, *, loose: bool = False
) -> ColumnElement[bool]:
    where, field = _column(collection, source, name)
    if loose:
        where = _filtering(where)
    if isinstance(wanted, Where):
        return _test(where, field, wanted, dialect)
    if isinstance(wanted, list | set | frozenset | tuple):
        if wanted and all(isinstance(w, Where) for w in wanted):
            return and_(*(_test(where, field, w, dialect) for w in wanted))
        return where.in_([bound_of(field, w) for w in wanted])
    return _test(where, field, Where("=", wanted), dialect)


def _filtering(where: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a column that SQLite only tests, never searches by: it takes NULL for one value among many, and would
    rather read every row without a duplicate than walk the newest twenty."""
    return UnaryExpression(where, operator=custom_op("+"), type_=where.type)


# --- Words.

MOST_WORDS = 20_000  # records that hold the words looked for; of more, those stored last


def terms_of(words: str) -> list[str]:
    """Return the folded words of a search: lower case, without accents, letters and digits only."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", words) if not unicodedata.combining(c)).lower()
    return re.findall(r"[^\W_]+", plain)[:12]


def _looked_in(collection: Collection, query: Query) -> tuple[Field, ...]:
    fields = searched_fields(collection)
    return fields if query.text_fields is None else tuple(f for f in fields if f.name in query.text_fields)


def match_of(collection: Collection, query: Query, dialect: str, common: Iterable[str] = ()) -> str:
    """Return what the index of words is asked; "" when nothing can be found.

    A word finds those that begin as it does; one of the `common` only itself: SQLite would otherwise gather a million
    records that hold it before it looks at the other words.
    """
    terms, fields = terms_of(query.text), _looked_in(collection, query)
    if not terms or not fields:
        return ""
    if dialect == "postgresql":
        return " & ".join(f"{term}:*" for term in terms)
    match = " AND ".join(f'"{term}"' + ("" if term in common else "*") for term in terms)
    if query.text_fields is not None:
        match = "{" + " ".join(f'"{f.name}"' for f in fields) + "} : (" + match + ")"
    return match


def _words_sqlite(source: Table, match: Any) -> ColumnElement[bool]:
    name = f"{source.name}_words"
    words = table(name, column("rowid"), column(name))
    found = select(words.c.rowid).where(words.c[name].op("MATCH", is_comparison=True)(match))
    found = found.order_by(words.c.rowid.desc()).limit(MOST_WORDS)
    return source.c["_id"].in_(found)


def _words_postgresql(collection: Collection, query: Query, match: Any) -> ColumnElement[bool]:
    fields = _looked_in(collection, query)
    everything = searched_fields(collection)
    public = tuple(f for f in everything if f.read == "citizen")
    indexed = fields if fields in (everything, public) else everything
    sought = func.to_tsquery(literal_column("'simple'"), match)
    parts = dict.fromkeys((indexed, fields))  # the index first, then the exact fields when they are fewer
    return and_(*(literal_column(words_expression(p)).op("@@", is_comparison=True)(sought) for p in parts))


# --- Place.


def _touching(
    source: Table, kind: str, query: Query, box: tuple[float, float, float, float], dialect: str, index: str
) -> ColumnElement[bool]:
    minx, miny, maxx, maxy = box
    if dialect == "postgresql":
        stored = func.ST_GeomFromWKB(source.c["_geometry"], literal_column("4326"))
        return func.ST_Intersects(
            stored, func.ST_MakeEnvelope(minx, miny, maxx, maxy, literal_column("4326"))
        )
    near = table(f"{source.name}{index}", *(column(n) for n in ("id", "minx", "maxx", "miny", "maxy")))
    inside = select(near.c.id).where(
        near.c.minx <= maxx, near.c.maxx >= minx, near.c.miny <= maxy, near.c.maxy >= miny)  # fmt: skip
    if query.box_most is not None:
        inside = inside.order_by(near.c.id.desc()).limit(query.box_most)
    exact = [
        source.c["_minx"] <= maxx,
        source.c["_maxx"] >= minx,
        source.c["_miny"] <= maxy,
        source.c["_maxy"] >= miny,
    ]
    if kind != "point":
        exact.append(func.beffroi_intersects(source.c["_geometry"], minx, miny, maxx, maxy) == 1)
    return and_(source.c["_id"].in_(inside), *exact)


class Means(msgspec.Struct, frozen=True):
    """How SQLite had better answer a query: from the records under way alone, and not by the indexes of the `loose`
    fields, which it would take for rare values (it counts none) and that nearly all records hold."""

    open_only: bool = False
    loose: frozenset[str] = frozenset()


def means_of(collection: Collection, query: Query, dialect: str, usual: Iterable[str] = ()) -> Means:
    """Return how a query had better be answered; nothing of it changes what is found. `usual` are fields of which it asks
    what very many records hold."""
    if dialect != "sqlite":
        return Means()
    if query.bbox is not None or query.text.strip():  # what is there, or says so, is read and then filtered
        key = collection.key
        plain = {n for n in query.where if n[0] != "_" and (key is None or n != key.name)}
        return Means(under_way(collection, query), frozenset({*plain, "_territory"}))
    on_the_way = {n for walk in collection.walked for n in walk[1:]}
    loose = {n for n, wanted in query.where.items() if n in on_the_way and is_unknown(wanted)} | set(usual)
    if collection.ends is not None and collection.ends[0] in query.where:
        stage = collection.ends[0]
        walks = {walk[0] for walk in collection.walked} & query.where.keys() - {stage}
        if any(not isinstance(query.where[n], Where | tuple | None) for n in walks):
            loose.add(stage)  # the walk of a category's reports holds their states
    return Means(False, frozenset(loose))


def is_unknown(wanted: Any) -> bool:
    """True for a condition that asks for records of which something is not known."""
    return wanted is None or (isinstance(wanted, Where) and wanted.operator == "unknown")


def under_way(collection: Collection, query: Query) -> bool:
    """True when a query asks only for live records that are under way (see `Collection.ends`)."""
    if collection.ends is None or query.deleted is not False:
        return False
    name, end = collection.ends
    wanted = query.where.get(name)
    if isinstance(wanted, Where):
        return wanted.operator == "!=" and wanted.value == end
    if isinstance(wanted, list | set | frozenset | tuple):
        return all(isinstance(w, str) and w not in ("", end) for w in wanted)
    return isinstance(wanted, str) and wanted not in ("", end)


def crosses_antimeridian(box: tuple[Any, Any, Any, Any]) -> bool:
    """True for a box whose west is east of its east (RFC 7946 §5.2); never for places without values."""
    return not isinstance(box[0], BindParameter) and not box[0] <= box[2]


def _box(
    collection: Collection, source: Table, query: Query, dialect: str, index: str
) -> ColumnElement[bool]:
    assert query.bbox is not None
    if collection.geometry == "none":
        return false()
    minx, miny, maxx, maxy = box = query.bbox
    if not crosses_antimeridian(box):
        return _touching(source, collection.geometry, query, box, dialect, index)
    west = _touching(source, collection.geometry, query, (minx, miny, 180.0, maxy), dialect, index)
    east = _touching(source, collection.geometry, query, (-180.0, miny, maxx, maxy), dialect, index)
    return or_(west, east)  # the box crosses the antimeridian


def _shown(collection: Collection, source: Table, hidden_in: tuple[str, ...]) -> ColumnElement[bool]:
    shown = source.c[collection.shown_when].is_(True)
    return or_(shown, source.c["_territory"].in_(hidden_in)) if hidden_in else shown


def leading_to(collection: Collection, source: Table, path: str, ids: Iterable[int]) -> ColumnElement[bool]:
    """Return the condition that a record leads by `path` to one of `ids` (see `Collection.kept_to`)."""
    first, _, rest = path.partition(".")
    if not rest:
        return source.c[first].in_(list(ids))
    field = collection.field(first)
    assert field is not None
    beyond = table(f"c_{field.reference}", column("_id"), column(rest))
    return source.c[first].in_(select(beyond.c["_id"]).where(beyond.c[rest].in_(list(ids))))


def _kept(collection: Collection, source: Table, kept: Kept) -> list[ColumnElement[bool]]:
    inside = leading_to(collection, source, kept.path, kept.ids)
    if kept.strict:
        return [inside]
    return [or_(source.c[collection.shown_when].is_(True), inside)] if collection.shown_when else []


def _words(
    collection: Collection, source: Table, query: Query, dialect: str, match: Any
) -> ColumnElement[bool]:
    match = match_of(collection, query, dialect) if match is None else match
    if isinstance(match, str) and not match:
        return false()
    if dialect == "postgresql":
        return _words_postgresql(collection, query, match)
    return _words_sqlite(source, match)


def conditions(
    collection: Collection, source: Table, query: Query, dialect: str, match: Any = None, *, means: "Means | None" = None
) -> list[ColumnElement[bool]]:  # fmt: skip
    """Return the SQL conditions of a query; `match` takes the place of what `match_of` makes of its words, `means` that
    of `means_of`.

    Raises `Problem` for an unknown or personal field.
    """
    found: list[ColumnElement[bool]] = []
    if query.deleted is not None:
        gone = source.c["_deleted_us"]
        found.append(gone.is_not(None) if query.deleted else gone.is_(None))
    means = means_of(collection, query, dialect) if means is None else means
    if query.territories is not None:
        place = source.c["_territory"]
        found.append((_filtering(place) if "_territory" in means.loose else place).in_(query.territories))
    if query.hidden_in is not None and collection.shown_when:
        found.append(_shown(collection, source, query.hidden_in))
    if query.kept is not None:
        found += _kept(collection, source, query.kept)
    for name, wanted in query.where.items():
        found.append(_condition(collection, source, name, wanted, dialect, loose=name in means.loose))
    if query.text.strip():
        found.append(_words(collection, source, query, dialect, match))
    if query.bbox is not None:
        found.append(_box(collection, source, query, dialect, "_open" if means.open_only else "_box"))
    return found


# --- Order and keyset. NULL counts as the smallest value on both databases.


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """The place of one row in an order: its sort value, its id, and whether we walk backwards from it."""

    sort: str
    value: Any
    id: int
    back: bool = False


def cursor_of(cursor: Cursor) -> str:
    """Return the cursor as a short text for URLs."""
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def read_cursor(written: str | None, sort: str) -> Cursor | None:
    """Return the cursor that `cursor_of` wrote for this `sort`. Raises `Problem`."""
    if written is None:
        return None
    try:
        cursor = msgspec.json.decode(
            base64.urlsafe_b64decode(written + "=" * (-len(written) % 4)), type=Cursor
        )
        scalar = cursor.value is None or isinstance(cursor.value, str | int | float | bool)
    except (ValueError, msgspec.MsgspecError):
        cursor, scalar = None, False
    if cursor is None or not scalar or cursor.sort != sort or abs(cursor.id) >= 2**63:
        raise Problem(Text("Ce repère de page n'est pas valable.", "This page cursor is not valid."),
                      Text("Repartez de la première page.", "Start again from the first page."), place="after")  # fmt: skip
    return cursor


def phases(
    collection: Collection, source: Table, query: Query, columns: Iterable[ColumnElement[Any]], dialect: str,
    cursor: Cursor | None = None, match: Any = None, *, means: "Means | None" = None,
) -> Sequence[Select[Any]]:  # fmt: skip
    """Return the statements whose rows, one after the other, are the query's rows in order (from its cursor on).

    Known and unknown sort values are asked for apart, so that each part walks an index. `cursor`, `match`
    and `means`, when given, take the place of what the query says.
    """
    cursor = cursor or read_cursor(query.after, query.sort)
    name = query.sort.removeprefix("-")
    back = cursor is not None and cursor.back
    falling = query.sort.startswith("-") != back
    key, field = _column(collection, source, name)
    base = select(*columns).where(*conditions(collection, source, query, dialect, match, means=means))
    own = source.c["_id"]
    if key is own:
        return (_by_id(base, own, cursor, falling),)
    if field is None:  # one of the platform's columns: never NULL
        order = (key.desc(), own.desc()) if falling else (key.asc(), own.asc())
        return (_beyond(base, key, own, cursor, falling).order_by(*order),)
    if cursor is None and (
        query.bbox is not None or query.text.strip()
    ):  # found first, then put in order: once
        return (base.order_by(*_known_and_not(key, own, falling)),)
    nulls = base.where(key.is_(None)).order_by(own.desc() if falling else own.asc())
    order = _known_and_not(key, own, falling)
    known = base.where(key.is_not(None)).order_by(*order)
    if cursor is None:
        return (known, nulls) if falling else (nulls, known)
    if cursor.value is None:
        rest = nulls.where(own < cursor.id if falling else own > cursor.id)
        return (rest,) if falling else (rest, known)
    value = bound_of(field, cursor.value)
    beyond = _beyond(known, key, own, msgspec.structs.replace(cursor, value=value), falling)
    return (beyond, nulls) if falling else (beyond,)


def order_of(collection: Collection, source: Table, sort: str) -> tuple[Any, Any]:
    """Return the order of a query as SQL. Raises `Problem` for an unknown or personal field."""
    key, _ = _column(collection, source, sort.removeprefix("-"))
    return _known_and_not(key, source.c["_id"], sort.startswith("-"))


def _known_and_not(key: ColumnElement[Any], own: ColumnElement[Any], falling: bool) -> tuple[Any, Any]:
    return (key.desc().nulls_last(), own.desc()) if falling else (key.asc().nulls_first(), own.asc())


def _beyond(
    base: Select[Any], key: ColumnElement[Any], own: ColumnElement[Any], cursor: Cursor | None, falling: bool
) -> Select[Any]:
    """Keep the rows beyond the cursor; the first comparison, alone, is what an index can walk."""
    if cursor is None:
        return base
    value = cursor.value
    if not isinstance(value, BindParameter):  # Core refuses to compare with a bare True
        value = bindparam(None, value, type_=key.type, unique=True)
    if falling:
        return base.where(key <= value, or_(key < value, own < cursor.id))
    return base.where(key >= value, or_(key > value, own > cursor.id))


def _by_id(base: Select[Any], own: ColumnElement[Any], cursor: Cursor | None, falling: bool) -> Select[Any]:
    if cursor is not None:
        base = base.where(own < cursor.id if falling else own > cursor.id)
    return base.order_by(own.desc() if falling else own.asc())
