"""What a service would read and write, found without it entering the running town: in a process of its own.

`python -m beffroi.extensions.declared FOLDER PACKAGE` prints it as JSON. Declarations are what the service says of itself;
`reach` is what its code names: what it imports to reach the network, other programs, files or the database.
"""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["Declared", "declared", "reach_of"]

TIMEOUT_S = 60
_REACHES = {
    "network": ("socket", "urllib", "http", "ssl", "smtplib", "ftplib", "requests", "httpx", "httpx2", "aiohttp", "asyncio",
                "beffroi.connectors", "beffroi.rules.webhook", "beffroi.rules.mail"),
    "programs": ("subprocess", "multiprocessing", "os", "ctypes", "signal"),
    "files": ("pathlib", "shutil", "tempfile", "io", "os"),
    "database": ("sqlalchemy", "sqlite3", "duckdb", "psycopg", "beffroi.store"),
    "identity": ("beffroi.identity",),
}  # fmt: skip


class Declared(msgspec.Struct, frozen=True):
    """What a service brings: each list is of (name, title in French, title in English) or of plain names."""

    title: tuple[str, str] = ("", "")
    collections: tuple[tuple[str, str, str], ...] = ()
    personal: tuple[str, ...] = ()
    datastreams: tuple[tuple[str, str, str], ...] = ()
    rules: tuple[tuple[str, str, str], ...] = ()
    indicators: tuple[tuple[str, str, str], ...] = ()
    routes: tuple[str, ...] = ()
    connectors: tuple[str, ...] = ()
    duties: tuple[str, ...] = ()
    reach: tuple[str, ...] = ()
    faults: tuple[tuple[str, str, str], ...] = ()


def reach_of(folder: Path) -> tuple[str, ...]:
    """Return what the code in `folder` imports that reaches outside its declarations, sorted."""
    names = {name for file in folder.rglob("*.py") for name in _imports(file)}
    return tuple(
        sorted(
            kind
            for kind, roots in _REACHES.items()
            if any(name == root or name.startswith(root + ".") for name in names for root in roots)
        )
    )


def _imports(file: Path) -> Iterator[str]:
    try:
        tree = ast.parse(file.read_text("utf-8"))
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{one.name}" for one in node.names)


def declared(folder: Path, package: str) -> Declared:
    """Return what the service of `package`, unpacked in `folder`, declares. Raises `Problem` when it does not load."""
    command = [sys.executable, "-m", __name__, str(folder), package]
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False, text=True)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise _unloadable("60 s") from error
    if done.returncode:
        raise _unloadable((done.stderr.strip().splitlines() or [""])[-1])
    try:
        return msgspec.json.decode(done.stdout.splitlines()[-1], type=Declared)
    except (msgspec.DecodeError, msgspec.ValidationError, IndexError) as error:
        raise _unloadable(str(error)) from error


def _unloadable(detail: str) -> Problem:
    detail = detail[:200].replace("{", "(").replace("}", ")")
    return Problem(
        Text(f"Le service ne se charge pas : {detail}", f"The service does not load: {detail}"),
        Text("Signalez-le à qui l'a écrit.", "Report it to whoever wrote it."), place="wheel",
    )  # fmt: skip


def _tell(folder: str, package: str) -> dict[str, Any]:
    """Return what the service declares, for the process that asked."""
    import importlib  # noqa: PLC0415 -- only in the process that loads it

    from beffroi.inspection import inspect_service  # noqa: PLC0415
    from beffroi.plugins import load_registry  # noqa: PLC0415
    from beffroi.town import PLATFORM  # noqa: PLC0415

    sys.path.append(folder)
    module = importlib.import_module(package)
    service = module.beffroi_service()
    registry = load_registry([module], PLATFORM)

    def named(found: Any, key: str = "name") -> list[tuple[str, str, str]]:
        return [(getattr(one, key), one.title.fr, one.title.en) for one in found]

    return {
        "title": (service.title.fr, service.title.en), "collections": named(service.collections),
        "personal": [f"{c.name}.{f.name}" for c in service.collections for f in c.personal],
        "datastreams": named(service.datastreams, "code"), "rules": named(service.rules),
        "indicators": named(service.indicators),
        "routes": [f"{' '.join(sorted((r.methods or set()) - {'HEAD'}))} {r.path}" for r in service.routes],
        "connectors": [name for name, _ in service.connectors], "duties": [d.__name__ for d in service.duties],
        "faults": [(f.place, f.reason.fr, f.reason.en) for f in inspect_service(service, registry).faults],
        "reach": reach_of(Path(folder, package)),
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(_tell(*sys.argv[1:3]), ensure_ascii=False))  # noqa: T201
