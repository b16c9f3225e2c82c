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
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Connection, Select, select, update
from sqlalchemy.dialects import postgresql

from beffroi.model.instant import DAY_US
from beffroi.model.problem import Conflict
from beffroi.model.text import Text
from beffroi.settings import Settings
from beffroi.store.database import Database
from beffroi.store.limits import UncomputableError, limit_s, too_heavy, too_large, watched
from beffroi.store.prepared import Prepared
from beffroi.store.quick import one_moment, quick
from beffroi.store.rollups import hour_of, rollup_sql, series_sql
from beffroi.store.tables import long_rollup, segment, segment_series

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["COLUMNS", "Archive", "Segment", "file_digest", "fsync_directory", "quoted"]

COLUMNS: dict[str, str] = {
    "id": "BIGINT", "datastream_id": "BIGINT", "start_us": "BIGINT", "end_us": "BIGINT", "result_time_us": "BIGINT",
    "value": "DOUBLE", "decimals": "INTEGER", "literal": "VARCHAR", "feature_id": "BIGINT", "quality": "INTEGER",
    "extra": "VARCHAR",
}  # fmt: skip
MOST_COMPARED = 4  # segments whose columns are compared before they are read
FEW = 50  # datastreams that are looked up in the index rather than in every file
_SEGMENT = ("id", "path", "count", "bytes", "sha256", "min_id", "max_id", "min_us", "max_us", "first_us", "end_us", "rollup",
            "rollup_bytes", "rollup_sha256")  # fmt: skip
