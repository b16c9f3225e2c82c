"""How fast observations come in over HTTP, durable, beside bare inserts of the same rows in the same run.

`--sustain 60` goes on for a minute by hundreds and by thousands, with four readers and a sealer beside: a thousand
datastreams go on in the order of time, every five minutes of theirs, so that days pass in seconds; each day that all of them
have left behind is sealed while the load goes on, as the keeper does it.
"""

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from beffroi.store.database import connect_sqlite
from bench.server import Server, call, machine, memory_mb, scratch, serving, wrk

SERIES = 1000
SECONDS = 8
EVERY_S = 0.1  # how often each of the readers beside a load asks
COLUMNS = "id, datastream_id, start_us, end_us, result_time_us, value, decimals, literal, feature_id, quality, extra"
TABLE = (
    "CREATE TABLE observation (id {key} PRIMARY KEY, datastream_id bigint, start_us bigint, end_us bigint,"
    " result_time_us bigint, value double precision, decimals int, literal text, feature_id bigint, quality int, extra text)"
)
POST = """
local n = 0
request = function()
  n = n + 1
  return wrk.format("POST", "/sensorthings/v1.1/Observations", {["Content-Type"] = "application/json"},
    '{"phenomenonTime":"2026-03-01T12:00:00Z","result":' .. (n % 100) .. '.25,"Datastream":{"@iot.id":' .. (n % SERIES + 1) .. '}}')
end
"""
BATCH = """
local function pad(n) return string.format("%02d", n) end
local bodies = {}
for b = 1, 50 do
  local rows = {}
  for i = 1, BATCH do
    rows[i] = '["2026-03-' .. pad(i % 28 + 1) .. "T" .. pad(i % 24) .. ":" .. pad(b) .. ':00Z",' .. i .. ".5]"
  end
  bodies[b] = '[{"Datastream":{"@iot.id":' .. (b * 17 % SERIES + 1) .. '},"components":["phenomenonTime","result"],'
    .. '"dataArray@iot.count":BATCH,"dataArray":[' .. table.concat(rows, ",") .. "]}]"
end
local n = 0
request = function()
  n = n + 1
  return wrk.format("POST", "/sensorthings/v1.1/CreateObservations", {["Content-Type"] = "application/json"}, bodies[n % 50 + 1])
end
"""


MIXED = """
local bodies = {}
for b = 1, 50 do
  local groups = {}
  for g = 1, BATCH / 10 do
    local rows = {}
    for i = 1, 10 do
      rows[i] = '["2026-03-01T' .. string.format("%02d:%02d:%02d", i % 24, b, g % 60) .. 'Z",' .. i .. "." .. g .. "]"
    end
    groups[g] = '{"Datastream":{"@iot.id":' .. ((b * 17 + g * 7) % SERIES + 1) .. '},"components":["phenomenonTime","result"],'
      .. '"dataArray":[' .. table.concat(rows, ",") .. "]}"
  end
  bodies[b] = "[" .. table.concat(groups, ",") .. "]"
end
local n = 0
request = function()
  n = n + 1
  return wrk.format("POST", "/sensorthings/v1.1/CreateObservations", {["Content-Type"] = "application/json"}, bodies[n % 50 + 1])
end
"""
ONWARD = """
local sent, tail, began = 0, nil, BEGAN
local function later()
  local rows = {}
  for i = 1, BATCH do
    rows[i] = '["' .. os.date("!%Y-%m-%dT%H:%M:%SZ", began + i * 300) .. '",' .. (i * 7 % 100) .. ".5]"
  end
  began = began + BATCH * 300
  return '},"components":["phenomenonTime","result"],"dataArray":[' .. table.concat(rows, ",") .. "]}]"
end
request = function()
  if sent % SERIES == 0 then tail = later() end
  sent = sent + 1
  return wrk.format("POST", "/sensorthings/v1.1/CreateObservations", {["Content-Type"] = "application/json"},
    '[{"Datastream":{"@iot.id":' .. ((sent - 1) % SERIES + 1) .. tail)
end
"""
SEALER = """
import sys, time
from pathlib import Path
from beffroi.settings import load_settings
from beffroi.store.open import Store
from beffroi.store.sealing import seal
from beffroi.store.sealing_apart import writer_apart
store = Store.open(load_settings(Path(sys.argv[1])))
while True:
    behind = min(stat.last_us for stat in store.observations.stats().values())
    began = time.monotonic()
    done = seal(store.database, store.archive, behind, store.observations.head(), write=writer_apart(store.settings))
    store.archive.sweep()
    print(done.rows, round(1000 * (time.monotonic() - began)), flush=True)
    time.sleep(0.2)
"""


