"""How fast observations come in over HTTP, durable, beside bare inserts of the same columns in the same run."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from beffroi.store.database import connect_sqlite
from bench.server import call, machine, scratch, serving, wrk

SERIES = 1000
SECONDS = 8
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


def floor(commit: Callable[[list[tuple[object, ...]]], None], batch: int, seconds: float = 4) -> float:
    """Return rows/s of durable inserts of `batch` rows by `commit`."""
    n, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        commit(
            [
                (n + i + 1, (n + i) % SERIES, n + i, None, None, 1.5, None, None, 1, 1, None)
                for i in range(batch)
            ]
        )
        n += batch
    return n / spent


def sqlite_floor(folder: Path, batch: int) -> float:
    """Return rows/s of bare SQLite, WAL, synchronous=FULL, with the index."""
    connection = connect_sqlite(folder / f"floor-{batch}.db")
    connection.execute(TABLE.format(key="integer"))
    connection.execute("CREATE INDEX observation_time ON observation (datastream_id, start_us)")

    def commit(rows: list[tuple[object, ...]]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(f"INSERT INTO observation ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?)", rows)
        connection.execute("COMMIT")

    rate = floor(commit, batch)
    connection.close()
    return rate


def postgresql_floor(url: str, batch: int) -> float:
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

        rate = floor(commit, batch)
        connection.execute("DROP SCHEMA floor CASCADE")
        return rate


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    options = argparse.ArgumentParser()
    options.add_argument("--workers", default="1")
    options.add_argument(
        "--postgresql", default="", help="URL of an empty database: PostgreSQL instead of SQLite"
    )
    chosen = options.parse_args(arguments or [])
    print(machine(), f"· {chosen.workers} worker(s)", "· PostgreSQL" if chosen.postgresql else "· SQLite")
    with scratch(*(("--database", chosen.postgresql) if chosen.postgresql else ())) as data:  # noqa: SIM117 -- the server needs the directory
        with serving(data, "--workers", chosen.workers) as server:
            things(server.url, SERIES)
            begun = [
                {"Datastream": {"@iot.id": i + 1}, "components": ["result"], "dataArray": [[0]]}
                for i in range(SERIES)
            ]
            call(
                f"{server.url}/sensorthings/v1.1/CreateObservations", begun
            )  # each series' feature is made once
            for batch, connections in ((1, 64), (100, 16), (1000, 16)):
                script = (
                    (POST if batch == 1 else BATCH)
                    .replace("SERIES", str(SERIES))
                    .replace("BATCH", str(batch))
                )
                got = wrk(server.url, script, data, connections=connections, seconds=SECONDS)
                bare = (
                    postgresql_floor(chosen.postgresql, batch)
                    if chosen.postgresql
                    else sqlite_floor(data, batch)
                )
                rate = got["rate"] * batch
                print(f"batch {batch:>5} on {connections:>2} connections: {rate:>9,.0f} obs/s, p50 {got['p50_ms']:.1f} ms,"
                      f" p99 {got['p99_ms']:.1f} ms, errors {got['errors']:.0f}; bare inserts, 1 connection"
                      f" {bare:>9,.0f} rows/s; ratio {rate / bare:.2f}")  # fmt: skip
            print(f"memory of all processes: {server.memory_mb():.0f} MB")


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
