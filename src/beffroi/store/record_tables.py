"""One typed table per Collection, derived from its declaration, and its additive migration.

Beside the fields' columns stand the platform's own, whose names start with an underscore. On SQLite an R*Tree
and an FTS5 table follow the main one by triggers; on PostgreSQL the same questions are answered by a GiST
index (PostGIS) and GIN indexes over folded words.
"""

import hashlib
import re
from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.schema import CreateIndex, CreateTable

from beffroi.model.collection import OWN, Collection, Field, Record
from beffroi.model.problem import Problem
from beffroi.model.text import Text as Words
from beffroi.store.tables import SQLITE_INTEGER_KEY, declared

__all__ = [
    "Shelf",
    "declaration_of",
    "migrate",
    "prepare",
    "recalled",
    "searched_fields",
    "table_of",
    "walk_index",
    "words_expression",
]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
_TYPES: dict[str, Any] = {
    "text": Text, "integer": BigInteger, "number": Double, "boolean": Boolean, "date": Text,
    "instant": BigInteger, "json": Text, "reference": BigInteger,
}  # fmt: skip
_WIDENINGS = {
    ("integer", "number"),
    ("integer", "reference"),
    ("reference", "integer"),
    ("integer", "instant"),
}


class Shelf(msgspec.Struct, frozen=True, eq=False):
    """One declared collection and its table."""

    collection: Collection
    table: Table


def table_of(collection: Collection) -> Table:
    """Return the table of a collection."""
    for name in (collection.name, *(f.name for f in collection.fields)):
        if not _NAME.match(name):
            raise TypeError(f"collection {collection.name}: {name!r} is not a name (a-z, 0-9, _; at most 40)")
    return Table(
        f"c_{collection.name}", MetaData(),
        Column("_id", SQLITE_INTEGER_KEY, primary_key=True, autoincrement=False),
        Column("_version", Integer, nullable=False), Column("_territory", Text, nullable=False),
        Column("_created_us", BigInteger, nullable=False), Column("_updated_us", BigInteger, nullable=False),
        Column("_deleted_us", BigInteger), Column("_author", Text, nullable=False), Column("_person", BigInteger),
        Column("_geometry", LargeBinary), *(Column(c, Double) for c in ("_minx", "_miny", "_maxx", "_maxy")),
        *(Column(f.name, LargeBinary if f.personal else _TYPES[f.kind]) for f in collection.fields),
    )  # fmt: skip


def _add_indexes(table: Table, collection: Collection, dialect: str) -> None:
    """Index what lists sort and filter by. Only live records are indexed, so that counts and pages of them never
    touch the table's rows for those that were deleted."""
    name, live, gone = table.name, table.c["_deleted_us"].is_(None), table.c["_deleted_us"].is_not(None)
    kept: dict[str, Any] = {"sqlite_where": live, "postgresql_where": live}
    Index(f"{name}__updated", table.c["_updated_us"], table.c["_id"], **kept)
    Index(f"{name}__territory", table.c["_territory"], table.c["_updated_us"], table.c["_id"], **kept)
    Index(f"{name}__deleted", table.c["_deleted_us"], sqlite_where=gone, postgresql_where=gone)
    held = table.c["_person"].is_not(None)
    Index(f"{name}__person", table.c["_person"], sqlite_where=held, postgresql_where=held)
    for field in collection.fields:
        linked = field.reference or field.names_record
        indexed = field.listed or linked or field.key or field.name == collection.status
        if not indexed or field.personal or field.long or field.kind == "json":
            continue
        if field.key:
            Index(f"{name}__key", table.c["_territory"], table.c[field.name], unique=True, **kept)
        if not _is_walked(collection, field.name):
            Index(f"{name}_{field.name}", *_ordered(table, (field.name, "_id"), dialect), **kept)
    for walk in collection.walked:
        Index(walk_index(table, walk), *_ordered(table, walk, dialect), **kept)


def walk_index(table: Table, walk: Iterable[str]) -> str:
    """Return the name of the index along which a collection is walked."""
    return f"{table.name}__by_{'_'.join(walk)}"[:63]


