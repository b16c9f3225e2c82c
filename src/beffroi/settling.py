"""Settling: an exported town made again elsewhere, from its open files alone; exported again it gives the same bytes.

Nothing is written before every file was read against its digest. People come without their secrets: they sign in by a
link; the journal is signed anew by this installation's key, its lines as they were.
"""

import csv
import gzip
import hashlib
import io
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import LargeBinary, Table, delete, func, insert, select

from beffroi.export import CATALOGUE, HOUSE, JSON_COLUMNS, OBSERVED, SETTINGS, text_of
from beffroi.model.collection import Collection
from beffroi.model.instant import parse_instant
from beffroi.model.problem import Problem
from beffroi.model.result import decode_json, result_of
from beffroi.model.text import Text
from beffroi.settings import Settings, StoreSettings
from beffroi.store import tables
from beffroi.store.open import Store
from beffroi.store.record_tables import recalled
from beffroi.store.restoring import Newest, Stored, restore_latest, restore_observations, restore_records

__all__ = ["settle"]

_CHUNK = 10_000
Progress = Callable[[str, int, int], None]


def settle(
    source: Path, data: Path, *, records: str = "", progress: Progress = lambda _name, _done, _whole: None
) -> dict[str, Any]:  # fmt: skip
    """Make the town exported to `source` in the new directory `data`; return the manifest. `records`: the address of a
    PostgreSQL database, "" for SQLite. `progress` is told each file, and how many of all are done.

    Raises `Problem` when `data` holds something, or when a file of the export is missing or changed.
    """
    manifest = _checked(source, progress)
    if data.exists() and any(data.iterdir()):
        raise Problem(
            Text("Le dossier de la ville n'est pas vide.", "The town's directory is not empty."),
            Text("Donnez un dossier nouveau : rien n'est jamais mêlé à une autre ville.", "Give a new one: nothing is ever mixed with another town."),
            place="--data",
        )  # fmt: skip
    made = not data.exists()
    data.mkdir(parents=True, exist_ok=True, mode=0o750)
    told = json.loads((source / "house/settings.json").read_text("utf-8"))
    settings = Settings(data=data, name=told["name"], store=StoreSettings(records=records))
    try:
        store = Store.open(settings)
        try:
            _Settling(store, source, manifest, progress).all()
        finally:
            store.close()
    except BaseException:
        if made and not records:
            shutil.rmtree(data, ignore_errors=True)
        raise
    _write_settings(data, told, records)
    return manifest


def _checked(source: Path, progress: Progress) -> dict[str, Any]:
    """Return the manifest of an export whose files are all there, unchanged. Raises `Problem` naming the file."""
    try:
        manifest: dict[str, Any] = json.loads((source / "manifest.json").read_text("utf-8"))
        files: dict[str, dict[str, Any]] = manifest["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Problem(
            Text("Ce dossier n'est pas un export de Beffroi.", "This directory is no export of Beffroi."),
            Text("Donnez le dossier que « beffroi export » a rempli (il contient manifest.json).",
                 "Give the directory that 'beffroi export' filled (it holds manifest.json)."), place=str(source),
        ) from error  # fmt: skip
    if manifest.get("format") != 2:
        raise Problem(
            Text("Cet export est d'une version qui ne se reprend pas.", "This export is of a version that cannot be taken in."),
            Text("Refaites-le avec une version récente : beffroi export --to DIR.", "Make it again with a recent version: beffroi export --to DIR."),
            place="manifest.json",
        )  # fmt: skip
    root = source.resolve()
    for n, (name, about) in enumerate(files.items()):
        progress("check", n, len(files))
        path = (source / name).resolve()
        if not path.is_relative_to(root) or not path.is_file():
            raise _damaged(name, Text("Un fichier de l'export manque.", "A file of the export is missing."))
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != about["sha256"]:
                raise _damaged(
                    name, Text("Un fichier de l'export a changé.", "A file of the export was changed.")
                )
    return manifest


def _damaged(name: str, reason: Text) -> Problem:
    return Problem(
        reason, Text("Copiez de nouveau l'export, entier.", "Copy the export again, whole."), place=name
    )


def _write_settings(data: Path, told: dict[str, Any], records: str) -> None:
    """Write the settings file, last: what has none is not a town."""
    lines = [f"{name} = {json.dumps(told[name], ensure_ascii=False)}" for name in SETTINGS if told.get(name)]
    kept = f"records = {json.dumps(records)}\n" if records else ""
    fresh = data / ".beffroi.toml.new"
    head = "# Settings of this Beffroi (reference: docs/reference/settings.md). Read once at start."
    fresh.write_text("\n".join([head, *lines, "", "[store]", kept]), "utf-8")
    fresh.chmod(0o600 if records else 0o644)
    fresh.replace(data / "beffroi.toml")


