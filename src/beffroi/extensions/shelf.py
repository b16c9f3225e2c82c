"""The shelf of extensions: wheels unpacked in `extensions/NAME/HASH` of the data directory, and which are in use."""

import contextlib
import importlib
import importlib.metadata
import logging
import os
import secrets
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
from sqlalchemy import delete, insert, select, update

from beffroi.extensions.declared import Declared, declared
from beffroi.extensions.wheel import Wheel, read_wheel
from beffroi.identity.rights import require_reach
from beffroi.model.principal import Principal
from beffroi.model.problem import Conflict, NotFound, Problem
from beffroi.model.text import Text
from beffroi.settings import Settings
from beffroi.store.open import Store
from beffroi.store.tables import extension

__all__ = [
    "Extension",
    "described",
    "disable",
    "enable",
    "every",
    "get",
    "in_use",
    "install",
    "loaded",
    "remove",
    "sign",
]

log = logging.getLogger("beffroi.extensions")


class Extension(msgspec.Struct, frozen=True):
    """One service that came as a wheel."""

    name: str
    version: str
    package: str
    file: str
    sha256: str
    size: int
    enabled: bool
    author: str
    installed_us: int
    changed_us: int

    def folder(self, settings: Settings) -> Path:
        """Where it is unpacked."""
        return settings.data / "extensions" / self.name / self.sha256[:16]


def _extension(row: Any) -> Extension:
    return Extension(
        row.name, row.version, row.package, row.file, row.sha256, row.size, bool(row.enabled), row.author,
        row.installed_us, row.changed_us,
    )  # fmt: skip


def every(store: Store) -> list[Extension]:
    """Return every extension, by name."""
    with store.read() as c:
        return [_extension(row) for row in c.execute(select(extension).order_by(extension.c.name))]


def get(store: Store, name: str) -> Extension:
    """Return one extension. Raises `NotFound`."""
    with store.read() as c:
        row = c.execute(select(extension).where(extension.c.name == name)).first()
    if row is None:
        raise NotFound(
            Text("Aucun service installé ici ne s'appelle ainsi.", "No service installed here is called that."),
            Text("beffroi service list les donne tous.", "beffroi service list gives them all."), place="name",
        )  # fmt: skip
    return _extension(row)


def described(store: Store, one: Extension) -> Declared:
    """Return what an extension declares, read in a process of its own. Raises `Problem`."""
    return declared(one.folder(store.settings), one.package)


def install(store: Store, who: Principal, body: bytes, file: str, known: frozenset[str]) -> Extension:
    """Check a wheel and unpack it, not in use yet; `known` are the services that the machine has by itself.

    Only an administrator of the whole town may. Another version of a service in use takes its place at once, if it
    loads. Raises `Problem`; nothing is left of a wheel that is refused.
    """
    require_reach(who, ())
    wheel = read_wheel(body)
    if wheel.name in known:
        raise Conflict(
            Text(f"Le service « {wheel.name} » est déjà sur cette machine.", f"The service '{wheel.name}' is on this machine already."),
            place="wheel",
        )  # fmt: skip
    now = store.clock()
    one = Extension(
        wheel.name, wheel.version, wheel.package, Path(file.replace("\\", "/")).name[:120], wheel.sha256, wheel.size, False, who.id, now, now,
    )  # fmt: skip
    fresh = not one.folder(store.settings).is_dir()
    _unpack(wheel, one.folder(store.settings))
    try:
        described(store, one)
        _keep(store, who, one)
    except Problem:
        if fresh:
            shutil.rmtree(one.folder(store.settings), ignore_errors=True)
        raise
    return get(store, one.name)


def _unpack(wheel: Wheel, folder: Path) -> None:
    """Write the files of a wheel into a folder that appears whole or not at all."""
    if folder.is_dir():
        return
    partial = folder.with_name(f".{folder.name}-{os.getpid()}-{secrets.token_hex(4)}")
    for path, content in wheel.files.items():
        if not path.startswith(f"{wheel.package}/"):
            continue  # what says that it is installed: whether it is in use is for the shelf to say
        place = partial / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    with contextlib.suppress(OSError):  # another process was first
        partial.rename(folder)
    shutil.rmtree(partial, ignore_errors=True)