def _is_walked(collection: Collection, name: str) -> bool:
    """True when a walk does all that the index of this field alone would do."""
    return any(walk[:2] == (name, "_id") for walk in collection.walked)


def _ordered(table: Table, names: Iterable[str], dialect: str) -> list[Any]:
    """Return columns with NULL first: SQLite does so by itself and refuses to be told."""
    return [table.c[n].nulls_first() if dialect == "postgresql" and n != "_id" else table.c[n] for n in names]


def searched_fields(collection: Collection) -> tuple[Field, ...]:
    """Return the fields whose words are indexed: texts that are not personal."""
    return tuple(f for f in collection.fields if f.kind == "text" and f.personal is None and f.searched)


# --- The declaration as data: fingerprinted, and enough to read a collection whose service was removed.


def declaration_of(collection: Collection) -> bytes:
    """Return the declaration as JSON, without the class that it came from."""
    plain = {n: getattr(collection, n) for n in collection.__struct_fields__ if n != "record"}
    for later in ("walked", "ends"):
        if not plain[later]:
            del plain[later]  # as it was before there were any: no table is built again
    plain["fields"] = [_plain(f) for f in collection.fields]
    return msgspec.json.encode(plain, order="sorted")


def _plain(field: Field) -> dict[str, Any]:
    plain = {
        n: getattr(field, n) for n in field.__struct_fields__ if n not in ("check", "words")
    }  # code, not data
    if field.searched:
        del plain["searched"]  # likewise
    return plain


def recalled(declaration: str) -> Collection:
    """Return the collection of a stored declaration: the town's own, or one of a service that is gone, read-only."""
    plain = msgspec.json.decode(declaration)
    plain["fields"] = tuple(msgspec.convert(f, Field) for f in plain["fields"])
    plain["title"], plain["description"] = (
        msgspec.convert(plain[n], Words) for n in ("title", "description")
    )
    plain["dropped"] = tuple(plain["dropped"])
    plain["walked"] = tuple(tuple(walk) for walk in plain.get("walked", ()))
    plain["ends"] = tuple(plain["ends"]) if plain.get("ends") else None
    return Collection(**{**plain, "record": Record, "system": plain["service"] != OWN})


# --- Migration.


def migrate(c: Connection, collections: Iterable[Collection]) -> list[str]:
    """Bring the tables to what is declared, in the caller's transaction; return the names of those that changed.

    Only additions, declared renames, declared drops and widenings are made. Raises `Problem` (409) for anything
    that would lose data without being declared.
    """
    known = {row.collection: row for row in c.execute(select(declared))}
    changed = []
    for collection in collections:
        declaration = declaration_of(collection)
        fingerprint = hashlib.sha256(declaration).hexdigest()
        before = known.get(collection.name)
        if before is not None and before.fingerprint == fingerprint:
            continue
        _migrate_one(c, collection, recalled(before.declaration) if before is not None else None)
        values = {"fingerprint": fingerprint, "declaration": declaration.decode()}
        if before is None:
            c.execute(insert(declared).values(collection=collection.name, **values))
        else:
            c.execute(update(declared).where(declared.c.collection == collection.name).values(**values))
        changed.append(collection.name)
    return changed


def _migrate_one(c: Connection, collection: Collection, before: Collection | None) -> None:
    table = table_of(collection)
    was, now = {} if before is None else _followers(before), _followers(collection)
    if before is None:
        c.execute(CreateTable(table))
    else:
        _check_nothing_lost(collection, before)
        _drop_followers(c, table, [name for name, what in was.items() if now.get(name) != what])
        _rename_columns(c, table, collection, before)
        _add_columns(c, table)
        _widen_columns(c, table, collection, before)
    _add_indexes(table, collection, c.dialect.name)
    for field in collection.fields:
        if _is_walked(collection, field.name):
            c.execute(text(f"DROP INDEX IF EXISTS {_quoted(c, f'{table.name}_{field.name}')}"))
    for index in sorted(table.indexes, key=lambda i: str(i.name)):
        c.execute(CreateIndex(index, if_not_exists=True))
    _make_followers(c, table, collection, [name for name, what in now.items() if was.get(name) != what])