class _Settling:
    def __init__(self, store: Store, source: Path, manifest: dict[str, Any], progress: Progress) -> None:
        self.store, self.source, self.progress = store, source, progress
        self.files: dict[str, dict[str, Any]] = manifest["files"]
        self.done = 0

    def all(self) -> None:
        """Take everything in, what is referred to first."""
        with self.store.write() as c:  # what a fresh store made by itself gives way
            for table in (tables.setting, tables.audit, tables.audit_head, tables.declared):
                c.execute(delete(table))
        for table in CATALOGUE:
            self.table(f"catalogue/{table.name}.jsonl", table)
        self.records()
        for table in HOUSE:
            if table is not tables.declared:
                self.table(f"house/{table.name}.jsonl", table)
        self.table("house/account.jsonl", tables.account)
        for table in OBSERVED:
            self.table(f"observations/{table.name}.jsonl", table)
        for name in sorted(n for n in self.files if n.startswith("observations/") and n.endswith(".csv.gz")):
            self.observations(name)
        self.stored_files()
        self.counters()
        with self.store.write() as c:
            self.store.audit.sign_again(c)

    def lines(self, name: str) -> Iterator[dict[str, Any]]:
        self.done += 1
        self.progress(name, self.done, len(self.files))
        if name not in self.files:  # of an installation that had none
            return
        with (self.source / name).open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    yield msgspec.json.decode(line)
                except msgspec.DecodeError as error:
                    raise _damaged(f"{name}:{number}", Text("Une ligne de l'export n'est pas lisible.", "A line of the export cannot be read.")) from error  # fmt: skip

    def table(self, name: str, table: Table) -> None:
        """Take the rows of a table in as they were."""
        blobs = {c.name for c in table.c if isinstance(c.type, LargeBinary)}
        known = {c.name for c in table.c}
        for chunk in _chunks(self.lines(name)):
            rows = [{k: _column(k, v, blobs) for k, v in row.items() if k in known} for row in chunk]
            every = sorted({k for row in rows for k in row})
            whole = [dict.fromkeys(every) | row for row in rows]
            observed = table.metadata is tables.obs_metadata
            with self.store.database.write_observations() if observed else self.store.write(many=True) as c:
                for row in _defaulted(table, whole):
                    c.execute(insert(table), row)

    def records(self) -> None:
        rows = list(self.lines("house/declared.jsonl"))
        collections: list[Collection] = [recalled(text_of(row["declaration"])) for row in rows]
        self.store.records.declare(collections)
        with self.store.write() as c:
            c.execute(delete(tables.declared))
            for row in rows:
                c.execute(insert(tables.declared), {**row, "declaration": text_of(row["declaration"])})
        for collection in collections:
            for chunk in _chunks(self.lines(f"records/{collection.name}.geojsonl")):
                restore_records(self.store, collection, chunk)
            self.table(f"records/{collection.name}.history.jsonl", tables.history)

    def observations(self, name: str) -> None:
        self.done += 1
        self.progress(name, self.done, len(self.files))
        series = int(Path(name).name.partition(".")[0])
        with gzip.open(self.source / name, "rb") as packed:
            rows = csv.reader(io.TextIOWrapper(packed, "utf-8", newline=""))
            next(rows, None)
            newest = Newest()
            for chunk in _chunks(_stored(row, series, name) for row in rows):
                restore_observations(self.store, chunk, newest)
        restore_latest(self.store, series, newest)

    def stored_files(self) -> None:
        for row in self.lines("house/stored_file.jsonl"):
            path = next(self.source.glob(f"files/{row['name']}*"))
            with self.store.write() as c:
                staged = self.store.files.stage(path.read_bytes(), row["media_type"])
                self.store.files.keep(c, staged)
                c.execute(tables.stored_file.update().where(tables.stored_file.c.name == row["name"]).values(
                    created_us=row["created_us"], uses=row["uses"]))  # fmt: skip

    def counters(self) -> None:
        """Let numbers go on where they were: those of the export, or above whatever was taken in."""
        with self.store.write() as c:
            highest = c.execute(select(func.coalesce(func.max(tables.history.c.seq), 0))).scalar_one()
            for row in self.lines("house/counter.jsonl"):
                least = highest + 1 if row["name"] == "record" else 0
                c.execute(delete(tables.counter).where(tables.counter.c.name == row["name"]))
                c.execute(insert(tables.counter), {**row, "next": max(row["next"], least)})
        with self.store.database.write_observations() as c:
            for row in self.lines("observations/counter.jsonl"):
                c.execute(delete(tables.obs_counter).where(tables.obs_counter.c.name == row["name"]))
                c.execute(insert(tables.obs_counter), row)


def _column(name: str, value: Any, blobs: set[str]) -> Any:
    if name in blobs and isinstance(value, str):
        return bytes.fromhex(value)
    if name in JSON_COLUMNS:
        return text_of(value)
    if isinstance(value, dict | list):
        return text_of(value)
    return value


def _defaulted(table: Table, rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yield rows in lots that name the same columns: what is absent is left to the column's default."""
    lots: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    must = {c.name for c in table.c if not c.nullable}
    for row in rows:
        kept = {k: v for k, v in row.items() if v is not None or k not in must}
        lots.setdefault(tuple(kept), []).append(kept)
    yield from lots.values()


def _stored(row: list[str], series: int, name: str) -> Stored:
    try:
        number, start, end, at, result, quality, feature, extra = row
        return Stored(
            int(number), series, parse_instant(start), parse_instant(end) if end else None, parse_instant(at) if at else None,
            result_of(decode_json(result)), int(quality), int(feature) if feature else None, extra or None,
        )  # fmt: skip
    except (ValueError, Problem, msgspec.DecodeError) as error:
        raise _damaged(
            name,
            Text(
                "Une observation de l'export n'est pas lisible.",
                "An observation of the export cannot be read.",
            ),
        ) from error


def _chunks(items: Iterable[Any], size: int = _CHUNK) -> Iterator[list[Any]]:
    source = iter(items)
    while chunk := list(islice(source, size)):
        yield chunk
