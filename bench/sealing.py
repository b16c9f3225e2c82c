"""What sealing costs: bytes an observation afterwards, and the CPU of rows that come up to 30 days late."""

import random
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from beffroi.model.instant import DAY_US, MINUTE_US, parse_instant
from beffroi.model.observation import Draft
from beffroi.model.result import number_of
from beffroi.settings import Settings
from beffroi.store.open import Store
from beffroi.store.sealing import LATE_US, seal
from bench.server import machine

SERIES = 100
DAYS = 40
STEP_US = 5 * MINUTE_US
BEGIN = parse_instant("2026-01-01T00:00:00Z")
Rows = list[tuple[int, int, int, float]]
"""Arrival, datastream, phenomenon time (microseconds), value."""


def rows(*, irregular: bool = False, late: float = 0.0) -> Rows:
    """Return observations in the order of their arrival: daily sines with noise, to a tenth."""
    chance = np.random.default_rng(1)
    n = DAYS * (DAY_US // STEP_US)
    starts = np.repeat(BEGIN + np.arange(n) * STEP_US, SERIES)
    series = np.tile(np.arange(1, SERIES + 1), n)
    if irregular:
        starts = starts + chance.integers(0, 60_000, len(starts)) * 1_000
    values = np.round(
        15 + 8 * np.sin(starts / DAY_US * 2 * np.pi + series) + chance.normal(0, 0.3, len(starts)), 1
    )
    delayed = chance.random(len(starts)) < late
    arrivals = starts + np.where(
        delayed, chance.integers(0, 30 * DAY_US, len(starts)), chance.integers(0, 2_000_000, len(starts))
    )
    order = np.argsort(arrivals, kind="stable")
    return list(zip(arrivals[order].tolist(), series[order].tolist(), starts[order].tolist(), values[order].tolist(), strict=True))  # fmt: skip


def days(arriving: Rows) -> Iterator[Rows]:
    """Give the rows of each day of arrival."""
    day: Rows = []
    until = BEGIN + DAY_US
    for row in arriving:
        while row[0] >= until:
            yield day
            day, until = [], until + DAY_US
        day.append(row)
    yield day


def run(arriving: Rows) -> tuple[float, float, list[tuple[int, float | None]]]:
    """Store and seal day by day; return CPU seconds, sealed bytes a row, and the rows of one datastream."""
    now_us = BEGIN
    with TemporaryDirectory(prefix="beffroi-bench-") as folder:
        store = Store.open(Settings(data=Path(folder)), lambda: now_us)
        began = time.process_time()
        for number, day in enumerate(days(arriving), 1):
            for at in range(0, len(day), 10_000):
                part = day[at : at + 10_000]
                now_us = part[-1][0]
                store.observations.append(
                    [
                        Draft(series, start, number_of(str(v)), feature_id=series)
                        for _, series, start, v in part
                    ]
                )
            today = BEGIN + number * DAY_US
            seal(store.database, store.archive, today, store.observations.head(), today - LATE_US)
        spent = time.process_time() - began
        with store.read() as connection:
            segments = store.archive.live(connection)
        size = sum(s.bytes for s in segments) / sum(s.count for s in segments)
        held = [
            (o.start_us, o.result.value)
            for o in store.observations.series(random.Random(2).randint(1, SERIES))
        ]
        store.close()
    return spent, size, held


def main() -> None:
    """Print the figures."""
    n = SERIES * DAYS * DAY_US // STEP_US
    print(machine(), f"· {n:,} observations of {SERIES} datastreams, {DAYS} days, sealed each day")
    spent, size, held = run(rows())
    print(f"regular, sorted:   {size:.2f} bytes/obs, {spent / n * 1e6:.2f} us CPU/obs (stored and sealed)")
    late_spent, late_size, late_held = run(rows(late=0.1))
    print(f"10 % up to 30 days late: {late_size:.2f} bytes/obs, {late_spent / n * 1e6:.2f} us CPU/obs,"
          f" ratio {late_spent / spent:.2f}; answers equal: {late_held == held}")  # fmt: skip
    spent, size, _ = run(rows(irregular=True))
    print(f"irregular, sorted: {size:.2f} bytes/obs, {spent / n * 1e6:.2f} us CPU/obs")


if __name__ == "__main__":
    main()
