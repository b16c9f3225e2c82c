"""The ledger of missing data: where a datastream with an expected interval said nothing, and what came of it.

Times are those of the device (phenomenon time): a gap lies between two samples further apart than one and a half
intervals. It is found when the later sample comes; samples that come late fill it. A datastream that is irregular, or
whose interval nobody knows, has no ledger. The ledger follows the bus; when an interval changes, that datastream's
is made anew from all its samples.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from beffroi.store.cadence import intervals
from beffroi.store.open import Store
from beffroi.store.tables import gap, ledger, observation

__all__ = ["CURSOR", "Gap", "follow", "gaps", "missing"]

CURSOR = "bus.ledger"
BATCH = 20_000


class Gap(msgspec.Struct, frozen=True):
    """Between two samples: how many were expected there and how many came late; `to_us` None: it still lasts."""

    from_us: int
    to_us: int | None
    expected: int
    received: int = 0
    filled_us: int | None = None  # when the last of the missing came

    @property
    def reason(self) -> str:
        """Return "silence" (nothing came), "partial" (some came late) or "late" (all of it came late)."""
        if self.received == 0:
            return "silence"
        return "late" if self.filled_us is not None else "partial"


def _expected(start_us: int, end_us: int, interval_us: int) -> int:
    """Return how many samples are missing between two; 0 when they are neighbours, give or take half an interval."""
    return (
        max(0, round((end_us - start_us) / interval_us) - 1) if end_us - start_us > 1.5 * interval_us else 0
    )


def follow(store: Store) -> int:
    """Bring the ledger up to what is committed; return how many observations were read."""
    known, read = store.setting(CURSOR), 0
    reached = _begin(store) if known is None else int(known)
    head = store.observations.head()
    if not _any(store):  # nothing is expected of anybody: what came need not be read
        if head != reached:
            store.set_setting(CURSOR, head)
        return 0
    while True:
        found = store.observations.times_after(reached, BATCH)
        if not found:
            return read
        with store.read() as connection:
            every = intervals(connection, {row[1] for row in found})
        _take(store, found, every)
        last, _, _, corrected = found[-1]
        reached, read = corrected or last, read + len(found)
        store.set_setting(CURSOR, reached)


def _any(store: Store) -> bool:
    """True when a datastream is in the ledger, or should be."""
    with store.read() as connection:
        known = connection.execute(select(ledger.c.datastream_id).limit(1)).first()
        return known is not None or bool(intervals(connection, store.observations.stats()))


def _begin(store: Store) -> int:
    """Make the ledger of what is there when it is first kept; return the commit it stands at."""
    head = store.observations.head()
    stats = store.observations.stats()
    with store.read() as connection:
        every = intervals(connection, stats)
    for series, interval in every.items():
        until, found = _all(store, series, interval)
        with store.database.write_observations() as connection:
            _forget(connection, [series])
            _write(connection, series, interval, until, found)
    store.set_setting(CURSOR, head)
    return head


def _take(store: Store, found: Sequence[tuple[int, int, int, int | None]], every: dict[int, int]) -> None:
    times: dict[int, list[int]] = {}
    moved: set[int] = set()
    for _, series, start_us, corrected in found:
        if corrected is not None:
            moved.add(series)  # its time may be another
        elif series in every:
            times.setdefault(series, []).append(start_us)
    ids = sorted(times.keys() | moved)
    if not ids:
        return
    with store.read() as connection:
        known = {
            r.datastream_id: r
            for r in connection.execute(select(ledger).where(ledger.c.datastream_id.in_(ids)))
        }
    anew = {s for s in ids if s in every and (s in moved or (s in known and known[s].interval_us != every[s])
                                              or (s not in known and _older(store, s, len(times.get(s, ())))))}  # fmt: skip
    made = {series: _all(store, series, every[series]) for series in anew}
    with store.database.write_observations() as connection:
        for series in ids:
            if series not in every:
                _forget(connection, [series])
            elif series in made:
                _forget(connection, [series])
                _write(connection, series, every[series], *made[series])
            else:
                _add(
                    connection, series, every[series], sorted(times[series]), known.get(series), store.clock()
                )


def _older(store: Store, series: int, n: int) -> bool:
    """True when a datastream that has no ledger yet has more samples than those just read."""
    stat = store.observations.stats([series]).get(series)
    return stat is not None and stat.count > n


def _forget(connection: Connection, ids: Sequence[int]) -> None:
    for table in (gap, ledger):
        connection.execute(delete(table).where(table.c.datastream_id.in_(ids)))


def _write(
    connection: Connection, series: int, interval: int, until: int | None, found: Iterable[Gap]
) -> None:
    if until is not None:
        connection.execute(insert(ledger).values(datastream_id=series, interval_us=interval, until_us=until))
    rows = [
        {
            "datastream_id": series,
            "from_us": g.from_us,
            "to_us": g.to_us,
            "expected": g.expected,
            "received": 0,
        }
        for g in found
    ]
    if rows:
        connection.execute(insert(gap), rows)


def _all(store: Store, series: int, interval: int) -> tuple[int | None, list[Gap]]:
    """Return the newest time of a datastream and its gaps, from all its samples; DuckDB gives back the gaps alone."""
    c = observation.c
    with store.read() as connection:
        fresh = list(
            connection.execute(
                select(c.start_us).where(c.datastream_id == series, c.deleted.is_(None))
            ).scalars()
        )
        segments = store.archive.matching(connection, (None, None), datastreams=(series,))
        hidden = list(connection.execute(select(c.id).where(c.seq.is_not(None))).scalars())
    if not segments:
        times = sorted(fresh)
        pairs = list(pairwise(times))
        until = times[-1] if times else None
    else:
        near = f" AND id NOT IN ({', '.join(map(str, hidden))})" if hidden else ""
        pairs_and_last: list[Any] = store.archive.run(
            f"WITH t AS (SELECT start_us FROM ({store.archive.raw(segments)}) WHERE datastream_id = {int(series)}{near}"
            " UNION ALL SELECT unnest($1::BIGINT[])), p AS (SELECT start_us, lag(start_us) OVER (ORDER BY start_us) AS before FROM t)"
            f" SELECT before, start_us FROM p WHERE start_us - before > {interval} UNION ALL SELECT NULL, max(start_us) FROM t ORDER BY 2",
            [fresh],
        )
        pairs = [(a, b) for a, b in pairs_and_last if a is not None]
        until = next((b for a, b in pairs_and_last if a is None), None)
    return until, [Gap(a, b, n) for a, b in pairs if (n := _expected(a, b, interval))]


def _add(
    connection: Connection, series: int, interval: int, times: list[int], known: Any, now_us: int
) -> None:
    """Follow a datastream through its new samples, in their order in time."""
    until = None if known is None else known.until_us
    found: list[Gap] = []
    for time in times:
        if until is not None and time <= until:
            _fill(connection, series, time, now_us)
            continue
        if until is not None and (n := _expected(until, time, interval)):
            found.append(Gap(until, time, n))
        until = time
    if known is not None:
        connection.execute(delete(ledger).where(ledger.c.datastream_id == series))
    _write(connection, series, interval, until, found)


def _fill(connection: Connection, series: int, time: int, now_us: int) -> None:
    c = gap.c
    within = (c.datastream_id == series, c.from_us < time, c.to_us > time, c.received < c.expected)
    row = connection.execute(select(c.from_us, c.expected, c.received).where(*within)).first()
    if row is None:
        return
    whole = row.received + 1 >= row.expected
    connection.execute(
        update(gap).where(c.datastream_id == series, c.from_us == row.from_us)
        .values(received=row.received + 1, filled_us=now_us if whole else None)
    )  # fmt: skip


def gaps(
    connection: Connection, series: int, now_us: int, start_us: int | None = None, end_us: int | None = None,
    *, limit: int = 1_000, offset: int = 0,
) -> list[Gap] | None:  # fmt: skip
    """Return the gaps of a datastream that touch [start, end), the newest first, one that lasts still included.

    None when it has no ledger: it is irregular, or its interval is not known.
    """
    if series not in intervals(connection, [series]):
        return None
    c = gap.c
    found: list[Gap] = []
    state = connection.execute(select(ledger).where(ledger.c.datastream_id == series)).first()
    if state is not None and offset == 0 and (end_us is None or state.until_us < end_us):
        n = _expected(state.until_us, now_us, state.interval_us)
        if n and (start_us is None or now_us > start_us):
            found.append(Gap(state.until_us, None, n))
    statement = select(c.from_us, c.to_us, c.expected, c.received, c.filled_us).where(
        c.datastream_id == series
    )
    if start_us is not None:
        statement = statement.where(c.to_us > start_us)
    if end_us is not None:
        statement = statement.where(c.from_us < end_us)
    rows = connection.execute(statement.order_by(c.from_us.desc()).limit(limit).offset(offset))
    return [*found, *(Gap(*row) for row in rows)]


def missing(connection: Connection, series: int) -> tuple[int, int]:
    """Return how many gaps of a datastream are not filled, and how many samples they lack."""
    c = gap.c
    row = connection.execute(
        select(func.count(), func.coalesce(func.sum(c.expected - c.received), 0)).where(
            c.datastream_id == series, c.filled_us.is_(None)
        )
    ).one()
    return int(row[0]), int(row[1])
