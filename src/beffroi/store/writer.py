"""Writer: the SQL of storing observations, on a driver's own connection (no ORM in the hot path)."""

import contextlib
import functools
import itertools
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from beffroi.model.observation import Draft, Observation
from beffroi.store.checkpoint import Checkpointer
from beffroi.store.database import OBSERVED_PAGES, Database, connect_sqlite, unavailable
from beffroi.store.versions import By

__all__ = ["Writer", "writer_for"]

_ROW = "id, datastream_id, start_us, end_us, result_time_us, value, decimals, literal, feature_id, quality, extra"
_NAMES = _ROW.split(", ")
_ROWS = (500, 100, 10, 1)  # in one INSERT of SQLite
Columns = list[list[Any]]
"""A batch by columns, in the order of `_NAMES`."""
_PLACES = "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"
_INSERT = f"INSERT INTO observation ({_ROW}) VALUES ({_PLACES})"
_FRESHER = (
    "latest.observation_id IS NULL OR excluded.start_us > latest.start_us"
    " OR (excluded.start_us = latest.start_us AND excluded.observation_id > latest.observation_id)"
)
_LATEST_COLUMNS = (
    "observation_id", "start_us", "end_us", "result_time_us", "value", "decimals", "literal", "feature_id",
    "quality", "extra",
)  # fmt: skip
_REWRITE = (
    f"INSERT INTO observation ({_ROW}, seq, deleted) VALUES ({_PLACES}, ?, ?) ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f"{c} = excluded.{c}" for c in [*_ROW.split(", ")[1:], "seq", "deleted"])
)
_RELATEST = (
    "UPDATE latest SET count = count - ?, "
    + ", ".join(f"{c} = ?" for c in _LATEST_COLUMNS)
    + " WHERE datastream_id = ?"
)


_VERSION = (
    f"INSERT INTO observation_version ({_ROW}, seq, since_us, until_us, action, author, reason) VALUES ({_PLACES}, ?,"
    " COALESCE((SELECT max(v.until_us) FROM observation_version v WHERE v.id = ?), 0), ?, ?, ?, ?)"
)
PACE_US = 100_000  # between two marks of what number was given when


@functools.cache
def _insertion(used: tuple[int, ...], rows: int) -> str:
    """Return the statement that inserts so many rows of the columns `used`."""
    places = f"({', '.join('?' * len(used))})"
    return (
        f"INSERT INTO observation ({', '.join(_NAMES[i] for i in used)}) VALUES {', '.join([places] * rows)}"
    )


@functools.cache
def _latest(rows: int) -> str:
    """Return the statement that says what the newest observations of so many datastreams are, each named once."""
    places = f"({', '.join('?' * 14)})"
    return (
        f"INSERT INTO latest (datastream_id, count, first_us, received_us, {', '.join(_LATEST_COLUMNS)})"
        f" VALUES {', '.join([places] * rows)} ON CONFLICT (datastream_id) DO UPDATE SET count = latest.count + excluded.count,"
        " received_us = excluded.received_us,"
        " first_us = CASE WHEN latest.first_us IS NULL OR excluded.first_us < latest.first_us"
        " THEN excluded.first_us ELSE latest.first_us END, "
        + ", ".join(f"{c} = CASE WHEN {_FRESHER} THEN excluded.{c} ELSE latest.{c} END" for c in _LATEST_COLUMNS)
    )  # fmt: skip


class Kept(NamedTuple):
    """What observations were, until when, and what was done to them by whom."""

    before: Sequence[Observation]
    until_us: int
    action: str
    by: By


class Writer(Protocol):
    """What the appender needs of a database."""

    def append(self, drafts: Sequence[Draft], now_us: int) -> list[int | None]:
        """Store drafts in one durable transaction; return an id each, None where the source key was known."""

    def rewrite(self, observations: Sequence[Observation], kept: Kept, *, deleted: bool) -> None:
        """Write changed or deleted observations, and what they were, in one durable transaction."""

    def relatest(self, datastream_id: int, newest: Observation | None, gone: int) -> None:
        """Say what a datastream's newest observation is now, and that `gone` of them went."""

    def forget_series(self, datastream_id: int) -> None:
        """Remove a datastream's fresh rows and its last value."""

    def sync(self) -> None:
        """Wait until what was written is on the disk. Raises `Unavailable`."""

    def close(self) -> None:
        """Let go of the connection."""


def writer_for(database: Database) -> Writer:
    """Return the writer of the database's kind."""
    if database.observations_path is not None:
        return _SqliteWriter(database.observations_path, database.reach_observations)
    return _SqlWriter(lambda: _connect_postgresql(database), _Postgresql())


def _connect_postgresql(database: Database) -> Any:
    import psycopg  # noqa: PLC0415 -- an extra, needed only with PostgreSQL

    url = database.writer.url.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(url, autocommit=True, options="-c search_path=obs,public")


