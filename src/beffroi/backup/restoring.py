"""Restoring: a snapshot of a vault made a town again, in a directory that has none."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

from beffroi.backup.saving import DUMP, without_password
from beffroi.backup.vault import Held, Snapshot, Vault
from beffroi.model.problem import Conflict, Problem
from beffroi.model.text import Text
from beffroi.settings import load_settings
from beffroi.store.archive import fsync_directory

__all__ = ["load", "restore"]

Progress = Callable[[str, int, int], None]


def restore(
    vault: Vault, snapshot: Snapshot, to: Path, progress: Progress = lambda _path, _done, _whole: None, *, database: str = ""
) -> None:  # fmt: skip
    """Write the files of a snapshot into `to`, which appears whole or not at all. `database`: the address of the empty
    PostgreSQL database that a dump goes into, and that the restored settings then name ("": the one they name).

    Raises `Conflict` when something is there already, `Problem` when a chunk is missing or altered, or when there is no
    dump for `database`.
    """
    if database and all(held.path != DUMP for held in snapshot.files):
        raise Problem(
            Text("Cette sauvegarde est d'une ville sur SQLite : elle n'a pas de base à remplir.",
                 "This backup is of a town on SQLite: it has no database to fill."),
            Text("Retirez --database ; pour passer à PostgreSQL : beffroi export, puis beffroi import town --database.",
                 "Leave --database out; to move to PostgreSQL: beffroi export, then beffroi import town --database."), place="--database",
        )  # fmt: skip
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise Conflict(
            Text("Le dossier n'est pas vide.", "The directory is not empty."),
            Text("Donnez un dossier vide ou nouveau : rien n'est écrasé.", "Give an empty or new one: nothing is overwritten."),
            place=str(to),
        )  # fmt: skip
    making = to.with_name(f".{to.name}-{os.getpid()}")
    try:
        done = 0
        for held in snapshot.files:
            _write(vault, held, making)
            done += held.size
            progress(held.path, done, snapshot.size)
        if database:
            _name(making / "beffroi.toml", database)
        if to.exists():
            to.rmdir()
        making.rename(to)
        fsync_directory(to.parent)
    finally:
        if making.exists():
            shutil.rmtree(making)
    if (to / DUMP).exists():
        _fill(to)


def _write(vault: Vault, held: Held, folder: Path) -> None:
    target = folder / held.path
    if not target.resolve().is_relative_to(folder.resolve()):
        raise Problem(Text("La sauvegarde nomme un fichier hors de la ville.", "The backup names a file outside the town."),
                      place=held.path)  # fmt: skip
    target.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, held.mode)
    with os.fdopen(handle, "wb") as file:
        for name in held.chunks:
            file.write(vault.chunk(name))
        file.flush()
        os.fsync(file.fileno())
    os.utime(target, ns=(held.mtime_ns, held.mtime_ns))


def _name(file: Path, database: str) -> None:
    """Let a settings file name another database; the rest of it stays as people wrote it."""
    mode, text = file.stat().st_mode, file.read_text("utf-8")
    line = f"records = {json.dumps(database, ensure_ascii=False)}"
    head, found, store = text.partition("[store]")
    kept, changed = re.subn(r"(?m)^[ \t]*records[ \t]*=.*$", lambda _match: line, store, count=1)
    file.write_text(head + found + kept if changed else f"{text.rstrip()}\n\n[store]\n{line}\n", "utf-8")
    file.chmod(mode)
    if tomllib.loads(file.read_text("utf-8")).get("store", {}).get("records") != database:
        raise Problem(
            Text("beffroi.toml ne se laisse pas changer d'adresse.", "The address in beffroi.toml cannot be changed."),
            Text("Restaurez sans --database, puis écrivez-la vous-même sous [store].", "Restore without --database, then write it yourself under [store]."),
            place="beffroi.toml",
        )  # fmt: skip


def _fill(to: Path) -> None:
    """Put a dump back into the empty PostgreSQL database that the restored settings name."""
    said = load(to / DUMP, load_settings(to).store.records, "--single-transaction")
    if said is not None:
        raise Problem(
            Text("Les fichiers sont revenus, mais pas la base : {d}", "The files are back, but not the database: {d}").filled(d=said),
            Text("Créez une base vide, retirez ce dossier et restaurez avec --database ADRESSE ; ou : pg_restore --dbname ADRESSE postgresql.dump",
                 "Make an empty database, remove this directory and restore with --database ADDRESS; or: pg_restore --dbname ADDRESS postgresql.dump"),
            place=str(to / DUMP),
        )  # fmt: skip
    with contextlib.suppress(FileNotFoundError):
        (to / DUMP).unlink()


def load(dump: Path, address: str, *options: str) -> str | None:
    """Load a dump into the PostgreSQL database at an address; return what went wrong, or None."""
    program = shutil.which("pg_restore")
    if program is None:
        return "pg_restore"
    where, environment = without_password(address)
    done = subprocess.run(  # noqa: S603 -- PostgreSQL's own programme, at the address of the settings
        [program, "--no-owner", "--exit-on-error", *options, "--dbname", where, str(dump)],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    return done.stderr.strip()[-200:].replace("{", "(").replace("}", ")") if done.returncode else None
