"""A history of any size, built straight as sealed segments: what years of a town's sealing would have left."""

import time
from pathlib import Path

import msgspec
from sqlalchemy import text

from beffroi.model.instant import DAY_US, MINUTE_US, parse_instant
from beffroi.settings import load_settings
from beffroi.store.archive import Segment
from beffroi.store.gathering import gather
from beffroi.store.open import Store

__all__ = ["START", "STEP", "Built", "build"]

START = parse_instant("2026-01-01T00:00:00Z")
STEP = 5 * MINUTE_US
TARGET_ROWS = 2_000_000  # as `store/sealing.py` makes them


class Built(msgspec.Struct):
    """What was built: rows, the days they cover, bytes on disk (segments, roll-ups) and how long it took."""

    rows: int
    days: int
    bytes: int
    rollup_bytes: int
    seconds: float


def rows_of(first: int, end: int, series: int, *, irregular: bool) -> str:
    """Return the DuckDB statement of the samples [first, end) of each series, 5 minutes apart (± 2 when irregular)."""
    late = f" + (hash(n * 1009 + d) % {4 * MINUTE_US})::BIGINT" if irregular else ""
    return (
        f"SELECT 1 + n * {series} + d AS id, (d + 1)::BIGINT AS datastream_id, ({START} + n * {STEP}{late})::BIGINT AS start_us,"
        " NULL::BIGINT AS end_us, NULL::BIGINT AS result_time_us,"
        " round(15 + 10 * sin(n / 46.0) + d % 7 + (hash(n * 31 + d) % 100) / 50.0, 1) AS value, 1 AS decimals,"
        " NULL::VARCHAR AS literal, (d + 1)::BIGINT AS feature_id, 0 AS quality, NULL::VARCHAR AS extra"
        f" FROM range({series}) s(d), range({first}, {end}) t(n)"
    )


def build(data: Path, count: int, series: int, *, irregular: bool = False) -> Built:
    """Store about `count` observations of the datastreams 1 … `series` in whole days, and fill `latest`."""
    began = time.perf_counter()
    store = Store.open(load_settings(data))
    a_day = DAY_US // STEP
    days = max(1, count // (a_day * series))
    each = max(1, TARGET_ROWS // (a_day * series))
    made: list[Segment] = []
    for day in range(0, days, each):
        last = min(day + each, days)
        cursor = store.archive.cursor()
        source = rows_of(day * a_day, last * a_day, series, irregular=irregular)
        one = store.archive.write(cursor, source, START + day * DAY_US, START + last * DAY_US)
        cursor.close()
        assert one is not None
        with store.database.write_observations() as connection:
            store.archive.switch(connection, [], [one])
        made.append(one)
    gather(store.database, store.archive)
    store.close()
    _fill_latest(data, store, made, series)
    rows = sum(s.count for s in made)
    return Built(
        rows,
        days,
        sum(s.bytes for s in made),
        sum(s.rollup_bytes or 0 for s in made),
        time.perf_counter() - began,
    )


def _fill_latest(data: Path, store: Store, made: list[Segment], series: int) -> None:
    opened = Store.open(load_settings(data))
    count = sum(s.count for s in made) // series
    (newest,) = (s for s in made if s.end_us == max(m.end_us for m in made))
    last = opened.archive.run(
        "SELECT datastream_id, arg_max(id, start_us), max(start_us), arg_max(value, start_us)"
        f" FROM ({opened.archive.raw([newest])}) GROUP BY 1"
    )
    firsts = min(s.min_us for s in made)
    with opened.database.write_observations() as connection:
        connection.execute(text("DELETE FROM latest"))
        connection.execute(
            text(
                "INSERT INTO latest (datastream_id, observation_id, start_us, value, decimals, quality, feature_id, count,"
                " first_us, received_us) VALUES (:d, :i, :s, :v, 1, 0, :d, :n, :f, :s)"
            ),
            [{"d": d, "i": i, "s": s, "v": v, "n": count, "f": firsts} for d, i, s, v in last],
        )
        connection.execute(text("UPDATE counter SET next = :n"), {"n": count * series + 1})
    opened.close()
