"""Taking a brought file in, saying what that would change, and taking it back: long work that is leased, tells how far it
is, and goes on where a killed process left it."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Self

import msgspec
from sqlalchemy import func, select

from beffroi.intake.bringing.brought import (
    WAITING,
    Brought,
    Difference,
    Found,
    Plan,
    Trouble,
    advance,
    claim,
    folder_of,
    forget,
    home_of,
    mapping_for,
    mapping_of,
    remember,
    save,
    shape_of,
)
from beffroi.intake.bringing.known import (
    compare_records,
    count,
    fits,
    kind_planned,
    offered,
    options_of,
    plan_for,
    recognised,
    store_records,
    why_not,
)
from beffroi.intake.bringing.matching import into, proposed, title_of
from beffroi.intake.bringing.reading import path_of, read_file
from beffroi.intake.bringing.rows import check_home, collection_of, entries, kind_of_measures
from beffroi.intake.files import ImportReport, import_files
from beffroi.intake.identify import Entrance
from beffroi.intake.take import Intake
from beffroi.model.collection import OWN, Collection
from beffroi.model.declaration import KindOfImport
from beffroi.model.principal import Principal
from beffroi.model.problem import Forbidden, Problem, Unavailable
from beffroi.model.text import Text
from beffroi.standards.inferring import MADE_KEY, slug
from beffroi.store import catalogue, record_import
from beffroi.store.open import Store
from beffroi.store.record import Outcome
from beffroi.store.record import Reject as RecordReject
from beffroi.store.tables import brought, datastream, history, latest, thing
from beffroi.store.versions import By

__all__ = ["Rejected", "carry_on", "rejects_of", "work_on", "work_through"]

log = logging.getLogger(__name__)
_SAID_EVERY_S = 0.5
_MOST_REJECTS = 100_000
_MOST_TRIES = 5
_IN = 400
_BROKEN = Trouble(
    Text("Beffroi n'a pas su traiter ce fichier.", "Beffroi could not work on this file."),
    Text("L'erreur est notée dans le journal du serveur. Ce qui est déjà enregistré peut être annulé.",
         "The error is in the server's log. What is stored already can be undone."),
)  # fmt: skip


class Rejected(msgspec.Struct, frozen=True):
    """One refused row, as its report keeps it."""

    place: str
    field: str
    reason: Text
    mend: Text


def carry_on(intake: Intake) -> Brought | None:
    """Do the work that the oldest brought file waits for; None when there is none."""
    one = claim(intake.store)
    return None if one is None else work_on(intake, one)


def work_on(intake: Intake, one: Brought) -> Brought:
    """Do the work of a brought file that is leased to the caller; return it as it is then.

    What goes wrong is kept with it; a store that cannot write is tried again when the lease has ended.
    """
    store = intake.store
    one.work.tried += 1
    try:
        _WORK[one.state](intake, one)
        one.work.tried = 0
    except Unavailable as problem:
        if one.work.tried < _MOST_TRIES:
            advance(store, one, one.work.done, one.work.whole)
            return one
        _fail(store, one, Trouble(problem.reason, problem.mend, problem.place))
    except Problem as problem:
        _fail(store, one, Trouble(problem.reason, problem.mend, problem.place))
    except Exception:
        log.exception("the work on the brought file %d failed", one.id)
        _fail(store, one, _BROKEN)
    return one


def _fail(store: Store, one: Brought, trouble: Trouble) -> None:
    """Keep what went wrong: a file that was read can be corrected, what was being stored can be taken back."""
    one.work.trouble = trouble
    if one.state == "undoing" or (one.state == "importing" and one.work.change_set):
        one.state = "imported"
    elif one.state in ("comparing", "importing") or (one.state == "reading" and one.work.found is not None):
        one.state = "read"
    else:
        one.state = "failed"
    save(store, one)


# --- Reading.


def _read(intake: Intake, one: Brought) -> None:
    store, work = intake.store, one.work
    found = _found(intake, one)
    first = work.found is None
    known = None if work.found is None else {c.name for c in work.found.columns}
    if first:  # as it is guessed before any correction: so next month's file will be, too
        ending = Path(one.name).suffix.lower() if work.kind == "known" else found.layer
        one.shape = shape_of(work.kind, found.columns, ending)
    work.found, work.trouble, work.difference = found, None, None
    mapping = None
    if first:
        mapping = mapping_of(store, work.adopted) if work.adopted else mapping_for(store, one.shape, one.name, work.who)  # fmt: skip
    if mapping is not None and _holds(intake, one, mapping.plan):
        one.mapping_id = mapping.id
        work.plan = msgspec.structs.replace(mapping.plan, gone="keep")
        if mapping.corrections != work.corrections:
            work.corrections = mapping.corrections
            work.found = _found(intake, one)
        one.state = "comparing"
        _compare(intake, one)
        return
    if known != {c.name for c in found.columns}:
        work.plan = _proposed(intake, one, found)
    one.state = "read"
    save(store, one)


def _found(intake: Intake, one: Brought) -> Found:
    """Return what a file holds as a table or a layer; what is neither is read as a kind that can. Raises `Problem`."""
    store, work = intake.store, one.work
    told = _Telling(store, one)
    if work.kind != "known":
        try:
            return read_file(store, path_of(store, one), work.kind, work.corrections, lambda n: told(n, 0))
        except Problem:
            if fits(store, one, offered(intake, one.name, work.who)) is None:
                raise
            work.kind = "known"
    if work.plan.target != "known":
        mine = offered(intake, one.name, work.who)
        asked = [kind for kind in mine if work.asked == f"known/{kind.name}"]
        kind = fits(store, one, asked or mine)
        if kind is None:
            raise why_not(store, one, asked or mine)
        work.plan = plan_for(kind, title_of(one.name), work.plan)
    return count(store, one, kind_planned(intake, one), lambda n: told(n, 0))


def _holds(intake: Intake, one: Brought, plan: Plan) -> bool:
    """True when what a remembered plan is for is still there, and nobody asked for something else."""
    if one.work.asked not in ("", f"known/{plan.known}", f"collection/{plan.collection}"):
        return False
    if plan.target == "known":
        return any(kind.name == plan.known for kind in offered(intake, one.name, one.work.who))
    return plan.target == "measures" or plan.collection in intake.store.records.collections


def _proposed(intake: Intake, one: Brought, found: Found) -> Plan:
    """Return what a file is for: what its bringer said, else what it seems to be."""
    work, title = one.work, title_of(one.name)
    if found.kind == "known":
        return work.plan
    kinds = offered(intake, one.name, work.who)
    collections = intake.store.records.collections
    mine = [c for c in collections.values() if c.writable(work.who) and c.readable(work.who)]
    said, _, name = work.asked.partition("/")
    if said == "collection" and (held := next((c for c in mine if c.name == name), None)) is not None:
        return into(found, held)
    kind = next((k for k in kinds if said == "known" and k.name == name), None) or recognised(found, kinds)
    return plan_for(kind, title) if kind is not None else proposed(found, one.name, mine)


class _Telling:
    """Keeps how far the work is, twice a second at most."""

    def __init__(self, store: Store, one: Brought) -> None:
        self.store, self.one, self.last_s = store, one, time.monotonic()

    def __call__(self, done: int, whole: int) -> None:
        if time.monotonic() - self.last_s >= _SAID_EVERY_S:
            self.last_s = time.monotonic()
            advance(self.store, self.one, done, whole)


# --- Comparing: what an import would change.


def _compare(intake: Intake, one: Brought) -> None:
    store, work = intake.store, one.work
    assert work.found is not None
    told = _Telling(store, one)
    if (readings := _readings(intake, one)) is not None:
        report = import_files(
            intake, readings, [path_of(store, one)], options_of(one), dry=True,
            progress=lambda _p, _s, done, whole: told(done, whole),
        )  # fmt: skip
        work.difference = Difference(report.stored, 0, report.unchanged, report.rejected)
        with _Report(store, one) as kept:
            kept.write(RecordReject(f"line {r.line}", r.field, r.reason, r.mend) for r in report.rejects)
    elif work.plan.target == "known":
        with _Report(store, one) as refused:
            work.difference = compare_records(
                store, one, kind_planned(intake, one), _each(refused, told, work.found.rows)
            )
    else:
        collection, fields, new = collection_of(store, one)
        if not work.plan.prefix:
            work.plan = msgspec.structs.replace(
                work.plan, prefix=collection.name if new else slug(Path(one.name).stem)
            )
        keys: set[Any] = set()
        rows = record_import.at_home(
            store.records, collection, entries(store, one, collection, fields, keys.add), work.who
        )
        with _Report(store, one) as refused:
            outcome = record_import.would_take(
                store.records, collection, rows, _each(refused, told, work.found.rows)
            )
        gone = 0 if new else len(_gone(store, one, collection, keys))
        work.difference = Difference(
            outcome.created, outcome.updated, outcome.unchanged, outcome.rejected, gone
        )
    one.state, work.trouble = "read", None
    save(store, one)


def _readings(intake: Intake, one: Brought) -> KindOfImport | None:
    """Return how the rows of a file are read as observations; None when they become records. Raises `Problem`."""
    if one.work.plan.target == "measures":
        return kind_of_measures(intake.store, one)
    if one.work.plan.target != "known":
        return None
    kind = kind_planned(intake, one)
    if kind.collections:
        return None
    check_home(one)
    return kind


def _each(refused: "_Report", told: _Telling, whole: int) -> Callable[[Outcome], None]:
    """Return what is to be done each time some rows are."""

    def so_far(outcome: Outcome) -> None:
        refused.take(outcome)
        told(outcome.read, whole)

    return so_far


def _gone(store: Store, one: Brought, collection: Collection, keys: set[Any]) -> list[int]:
    """Return the records that earlier files of this shape brought for the same commune, live still, whose keys this file
    does not have."""
    key = collection.key
    earlier = _earlier(store, one)
    if key is None or key.name == MADE_KEY or not earlier:
        return []
    t, home = store.records.shelf(collection.name).table, home_of(one.work.plan, one.work.who)
    made = select(history.c.record_id).where(
        history.c.collection == collection.name,
        history.c.action == "create",
        history.c.change_set.in_(earlier),
    )
    live = select(t.c["_id"], t.c[key.name]).where(t.c["_deleted_us"].is_(None), t.c["_id"].in_(made))
    if home:  # what moved to a neighbour since is the neighbour's
        live = live.where(t.c["_territory"] == home)
    with store.read() as c:
        return [number for number, own in c.execute(live) if own not in keys]


class _Earlier(msgspec.Struct):
    who: Principal
    plan: Plan
    change_set: int = 0


def _earlier(store: Store, one: Brought) -> list[int]:
    """Return the change sets of earlier files of this shape, for the same commune, that were not taken back."""
    same = select(brought.c.told).where(
        brought.c.shape == one.shape, brought.c.id != one.id, brought.c.state == "imported"
    )
    with store.read() as c:
        told = [msgspec.json.decode(row, type=_Earlier) for row in c.execute(same).scalars()]
    home, held = home_of(one.work.plan, one.work.who), one.work.plan.collection
    return [
        t.change_set
        for t in told
        if t.change_set and t.plan.collection == held and home_of(t.plan, t.who) == home
    ]


# --- Importing.


def _import(intake: Intake, one: Brought) -> None:
    store, work = intake.store, one.work
    work.began_us = work.began_us or store.clock()
    if (readings := _readings(intake, one)) is not None:
        _import_measures(intake, one, readings)
    elif work.plan.target == "known":
        _import_known(store, one, kind_planned(intake, one))
    else:
        _import_records(store, one)
    one.state, work.trouble = "imported", None
    assert work.outcome is not None
    if work.outcome.created + work.outcome.updated + work.outcome.unchanged:
        plan = work.plan if work.plan.target != "new" else _again(store, work.plan, work.plan.collection)
        remember(store, one, msgspec.structs.replace(plan, gone="keep"))
    with store.write() as c:
        save(store, one, c)
        detail = {"file": work.sha256, "change_set": work.change_set, **msgspec.structs.asdict(work.outcome)}
        store.audit.note(c, work.who, "file.import", f"brought/{one.id}", detail)
    path_of(store, one).unlink(missing_ok=True)


def _again(store: Store, plan: Plan, name: str) -> Plan:
    """Return what next month's file is for: the collection that this one made."""
    kept = dict.fromkeys(plan.fields, "") | _names_of(plan, store.records.collections[name])
    return msgspec.structs.replace(plan, target="collection", collection=name, fields=kept)


