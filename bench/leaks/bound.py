"""How many leaks of a generated year (see `generate.py`) pressures could place at best: an upper bound for localisation.

All is known but the pipe: what runs beside, where, the flow, and the night when it begins. The trace in the pressures is drawn
with the noise of calm nights as if it were seen on 8 or 16 of them, and the pipe whose shape comes nearest is taken.

    python bench/leaks/bound.py L-TOWN.inp YEARS SEED...
"""

import json
import sys
from pathlib import Path

import numpy as np

from beffroi.services.watergrid.hydraulics.model import read_model
from beffroi.services.watergrid.leaks.search import nights
from beffroi.services.watergrid.leaks.series import read_table
from beffroi.services.watergrid.leaks.signature import signatures

_NIGHTS, _DRAWS, _NEAR_M, _HOUR = (8, 16), 40, 300.0, 3.0
_NIGHT = np.arange(365) + _HOUR / 24
_ROUNDING_M, _FEW_M3H = 0.0006, 0.3
_SCALES = (0.7, 1.4)  # the flow is known so well


def course(leak: dict, day: np.ndarray) -> np.ndarray:
    """Return the flow of a leak at each time, in days of the year, m³/h."""
    grown = np.clip((day - leak["start"]) / max(leak["peak"] - leak["start"], 1e-3), 0, 1) ** 2
    return np.where((day >= leak["start"]) & (day < leak["end"]), leak["peak_m3h"] * grown, 0.0)


def near(traces: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    """Return the pipe whose shape, more or less large, comes nearest to each trace."""
    square = (shapes**2).sum(axis=1)
    product = traces @ shapes.T
    scale = np.clip(product / np.maximum(square, 1e-12), *_SCALES)
    found: np.ndarray = (scale**2 * square - 2 * scale * product).argmin(axis=1)
    return found


def main(model_path: Path, years: Path, seeds: list[str]) -> None:
    """Print a line a seed and the means."""
    model = read_model(model_path)
    random = np.random.default_rng(0)
    rows = []
    print("seed", *(f"of_19_with_{n}_nights" for n in _NIGHTS))
    for seed in seeds:
        told = json.loads((years / seed / "leaks.json").read_text())
        table = read_table(years / seed / "base_pressures.csv.gz")
        sensors = list(table.names)
        calm = np.cov(nights(table, sensors).values.T) + _ROUNDING_M**2 * np.eye(len(sensors))
        white = np.linalg.cholesky(np.linalg.inv(calm))
        standing = [(x["pipe"], x["peak_m3h"]) for x in told["standing"]]
        courses = [course(x, _NIGHT) for x in told["leaks"]]
        row = np.zeros(len(_NIGHTS))
        for i, leak in enumerate(told["leaks"]):
            flow = float(courses[i].max())
            whole = courses[i] > flow / 2
            others = [
                (x["pipe"], float(c[whole].mean())) for x, c in zip(told["leaks"], courses, strict=True)
            ]
            running = standing + [x for j, x in enumerate(others) if j != i and x[1] > _FEW_M3H]
            found = signatures(model_path, model, sensors, _HOUR, running, (flow,))
            shapes = found.drop[0] * flow @ white
            around = model.distances(leak["pipe"], _NEAR_M)
            inside = np.array([p in around for p in found.pipes])
            for k, n in enumerate(_NIGHTS):
                noise = random.standard_normal((_DRAWS, len(sensors))) / n**0.5
                row[k] += inside[near(shapes[found.pipes.index(leak["pipe"])] + noise, shapes)].mean()
        rows.append(row)
        print(seed, *(f"{v:.1f}" for v in row), flush=True)
    print("mean", *(f"{v:.1f}" for v in np.mean(rows, axis=0)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
