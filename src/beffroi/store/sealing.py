"""Sealing: move old fresh rows into Parquet segments, a few large files rather than many small ones."""

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, delete, func, or_, select

from beffroi.model.instant import DAY_US
from beffroi.store.archive import COLUMNS, Archive, Segment, quoted
from beffroi.store.database import Database
from beffroi.store.tables import observation

__all__ = ["Sealed", "seal"]

TARGET_ROWS = 2_000_000  # a new segment ends at the day that reaches this
SMALL_ROWS = 500_000  # a segment smaller than this is extended rather than followed by another
_LOCAL = [observation.c[name] for name in COLUMNS]


class Sealed(msgspec.Struct, frozen=True):
    """What a sealing did: rows moved out of the fresh table, files written, bytes of those files."""

    rows: int
    segments: int
    bytes: int


class _Range(msgspec.Struct):
    """Days [first, end) to write as one segment, from the segments it replaces and the fresh rows in it."""

    first: int
    end: int
    rows: int
    old: list[Segment]


def seal(database: Database, archive: Archive, before_us: int, up_to_seq: int) -> Sealed:
    """Seal what starts before the UTC day of `before_us` and was committed up to `up_to_seq`.

    Consumers of the bus must have read that far. Rows changed meanwhile stay fresh and win. Idempotent:
    a crash before the switch leaves a file that nobody lists and that the next sweep removes.
    """
    limit_us = before_us - before_us % DAY_US
    with database.read() as connection:
        days = _days(connection, limit_us, up_to_seq)
        segments = archive.live(connection)
        rewritten = _rewritten(connection, up_to_seq)
        touched = _holding(archive, segments, rewritten)
        ranges = _plan(days, segments, touched)
        if not ranges:
            return Sealed(0, 0, 0)
        written = [_write(archive, connection, r, rewritten, limit_us, up_to_seq) for r in ranges]
    fresh = [s for s in written if s is not None]
    with database.write_observations() as connection:
        archive.switch(connection, [s for r in ranges for s in r.old], fresh)
        moved = connection.execute(delete(observation).where(_sealable(limit_us, up_to_seq))).rowcount
    return Sealed(moved, len(fresh), sum(s.bytes for s in fresh))


def _sealable(limit_us: int, up_to_seq: int) -> Any:
    c = observation.c
    return and_(c.start_us < limit_us, c.id <= up_to_seq, or_(c.seq.is_(None), c.seq <= up_to_seq))


def _days(connection: Connection, limit_us: int, up_to_seq: int) -> list[tuple[int, int]]:
    # `/` truncates towards zero on both databases: shifted by 200,000 days, it floors before 1970 too
    c = observation.c
    shifted = (c.start_us + 200_000 * DAY_US) // DAY_US
    rows = connection.execute(
        select(shifted, func.count())
        .where(_sealable(limit_us, up_to_seq))
        .group_by(shifted)
        .order_by(shifted)
    )
    return [((int(d) - 200_000) * DAY_US, n) for d, n in rows]


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


def _plan(days: list[tuple[int, int]], segments: list[Segment], touched: set[int]) -> list[_Range]:
    """Return the ranges to write: each existing segment that gets or loses rows, and new ones in between."""
    ranges: dict[int, _Range] = {
        s.id: _Range(s.first_us, s.end_us, s.count, [s]) for s in segments if s.id in touched
    }
    opened: list[_Range] = []
    current: _Range | None = None
    for day, count in days:
        holder = next((s for s in segments if s.first_us <= day < s.end_us), None)
        if holder is not None:
            wanted = ranges.setdefault(
                holder.id, _Range(holder.first_us, holder.end_us, holder.count, [holder])
            )
            wanted.rows += count
            current = None
            continue
        if current is None or current.rows >= TARGET_ROWS or _between(segments, current.end, day):
            current = _start(day, segments, ranges)
            if current not in opened:
                opened.append(current)
        current.end = day + DAY_US
        current.rows += count
    extended = {id(r) for r in opened}
    return opened + [r for r in ranges.values() if id(r) not in extended]


def _start(day: int, segments: list[Segment], ranges: dict[int, _Range]) -> _Range:
    """Return a new range at `day`, or the small segment just before it, to be extended."""
    before = [s for s in segments if s.end_us <= day]
    if before and before[-1].count < SMALL_ROWS:
        last = before[-1]
        return ranges.setdefault(last.id, _Range(last.first_us, last.end_us, last.count, [last]))
    return _Range(day, day + DAY_US, 0, [])


def _between(segments: list[Segment], end: int, day: int) -> bool:
    return any(end <= s.first_us < day for s in segments)


def _write(archive: Archive, connection: Connection, wanted: _Range, rewritten: list[int],
           limit_us: int, up_to_seq: int) -> Segment | None:  # fmt: skip
    c = observation.c
    rows = connection.execute(
        select(*_LOCAL).where(
            _sealable(limit_us, up_to_seq),
            c.start_us >= wanted.first,
            c.start_us < wanted.end,
            c.deleted.is_(None),
        )
    )
    archive.folder.mkdir(parents=True, exist_ok=True)
    handed = archive.folder / f".{wanted.first}-{os.getpid()}.csv"
    cursor = archive.cursor()
    try:
        _hand_over(handed, rows)
        types = ", ".join(f"'{n}': '{t}'" for n, t in COLUMNS.items())
        source = (
            f"SELECT {', '.join(COLUMNS)} FROM read_csv({quoted(handed)}, header=false, columns={{{types}}},"
            " nullstr='\\N', quote='\"', escape='\"', delim=',', strict_mode=true, parallel=false, auto_detect=false)"
        )
        if wanted.old:
            cursor.execute("CREATE TEMP TABLE gone AS SELECT unnest(?::BIGINT[]) AS id", [rewritten])
            source += (
                f" UNION ALL SELECT {', '.join(COLUMNS)} FROM read_parquet({archive.files(wanted.old)})"
                " WHERE id NOT IN (SELECT id FROM gone)"
            )
        return archive.write(cursor, source, wanted.first, wanted.end, wanted.old)
    finally:
        cursor.execute("DROP TABLE IF EXISTS gone")
        cursor.close()
        handed.unlink(missing_ok=True)


def _hand_over(path: Path, rows: Iterator[Any] | Any) -> None:
    """Write rows where DuckDB reads them quickest without another library; `\\N` is NULL, text is quoted."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_MINIMAL)
        writer.writerows(tuple("\\N" if v is None else v for v in row) for row in rows)
