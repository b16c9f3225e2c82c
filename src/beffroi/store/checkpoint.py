"""Checkpoint: move SQLite's write-ahead log into its file beside the commits, not within one of them."""

import contextlib
import sqlite3
import threading
from pathlib import Path

from beffroi.store.database import connect_sqlite

__all__ = ["Checkpointer"]

INTERVAL_S = 0.5
LOG_BYTES = 4 * 1024 * 1024  # a shorter log is left alone


class Checkpointer(threading.Thread):
    """Looks at the log of one file twice a second, and moves it when it is long; waits for nobody.

    Should it fall behind, the writer's own automatic checkpoint bounds the log.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(name="beffroi-checkpoint", daemon=True)
        self._path = path
        self._log = path.with_name(path.name + "-wal")
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        if self.is_alive():
            self.join(timeout=5)

    def run(self) -> None:
        """Do the work until `stop`."""
        connection = connect_sqlite(self._path)
        while not self._stopped.wait(INTERVAL_S):
            # a full disk or a lock held too long: the next look tries again
            with contextlib.suppress(sqlite3.Error, FileNotFoundError):
                if self._log.stat().st_size > LOG_BYTES:
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        connection.close()