def _refuse(collection: Collection, fr: str, en: str, mend: Words) -> Problem:
    name = collection.name
    return Problem(
        Words(f"Collection « {name} » : {fr}", f"Collection '{name}': {en}"), mend, place=name, status=409
    )


def _check_nothing_lost(collection: Collection, before: Collection) -> None:
    accounted = {*(f.name for f in collection.fields), *collection.renamed.values(), *collection.dropped}
    for old in before.fields:
        if old.name not in accounted:
            raise _refuse(
                collection, f"le champ « {old.name} » a disparu de la déclaration.",
                f"the field '{old.name}' is gone from the declaration.",
                Words(f'Déclarez dropped=("{old.name}",) ou renamed={{nouveau: "{old.name}"}}.',
                      f'Declare dropped=("{old.name}",) or renamed={{new: "{old.name}"}}.'),
            )  # fmt: skip
    for field in collection.fields:
        old_name = collection.renamed.get(field.name, field.name)
        was = before.field(field.name) or before.field(old_name)
        if was is not None:
            _check_kind(collection, field, was)


def _check_kind(collection: Collection, field: Field, was: Field) -> None:
    mend = Words("Déclarez un nouveau champ, copiez, puis abandonnez l'ancien par dropped.",
                 "Declare a new field, copy, then drop the old one by dropped.")  # fmt: skip
    if (field.personal is None) != (was.personal is None):
        raise _refuse(collection, f"« {field.name} » ne peut pas devenir ou cesser d'être personnel.",
                      f"'{field.name}' cannot become personal, or cease to be.", mend)  # fmt: skip
    if field.kind != was.kind and (was.kind, field.kind) not in _WIDENINGS:
        raise _refuse(collection, f"« {field.name} » était {was.kind} et deviendrait {field.kind}.",
                      f"'{field.name}' was {was.kind} and would become {field.kind}.", mend)  # fmt: skip


def _columns(c: Connection, table: Table) -> set[str]:
    return {column["name"] for column in inspect(c).get_columns(table.name)}


def _quoted(c: Connection, name: str) -> str:
    return c.dialect.identifier_preparer.quote(name)


def _rename_columns(c: Connection, table: Table, collection: Collection, before: Collection) -> None:
    present = _columns(c, table)
    for new, old in collection.renamed.items():
        if before.field(old) is not None and old in present and new not in present:
            c.execute(text(f"ALTER TABLE {table.name} RENAME COLUMN {_quoted(c, old)} TO {_quoted(c, new)}"))
            c.execute(text(f"DROP INDEX IF EXISTS {_quoted(c, f'{table.name}_{old}')}"))


def _add_columns(c: Connection, table: Table) -> None:
    present = _columns(c, table)
    for column in table.columns:
        if column.name not in present:
            kind = column.type.compile(c.dialect)
            c.execute(text(f"ALTER TABLE {table.name} ADD COLUMN {_quoted(c, column.name)} {kind}"))


def _widen_columns(c: Connection, table: Table, collection: Collection, before: Collection) -> None:
    if c.dialect.name != "postgresql":
        return  # SQLite stores a real number in an integer column as it is
    for field in collection.fields:
        was = before.field(field.name)
        if was is not None and (was.kind, field.kind) == ("integer", "number"):
            c.execute(
                text(f"ALTER TABLE {table.name} ALTER COLUMN {_quoted(c, field.name)} TYPE double precision")
            )


# --- What follows the main table: box and words.


def _followers(collection: Collection) -> dict[str, Any]:
    """Return what follows the table of a collection, each with what it was made from: made again when that changes, since
    it takes a minute for a million records."""
    found: dict[str, Any] = {}
    if collection.geometry != "none":
        found["box"] = True
        if collection.ends is not None:
            found["open"] = collection.ends
    if collection.ends is not None:
        found["tally"] = (collection.ends[0], collection.shown_when)
    if searched_fields(collection):
        found["words"] = tuple((f.name, f.read) for f in searched_fields(collection))
    return found


def _drop_followers(c: Connection, table: Table, names: Iterable[str]) -> None:
    for name in names:
        if c.dialect.name != "postgresql":
            for event in ("insert", "update", "delete"):
                c.execute(text(f"DROP TRIGGER IF EXISTS {table.name}_{name}_{event}"))
            c.execute(text(f"DROP TABLE IF EXISTS {table.name}_{name}"))
        elif name == "words":
            c.execute(text(f"DROP INDEX IF EXISTS {table.name}__words, {table.name}__words_public"))


