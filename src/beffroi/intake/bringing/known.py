"""Brought files of a known kind: one that says itself what its columns mean, of the house (`intake.kinds`) or of a service
(`IMPORTS`). The page offers them beside the tables and layers whose columns a person matches."""

import contextlib
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from beffroi.intake.bringing.brought import Brought, Difference, Found, Plan, home_of
from beffroi.intake.bringing.reading import path_of
from beffroi.intake.bringing.rows import not_yours
from beffroi.intake.kinds import kinds_of
from beffroi.intake.records import alone
from beffroi.intake.take import Intake
from beffroi.model.collection import Collection
from beffroi.model.declaration import KindOfImport
from beffroi.model.principal import Principal
from beffroi.model.problem import Forbidden, NotFound, Problem
from beffroi.model.text import Text
from beffroi.standards.layer_file import folded
from beffroi.store import record_import
from beffroi.store.open import Store
from beffroi.store.record import Entry, Outcome
from beffroi.store.record import Reject as RecordReject

__all__ = [
    "compare_records",
    "count",
    "fits",
    "kind_planned",
    "offered",
    "options_of",
    "plan_for",
    "recognised",
    "store_records",
    "why_not",
]

_TRIED = 20  # rows that are looked at to find out whether a file is of a kind


def offered(intake: Intake, name: str, who: Principal) -> list[KindOfImport]:
    """Return the kinds that a file called `name` may be of and that `who` may bring: all that they fill is theirs to write."""
    return [kind for kind in kinds_of(name, intake.file_kinds()) if _writable(intake.store, kind, who)]


def _writable(store: Store, kind: KindOfImport, who: Principal) -> bool:
    held = [store.records.collections.get(name) for name in kind.collections]
    return all(c is not None and c.writable(who) and c.readable(who) for c in held)


def plan_for(kind: KindOfImport, title: str, before: Plan | None = None) -> Plan:
    """Return the plan of a file of a known kind."""
    told = before or Plan()
    return Plan("known", known=kind.name, collection=kind.collections[-1] if kind.collections else "", title=title,
                public=told.public, territory=told.territory)  # fmt: skip


def kind_planned(intake: Intake, one: Brought) -> KindOfImport:
    """Return the kind that the plan of a file names. Raises `NotFound` when its service is no more, `Forbidden`."""
    kinds = {kind.name: kind for kind in kinds_of(one.name, intake.file_kinds())}
    kind = kinds.get(one.work.plan.known)
    if kind is None:
        raise NotFound(Text("Aucun service en usage ne lit cette sorte de fichier.", "No service in use reads this kind of file."),
                       Text("Choisissez ce que ces lignes deviennent.", "Choose what these rows become."), place="known")  # fmt: skip
    if not _writable(intake.store, kind, one.work.who):
        raise Forbidden(Text(f"Vous ne pouvez pas apporter « {kind.title.fr} ».", f"You may not bring '{kind.title.en}'."),
                        Text("Demandez ce droit à votre responsable.", "Ask your manager for this right."), place="known")  # fmt: skip
    return kind


def recognised(found: Found, kinds: list[KindOfImport]) -> KindOfImport | None:
    """Return the kind whose signs are all among the columns of a file, the one with most of them."""
    names = {folded(c.name) for c in found.columns} | {folded(name) for name in found.where}
    told = [k for k in kinds if k.signs and names.issuperset(folded(sign) for sign in k.signs)]
    return max(told, key=lambda k: len(k.signs), default=None)


def fits(store: Store, one: Brought, kinds: list[KindOfImport]) -> KindOfImport | None:
    """Return the first kind that can read a file which is no table or layer."""
    for kind in kinds:
        with contextlib.suppress(Problem, ValueError):
            if list(islice(_entries(store, one, kind), _TRIED)):
                return kind
    return None


def why_not(store: Store, one: Brought, kinds: list[KindOfImport]) -> Problem:
    """Return why none of the kinds reads a file: the only one says it itself, by its line."""
    if len(kinds) == 1:
        try:
            list(islice(_entries(store, one, kinds[0]), _TRIED))
        except Problem as problem:
            return problem
        except ValueError:
            pass
    return Problem(Text("Aucun service en usage ne lit ce fichier.", "No service in use reads this file."),
                   Text("Vérifiez que c'est le bon fichier, et qu'il est entier.", "Check that it is the right file, and whole."))  # fmt: skip


