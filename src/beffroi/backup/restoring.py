"""Restoring: a snapshot of a vault made a town again, in a directory that has none."""

import contextlib
import os
import shutil
import subprocess
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
    vault: Vault, snapshot: Snapshot, to: Path, progress: Progress = lambda _path, _done, _whole: None
) -> None:
    """Write the files of a snapshot into `to`, which appears whole or not at all.

    Raises `Conflict` when something is there already, `Problem` when a chunk is missing or altered.
    """
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


def _fill(to: Path) -> None:
    """Put a dump back into the empty PostgreSQL database that the restored settings name."""
    said = load(to / DUMP, load_settings(to).store.records, "--single-transaction")
    if said is not None:
        raise Problem(
            Text("Les fichiers sont revenus, mais pas la base : {d}", "The files are back, but not the database: {d}").filled(d=said),
            Text("Créez la base vide que nomme beffroi.toml, puis : pg_restore --dbname ADRESSE postgresql.dump",
                 "Make the empty database that beffroi.toml names, then: pg_restore --dbname ADDRESS postgresql.dump"),
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