def _make_followers(c: Connection, table: Table, collection: Collection, names: Iterable[str]) -> None:
    if c.dialect.name == "postgresql":
        _make_postgresql_indexes(c, table, collection)
        return
    for name in names:
        if name == "box":
            _make_box(c, table.name)
        elif name == "open":
            assert collection.ends is not None
            _make_open(c, table.name, *collection.ends)
        elif name == "tally":
            assert collection.ends is not None
            _make_tally(c, table.name, collection.ends[0], collection.shown_when)
        else:
            _make_words(c, table.name, [_quoted(c, f.name) for f in searched_fields(collection)])


def _make_box(c: Connection, name: str) -> None:
    row = "new._id, new._minx, new._maxx, new._miny, new._maxy"
    add = f"INSERT INTO {name}_box SELECT {row} WHERE new._minx IS NOT NULL"
    for statement in (
        f"CREATE VIRTUAL TABLE {name}_box USING rtree(id, minx, maxx, miny, maxy)",
        f"INSERT INTO {name}_box SELECT _id, _minx, _maxx, _miny, _maxy FROM {name} WHERE _minx IS NOT NULL",
        f"CREATE TRIGGER {name}_box_insert AFTER INSERT ON {name} WHEN new._minx IS NOT NULL BEGIN {add}; END",
        (
            f"CREATE TRIGGER {name}_box_update AFTER UPDATE OF _minx, _miny, _maxx, _maxy ON {name} BEGIN "
            f"DELETE FROM {name}_box WHERE id = old._id; {add}; END"
        ),
        f"CREATE TRIGGER {name}_box_delete AFTER DELETE ON {name} BEGIN DELETE FROM {name}_box WHERE id = old._id; END",
    ):
        c.execute(text(statement))


def _make_open(c: Connection, name: str, field: str, end: str) -> None:
    """Make the boxes of the live records that are under way: `field` is not `end`."""

    def open_now(row: str) -> str:
        return f"{row}_minx IS NOT NULL AND {row}_deleted_us IS NULL AND {row}{_quoted(c, field)} IS NOT {_text(end)}"

    add = f"INSERT INTO {name}_open SELECT new._id, new._minx, new._maxx, new._miny, new._maxy WHERE {open_now('new.')}"
    for statement in (
        f"CREATE VIRTUAL TABLE {name}_open USING rtree(id, minx, maxx, miny, maxy)",
        f"INSERT INTO {name}_open SELECT _id, _minx, _maxx, _miny, _maxy FROM {name} WHERE {open_now('')}",
        f"CREATE TRIGGER {name}_open_insert AFTER INSERT ON {name} WHEN {open_now('new.')} BEGIN {add}; END",
        (
            f"CREATE TRIGGER {name}_open_update AFTER UPDATE OF _minx, _miny, _maxx, _maxy, _deleted_us, {_quoted(c, field)} "
            f"ON {name} BEGIN DELETE FROM {name}_open WHERE id = old._id; {add}; END"
        ),
        f"CREATE TRIGGER {name}_open_delete AFTER DELETE ON {name} BEGIN DELETE FROM {name}_open WHERE id = old._id; END",
    ):
        c.exec_driver_sql(statement)