def options_of(one: Brought) -> dict[str, Any]:
    """Return what the reader of a known kind is told of a file besides its path."""
    options: dict[str, Any] = {"stem": Path(one.name).stem}
    if one.work.corrections.crs:
        options["crs"] = one.work.corrections.crs
    told = one.work.plan.territory  # else each row's own, and that of its bringer for rows that name none
    return options | ({"territory": told} if told else {})


def count(store: Store, one: Brought, kind: KindOfImport, progress: Callable[[int], None]) -> Found:
    """Return what is found of a file that only its kind can read: how many rows there are. Raises `Problem`."""
    rows = 0
    for rows, _ in enumerate(_entries(store, one, kind, counting=True), 1):
        if rows % 20_000 == 0:
            progress(rows)
    if not rows:
        raise Problem(Text("Le fichier n'a aucune ligne.", "The file has no rows."),
                      Text("Vérifiez que c'est le bon fichier.", "Check that it is the right file."))  # fmt: skip
    return Found("known", rows, (), ())


def _entries(
    store: Store, one: Brought, kind: KindOfImport, collection: str = "", *, counting: bool = False
) -> Iterator[Any]:
    """Yield what a kind reads in a file for a collection (its last, unless told). Raises `Problem`."""
    asked: dict[str, Any] = options_of(one) | {"collection": collection or next(reversed(kind.collections), "")}  # fmt: skip
    try:
        yield from kind.read(path_of(store, one), asked | ({"counting": True} if counting else {}))
    except (OSError, EOFError, UnicodeError) as error:
        raise Problem(Text("Le fichier n'est pas lisible ainsi.", "The file cannot be read this way."),
                      Text("Exportez-le de nouveau.", "Export it again.")) from error  # fmt: skip


# --- Records of the collections that a kind fills.


def compare_records(
    store: Store, one: Brought, kind: KindOfImport, so_far: Callable[[Outcome], None]
) -> Difference:
    """Say what storing them would change; what they refer to is not stored yet, so that only their own values are tried."""

    def would_take(collection: Collection, entries: Iterator[Entry | RecordReject]) -> Outcome:
        tried = alone(entries, collection, kind.collections)
        return record_import.would_take(store.records, collection, tried, so_far)

    return _added(store, one, kind, would_take)


def store_records(
    store: Store, one: Brought, kind: KindOfImport, so_far: Callable[[Outcome], None]
) -> Difference:
    """Store them all under the change set of the file."""
    work = one.work

    def take(collection: Collection, entries: Iterator[Entry | RecordReject]) -> Outcome:
        return record_import.take(
            store.records, collection.name, entries, who=work.who, reason=one.name, progress=so_far, change_set=work.change_set,
        )  # fmt: skip

    return _added(store, one, kind, take)


def _added(
    store: Store, one: Brought, kind: KindOfImport,
    take: Callable[[Collection, Iterator[Entry | RecordReject]], Outcome],
) -> Difference:  # fmt: skip
    created = updated = unchanged = rejected = 0
    for name in kind.collections:
        collection = store.records.shelf(name).collection
        theirs = _at_home(one, _entries(store, one, kind, name))
        outcome = take(collection, record_import.at_home(store.records, collection, theirs, one.work.who))
        created, updated, unchanged = (
            created + outcome.created,
            updated + outcome.updated,
            unchanged + outcome.unchanged,
        )
        rejected += outcome.rejected
    return Difference(created, updated, unchanged, rejected)


def _at_home(one: Brought, entries: Iterator[Entry | RecordReject]) -> Iterator[Entry | RecordReject]:
    """Give each entry the commune that the file is brought for, unless it names its own; refuse those of others."""
    told, home, who = one.work.plan.territory, home_of(one.work.plan, one.work.who), one.work.who
    for entry in entries:
        if isinstance(entry, Entry):
            where = told or entry.territory or home or None
            yield (
                msgspec.structs.replace(entry, territory=where)
                if who.covers(where)
                else not_yours(entry.place, where)
            )
        else:
            yield entry
