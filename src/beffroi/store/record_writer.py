"""Writing records: each change and its line of history, in one transaction, under one change set."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Protocol

import msgspec
from sqlalchemy import Connection, and_, select, update
from sqlalchemy import Row as Stored
from sqlalchemy.exc import IntegrityError

from beffroi.model.collection import Collection
from beffroi.model.principal import Principal
from beffroi.model.problem import Conflict, NotFound, Problem
from beffroi.model.text import Text
from beffroi.store.geometry import Placed, geojson_of, place
from beffroi.store.personal import Keyring
from beffroi.store.quick import insert_rows
from beffroi.store.record import Page, Query, Reject, Row
from beffroi.store.record_codec import (
    AS_IT_IS,
    checked_values,
    from_column,
    from_history,
    place_of,
    to_column,
    to_history,
)
from beffroi.store.record_tables import Shelf
from beffroi.store.tables import history

__all__ = ["Draft", "Writer", "draft", "missing"]

_CHUNK = 500
_NOWHERE = {"_geometry": None, "_minx": None, "_miny": None, "_maxx": None, "_maxy": None}


class Numbers(Protocol):
    """Where fresh numbers of the commit sequence come from."""

    def next(self, c: Connection, n: int = 1) -> int:
        """Return the first of `n` fresh numbers."""
        ...


class Host(Protocol):
    """What a writer needs of the records it writes to."""

    @property
    def house(self) -> Numbers:
        """Where numbers come from."""
        ...

    keyring: Keyring
    clock: Callable[[], int]
    audit: Callable[..., Any] | None

    def shelf(self, collection: str | Collection) -> Shelf:
        """Return a declared collection and its table."""
        ...

    def get(
        self,
        collection: str | Collection,
        record_id: int,
        *,
        deleted: bool | None = False,
        c: Connection | None = None,
    ) -> Row:
        """Return one record."""
        ...

    def find(self, collection: str | Collection, query: Query = ..., c: Connection | None = None) -> Page:
        """Return one page of records."""
        ...


class Draft(msgspec.Struct):
    """A new record whose values were checked, not yet written."""

    values: dict[str, Any]
    placed: Placed | None
    geometry: Mapping[str, Any] | None
    territory: str
    person: int | None = None


def draft(
    collection: Collection, values: Mapping[str, Any], geometry: Mapping[str, Any] | None, territory: str | None,
    person: int | None = None,
) -> Draft:  # fmt: skip
    """Return a checked draft. Raises `Problem`."""
    checked = checked_values(collection, values, creating=True)
    return Draft(
        checked, place(geometry or None, collection.geometry), geometry or None, territory or "", person
    )


def _where(placed: Placed | None) -> dict[str, Any]:
    if placed is None:
        return dict(_NOWHERE)
    wkb, (minx, miny, maxx, maxy) = placed
    return {"_geometry": wkb, "_minx": minx, "_miny": miny, "_maxx": maxx, "_maxy": maxy}


def missing(collection: Collection, record_id: int) -> NotFound:
    """Return the problem of a record that does not exist, or not for this reader."""
    title = collection.title
    return NotFound(
        Text(f"Il n'y a pas de fiche {record_id} parmi « {title.fr} ».", f"There is no record {record_id} among '{title.en}'."),
        Text("Il a peut-être été supprimé.", "It may have been deleted."),
    )  # fmt: skip


def _stale(row: Any, said: str) -> Conflict:
    return Conflict(
        Text(
            "Quelqu'un a changé cet enregistrement entre-temps.",
            "Someone changed this record in the meantime.",
        ),
        Text(
            "Rechargez-le, puis refaites votre modification.", "Load it again, then make your change again."
        ),
        place=f"version {row._version}, {said}",
    )


def _taken(error: IntegrityError | sqlite3.IntegrityError, collection: Collection) -> Conflict:
    key = collection.key
    if key is None:
        raise error
    return Conflict(
        Text(f"{key.title.fr} : cette valeur est déjà prise.", f"{key.title.en}: this value is already taken."),
        Text("Donnez-en une autre, ou modifiez l'enregistrement qui la porte.",
             "Give another one, or change the record that has it."), place=key.name,
    )  # fmt: skip


class Writer:
    """Changes by one person for one reason. Get one from `Records.writer`."""

    def __init__(
        self, records: Host, c: Connection, who: Principal, reason: str, change_set: int | None
    ) -> None:
        self._records = records
        self.connection = c
        self.changes = 0  # made so far
        self._who = who
        self._reason = reason
        self.change_set = change_set
        self._made: dict[tuple[str, str], list[int]] = {}

    # --- What may be asked.

    def create(
        self, collection: str | Collection, values: Mapping[str, Any], geometry: Mapping[str, Any] | None = None,
        territory: str | None = None, person: int | None = None,
    ) -> Row:  # fmt: skip
        """Create one record; return it."""
        shelf = self._records.shelf(collection)
        (made,) = self.create_many(shelf, [draft(shelf.collection, values, geometry, territory, person)])
        return self._get(shelf, made)

    def create_many(self, shelf: Shelf, drafts: Sequence[Draft]) -> list[int]:
        """Write new records; return their ids. Raises `Conflict` when a key is taken."""
        if not drafts:
            return []
        keys = self._keys_for(shelf.collection, drafts)
        first = self._numbers(len(drafts))
        now = self._records.clock()
        rows, lines = [], []
        for record_id, one in enumerate(drafts, first):
            row, kept = self._stored(shelf.collection, record_id, one, keys.get(one.person or 0))
            rows.append({"_id": record_id, "_version": 1, "_territory": one.territory, "_created_us": now,
                         "_updated_us": now, "_author": self._who.id, "_person": one.person,
                         **_where(one.placed), **row})  # fmt: skip
            lines.append(self._line(record_id, shelf, record_id, 1, "create", now, {}, kept))
        try:
            insert_rows(self.connection, shelf.table, rows)
        except (IntegrityError, sqlite3.IntegrityError) as error:
            raise _taken(error, shelf.collection) from error
        insert_rows(self.connection, history, lines)
        return list(range(first, first + len(drafts)))

    def change(
        self, collection: str | Collection, record_id: int, values: Mapping[str, Any],
        geometry: Mapping[str, Any] | None = None, territory: str | None = None, person: int | None = None,
        version: int | None = None,
    ) -> Row:  # fmt: skip
        """Change the given fields of one record; return it. Nothing is written when nothing differs."""
        shelf = self._records.shelf(collection)
        stored = self._held(shelf, record_id, version)
        checked = checked_values(shelf.collection, values, creating=False)
        changed = self._differences(shelf, stored, checked, person)
        if geometry is not None:
            placed = place(geometry or None, shelf.collection.geometry)
            if (placed[0] if placed else None) != stored._geometry:
                changed.columns.update(_where(placed))
                changed.note("_geometry", geojson_of(stored._geometry), dict(geometry) or None)
        if territory is not None and territory != stored._territory:
            changed.columns["_territory"] = territory
            changed.note("_territory", stored._territory or None, territory or None)
        if changed.after:
            self._update(shelf, stored, changed, "update")
        return self._get(shelf, record_id)

    def delete(self, collection: str | Collection, record_id: int, version: int | None = None) -> Row:
        """Mark one record deleted; return it."""
        shelf = self._records.shelf(collection)
        stored = self._held(shelf, record_id, version)
        self._update(shelf, stored, _Changed({"_deleted_us": self._records.clock()}), "delete")
        return self._get(shelf, record_id)

    def restore(self, collection: str | Collection, record_id: int) -> Row:
        """Bring a deleted record back; return it. Raises `Conflict` when its key was taken since."""
        shelf = self._records.shelf(collection)
        self._update(
            shelf, self._held(shelf, record_id, None, gone=True), _Changed({"_deleted_us": None}), "restore"
        )
        return self._get(shelf, record_id)

    def keys_of(self, rows: Iterable[Any]) -> dict[int, bytes]:
        """Return the keys of the persons of some stored rows."""
        return self._records.keyring.keys(self.connection, (row._person for row in rows))

    def same(
        self, shelf: Shelf, stored: Any, given: Mapping[str, Any], made: Draft, keys: Mapping[int, bytes]
    ) -> bool:
        """True when putting the `given` values of a draft on a stored row would change nothing."""
        if made.placed is not None and made.placed[0] != stored._geometry:
            return False
        key, bound = keys.get(stored._person or 0), place_of(shelf.collection, stored._id)
        return all(
            from_column(f, stored._mapping[f.name], key, bound) == made.values[f.name]
            for f in shelf.collection.fields
            if f.name in given
        )

    def undo(self, change_set: int) -> list[Row]:
        """Take back the changes of `change_set`, the newest first; return the records as they are then."""
        made = select(history).where(history.c.change_set == change_set).order_by(history.c.seq.desc())
        lines = self.connection.execute(made).all()
        if not lines:
            raise NotFound(Text("Cette modification n'existe pas.", "There is no such change."))
        self.take_back(lines)
        return [row for name, ids in _ids_by_collection(lines).items() for row in self._rows(name, ids)]

    def take_back(self, lines: Sequence[Any], kept: list[Reject] | None = None) -> None:
        """Undo some lines of history, the newest first. With `kept`, what was changed since is noted there and left as
        it is, and what is gone already is passed over; else both raise."""
        for name, group in groupby(lines, key=lambda line: line.collection):
            shelf, some = self._records.shelf(name), list(group)
            done = self._undo_creations(shelf, some)
            for line in some:
                if line.record_id in done:
                    continue
                try:
                    self._undo_one(shelf, line)
                except Conflict as problem:
                    if kept is None:
                        raise
                    if self._is_back(line):
                        continue
                    kept.append(
                        Reject(f"{name}/{line.record_id}", problem.place, problem.reason, problem.mend)
                    )
                except NotFound:
                    if kept is None:
                        raise

    def _rows(self, name: str, ids: Sequence[int]) -> list[Row]:
        rows: list[Row] = []
        for start in range(0, len(ids), _CHUNK):
            some = Query(where={"_id": ids[start : start + _CHUNK]}, deleted=None, limit=_CHUNK)
            rows += self._records.find(name, some, c=self.connection).rows
        return rows

    def _undo_creations(self, shelf: Shelf, lines: Sequence[Any]) -> set[int]:
        """Delete at once the records that were only created in `lines` and never touched since; return their ids."""
        touched = {line.record_id for line in lines if line.action != "create"}
        created = [
            line.record_id for line in lines if line.action == "create" and line.record_id not in touched
        ]
        t, done = shelf.table, set[int]()
        for start in range(0, len(created) if len(created) > 1 else 0, _CHUNK):
            fresh = and_(
                t.c["_id"].in_(created[start : start + _CHUNK]),
                t.c["_version"] == 1,
                t.c["_deleted_us"].is_(None),
            )
            ids = list(self.connection.execute(select(t.c["_id"]).where(fresh)).scalars())
            if not ids:
                continue
            now, first = self._records.clock(), self._numbers(len(ids))
            gone = {"_deleted_us": now, "_updated_us": now, "_version": 2, "_author": self._who.id}
            self.connection.execute(update(t).where(fresh).values(**gone))
            deleted = [self._line(n, shelf, i, 2, "delete", now, {}, {}) for n, i in enumerate(ids, first)]
            insert_rows(self.connection, history, deleted)
            done.update(ids)
        return done

    def empty(self, shelf: Shelf, record_id: int, fields: Sequence[str], *, person: int | None) -> None:
        """Take personal values away for good (`erase` in history, which keeps nothing of them)."""
        t = shelf.table
        version = (
            self.connection.execute(select(t.c["_version"]).where(t.c["_id"] == record_id)).scalar_one() + 1
        )
        gone = {**dict.fromkeys(fields), "_person": person, "_version": version}
        self.connection.execute(update(t).where(t.c["_id"] == record_id).values(**gone))
        self.line(shelf, record_id, version, "erase")

    def line(self, shelf: Shelf, record_id: int, version: int, action: str) -> None:
        """Write a line of history that says only that something happened."""
        line = self._line(self._numbers(1), shelf, record_id, version, action, self._records.clock(), {}, {})
        insert_rows(self.connection, history, [line])

    def note(self) -> None:
        """Tell the audit what was done: once per collection and action, never a personal value."""
        if self._records.audit is None:
            return
        said: list[tuple[str, str, dict[str, Any]]] = []
        for (collection, action), ids in self._made.items():
            target = f"{collection}/{ids[0]}" if len(ids) == 1 else collection
            details: dict[str, Any] = {"change_set": self.change_set}
            if len(ids) > 1:
                details.update(count=len(ids), first=min(ids), last=max(ids))
            if self._reason:
                details["reason"] = self._reason
            said.append((f"record.{action}", target, details))
        self._records.audit(self.connection, self._who, said)

    # --- How.

    def _numbers(self, n: int) -> int:
        first = self._records.house.next(self.connection, n)
        if self.change_set is None:
            self.change_set = first
        return first

    def _get(self, shelf: Shelf, record_id: int) -> Row:
        return self._records.get(shelf.collection.name, record_id, deleted=None, c=self.connection)

    def _held(self, shelf: Shelf, record_id: int, version: int | None, *, gone: bool = False) -> Stored[Any]:
        t = shelf.table
        found = self.connection.execute(
            select(t).where(t.c["_id"] == record_id).with_for_update()
        ).one_or_none()
        if found is None or (found._deleted_us is not None) != gone:
            raise missing(shelf.collection, record_id)
        if version is not None and version != found._version:
            raise _stale(found, f"≠ {version}")
        return found

    def _keys_for(self, collection: Collection, drafts: Sequence[Draft]) -> dict[int, bytes]:
        """Give each draft with personal values a person, and return the persons' keys."""
        personal = [f.name for f in collection.personal]
        if not personal:
            return {}
        known = self._records.keyring.keys(self.connection, (d.person for d in drafts))
        new = [d for d in drafts if d.person not in known and any(d.values[n] is not None for n in personal)]
        if new:
            first = self._records.house.next(self.connection, len(new))
            for person, one in enumerate(new, first):
                one.person = person
            known.update(self._records.keyring.new(self.connection, range(first, first + len(new))))
        return known

    def _stored(
        self, collection: Collection, record_id: int, one: Draft, key: bytes | None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the columns of a new record and what history keeps of it."""
        bound = place_of(collection, record_id)
        row: dict[str, Any] = dict.fromkeys(collection.names)
        kept: dict[str, Any] = {}
        for name, value in one.values.items():
            if value is not None:
                field = collection.field(name)
                assert field is not None
                if field.kind in AS_IT_IS and field.personal is None:
                    row[name] = kept[name] = value
                    continue
                row[name] = stored = to_column(field, value, key, bound)
                kept[name] = to_history(field, value, stored)
        if one.geometry is not None:
            kept["_geometry"] = one.geometry
        if one.territory:
            kept["_territory"] = one.territory
        return row, kept

    def _differences(
        self, shelf: Shelf, stored: Stored[Any], checked: Mapping[str, Any], person: int | None
    ) -> "_Changed":
        collection, bound = shelf.collection, place_of(shelf.collection, stored._id)
        changed = _Changed({})
        held = person if person is not None else stored._person
        key = self._records.keyring.keys(self.connection, [held]).get(held or 0)
        for name, value in checked.items():
            field = collection.field(name)
            assert field is not None
            old = stored._mapping[name]
            if from_column(field, old, key, bound) == value:
                continue
            if field.personal is not None and value is not None and key is None:
                held = self._records.house.next(self.connection, 1)
                key = self._records.keyring.new(self.connection, [held])[held]
            changed.columns[name] = column = to_column(field, value, key, bound)
            before = from_column(field, old, None, bound) if field.personal is None else None
            changed.note(name, to_history(field, before, old), to_history(field, value, column))
        if held != stored._person:
            changed.columns["_person"] = held
        return changed

    def _update(self, shelf: Shelf, stored: Stored[Any], changed: "_Changed", action: str) -> None:
        now, version = self._records.clock(), stored._version + 1
        own = {"_version": version, "_updated_us": now, "_author": self._who.id}
        same = and_(shelf.table.c["_id"] == stored._id, shelf.table.c["_version"] == stored._version)
        try:
            done = self.connection.execute(update(shelf.table).where(same).values(**own, **changed.columns))
        except IntegrityError as error:
            raise _taken(error, shelf.collection) from error
        if done.rowcount != 1:
            raise _stale(stored, "…")
        line = self._line(
            self._numbers(1), shelf, stored._id, version, action, now, changed.before, changed.after
        )
        insert_rows(self.connection, history, [line])

    def _line(
        self, seq: int, shelf: Shelf, record_id: int, version: int, action: str, now: int,
        before: Mapping[str, Any], after: Mapping[str, Any],
    ) -> dict[str, Any]:  # fmt: skip
        self.changes += 1
        self._made.setdefault((shelf.collection.name, action), []).append(record_id)
        return {
            "seq": seq, "collection": shelf.collection.name, "record_id": record_id, "version": version,
            "action": action, "at_us": now, "author": self._who.id, "reason": self._reason,
            "change_set": self.change_set, "before": msgspec.json.encode(before).decode() if before else None,
            "after": msgspec.json.encode(after).decode() if after else None,
        }  # fmt: skip

    # --- Undo.

    def _undo_one(self, shelf: Shelf, line: Any) -> None:
        if line.action == "delete":
            self.restore(shelf.collection, line.record_id)
        elif line.action == "restore":
            self.delete(shelf.collection, line.record_id)
        elif line.action == "create":
            stored = self._held(shelf, line.record_id, None)
            if stored._version != line.version and self._changed_by_others(line):
                raise _stale(stored, "≠ 1")
            self.delete(shelf.collection, line.record_id)
        elif line.action == "update":
            self._undo_update(shelf, line)
        else:
            raise Problem(
                Text("Un effacement ne s'annule pas.", "An erasure cannot be undone."), place=str(line.seq)
            )

    def _is_back(self, line: Any) -> bool:
        """True when this change set took the record back already, in an earlier transaction."""
        mine = select(history.c.seq).where(
            history.c.collection == line.collection, history.c.record_id == line.record_id,
            history.c.change_set == (self.change_set or -1),
        )  # fmt: skip
        return self.connection.execute(mine.limit(1)).first() is not None

    def _changed_by_others(self, line: Any) -> bool:
        """True when the record was changed by a change set other than the one undone and this undoing."""
        others = select(history.c.seq).where(
            history.c.collection == line.collection, history.c.record_id == line.record_id,
            history.c.change_set.not_in({line.change_set, self.change_set or 0}), history.c.seq > line.seq,
        )  # fmt: skip
        return self.connection.execute(others.limit(1)).first() is not None

    def _undo_update(self, shelf: Shelf, line: Any) -> None:
        stored = self._held(shelf, line.record_id, None)
        before, after = (msgspec.json.decode(kept) if kept else {} for kept in (line.before, line.after))
        current = {old: new for new, old in shelf.collection.renamed.items()}
        key = self._records.keyring.keys(self.connection, [stored._person]).get(stored._person or 0)
        bound = place_of(shelf.collection, line.record_id)
        now = self._get(shelf, line.record_id)
        values: dict[str, Any] = {}
        for name, was in after.items():
            field = shelf.collection.field(current.get(name, name))
            if field is None:
                continue
            if now.values[field.name] != from_history(field, was, key, bound):
                raise _stale(stored, field.name)
            values[field.name] = from_history(field, before.get(name), key, bound)
        geometry = (before.get("_geometry") or {}) if "_geometry" in after else None
        territory = (before.get("_territory") or "") if "_territory" in after else None
        if "_geometry" in after and now.geometry != after["_geometry"]:
            raise _stale(stored, "geometry")
        self.change(shelf.collection, line.record_id, values, geometry, territory)


def _ids_by_collection(lines: Iterable[Any]) -> dict[str, list[int]]:
    found: dict[str, dict[int, None]] = {}
    for line in reversed(list(lines)):
        found.setdefault(line.collection, {})[line.record_id] = None
    return {name: list(ids) for name, ids in found.items()}


class _Changed:
    """The columns to set, and what history keeps of them before and after."""

    def __init__(self, columns: dict[str, Any]) -> None:
        self.columns = columns
        self.before: dict[str, Any] = {}
        self.after: dict[str, Any] = {}

    def note(self, name: str, before: Any, after: Any) -> None:
        self.before[name] = before
        self.after[name] = after
