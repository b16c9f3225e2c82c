"""Election: of all the processes of an installation, exactly one is its keeper, and another takes over if it dies."""

import fcntl
from contextlib import suppress
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from beffroi.store.open import Store

__all__ = ["Election"]

_ADVISORY_KEY = 0x0BEFF201


class Election:
    """A lock that one process holds: a locked file beside SQLite, an advisory lock on PostgreSQL.

    Both are let go by the system itself when the process or its connection dies.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._file: IO[bytes] | None = None
        self._connection: Connection | None = None

    def won(self) -> bool:
        """Try to become the keeper, or check that we still are; True when we are."""
        return self._won_file() if self._store.dialect == "sqlite" else self._won_advisory()

    def resign(self) -> None:
        """Let another process be the keeper."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._connection is not None:
            # unlocked by name: a server frees the locks of a closed connection only a moment later, and closing
            # alone would give the connection, lock and all, back to the pool
            with suppress(DBAPIError):
                self._connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _ADVISORY_KEY})
            self._connection.invalidate()
            self._connection.close()
            self._connection = None

    def held(self) -> bool:
        """True when some process of the installation, this one or another, is the keeper."""
        if self._store.dialect == "postgresql":
            with self._store.read() as connection:
                query = (
                    "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = :key AND granted"
                    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
                )
                return connection.execute(text(query), {"key": _ADVISORY_KEY}).first() is not None
        with (self._store.settings.data / "keeper.lock").open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def _won_file(self) -> bool:
        if self._file is not None:
            return True
        path: Path = self._store.settings.data / "keeper.lock"
        file = path.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._file = file
        return True

    def _won_advisory(self) -> bool:
        try:
            if self._connection is not None:
                self._connection.execute(text("SELECT 1"))
                return True
            connection = self._store.database.writer.connect().execution_options(isolation_level="AUTOCOMMIT")
            if connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _ADVISORY_KEY}).scalar():
                self._connection = connection
                return True
            connection.close()
        except DBAPIError:
            self._connection = None
        return False
