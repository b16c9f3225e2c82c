"""What a service would read and write, found without it entering the running town: in a process of its own.

`python -m beffroi.inspection FOLDER PACKAGE` prints it as JSON. Declarations are what the service says of itself;
`reach` is what its code names: what it imports to reach the network, other programs, files or the database.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

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
    command = [sys.executable, "-m", "beffroi.inspection", str(folder), package]
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
