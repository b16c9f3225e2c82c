"""A town of a million reports: their import, then lists and maps while reports with photos come in.

`python -m bench.reporting [--count 1000000] [--seconds 60] [--reads 100] [--posts 50] [--workers 2] [--part import|load|kill]`

The bar: a million rows in 300 s; p95 of reads ≤ 200 ms; every report that was acknowledged is there, with its photo.
The floor in the same run is `/health`, asked five times a second among the rest: what an answer waits for that does
nothing at all. `--data DIR` keeps the town for another run; a town that holds reports already is not filled again.
`--part` does one of the three things alone, each under five minutes.
"""

import argparse
import contextlib
import csv
import io
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from PIL import Image

from beffroi.model.principal import SYSTEM
from beffroi.services.reports.starter import write_starter
from beffroi.store.open import Store
from beffroi.store.record import Query
from beffroi.town import Town, open_town
from bench.reporting_load import FILLED_IN_S, Seen, Task
from bench.server import beffroi, machine, scratch, serving

BOX = (2.25, 48.81, 2.42, 48.90)
KINDS = (
    "Overgrown vegetation",
    "Garbage in alley",
    "Dumpster not emptied",
    "Graffiti on a wall",
    "Dead animal",
    "Construction debris",
)
COLUMNS = ("creation_date", "status", "completion_date", "service_request_number", "nature", "latitude", "longitude", "street_address",
           "community_area")  # fmt: skip
LARGEST = 200_000  # bytes of a photo
REST_S = 120.0
KILLED_S = 5


def write_log(path: Path, count: int, today: date) -> None:
    """Write reports of six years in Chicago's layout; one in twenty is still open, the later the likelier."""
    chance = random.Random(1)
    west, south, east, north = BOX
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for n in range(count):
            age = int(2200 * (1 - n / count))
            opened = chance.random() < (0.5 if age < 60 else 0.035)
            closed = (
                "" if opened else (today - timedelta(days=max(0, age - chance.randrange(30)))).isoformat()
            )
            rows.writerow(((today - timedelta(days=age)).isoformat(), "Open" if opened else "Completed", closed, f"16-{n:08d}",
                           chance.choice(KINDS), f"{chance.uniform(south, north):.6f}", f"{chance.uniform(west, east):.6f}",
                           f"{chance.randrange(1, 200)} rue n° {chance.randrange(3000)}", str(chance.randrange(1, 78))))  # fmt: skip


def write_photos(folder: Path, count: int = 8) -> list[str]:
    """Write photographs of 1,600 by 1,200 pixels, just under 200 kB each: clouds of colour under fine grain."""
    names = []
    for n in range(count):
        chance = random.Random(n)
        coarse = Image.frombytes("RGB", (40, 30), chance.randbytes(40 * 30 * 3)).resize((1600, 1200), 3)
        grain = Image.frombytes("RGB", (800, 600), chance.randbytes(800 * 600 * 3)).resize((1600, 1200), 2)
        image = Image.blend(coarse, grain, 0.12)
        for quality in range(92, 20, -3):
            held = io.BytesIO()
            image.save(held, "JPEG", quality=quality)
            if held.tell() <= LARGEST:
                break
        names.append(str(folder / f"{n}.jpg"))
        Path(names[-1]).write_bytes(held.getvalue())
    return names


def reads(numbers: list[str]) -> list[tuple[str, str]]:
    """Return a mix of what people and programs ask: half lists, a third of maps, the rest Open311."""
    chance = random.Random(3)
    west, south, east, north = BOX

    def at() -> tuple[float, float]:
        return chance.uniform(west, east - 0.02), chance.uniform(south, north - 0.01)

    found = []
    for n in range(600):
        lon, lat = at()
        side = chance.choice((0.004, 0.01, 0.02))
        box = f"{lon:.5f},{lat:.5f},{lon + side:.5f},{lat + side * 0.66:.5f}"
        found += [
            ("list", "/signalements"),
            ("list of a category", f"/signalements?categorie={numbers[n % len(numbers)]}"),
            ("list around a point", f"/signalements?lon={lon:.5f}&lat={lat:.5f}&rayon=500"),
            ("list by words", f"/signalements?etat=tous&q=rue+{chance.randrange(3000)}"),
            ("list of closed", "/signalements?etat=clos"),
            ("map", f"/signalements.geojson?bbox={box}"),
            ("map", f"/signalements.geojson?bbox={box}"),
            ("map of all", f"/signalements.geojson?etat=tous&bbox={box}"),
            ("open311", "/open311/v2/requests.json?page_size=50"),
            ("open311 closed", "/open311/v2/requests.json?page_size=50&status=closed"),
        ]
    return found