def things(url: str, count: int) -> None:
    """Create `count` Things with a Location and a Datastream each, by deep insert."""
    for i in range(count):
        call(f"{url}/sensorthings/v1.1/Things", {
            "name": f"Thing {i}", "description": "bench",
            "Locations": [{"name": "l", "description": "l", "encodingType": "application/geo+json",
                           "location": {"type": "Point", "coordinates": [-2 + i / 1e4, 47.6]}}],
            "Datastreams": [{
                "name": f"Datastream {i}", "description": "bench",
                "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
                "unitOfMeasurement": {"name": "degree Celsius", "symbol": "°C", "definition": "ucum:Cel"},
                "Sensor": {"name": "s", "description": "s", "encodingType": "text/plain", "metadata": "m"},
                "ObservedProperty": {"name": "p", "definition": "http://example.org/p", "description": "p"},
            }],
        })  # fmt: skip


def floor(
    commit: Callable[[list[tuple[object, ...]]], None], batch: int, in_a_row: int, seconds: float = 4
) -> float:
    """Return rows/s of durable inserts of `batch` rows by `commit`, `in_a_row` of one datastream as the load has them."""
    n, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        commit(
            [
                (
                    (n + i + 1),
                    (n + i) // in_a_row * 17 % SERIES,
                    n + i,
                    None,
                    None,
                    1.5,
                    None,
                    None,
                    1,
                    1,
                    None,
                )
                for i in range(batch)
            ]
        )
        n += batch
    return n / spent


