"""Bringing a file of a million rows: rows a second and memory, against a floor that only reads and stores them.

    python -m bench.bringing [--rows 1000000]

The floor reads the same file by `csv` and stores its cells and one line of history each in SQLite, in the same
transactions of two thousand rows; it checks nothing, finds nothing out, indexes nothing.
"""

import argparse
import csv
import json
import random
import resource
import shutil
import sqlite3
import tempfile
import time
from itertools import islice
from pathlib import Path

from beffroi.cli.init import create_town
from beffroi.intake.bringing import brought
from beffroi.intake.bringing.brought import Brought
from beffroi.intake.bringing.reading import path_of
from beffroi.intake.bringing.taking import carry_on
from beffroi.intake.take import Intake
from beffroi.model.principal import Principal
from beffroi.town import open_town

WHO = Principal("user:1", "Bench", "admin")


def table(path: Path, rows: int) -> None:
    """Write a table of trees, as an Excel in French does."""
    draw = random.Random(1)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("Identifiant;Nom;Essence;Planté le;Hauteur (m);Longitude;Latitude\r\n")
        for i in range(rows):
            day = f"{draw.randint(1, 28):02d}/{draw.randint(1, 12):02d}/20{draw.randint(10, 25)}"
            place = f"{draw.uniform(-2.2, -2.0):.6f};{draw.uniform(47.6, 47.7):.6f}".replace(".", ",")
            kind = draw.choice(("Tilleul", "Platane", "Chêne"))
            file.write(f"A-{i:07d};Arbre {i};{kind};{day};{draw.randint(10, 200) / 10:.1f};{place}\r\n")


def floor(path: Path, folder: Path) -> float:
    """Return the processor seconds of the floor."""
    begun = time.process_time()
    base = sqlite3.connect(folder / "floor.db")
    base.execute("PRAGMA journal_mode=WAL")
    base.execute("CREATE TABLE t (a, b, c, d, e, f, g)")
    base.execute("CREATE TABLE h (id INTEGER PRIMARY KEY, after TEXT)")
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter=";")
        next(rows)
        while some := list(islice(rows, 2000)):
            with base:
                base.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?)", some)
                base.executemany("INSERT INTO h (after) VALUES (?)", [(json.dumps(row),) for row in some])
    base.close()
    return time.process_time() - begun


def step(intake: Intake, one: Brought, state: str) -> tuple[Brought, float, float]:
    """Do one step of the work; return the file as it is then, processor seconds and seconds."""
    one.state = state  # type: ignore[assignment]
    brought.save(intake.store, one)
    cpu, wall = time.process_time(), time.monotonic()
    done = carry_on(intake, one.id)
    assert done is not None
    assert done.work.trouble is None, done.work.trouble
    return done, time.process_time() - cpu, time.monotonic() - wall


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory(prefix="beffroi-bench-") as name:
        folder = Path(name)
        file = folder / "arbres.csv"
        table(file, rows)
        least = floor(file, folder)
        create_town(folder / "town", "Essai", email="a@b.fr")
        town = open_town(folder / "town")
        intake = Intake(town.store, town.registry.datastream_kind, town.registry.service_of)
        one = brought.add(town.store, file.name, WHO, "csv", file.stat().st_size, "")
        path_of(town.store, one).parent.mkdir(parents=True)
        shutil.copy(file, path_of(town.store, one))
        report: dict[str, object] = {
            "rows": rows,
            "file_mb": round(file.stat().st_size / 1e6, 1),
            "floor_cpu_s": round(least, 1),
        }
        for state in ("reading", "comparing", "importing", "undoing"):
            one, cpu, wall = step(intake, one, state)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            report[state] = {
                "cpu_s": round(cpu, 1),
                "wall_s": round(wall, 1),
                "rows_per_cpu_s": round(rows / cpu),
                "times_floor": round(cpu / least, 1),
                "peak_mb": peak,
            }
            print(state, report[state], flush=True)  # of a long run, what is known so far
        assert one.work.outcome is not None
        assert (one.work.outcome.created, one.work.taken_back) == (rows, rows)
        town.close()
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
