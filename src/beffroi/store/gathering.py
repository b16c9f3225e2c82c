"""Gathering: the roll-ups of many segments in one file, sorted by datastream, so that a year of one is read at one place.

A long roll-up says what the roll-ups of its segments say, and is used only while all of them live. When one is
replaced (late rows, retention) the others' own roll-ups serve, until the next gathering, once a day.
"""

from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import Connection, select

from beffroi.store.archive import Archive, Segment, file_digest, quoted
from beffroi.store.database import Database
from beffroi.store.rollups import ROLLUP_COLUMNS
from beffroi.store.tables import long_rollup, segment

__all__ = ["FEWEST", "Long", "gather", "good", "rollup_files"]

FEWEST = 8  # segments that are worth a file of their own
MOST = 64


class Long(msgspec.Struct, frozen=True):
    """One long roll-up and the segments that it stands for."""

    path: str
    bytes: int
    sha256: str
    segments: frozenset[int]


def good(connection: Connection) -> list[Long]:
    """Return the long roll-ups whose segments all live."""
    c = long_rollup.c
    found = connection.execute(select(c.path, c.bytes, c.sha256, c.segments)).fetchall()
    if not found:
        return []
    live = set(connection.execute(select(segment.c.id).where(segment.c.live == 1)).scalars())
    every = (
        Long(r.path, r.bytes, r.sha256, frozenset(msgspec.json.decode(r.segments, type=list[int])))
        for r in found
    )
    return [one for one in every if one.segments <= live]


def rollup_files(
    archive: Archive, segments: Sequence[Segment], longs: Iterable[Long], aside: Iterable[Segment] = ()
) -> str:  # fmt: skip
    """Return, as an SQL list, the files that hold the roll-ups of `segments` and of none `aside`.

    They may hold hours of other segments, which time or datastream must leave out.
    """
    not_those = {s.id for s in aside}
    wanted = {s.id: s for s in segments}
    files: list[str] = []
    for one in longs:
        covered = one.segments & wanted.keys()
        if len(covered) > 1 and not one.segments & not_those:
            files.append(one.path)
            wanted = {number: s for number, s in wanted.items() if number not in covered}
    files.extend(s.rollup for s in wanted.values() if s.rollup is not None)
    return "[" + ", ".join(quoted(archive.folder / name) for name in files) + "]"


def gather(database: Database, archive: Archive) -> int:
    """Make the long roll-ups that are worth it, and forget those that no longer are good; return how many were made."""
    with database.read() as connection:
        kept = good(connection)
        live = archive.live(connection)
    covered = {number for one in kept for number in one.segments}
    made = [_make(archive, run) for run in _runs(live, covered)]
    with database.write_observations() as connection:
        paths = [one.path for one in kept]
        connection.execute(long_rollup.delete().where(long_rollup.c.path.not_in(paths)))
        for one in made:
            connection.execute(
                long_rollup.insert().values(
                    path=one.path,
                    bytes=one.bytes,
                    sha256=one.sha256,
                    segments=msgspec.json.encode(sorted(one.segments)).decode(),
                )
            )
    return len(made)


def _runs(live: Sequence[Segment], covered: set[int]) -> list[list[Segment]]:
    """Return the runs of neighbouring segments that no long roll-up covers."""
    runs: list[list[Segment]] = [[]]
    for one in live:
        if one.id in covered or one.rollup is None:
            runs.append([])
            continue
        if len(runs[-1]) == MOST:
            runs.append([])
        runs[-1].append(one)
    return [run for run in runs if len(run) >= FEWEST]


def _make(archive: Archive, run: Sequence[Segment]) -> Long:
    files = ", ".join(quoted(archive.folder / (s.rollup or "")) for s in run)
    temporary = archive.folder / f".long-{run[0].id}-{run[-1].id}.tmp"
    cursor = archive.cursor()
    try:
        cursor.execute(
            f"COPY (SELECT {', '.join(ROLLUP_COLUMNS)} FROM read_parquet([{files}]) ORDER BY datastream_id, hour_us)"
            f" TO {quoted(temporary)} (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION V2, ROW_GROUP_SIZE 20480)"
        )
    finally:
        cursor.close()
    digest, size = file_digest(temporary), temporary.stat().st_size
    path = archive.settle(temporary, f"long-{digest[:16]}.hours.parquet")
    return Long(path, size, digest, frozenset(s.id for s in run))