def _make_tally(c: Connection, name: str, field: str, shown: str) -> None:
    """Make the counts of live records by what `field` holds, by territory, and by whether the public sees them: of a
    million records, how many are in each state is read, not counted. (`n` may be 0; an unknown value is "".)"""

    def of(row: str) -> str:
        gate = f"coalesce({row}{_quoted(c, shown)}, 0)" if shown else "1"
        return f"coalesce({row}{_quoted(c, field)}, ''), {row}_territory, {gate}"

    def add(row: str) -> str:
        return (f"INSERT INTO {name}_tally (value, place, shown, n) SELECT {of(row)}, 1 WHERE {row}_deleted_us IS NULL "
                "ON CONFLICT (value, place, shown) DO UPDATE SET n = n + 1")  # fmt: skip

    take = f"UPDATE {name}_tally SET n = n - 1 WHERE old._deleted_us IS NULL AND (value, place, shown) = ({of('old.')})"
    watched = ", ".join(("_deleted_us", "_territory", *(_quoted(c, n) for n in (field, shown) if n)))
    for statement in (
        (
            f"CREATE TABLE {name}_tally (value TEXT NOT NULL, place TEXT NOT NULL, shown INTEGER NOT NULL, "
            "n INTEGER NOT NULL, PRIMARY KEY (value, place, shown)) WITHOUT ROWID"
        ),
        f"INSERT INTO {name}_tally SELECT {of('')}, count(*) FROM {name} WHERE _deleted_us IS NULL GROUP BY 1, 2, 3",
        f"CREATE TRIGGER {name}_tally_insert AFTER INSERT ON {name} BEGIN {add('new.')}; END",
        f"CREATE TRIGGER {name}_tally_update AFTER UPDATE OF {watched} ON {name} BEGIN {take}; {add('new.')}; END",
        f"CREATE TRIGGER {name}_tally_delete AFTER DELETE ON {name} BEGIN {take}; END",
    ):  # fmt: skip
        c.exec_driver_sql(statement)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _make_words(c: Connection, name: str, columns: list[str]) -> None:
    listed = ", ".join(columns)
    new, old = (", ".join(f"{which}.{column}" for column in columns) for which in ("new", "old"))
    remove = f"INSERT INTO {name}_words({name}_words, rowid, {listed}) VALUES ('delete', old._id, {old})"
    add = f"INSERT INTO {name}_words(rowid, {listed}) VALUES (new._id, {new})"
    for statement in (
        (
            f"CREATE VIRTUAL TABLE {name}_words USING fts5({listed}, content='{name}', content_rowid='_id', "
            "tokenize='unicode61 remove_diacritics 2', detail=column, columnsize=0)"
        ),
        f"INSERT INTO {name}_words({name}_words) VALUES ('rebuild')",
        f"CREATE TRIGGER {name}_words_insert AFTER INSERT ON {name} BEGIN {add}; END",
        f"CREATE TRIGGER {name}_words_update AFTER UPDATE OF {listed} ON {name} BEGIN {remove}; {add}; END",
        f"CREATE TRIGGER {name}_words_delete AFTER DELETE ON {name} BEGIN {remove}; END",
    ):
        c.exec_driver_sql(statement)


_FOLD = """CREATE OR REPLACE FUNCTION beffroi_fold(words text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT regexp_replace(lower(public.unaccent('public.unaccent'::regdictionary, words)), '[^[:alnum:]]+', ' ', 'g') $$"""


def prepare(c: Connection) -> None:
    """Prepare a PostgreSQL database for collections (extensions, folding); nothing to do on SQLite."""
    if c.dialect.name != "postgresql":
        return
    c.execute(select(func.pg_advisory_xact_lock(0x8EFF)))
    for extension in ("postgis", "unaccent"):
        c.execute(text(f"CREATE EXTENSION IF NOT EXISTS {extension} SCHEMA public"))
    c.exec_driver_sql(_FOLD)


def words_expression(fields: Iterable[Field]) -> str:
    """Return the PostgreSQL expression of the searchable words of `fields`; an index must repeat it exactly."""
    joined = " || ' ' || ".join(f"coalesce(\"{f.name}\", '')" for f in fields)
    return f"to_tsvector('simple', beffroi_fold({joined}))"


def _make_postgresql_indexes(c: Connection, table: Table, collection: Collection) -> None:
    name = table.name
    if collection.geometry != "none":
        c.execute(
            text(
                f"CREATE INDEX IF NOT EXISTS {name}__place ON {name} USING gist (ST_GeomFromWKB(_geometry, 4326))"
            )
        )
    everything = searched_fields(collection)
    public = tuple(f for f in everything if f.read == "citizen")
    for suffix, fields in (("words", everything), ("words_public", public)):
        if fields and not (suffix == "words_public" and fields == everything):
            c.exec_driver_sql(
                f"CREATE INDEX IF NOT EXISTS {name}__{suffix} ON {name} USING gin (({words_expression(fields)}))"
            )
