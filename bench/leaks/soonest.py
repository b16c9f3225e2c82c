"""How soon somebody who knew everything else could see each leak in the flows: what no detector can better.

The two channels that detection reads (what the area loses each day, how its inlets share it) have a known noise. To whom the
course of a leak, its place and all the other leaks are told, it stands out by the norm of its course, less the level before it,
over that noise. Told is the first evening on which that passes 2 and 2.7 standard deviations, from 06:00 to 06:00 as days are
counted here; a false alarm a year with a handful of independent looks a day needs about the second.

    python -m bench.leaks.soonest YEARS SEED...
    python -m bench.leaks.soonest --published WATER
"""

import json
import sys
from pathlib import Path

import numpy as np

from beffroi.services.watergrid.leaks import detect
from beffroi.services.watergrid.leaks.series import Table, read_table
from bench.leaks.bound import course
from bench.leaks.judge import INFLOW, day

_CUT, _DAY = 24, 96  # samples before 06:00, samples of a day
_LEVEL = 60  # days before today that tell the level
_PASSED = (2.0, 2.7)


def generated(folder: Path) -> tuple[Table, Table, list[dict], np.ndarray]:
    """Return the flows of a generated year, its leaks and their flow on each day."""
    leaks = json.loads((folder / "leaks.json").read_text())["leaks"]
    t = np.arange(_CUT, 364 * _DAY + _CUT) / _DAY
    daily = np.array([course(x, t).reshape(-1, _DAY).mean(axis=1) for x in leaks]).T
    return read_table(folder / "base_flows.csv.gz"), read_table(folder / "leak_flows.csv.gz"), leaks, daily


def published(folder: Path) -> tuple[Table, Table, list[dict], np.ndarray]:
    """Return the same of the shared year, from the true flows of its leaks."""
    told = [x.split(", ") for x in (folder / "leakages_info.yalm").read_text().splitlines()[1:]]
    begun = {x[0]: (day(x[1]), x[4]) for x in told}
    leaks, daily = [], []
    for name in ("11", "12"):
        table = read_table(folder / f"leak_flows_2019_15min_{name}.csv.gz")
        grid = np.nan_to_num(table.on_grid()[1])
        for k, column in enumerate(table.names):
            start, kind = begun[column.removeprefix("Leak_")]
            flat = grid[:, :, k].reshape(-1)[_CUT:]
            daily.append(flat[: 364 * _DAY].reshape(-1, _DAY).mean(axis=1))
            leaks.append({"pipe": column, "start": start, "kind": kind})
    year = folder / "ltown_leak_21_flows_15min.csv.gz"
    return read_table(folder / "ltown_base_11_flows_15min.csv.gz"), read_table(year), leaks, np.array(daily).T


def bound(base: Table, year: Table, leaks: list[dict], daily: np.ndarray) -> list[tuple[str, list[float]]]:
    """Return of each leak of the year its kind and, for each threshold, how many days it ran before it could be seen."""
    area = detect._Watched(INFLOW, detect.terms(INFLOW, base.names), base, year)
    others = area._others()
    assert others is not None
    n = len(area.balance.loss)
    daily = daily[:n]
    design = np.column_stack([np.ones(n), daily, others.aside])
    shares = np.linalg.lstsq(design, others.values[:, 0], rcond=None)[0][1 : 1 + daily.shape[1]]
    flow_sigma = area.learnt.sigma * np.sqrt(1 + 2 * area.learnt.echo)
    found = []
    for i, leak in enumerate(leaks):
        if leak["start"] < 0:
            continue
        worth = np.hypot(1 / flow_sigma, shares[i] / others.sigma[0])
        found.append((leak["kind"], [_seen(daily[:, i], leak["start"], worth, z) for z in _PASSED]))
    return found


def _seen(flow: np.ndarray, start: float, worth: float, z: float) -> float:
    for evening in range(max(int(start - 0.25), 0), len(flow)):
        looked = flow[max(0, evening - _LEVEL) : evening + 1]
        if float(np.linalg.norm(looked - looked.mean())) * worth >= z:
            return evening + 1.25 - start
    return float("inf")


def main(arguments: list[str]) -> None:
    """Print the median of each kind at each threshold."""
    if arguments[0] == "--published":
        found = bound(*published(Path(arguments[1])))
    else:
        found = [x for seed in arguments[1:] for x in bound(*generated(Path(arguments[0]) / seed))]
    for kind in ("abrupt", "incipient"):
        days = np.array([x for k, x in found if k == kind])
        told = ", ".join(
            f"{m:.1f} d at {z} sigma" for z, m in zip(_PASSED, np.median(days, axis=0), strict=True)
        )
        print(f"{kind}: {len(days)} leaks, median at the earliest {told}")


if __name__ == "__main__":
    main(sys.argv[1:])
