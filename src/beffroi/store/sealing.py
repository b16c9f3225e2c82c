"""Sealing: move old fresh rows into Parquet segments, a few large files rather than many small ones.

Writers are never held up, however many rows there are: rows are read a part at a time, each in a snapshot of its own,
so that SQLite's log can start again from its beginning meanwhile; the segment is listed in one short transaction, which also
notes that its rows are `leaving` (nobody reads them any more); and these are removed a few thousand at a time, with a
pause as long as the work in between.
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Container, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from sqlalchemy import Connection, and_, delete, func, insert, or_, select

from beffroi.model.instant import DAY_US
from beffroi.store.archive import COLUMNS, Archive, Segment
from beffroi.store.checkpoint import move_log
from beffroi.store.database import Database
from beffroi.store.tables import fresh_row, leaving, observation, pace

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["LATE_US", "Bounds", "Sealed", "Span", "remove", "seal", "write_segment"]

TARGET_ROWS = 2_000_000  # a new segment ends at the day that reaches this
SMALL_ROWS = 500_000  # a segment smaller than this is extended rather than followed by another
LATE_SHARE = (
    32  # late rows wait in SQL until they are a 32nd of the segment that must be written again for them
)
LATE_US = 7 * DAY_US  # how long they wait at most
_CHUNK = 25_000  # rows read in one snapshot and handed over at a time
_SLICE_S = 0.01  # how long the removal of a slice may hold up writers
_SLICES = (500, 50_000)  # rows of a slice, at least and at most
_MOVED = 100_000  # rows removed between two checkpoints
_ALL = 2**62
_ABSENT = np.iinfo(np.int64).min
_TYPES = {"BIGINT": (np.int64, _ABSENT), "INTEGER": (np.int64, _ABSENT), "DOUBLE": (np.float64, np.nan)}
_LOCAL = [observation.c[name] for name in COLUMNS]


class Sealed(msgspec.Struct, frozen=True):
    """What a sealing did: rows moved out of the fresh table, files written, bytes of those files."""

    rows: int
    segments: int
    bytes: int


class Span(msgspec.Struct):
    """Days [first, end) to write as one segment, from the segments it replaces and the fresh rows in it."""

    first: int
    end: int
    rows: int
    old: list[Segment]


class Bounds(msgspec.Struct, frozen=True):
    """What of a span is sealed: what starts before `limit_us` and was committed up to `up_to`, instead of `rewritten` ids."""

    limit_us: int
    up_to: int
    rewritten: list[int]


Write = Callable[[Archive, Database, Span, Bounds], Segment | None]
"""What writes the segment of a span; None when nothing of it is left."""


class _Day(msgspec.Struct, frozen=True):
    """The rows to seal of a UTC day: how many, and whether they may wait no longer."""

    start: int
    count: int
    overdue: bool


def seal(
    database: Database, archive: Archive, before_us: int, up_to_seq: int, waited_since_us: int | None = None,
    at_once: Container[int] = (), write: Write | None = None,
) -> Sealed:  # fmt: skip
    """Seal what starts before the UTC day of `before_us` and was committed up to `up_to_seq`.

    Late rows, for which a segment must be written again, wait until that is worth while, or until one of them came
    before `waited_since_us` (None: however long that takes), unless their UTC day begins `at_once`. Consumers of the bus
    must have read that far. Rows changed meanwhile stay fresh and win. Idempotent: a crash before the switch leaves a file
    that nobody lists and that the next sweep removes. `write`: who writes the segments (None: this thread).
    """
    limit_us = before_us - before_us % DAY_US
    remove(database)  # what a sealing that was killed has left
    with database.read() as connection:
        days = _days(connection, limit_us, up_to_seq, _came_before(connection, waited_since_us), at_once)
        segments = archive.live(connection)
        rewritten = _rewritten(connection, up_to_seq)
        touched = _holding(archive, segments, rewritten)
        ranges = _plan(days, segments, touched)
    bounds, write = Bounds(limit_us, up_to_seq, rewritten), write or write_segment
    # A corrected row may have moved from one range to another: then all ranges change at one moment. Else each by
    # itself, so that neither a reading nor a writing of the database lasts longer than one segment.
    groups = [ranges] if rewritten else [[one] for one in ranges]
    done = Sealed(0, 0, 0)
    for group in groups:
        if not group:
            continue
        written = [write(archive, database, r, bounds) for r in group]
        fresh = [s for s in written if s is not None]
        with database.write_observations() as connection:
            archive.switch(connection, [s for r in group for s in r.old], fresh)
            gone = [{"first_us": r.first, "end_us": min(r.end, limit_us), "up_to": up_to_seq} for r in group]
            connection.execute(insert(leaving), gone)
        moved = remove(database)
        done = Sealed(done.rows + moved, done.segments + len(fresh), done.bytes + sum(s.bytes for s in fresh))
    return done


def remove(database: Database) -> int:
    """Remove the rows that are leaving; return how many there were."""
    with database.read() as connection:
        ranges = connection.execute(select(leaving.c.first_us, leaving.c.end_us, leaving.c.up_to)).fetchall()
    removed = 0
    for first_us, end_us, up_to in ranges:
        removed += _remove(database, first_us, end_us, up_to)
        with database.write_observations() as connection:
            mine = (leaving.c.first_us == first_us, leaving.c.up_to == up_to)
            connection.execute(delete(leaving).where(*mine))
    return removed


def _remove(database: Database, first_us: int, end_us: int, up_to: int) -> int:
    """Remove the rows of a range of days that were committed up to a number, in slices; return how many there were."""
    c = fresh_row.c
    gone = and_(c.start_us >= first_us, c.start_us < end_us, or_(c.seq.is_(None), c.seq <= up_to))
    removed, since, last, size = 0, 0, -_ALL, _SLICES[0]
    while True:
        part = select(c.id).where(gone, c.id > last, c.id <= up_to).order_by(c.id).limit(size).subquery()
        with database.read() as connection:
            bound = connection.execute(select(func.max(part.c.id))).scalar()
        if bound is None:
            return removed
        with database.write_observations(durable=False) as connection:
            began = time.monotonic()
            # one upper bound: of two SQLite may look as far as the further one
            n = connection.execute(delete(fresh_row).where(gone, c.id > last, c.id <= bound)).rowcount
        lasted = time.monotonic() - began
        removed, since, last = removed + n, since + n, bound
        size = min(max(_SLICES[0], int(size * min(2.0, _SLICE_S / max(lasted, 1e-4)))), _SLICES[1])
        if since >= _MOVED:
            _move_log(database)
            since = 0
        time.sleep(lasted)


def _move_log(database: Database) -> None:
    """Move SQLite's log on, beside the writers: what is removed goes through it too."""
    if database.observations_path is None:
        return
    with contextlib.suppress(sqlite3.Error):  # the next time tries again
        move_log(database.observations_path, database.observations_turn)


