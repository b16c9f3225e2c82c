"""Checkpoint: move SQLite's write-ahead log into its file beside the commits, not within one of them."""

import contextlib
import sqlite3
import threading
from pathlib import Path

from beffroi.store.database import connect_sqlite
from beffroi.store.turn import Turn

__all__ = ["Checkpointer"]

DUE = 1_000  # pages written, by estimate, since the last checkpoint of this process
ROWS_OF_A_PAGE = 16  # in the log: two trees, and a page is written again by the next commit
PAGES_OF_A_COMMIT = 4


class Checkpointer(threading.Thread):
    """Moves the log of one file whenever this process has added enough to it; asleep otherwise.

    A first pass goes beside the commits and takes nearly everything. A second, in its turn,
    takes the few pages that came meanwhile, so that the log starts again from its beginning instead of growing for as
    long as writing goes on. Should it fall behind, the writer's own automatic checkpoint bounds the log.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(name="beffroi-checkpoint", daemon=True)
        self._path = path
        self._pages = 0
        self._due = threading.Event()
        self._stopped = False

    def wrote(self, rows: int) -> None:
        """Count a commit of `rows` rows."""
        self._pages += PAGES_OF_A_COMMIT + rows // ROWS_OF_A_PAGE
        if self._pages >= DUE:
            self._due.set()

    def stop(self) -> None:
        """End the thread."""
        self._stopped = True
        self._due.set()
        if self.is_alive():
            self.join(timeout=5)

    def run(self) -> None:
        """Do the work until `stop`."""
        connection = connect_sqlite(self._path)
        turn = Turn(self._path)
        while self._due.wait() and not self._stopped:
            self._due.clear()
            self._pages = 0
            # a full disk, or another process at the same work: the next time tries again
            with contextlib.suppress(sqlite3.Error, OSError):
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                with turn:
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        turn.close()
        connection.close()
