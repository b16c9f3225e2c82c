"""Files into the store: read twice, so that an unreadable file leaves nothing, then taken in batches."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import select

from beffroi.intake.identify import OPEN, Entrance
from beffroi.intake.source_keys import Occurrences, file_key, row_text
from beffroi.intake.take import Intake
from beffroi.model.declaration import KindOfImport
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.standards.reading import Reading, Reject, Row
from beffroi.store.tables import datastream, source_key

__all__ = ["FileReject", "ImportReport", "SeriesCount", "import_files"]

BATCH = 5_000
MOST_REJECTS = 100_000  # beyond it rejects are counted, no longer listed
_IN_LIMIT = 900


class FileReject(msgspec.Struct, frozen=True):
    """One row that was refused, and where it is: its line, or its `place` in a file that has none."""

    file: str
    line: int
    field: str
    reason: Text
    mend: Text
    place: str = ""


class SeriesCount(msgspec.Struct):
    """A datastream that an import touched, and how many observations it got."""

    id: int
    name: str
    unit: str
    stored: int = 0


class ImportReport(msgspec.Struct):
    """What an import did: `read` is `stored` + `unchanged` + `rejected`."""

    read: int = 0
    stored: int = 0
    unchanged: int = 0
    rejected: int = 0
    rejects: list[FileReject] = []
    datastreams: dict[int, SeriesCount] = {}

    def reject(self, file: str, row: Reject) -> None:
        """Count and list a refused row."""
        self.read += 1
        self.rejected += 1
        if len(self.rejects) < MOST_REJECTS:
            self.rejects.append(FileReject(file, row.line, row.field, row.reason, row.mend))


Progress = Callable[[Path, str, int, int], None]
"""Called with a file, "check" or "store", the rows done and the rows of the whole (0: not known yet)."""


def import_files(
    intake: Intake, kind: KindOfImport, paths: Iterable[Path], options: Mapping[str, Any], *,
    dry: bool = False, progress: Progress = lambda _path, _step, _done, _whole: None, door: Entrance = OPEN,
    told: Mapping[str, Any] | None = None, again: bool = False,
) -> ImportReport:  # fmt: skip
    """Take files of one kind in; with `dry`, only say what would be stored.

    `told` is kept with the observations as where they came from; `again`: this goes on where a killed process ended, so
    what it stored without saying where from is said now.

    Every file is read whole before the first row of any is stored. Raises `Problem` with the file as its
    place when one cannot be read, `Unavailable` when the store cannot write: importing again goes on from there.
    """
    files = [(path, _checked(kind, path, options, progress)) for path in paths]
    report = ImportReport(rejects=[], datastreams={})
    for path, (occurrences, whole) in files:
        batch = _Batch(intake, occurrences, report, _told(kind, path, told) if not dry else {}, door, again)
        _take_file(batch, kind, path, options, whole, dry, progress)
    return report


def _checked(
    kind: KindOfImport, path: Path, options: Mapping[str, Any], progress: Progress
) -> tuple[Occurrences, int]:
    occurrences = Occurrences()
    whole = 0
    for row in _rows(kind, path, options):
        whole += 1
        if isinstance(row, Reading):
            occurrences.mark(row_text(row))
        if whole % BATCH == 0:
            progress(path, "check", whole, 0)
    return occurrences, whole


def _rows(kind: KindOfImport, path: Path, options: Mapping[str, Any]) -> Iterator[Row]:
    try:
        yield from kind.read(path, options)
    except Problem as problem:
        place = f"{path}, {problem.place}" if problem.place else str(path)
        raise type(problem)(problem.reason, problem.mend, place, problem.status) from problem
    except OSError as error:
        detail = (error.strerror or str(error)).replace("{", "(").replace("}", ")")
        raise Problem(
            Text("Le fichier ne peut pas être lu : {detail}", "The file cannot be read: {detail}").filled(detail=detail),
            Text("Vérifiez son chemin et ses droits.", "Check its path and its rights."),
            place=str(path),
        ) from error  # fmt: skip


class _Batch(msgspec.Struct, frozen=True):
    """What taking a batch of readings needs besides them."""

    intake: Intake
    occurrences: Occurrences
    report: ImportReport
    told: dict[str, Any]
    door: Entrance
    again: bool


def _told(kind: KindOfImport, path: Path, told: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"file": path.name, "sha256": _digest(path), "reader": kind.name, **(told or {})}


def _take_file(
    batch: _Batch, kind: KindOfImport, path: Path, options: Mapping[str, Any], whole: int, dry: bool, progress: Progress
) -> None:  # fmt: skip
    rows = _rows(kind, path, options)
    done = 0
    while some := list(islice(rows, BATCH)):
        readings = []
        for row in some:
            if isinstance(row, Reject):
                batch.report.reject(str(path), row)
            else:
                readings.append(row)
        if readings and dry:
            _would_take(batch.intake, readings, batch.occurrences, batch.report)
        elif readings:
            _take_batch(batch, readings)
        done += len(some)
        progress(path, "store", done, whole)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _lines(readings: list[Reading], ids: Sequence[int | None]) -> list[list[int]]:
    """Return where in the file observations are: [id, line] wherever the difference of the two changes."""
    found: list[list[int]] = []
    for reading, number in zip(readings, ids, strict=True):
        if number is not None and (not found or found[-1][0] - found[-1][1] != number - reading.line):
            found.append([number, reading.line])
    return found


def _take_batch(batch: _Batch, readings: list[Reading]) -> None:
    intake, report = batch.intake, batch.report
    found = intake.identified(readings, door=batch.door)
    keys = _keys(readings, {k: one.id for k, one in found.items()}, batch.occurrences)
    drafts = intake.drafts(readings, keys=keys, door=batch.door)
    ack = intake.store.observations.append(drafts)
    told = {**batch.told, "lines": _lines(readings, ack.ids)}
    intake.store.provenance.note("file", told, ack.ids)
    if batch.again:
        folded = [key for key, number in zip(keys, ack.ids, strict=True) if number is None]
        intake.store.provenance.note_keys("file", batch.told, folded)
    report.read += len(drafts)
    report.stored += ack.stored
    report.unchanged += ack.folded
    for one in found.values():
        report.datastreams.setdefault(one.id, SeriesCount(one.id, one.name, one.unit))
    for draft, number in zip(drafts, ack.ids, strict=True):
        if number is not None:
            report.datastreams[draft.datastream_id].stored += 1


def _keys(readings: list[Reading], numbers: Mapping[str, int], occurrences: Occurrences) -> list[bytes]:
    keys = []
    for reading in readings:
        row = row_text(reading)
        keys.append(file_key(numbers.get(reading.series.key, 0), row, occurrences.ordinal(row)))
    return keys


def _would_take(
    intake: Intake, readings: list[Reading], occurrences: Occurrences, report: ImportReport
) -> None:
    """Count what `_take_batch` would do, changing nothing: series that do not exist yet would be all new."""
    wanted = {reading.series.key for reading in readings}
    c = datastream.c
    with intake.store.read() as connection:
        found = {}
        for part in _parts(sorted(wanted)):
            query = select(c.key, c.id, c.name, c.unit_symbol).where(c.key.in_(part))
            found.update(
                {row[0]: SeriesCount(row[1], row[2], row[3] or "") for row in connection.execute(query)}
            )
        keys = _keys(readings, {key: one.id for key, one in found.items()}, occurrences)
        known: set[bytes] = set()
        for part in _parts(keys):
            same = select(source_key.c.key).where(source_key.c.key.in_(part))
            known.update(bytes(key) for key in connection.execute(same).scalars())
    for reading, key in zip(readings, keys, strict=True):
        report.read += 1
        fresh = key not in known
        report.stored += fresh
        report.unchanged += not fresh
        if reading.series.key in found:
            one = found[reading.series.key]
            report.datastreams.setdefault(one.id, one).stored += fresh


def _parts(values: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(values), _IN_LIMIT):
        yield values[start : start + _IN_LIMIT]
