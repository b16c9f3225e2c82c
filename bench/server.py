"""A real server on a scratch town, and what drives it."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

__all__ = ["Server", "beffroi", "call", "free_port", "machine", "memory_mb", "scratch", "serving", "wrk"]


class Server(msgspec.Struct):
    """A running `beffroi serve`."""

    url: str
    process: subprocess.Popen[bytes]
    start_s: float

    def memory_mb(self) -> float:
        """Return the resident memory of the server and its workers, in MB."""
        return memory_mb(os.getpgid(self.process.pid))

    def cpu_s(self) -> float:
        """Return the CPU seconds that the server and its workers have used so far."""
        group, ticks = os.getpgid(self.process.pid), 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                if int(fields[2]) == group:
                    ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


def memory_mb(group: int) -> float:
    """Return the resident memory of a process group, in MB."""
    listed = subprocess.run(["ps", "-o", "rss=", "-g", str(group)], capture_output=True, check=False)
    return sum(int(n) for n in listed.stdout.split()) / 1024


def free_port() -> int:
    """Return a port of the loopback that nobody holds now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def machine() -> str:
    """Return what this machine is, in a line."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    name = model[1] if model else "unknown"
    return f"{os.cpu_count()} cores, {name}, Python {sys.version.split()[0]}, load {os.getloadavg()[0]:.1f}"


def beffroi(*arguments: str) -> str:
    """Run a command of Beffroi and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "beffroi", *arguments], capture_output=True, check=False, text=True
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


@contextlib.contextmanager
def scratch(*options: str) -> Iterator[Path]:
    """Give the data directory of an empty town, made with the `options` of `beffroi init`."""
    with TemporaryDirectory(prefix="beffroi-bench-") as folder:
        data = Path(folder) / "town"
        beffroi("init", "--data", str(data), "--name", "Banc", *options)
        yield data


@contextlib.contextmanager
def serving(data: Path, *options: str) -> Iterator[Server]:
    """Serve the town in `data` on a free port, with open writes, until the block ends."""
    command = [sys.executable, "-m", "beffroi", "serve", "--data", str(data), "--port", "0", "--mqtt-port", "0",
               "--open-writes", "--json", *options]  # fmt: skip
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    try:
        url = json.loads(process.stdout.readline())["url"].rstrip("/")
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{url}/health").read()
                break
            time.sleep(0.01)
        yield Server(url, process, time.perf_counter() - began)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=20)


def call(url: str, body: Any = None) -> Any:
    """Call a URL with a JSON body and return the decoded answer (its Location header when it has no body)."""
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(asked) as answer:
        text = answer.read()
        return json.loads(text) if text else answer.headers.get("Location")


def wrk(url: str, script: str, folder: Path, *, connections: int, seconds: int = 8) -> dict[str, float]:
    """Load `url` with wrk running a Lua `script`; return requests/s, errors and latencies in milliseconds."""
    if shutil.which("wrk") is None:
        raise RuntimeError("wrk is not installed (Debian package wrk)")
    file = folder / "load.lua"
    file.write_text(script + _DONE, "utf-8")
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(file), url]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {k: float(v) for k, v in json.loads(done.stdout.strip().splitlines()[-1]).items()}


_DONE = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\\n{"rate":%.1f,"errors":%d,"p50_ms":%.3f,"p99_ms":%.3f,"worst_ms":%.3f}\\n',
    summary.requests / (summary.duration / 1e6), e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000))
end
"""
