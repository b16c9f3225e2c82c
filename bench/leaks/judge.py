"""Judge detection and localisation on generated leak years (see `generate.py`). Seeds below 200 served to tune; 201 to
208 and 301 to 308 were looked at once: draw others to judge a change.

    python bench/leaks/judge.py L-TOWN.inp YEARS SEED...

Two matchings are told. Lenient, as the notes from the field had it: each leak in order of its start takes the first file not
taken yet that was opened while it ran. Strict: the file whose start is within 3 days (abrupt) or 20 days (incipient).
"""

import json
import sys
from datetime import datetime
from pathlib import Path
from time import process_time

import numpy as np

from beffroi.services.watergrid.hydraulics.model import read_model
from beffroi.services.watergrid.leaks.detect import File, detect
from beffroi.services.watergrid.leaks.search import search
from beffroi.services.watergrid.leaks.series import read_table

INFLOW = "p227+p235-PUMP_1"
_YEAR = datetime(2019, 1, 1)  # noqa: DTZ001 -- as the generated files
_NEAR_M, _NOWHERE_M = 300.0, 9_999.0


def day(text: str) -> float:
    """Return the days since the year began."""
    return (datetime.fromisoformat(text) - _YEAR).total_seconds() / 86_400


def lenient(files: list[File], leaks: list[dict]) -> dict[str, File]:
    """Return the file of each leak that has one."""
    left, found = list(files), {}
    for leak in sorted(leaks, key=lambda x: x["start"]):
        hit = next((f for f in left if leak["start"] <= day(f.detected) <= leak["end"]), None)
        if hit is not None:
            left.remove(hit)
            found[leak["pipe"]] = hit
    return found


def strict(files: list[File], leaks: list[dict]) -> dict[str, File]:
    """Return the file of each leak that began when it did."""
    left, found = list(files), {}
    for leak in sorted(leaks, key=lambda x: -x["peak_m3h"]):
        span = 3 if leak["kind"] == "abrupt" else 20
        near = [f for f in left if abs(day(f.start) - leak["start"]) <= span]
        if near:
            hit = min(
                near,
                key=lambda f: (
                    abs(day(f.start) - leak["start"]) + 0.3 * abs(f.m3_per_day / 24 - leak["peak_m3h"])
                ),
            )
            left.remove(hit)
            found[leak["pipe"]] = hit
    return found


def delays(found: dict[str, File], leaks: list[dict], kind: str) -> list[float]:
    """Return how long each leak of a kind ran before it was seen, in days."""
    return [
        day(found[x["pipe"]].detected) - x["start"] for x in leaks if x["kind"] == kind and x["pipe"] in found
    ]


def main(model_path: Path, years: Path, seeds: list[str]) -> None:
    """Print a line a seed and the means."""
    model = read_model(model_path)
    rows = []
    print(
        "seed found  abrupt incipient others false_files | strict abrupt incipient | in300 median_m any_in300 any_median_m | cpu_s"
    )
    for seed in seeds:
        folder = years / seed
        leaks = json.loads((folder / "leaks.json").read_text())["leaks"]
        began = process_time()
        base = read_table(folder / "base_flows.csv.gz")
        files = list(detect(INFLOW, base, read_table(folder / "leak_flows.csv.gz")).files)
        calm = len(detect(INFLOW, base, read_table(folder / "calm_flows.csv.gz")).files)
        told, _, _ = search(
            model_path,
            read_table(folder / "base_pressures.csv.gz"),
            read_table(folder / "leak_pressures.csv.gz"),
            files,
        )
        spent = process_time() - began
        loose, tight = lenient(files, leaks), strict(files, leaks)
        place = {id(s.file): s.candidates[0].pipe for s in told}
        away = [
            model.distances(x["pipe"]).get(place[id(tight[x["pipe"]])], _NOWHERE_M)
            if x["pipe"] in tight
            else _NOWHERE_M
            for x in leaks
        ]
        anyone = [
            min(
                (
                    model.distances(x["pipe"]).get(place[id(f)], _NOWHERE_M)
                    for f in files
                    if x["start"] <= day(f.detected) <= x["end"]
                ),
                default=_NOWHERE_M,
            )
            for x in leaks
        ]
        row = [
            len(loose), *(float(np.median(delays(loose, leaks, k))) for k in ("abrupt", "incipient")), len(files) - len(loose), calm, len(tight),
            *(float(np.median(delays(tight, leaks, k) or [np.nan])) for k in ("abrupt", "incipient")),
            sum(d <= _NEAR_M for d in away), float(np.median(away)), sum(d <= _NEAR_M for d in anyone), float(np.median(anyone)), spent,
        ]  # fmt: skip
        rows.append(row)
        print(seed, *(f"{v:.1f}" for v in row), flush=True)
    print("mean", *(f"{v:.1f}" for v in np.mean(rows, axis=0)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
