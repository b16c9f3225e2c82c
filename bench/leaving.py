"""Leaving with a million observations: exported, settled elsewhere, exported again; seconds, and whether the bytes are the same.

    python -m bench.leaving [--observations 1000000]

The floor packs and unpacks the observations' CSV by gzip, which both ways must do whatever else they do.
"""

import argparse
import filecmp
import gzip
import json
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from beffroi.cli.init import create_town
from beffroi.export import export_town
from beffroi.model.instant import DAY_US, MINUTE_US
from beffroi.model.observation import Draft
from beffroi.model.result import number_of
from beffroi.settling import settle
from beffroi.store.sealing import seal
from beffroi.town import open_town

SERIES = 100


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--observations", type=int, default=1_000_000)
    wanted = parser.parse_args().observations
    with tempfile.TemporaryDirectory(prefix="beffroi-bench-") as name:
        folder = Path(name)
        create_town(folder / "town", "Essai", email="a@b.fr")
        town = open_town(folder / "town")
        begun_us = town.clock() - 60 * DAY_US
        for start in range(0, wanted, 10_000):
            town.store.observations.append([
                Draft(1 + n % SERIES, begun_us + (n // SERIES) * 5 * MINUTE_US, number_of(f"{n % 977 / 10:.1f}")) for n in range(start, start + 10_000)
            ])  # fmt: skip
        seal(town.store.database, town.store.archive, begun_us + 20 * DAY_US, town.store.observations.head())
        with town.store.read() as c:
            sealed = sum(one.count for one in town.store.archive.live(c))
        report: dict[str, object] = {"observations": wanted, "sealed": sealed}
        report["export"] = timed(lambda: export_town(town.store, town.name, folder / "a"))
        town.close()
        report["settle"] = timed(lambda: settle(folder / "a", folder / "new"))
        again = open_town(folder / "new")
        report["export_again"] = timed(lambda: export_town(again.store, again.name, folder / "b"))
        again.close()
        report["floor"] = timed(lambda: repack(folder / "a"))
        report["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        names = sorted(p.relative_to(folder / "a") for p in (folder / "a").rglob("*") if p.is_file())
        report["files"] = len(names)
        report["same_bytes"] = all(
            filecmp.cmp(folder / "a" / n, folder / "b" / n, shallow=False) for n in names
        )
    print(json.dumps(report, indent=1))


def timed(work: Callable[[], object]) -> dict[str, float]:
    """Return how long a piece of work took, and how much of that the processor worked, in seconds."""
    begun, cpu = time.monotonic(), time.process_time()
    work()
    return {"wall_s": round(time.monotonic() - begun, 1), "cpu_s": round(time.process_time() - cpu, 1)}


def repack(folder: Path) -> None:
    """Unpack and pack every table of observations."""
    for path in sorted(folder.glob("observations/*.csv.gz")):
        gzip.compress(gzip.decompress(path.read_bytes()), 6, mtime=0)


if __name__ == "__main__":
    main()