def _names_of(plan: Plan, made: Collection) -> dict[str, str]:
    """Return the field that each kept column became: they were declared in the order of the columns."""
    columns = [c for c, to in plan.fields.items() if to]
    return dict(zip(columns, (f.name for f in made.fields if f.name != MADE_KEY), strict=False))


def _import_records(store: Store, one: Brought) -> None:
    work = one.work
    assert work.found is not None
    collection, fields, new = collection_of(store, one)
    if work.plan.gone == "delete" and not collection.deletable(work.who):
        raise Forbidden(Text("Vous ne pouvez pas supprimer dans cette collection.", "You may not delete in this collection."),
                        Text("Gardez les enregistrements disparus du fichier.", "Keep the records that are gone from the file."))  # fmt: skip
    if (
        not work.change_set
    ):  # its name and number first: begun again, it is the same collection and the same change
        with store.write() as c:
            work.change_set = store.next(c)
        work.new_collection = new
        prefix = work.plan.prefix or (collection.name if new else slug(Path(one.name).stem))
        work.plan = msgspec.structs.replace(work.plan, collection=collection.name, prefix=prefix)
        save_running(store, one)
    if collection.service == OWN:
        store.records.declare_own(collection)
    told = _Telling(store, one)
    keys: set[Any] = set()
    whole = work.found.rows + work.found.unread
    wanted: Callable[[Any], None] = keys.add if work.plan.gone == "delete" else (lambda _key: None)
    rows = record_import.at_home(
        store.records, collection, entries(store, one, collection, fields, wanted), work.who
    )
    with _Report(store, one) as report:
        outcome = record_import.take(
            store.records, collection.name, rows, who=work.who, reason=one.name,
            progress=_each(report, told, whole), change_set=work.change_set,
        )  # fmt: skip
    gone = _gone(store, one, collection, keys) if work.plan.gone == "delete" else []
    for start in range(0, len(gone), _IN):
        with store.records.writer(work.who, one.name, work.change_set, many=True) as writer:
            for number in gone[start : start + _IN]:
                writer.delete(collection, number)
    created, updated = outcome.created, outcome.updated
    if work.tried > 1:  # a killed process stored some of them before
        created, updated = (_made_by(store, work.change_set, action) for action in ("create", "update"))
    unchanged = outcome.read - outcome.rejected - created - updated
    work.outcome = Difference(created, updated, unchanged, outcome.rejected, len(gone))


