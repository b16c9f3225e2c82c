"""Durable: what was committed to a SQLite file's log is on the disk, one `fsync` for all who wait for theirs.

SQLite itself would sync its log inside each commit, and every other writer waits for that. Here a commit only writes
(`synchronous=NORMAL`), the turn to write passes on, and whoever committed waits outside of it: the first one syncs, and
those who committed before it began are served by it. A log that was checkpointed and begun anew meanwhile was synced by
SQLite before, and so was the file.
"""

import contextlib
import os
import threading
from pathlib import Path

__all__ = ["Log"]


class Log:
    """The write-ahead log of the SQLite file at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(f"{path.name}-wal")
        self._changed = threading.Condition()
        self._file: int | None = None
        self._asked = self._done = 0
        self._syncing = False

    def reach(self) -> None:
        """Return once everything that this thread committed is on the disk. Raises `OSError` when it cannot be."""
        with self._changed:
            self._asked += 1
            mine = self._asked
            while self._done < mine:
                if self._syncing:
                    self._changed.wait()
                else:
                    self._lead()

    def _lead(self) -> None:
        """Sync for all who asked before now; others may ask meanwhile."""
        until, self._syncing = self._asked, True
        self._changed.release()
        try:
            self._sync()
        except BaseException:
            until = 0  # each of those who wait tries once more, and hears of it itself
            raise
        finally:
            self._changed.acquire()
            self._done, self._syncing = max(self._done, until), False
            self._changed.notify_all()

    def _sync(self) -> None:
        """Sync the log there is now: the last to close a file takes its log away, and the next makes another."""
        with contextlib.suppress(FileNotFoundError):  # it was moved to the file, and synced, by who closed it
            if self._file is not None and not _same(self._file, self._path):
                os.close(self._file)
                self._file = None
            if self._file is None:
                self._file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
                folder = os.open(self._path.parent, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    os.fsync(folder)  # a log that is new: its name must outlive a power cut as well
                finally:
                    os.close(folder)
            os.fdatasync(self._file)  # as SQLite does: its length too, but not when it was written

    def close(self) -> None:
        """Let go of the file."""
        with self._changed:
            file, self._file = self._file, None
            if file is not None:
                os.close(file)


def _same(file: int, path: Path) -> bool:
    held, named = os.fstat(file), path.stat()
    return (held.st_dev, held.st_ino) == (named.st_dev, named.st_ino)
