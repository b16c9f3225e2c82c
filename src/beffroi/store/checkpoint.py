"""Checkpoint: move SQLite's write-ahead log into its file beside the commits, not within one of them.

SQLite before 3.51.3 (Debian 12 has 3.40) may lose what was committed: a checkpoint that finds everything moved, while a
commit starts the log again from its beginning, counts the pages of that commit as moved (https://sqlite.org/wal.html,
"The WAL-reset bug"). So no commit may start the log again while a checkpoint is under way. A reader that reads from the
log keeps it from being started again, and a checkpoint that nobody commits beside cannot be caught: that is all we do here.
"""

import contextlib
import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from beffroi.store.database import connect_sqlite
from beffroi.store.turn import Turn

__all__ = ["Checkpointer", "move_log"]

DUE = 4_000  # pages written, by estimate, since the last checkpoint of this process: 16 MB
ROWS_OF_A_PAGE = 32  # in the log: two trees, and a page is written again by the next commit
PAGES_OF_A_COMMIT = 4
FEW = 200  # pages that are moved within a turn: some milliseconds
MOST = 4  # passes beside the commits before one in their turn, however many pages came meanwhile


def move_log(path: Path, turn: Turn) -> None:
    """Move the log of the SQLite file `path` so that it starts again from its beginning instead of growing; `turn`: of
    those who write it.

    Passes go beside the commits, each with what came during the one before, until little is left; the last goes in turn.
    Does nothing while another process or thread is at it. Raises `sqlite3.Error`, `OSError`.
    """
    with _alone(path) as alone:
        if not alone:
            return
        with (
            contextlib.closing(connect_sqlite(path, synchronous="NORMAL")) as moving,
            contextlib.closing(connect_sqlite(path)) as holding,
        ):
            moved = 0
            for _ in range(MOST):
                with _held(moving, holding, turn):
                    _busy, _written, done = moving.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                if done - moved <= FEW:
                    break
                moved = done
            with turn:
                moving.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Give True to one at a time: with nobody else moving it, what is in the log when a pass begins is not moved yet."""
    file = os.open(path.with_name(f"{path.name}-moving.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        alone = True
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            alone = False
        yield alone
    finally:
        os.close(file)


@contextlib.contextmanager
def _held(moving: sqlite3.Connection, holding: sqlite3.Connection, turn: Turn) -> Iterator[None]:
    """Keep the log from being started again: read from it what was just committed to it, before anybody else commits."""
    with turn:
        (version,) = moving.execute("PRAGMA user_version").fetchone()
        moving.execute(f"PRAGMA user_version = {version}")  # a commit that changes nothing
        holding.execute("BEGIN")
        holding.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    try:
        yield
    finally:
        holding.execute("ROLLBACK")


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
        turn = Turn(self._path)
        while self._due.wait() and not self._stopped:
            self._due.clear()
            self._pages = 0
            # a full disk, or another process at the same work: the next time tries again
            with contextlib.suppress(sqlite3.Error, OSError):
                move_log(self._path, turn)
        turn.close()
