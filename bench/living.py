"""What it costs to have Beffroi on: start, idle memory, keep-alive answers with 1 and 4 workers, the demonstration."""

import statistics
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from bench.server import beffroi, machine, serving


def keep_alive_ms(url: str, path: str, times: int = 300) -> tuple[float, float]:
    """Return median and 95th percentile of answers on one connection, in milliseconds."""
    connection = HTTPConnection(urlsplit(url).netloc)
    spent = []
    for _ in range(times):
        began = time.perf_counter()
        connection.request("GET", path)
        connection.getresponse().read()
        spent.append((time.perf_counter() - began) * 1000)
    return statistics.median(spent), sorted(spent)[int(times * 0.95)]


def main(arguments: list[str] | None = None) -> None:
    """Print the figures."""
    del arguments
    print(machine())
    with TemporaryDirectory(prefix="beffroi-bench-") as folder:
        data = Path(folder) / "town"
        began = time.perf_counter()
        beffroi("demo", "--data", str(data))
        print(f"demonstration town, 30 days of history: {time.perf_counter() - began:.1f} s (bar 60 s)")
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        bare = time.perf_counter() - began
        for workers in ("1", "4"):
            with serving(data, "--workers", workers) as server:
                print(
                    f"{workers} worker(s): start to first answer {server.start_s:.2f} s (bar 3 s; empty Python {bare:.2f} s)"
                )
                time.sleep(5)
                for path in ("/sensorthings/v1.1", "/health"):
                    middle, high = keep_alive_ms(server.url, path)
                    print(f"  {path:<20} keep-alive median {middle:.2f} ms, p95 {high:.2f} ms (bar 1 ms)")
                print(f"  idle memory {server.memory_mb():.0f} MB (bar 200 MB with 1 worker)")


if __name__ == "__main__":
    main()
