"""Rules: CPU of the engine under 1,000 rules and 5,000 observations a second, and a year's back-test.

    python -m bench.rules [--seconds 20]

Prints one line of JSON for each figure; the load is written by another process, so that CPU is the engine's.
"""

import argparse
import json
import multiprocessing
import os
import random
import tempfile
import threading
import time
from pathlib import Path

from beffroi.model.instant import MINUTE_US, SECOND_US
from beffroi.model.observation import Draft
from beffroi.model.principal import SYSTEM
from beffroi.model.result import number_of
from beffroi.rules import rulebook
from beffroi.rules.collections import PLATFORM_COLLECTIONS
from beffroi.rules.keeper import judge
from beffroi.rules.reading import read_rule
from beffroi.rules.trial import try_rule
from beffroi.settings import Settings
from beffroi.store.catalogue import New, create
from beffroi.store.open import Store
from beffroi.store.record import Query
from beffroi.store.tables import datastream

RULES, RATE = 1_000, 5_000


def a_town(folder: Path) -> tuple[Store, list[int]]:
    store = Store.open(Settings(data=folder))
    store.records.declare(PLATFORM_COLLECTIONS)
    about = {"description": ""}
    with store.write() as c:
        sensor = create(
            store, c, New("sensor", {"name": "s", **about, "encoding_type": "text", "metadata": '""'})
        ).id
        prop = create(store, c, New("observed_property", {"name": "p", "definition": "", **about})).id
        for i in range(RULES):
            series = New("datastream", {"name": f"d{i}", **about, "observation_type": "number", "unit_symbol": "cm"},
                         belongs={"sensor_id": sensor, "observed_property_id": prop})  # fmt: skip
            create(store, c, New("thing", {"name": f"t{i}", **about}, has=[("thing_id", series)]))
        return store, list(c.execute(datastream.select()).scalars())


def write(folder: Path, series: list[int], seconds: int) -> None:
    """Write RATE observations a second; one in 2,000 is a flood of its series, with its sending time in `extra`."""
    store, chance = Store.open(Settings(data=folder)), random.Random(1)
    start = time.monotonic()
    for tick in range(seconds * 10):
        time.sleep(max(0.0, start + tick / 10 - time.monotonic()))
        now = time.time_ns() // 1000
        drafts = [
            Draft(
                chance.choice(series),
                now,
                number_of("300" if chance.random() < 0.0005 else str(chance.randint(0, 99))),
            )
            for _ in range(RATE // 10)
        ]
        store.observations.append(drafts)
    store.close()


def under_load(folder: Path, seconds: int) -> None:
    store, series = a_town(folder)
    for number in series:
        text = f"name: r{number}\nwatch: {{datastream: {number}}}\nwhen: {{above: {{jaune: 100, rouge: 200}}, hysteresis: 10}}\n"
        rulebook.add(store, text, SYSTEM, enabled=True)
    stop = threading.Event()
    engine = threading.Thread(target=judge, args=(store, stop))
    engine.start()
    time.sleep(5)
    writer = multiprocessing.get_context("spawn").Process(target=write, args=(folder, series, seconds))
    begun = time.process_time()
    writer.start()
    while writer.is_alive():
        time.sleep(0.5)
    time.sleep(2)
    used = time.process_time() - begun
    stop.set()
    engine.join()
    rows = list(store.records.all("alarm", Query(limit=1000)))
    delays = sorted((row.created_us - row.values["raised_at"]) / SECOND_US for row in rows)
    print(json.dumps({
        "figure": "engine under load", "rules": RULES, "observations_per_s": RATE, "seconds": seconds, "cores": round(used / seconds, 3),
        "alarms": len(rows), "observation_to_alarm_p50_s": delays[len(delays) // 2] if delays else None,
        "observation_to_alarm_p95_s": delays[int(len(delays) * 0.95)] if delays else None, "load": os.getloadavg()[0],
    }))  # fmt: skip
    store.close()


def over_a_year(folder: Path) -> None:
    store, series = a_town(folder)
    chance, start = random.Random(2), time.time_ns() // 1000 - 366 * 288 * 5 * MINUTE_US
    rows = [
        Draft(series[0], start + i * 5 * MINUTE_US, number_of(f"{60 + 25 * chance.gauss(0, 1):.1f}"))
        for i in range(105_120)
    ]
    for first in range(0, len(rows), 5_000):
        store.observations.append(rows[first : first + 5_000])
    rule = read_rule(
        f"name: r\nwatch: {{datastream: {series[0]}}}\nwhen: {{above: {{jaune: 100, orange: 120, rouge: 130}}, hysteresis: 10, for: 10 min}}\n"
    )
    begun, cpu = time.perf_counter(), time.process_time()
    report = try_rule(store, rule)
    print(json.dumps({"figure": "back-test of a year at 5 minutes", "observations": report.observations, "alarms": report.count,
                      "seconds": round(time.perf_counter() - begun, 3), "cpu": round(time.process_time() - cpu, 3), "load": os.getloadavg()[0]}))  # fmt: skip
    store.close()


def main() -> None:
    """Run both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=20)
    wanted = parser.parse_known_args()[0]
    for run in (over_a_year, lambda folder: under_load(folder, wanted.seconds)):
        with tempfile.TemporaryDirectory() as made:
            run(Path(made))


if __name__ == "__main__":
    main()
