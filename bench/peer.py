"""Beffroi beside django-ogc-sensorthings (BSD-3-Clause, PyPI), the same requests to both in one run, as a ratio.

The peer is installed apart, and never imported here:
`python3 -m venv V; V/bin/pip install django-ogc-sensorthings gunicorn; BEFFROI_PEER_PYTHON=V/bin/python python -m bench.peer`.
It runs on gunicorn, two workers of four threads, on SQLite with a write-ahead log and `synchronous=FULL`, as durable as ours;
Beffroi with one worker. Besides rates, the CPU that each request takes of the server: it does not depend on the load.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from beffroi.model.instant import MINUTE_US, format_instant, parse_instant
from bench.server import Server, call, free_port, machine, scratch, serving, wrk

SERIES = 20
EACH = 1_000
READS = 100
CONNECTIONS = 8
START = parse_instant("2026-01-01T00:00:00Z")
SETTINGS = """
from pathlib import Path
from uuid import UUID
BASE = Path(__file__).parent
SECRET_KEY = "bench"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "peer_urls"
USE_TZ = True
INSTALLED_APPS = ["sensorthings.versions.v1_1", "sensorthings.versions.v1_1.backends.django",
                  "sensorthings.versions.v1_1.extensions.dataarray"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE / "peer.db", "CONN_MAX_AGE": None, "OPTIONS": {
    "transaction_mode": "IMMEDIATE", "timeout": 30, "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL"}}}
