"""Database: the two kinds of SQL server behind one door (SQLite files, or PostgreSQL by URL).

`read()` gives a snapshot, `write()` a transaction that is on disk when it ends. Numbers of the commit
sequence come from a counter row inside the write transaction: writers queue on it, so the sequence is
the order of commits, and a consumer that has read up to N has seen everything up to N.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import QueuePool

from beffroi.model.problem import Problem, Unavailable
from beffroi.model.text import Text
from beffroi.settings import Settings
from beffroi.store.durable import Log
from beffroi.store.geometry import intersects
from beffroi.store.limits import exceeded, left_s, limit_s, too_heavy, watch_sqlite
from beffroi.store.quick import quick
from beffroi.store.turn import Turn

__all__ = ["OBSERVED_PAGES", "Database", "Dialect", "connect_sqlite", "open_database", "unavailable"]

Dialect = str
BUSY_TIMEOUT_MS = 30_000
_POOL = 32
CACHE_KB, MANY_CACHE_KB = 16_000, 64_000
LOG_PAGES = 4000
OBSERVED_PAGES = (
    50_000  # of the log of observations, 200 MB, should those who move it (`checkpoint`) fall behind
)


def unavailable(error: BaseException) -> Unavailable:
    """Return the problem to tell when the database refuses to write (disk full, restarting, locked)."""
    detail = str(getattr(error, "orig", None) or error).strip().splitlines()[0][:200] if str(error) else ""
    return Unavailable(
        Text(
            "L'enregistrement est impossible pour le moment : {detail}", "Beffroi cannot write now: {detail}"
        ).filled(detail=detail),
        Text(
            "Rien n'a été enregistré ; recommencez dans un instant.",
            "Nothing was stored; try again in a moment.",
        ),
    )


def connect_sqlite(path: Path, *, synchronous: str = "FULL") -> sqlite3.Connection:
    """Return a connection to the SQLite file `path`, set up as every connection of the house is."""
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT_MS / 1000
    )
    _prepare(connection, synchronous)
    return connection


def _prepare(connection: Any, synchronous: str) -> None:
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        f"synchronous={synchronous}",
        "foreign_keys=ON",
        "secure_delete=ON",  # what is erased is overwritten
        "temp_store=MEMORY",
        f"cache_size={-CACHE_KB}",
        # After each commit of another connection SQLite would take its whole mapping down and make it again, in the way of
        # every other thread: with 100 commits a second a short reading then takes ten times as long.
        "mmap_size=0",
        f"wal_autocheckpoint={LOG_PAGES}",  # fewer, larger checkpoints in the way of commits
    ):
        connection.execute(f"PRAGMA {pragma}")
    connection.create_function("beffroi_intersects", 5, intersects, deterministic=True)


class Database:
    """The engines of one installation. `records_path` and `observations_path` are None on PostgreSQL."""

    def __init__(self, dialect: Dialect, reader: Engine, writer: Engine, observer: Engine,
                 paths: tuple[Path, Path] | None) -> None:  # fmt: skip
        self.dialect = dialect
        self.reader = reader
        self.writer = writer
        self.observer = observer
        self.records_path: Path | None = paths[0] if paths else None
        self.observations_path: Path | None = paths[1] if paths else None
        self.records_turn = Turn(self.records_path)
        self._log = Log(self.records_path) if self.records_path else None
        self._observed = Log(self.observations_path) if self.observations_path else None
        self.observations_turn = Turn(self.observations_path)
        self._lock = threading.RLock()
        self._listeners: dict[object, Callable[[], None]] = {}
        self._records_listeners: dict[object, Callable[[], None]] = {}
        self._watcher: _Watcher | None = None
        self.told = 0  # how often something was committed here, or seen to have been elsewhere

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that reads one snapshot; nothing it does is kept."""
        with self._told(), self.reader.connect() as connection:
            left = left_s() if self.dialect == "postgresql" else None
            if left is not None:
                connection.exec_driver_sql(f"SET LOCAL statement_timeout = {max(1, int(left * 1000))}")
            yield connection

    def glance(self, sql: str, values: Mapping[str, Any]) -> list[Any]:
        """Return the rows of one small statement, its values named `:so`: on SQLite as the driver gives them, without what
        a transaction of SQLAlchemy costs, which is more than the statement."""
        if self.dialect != "sqlite":
            with self.read() as connection:
                return quick(connection, sql, values)
        with self._told(), contextlib.closing(self.reader.raw_connection()) as lent:
            driver: Any = lent.driver_connection
            rows: list[Any] = driver.execute(sql, values).fetchall()
            return rows

    @contextlib.contextmanager
    def write(self, *, many: bool = False) -> Iterator[Connection]:
        """Give a connection in one transaction, durable at exit, undone on any exception.

        One of `many` that follow one another leaves the log to grow: call `Store.checkpoint` now and then, and after the last.
        Raises `Unavailable` when the database cannot write.
        """
        # Threads and processes queue here rather than in SQLite's sleeping busy handler.
        with self._queue(self.records_turn), self._told(), self.writer.begin() as connection:
            driver: Any = connection.connection.driver_connection
            if many and self.dialect == "sqlite":
                driver.execute("PRAGMA wal_autocheckpoint=0")
                driver.execute(f"PRAGMA cache_size={-MANY_CACHE_KB}")
            try:
                yield connection
            finally:
                if many and self.dialect == "sqlite":
                    driver.execute(f"PRAGMA cache_size={-CACHE_KB}")
        if many and self.dialect == "sqlite":
            driver.execute(f"PRAGMA wal_autocheckpoint={LOG_PAGES}")
        _reach_disk(self._log)
        self.notify()

    def reach_observations(self) -> None:
        """Wait, outside of the turn to write, until the observations that this thread committed are on the disk.

        Raises `Unavailable`.
        """
        _reach_disk(self._observed)

    @contextlib.contextmanager
    def write_observations(self, *, durable: bool = True) -> Iterator[Connection]:
        """Give a connection in one transaction on the observations, for the archive's use.

        It is on disk at exit; not `durable`: with the next one that is, for what is done again when it was lost.
        """
        with self._queue(self.observations_turn), self._told(), self.observer.begin() as connection:
            yield connection
        if durable:
            self.reach_observations()

    def _queue(self, turn: Turn) -> contextlib.AbstractContextManager[object]:
        return turn if self.dialect == "sqlite" else contextlib.nullcontext()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (OperationalError, sqlite3.OperationalError) as error:
            if exceeded():
                raise too_heavy(limit_s()) from error
            raise unavailable(error) from error
        except DBAPIError as error:
            if error.connection_invalidated or "disk" in str(error.orig).lower():
                raise unavailable(error) from error
            raise

    @staticmethod
    def next(connection: Connection, n: int = 1) -> int:
        """Return the first of `n` fresh numbers of the commit sequence; call inside `write()`."""
        told = quick(
            connection, "UPDATE counter SET next = next + :n WHERE name = 'record' RETURNING next", {"n": n}
        )
        return int(told[0][0]) - n

    @staticmethod
    def number(connection: Connection, name: str, n: int = 1) -> int:
        """Return the first of `n` fresh ids of the table `name`, each table counting from 1; call inside `write()`."""
        told = quick(
            connection,
            "INSERT INTO counter (name, next) VALUES (:name, :n + 1)"
            " ON CONFLICT (name) DO UPDATE SET next = counter.next + :n RETURNING next",
            {"name": name, "n": n},
        )
        return int(told[0][0]) - n

    def listen(self, callback: Callable[[], None], *, records_only: bool = False) -> Callable[[], None]:
        """Call `callback` after each commit of this process or another; return what stops it.

        With `records_only`, what this process commits to the observations alone is not told: thousands of times a
        second, nothing changed in the catalogue. Calls may be spurious and come from any thread.
        """
        token = object()
        told = self._records_listeners if records_only else self._listeners
        with self._lock:
            told[token] = callback
            if self._watcher is None:
                self._watcher = _Watcher(self)
                self._watcher.start()

        def cancel() -> None:
            told.pop(token, None)

        return cancel

    def notify(self) -> None:
        """Tell this process's listeners that something was committed."""
        self.told += 1
        for callback in (*self._listeners.values(), *self._records_listeners.values()):
            callback()

    def notify_observations(self) -> None:
        """Tell those who listen to observations too that some were committed."""
        for callback in tuple(self._listeners.values()):
            callback()

    def settle(self, tables: Iterable[str]) -> None:
        """Leave no byte of what was erased from `tables`: merge their words, empty the log, free dead rows.

        Takes seconds for a million rows: for a quiet hour. A reader that stays busy leaves the log to the next time.
        """
        if self.records_path is None:
            with self.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                for name in tables:
                    connection.execute(text(f"VACUUM {name}"))
            return
        with self.write() as connection:
            known = set(
                connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars()
            )
            for name in tables:
                if f"{name}_words" in known:
                    connection.execute(text(f"INSERT INTO {name}_words({name}_words) VALUES ('optimize')"))
        # in turn: a checkpoint that does not get the lock of writers goes on without it (see `checkpoint`)
        with self.records_turn, contextlib.closing(connect_sqlite(self.records_path)) as raw:
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Stop watching and close every connection."""
        if self._watcher is not None:
            self._watcher.stop()
        for engine in (self.reader, self.writer, self.observer):
            engine.dispose()
        self.records_turn.close()
        for log in (self._log, self._observed):
            if log is not None:
                log.close()
        self.observations_turn.close()


def _reach_disk(log: Log | None) -> None:
    """Wait until what was committed is on the disk (PostgreSQL's commit has: it has no log of ours)."""
    if log is not None:
        try:
            log.reach()
        except OSError as error:
            raise unavailable(error) from error


class _Watcher(threading.Thread):
    """Looks for the commits of other processes: SQLite's data_version, PostgreSQL's counters."""

    interval_s = 0.2

    def __init__(self, database: Database) -> None:
        super().__init__(name="beffroi-watch", daemon=True)
        self._database = database
        self._stopped = threading.Event()

    def stop(self) -> None:
        self._stopped.set()
        self.join(timeout=5)

    def run(self) -> None:
        database, known = self._database, None
        files = [connect_sqlite(p) for p in (database.records_path, database.observations_path) if p]
        while not self._stopped.wait(self.interval_s):
            try:
                seen = self._look(files)
            except (sqlite3.Error, DBAPIError, Problem):
                continue
            if known is not None and seen != known:
                database.notify()
            known = seen
        for file in files:
            file.close()

    def _look(self, files: list[sqlite3.Connection]) -> tuple[Any, ...]:
        if files:
            return tuple(file.execute("PRAGMA data_version").fetchone()[0] for file in files)
        with self._database.read() as connection:
            return tuple(
                connection.execute(
                    text("SELECT next FROM counter UNION ALL SELECT next FROM obs.counter")
                ).scalars()
            )


def open_database(settings: Settings) -> Database:
    """Return the database that the settings choose. Raises `Problem` when its URL is of no known kind."""
    url = settings.store.records
    if not url:
        return _open_sqlite(settings.data / "records.db", settings.data / "observations.db")
    if url.startswith("sqlite:///"):
        path = Path(url.removeprefix("sqlite:///"))
        return _open_sqlite(path, path.with_name("observations.db"))
    if url.startswith("postgresql://"):
        return _open_postgresql(url)
    raise Problem(
        Text("Adresse de base inconnue : {url}", "Unknown database address: {url}").filled(url=url.split("@")[-1]),
        Text("Écrivez postgresql://utilisateur:motdepasse@hôte/base, ou laissez vide pour SQLite.",
             "Write postgresql://user:password@host/database, or leave it empty for SQLite."),
        place="store.records",
    )  # fmt: skip


def _open_sqlite(records: Path, observations: Path) -> Database:
    def engine(begin: str, main: Path, attached: Path | None, synchronous: str = "FULL") -> Engine:
        made = create_engine(
            f"sqlite:///{main}",
            poolclass=QueuePool,
            pool_size=_POOL,
            max_overflow=_POOL,
            pool_use_lifo=True,
            connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000},
        )

        @event.listens_for(made, "connect")
        def on_connect(connection: Any, _record: object) -> None:
            connection.isolation_level = None  # we say BEGIN ourselves
            _prepare(connection, synchronous)
            if main == observations:
                connection.execute(f"PRAGMA wal_autocheckpoint={OBSERVED_PAGES}")
            if attached is not None:
                connection.execute("ATTACH DATABASE ? AS obs", (str(attached),))
                watch_sqlite(connection)

        @event.listens_for(made, "begin")
        def on_begin(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

        return made

    # Writers attach nothing: BEGIN IMMEDIATE would lock the other file too. They sync after their turn (`durable`).
    observer = engine("BEGIN IMMEDIATE", observations, None, "NORMAL")
    return Database(
        "sqlite",
        engine("BEGIN", records, observations),
        engine("BEGIN IMMEDIATE", records, None, "NORMAL"),
        observer.execution_options(schema_translate_map={"obs": None}),
        (records, observations),
    )


def _open_postgresql(url: str) -> Database:
    def engine(**options: Any) -> Engine:
        return create_engine(
            url.replace("postgresql://", "postgresql+psycopg://", 1),
            pool_size=_POOL,
            max_overflow=_POOL,
            pool_pre_ping=True,
            connect_args={"options": "-c timezone=UTC"},
            **options,
        )

    # A reading of fresh rows and of the list of segments must see one moment.
    reader, writer = engine(isolation_level="REPEATABLE READ"), engine()
    return Database("postgresql", reader, writer, writer, None)