def _import_known(store: Store, one: Brought, kind: KindOfImport) -> None:
    work = one.work
    if not work.change_set:
        with store.write() as c:
            work.change_set = store.next(c)
        save_running(store, one)
    whole = work.found.rows if work.found is not None else 0
    with _Report(store, one) as report:
        done = store_records(store, one, kind, _each(report, _Telling(store, one), whole))
    if work.tried > 1:  # a killed process stored some of them before
        made, changed = (_made_by(store, work.change_set, action) for action in ("create", "update"))
        same = done.created + done.updated + done.unchanged - made - changed
        done = Difference(made, changed, max(0, same), done.rejected)
    work.outcome = done


def _made_by(store: Store, change_set: int, action: str) -> int:
    mine = select(func.count()).where(history.c.change_set == change_set, history.c.action == action)
    with store.read() as c:
        return int(c.execute(mine).scalar_one())


def _import_measures(intake: Intake, one: Brought, kind: KindOfImport) -> None:
    store, work = intake.store, one.work
    again = work.fresh != (0, 0)
    if not again:
        with store.read() as c:
            highest = [
                c.execute(select(func.coalesce(func.max(t.c.id), 0))).scalar_one()
                for t in (datastream, thing)
            ]
        work.fresh = (highest[0] + 1, highest[1] + 1)
        save_running(store, one)
    told = _Telling(store, one)
    report: ImportReport = import_files(
        intake, kind, [path_of(store, one)], options_of(one), progress=lambda _p, _s, done, whole: told(done, whole),
        door=Entrance(work.plan.public, home_of(work.plan, work.who) or None), again=again,
        told={"file": one.name, "brought": one.id},
    )  # fmt: skip
    work.series = tuple(sorted(report.datastreams))
    with _Report(store, one) as kept:
        kept.write(RecordReject(f"line {r.line}", r.field, r.reason, r.mend) for r in report.rejects)
    stored = report.stored
    if work.tried > 1:
        stored = sum(n for _, n, _ in store.provenance.brought_by("file", "brought", one.id, work.began_us))
    work.outcome = Difference(stored, 0, report.read - report.rejected - stored, report.rejected)