_LIVE = Prepared(
    select(*(segment.c[name] for name in _SEGMENT)).where(segment.c.live == 1).order_by(segment.c.first_us)
)
_TOLD = (
    "SELECT group_concat(id || ' ' || path || coalesce(' ' || rollup, '')) FROM obs.segment WHERE live = 1"
)
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
    rollup: str | None = None  # the file of its roll-up; None: not made yet, nor are its series indexed
    rollup_bytes: int | None = None
    rollup_sha256: str | None = None
    series: tuple[
        tuple[Any, ...], ...
    ] = ()  # of one just written: rows of `segment_series`, the segment's id aside


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
        self._settings = settings
        self._database = database
        self._engine: DuckDBPyConnection | None = None
        self._lock = threading.Lock()
        self._local = threading.local()
        self._listed: tuple[str | None, list[Segment]] = ("", [])  # what `_TOLD` said, and the segments then
        self._constant: dict[str, dict[str, int | None]] = {}
        self._hours: dict[str, dict[int, tuple[int, int] | None]] = {}

    def close(self) -> None:
        """Let DuckDB go."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def cursor(self) -> "DuckDBPyConnection":
        """Return a new DuckDB connection, on an engine that is started at first use."""
        with self._lock:
            if self._engine is None:
                import duckdb  # noqa: PLC0415 -- 35 MB that a town without sealed history need not hold

                memory = self._settings.store.query_memory_mb
                self._engine = duckdb.connect(":memory:")
                for setting in ("threads=2", f"memory_limit='{memory}MB'", "autoinstall_known_extensions=false",
                                "preserve_insertion_order=false", "enable_progress_bar=false",
                                "parquet_metadata_cache=true",  # segments never change
                                f"temp_directory={quoted(self.folder / '.spill')}", "max_temp_directory_size='8GB'"):  # fmt: skip
                    self._engine.execute(f"SET {setting}")
            return self._engine.cursor()

    def _mine(self) -> "DuckDBPyConnection":
        """Return this thread's own connection, for readings."""
        cursor: DuckDBPyConnection | None = getattr(self._local, "cursor", None)
        if cursor is None or self._local.engine is not self._engine:
            cursor = self.cursor()
            self._local.cursor, self._local.engine = cursor, self._engine
        return cursor

    @staticmethod
    def live(connection: Connection) -> list[Segment]:
        """Return the segments that hold the history now, oldest first."""
        return [Segment(*row) for row in _LIVE.rows(connection)]

    def _known(self, connection: Connection) -> list[Segment]:
        """Return what `live` does; on SQLite it is read again only when the list is another: a name says what is in it."""
        if connection.dialect.name != "sqlite":
            return self.live(connection)
        one_moment(connection)
        told = quick(connection, _TOLD, {})[0][0]
        if self._listed[0] != told:
            self._listed = (told, self.live(connection))
        return self._listed[1]

    def matching(self, connection: Connection, between: tuple[int | None, int | None],
                 observation_id: int | None = None, datastreams: Sequence[int] | None = None,
                 *, thin: bool = False) -> list[Segment]:  # fmt: skip
        """Return the live segments that may hold a phenomenon start in [start, end), or that id, of `datastreams`.

        `thin`: also those that hold no more than thin hours of them.
        """
        return self.sought(connection, between, observation_id, datastreams, thin=thin)[0]

    def sought(self, connection: Connection, between: tuple[int | None, int | None],
               observation_id: int | None = None, datastreams: Sequence[int] | None = None,
               *, thin: bool = False) -> tuple[list[Segment], dict[int, int] | None]:  # fmt: skip
        """Return what `matching` does, and, of few datastreams, how many rows of theirs each segment holds."""
        start, end = between
        held = None
        if datastreams is not None and len(datastreams) <= FEW:
            held = self.holding(connection, datastreams, thin=thin)
            if not held:
                return [], held
        return [
            s for s in self._known(connection)
            if (held is None or s.id in held)
            and (start is None or (s.end_us if thin else s.max_us) >= start)
            and (end is None or (s.first_us if thin else s.min_us) < end)
            and (observation_id is None or s.min_id <= observation_id <= s.max_id)
        ], held  # fmt: skip

    @staticmethod
    def holding(connection: Connection, datastreams: Sequence[int], *, thin: bool = False) -> dict[int, int]:
        """Return the ids of the live segments with raw rows of some of `datastreams`, and how many of theirs each has.

        `thin`: those with thin hours too.

        A segment that is not indexed yet may hold any number: all of its rows are counted.
        """
        ids = ", ".join(str(int(i)) for i in datastreams)
        one_moment(connection)
        found = quick(
            connection,
            "SELECT i.segment_id, sum(i.count) FROM obs.segment_series i"
            f" JOIN obs.segment s ON s.id = i.segment_id AND s.live = 1 WHERE i.datastream_id IN ({ids or 'NULL'}) AND (i.count > 0{' OR i.thin > 0' if thin else ''})"
            " GROUP BY i.segment_id"
            " UNION ALL SELECT id, count FROM obs.segment WHERE live = 1 AND rollup IS NULL",
            {},
        )
        return {int(segment_id): int(n) for segment_id, n in found}

    def files(self, segments: Iterable[Segment]) -> str:
        """Return the segments' files as an SQL list."""
        return "[" + ", ".join(quoted(self.folder / s.path) for s in segments) + "]"

    def rows(self, statement: Select[Any], segments: Sequence[Segment]) -> list[tuple[Any, ...]]:
        """Run a statement on `tables.observation` over sealed rows only, and return its rows.

        Sealed rows have no `seq` and no `deleted` mark: both read as NULL.
        """
        if not segments:
            return []
        sql, values = self.compiled(statement)
        return self.run(f"WITH observation AS ({self.raw(segments)}) {sql}", values)

    @staticmethod
    def compiled(statement: Select[Any]) -> tuple[str, dict[str, Any]]:
        """Return a statement on `tables.observation` as DuckDB reads it, on a source called `observation`."""
        compiled = statement.compile(dialect=_dialect, compile_kwargs={"render_postcompile": True})
        sql = _NAMED.sub(r"$\1", str(compiled).replace("obs.fresh", "observation"))
        return sql, dict(compiled.params)

    def hours_of(self, one: Segment, ids: Iterable[int]) -> set[tuple[int, int]]:
        """Return the datastream and the hour of each of `ids` that a segment holds, remembered since it never changes."""
        near = {i for i in ids if one.min_id <= i <= one.max_id}
        if not near:
            return set()
        known = self._hours.setdefault(one.path, {})
        unknown = near - known.keys()
        if unknown:
            listed = ", ".join(map(str, unknown))
            found = self.run(
                f"SELECT id, datastream_id, {hour_of('start_us')} FROM ({self.raw([one])}) WHERE id IN ({listed})"
            )
            known.update(dict.fromkeys(unknown))
            known.update({number: (series, hour) for number, series, hour in found})
        return {place for i in near if (place := known[i]) is not None}

    def run(self, sql: str, parameters: object = None) -> list[tuple[Any, ...]]:
        """Run a reading on this thread's connection. Raises `TooHeavy` over a limit of `limits.py`, `UncomputableError`."""
        cursor = self._mine()
        import duckdb  # noqa: PLC0415 -- the cursor has brought it

        try:
            with watched(cursor):
                return cursor.execute(sql, parameters).fetchall()
        except duckdb.InterruptException as error:
            raise too_heavy(limit_s()) from error
        except duckdb.OutOfMemoryException as error:
            raise too_large(self._settings.store.query_memory_mb) from error
        except duckdb.Error as error:
            raise UncomputableError(str(error)) from error

    def raw(self, segments: Sequence[Segment]) -> str:
        """Return the SQL of the rows of `segments`, with the columns of `tables.observation`."""
        # the columns of few files that have one value throughout need not be read
        known = self.constants(segments)
        columns = ", ".join(
            f"{'NULL' if known[name] is None else known[name]}::{kind} AS {name}" if name in known else name
            for name, kind in COLUMNS.items()
        )
        return f"SELECT {columns}, NULL::BIGINT AS seq, NULL::INTEGER AS deleted FROM read_parquet({self.files(segments)})"

    def constants(self, segments: Sequence[Segment]) -> dict[str, int | None]:
        """Return the value of each column that has one (or none) in all of `segments`, when they are few."""
        if len(segments) > MOST_COMPARED:
            return {}
        for one in segments:
            if one.path not in self._constant:
                found = self.run(
                    "SELECT path_in_schema, sum(num_values)::BIGINT, sum(stats_null_count)::BIGINT, min(stats_min_value),"
                    f" max(stats_max_value) FROM parquet_metadata({quoted(self.folder / one.path)}) GROUP BY 1"
                )
                self._constant[one.path] = {
                    name: None if nulls == n else int(low)
                    for name, n, nulls, low, high in found
                    if nulls == n or (nulls == 0 and low == high and COLUMNS[name] in ("BIGINT", "INTEGER"))
                }
        first, *others = (self._constant[one.path] for one in segments)
        return {name: v for name, v in first.items() if all(name in o and o[name] == v for o in others)}

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
                fresh = self.write(cursor, left, one.first_us, one.end_us, [one], without=datastream_id)
            finally:
                cursor.close()
            with self._database.write_observations() as connection:
                self.switch(connection, [one], [fresh] if fresh else [])

    def write(
        self, cursor: "DuckDBPyConnection", source: str, first_us: int, end_us: int,
        old: Sequence[Segment] = (), without: int | None = None, thin: str | None = None,
    ) -> Segment | None:  # fmt: skip
        """Write the rows of the SQL `source` as one durable file, with its roll-up; return its segment (id 0).

        `old` are the segments it replaces: hours of which nothing but the roll-up is left are carried over, those
        of the datastream `without` excepted; `thin`: or those of this SQL, in their place. None when there is
        nothing to keep.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / f".{first_us}-{end_us}-{os.getpid()}.tmp"
        cursor.execute(
            f"COPY (SELECT {', '.join(COLUMNS)} FROM ({source}) ORDER BY datastream_id, start_us, id) TO {quoted(temporary)}"
            " (FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, COMPRESSION_LEVEL 9, ROW_GROUP_SIZE 122880)"
        )
        count, min_id, max_id, min_us, max_us = cursor.execute(
            f"SELECT count(*), min(id), max(id), min(start_us), max(start_us) FROM read_parquet({quoted(temporary)})"
        ).fetchall()[0]
        name = f"{first_us // DAY_US}-{end_us // DAY_US}"
        rollup = self._write_rollup(cursor, temporary, self._thin(old, without) if thin is None else thin)
        series = tuple(cursor.execute(series_sql(f"read_parquet({quoted(rollup)})")).fetchall())
        if not series:
            temporary.unlink()
            rollup.unlink()
            return None
        digest, size = file_digest(temporary), temporary.stat().st_size
        path = self.settle(temporary, f"{name}-{digest[:12]}.parquet")
        rolled, rolled_size = file_digest(rollup), rollup.stat().st_size
        rolled_path = self.settle(rollup, f"{name}-{digest[:12]}-{rolled[:12]}.hours.parquet")
        return Segment(
            0, path, count, size, digest, min_id or 0, max_id or 0, first_us if min_us is None else min_us,
            first_us if max_us is None else max_us, first_us, end_us, rolled_path, rolled_size, rolled, series,
        )  # fmt: skip

    def _thin(self, old: Sequence[Segment], without: int | None) -> str | None:
        files = [quoted(self.folder / s.rollup) for s in old if s.rollup is not None]
        if not files:
            return None
        kept = "" if without is None else f" WHERE datastream_id <> {int(without)}"
        return f"(SELECT * FROM read_parquet([{', '.join(files)}]){kept})"

    @staticmethod
    def _write_rollup(cursor: "DuckDBPyConnection", raw: Path, thin: str | None) -> Path:
        temporary = raw.with_name(raw.name.replace(".tmp", ".hours.tmp"))
        cursor.execute(
            f"COPY (SELECT * FROM ({rollup_sql(f'read_parquet({quoted(raw)})', thin)}) ORDER BY datastream_id, hour_us)"
            f" TO {quoted(temporary)} (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION V2, ROW_GROUP_SIZE 20480)"
        )  # small groups: one datastream's year is read from every file, and a group is unpacked whole
        return temporary

    def settle(self, temporary: Path, name: str) -> str:
        """Give a written file its name, durably."""
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(self.folder / name)
        fsync_directory(self.folder)
        return name

    def roll_up(self, one: Segment) -> Segment:
        """Return a segment of before roll-ups with the roll-up that its file gives."""
        cursor = self.cursor()
        try:
            copy = self.folder / f".{one.path}-{os.getpid()}.tmp"
            os.link(self.folder / one.path, copy)
            try:
                rollup = self._write_rollup(cursor, copy, None)
            finally:
                copy.unlink()
            series = tuple(cursor.execute(series_sql(f"read_parquet({quoted(rollup)})")).fetchall())
        finally:
            cursor.close()
        digest, size = file_digest(rollup), rollup.stat().st_size
        path = self.settle(rollup, f"{one.path.removesuffix('.parquet')}-{digest[:12]}.hours.parquet")
        return msgspec.structs.replace(
            one, rollup=path, rollup_bytes=size, rollup_sha256=digest, series=series
        )

    def complete(self) -> int:
        """Make the roll-ups of segments that have none; return how many there were."""
        with self._database.read() as connection:
            bare = [s for s in self.live(connection) if s.rollup is None]
        for one in bare:
            made = self.roll_up(one)
            columns = {name: getattr(made, name) for name in ("rollup", "rollup_bytes", "rollup_sha256")}
            with self._database.write_observations() as connection:
                lacking = (segment.c.id == one.id, segment.c.live == 1, segment.c.rollup.is_(None))
                if connection.execute(update(segment).where(*lacking).values(columns)).rowcount:
                    _index(connection, one.id, made.series)
        return len(bare)

    @staticmethod
    def switch(connection: Connection, old: Sequence[Segment], new: Sequence[Segment]) -> None:
        """Retire the `old` segments and list the `new` ones, in the caller's transaction."""
        if old:
            gone = [s.id for s in old]
            held = update(segment).where(segment.c.id.in_(gone), segment.c.live == 1).values(live=0)
            if connection.execute(held).rowcount != len(gone):
                raise Conflict(Text("L'historique vient d'être réécrit par ailleurs.", "The history was just rewritten elsewhere."),
                               Text("Recommencez.", "Try again."))  # fmt: skip
            connection.execute(segment_series.delete().where(segment_series.c.segment_id.in_(gone)))
        for one in new:
            top = (
                connection.execute(select(segment.c.id).order_by(segment.c.id.desc()).limit(1)).scalar() or 0
            )
            values = {name: getattr(one, name) for name in _SEGMENT}
            connection.execute(segment.insert().values({**values, "id": top + 1, "live": 1}))
            _index(connection, top + 1, one.series)

    def sweep(self) -> int:
        """Delete the files of retired segments (and left-over temporary ones); return how many went."""
        if not self.folder.is_dir():
            return 0
        with self._database.write_observations() as connection:
            connection.execute(segment.delete().where(segment.c.live == 0))
            kept = {name for s in self.live(connection) for name in (s.path, s.rollup)}
            kept |= set(connection.execute(select(long_rollup.c.path)).scalars())
        gone = [
            f
            for f in self.folder.iterdir()
            if f.name not in kept and f.suffix in (".parquet", ".tmp", ".csv")
        ]
        for file in gone:
            file.unlink(missing_ok=True)
        return len(gone)


def _index(connection: Connection, segment_id: int, series: Sequence[tuple[Any, ...]]) -> None:
    names = ("datastream_id", "count", "min_us", "max_us", "thin")
    rows = [{"segment_id": segment_id, **dict(zip(names, row, strict=True))} for row in series]
    if rows:
        connection.execute(segment_series.insert(), rows)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