def _sealable(limit_us: int, up_to_seq: int) -> Any:
    c = observation.c
    return and_(c.start_us < limit_us, c.id <= up_to_seq, or_(c.seq.is_(None), c.seq <= up_to_seq))


def _came_before(connection: Connection, instant_us: int | None) -> int:
    """Return the number below which observations were stored before an instant (0: none that is known of)."""
    if instant_us is None:
        return 0
    later = connection.execute(select(func.min(pace.c.first_id)).where(pace.c.at_us >= instant_us)).scalar()
    return _ALL if later is None else later


def _days(
    connection: Connection, limit_us: int, up_to_seq: int, overdue_below: int, at_once: Container[int]
) -> list[_Day]:
    # `/` truncates towards zero on both databases: shifted by 200,000 days, it floors before 1970 too
    c = observation.c
    shifted = (c.start_us + 200_000 * DAY_US) // DAY_US
    rows = connection.execute(
        select(shifted, func.count(), func.min(c.id))
        .where(_sealable(limit_us, up_to_seq))
        .group_by(shifted)
        .order_by(shifted)
    )
    days = (((int(d) - 200_000) * DAY_US, n, oldest) for d, n, oldest in rows)
    return [_Day(day, n, oldest < overdue_below or day in at_once) for day, n, oldest in days]


def _rewritten(connection: Connection, up_to_seq: int) -> list[int]:
    c = observation.c
    return list(connection.execute(select(c.id).where(c.seq.is_not(None), c.seq <= up_to_seq)).scalars())


def _holding(archive: Archive, segments: list[Segment], ids: list[int]) -> set[int]:
    """Return the ids of the segments that hold one of the rewritten observations."""
    found: set[int] = set()
    if not ids:
        return found
    cursor = archive.cursor()
    try:
        for one in segments:
            near = [i for i in ids if one.min_id <= i <= one.max_id]
            if (
                near
                and cursor.execute(
                    f"SELECT 1 FROM read_parquet({archive.files([one])}) WHERE id IN (SELECT unnest(?)) LIMIT 1",
                    [near],
                ).fetchall()
            ):
                found.add(one.id)
    finally:
        cursor.close()
    return found