def save_running(store: Store, one: Brought) -> None:
    """Keep what is known so far, the lease held."""
    advance(store, one, one.work.done, one.work.whole)


# --- Taking back.


def _undo(intake: Intake, one: Brought) -> None:
    store, work = intake.store, one.work
    told = _Telling(store, one)
    reason = f"annulation de « {one.name} »"
    if not work.change_set:  # of the records that it brought: it brought measurements
        work.taken_back = _undo_measures(store, one, reason, told)
    else:
        if not work.undo_set:
            with store.write() as c:
                work.undo_set = store.next(c)
            save_running(store, one)
        whole = 0 if work.outcome is None else work.outcome.created + work.outcome.updated + work.outcome.gone
        undone = record_import.take_back(
            store.records, work.change_set, who=work.who, reason=reason, into=work.undo_set,
            progress=lambda so_far: told(so_far.changes, whole),
        )  # fmt: skip
        work.taken_back, work.kept = undone.changes - len(undone.kept), len(undone.kept)
    one.state, work.trouble = "undone", None
    with store.write() as c:
        save(store, one, c)
        detail = {
            "change_set": work.change_set,
            "by": work.undo_set,
            "taken_back": work.taken_back,
            "kept": work.kept,
        }
        store.audit.note(c, work.who, "file.undo", f"brought/{one.id}", detail)


