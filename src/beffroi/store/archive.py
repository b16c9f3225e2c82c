"""Archive: the sealed history, as Parquet segments that the catalogue lists; DuckDB reads and writes them.

A segment holds the observations of a range of whole UTC days, sorted by (datastream, time, id), and is never
changed: sealing writes a new file, the catalogue switches to it in one transaction, and the old file
goes once no reader can still hold it. A fresh row always wins over the sealed one with its id.
"""

import hashlib
import os
import re
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import msgspec
from sqlalchemy import Connection, Select, select, update
from sqlalchemy.dialects import postgresql

from beffroi.settings import Settings
from beffroi.store.database import Database
from beffroi.store.tables import segment

__all__ = ["COLUMNS", "Archive", "Segment", "fsync_directory", "quoted"]

COLUMNS: dict[str, str] = {
    "id": "BIGINT", "datastream_id": "BIGINT", "start_us": "BIGINT", "end_us": "BIGINT", "result_time_us": "BIGINT",
    "value": "DOUBLE", "decimals": "INTEGER", "literal": "VARCHAR", "feature_id": "BIGINT", "quality": "INTEGER",
    "extra": "VARCHAR",
}  # fmt: skip
_NAMED = re.compile(r"(?<![:\w]):([A-Za-z_]\w*)")
_dialect = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]


class Segment(msgspec.Struct, frozen=True):
    """One file of the sealed history: days [first_us, end_us), its counts and its digest."""

    id: int
    path: str
    count: int
    bytes: int
    sha256: str
    min_id: int
    max_id: int
    min_us: int
    max_us: int
    first_us: int
    end_us: int


def quoted(path: Path | str) -> str:
    """Return a path as an SQL string."""
    return "'" + str(path).replace("'", "''") + "'"


def fsync_directory(path: Path) -> None:
    """Make a rename in the directory `path` outlive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Archive:
    """The segments of one installation (see the module)."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.folder = Path(settings.store.segments) if settings.store.segments else settings.data / "segments"
        self._database = database
        self._engine: duckdb.DuckDBPyConnection | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let DuckDB go."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a DuckDB connection of this thread's own, on an engine that is started at first use."""
        with self._lock:
            if self._engine is None:
                self._engine = duckdb.connect(":memory:")
                for setting in ("threads=2", "memory_limit='1GB'", "autoinstall_known_extensions=false",
                                "preserve_insertion_order=false", "enable_progress_bar=false"):  # fmt: skip
                    self._engine.execute(f"SET {setting}")
            return self._engine.cursor()

    @staticmethod
    def live(connection: Connection) -> list[Segment]:
        """Return the segments that hold the history now, oldest first."""
        c = segment.c
        rows = connection.execute(
            select(c.id, c.path, c.count, c.bytes, c.sha256, c.min_id, c.max_id, c.min_us, c.max_us, c.first_us, c.end_us)
            .where(c.live == 1).order_by(c.first_us)
        )  # fmt: skip
        return [Segment(*row) for row in rows]

    def matching(self, connection: Connection, between: tuple[int | None, int | None],
                 observation_id: int | None = None) -> list[Segment]:  # fmt: skip
        """Return the live segments that may hold a phenomenon start in [start, end), or that id."""
        start, end = between
        return [
            s for s in self.live(connection)
            if (start is None or s.max_us >= start) and (end is None or s.min_us < end)
            and (observation_id is None or s.min_id <= observation_id <= s.max_id)
        ]  # fmt: skip

    def files(self, segments: Iterable[Segment]) -> str:
        """Return the segments' files as an SQL list."""
        return "[" + ", ".join(quoted(self.folder / s.path) for s in segments) + "]"

    def rows(self, statement: Select[Any], segments: Sequence[Segment]) -> list[tuple[Any, ...]]:
        """Run a statement on `tables.observation` over sealed rows only, and return its rows.

        Sealed rows have no `seq` and no `deleted` mark: both read as NULL.
        """
        if not segments:
            return []
        compiled = statement.compile(dialect=_dialect, compile_kwargs={"render_postcompile": True})
        sql = _NAMED.sub(r"$\1", str(compiled).replace("obs.observation", "observation"))
        source = (
            f"WITH observation AS (SELECT {', '.join(COLUMNS)}, NULL::BIGINT AS seq, NULL::INTEGER AS deleted "
            f"FROM read_parquet({self.files(segments)})) "
        )
        cursor = self.cursor()
        try:
            return cursor.execute(source + sql, dict(compiled.params)).fetchall()
        finally:
            cursor.close()

    def forget_series(self, datastream_id: int) -> None:
        """Rewrite the segments that hold a datastream, without it."""
        with self._database.read() as connection:
            segments = self.live(connection)
        for one in segments:
            held = f"read_parquet({self.files([one])})"
            cursor = self.cursor()
            try:
                (n,) = cursor.execute(
                    f"SELECT count(*) FROM {held} WHERE datastream_id = ?", [datastream_id]
                ).fetchall()[0]
                if not n:
                    continue
                left = f"SELECT {', '.join(COLUMNS)} FROM {held} WHERE datastream_id <> {int(datastream_id)}"
                fresh = self.write(cursor, left, one.first_us, one.end_us)
            finally:
                cursor.close()
            with self._database.write_observations() as connection:
                self.switch(connection, [one], [fresh] if fresh else [])

    def write(
        self, cursor: duckdb.DuckDBPyConnection, source: str, first_us: int, end_us: int
    ) -> Segment | None:
        """Write the rows of the SQL `source` as one durable file; return its segment (id 0), None if empty."""
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / f".{first_us}-{end_us}-{os.getpid()}.tmp"
        cursor.execute(
            f"COPY (SELECT {', '.join(COLUMNS)} FROM ({source}) ORDER BY datastream_id, start_us, id) TO {quoted(temporary)}"
            " (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)"
        )
        count, min_id, max_id, min_us, max_us = cursor.execute(
            f"SELECT count(*), min(id), max(id), min(start_us), max(start_us) FROM read_parquet({quoted(temporary)})"
        ).fetchall()[0]
        if not count:
            temporary.unlink()
            return None
        digest = file_digest(temporary)
        path = f"{first_us // 86_400_000_000}-{end_us // 86_400_000_000}-{digest[:12]}.parquet"
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        size = temporary.stat().st_size
        temporary.replace(self.folder / path)
        fsync_directory(self.folder)
        return Segment(0, path, count, size, digest, min_id, max_id, min_us, max_us, first_us, end_us)

    @staticmethod
    def switch(connection: Connection, old: Sequence[Segment], new: Sequence[Segment]) -> None:
        """Retire the `old` segments and list the `new` ones, in the caller's transaction."""
        if old:
            connection.execute(update(segment).where(segment.c.id.in_([s.id for s in old])).values(live=0))
        for one in new:
            top = (
                connection.execute(select(segment.c.id).order_by(segment.c.id.desc()).limit(1)).scalar() or 0
            )
            connection.execute(
                segment.insert().values({**msgspec.structs.asdict(one), "id": top + 1, "live": 1})
            )

    def sweep(self) -> int:
        """Delete the files of retired segments (and left-over temporary ones); return how many went."""
        if not self.folder.is_dir():
            return 0
        with self._database.write_observations() as connection:
            connection.execute(segment.delete().where(segment.c.live == 0))
            kept = {s.path for s in self.live(connection)}
        gone = [
            f
            for f in self.folder.iterdir()
            if f.name not in kept and f.suffix in (".parquet", ".tmp", ".csv")
        ]
        for file in gone:
            file.unlink(missing_ok=True)
        return len(gone)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