SENSORTHINGS_V1_1_SERVICE_URL = "HERE/sensorthings"
SENSORTHINGS_V1_1_BACKEND_ADAPTER = "sensorthings.versions.v1_1.backends.django.adapter.DjangoBackendAdapter"
SENSORTHINGS_V1_1_ID_TYPE = UUID
SENSORTHINGS_V1_1_ID_DELIMITER = "'"
"""
URLS = """
from django.urls import include, path
urlpatterns = [path("sensorthings/", include("sensorthings.versions.v1_1.urls"))]
"""
POST = """
local bodies, n = {BODIES}, 0
request = function()
  n = n + 1
  return wrk.format("POST", "/sensorthings/v1.1/Observations", {["Content-Type"] = "application/json"}, bodies[n % #bodies + 1])
end
"""


class Figures(msgspec.Struct):
    """What one server did: single POSTs a second and the CPU of each, the median of a reading and its CPU, in ms."""

    posts: float
    errors: float
    post_cpu_ms: float
    read_ms: float
    read_cpu_ms: float
    asked: str


@contextlib.contextmanager
def peer(python: str, folder: Path) -> Iterator[Server]:
    """Serve an empty django-ogc-sensorthings from `folder`."""
    url = f"http://127.0.0.1:{free_port()}"
    (folder / "peer_settings.py").write_text(SETTINGS.replace("HERE", url))
    (folder / "peer_urls.py").write_text(URLS)
    known = {**os.environ, "DJANGO_SETTINGS_MODULE": "peer_settings", "PYTHONPATH": str(folder)}
    subprocess.run([python, "-m", "django", "migrate", "-v", "0"], check=True, env=known, cwd=folder)
    wsgi = "django.core.wsgi:get_wsgi_application()"
    command = [python, "-m", "gunicorn", wsgi, "-w", "2", "--threads", "4", "-b", url.removeprefix("http://"),
               "--log-level", "critical", "--keep-alive", "60"]  # fmt: skip
    began = time.perf_counter()
    process = subprocess.Popen(
        command, env=known, cwd=folder, start_new_session=True, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                urllib.request.urlopen(f"{url}/sensorthings/v1.1/").read()
                break
            if time.perf_counter() - began > 60:
                raise RuntimeError("django-ogc-sensorthings did not start")
            time.sleep(0.1)
        yield Server(url, process, time.perf_counter() - began)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=20)


def made(url: str) -> list[Any]:
    """Make the Things with a Datastream each, fill those, and return their ids."""
    root = f"{url}/sensorthings/v1.1"
    for i in range(SERIES):
        call(f"{root}/Things", {
            "name": f"Thing {i}", "description": "bench", "properties": {},
            "Locations": [{"name": "l", "description": "l", "encodingType": "application/geo+json", "properties": {},
                           "location": {"type": "Point", "coordinates": [-2 + i / 1e4, 47.6]}}],
            "Datastreams": [{
                "name": f"Datastream {i}", "description": "bench", "properties": {},
                "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
                "unitOfMeasurement": {"name": "degree Celsius", "symbol": "°C", "definition": "ucum:Cel"},
                "Sensor": {"name": "s", "description": "s", "encodingType": "text/html", "metadata": "m", "properties": {}},
                "ObservedProperty": {"name": "p", "definition": "http://example.org/p", "description": "p", "properties": {}},
            }],
        })  # fmt: skip
    ids = [one["@iot.id"] for one in call(f"{root}/Datastreams?$top={SERIES}")["value"]]
    for series in ids:
        rows = [[format_instant(START + i * MINUTE_US), i % 100 / 4] for i in range(EACH)]
        call(f"{root}/CreateObservations", [
            {"Datastream": {"@iot.id": series}, "components": ["phenomenonTime", "result"], "dataArray@iot.count": EACH, "dataArray": rows}
        ])  # fmt: skip
    return ids


def measured(server: Server, folder: Path, seconds: int) -> Figures:
    """Ask a server what is asked of both."""
    ids = made(server.url)
    bodies = ",".join(
        f'\'{{"phenomenonTime":"2026-03-01T12:00:00Z","result":{n}.25,"Datastream":{{"@iot.id":{msgspec.json.encode(one).decode()}}}}}\''
        for n, one in enumerate(ids)
    )
    used = server.cpu_s()
    got = wrk(server.url, POST.replace("BODIES", bodies), folder, connections=CONNECTIONS, seconds=seconds)
    post_cpu = (server.cpu_s() - used) / max(1.0, got["rate"] * seconds) * 1e3
    asked = "?$top=100&$orderby=phenomenonTime%20desc"
    try:
        call(_series(server, ids[0]) + asked)
    except urllib.error.HTTPError as error:
        if error.code < 500:
            raise
        asked = "?$top=100"  # it cannot order by time
    spent: list[float] = []
    used = server.cpu_s()
    for i in range(READS):
        began = time.perf_counter()
        page = call(_series(server, ids[i % len(ids)]) + asked)
        spent.append(time.perf_counter() - began)
        assert len(page["value"]) == 100, len(page["value"])
    read_cpu = (server.cpu_s() - used) / READS * 1e3
    return Figures(got["rate"], got["errors"], post_cpu, sorted(spent)[READS // 2] * 1e3, read_cpu, asked)


def _series(server: Server, one: Any) -> str:
    named = f"'{one}'" if isinstance(one, str) else str(one)
    return f"{server.url}/sensorthings/v1.1/Datastreams({named})/Observations"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, or what is missing for it."""
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=int, default=8)
    chosen = options.parse_args(arguments or [])
    python = os.environ.get("BEFFROI_PEER_PYTHON", "")
    if not python or not Path(python).exists():
        print("django-ogc-sensorthings is absent: see the head of bench/peer.py (BEFFROI_PEER_PYTHON)")
        return
    version = "from importlib.metadata import version as v; print(v('django-ogc-sensorthings'), 'on Django', v('django'))"
    named = subprocess.run([python, "-c", version], check=True, capture_output=True, text=True).stdout.strip()
    print(
        machine(),
        f"· django-ogc-sensorthings {named} · {SERIES * EACH:,} observations stored, {CONNECTIONS} connections",
    )
    with scratch() as data:
        with serving(data) as server:
            ours = measured(server, data.parent, chosen.seconds)
        with peer(python, data.parent) as server:
            theirs = measured(server, data.parent, chosen.seconds)
    print(f"single POSTs: {ours.posts:,.0f}/s against {theirs.posts:,.0f}/s, ratio {ours.posts / theirs.posts:.0f};"
          f" CPU {ours.post_cpu_ms:.2f} against {theirs.post_cpu_ms:.2f} ms each, ratio {theirs.post_cpu_ms / ours.post_cpu_ms:.0f};"
          f" errors {ours.errors:.0f} and {theirs.errors:.0f}")  # fmt: skip
    print(f"100 observations of a datastream: {ours.read_ms:.1f} against {theirs.read_ms:.1f} ms, ratio {theirs.read_ms / ours.read_ms:.0f};"
          f" CPU {ours.read_cpu_ms:.1f} against {theirs.read_cpu_ms:.1f} ms, ratio {theirs.read_cpu_ms / ours.read_cpu_ms:.0f}")  # fmt: skip
    if ours.asked != theirs.asked:
        print("  (the newest by phenomenonTime of ours; the peer cannot order by it, and gave any)")


if __name__ == "__main__":
    main(sys.argv[1:])