def _undo_measures(store: Store, one: Brought, reason: str, told: Callable[[int, int], None]) -> int:
    runs = sorted(store.provenance.brought_by("file", "brought", one.id, one.work.began_us))
    whole, done = sum(n for _, n, _ in runs), 0
    by = By(one.work.who.id, reason)
    for first, n, _source in runs:
        for start in range(first, first + n, _IN):
            done += store.observations.delete(range(start, min(start + _IN, first + n)), by=by)
            told(done, whole)
    for first, last in _joined((first, first + n - 1) for first, n, _ in runs):
        store.observations.forget_keys_of(first, last)
    _remove_empty(store, one, by)
    return done


def _joined(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield spans of numbers, those that touch made one."""
    held: tuple[int, int] | None = None
    for first, last in spans:
        if held is not None and first <= held[1] + 1:
            held = (held[0], max(held[1], last))
        else:
            if held is not None:
                yield held
            held = (first, last)
    if held is not None:
        yield held


def _remove_empty(store: Store, one: Brought, by: By) -> None:
    """Remove the datastreams and things that only this file made and that hold nothing now."""
    first_series, first_thing = one.work.fresh
    d = datastream.c
    mine = [n for n in one.work.series if n >= first_series]
    with store.read() as c:
        full = set(
            c.execute(
                select(latest.c.datastream_id).where(latest.c.datastream_id.in_(mine), latest.c["count"] > 0)
            ).scalars()
        )
        empty = [n for n in mine if n not in full]
        things = set(
            c.execute(select(d.thing_id).where(d.id.in_(empty), d.thing_id >= first_thing)).scalars()
        )
        used = set(c.execute(select(d.thing_id).where(d.thing_id.in_(things), d.id.not_in(empty))).scalars())
    going = [("datastream", n) for n in empty] + [("thing", n) for n in sorted(things - used)]
    for table, number in going:
        with store.write() as c:
            gone = catalogue.remove(store, c, table, number, by)
        for series in gone:
            store.observations.delete_series(series)


# --- Rejects.


class _Report:
    """The refused rows of a file, written as they come and in place when all are there."""

    def __init__(self, store: Store, one: Brought) -> None:
        self._folder = folder_of(store, one.id)
        self._written = 0

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file = (self._folder / "rejects.part").open("wb")
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._file.close()
        if kind is None:
            (self._folder / "rejects.part").replace(self._folder / "rejects.jsonl")

    def write(self, rejects: Iterable[RecordReject]) -> None:
        for r in rejects:
            if self._written < _MOST_REJECTS:
                self._written += 1
                self._file.write(msgspec.json.encode(Rejected(r.place, r.field, r.reason, r.mend)) + b"\n")

    def take(self, outcome: Outcome) -> None:
        """Write the rejects of an outcome and take them out of its list: a million of them are no list."""
        self.write(outcome.rejects)
        outcome.told += len(outcome.rejects)
        outcome.rejects.clear()


def rejects_of(store: Store, number: int) -> Iterator[Rejected]:
    """Yield the refused rows of a brought file."""
    path: Path = folder_of(store, number) / "rejects.jsonl"
    if path.exists():
        with path.open("rb") as file:
            for line in file:
                yield msgspec.json.decode(line, type=Rejected)


_WORK: dict[str, Callable[[Intake, Brought], None]] = {
    "reading": _read, "comparing": _compare, "importing": _import, "undoing": _undo,
}  # fmt: skip


# --- The keeper's part.

PAUSE_S = 1.0
FORGETTING_S = 3600.0


def work_through(intake: Intake, stop: threading.Event) -> None:
    """Do the work of brought files as it comes, and forget old ones; ends when `stop` is set."""
    store = intake.store
    forgotten_s = -FORGETTING_S
    while not stop.is_set():
        if time.monotonic() - forgotten_s >= FORGETTING_S:
            forgotten_s = time.monotonic()
            forget(store, store.clock())
        one = carry_on(intake)
        if one is None or one.state in WAITING:
            stop.wait(PAUSE_S)
