"""Entries of files into the records of collections: counted before, stored with progress, rejects by their place."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from beffroi.intake.files import FileReject, ImportReport, Progress
from beffroi.model.collection import Collection
from beffroi.model.declaration import KindOfImport
from beffroi.model.principal import Principal
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.store import record_import
from beffroi.store.open import Store
from beffroi.store.record import Entry, Outcome
from beffroi.store.record import Reject as RecordReject

__all__ = ["alone", "import_records", "keyed", "take_entries", "unreadable"]


def import_records(
    store: Store, kind: KindOfImport, paths: Iterable[Path], options: Mapping[str, Any], who: Principal, *,
    dry: bool = False, progress: Progress = lambda _path, _step, _done, _whole: None,
) -> ImportReport:  # fmt: skip
    """Take files of a kind that fills collections; the report counts the records of its last collection, of all when `apart`.

    Every file is read whole before the first record of any is stored. Raises `Problem` with the file as its place
    when one cannot be read.
    """
    files = [(path, _counted(kind, path, options, progress)) for path in paths]
    report = ImportReport(rejects=[], datastreams={})
    for path, whole in files:
        for name in kind.collections:
            last = name == kind.collections[-1]
            told = report if last or kind.apart else ImportReport(rejects=[], datastreams={})
            entries = _entries(kind, path, {**options, "collection": name})
            collection = keyed(store.records.shelf(name).collection)
            if dry:  # what these refer to is not stored: only their own values are tried
                entries = alone(entries, collection, kind.collections)
            if not dry or last or kind.apart:
                take_entries(store, collection, path, entries, who, told, whole, dry, progress)
    return report


def alone(
    entries: Iterator[Entry | RecordReject], collection: Collection, filled: tuple[str, ...]
) -> Iterator[Entry | RecordReject]:
    """Yield the entries without what they refer to in the collections that are being `filled`."""
    links = {f.name for f in collection.fields if f.reference in filled}
    for entry in entries:
        if isinstance(entry, Entry):
            values = {name: value for name, value in entry.values.items() if name not in links}
            yield msgspec.structs.replace(entry, values=values)
        else:
            yield entry


def _counted(kind: KindOfImport, path: Path, options: Mapping[str, Any], progress: Progress) -> int:
    n = 0
    for name in kind.collections if kind.apart else kind.collections[-1:]:
        asked = {**options, "collection": name, "counting": True}
        for _ in _entries(kind, path, asked):
            n += 1
            if n % 5_000 == 0:
                progress(path, "check", n, 0)
    return n


def _entries(kind: KindOfImport, path: Path, options: Mapping[str, Any]) -> Iterator[Entry | RecordReject]:
    try:
        yield from kind.read(path, options)
    except Problem as problem:
        raise problem.at(f"{path}, " if problem.place else str(path)) from problem
    except OSError as error:
        raise unreadable(path, error) from error


def take_entries(
    store: Store, collection: Collection, path: Path, entries: Iterator[Entry | RecordReject], who: Principal,
    report: ImportReport, whole: int, dry: bool, progress: Progress,
) -> None:  # fmt: skip
    """Store the entries of one file and add what became of them to the report; `whole` is how many there are."""

    before = report.read
    entries = record_import.at_home(store.records, collection, entries, who)

    def told(outcome: Outcome) -> None:
        progress(path, "store", before + outcome.read, whole)

    if dry:
        outcome = record_import.would_take(store.records, collection, entries)
    else:
        outcome = record_import.take(
            store.records, collection, entries, who=who, reason=path.name, progress=told
        )
    report.read += outcome.read
    report.stored += outcome.created + outcome.updated
    report.unchanged += outcome.unchanged
    report.rejected += len(outcome.rejects)
    for one in outcome.rejects:
        line = re.match(r"line (\d+)", one.place)
        report.rejects.append(
            FileReject(
                str(path),
                int(line[1]) if line else 0,
                one.field,
                one.reason,
                one.mend,
                "" if line else one.place,
            )
        )


def keyed(collection: Collection) -> Collection:
    """Return the collection. Raises `Problem` when it has no key: importing again would double it."""
    if collection.key is None:
        raise Problem(
            Text(f"La collection {collection.name} n'a pas d'identifiant : un second import la doublerait.",
                 f"The collection {collection.name} has no key: importing again would double it."),
            Text("Choisissez une collection qui a un identifiant.", "Choose a collection that has a key."),
            place="--collection",
        )  # fmt: skip
    return collection


def unreadable(path: Path, error: OSError) -> Problem:
    """Return the problem of a file that the system does not give."""
    detail = (error.strerror or str(error)).replace("{", "(").replace("}", ")")
    return Problem(
        Text("Le fichier ne peut pas être lu : {detail}", "The file cannot be read: {detail}").filled(detail=detail),
        Text("Vérifiez son chemin et ses droits.", "Check its path and its rights."),
        place=str(path),
    )  # fmt: skip
