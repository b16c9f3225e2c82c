"""Retention and erasure: what time or a person's request takes away, for good.

Erasing a person drops their key: every value sealed under it, in tables, history and backups, can never be read
again. A field past its own retention is also taken out of history. Deleted records are purged after their time,
their history emptied; what stays is that there was a record, and when it went.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, delete, or_, select, update

from beffroi.model.collection import Field
from beffroi.model.instant import DAY_US, PARIS, to_datetime
from beffroi.model.principal import SYSTEM, Principal
from beffroi.model.problem import NotFound
from beffroi.model.text import Text
from beffroi.store.record_writer import Writer
from beffroi.store.records import Records, Shelf
from beffroi.store.tables import history

__all__ = ["Expired", "erase_from_history", "erase_person", "erase_values", "expire", "forget_person"]

_CHUNK = 500


class Expired(msgspec.Struct):
    """What one passage of retention took away."""

    purged: int = 0
    emptied: int = 0


def erase_person(
    records: Records, collection: str, record_id: int, *, who: Principal, reason: str = ""
) -> int:
    """Erase the person of a record: their key, and their values in every record under it; return how many records.

    Raises `NotFound` when the record does not exist or holds no person.
    """
    row = records.get(collection, record_id, deleted=None)
    if row.person is None:
        raise NotFound(Text("Cet enregistrement ne porte aucune personne.", "This record holds no person."))
    with records.writer(who, reason) as writer:
        return forget_person(records, writer, row.person)


def forget_person(records: Records, writer: Writer, person: int) -> int:
    """Erase a person in the writer's transaction; return how many records held something of them."""
    touched = 0
    for name in list(records.collections):
        shelf = records.shelf(name)
        if shelf.collection.personal:
            touched += _forget(writer, shelf, person)
    records.keyring.erase(writer.connection, [person])
    return touched


def erase_values(
    records: Records, writer: Writer, collection: str, ids: Sequence[int], fields: Sequence[str]
) -> None:
    """Take fields of some records away for good, history included, in the writer's transaction.

    For words that turn out to be personal though their field is not: what stays is that they were erased, and when.
    """
    shelf = records.shelf(collection)
    for name in fields:
        _empty_history(writer.connection, shelf, list(ids), name)
    for record_id in ids:
        person = writer.connection.execute(
            select(shelf.table.c["_person"]).where(shelf.table.c["_id"] == record_id)
        ).scalar()
        writer.empty(shelf, record_id, list(fields), person=person)


def erase_from_history(
    records: Records, writer: Writer, collection: str, ids: Sequence[int], name: str
) -> None:
    """Take one value ("_geometry" too) out of the history of some records, in the writer's transaction."""
    _empty_history(writer.connection, records.shelf(collection), list(ids), name)


def _forget(writer: Writer, shelf: Shelf, person: int) -> int:
    t, c = shelf.table, writer.connection
    ids = list(c.execute(select(t.c["_id"]).where(t.c["_person"] == person)).scalars())
    for record_id in ids:
        writer.empty(shelf, record_id, [f.name for f in shelf.collection.personal], person=None)
    return len(ids)


def expire(records: Records, now_us: int, who: Principal = SYSTEM) -> Expired:
    """Take away what is past its retention at `now_us`."""
    done = Expired()
    for name in sorted(records.collections):
        shelf = records.shelf(name)
        if shelf.collection.retention_days is not None:
            done.purged += _purge(records, shelf, now_us - shelf.collection.retention_days * DAY_US, who)
        for field in shelf.collection.personal:
            done.emptied += _empty_field(records, shelf, field, now_us, who)
    return done


def _purge(records: Records, shelf: Shelf, before_us: int, who: Principal) -> int:
    t, purged = shelf.table, 0
    while True:
        with records.writer(who, "Fin de conservation") as writer:
            c = writer.connection
            gone = select(t.c["_id"], t.c["_version"], t.c["_person"]).where(t.c["_deleted_us"] <= before_us)
            rows = c.execute(gone.limit(_CHUNK)).all()
            if not rows:
                return purged
            ids = [row[0] for row in rows]
            _empty_history(c, shelf, ids, None)
            c.execute(delete(t).where(t.c["_id"].in_(ids)))
            for record_id, version, _ in rows:
                writer.line(shelf, record_id, version + 1, "erase")
            _drop_orphans(records, c, [row[2] for row in rows])
        purged += len(rows)


def _drop_orphans(records: Records, c: Connection, persons: list[int | None]) -> None:
    """Drop the keys of persons that no record names any more."""
    for person in {p for p in persons if p is not None}:
        shelves = [records.shelf(n) for n in records.collections if records.shelf(n).collection.personal]
        held = (
            c.execute(select(s.table.c["_id"]).where(s.table.c["_person"] == person).limit(1)).first()
            for s in shelves
        )
        if not any(held):
            records.keyring.erase(c, [person])


def _expired_where(shelf: Shelf, field: Field, now_us: int) -> Any:
    """Return the condition of a field's retention being over: from the end of life if one is declared."""
    assert field.personal is not None
    limit_us = now_us - field.personal.retention_days * DAY_US
    t, life = shelf.table, shelf.collection.field(shelf.collection.end_of_life)
    gone = and_(t.c["_deleted_us"].is_not(None), t.c["_deleted_us"] <= limit_us)
    if life is None:
        return t.c["_updated_us"] <= limit_us
    limit = to_datetime(limit_us).astimezone(PARIS).date().isoformat() if life.kind == "date" else limit_us
    return or_(and_(t.c[life.name].is_not(None), t.c[life.name] <= limit), gone)


def _empty_field(records: Records, shelf: Shelf, field: Field, now_us: int, who: Principal) -> int:
    t, emptied = shelf.table, 0
    over = and_(t.c[field.name].is_not(None), _expired_where(shelf, field, now_us))
    while True:
        with records.writer(who, "Fin de conservation") as writer:
            ids = list(writer.connection.execute(select(t.c["_id"]).where(over).limit(_CHUNK)).scalars())
            if not ids:
                return emptied
            _empty_history(writer.connection, shelf, ids, field.name)
            for record_id in ids:
                _empty_one(records, writer, shelf, record_id, field.name)
        emptied += len(ids)


def _empty_one(records: Records, writer: Writer, shelf: Shelf, record_id: int, name: str) -> None:
    """Take one field's value away; when it was the record's last personal one, drop the person too."""
    t, c = shelf.table, writer.connection
    others = [f.name for f in shelf.collection.personal if f.name != name]
    stored = c.execute(select(t).where(t.c["_id"] == record_id)).one()._mapping
    if any(stored[other] is not None for other in others):
        writer.empty(shelf, record_id, [name], person=stored["_person"])
        return
    writer.empty(shelf, record_id, [name], person=None)
    _drop_orphans(records, c, [stored["_person"]])


def _empty_history(c: Connection, shelf: Shelf, ids: list[int], name: str | None) -> None:
    """Take a field (None: everything) out of the history of some records."""
    of_them = and_(history.c.collection == shelf.collection.name, history.c.record_id.in_(ids))
    if name is None:
        c.execute(update(history).where(of_them).values(before=None, after=None))
        return
    old = {name, shelf.collection.renamed.get(name, name)}
    for line in c.execute(select(history.c.seq, history.c.before, history.c.after).where(of_them)).all():
        kept = {
            side: msgspec.json.encode(
                {k: v for k, v in msgspec.json.decode(text).items() if k not in old}
            ).decode()
            for side, text in (("before", line.before), ("after", line.after))
            if text
        }
        if kept:
            c.execute(update(history).where(history.c.seq == line.seq).values(**kept))
