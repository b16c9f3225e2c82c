"""`python -m bench.sobriety`: how much a series shrinks within a bound, and how near the search for sensors is to the best.

--subsets N   networks of sensors to compare with every subset (200)
"""

import argparse
import csv
import itertools
import os
import time
from pathlib import Path

import numpy as np

from beffroi.evaluation.sobriety.compress import compress, restore, tolerance_of
from beffroi.evaluation.sobriety.remove import best_subset, covariance, unexplained

SHARED = Path(os.environ.get("BEFFROI_SHARED", "../shared"))


def door(values: np.ndarray, bound: float) -> int:
    """Return how many points the swinging door (Bristol, 1990) keeps: the peer."""
    kept, place, high, low, n = 1, 0, np.inf, -np.inf, 1
    while n < len(values):
        slope = (values[n] - values[place]) / (n - place)
        if low <= slope <= high:
            high = min(high, (values[n] + bound - values[place]) / (n - place))
            low = max(low, (values[n] - bound - values[place]) / (n - place))
            n += 1
        else:
            kept, place, high, low = kept + 1, n - 1, np.inf, -np.inf
    return kept + 1


def series() -> None:
    """Print ratios on the electricity demand of England and Wales, and the speed on a million values."""
    with (SHARED / "data/value/series/taylor.csv").open() as lines:
        demand = np.array([float(row["x"]) for row in csv.DictReader(lines)])
    for share in ("0.5%", "1%", "2%"):
        bound = tolerance_of(share, demand)
        found = compress(demand, bound)
        error = float(np.abs(restore(found) - demand).max())
        print(
            f"taylor, {share} of the range: {found.ratio:.2f} × (swinging door {len(demand) / door(demand, bound):.2f} ×), largest error {error / bound:.4f} of the bound"
        )
    walk = np.cumsum(np.random.default_rng(1).normal(0, 1, 1_000_000))
    start = time.perf_counter()
    found = compress(walk, 5.0)
    print(f"a million values: {found.ratio:.0f} × in {time.perf_counter() - start:.1f} s")


def town(chance: np.random.Generator, sensors: int) -> np.ndarray:
    """Return sensors that share a few causes: near ones much, far ones little."""
    places, causes = chance.uniform(0, 1, (sensors, 2)), chance.uniform(0, 1, (int(chance.integers(1, 5)), 2))
    weights = np.exp(-np.linalg.norm(places[:, None] - causes[None], axis=2) / chance.uniform(0.15, 0.7))
    return chance.normal(0, 1, (300, len(causes))) @ weights.T + chance.normal(
        0, chance.uniform(0.02, 0.6), (300, sensors)
    )


def subsets(networks: int) -> None:
    """Print how far the search is from looking at every subset, at worst."""
    chance, worst, equal, tried = np.random.default_rng(3), 1.0, 0, 0
    for _ in range(networks):
        sensors = int(chance.integers(4, 13))
        matrix = covariance(town(chance, sensors))
        for count in range(1, sensors):
            least = min(
                float(unexplained(matrix, kept).sum())
                for kept in itertools.combinations(range(sensors), count)
            )
            ratio = float(np.sqrt(unexplained(matrix, best_subset(matrix, count)).sum() / least))
            worst, equal, tried = max(worst, ratio), equal + (ratio < 1 + 1e-9), tried + 1
    print(
        f"sensors: {networks} networks of 4 to 12, {tried} sizes: error at most {worst:.4f} × the best, equal to it {equal / tried:.1%} of the time"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--subsets", type=int, default=200)
    asked = parser.parse_args()
    series()
    subsets(asked.subsets)
