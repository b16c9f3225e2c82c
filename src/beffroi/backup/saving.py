"""Saving: one snapshot of a town in use, at one instant of its whole store, into a vault.

The two databases are read as of the same moment: nobody writes while both readings begin (some milliseconds), and
everybody does while they are copied. Segments and photos never change once written, and are taken after the databases:
what these list is there. On PostgreSQL `pg_dump` takes the snapshot.
"""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import msgspec

from beffroi import __version__
from beffroi.backup.vault import CHUNK, Held, Snapshot, Vault
from beffroi.doctor import BACKUP_NOTE
from beffroi.model.instant import format_instant
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.settings import Settings
from beffroi.store.database import Database, connect_sqlite
from beffroi.store.turn import Turn
from beffroi.town import Town

__all__ = ["DUMP", "copies", "save", "without_password"]

DUMP = "postgresql.dump"
_NOT_KEPT = ("backup.key", "-wal", "-shm", "-turn", "-queue", ".lock", ".tmp", ".sock")
Progress = Callable[[str, int, int], None]


def save(town: Town, vault: Vault, progress: Progress = lambda _path, _done, _whole: None) -> Snapshot:
    """Save the town into the vault and return its new snapshot. Raises `Problem`, `OSError`."""
    data = town.settings.data
    before = {f.path: f for f in vault.snapshot().files} if vault.ids() else {}
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=data) as folder:
        made = copies(town.settings, town.store.database, Path(folder))
        at_us = town.clock()
        found = dict(sorted(made.items())) | dict(_files(data, town.store.archive.folder))
        whole = sum(path.stat().st_size for path in found.values())
        done = 0
        files: list[Held] = []
        for name, path in found.items():
            held = _hold(vault, name, path, before.get(name))
            if held is None:
                continue  # swept meanwhile: nothing lists it any more
            files.append(held)
            done += held.size
            progress(name, done, whole)
    snapshot = Snapshot(_id(at_us, vault), at_us, town.name, __version__, tuple(files))
    vault.close(snapshot)
    note = data / BACKUP_NOTE
    note.write_bytes(msgspec.json.encode({"at_us": at_us, "snapshot": snapshot.id}))
    return snapshot


def _id(at_us: int, vault: Vault) -> str:
    plain = format_instant(at_us)[:19].replace(":", "").replace("-", "")
    known, found, number = set(vault.ids()), plain, 1
    while found in known:
        number += 1
        found = f"{plain}-{number}"
    return found


def copies(settings: Settings, database: Database, folder: Path) -> dict[str, Path]:
    """Copy the databases, as of one instant, into a folder; return where by the name each has in the town.

    Raises `Problem` when PostgreSQL's programme is missing or fails.
    """
    if database.records_path is None or database.observations_path is None:
        return {DUMP: _dump(settings, folder / DUMP)}
    paths = (database.records_path, database.observations_path)
    turns = [Turn(path) for path in paths]
    sources = [connect_sqlite(path) for path in paths]
    try:
        with contextlib.ExitStack() as stack:
            for turn in turns:
                stack.enter_context(turn)
            for source in sources:
                source.execute("BEGIN")
                source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        made = {}
        for path, source in zip(paths, sources, strict=True):
            target = folder / path.name
            with contextlib.closing(sqlite3.connect(target)) as copy:
                source.backup(copy)
            made[path.name] = target
        return made
    finally:
        for source in sources:
            source.close()
        for turn in turns:
            turn.close()


def _dump(settings: Settings, target: Path) -> Path:
    program = shutil.which("pg_dump")
    if program is None:
        raise Problem(
            Text("pg_dump n'est pas installé.", "pg_dump is not installed."),
            Text("Installez postgresql-client (Debian), ou sauvegardez la base avec vos outils.",
                 "Install postgresql-client (Debian), or back the database up with your own tools."),
        )  # fmt: skip
    address, environment = without_password(settings.store.records)
    done = subprocess.run(  # noqa: S603 -- PostgreSQL's own programme, at the address of the settings
        [program, "--format=custom", "--compress=0", "--no-owner", "--file", str(target), "--dbname", address],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    if done.returncode:
        detail = (
            done.stderr.strip().splitlines()[-1][:200].replace("{", "(").replace("}", ")")
            if done.stderr.strip()
            else ""
        )
        raise Problem(
            Text("pg_dump a échoué : {d}", "pg_dump failed: {d}").filled(d=detail),
            Text("Vérifiez les droits de lecture de ce compte.", "Check that this account may read."),
        )  # fmt: skip
    return target


def without_password(address: str) -> tuple[str, dict[str, str]]:
    """Return an address without its password, and the environment that gives it: arguments are seen by everybody."""
    parts = urlsplit(address)
    if parts.password is None:
        return address, dict(os.environ)
    where = f"{parts.username or ''}@{parts.netloc.rpartition('@')[2]}"
    return urlunsplit(parts._replace(netloc=where)), {**os.environ, "PGPASSWORD": unquote(parts.password)}


def _files(data: Path, segments: Path) -> Iterator[tuple[str, Path]]:
    """Yield what is kept as files: settings, keys, photos and documents, base map, segments."""
    for path in sorted(data.rglob("*")):
        name = path.relative_to(data).as_posix()
        if not path.is_file() or path.is_symlink() or name.startswith(".") or "/." in name:
            continue
        if name.endswith((".db", *_NOT_KEPT)) or path.is_relative_to(segments):
            continue
        yield name, path
    if segments.is_dir():
        for path in sorted(segments.glob("*.parquet")):
            yield f"segments/{path.name}", path


def _hold(vault: Vault, name: str, path: Path, before: Held | None) -> Held | None:
    try:
        with path.open("rb") as file:
            stat = os.fstat(file.fileno())
            if (
                before is not None
                and not name.endswith((".db", DUMP))
                and (before.size, before.mtime_ns) == (stat.st_size, stat.st_mtime_ns)
            ):
                return before
            chunks = []
            size = 0
            while data := file.read(CHUNK):
                chunks.append(vault.keep(data))
                size += len(data)
    except FileNotFoundError:
        return None
    return Held(name, size, stat.st_mode & 0o777, stat.st_mtime_ns, tuple(chunks))
