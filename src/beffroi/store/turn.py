"""Turn: who writes a SQLite file now, among the threads and processes of an installation.

SQLite lets a second writer wait by sleeping and looking again, up to a tenth of a second at a time: with two busy
processes the unlucky one waits for seconds. Here it waits in the kernel (`flock`) and is woken at once. SQLite's
own locks stay what makes writing safe: the turn only makes waiting for them short.
"""

import fcntl
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["Turn"]


class Turn:
    """One place in the queue for writing `path` (None: threads of this process alone queue). A context manager."""

    def __init__(self, path: Path | None) -> None:
        self._mine = threading.Lock()
        self._file = None if path is None else _open(path.with_name(f"{path.name}-turn"))

    def take_now(self) -> bool:
        """Take the turn if nobody has it; return whether it was taken."""
        if not self._mine.acquire(blocking=False):
            return False
        if self._file is None:
            return True
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._mine.release()
            return False
        return True

    def give(self) -> None:
        """Let the next one write."""
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._mine.release()

    def close(self) -> None:
        """Let go of the file."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def __enter__(self) -> Self:
        """Wait for the turn and take it."""
        self._mine.acquire()
        try:
            if self._file is not None:
                fcntl.flock(self._file, fcntl.LOCK_EX)
        except BaseException:
            self._mine.release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the next one write."""
        self.give()


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