def _keep(store: Store, who: Principal, one: Extension) -> None:
    with store.write() as c:
        before = c.execute(select(extension).where(extension.c.name == one.name)).first()
        values = {
            "version": one.version, "package": one.package, "file": one.file, "sha256": one.sha256, "size": one.size,
            "author": one.author, "changed_us": one.changed_us,
        }  # fmt: skip
        if before is None:
            c.execute(
                insert(extension).values(name=one.name, installed_us=one.installed_us, enabled=0, **values)
            )
        else:
            c.execute(update(extension).where(extension.c.name == one.name).values(**values))
        store.audit.note(c, who, "extension.install", f"extension/{one.name}", {
            "file": one.file, "version": one.version, "sha256": one.sha256, "replaces": before.sha256 if before else None,
        })  # fmt: skip


def enable(store: Store, who: Principal, name: str) -> Extension:
    """Let a service be used, by every process within a second, after making sure that it loads. Raises `Problem`."""
    require_reach(who, ())
    one = get(store, name)
    described(store, one)
    return _switch(store, who, one, enabled=True)


def disable(store: Store, who: Principal, name: str) -> Extension:
    """Let a service be used no more; its data stay readable. Raises `Problem`."""
    require_reach(who, ())
    return _switch(store, who, get(store, name), enabled=False)


def _switch(store: Store, who: Principal, one: Extension, *, enabled: bool) -> Extension:
    with store.write() as c:
        done = c.execute(
            update(extension)
            .where(extension.c.name == one.name, extension.c.enabled == int(not enabled))
            .values(enabled=int(enabled), changed_us=store.clock())
        )
        if done.rowcount:
            action = "extension.enable" if enabled else "extension.disable"
            detail = {"version": one.version, "sha256": one.sha256}
            store.audit.note(c, who, action, f"extension/{one.name}", detail)
    return get(store, one.name)


def remove(store: Store, who: Principal, name: str) -> None:
    """Take a service that is not in use off the shelf; its data stay readable. Raises `Problem`."""
    require_reach(who, ())
    one = get(store, name)
    if one.enabled:
        raise Conflict(
            Text("Ce service est en service.", "This service is in use."),
            Text("Désactivez-le d'abord.", "Disable it first."), place="name",
        )  # fmt: skip
    with store.write() as c:
        c.execute(delete(extension).where(extension.c.name == name, extension.c.enabled == 0))
        store.audit.note(c, who, "extension.remove", f"extension/{name}", {"sha256": one.sha256})
    shutil.rmtree(one.folder(store.settings).parent, ignore_errors=True)


def sign(store: Store) -> tuple[tuple[str, str], ...]:
    """Return which extensions are in use, and in what version: two microseconds' reading, asked every second."""
    rows = store.glance("SELECT name, sha256 FROM extension WHERE enabled = 1 ORDER BY name", {})
    return tuple((row[0], row[1]) for row in rows)


def in_use(store: Store) -> list[Extension]:
    """Return the extensions in use."""
    return [one for one in every(store) if one.enabled]


def loaded(store: Store) -> list[ModuleType]:
    """Return the modules of the extensions in use; one that does not load is said in the log, and the town runs without."""
    found = []
    ours = store.settings.data / "extensions"
    sys.path[:] = [path for path in sys.path if ours not in Path(path).parents]
    for one in in_use(store):
        folder = one.folder(store.settings)
        try:
            found.append(_load(one.package, folder))
        except Exception:
            log.exception("the service %r does not load and is left out", one.name)
    return found


def _load(package: str, folder: Path) -> ModuleType:
    """Import a package from its folder, forgetting another version of it first."""
    if not (folder / package).is_dir():  # what was imported before would not find its templates
        raise FileNotFoundError(folder)
    known = sys.modules.get(package)
    if known is not None and folder not in Path(known.__file__ or "").parents:
        for name in [name for name in sys.modules if name == package or name.startswith(package + ".")]:
            del sys.modules[name]
    sys.path.append(str(folder))  # last: it can stand for nothing that is here
    importlib.invalidate_caches()
    return importlib.import_module(package)