class _Sqlite:
    """What differs on SQLite."""

    begin = "BEGIN IMMEDIATE"
    mark = "?"
    errors: tuple[type[Exception], ...] = (sqlite3.OperationalError, sqlite3.DatabaseError)

    @staticmethod
    def insert(connection: Any, columns: Columns) -> None:
        # Binding costs more than storing: columns that this batch does not use are left out, and one statement takes many
        # rows. The interpreter changes hands at each statement, and another thread may keep it for a while: the fewer the better.
        used = tuple(i for i, column in enumerate(columns) if column.count(None) != len(column))
        start, n = 0, len(columns[0])
        for size in _ROWS:
            while n - start >= size:
                parts = zip(*(columns[i][start : start + size] for i in used), strict=True)
                connection.execute(_insertion(used, size), list(itertools.chain.from_iterable(parts)))
                start += size

    @staticmethod
    def newest(connection: Any, rows: Sequence[tuple[Any, ...]]) -> None:
        """Say what the newest observations are."""
        start = 0
        for size in _ROWS[1:]:
            while len(rows) - start >= size:
                part = rows[start : start + size]
                connection.execute(_latest(size), list(itertools.chain.from_iterable(part)))
                start += size

    @staticmethod
    def many(connection: Any, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        connection.executemany(sql, rows)

    @staticmethod
    def known(connection: Any, keys: list[bytes]) -> set[bytes]:
        found: set[bytes] = set()
        for i in range(0, len(keys), 900):
            part = keys[i : i + 900]
            marks = ",".join("?" * len(part))
            found.update(
                r[0] for r in connection.execute(f"SELECT key FROM source_key WHERE key IN ({marks})", part)
            )
        return found


class _Postgresql:
    """What differs on PostgreSQL."""

    begin = "BEGIN"
    mark = "%s"

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        import psycopg  # noqa: PLC0415

        return (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.DiskFull)

    @staticmethod
    def insert(connection: Any, columns: Columns) -> None:
        rows = zip(*columns, strict=True)
        if len(columns[0]) < 20:
            connection.cursor().executemany(_INSERT.replace("?", "%s"), list(rows))
            return
        with connection.cursor().copy(f"COPY observation ({_ROW}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def newest(self, connection: Any, rows: Sequence[tuple[Any, ...]]) -> None:
        """Say what the newest observations are."""
        self.many(connection, _latest(1), rows)

    @staticmethod
    def many(connection: Any, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        connection.cursor().executemany(sql.replace("?", "%s"), list(rows))

    @staticmethod
    def known(connection: Any, keys: list[bytes]) -> set[bytes]:
        found = connection.execute("SELECT key FROM source_key WHERE key = ANY(%s)", (keys,))
        return {bytes(row[0]) for row in found}


class _SqlWriter:
    """The writer, over a connection that is opened again when the server went away."""

    def __init__(self, connect: Callable[[], Any], kind: _Sqlite | _Postgresql) -> None:
        self._connect = connect
        self._kind = kind
        self._connection: Any = None
        self._paced_us = 0

    def sync(self) -> None:
        """Do nothing: the commit has waited."""

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def append(self, drafts: Sequence[Draft], now_us: int) -> list[int | None]:
        keyed = any(d.source_key is not None for d in drafts)

        def work(connection: Any) -> list[int | None]:
            fresh = self._unknown(connection, drafts) if keyed else [True] * len(drafts)
            n = fresh.count(True)
            if not n:
                return [None] * len(drafts)
            first = self._numbers(connection, n)
            ids = _number(fresh, first)
            stored = drafts if n == len(drafts) else [d for d, new in zip(drafts, fresh, strict=True) if new]
            columns = _columns(first, stored)
            self._kind.insert(connection, columns)
            if now_us - self._paced_us >= PACE_US:
                self._paced_us = now_us
                self._kind.many(
                    connection, "INSERT INTO pace (first_id, at_us) VALUES (?, ?)", [(first, now_us)]
                )
            self._kind.newest(connection, _newest(columns, now_us))
            if keyed:
                keys = [
                    (d.source_key, i, now_us) for i, d in enumerate(stored, first) if d.source_key is not None
                ]
                self._kind.many(
                    connection, "INSERT INTO source_key (key, observation_id, at_us) VALUES (?, ?, ?)", keys
                )
            return ids

        return self._transaction(work)  # type: ignore[no-any-return]

    def rewrite(self, observations: Sequence[Observation], kept: Kept, *, deleted: bool) -> None:
        def work(connection: Any) -> None:
            end = (kept.until_us, kept.action, kept.by.author, kept.by.reason)
            self._kind.many(connection, _VERSION, [(*_stored(o), o.seq, o.id, *end) for o in kept.before])
            first = self._numbers(connection, len(observations))
            mark = 1 if deleted else None
            self._kind.many(
                connection, _REWRITE, [(*_stored(o), first + i, mark) for i, o in enumerate(observations)]
            )

        self._transaction(work)

    def relatest(self, datastream_id: int, newest: Observation | None, gone: int) -> None:
        row = _stored(newest) if newest is not None else (None,) * 11
        values = (gone, row[0], *row[2:], datastream_id)
        self._transaction(lambda connection: self._kind.many(connection, _RELATEST, [values]))

    def forget_series(self, datastream_id: int) -> None:
        def work(connection: Any) -> None:
            for table in ("observation", "latest"):
                connection.execute(
                    f"DELETE FROM {table} WHERE datastream_id = {self._kind.mark}", (datastream_id,)
                )

        self._transaction(work)

    def _numbers(self, connection: Any, n: int) -> int:
        row = connection.execute(
            f"UPDATE counter SET next = next + {self._kind.mark} RETURNING next", (n,)
        ).fetchone()
        return int(row[0]) - n

    def _unknown(self, connection: Any, drafts: Sequence[Draft]) -> list[bool]:
        seen = self._kind.known(connection, [d.source_key for d in drafts if d.source_key is not None])
        fresh = []
        for draft in drafts:
            key = draft.source_key
            fresh.append(key is None or key not in seen)
            if key is not None:
                seen.add(key)
        return fresh

    def _transaction(self, work: Callable[[Any], Any]) -> Any:
        try:
            if self._connection is None:
                self._connection = self._connect()
            connection = self._connection
            connection.execute(self._kind.begin)
            try:
                result = work(connection)
                connection.execute("COMMIT")
            except BaseException:
                self._undo()
                raise
            return result
        except self._kind.errors as error:
            self._drop()
            raise unavailable(error) from error

    def _undo(self) -> None:
        try:
            self._connection.execute("ROLLBACK")
        except Exception:  # noqa: BLE001 -- the connection is gone or has rolled back by itself: drop it
            self._drop()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(
                Exception
            ):  # a broken connection may fail to close: it is dropped all the same
                connection.close()


class _SqliteWriter(_SqlWriter):
    """The writer on SQLite: its checkpoints are made by a thread of their own, its syncs after its turn."""

    def __init__(self, path: Path, sync: Callable[[], None]) -> None:
        super().__init__(lambda: _connect_sqlite(path), _Sqlite())
        self._reach = sync
        self._checkpointer = Checkpointer(path)
        self._checkpointer.start()

    def append(self, drafts: Sequence[Draft], now_us: int) -> list[int | None]:
        ids = super().append(drafts, now_us)
        self._checkpointer.wrote(len(drafts))
        return ids

    def sync(self) -> None:
        self._reach()

    def close(self) -> None:
        self._checkpointer.stop()
        super().close()


def _connect_sqlite(path: Path) -> sqlite3.Connection:
    connection = connect_sqlite(path, synchronous="NORMAL")  # `sync` does it, after the turn
    connection.execute(f"PRAGMA wal_autocheckpoint={OBSERVED_PAGES}")
    return connection


def _number(fresh: list[bool], first: int) -> list[int | None]:
    if all(fresh):
        return list(range(first, first + len(fresh)))
    ids: list[int | None] = []
    for stored in fresh:
        ids.append(first if stored else None)
        first += stored
    return ids


def _columns(first: int, drafts: Sequence[Draft]) -> Columns:
    """Return the columns of `_NAMES` for drafts numbered from `first`: a list per column costs half of a tuple per row."""
    results = [d.result for d in drafts]
    return [
        list(range(first, first + len(drafts))), [d.datastream_id for d in drafts], [d.start_us for d in drafts],
        [d.end_us for d in drafts], [d.result_time_us for d in drafts], [r.value for r in results],
        [r.decimals for r in results], [r.literal for r in results], [d.feature_id for d in drafts],
        [d.quality for d in drafts], [d.extra for d in drafts],
    ]  # fmt: skip


def _stored(o: Observation) -> tuple[Any, ...]:
    r = o.result
    return (o.id, o.datastream_id, o.start_us, o.end_us, o.result_time_us, r.value, r.decimals, r.literal,
            o.feature_id, o.quality, o.extra)  # fmt: skip


def _newest(columns: Columns, now_us: int) -> list[tuple[Any, ...]]:
    """Return the row of `latest` that each datastream of a batch brings, in datastream order."""
    best: dict[int, int] = {}
    counts: dict[int, int] = {}
    firsts: dict[int, int] = {}
    starts = columns[2]
    for i, series in enumerate(columns[1]):
        start, known = starts[i], best.get(series)
        if known is None:
            best[series], counts[series], firsts[series] = i, 1, start
            continue
        counts[series] += 1
        if start >= starts[known]:
            best[series] = i
        elif start < firsts[series]:
            firsts[series] = start
    return [
        (
            series,
            counts[series],
            firsts[series],
            now_us,
            columns[0][i],
            *(column[i] for column in columns[2:]),
        )
        for series, i in sorted(best.items())
    ]
