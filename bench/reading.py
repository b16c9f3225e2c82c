"""How fast observations are read over HTTP with many stored, beside the same rows by plain SQL.

Fresh rows first (5 M), then a sealed history (100 M, regular and irregular), built straight as segments; `--sealed 0`
or `--count 0` leaves one out, `--things 10000` makes that many Things instead of 1,000.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from http.client import HTTPConnection, RemoteDisconnected
from pathlib import Path
from urllib.parse import quote, urlsplit

import duckdb

from beffroi.model.instant import DAY_US, format_instant
from beffroi.store.database import connect_sqlite
from bench.ingest import SERIES, things
from bench.segments import START, STEP, build
from bench.server import machine, scratch, serving

EXPAND = "Locations,Datastreams($expand=Observations($top=1;$orderby=phenomenonTime desc))"
TOP = "$top=100&$orderby=phenomenonTime%20desc"


def fill(data: Path, count: int, series: int = SERIES) -> None:
    """Store `count` observations, 5 minutes apart in each of the series, straight into the tables."""
    connection = connect_sqlite(data / "observations.db")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        "WITH RECURSIVE t(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM t WHERE n + 1 < :each),"
        " s(d) AS (SELECT 1 UNION ALL SELECT d + 1 FROM s WHERE d < :series)"
        " INSERT INTO observation (id, datastream_id, start_us, value, decimals, quality)"
        " SELECT 1 + n * :series + d, d, :start + n * :step, round(15 + 10 * sin(n / 46.0) + d % 7, 1), 1, 0 FROM t, s",
        {"each": count // series, "series": series, "start": START, "step": STEP},
    )
    connection.execute("UPDATE counter SET next = (SELECT max(id) + 1 FROM observation)")
    connection.execute("DELETE FROM latest")
    connection.execute(
        "INSERT INTO latest (datastream_id, observation_id, start_us, value, decimals, quality, count, first_us, received_us)"
        " SELECT datastream_id, max(id), max(start_us), value, 1, 0, count(*), min(start_us), 0 FROM observation GROUP BY 1"
    )
    connection.execute("COMMIT")
    connection.execute("ANALYZE")
    connection.close()


def median_ms(run: Callable[[int], object], times: int) -> float:
    """Return the median time of `run(i)` in milliseconds, after one warm-up."""
    run(0)
    spent = []
    for i in range(times):
        began = time.perf_counter()
        run(i)
        spent.append((time.perf_counter() - began) * 1000)
    return statistics.median(spent)


Case = tuple[str, float, int, Callable[[int], object], Callable[[int], object]]


class Asking:
    """Asks a served town over one connection that stays open."""

    def __init__(self, url: str, series: int) -> None:
        self.connection = HTTPConnection(urlsplit(url).netloc)
        self.series = series

    def get(self, path: str) -> bytes:
        """Return the body of an answer, which must be 200."""
        try:
            self.connection.request("GET", "/sensorthings/v1.1" + path)
            answer = self.connection.getresponse()
        except RemoteDisconnected:  # the server does not wait through a long floor
            self.connection.close()
            return self.get(path)
        body = answer.read()
        assert answer.status == 200, body
        return body

    def of(self, i: int) -> int:
        """Return the datastream of the i-th question: another one each time."""
        return i * 7 % self.series + 1

    def things(self, pages: int) -> None:
        """Read every Thing with its Locations and the last Observation of each Datastream."""
        for page in range(pages):
            self.get(f"/Things?$top=1000&$skip={page * 1000}&$expand={quote(EXPAND)}")

    def apply(self, i: int, text: str, within: tuple[int, int] | None = None, path: str = "") -> bytes:
        """Ask an aggregation of a datastream, or of `path`."""
        kept = ""
        if within is not None:
            low, high = map(format_instant, within)
            kept = f"&$filter={quote(f'phenomenonTime ge {low} and phenomenonTime lt {high}')}"
        return self.get(
            f"{path or f'/Datastreams({self.of(i)})/Observations'}?$top=10000&$apply={quote(text)}{kept}"
        )


def settled(data: Path, patience_s: float = 180) -> None:
    """Wait until the consumers of the bus have read what `fill` put there, as they would have while it came in."""
    began = time.monotonic()
    records, observations = connect_sqlite(data / "records.db"), connect_sqlite(data / "observations.db")
    named = (
        "SELECT min(CAST(value AS INTEGER)), count(*) FROM setting WHERE key IN ('bus.rules', 'bus.ledger')"
    )
    while time.monotonic() - began < patience_s:
        reached, known = records.execute(named).fetchone()
        if known == 2 and reached >= observations.execute("SELECT next FROM counter").fetchone()[0] - 1:
            break
        time.sleep(0.5)
    print(f"rules and ledger had read all {time.monotonic() - began:.0f} s after the start", flush=True)
    for connection in (records, observations):
        connection.close()


def tell(cases: list[Case]) -> None:
    """Print a line of each case: its median, its bar, and the floor of the same run."""
    for name, bar, times, asked, floor in cases:
        got, least = median_ms(asked, times), median_ms(floor, times)
        print(
            f"{name:<46} {got:8.2f} ms (bar {bar} ms); floor {least:8.3f} ms; ratio {got / least:.1f}",
            flush=True,
        )


def between(start: int, days: int) -> str:
    """Return the `$filter` of some days."""
    return quote(
        f"phenomenonTime ge {format_instant(start)} and phenomenonTime lt {format_instant(start + days * DAY_US)}"
    )


def fresh(data: Path, count: int, series: int) -> None:
    """Print the table of fresh rows."""
    fill(data, count, series)
    day = START + 3 * DAY_US
    bare = connect_sqlite(data / "observations.db")
    rows = "SELECT id, start_us, value, decimals FROM observation WHERE datastream_id = ?"
    with serving(data) as server:
        town = Asking(server.url, series)
        settled(data)
        tell([
            ("last 100 of a datastream", 3, 50, lambda i: town.get(f"/Datastreams({town.of(i)})/Observations?{TOP}"),
             lambda i: bare.execute(rows + " ORDER BY start_us DESC LIMIT 100", (town.of(i),)).fetchall()),
            ("one day (288) of a datastream", 6, 50,
             lambda i: town.get(f"/Datastreams({town.of(i)})/Observations?$top=1000&$filter={between(day, 1)}"),
             lambda i: bare.execute(rows + " AND start_us >= ? AND start_us < ?", (town.of(i), day, day + DAY_US)).fetchall()),
            (f"{series:,} Things with their last values", 200 if series <= 1000 else 2000, 5, lambda _: town.things(-(-series // 1000)),
             lambda _: bare.execute("SELECT * FROM latest").fetchall()),
            ("$count of all observations", 20, 20, lambda _: town.get("/Observations?$count=true&$top=0"),
             lambda _: bare.execute("SELECT sum(count) FROM latest").fetchall()),
        ])  # fmt: skip
        print(f"memory of all processes: {server.memory_mb():.0f} MB")
    bare.execute("DELETE FROM observation")
    bare.execute("VACUUM")
    bare.close()


def sealed(data: Path, count: int, series: int, *, irregular: bool) -> None:
    """Print the table of a sealed history, read from its segments and its roll-ups."""
    built = build(data, count, series, irregular=irregular)
    print(
        f"{'irregular' if irregular else 'regular'}: {built.rows:,} rows in {built.days} days built in {built.seconds:.0f} s;"
        f" {built.bytes / built.rows:.2f} B an observation, {built.rollup_bytes / built.rows:.2f} more for roll-ups",
        flush=True,
    )
    files = sorted((data / "segments").glob("*.parquet"))
    raw = "[" + ", ".join(f"'{f}'" for f in files if "hours" not in f.name) + "]"
    duck = duckdb.connect(":memory:")
    duck.execute("SET threads = 2")
    duck.execute("SET parquet_metadata_cache = true")
    last_file, day = raw[1:-1].split(", ")[-1], START + (built.days - 3) * DAY_US
    month = (START + (built.days // 2) * DAY_US, START + (built.days // 2 + 30) * DAY_US)
    named = "SELECT id, start_us, value, decimals FROM read_parquet"
    hourly = "SELECT start_us // 3600000000, count(*), avg(value), min(value), max(value) FROM read_parquet"
    hours = "groupby((bucket(phenomenonTime,'hour')),aggregate(result with average as mean,result with min as low,result with max as high,$count as n))"
    with serving(data) as server:
        town = Asking(server.url, series)
        tell([
            ("last 100 of a datastream", 5, 50, lambda i: town.get(f"/Datastreams({town.of(i)})/Observations?{TOP}"),
             lambda i: duck.execute(f"{named}({last_file}) WHERE datastream_id = {town.of(i)} ORDER BY start_us DESC LIMIT 100").fetchall()),
            ("one day (288) of a datastream", 10, 50,
             lambda i: town.get(f"/Datastreams({town.of(i)})/Observations?$top=1000&$filter={between(day, 1)}"),
             lambda i: duck.execute(f"{named}({last_file}) WHERE datastream_id = {town.of(i)} AND start_us >= {day} AND start_us < {day + DAY_US}").fetchall()),
            ("30 days hourly of a datastream", 60, 30, lambda i: town.apply(i, hours, month),
             lambda i: duck.execute(f"{hourly}({raw}) WHERE datastream_id = {town.of(i)} AND start_us >= {month[0]} AND start_us < {month[1]} GROUP BY 1").fetchall()),
            ("a year hourly of a datastream", 50, 20, lambda i: town.apply(i, hours),
             lambda i: duck.execute(f"{hourly}({raw}) WHERE datastream_id = {town.of(i)} GROUP BY 1").fetchall()),
            (f"{series:,} Things with their last values", 200 if series <= 1000 else 2000, 5, lambda _: town.things(-(-series // 1000)),
             lambda i: duck.execute(f"SELECT datastream_id, max(start_us) FROM read_parquet({last_file}) GROUP BY 1").fetchall()),
            ("$count of all observations", 20, 20, lambda _: town.get("/Observations?$count=true&$top=0"),
             lambda _: duck.execute(f"SELECT count(*) FROM read_parquet({raw})").fetchall()),
            ("hourly of everything, from roll-ups", 300, 5, lambda i: town.apply(i, hours, path="/Observations"),
             lambda _: duck.execute(f"{hourly}({raw}) GROUP BY 1").fetchall()),
            ("hourly of everything, from raw rows", 4000, 3,
             lambda i: town.apply(i, f"filter(result ge -1000)/{hours}", path="/Observations"),
             lambda _: duck.execute(f"{hourly}({raw}) WHERE value >= -1000 GROUP BY 1").fetchall()),
        ])  # fmt: skip
        print(f"memory of all processes: {server.memory_mb():.0f} MB")
    duck.close()


def main(arguments: list[str] | None = None) -> None:
    """Print the tables."""
    options = argparse.ArgumentParser()
    options.add_argument("--count", type=int, default=5_000_000)
    options.add_argument("--sealed", type=int, default=100_000_000)
    options.add_argument("--things", type=int, default=SERIES)
    chosen = options.parse_args(arguments or [])
    with scratch() as data:
        with serving(data) as server:
            things(server.url, chosen.things)
        if chosen.count:
            print(machine(), f"· {chosen.count:,} observations, fresh")
            fresh(data, chosen.count, chosen.things)
        for irregular in (False, True) if chosen.sealed else ():
            print(machine(), f"· {chosen.sealed:,} observations, sealed")
            sealed(data, chosen.sealed, chosen.things, irregular=irregular)
            connection = connect_sqlite(data / "observations.db")
            for table in ("segment", "segment_series", "long_rollup"):
                connection.execute(f"DELETE FROM {table}")
            connection.close()
            for file in (data / "segments").glob("*.parquet"):
                file.unlink()


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
