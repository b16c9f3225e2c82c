"""Checkpoint: move SQLite's write-ahead log into its file beside the commits, not within one of them."""

import contextlib
import sqlite3
import threading
from pathlib import Path

from beffroi.store.database import connect_sqlite
from beffroi.store.turn import Turn

__all__ = ["Checkpointer", "move_log"]

DUE = 4_000  # pages written, by estimate, since the last checkpoint of this process: 16 MB
ROWS_OF_A_PAGE = 32  # in the log: two trees, and a page is written again by the next commit
PAGES_OF_A_COMMIT = 4
FEW = 200  # pages that are moved within a turn: some milliseconds
MOST = 4  # passes beside the commits before one in their turn, however many pages came meanwhile


def move_log(connection: sqlite3.Connection, turn: Turn) -> None:
    """Move the log of the file of `connection` so that it starts again from its beginning instead of growing.

    Passes go beside the commits, each with what came during the one before, until little is left; the last goes in turn.
    """
    moved = 0
    for _ in range(MOST):
        _busy, _written, done = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if done - moved <= FEW:
            break
        moved = done
    with turn:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()


class Checkpointer(threading.Thread):
    """Moves the log of one file whenever this process has added enough to it; asleep otherwise.

    Should it fall behind, the writer's own automatic checkpoint bounds the log.
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
                move_log(connection, turn)
        turn.close()
        connection.close()
