"""Upgrading: a town brought to the programs that are installed, with what it was kept aside until all is checked.

The way back is a copy of the databases and hard links to the files, in `.upgrades/` of the data directory: a file never
changes once written, so that these cost no space.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from sqlalchemy import inspect, text

from beffroi import __version__
from beffroi.backup.restoring import load
from beffroi.backup.saving import DUMP, copies
from beffroi.model.instant import format_instant
from beffroi.model.problem import Conflict, Problem
from beffroi.model.text import Text
from beffroi.settings import Settings, load_settings
from beffroi.store.archive import fsync_directory
from beffroi.store.database import Database, open_database
from beffroi.store.migrate import schema_of
from beffroi.town import open_town

__all__ = ["Upgrade", "go_back", "told", "upgrade", "upgrades"]

FOLDER = ".upgrades"
VERSION = "version"  # the town's setting: the programs that last brought it up
_KEPT = 2
_SIDES = ("-wal", "-shm")
Rows = Mapping[str, int]


class Upgrade(msgspec.Struct, frozen=True):
    """One upgrade: when, from what to what, and how many rows each table had before and after."""

    id: str
    at_us: int
    before: str
    after: str
    schema_before: str
    schema_after: str = ""
    rows_before: dict[str, int] = {}
    rows_after: dict[str, int] = {}
    gone_back: bool = False


def upgrade(
    data: Path, now_us: int, verify: Callable[[], int], say: Callable[[str], None] = lambda _step: None
) -> Upgrade:
    """Bring the town in `data` to these programs: copy, migrate, check; put everything back when the check fails.

    `verify()` returns how many faults the town has; `say(step)` hears "copy", "migrate", "verify", "back".
    Raises `Conflict` while the town is served, `Problem` when the upgrade failed (and was put back).
    """
    settings = load_settings(data)
    database = open_database(settings)
    try:
        _refuse_while_served(settings)
        with database.reader.connect() as connection:
            schema = schema_of(connection) or ""
        begun = Upgrade(
            _stamp(now_us), now_us, _version(database), __version__, schema, rows_before=_rows(database)
        )
        folder = data / FOLDER / begun.id
        folder.mkdir(parents=True, mode=0o700)
        say("copy")
        copies(settings, database, folder)
        _link(data, folder)
        _note(folder, begun)
    finally:
        database.close()
    try:
        say("migrate")
        done = _migrated(data, begun)
        say("verify")
        _check(done, verify())
    except Exception as error:
        say("back")
        _put_back(data, settings, folder)
        _note(folder, msgspec.structs.replace(begun, gone_back=True))
        reason = (
            error.reason
            if isinstance(error, Problem)
            else Text(*[str(error).replace("{", "(").replace("}", ")")[:300]] * 2)
        )
        raise Problem(
            Text(f"La mise à niveau a échoué, la ville est comme avant : {reason.fr}", f"The upgrade failed, the town is as before: {reason.en}"),
            Text("Servez-la avec la version précédente, et signalez ce message.", "Serve it with the previous version, and report this message."),
            place=str(folder), status=500,
        ) from error  # fmt: skip
    _note(folder, done)
    for old in upgrades(data)[:-_KEPT]:
        shutil.rmtree(data / FOLDER / old.id)
    return done


def go_back(data: Path, now_us: int) -> Upgrade:
    """Put the town back as it was before its last upgrade; what it is now is kept in `.upgrades/ID/after-STAMP`.

    Raises `Conflict` while the town is served, `Problem` when there is nothing to go back to.
    """
    settings = load_settings(data)
    _refuse_while_served(settings)
    left = [one for one in upgrades(data) if not one.gone_back]
    if not left:
        raise Problem(
            Text("Il n'y a pas de mise à niveau à défaire.", "There is no upgrade to undo."),
            Text("Restaurez une sauvegarde : beffroi restore.", "Restore a backup: beffroi restore."), place="--back",
        )  # fmt: skip
    last, folder = left[-1], data / FOLDER / left[-1].id
    aside = folder / f"after-{_stamp(now_us)}"
    aside.mkdir(mode=0o700)
    database = open_database(settings)
    try:
        copies(settings, database, aside)
    finally:
        database.close()
    _put_back(data, settings, folder)
    done = msgspec.structs.replace(last, gone_back=True)
    _note(folder, done)
    return done


def upgrades(data: Path) -> list[Upgrade]:
    """Return the upgrades that can be looked at, the oldest first."""
    found = sorted((data / FOLDER).glob("*/upgrade.json"))
    return [msgspec.json.decode(path.read_bytes(), type=Upgrade) for path in found]


def told(one: Upgrade) -> dict[str, object]:
    """Return an upgrade as JSON says it."""
    return {**msgspec.to_builtins(one), "at": format_instant(one.at_us)}


def _stamp(at_us: int) -> str:
    return format_instant(at_us)[:19].replace(":", "").replace("-", "")


def _refuse_while_served(settings: Settings) -> None:
    if not settings.store.records.startswith("postgresql://"):
        import fcntl  # noqa: PLC0415 -- as the election does

        with (settings.data / "keeper.lock").open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Conflict(
                    Text("La ville est en service.", "The town is being served."),
                    Text("Arrêtez-la d'abord (systemctl stop beffroi).", "Stop it first (systemctl stop beffroi)."), place="--data",
                ) from None  # fmt: skip


def _version(database: Database) -> str:
    """Return the version that last brought the town up; "" of one that never was."""
    with database.reader.connect() as connection:
        if not inspect(connection).has_table("setting"):
            return ""
        found = connection.execute(
            text("SELECT value FROM setting WHERE key = :key"), {"key": VERSION}
        ).scalar()
    return str(msgspec.json.decode(found)) if found else ""


def _rows(database: Database) -> dict[str, int]:
    """Return how many rows each table has, those of the observations under `obs.`."""
    counted = {}
    with database.reader.connect() as connection:
        for schema in (None, "obs"):
            for name in sorted(inspect(connection).get_table_names(schema=schema)):
                if "_search" in name or name.startswith("sqlite_"):
                    continue  # derived, and rebuilt
                full = f'"{schema}"."{name}"' if schema else f'"{name}"'
                # the names are the database's own
                n = connection.execute(text(f"SELECT count(*) FROM {full}")).scalar_one()
                counted[f"{schema}.{name}" if schema else name] = int(n)
    return counted


def _migrated(data: Path, begun: Upgrade) -> Upgrade:
    town = open_town(data)
    try:
        town.store.set_setting(VERSION, __version__)
        with town.store.read() as connection:
            schema = schema_of(connection) or ""
        return msgspec.structs.replace(begun, schema_after=schema, rows_after=_rows(town.store.database))
    finally:
        town.close()


def _check(done: Upgrade, faults: int) -> None:
    lost = [name for name, n in done.rows_before.items() if done.rows_after.get(name, 0) < n]
    if lost or faults:
        names = ", ".join(lost) or "verify"
        raise Problem(
            Text("des lignes ont disparu ou sont altérées ({names}, {faults} faute(s))", "rows were lost or altered ({names}, {faults} fault(s))")
            .filled(names=names, faults=faults),
        )  # fmt: skip


def _note(folder: Path, said: Upgrade) -> None:
    partial = folder / ".upgrade.json"
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(said)))
    partial.replace(folder / "upgrade.json")
    fsync_directory(folder)


def _link(data: Path, folder: Path) -> None:
    for part in ("files", "segments"):
        for path in sorted((data / part).rglob("*")) if (data / part).is_dir() else ():
            target = folder / path.relative_to(data)
            if path.is_dir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                try:
                    os.link(path, target)
                except OSError:
                    shutil.copy2(path, target)  # another file system


def _put_back(data: Path, settings: Settings, folder: Path) -> None:
    """Put copies in the place of the databases, and the files that went since; nothing else is touched."""
    dump = folder / DUMP
    if dump.exists():
        said = load(dump, settings.store.records, "--clean", "--if-exists", "--single-transaction")
        if said is not None:
            raise Problem(
                Text(
                    "La base n'a pas pu être remise : {d}", "The database could not be put back: {d}"
                ).filled(d=said),
                place=str(dump),
            )
    database = open_database(settings)
    paths = (database.records_path, database.observations_path)
    database.close()
    for path in paths:
        if path is None:
            continue
        for side in _SIDES:
            path.with_name(path.name + side).unlink(missing_ok=True)
        coming = path.with_name(f".{path.name}.back")
        shutil.copyfile(folder / path.name, coming)
        with coming.open("rb+") as file:
            os.fsync(file.fileno())
        coming.replace(path)
        fsync_directory(path.parent)
    for part in ("files", "segments"):
        for kept in sorted((folder / part).rglob("*")) if (folder / part).is_dir() else ():
            target = data / kept.relative_to(folder)
            if kept.is_file() and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(kept, target)
