"""Gathering: the roll-ups of many segments in one file, sorted by datastream, so that a year of one is read at one place.

A long roll-up says what the roll-ups of its segments say, and is used only while all of them live. When one is
replaced (late rows, retention) the others' own roll-ups serve, until the next gathering, once a day. First in the file
come the sums of all datastreams together, as of a datastream 0: what a town measured in a year is read from thousands of
rows instead of millions.
"""

from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import Connection, select

from beffroi.store.archive import Archive, Segment, file_digest, quoted
from beffroi.store.database import Database
from beffroi.store.rollups import ROLLUP_COLUMNS
from beffroi.store.tables import long_rollup, segment

__all__ = ["FEWEST", "Long", "gather", "good", "hours_apart", "rollup_rows", "rollup_sums"]

FEWEST = 8  # segments that are worth a file of their own
MOST = 64
MOST_APART = 1_000  # hours that the sums cannot answer for, beyond which they are not worth while
_MADE = "gathered-"  # what the files are called; those of before (`long-`) have no sums, and are made again
_SUMS = (
    "SELECT 0::BIGINT AS datastream_id, hour_us, sum(n)::BIGINT AS n, sum(numbers)::BIGINT AS numbers, sum(total) AS total,"
    " min(low) AS low, max(high) AS high, NULL::DOUBLE AS first_value, NULL::BIGINT AS first_us, NULL::DOUBLE AS last_value,"
    " NULL::BIGINT AS last_us, max(span_us) AS span_us, bool_and(thin) AS thin FROM {0} GROUP BY hour_us"
)


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
        if r.path.startswith(_MADE)
    )
    return [one for one in every if one.segments <= live]


def rollup_rows(
    archive: Archive, segments: Sequence[Segment], longs: Iterable[Long], aside: Iterable[Segment] = ()
) -> str:
    """Return the SQL of the rows of the roll-ups of `segments` and of none `aside`, each of one datastream.

    They may be of other segments too, whose hours time or datastream must leave out.
    """
    gathered, own = _files(segments, longs, aside)
    return f"(SELECT * FROM {_read(archive, [*gathered, *own])} WHERE datastream_id > 0)"


def rollup_sums(
    archive: Archive, segments: Sequence[Segment], longs: Iterable[Long], aside: Iterable[Segment], apart: Iterable[int]
) -> str:  # fmt: skip
    """Return the SQL of rows that come to the same over all datastreams: of the sums, save those of the hours `apart`.

    There must be gathered files, as `hours_apart` tells.
    """
    gathered, own = _files(segments, longs, aside)
    hours = ", ".join(map(str, apart)) or "NULL"
    every = _read(archive, gathered)
    parts = [f"SELECT * FROM {every} WHERE datastream_id = 0 AND coalesce(hour_us NOT IN ({hours}), true)"]
    if hours != "NULL":
        parts.append(f"SELECT * FROM {every} WHERE datastream_id > 0 AND hour_us IN ({hours})")
    if own:
        parts.append(f"SELECT * FROM {_read(archive, own)}")
    return f"({' UNION ALL '.join(parts)})"


def hours_apart(
    archive: Archive, segments: Sequence[Segment], longs: Iterable[Long], aside: Iterable[Segment], ended_by: int | None
) -> list[int] | None:  # fmt: skip
    """Return the hours of which some observation ends after `ended_by`; None: too many, or there are no sums."""
    gathered, _ = _files(segments, longs, aside)
    if not gathered:
        return None
    if ended_by is None:
        return []
    crossing = (
        f"SELECT hour_us FROM {_read(archive, gathered)} WHERE datastream_id = 0 AND span_us > {ended_by}"
    )
    found = archive.run(f"{crossing} LIMIT {MOST_APART + 1}")
    return None if len(found) > MOST_APART else [hour for (hour,) in found]


def _read(archive: Archive, files: Iterable[str]) -> str:
    return f"read_parquet([{', '.join(quoted(archive.folder / name) for name in files)}])"


def _files(
    segments: Sequence[Segment], longs: Iterable[Long], aside: Iterable[Segment]
) -> tuple[list[str], list[str]]:
    """Return the gathered files that serve, and the roll-ups of the segments that none of those holds."""
    not_those = {s.id for s in aside}
    wanted = {s.id: s for s in segments}
    gathered: list[str] = []
    for one in longs:
        covered = one.segments & wanted.keys()
        if len(covered) > 1 and not one.segments & not_those:
            gathered.append(one.path)
            wanted = {number: s for number, s in wanted.items() if number not in covered}
    return gathered, [s.rollup for s in wanted.values() if s.rollup is not None]


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
    every = _read(archive, (s.rollup or "" for s in run))
    names = ", ".join(ROLLUP_COLUMNS)
    temporary = archive.folder / f".{_MADE}{run[0].id}-{run[-1].id}.tmp"
    cursor = archive.cursor()
    try:
        cursor.execute(
            f"COPY (SELECT {names} FROM (SELECT {names} FROM {every} UNION ALL {_SUMS.format(every)}) ORDER BY datastream_id, hour_us)"
            f" TO {quoted(temporary)} (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION V2, ROW_GROUP_SIZE 20480)"
        )
    finally:
        cursor.close()
    digest, size = file_digest(temporary), temporary.stat().st_size
    path = archive.settle(temporary, f"{_MADE}{digest[:16]}.hours.parquet")
    return Long(path, size, digest, frozenset(s.id for s in run))