def sqlite_floor(folder: Path, batch: int, in_a_row: int) -> float:
    """Return rows/s of bare SQLite, WAL, synchronous=FULL, with the index."""
    connection = connect_sqlite(folder / f"floor-{batch}-{in_a_row}.db")
    connection.execute(TABLE.format(key="integer"))
    connection.execute("CREATE INDEX observation_time ON observation (datastream_id, start_us)")

    def commit(rows: list[tuple[object, ...]]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(f"INSERT INTO observation ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?)", rows)
        connection.execute("COMMIT")

    rate = floor(commit, batch, in_a_row)
    connection.close()
    return rate


def postgresql_floor(url: str, batch: int, in_a_row: int) -> float:
    """Return rows/s of bare PostgreSQL COPY with the index, `synchronous_commit=on`."""
    import psycopg  # noqa: PLC0415 -- an extra

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS floor CASCADE")
        connection.execute("CREATE SCHEMA floor")
        connection.execute("SET search_path = floor")
        connection.execute(TABLE.format(key="bigint"))
        connection.execute("CREATE INDEX ON observation (datastream_id, start_us, id)")

        def commit(rows: list[tuple[object, ...]]) -> None:
            with connection.cursor().copy(f"COPY observation ({COLUMNS}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)

        rate = floor(commit, batch, in_a_row)
        connection.execute("DROP SCHEMA floor CASCADE")
        return rate


@contextlib.contextmanager
def readers(url: str, count: int = 4, period_s: float = EVERY_S) -> Iterator[list[float]]:
    """Read the last hundred of random datastreams in `count` threads, one each `period_s`; give the seconds each took."""
    took: list[float] = []
    ending = threading.Event()

    def read() -> None:
        while not ending.is_set():
            wanted = f"{url}/sensorthings/v1.1/Datastreams({random.randint(1, SERIES)})/Observations"
            began = time.perf_counter()
            urllib.request.urlopen(f"{wanted}?$orderby=phenomenonTime%20desc&$top=100").read()
            took.append(time.perf_counter() - began)
            ending.wait(max(0.0, period_s - took[-1]))

    threads = [threading.Thread(target=read, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    yield took
    ending.set()
    for thread in threads:
        thread.join(timeout=30)


def sustain(server: Server, data: Path, seconds: int) -> None:
    """Load for `seconds` by 100 and by 1,000, with four readers and a sealer beside; print what came of it."""
    for batch, connections, began in ((100, 16, "2026-04-01"), (1000, 4, "2026-07-01")):
        first = int(datetime.fromisoformat(began).replace(tzinfo=UTC).timestamp())
        script = (
            ONWARD.replace("SERIES", str(SERIES)).replace("BATCH", str(batch)).replace("BEGAN", str(first))
        )
        sealer = subprocess.Popen(
            [sys.executable, "-c", SEALER, str(data)],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            with readers(server.url) as took:
                got = wrk(server.url, script, data, connections=connections, seconds=seconds)
            memory = server.memory_mb() + memory_mb(sealer.pid)
        finally:
            os.killpg(sealer.pid, signal.SIGKILL)
        passes = [tuple(map(int, line.split())) for line in sealer.communicate()[0].splitlines()]
        sealed, worked = sum(n for n, _ in passes), sum(ms for n, ms in passes if n) / 1000
        took.sort()
        print(f"{seconds} s by {batch} on {connections} connections, 4 readers, sealing: {got['rate'] * batch:>9,.0f} obs/s,"
              f" p50 {got['p50_ms']:.1f} ms, p99 {got['p99_ms']:.1f} ms, worst {got['worst_ms']:.0f} ms, errors {got['errors']:.0f};"
              f" {len(took)} readings, p50 {took[len(took) // 2] * 1e3:.0f} ms, p99 {took[len(took) * 99 // 100] * 1e3:.0f} ms;"
              f" {sealed:,} sealed in {worked:.0f} s of sealing; memory {memory:.0f} MB", flush=True)  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    options = argparse.ArgumentParser()
    options.add_argument("--workers", default="1")
    options.add_argument(
        "--postgresql", default="", help="URL of an empty database: PostgreSQL instead of SQLite"
    )
    options.add_argument("--sustain", type=int, default=0, help="seconds of load with readers and sealing")
    options.add_argument("--only", action="store_true", help="only the sustained load")
    chosen = options.parse_args(arguments or [])
    print(machine(), f"· {chosen.workers} worker(s)", "· PostgreSQL" if chosen.postgresql else "· SQLite")
    with scratch(*(("--database", chosen.postgresql) if chosen.postgresql else ())) as data:  # noqa: SIM117 -- the server needs the directory
        with serving(data, "--workers", chosen.workers) as server:
            things(server.url, SERIES)
            begun = [
                {
                    "Datastream": {"@iot.id": i + 1},
                    "components": ["phenomenonTime", "result"],
                    "dataArray": [["2026-02-01T00:00:00Z", 0]],
                }
                for i in range(SERIES)
            ]
            call(
                f"{server.url}/sensorthings/v1.1/CreateObservations", begun
            )  # each series' feature is made once
            cases = ((1, 1, POST, 64), (100, 100, BATCH, 16), (1000, 1000, BATCH, 16), (1000, 10, MIXED, 16))
            for batch, in_a_row, load, connections in () if chosen.only else cases:
                script = load.replace("SERIES", str(SERIES)).replace("BATCH", str(batch))
                got = wrk(server.url, script, data, connections=connections, seconds=SECONDS)
                bare = (
                    postgresql_floor(chosen.postgresql, batch, in_a_row)
                    if chosen.postgresql
                    else sqlite_floor(data, batch, in_a_row)
                )
                rate = got["rate"] * batch
                print(f"batch {batch:>5}, {in_a_row:>4} a datastream, on {connections:>2} connections: {rate:>9,.0f} obs/s,"
                      f" p50 {got['p50_ms']:.1f} ms, p99 {got['p99_ms']:.1f} ms, errors {got['errors']:.0f}; bare inserts,"
                      f" 1 connection {bare:>9,.0f} rows/s; ratio {rate / bare:.2f}", flush=True)  # fmt: skip
            if chosen.sustain:
                sustain(server, data, chosen.sustain)
            print(f"memory of all processes: {server.memory_mb():.0f} MB")


if __name__ == "__main__":
    main(sys.argv[1:])
