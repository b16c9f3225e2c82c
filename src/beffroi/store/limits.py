"""Limits: a reading that takes too long or too much memory is stopped, and says so; the others go on meanwhile.

The limit belongs to the thread that reads, since a reading is one thread's work: SQLite asks by its progress handler,
PostgreSQL is told a `statement_timeout`, DuckDB is interrupted by a watchman.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any, Protocol

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = [
    "TooHeavy",
    "UncomputableError",
    "exceeded",
    "left_s",
    "limit_s",
    "limited",
    "too_heavy",
    "too_large",
    "watch_sqlite",
    "watched",
]

STEPS = 20_000  # instructions of SQLite's machine between two looks at the clock: some 0.2 ms
TICK_S = 0.1
_local = threading.local()


class TooHeavy(Problem):
    """A query is over a limit of `[store]`: nothing is wrong with it but its size."""

    status = 422


class UncomputableError(Exception):
    """The database cannot compute a reading: a number out of range, a text that is no geometry. Its text is the detail."""


def too_heavy(seconds: float) -> TooHeavy:
    """Return the problem of a query that ran for longer than it may."""
    return TooHeavy(
        Text("La requête dépasse la limite de {s} s (store.query_seconds).", "The query is over the limit of {s} s (store.query_seconds).")
        .filled(s=f"{seconds:g}"),
        Text("Restreignez-la : une période plus courte, un $filter sur phenomenonTime ou sur un Datastream, un $top plus petit.",
             "Narrow it: a shorter period, a $filter on phenomenonTime or on a Datastream, a smaller $top."),
        place="store.query_seconds",
    )  # fmt: skip


def too_large(megabytes: int) -> TooHeavy:
    """Return the problem of a query that needs more memory than it may have."""
    return TooHeavy(
        Text("La requête dépasse la limite de {m} Mo de mémoire (store.query_memory_mb).",
             "The query is over the limit of {m} MB of memory (store.query_memory_mb).").filled(m=megabytes),
        Text("Restreignez-la : une période plus courte, moins de groupes, un $top plus petit.",
             "Narrow it: a shorter period, fewer groups, a smaller $top."),
        place="store.query_memory_mb",
    )  # fmt: skip


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Limit what this thread reads within the block; 0 is no limit. Raises nothing by itself: see `exceeded`."""
    before = getattr(_local, "until", None), getattr(_local, "limit", 0.0)
    _local.until, _local.limit = time.monotonic() + seconds if seconds else None, seconds
    try:
        yield
    finally:
        _local.until, _local.limit = before


def left_s() -> float | None:
    """Return the seconds that this thread's reading has left, None without a limit."""
    until = getattr(_local, "until", None)
    return None if until is None else until - time.monotonic()


def limit_s() -> float:
    """Return the seconds that this thread's reading was given, 0 without a limit."""
    return float(getattr(_local, "limit", 0.0))


def exceeded() -> bool:
    """True when this thread's reading is over its time."""
    left = left_s()
    return left is not None and left <= 0


def watch_sqlite(connection: Any) -> None:
    """Let a connection of SQLite stop a statement of a thread that is over its time."""
    connection.set_progress_handler(exceeded, STEPS)


class _Interruptible(Protocol):
    def interrupt(self) -> None: ...


class _Watchman(threading.Thread):
    """Interrupts the readings that are over their time; it sleeps while there is none."""

    def __init__(self) -> None:
        super().__init__(name="beffroi-limits", daemon=True)
        self._watched: dict[int, tuple[_Interruptible, float]] = {}
        self._some = threading.Condition()

    def add(self, cursor: _Interruptible, until: float) -> None:
        with self._some:
            self._watched[id(cursor)] = (cursor, until)
            if len(self._watched) == 1:
                self._some.notify()

    def drop(self, cursor: _Interruptible) -> None:
        with self._some:
            self._watched.pop(id(cursor), None)

    def run(self) -> None:
        while True:
            with self._some:
                while not self._watched:
                    self._some.wait()
                now = time.monotonic()
                for cursor, until in self._watched.values():
                    if until <= now:
                        cursor.interrupt()
            time.sleep(TICK_S)


_watchman: _Watchman | None = None
_starting = threading.Lock()


@contextlib.contextmanager
def watched(cursor: _Interruptible) -> Iterator[None]:
    """Let DuckDB's `cursor` be interrupted when this thread's reading is over its time."""
    global _watchman
    left = left_s()
    if left is None:
        yield
        return
    with _starting:
        if _watchman is None:
            _watchman = _Watchman()
            _watchman.start()
    _watchman.add(cursor, time.monotonic() + left)
    try:
        yield
    finally:
        _watchman.drop(cursor)
