"""The gate: from what a request holds (a key, a session cookie) to who is asking, thousands of times a second.

Answers are remembered until the records database changes: SQLite says so in microseconds (`PRAGMA
data_version`, looked at once a millisecond), so a key revoked by another process is refused at once. On PostgreSQL,
which has no such sign, an answer is remembered until this process commits something, and for 50 ms at most.
"""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable

import msgspec
from sqlalchemy import Update, select, update

from beffroi.identity.keys import digest, key_of
from beffroi.identity.people import person_of
from beffroi.identity.sessions import SEEN_STEP_US, Session, session_of
from beffroi.model.instant import HOUR_US
from beffroi.model.principal import Principal
from beffroi.model.problem import Problem
from beffroi.store.open import Store
from beffroi.store.tables import account, session, token

__all__ = ["Caller", "Gate"]

_MOST = 10_000  # answers remembered
_MEMORY_S = 0.05  # on PostgreSQL
_LOOK_S = 0.001  # on SQLite: a thousand looks a second are enough, however many requests
_USED_STEP_US = HOUR_US


class Caller(msgspec.Struct, frozen=True):
    """Who is asking, by what means, until when that is known to hold."""

    who: Principal
    until_us: int
    language: str | None = None
    session: Session | None = None
    stale_at: float = 0.0  # monotonic, PostgreSQL only


class Gate:
    """The check of keys and sessions of one process. `recall` never waits; `look_up` reads the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[tuple[str, bytes], Caller] = {}
        self._lock = threading.Lock()
        self._sign: sqlite3.Connection | None = None
        self._version = -1
        self._looked_at = 0.0
        path = store.database.records_path
        self._cancel: Callable[[], None] | None = None
        if path is None:
            self._cancel = store.listen(
                self._forget, records_only=True
            )  # this process's own changes count at once
        else:
            self._sign = sqlite3.connect(
                f"file:{path}?mode=ro", uri=True, check_same_thread=False, isolation_level=None
            )

    def close(self) -> None:
        """Close the connection that watches for changes."""
        if self._sign is not None:
            self._sign.close()
        if self._cancel is not None:
            self._cancel()

    def recall(self, kind: str, secret: str) -> Caller | None:
        """Return what is remembered of a "token" or "session" secret, if it still holds, else None."""
        with self._lock:
            if not self._fresh():
                return None
            caller = self._known.get((kind, digest(secret)))
        if caller is None or self._store.clock() >= caller.until_us:
            return None
        if self._sign is None and time.monotonic() >= caller.stale_at:
            return None
        return caller

    def look_up(self, kind: str, secret: str) -> Caller | None:
        """Return who holds a secret, read from the store, or None when nobody does (any more)."""
        mark = digest(secret)
        with self._lock:
            self._fresh()
            version = self._version
        caller = self._token(mark) if kind == "token" else self._session(mark)
        if caller is not None:
            with self._lock:
                # Read before a change that was seen since: true then, perhaps not now.
                if self._fresh() and version == self._version:
                    if len(self._known) >= _MOST:
                        self._known.clear()
                    self._known[(kind, mark)] = caller
        return caller

    def who(self, kind: str, secret: str) -> Principal | None:
        """Return the principal behind a secret, or None (for MQTT and other threads)."""
        caller = self.recall(kind, secret) or self.look_up(kind, secret)
        return None if caller is None else caller.who

    def _fresh(self) -> bool:
        """Return False, having forgotten everything, when the records changed since the last look."""
        if self._sign is None:
            return True
        now = time.monotonic()
        if now < self._looked_at + _LOOK_S:
            return True
        self._looked_at = now
        version = self._sign.execute("PRAGMA data_version").fetchone()[0]
        if version == self._version:
            return True
        self._known.clear()
        self._version = version
        return False

    def _forget(self) -> None:
        with self._lock:
            self._known.clear()
            self._version += 1

    def _token(self, mark: bytes) -> Caller | None:
        now = self._store.clock()
        with self._store.read() as connection:
            row = connection.execute(select(token).where(token.c.hash == mark)).first()
        if row is None or not (key := key_of(row)).valid_at(now):
            return None
        if key.used_us is None or now - key.used_us >= _USED_STEP_US:
            self._touch(update(token).where(token.c.id == key.id).values(used_us=now))
        until = now + _USED_STEP_US if key.expires_us is None else min(key.expires_us, now + _USED_STEP_US)
        return Caller(key.principal, until, stale_at=time.monotonic() + _MEMORY_S)

    def _session(self, mark: bytes) -> Caller | None:
        now = self._store.clock()
        with self._store.read() as connection:
            row = connection.execute(select(session).where(session.c.hash == mark)).first()
            if row is None:
                return None
            found = session_of(row)
            holder = connection.execute(
                select(account).where(account.c.id == found.person_id, account.c.disabled == 0)
            ).first()
        if holder is None:
            return None
        person = person_of(holder)
        if not found.alive_at(now):
            return None
        if now - found.seen_us >= SEEN_STEP_US:
            self._touch(update(session).where(session.c.id == found.id).values(seen_us=now))
            found = msgspec.structs.replace(found, seen_us=now)
        # Remembered for one step at most, so that "last seen" moves and idle time is counted.
        until = min(found.expires_us, now + SEEN_STEP_US)
        return Caller(person.principal, until, person.language, found, time.monotonic() + _MEMORY_S)

    def _touch(self, change: Update) -> None:
        # A full disk must not shut out those who only read.
        with contextlib.suppress(Problem), self._store.write() as connection:
            connection.execute(change)
