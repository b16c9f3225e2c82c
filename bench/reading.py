"""How fast observations are read over HTTP with many stored, beside the same rows by plain SQL."""

import argparse
import statistics
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote, urlsplit

from beffroi.model.instant import DAY_US, MINUTE_US, format_instant, parse_instant
from beffroi.store.database import connect_sqlite
from bench.ingest import SERIES, things
from bench.server import machine, scratch, serving

START = parse_instant("2026-01-01T00:00:00Z")
STEP = 5 * MINUTE_US
EXPAND = "Locations,Datastreams($expand=Observations($top=1;$orderby=phenomenonTime desc))"
TOP = "$top=100&$orderby=phenomenonTime%20desc"


def fill(data: Path, count: int) -> None:
    """Store `count` observations, 5 minutes apart in each of the 1,000 series, straight into the tables."""
    connection = connect_sqlite(data / "observations.db")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        "WITH RECURSIVE t(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM t WHERE n + 1 < :each),"
        " s(d) AS (SELECT 1 UNION ALL SELECT d + 1 FROM s WHERE d < :series)"
        " INSERT INTO observation (id, datastream_id, start_us, value, decimals, quality)"
        " SELECT 1 + n * :series + d, d, :start + n * :step, round(15 + 10 * sin(n / 46.0) + d % 7, 1), 1, 0 FROM t, s",
        {"each": count // SERIES, "series": SERIES, "start": START, "step": STEP},
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


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    options = argparse.ArgumentParser()
    options.add_argument("--count", type=int, default=5_000_000)
    chosen = options.parse_args(arguments or [])
    print(machine(), f"· {chosen.count:,} observations stored")
    with scratch() as data:
        with serving(data) as server:
            things(server.url, SERIES)
        fill(data, chosen.count)
        day = START + 3 * DAY_US
        between = quote(
            f"phenomenonTime ge {format_instant(day)} and phenomenonTime lt {format_instant(day + DAY_US)}"
        )
        bare = connect_sqlite(data / "observations.db")
        rows = "SELECT id, start_us, value, decimals FROM observation WHERE datastream_id = ?"
        with serving(data) as server:
            connection = HTTPConnection(urlsplit(server.url).netloc)

            def get(path: str) -> bytes:
                connection.request("GET", "/sensorthings/v1.1" + path)
                answer = connection.getresponse()
                body = answer.read()
                assert answer.status == 200, body
                return body

            cases: list[tuple[str, float, int, Callable[[int], object], Callable[[int], object]]] = [
                ("last 100 of a datastream", 3, 50,
                 lambda i: get(f"/Datastreams({i * 7 % SERIES + 1})/Observations?{TOP}"),
                 lambda i: bare.execute(rows + " ORDER BY start_us DESC LIMIT 100", (i * 7 % SERIES + 1,)).fetchall()),
                ("one day (288) of a datastream", 6, 50,
                 lambda i: get(f"/Datastreams({i * 7 % SERIES + 1})/Observations?$top=1000&$filter={between}"),
                 lambda i: bare.execute(rows + " AND start_us >= ? AND start_us < ?",
                                        (i * 7 % SERIES + 1, day, day + DAY_US)).fetchall()),
                ("1,000 Things with their last values", 200, 5,
                 lambda _: get(f"/Things?$top=1000&$expand={quote(EXPAND)}"),
                 lambda _: bare.execute("SELECT * FROM latest").fetchall()),
                ("$count of all observations", 20, 20, lambda _: get("/Observations?$count=true&$top=0"),
                 lambda _: bare.execute("SELECT sum(count) FROM latest").fetchall()),
            ]  # fmt: skip
            for name, bar, times, asked, floor in cases:
                got, least = median_ms(asked, times), median_ms(floor, times)
                print(
                    f"{name:<38} {got:8.2f} ms (bar {bar} ms); plain SQL {least:8.3f} ms; ratio {got / least:.1f}"
                )
            print(f"memory of all processes: {server.memory_mb():.0f} MB")


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
