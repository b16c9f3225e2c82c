"""Fit GR4 to a river: search its four parameters by the cross-entropy method (Rubinstein, 1999), seeded."""

import numpy as np
from numpy.typing import NDArray

from beffroi.services.water.forecast.gr4 import HOURLY, Parameters, TimeStep, simulate

__all__ = ["calibrate", "nash_sutcliffe"]

Array = NDArray[np.float64]
# medians and spreads of where the search begins: ln x1, x2, ln x3, ln x4, for any catchment
_START = (np.log(500.0), -0.3, np.log(150.0), np.log(5.0))
_SPREAD = (0.7, 0.5, 0.6, 0.5)
_SETS, _BEST, _ROUNDS = 36, 8, 8
_SHORTEST, _LONGEST = 0.6, 60.0  # time base, steps


def nash_sutcliffe(simulated: Array, observed: Array) -> Array:
    """Return the efficiency of each column of `simulated` (Nash and Sutcliffe, 1970): 1 is perfect."""
    left = ((simulated - observed[:, None]) ** 2).sum(axis=0)
    return np.asarray(1 - left / ((observed - observed.mean()) ** 2).sum())


def calibrate(
    parts: list[tuple[Array, Array, Array]], warm_up: int, step: TimeStep = HOURLY, seed: int = 0
) -> Parameters:
    """Return the parameters that fit best, on flows and on their square roots (so floods and low waters both count).

    `parts` are unbroken (rain, evaporation, flow) in mm per step, flow NaN when unknown; the first `warm_up` steps of each
    are simulated and not compared.
    """
    chance = np.random.default_rng(seed)
    middle, spread = np.array(_START), np.array(_SPREAD)
    best, best_score = None, -np.inf
    for _ in range(_ROUNDS):
        drawn = middle + spread * chance.standard_normal((_SETS, 4))
        sets = _sets(drawn)
        score = _score(parts, sets, warm_up, step)
        order = np.argsort(-score)[:_BEST]
        middle, spread = drawn[order].mean(axis=0), drawn[order].std(axis=0) * 1.1 + 0.005
        if score[order[0]] > best_score:
            best, best_score = sets.one(int(order[0])), float(score[order[0]])
    assert best is not None
    return best


def _sets(drawn: Array) -> Parameters:
    return Parameters(
        np.exp(drawn[:, 0]),
        drawn[:, 1],
        np.exp(drawn[:, 2]),
        np.clip(np.exp(drawn[:, 3]), _SHORTEST, _LONGEST),
    )


def _score(parts: list[tuple[Array, Array, Array]], sets: Parameters, warm_up: int, step: TimeStep) -> Array:
    simulated, observed = [], []
    for rain, evaporation, flow in parts:
        known = np.isfinite(flow)
        known[: min(warm_up, len(flow) // 3)] = False
        simulated.append(simulate(rain, evaporation, sets, step).flow[known])
        observed.append(flow[known])
    said, measured = np.concatenate(simulated), np.concatenate(observed)
    score = nash_sutcliffe(said, measured) + nash_sutcliffe(np.sqrt(said), np.sqrt(measured))
    return np.where(np.isfinite(score), score, -np.inf)
