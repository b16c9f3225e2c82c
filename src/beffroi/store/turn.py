"""Turn: who writes a SQLite file now, among the threads and processes of an installation.

SQLite lets a second writer wait by sleeping and looking again, up to a tenth of a second at a time: with two busy
processes the unlucky one waits for seconds. Here it waits in the kernel (`flock`) and is woken at once. Two locks make
it fair: whoever waits for the turn holds the queue, so that the one who leaves cannot come back before the one who
waits has entered. SQLite's own locks stay what makes writing safe: the turn only makes waiting for them short.
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
        self._queue: int | None = None if path is None else _open(path, "queue")
        self._turn: int | None = None if path is None else _open(path, "turn")

    def take_now(self) -> bool:
        """Take the turn if nobody has it; return whether it was taken."""
        if not self._mine.acquire(blocking=False):
            return False
        if self._queue is None or self._turn is None:
            return True
        try:
            fcntl.flock(self._queue, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._mine.release()
            return False
        try:
            fcntl.flock(self._turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._mine.release()
            return False
        finally:
            fcntl.flock(self._queue, fcntl.LOCK_UN)
        return True

    def take(self) -> None:
        """Wait for the turn and take it."""
        self._mine.acquire()
        try:
            if self._queue is not None and self._turn is not None:
                fcntl.flock(self._queue, fcntl.LOCK_EX)
                fcntl.flock(self._turn, fcntl.LOCK_EX)
                fcntl.flock(self._queue, fcntl.LOCK_UN)
        except BaseException:
            self._mine.release()
            raise

    def give(self) -> None:
        """Let the next one write."""
        if self._turn is not None:
            fcntl.flock(self._turn, fcntl.LOCK_UN)
        self._mine.release()

    def close(self) -> None:
        """Let go of the files."""
        files, self._queue, self._turn = (self._queue, self._turn), None, None
        for file in files:
            if file is not None:
                os.close(file)

    def __enter__(self) -> Self:
        """Wait for the turn and take it."""
        self.take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the next one write."""
        self.give()


def _open(path: Path, name: str) -> int:
    return os.open(path.with_name(f"{path.name}-{name}"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