def fill(data: Path, folder: Path, count: int) -> None:
    """Import reports through the command, and write the categories that a town starts from."""
    town = open_town(data)
    held = town.store.records.count("service_request", most=1)
    if not held:
        with town.store.records.writer(SYSTEM) as writer:
            write_starter(writer)
    town.close()
    if held:
        return
    log = folder / "log.csv"
    write_log(log, count, datetime.now(UTC).date())
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    told = beffroi("import", "chicago-311", str(log), "--data", str(data), "--json")
    spent = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    stored = msgspec.json.decode(told)["stored"]
    print(f"  {stored:,} reports imported in {spent:.1f} s: {stored / spent:,.0f}/s, a million in {spent / stored * 1e6:.0f} s "
          f"({cpu:.0f} s of processor, load {os.getloadavg()[0]:.1f})", flush=True)  # fmt: skip
    log.unlink()


def percentile(values: list[float], part: float) -> float:
    """Return a percentile of some values."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(part * len(ranked)))] if ranked else float("nan")


def say(name: str, took: list[float], more: str = "") -> None:
    """Print one line of latencies."""
    p50, p95, p99 = (percentile(took, part) for part in (0.5, 0.95, 0.99))
    print(
        f"  {name:<22} {len(took):6,}   p50 {p50:7.1f}   p95 {p95:7.1f}   p99 {p99:7.1f}   worst {max(took, default=0):7.1f} ms{more}"
    )


def spent_s(group: int) -> tuple[float, float]:
    """Return the processor time of a running server: of its pages and duties, and of its photos (which are nice)."""
    found, tick = [0.0, 0.0], os.sysconf("SC_CLK_TCK")
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[2]) == group:
                found[int(fields[16]) > 0] += (int(fields[11]) + int(fields[12])) / tick
    return found[0], found[1]


def lost(store: Store, numbers: list[str]) -> tuple[int, int]:
    """Return how many acknowledged reports are not there, and how many have no photo."""
    known = store.records.ids_by_key("service_request", numbers)
    ids = [next(iter(known[n].values())) for n in numbers if n in known]
    shown = set()
    for start in range(0, len(ids), 400):
        query = Query(
            where={"request": ids[start : start + 400]}, limit=1000, fields=("request", "original", "file")
        )
        rows = store.records.find("report_photo", query).rows
        shown |= {r.values["request"] for r in rows if r.values["original"] or r.values["file"]}
    return len(set(numbers)) - len(known), len(ids) - len(shown)


def rest(group: int) -> None:
    """Wait until a server that was just started has nothing left to do: its duties pass by what was imported."""
    began, idle = time.perf_counter(), False
    while not idle and time.perf_counter() - began < REST_S:
        before = sum(spent_s(group))
        time.sleep(2)
        idle = sum(spent_s(group)) - before < 0.2
    print(f"  at rest {time.perf_counter() - began:.0f} s after its start", flush=True)


def generate(url: str, task: Task, folder: Path) -> "subprocess.Popen[bytes]":
    """Start the generator of a load."""
    file = folder / "task.json"
    file.write_bytes(msgspec.json.encode(task))
    command = [sys.executable, "-m", "bench.reporting_load", url, str(file)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def seen_by(generator: "subprocess.Popen[bytes]", seconds: float) -> Seen:
    """Return what a generator saw, once it is done."""
    out, error = generator.communicate(timeout=seconds)
    if generator.returncode:
        raise RuntimeError(error.decode())
    return msgspec.json.decode(out, type=Seen)


def task_of(town: Town, folder: Path, wanted: argparse.Namespace) -> Task:
    """Return what is asked of the server."""
    codes = ["mobilier", "depot", "trottoir", "panneau"]
    rows = town.store.records.find("report_category", Query(where={"code": codes}, limit=10)).rows
    categories = [(str(r.values["code"]), str(r.id)) for r in rows]
    asked = reads([n for _, n in categories])
    return Task(wanted.seconds, wanted.reads, wanted.posts, asked, write_photos(folder), categories, BOX)


def load(data: Path, folder: Path, wanted: argparse.Namespace) -> None:
    """Serve the town, drive it, and look for what was acknowledged."""
    town = open_town(data)
    store, task = town.store, task_of(town, folder, wanted)
    with serving(data, "--workers", str(wanted.workers)) as server:
        group = server.process.pid
        rest(group)
        before = spent_s(group)
        seen = seen_by(generate(server.url, task, folder), wanted.seconds + 120)
        tell(seen, wanted)
        pages, photos = (now - then for now, then in zip(spent_s(group), before, strict=True))
        asked = (wanted.reads + wanted.posts) * wanted.seconds
        waiting = store.records.count("report_photo", Query(where={"state": "waiting"}))
        made = store.records.count("report_photo") - waiting
        print(f"  server: {pages:.1f} s of processor for pages and duties, {pages / max(1, asked) * 1000:.1f} ms a request; {photos:.1f} s for photos")  # fmt: skip
        print(f"  photos: {made:,} made again, {waiting:,} waiting; memory {server.memory_mb():.0f} MB")
    missing, bare = lost(store, seen.acknowledged)
    print(
        f"  acknowledged {len(seen.acknowledged):,}, lost {missing}, without their photo {bare}", flush=True
    )
    town.close()


def kill(data: Path, folder: Path, wanted: argparse.Namespace) -> None:
    """Kill the server (SIGKILL, all its processes) in the middle of reports that come in, and look for them."""
    town = open_town(data)
    task = msgspec.structs.replace(task_of(town, folder, wanted), seconds=KILLED_S * 2, reads_per_s=10)
    with serving(data, "--workers", "2") as server:
        generator = generate(server.url, task, folder)
        time.sleep(FILLED_IN_S + KILLED_S)
        os.killpg(server.process.pid, signal.SIGKILL)
        seen = seen_by(generator, task.seconds + 60)
    missing, bare = lost(town.store, seen.acknowledged)
    print(
        f"  killed with {len(seen.acknowledged):,} acknowledged: lost {missing}, without their photo {bare}"
    )
    town.close()


def tell(seen: Seen, wanted: argparse.Namespace) -> None:
    """Print what the load saw."""
    for kind in sorted(seen.took_ms):
        say(kind, seen.took_ms[kind])
    floor = percentile(seen.took_ms.get("floor", []), 0.95)
    asked = [
        t
        for kind, took in seen.took_ms.items()
        if kind != "floor" and not kind.startswith("POST")
        for t in took
    ]
    sent = [t for kind, took in seen.took_ms.items() if kind.startswith("POST") for t in took]
    say("ALL READS", asked, f"   (bar p95 200; {percentile(asked, 0.95) / floor:.1f} floors)")
    say("ALL POSTS", sent)
    print(f"  failed: {seen.failed or 'none'}; asked {wanted.reads}/s and {wanted.posts}/s, done in {seen.elapsed_s:.1f} s of {wanted.seconds}; "
          f"generator {seen.cpu_s / seen.elapsed_s:.0%} of a core, p95 {percentile(seen.late_ms, 0.95):.1f} ms late; load {os.getloadavg()[0]:.1f}")  # fmt: skip


def main() -> None:
    """Fill and load."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (
        ("count", 1_000_000),
        ("seconds", 60),
        ("reads", 100),
        ("posts", 50),
        ("workers", 2),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--data", type=Path, help="a town to keep for another run")
    parser.add_argument("--part", choices=("import", "load", "kill"), help="one of the three alone")
    wanted = parser.parse_args()
    print(machine())
    with scratch() as fresh, tempfile.TemporaryDirectory(prefix="beffroi-bench-") as folder:
        data: Any = fresh
        if wanted.data is not None:
            data = wanted.data
            if not data.exists():
                beffroi("init", "--data", str(data), "--name", "Banc")
        fill(data, Path(folder), wanted.count)
        if wanted.part in (None, "load"):
            load(data, Path(folder), wanted)
        if wanted.part in (None, "kill"):
            kill(data, Path(folder), wanted)


if __name__ == "__main__":
    main()
