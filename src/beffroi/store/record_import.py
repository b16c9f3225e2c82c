"""Many records at once: from entries to stored, unchanged and rejected ones, under one change set."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from beffroi.model.collection import Collection, Field
from beffroi.model.principal import SYSTEM, Principal
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.store.record import Entry, Outcome, Query, Reject
from beffroi.store.record_writer import Draft, Writer, draft
from beffroi.store.records import Records, Shelf
from beffroi.store.tables import history, territory

__all__ = ["Undone", "at_home", "linked", "take", "take_back", "would_take"]

_CHUNK = 2000  # entries in one transaction: other writers wait for its end
_LOG = 10  # transactions between two passes over the log
_IN = 400


def take(
    records: Records, collection: str | Collection, entries: Iterable[Entry | Reject], *, who: Principal, reason: str = "",
    progress: Callable[[Outcome], None] | None = None, change_set: int = 0,
) -> Outcome:  # fmt: skip
    """Store many records and return what became of each.

    An entry whose key is already in its territory changes that record (or is counted unchanged); without a key
    it is a new record. A reference may be given by the key of its record (a text), looked for in the entry's
    territory, then in the others. Wrong entries are rejected one by one, never the whole; a `Reject` given
    (a row that could not even be read) is counted with them. Work is committed every two thousand
    entries, all under `Outcome.change_set` (a number taken before, or a fresh one), so that `take_back` takes the
    import back as one.
    """
    shelf = records.shelf(collection)
    outcome = Outcome(change_set)
    seen: dict[tuple[str, Any], str] = {}
    for n, chunk in enumerate(_chunks(entries), 1):
        for generation in _generations(shelf.collection, chunk):
            ready = _linked(records, shelf.collection, generation)
            drafts = [
                d for d in (_drafted(shelf.collection, e, seen, outcome) for e in ready) if d is not None
            ]
            with records.writer(who, reason, outcome.change_set or None, many=True) as writer:
                _store(shelf, writer, drafts, outcome)
            outcome.change_set = outcome.change_set or writer.change_set or 0
        if n % _LOG == 0:
            records.house.checkpoint()
        if progress is not None:
            progress(outcome)
    records.house.checkpoint()
    return outcome


def at_home(
    records: Records, collection: Collection, entries: Iterable[Entry | Reject], who: Principal
) -> Iterator[Entry | Reject]:
    """Give a commune to the entries that name none: that of who brings them, else the town's only one.

    A record that was stored without a commune under the same key is still the one that an entry changes: importing again
    doubles nothing.
    """
    home = who.territories[0] if who.territories else _only_commune(records)
    if not home:
        yield from entries
        return
    key = collection.key
    held = records.collections.get(collection.name)
    homeless = held is not None and bool(records.find(held, Query(territories=("",), limit=1)).rows)
    for chunk in _chunks(entries):
        bare = [e for e in chunk if isinstance(e, Entry) and not e.territory]
        stored: Mapping[str, Mapping[str, int]] = {}
        if homeless and key is not None and bare:
            keys = {v for e in bare if isinstance(v := e.values.get(key.name), str)}
            stored = records.ids_by_key(collection.name, keys)
        for entry in chunk:
            known = (
                stored.get(str(entry.values.get(key.name)), {}) if key and isinstance(entry, Entry) else {}
            )
            stays = isinstance(entry, Reject) or bool(entry.territory) or "" in known
            yield entry if stays else msgspec.structs.replace(entry, territory=home)


def _only_commune(records: Records) -> str | None:
    """Return the code of the only commune of the town, None when it has several, or none."""
    with records.house.read() as c:
        communes = (
            c.execute(select(territory.c.code).where(territory.c.kind == "commune").limit(2)).scalars().all()
        )
    return communes[0] if len(communes) == 1 else None


class Undone(msgspec.Struct):
    """What taking a change set back did: under which number, how many changes, and the records that others changed
    since, which stay as they are."""

    change_set: int
    changes: int = 0
    kept: list[Reject] = []


def take_back(
    records: Records, change_set: int, *, who: Principal, reason: str = "", into: int = 0,
    progress: Callable[[Undone], None] | None = None,
) -> Undone:  # fmt: skip
    """Take back a change set of any size, two thousand changes a transaction, the newest first.

    Taken up again (with the number `into` of the first time), it goes on where it ended: what is back is left alone.
    """
    h = history.c
    undone = Undone(into, kept=[])
    before = None
    while True:
        some = select(history).where(h.change_set == change_set).order_by(h.seq.desc()).limit(_CHUNK)
        with records.house.read() as c:
            lines = c.execute(some if before is None else some.where(h.seq < before)).all()
        if not lines:
            break
        before = lines[-1].seq
        with records.writer(who, reason, undone.change_set or None, many=True) as writer:
            writer.take_back(lines, undone.kept)
        undone.change_set = undone.change_set or writer.change_set or 0
        undone.changes += len(lines)
        if progress is not None:
            progress(undone)
    records.house.checkpoint()
    return undone


def _chunks(entries: Iterable[Entry | Reject]) -> Iterator[list[Entry | Reject]]:
    source = iter(entries)
    while chunk := list(islice(source, _CHUNK)):
        yield chunk


def linked(
    records: Records, collection: Collection, entries: Iterable[Entry | Reject]
) -> Iterator[Entry | Reject]:
    """Yield the entries, the keys that their references hold replaced by ids; an unknown key is a reject."""
    for chunk in _chunks(entries):
        yield from _linked(records, collection, chunk)


def _generations(collection: Collection, chunk: list[Entry | Reject]) -> Iterator[list[Entry | Reject]]:
    """Yield the entries of a chunk, parents before the children that name them by their key."""
    key = collection.key
    upward = [f.name for f in collection.fields if f.reference == collection.name]
    if key is None or not upward:
        yield chunk
        return
    waiting = chunk
    while waiting:
        coming = {e.values.get(key.name) for e in waiting if isinstance(e, Entry)}
        later = [
            e
            for e in waiting
            if isinstance(e, Entry) and any(e.values.get(n) in coming for n in upward if e.values.get(n))
        ]
        if len(later) == len(waiting):  # a circle: each is told that its parent is not known
            yield waiting
            return
        held = {id(e) for e in later}
        yield [e for e in waiting if id(e) not in held]
        waiting = list(later)


def _linked(records: Records, collection: Collection, chunk: list[Entry | Reject]) -> list[Entry | Reject]:
    for field in collection.fields:
        if not field.reference:
            continue
        named = {
            e.values[field.name]
            for e in chunk
            if isinstance(e, Entry) and isinstance(e.values.get(field.name), str) and e.values[field.name]
        }
        if named:
            known = records.ids_by_key(field.reference, named)
            chunk = [_link(e, field, known) if isinstance(e, Entry) else e for e in chunk]
    return chunk


def _link(entry: Entry, field: Field, known: Mapping[str, Mapping[str, int]]) -> Entry | Reject:
    name = entry.values.get(field.name)
    if not isinstance(name, str):
        return entry
    found = known.get(name, {})
    target = found.get(entry.territory or "", next(iter(found.values()), None))
    if target is None and name.isascii() and name.isdigit():
        target = int(name)  # what our own export writes
    if target is None and name:
        reason = Text(
            f"{field.title.fr} : « {name[:60]} » n'est pas connu.",
            f"{field.title.en}: '{name[:60]}' is not known.",
        )
        mend = Text("Importez-le d'abord, ou corrigez son identifiant.", "Import it first, or mend its key.")
        return Reject(entry.place, field.name, reason, mend)
    return msgspec.structs.replace(entry, values={**entry.values, field.name: target})


def _reject(outcome: Outcome, place: str, problem: Problem) -> None:
    outcome.rejects.append(Reject(place, problem.place, problem.reason, problem.mend))


def _drafted(
    collection: Collection, entry: Entry | Reject, seen: dict[tuple[str, Any], str], outcome: Outcome
) -> tuple[Entry, Draft] | None:
    if isinstance(entry, Reject):
        outcome.rejects.append(entry)
        return None
    try:
        made = draft(collection, entry.values, entry.geometry, entry.territory)
        key = collection.key
        value = made.values[key.name] if key is not None else None
        if key is not None and value is not None:
            first = seen.setdefault((made.territory, value), entry.place)
            if first != entry.place:
                raise Problem(
                    Text(f"{key.title.fr} : « {value} » est déjà dans ce fichier ({first}).",
                         f"{key.title.en}: '{value}' is already in this file ({first})."),
                    Text("Gardez une seule des deux lignes.", "Keep only one of the two lines."), place=key.name,
                )  # fmt: skip
    except Problem as problem:
        _reject(outcome, entry.place, problem)
        return None
    return entry, made


def would_take(
    records: Records, collection: Collection, entries: Iterable[Entry | Reject],
    progress: Callable[[Outcome], None] | None = None,
) -> Outcome:  # fmt: skip
    """Say what `take` would do, changing nothing; `collection` may be one that is not declared yet, or that has fields
    which the declared one has not."""
    outcome = Outcome(0)
    held = records.collections.get(collection.name)
    seen: dict[tuple[str, Any], str] = {}
    for chunk in _chunks(linked(records, collection, entries)):
        made = [d for d in (_drafted(collection, e, seen, outcome) for e in chunk) if d is not None]
        if held is None or held.key is None:
            outcome.created += len(made)
        else:
            _compare(records, held, made, outcome)
        if progress is not None:
            progress(outcome)
    return outcome


def _compare(
    records: Records, collection: Collection, drafts: list[tuple[Entry, Draft]], outcome: Outcome
) -> None:
    shelf = records.shelf(collection)
    key = shelf.collection.key
    assert key is not None
    with records.house.read() as connection:
        known = _known(shelf, connection, drafts)
        writer = Writer(records, connection, SYSTEM, "", None)
        keys = writer.keys_of(known.values())
        for entry, made in drafts:
            held = known.get((made.territory, made.values[key.name]))
            own = {n: v for n, v in entry.values.items() if shelf.collection.field(n) is not None}
            wide = len(own) < len(entry.values)  # a field that is yet to be made
            if held is None:
                outcome.created += 1
            elif not wide and writer.same(shelf, held, own, made, keys):
                outcome.unchanged += 1
            else:
                outcome.updated += 1


def _known(
    shelf: Shelf, connection: Connection, drafts: list[tuple[Entry, Draft]]
) -> dict[tuple[str, Any], Any]:
    """Return the stored rows of the live records that have the drafts' keys."""
    key = shelf.collection.key
    if key is None:
        return {}
    t = shelf.table
    wanted = [d.values[key.name] for _, d in drafts if d.values[key.name] is not None]
    places = {d.territory for _, d in drafts}
    found: dict[tuple[str, Any], Any] = {}
    for start in range(0, len(wanted), _IN):
        some = select(t).where(
            t.c["_territory"].in_(places),
            t.c[key.name].in_(wanted[start : start + _IN]),
            t.c["_deleted_us"].is_(None),
        )
        found.update({(row._territory, row._mapping[key.name]): row for row in connection.execute(some)})
    return found


def _store(shelf: Shelf, writer: Writer, drafts: list[tuple[Entry, Draft]], outcome: Outcome) -> None:
    key = shelf.collection.key
    known = _known(shelf, writer.connection, drafts)
    keys = writer.keys_of(known.values())
    new = []
    for entry, made in drafts:
        held = known.get((made.territory, made.values[key.name])) if key is not None else None
        if held is None:
            new.append(made)
        elif writer.same(shelf, held, entry.values, made, keys):
            outcome.unchanged += 1
        else:
            writer.change(shelf.collection, held._id, entry.values, entry.geometry)
            outcome.updated += 1
    outcome.created += len(writer.create_many(shelf, new))
