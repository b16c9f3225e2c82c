"""Processes forked from one that has loaded all of Beffroi: a town starts in a twentieth of a new interpreter's time, so
that many can be started and killed. What they do is no different: the same command line, in a process group of its own.
"""

import contextlib
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

__all__ = ["Forked", "beffroi", "command_line", "script"]

ROOT = Path(__file__).parents[1]
_context = multiprocessing.get_context("forkserver")


def command_line(*words: str) -> None:
    """Be `beffroi WORDS`."""
    from beffroi.cli import main

    sys.argv = ["beffroi", *words]
    main()


def script(source: str, *words: str) -> None:
    """Be `python -c SOURCE WORDS`."""
    sys.argv = ["-c", *words]
    exec(compile(source, "<script>", "exec"), {"__name__": "__main__"})


class Forked:
    """A process that runs `target(*words)`; `file_limit` bounds the size in bytes of every file it writes.

    Its standard output is a pipe, `stdout`; its standard error goes to the file `errors`; `environment` is added to ours.
    """

    def __init__(
        self, target: Callable[..., None], *words: str, file_limit: int | None = None,
        errors: Path | str = os.devnull, environment: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        _nursery()
        reading, writing = _context.Pipe(duplex=False)
        with reading, writing:
            self.process = _context.Process(
                target=_born,
                args=(writing, {**os.environ, **(environment or {})}, file_limit, str(errors), target, words),
            )
            self.process.start()
            self.stdout = os.fdopen(os.dup(reading.fileno()), "rb")
        assert self.process.pid is not None
        self.pid: int = self.process.pid

    @property
    def returncode(self) -> int | None:
        """How it ended: minus the signal that killed it; None: it still runs."""
        return self.process.exitcode

    def wait(self, timeout: float = 120) -> int:
        """Return how it ended."""
        self.process.join(timeout)
        assert self.process.exitcode is not None, "the process does not end"
        return self.process.exitcode

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def rest(self) -> bytes:
        """Return what it wrote and was not read, once it has ended."""
        with self.stdout:
            said = self.stdout.read()
        self.wait()
        return said


def beffroi(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Return what `beffroi WORDS` ended with, wrote and complained of; `environment` is added to ours."""
    with NamedTemporaryFile() as errors:
        process = Forked(command_line, *words, errors=errors.name, environment=environment)
        said = process.rest().decode()
        return subprocess.CompletedProcess(words, process.wait(), said, errors.read().decode())


def _nursery() -> None:
    """Start the process that all others are forked from, once."""
    _context.set_forkserver_preload(["tests.loaded"])
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{ROOT / 'src'}:{ROOT}:{before or ''}"
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def _born(
    writing: Connection, environment: Mapping[str, str], file_limit: int | None, errors: str,
    target: Callable[..., None], words: tuple[Any, ...],
) -> None:  # fmt: skip
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(writing.fileno(), 1)
    with Path(errors).open("wb") as file:
        os.dup2(file.fileno(), 2)
    writing.close()
    sys.stdout, sys.stderr = (os.fdopen(number, "w", encoding="utf-8", closefd=False) for number in (1, 2))
    if file_limit is not None:  # Python ignores SIGXFSZ: a write beyond the limit fails, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
    target(*words)
