"""Which sensors could be removed: what the others tell of them, always beside what would be lost.

A removed sensor is told from those that stay by least squares, learned on the first part of the series and judged on
the rest. The order of removal is looked for backward (the least loss each time), by mutual information (Krause, Singh
and Guestrin, 2008: keep the y of greatest var(y|kept) / var(y|others)), then by exchanges until none helps.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["Loss", "Removal", "Step", "best_subset", "covariance", "removal_of", "unexplained"]

Array = NDArray[np.float64]
LEARN = 0.7
LEAST_ROWS = 30
MISSED = 0.25
RIDGE = 1e-9
HIGH = 0.95  # quantile that stands for an alarm when no threshold is given


class Loss(msgspec.Struct, frozen=True):
    """What is lost of one removed sensor: root mean square error in its unit, as a share of its spread, alarms missed."""

    name: str
    rmse: float
    share: float
    alarms: int
    missed: int


class Step(msgspec.Struct, frozen=True):
    """One number of sensors kept: which, and what is lost of the others (judged on what was not learned)."""

    keep: tuple[str, ...]
    removed: tuple[str, ...]
    error: float  # root mean square of the shares, as learned: what the search makes least
    losses: tuple[Loss, ...]


class Removal(msgspec.Struct, frozen=True):
    """Every step, the sensors one at a time against all the others, and how many could go within the loss accepted."""

    sensors: tuple[str, ...]
    rows: int
    steps: tuple[Step, ...]
    one_by_one: tuple[Loss, ...]
    by_information: tuple[str, ...]
    proposal: Step | None


def covariance(series: Array) -> Array:
    """Return the correlation matrix of the columns, lifted off singularity."""
    spread = series.std(axis=0)
    spread[spread == 0] = 1.0
    scaled = (series - series.mean(axis=0)) / spread
    found: Array = scaled.T @ scaled / len(scaled)
    return found + RIDGE * np.eye(len(found))


def unexplained(matrix: Array, kept: Sequence[int]) -> Array:
    """Return the share of the variance of each sensor that those kept do not tell (0 for themselves)."""
    whole = np.diag(matrix).copy()
    if kept:
        chosen = list(kept)
        across = matrix[:, chosen]
        whole -= np.einsum("ij,ji->i", across, np.linalg.solve(matrix[np.ix_(chosen, chosen)], across.T))
        whole[chosen] = 0.0
    return np.asarray(np.maximum(whole, 0.0), np.float64)


def _error(matrix: Array, kept: Sequence[int]) -> float:
    gone = len(matrix) - len(kept)
    return float(np.sqrt(unexplained(matrix, kept).sum() / gone)) if gone else 0.0


def _backward(matrix: Array) -> list[list[int]]:
    """Return the sensors kept, all of them first, taking away each time the one whose loss is least."""
    kept = list(range(len(matrix)))
    found = [kept]
    while len(kept) > 1:
        kept = min(([k for k in kept if k != gone] for gone in kept), key=lambda rest: _error(matrix, rest))
        found.append(kept)
    return found


def _informed(matrix: Array) -> list[int]:
    """Return the sensors in the order in which mutual information adds them."""
    count = len(matrix)
    chosen: list[int] = []
    while len(chosen) < count:
        rest = [k for k in range(count) if k not in chosen]
        told = unexplained(matrix, chosen)

        def worth(k: int, rest: list[int] = rest, told: Array = told) -> float:
            others = [j for j in rest if j != k]
            return float(told[k] / max(unexplained(matrix, others)[k], RIDGE))

        chosen.append(max(rest, key=worth))
    return chosen


def _exchanged(matrix: Array, kept: list[int]) -> list[int]:
    """Return the sensors kept after the exchanges that help, one for one, until none does."""
    best, least = sorted(kept), _error(matrix, kept)
    while True:
        outside = [k for k in range(len(matrix)) if k not in best]
        swaps = [sorted([*(k for k in best if k != out), into]) for out in best for into in outside]
        better = min(swaps, key=lambda s: _error(matrix, s), default=best)
        found = _error(matrix, better)
        if found >= least * (1 - 1e-9):
            return best
        best, least = better, found


def best_subset(matrix: Array, count: int) -> list[int]:
    """Return the `count` sensors to keep that tell the most of the others, as far as the search sees."""
    backward = _backward(matrix)[len(matrix) - count]
    informed = _informed(matrix)[:count]
    found = [_exchanged(matrix, backward), _exchanged(matrix, informed)]
    return min(found, key=lambda kept: _error(matrix, kept))


def _losses(
    series: Array, names: Sequence[str], kept: Sequence[int], gone: Iterable[int], limits: Array
) -> tuple[Loss, ...]:
    cut = int(len(series) * LEARN)
    learn, judge = series[:cut], series[cut:]
    given = np.column_stack([np.ones(cut), learn[:, list(kept)]])
    told = np.column_stack([np.ones(len(judge)), judge[:, list(kept)]])
    found = []
    for k in gone:
        weights = np.linalg.lstsq(given, learn[:, k], rcond=None)[0]
        guess, real = told @ weights, judge[:, k]
        rmse = float(np.sqrt(np.mean((guess - real) ** 2)))
        spread = float(series[:, k].std())
        alarms = real > limits[k]
        found.append(
            Loss(
                names[k],
                rmse,
                rmse / spread if spread else 0.0,
                int(alarms.sum()),
                int((alarms & (guess <= limits[k])).sum()),
            )
        )
    return tuple(found)


def removal_of(
    columns: Mapping[str, Array], *, loss: float = 0.2, threshold: float | None = None, missed: float = MISSED
) -> Removal:
    """Return what could be removed of the sensors in `columns` (series of equal length, NaN where nothing came).

    `loss`: the greatest error accepted for a removed sensor, as a share of its own spread. `threshold`: above it is an
    alarm; by default the 95 % quantile of each; `missed`: the greatest share of a sensor's alarms that may be missed.
    Raises `Problem`.
    """
    names = tuple(columns)
    if len(names) < 2:
        raise Problem(
            Text("Il faut au moins deux capteurs.", "At least two sensors are needed."),
            Text("Donnez un CSV avec une colonne de nombres par capteur.", "Give a CSV with a column of numbers for each sensor."), "line 1",
        )  # fmt: skip
    series = np.column_stack([columns[n] for n in names])
    series = series[~np.isnan(series).any(axis=1)]
    if len(series) < max(LEAST_ROWS, 3 * len(names)):
        need = max(LEAST_ROWS, 3 * len(names))
        raise Problem(
            Text(f"{len(series)} lignes ont une valeur de chaque capteur ; il en faut {need}.", f"{len(series)} rows have a value of every sensor; {need} are needed."),
            Text("Donnez une période plus longue, ou moins de capteurs.", "Give a longer period, or fewer sensors."),
        )  # fmt: skip
    matrix = covariance(series[: int(len(series) * LEARN)])
    limits = np.full(len(names), threshold) if threshold is not None else np.quantile(series, HIGH, axis=0)
    everyone = range(len(names))
    steps = []
    for count in range(len(names) - 1, 0, -1):
        kept = best_subset(matrix, count)
        gone = [k for k in everyone if k not in kept]
        steps.append(
            Step(
                tuple(names[k] for k in kept),
                tuple(names[k] for k in gone),
                _error(matrix, kept),
                _losses(series, names, kept, gone, limits),
            )
        )
    alone = tuple(_losses(series, names, [j for j in everyone if j != k], [k], limits)[0] for k in everyone)
    fit = [
        s for s in steps if all(one.share <= loss and one.missed <= missed * one.alarms for one in s.losses)
    ]
    return Removal(
        names,
        len(series),
        tuple(steps),
        alone,
        tuple(names[k] for k in _informed(matrix)),
        fit[-1] if fit else None,
    )