def _plan(days: list[_Day], segments: list[Segment], touched: set[int]) -> list[Span]:
    """Return the ranges to write: each existing segment that gets or loses rows, and new ones in between."""
    ranges: dict[int, Span] = {
        s.id: Span(s.first_us, s.end_us, s.count, [s]) for s in segments if s.id in touched
    }
    opened: list[Span] = []
    current: Span | None = None
    late: dict[int, int] = {}
    overdue: set[int] = set()
    for one in days:
        day = one.start
        holder = next((s for s in segments if s.first_us <= day < s.end_us), None)
        if holder is not None:
            late[holder.id] = late.get(holder.id, 0) + one.count
            if one.overdue:
                overdue.add(holder.id)
            current = None
            continue
        if current is None or current.rows >= TARGET_ROWS or _between(segments, current.end, day):
            current = _start(day, segments, ranges)
            if current not in opened:
                opened.append(current)
        current.end = day + DAY_US
        current.rows += one.count
    for held in segments:  # those that are written again anyway take their late rows along
        n = late.get(held.id, 0)
        if n and (held.id in ranges or held.id in overdue or n * LATE_SHARE >= held.count):
            known = ranges.setdefault(held.id, Span(held.first_us, held.end_us, held.count, [held]))
            known.rows += n
    extended = {id(r) for r in opened}
    return opened + [r for r in ranges.values() if id(r) not in extended]


def _start(day: int, segments: list[Segment], ranges: dict[int, Span]) -> Span:
    """Return a new range at `day`, or the small segment just before it, to be extended."""
    before = [s for s in segments if s.end_us <= day]
    if before and before[-1].count < SMALL_ROWS:
        last = before[-1]
        return ranges.setdefault(last.id, Span(last.first_us, last.end_us, last.count, [last]))
    return Span(day, day + DAY_US, 0, [])


def _between(segments: list[Segment], end: int, day: int) -> bool:
    return any(end <= s.first_us < day for s in segments)


def write_segment(archive: Archive, database: Database, wanted: Span, bounds: Bounds) -> Segment | None:
    """Write the segment of a span; it is not listed yet. None when nothing of it is left."""
    cursor = archive.cursor()
    try:
        cursor.execute(
            f"CREATE TEMP TABLE arriving ({', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())})"
        )
        c = observation.c
        mine = _sealable(min(wanted.end, bounds.limit_us), bounds.up_to)
        for part in _parts(database, and_(c.start_us >= wanted.first, mine, c.deleted.is_(None))):
            _hand_over(cursor, part)
        source = "SELECT * FROM arriving"
        if wanted.old:
            cursor.execute("CREATE TEMP TABLE gone AS SELECT unnest(?::BIGINT[]) AS id", [bounds.rewritten])
            source += (
                f" UNION ALL SELECT {', '.join(COLUMNS)} FROM read_parquet({archive.files(wanted.old)})"
                " WHERE id NOT IN (SELECT id FROM gone)"
            )
        return archive.write(cursor, source, wanted.first, wanted.end, wanted.old)
    finally:
        for table in ("arriving", "gone"):
            cursor.execute(f"DROP TABLE IF EXISTS {table}")
        cursor.close()


def _parts(database: Database, mine: Any) -> Iterator[Sequence[Any]]:
    """Yield the rows to seal, in the order of their ids, each part in a snapshot of its own.

    One that is corrected between two snapshots has a later number from then on: it stays fresh, and wins.
    """
    wanted = select(*_LOCAL).where(mine).order_by(observation.c.id).limit(_CHUNK)
    last = -_ALL
    while True:
        with database.read() as connection:
            part = connection.execute(wanted.where(observation.c.id > last)).fetchall()
        if part:
            yield part
        if len(part) < _CHUNK:
            return
        last = part[-1][0]


def _hand_over(cursor: "DuckDBPyConnection", rows: Sequence[Any]) -> None:
    """Give rows to DuckDB as arrays, the quickest way that takes no other library; NULL is a value nobody has."""
    arrays: dict[str, Any] = {}
    chosen: list[str] = []
    for (name, kind), column in zip(COLUMNS.items(), zip(*rows, strict=True), strict=True):
        absent = column.count(None)
        if absent == len(column):
            chosen.append("NULL")
            continue
        arrays[name] = _array(kind, column, some_absent=absent > 0)
        if not absent or kind == "VARCHAR":
            chosen.append(name)
        else:
            chosen.append(f"CASE WHEN isnan({name}) THEN NULL ELSE {name} END" if kind == "DOUBLE" else f"NULLIF({name}, {_ABSENT})")  # fmt: skip
    cursor.register("handed", arrays)
    cursor.execute(f"INSERT INTO arriving SELECT {', '.join(chosen)} FROM handed")
    cursor.unregister("handed")


def _array(kind: str, column: tuple[Any, ...], *, some_absent: bool) -> Any:
    if kind == "VARCHAR":
        return np.array(column, dtype=object)
    dtype, absent = _TYPES[kind]
    return np.array([absent if v is None else v for v in column] if some_absent else column, dtype=dtype)
