"""Regression around a level that wanders: the local level model of Harvey & Durbin (1986), by exact likelihood.

y = X β + μ + ε with μ a random walk. Differencing once removes the unknown first level: Δy = ΔX β + η + Δε, whose
covariance has three diagonals, so that one evaluation costs a banded factorisation.
"""

from collections.abc import Callable

import msgspec
import numpy as np

from beffroi.evaluation.impact.panel import Floats

__all__ = ["LevelAnswer", "wandering"]

_GRID: Floats = np.geomspace(1e-6, 30.0, 16)


class LevelAnswer(msgspec.Struct, frozen=True, eq=False):
    """The coefficients with their covariance; `ratio` is the variance of the level's steps to that of the noise."""

    coefficients: Floats
    covariance: Floats
    ratio: float
    freedom: int


def wandering(y: Floats, design: Floats) -> LevelAnswer:
    """Return the fit of `y` on `design` (without a constant and without a trend) around a local level."""
    change, terms = np.diff(y), np.diff(design, axis=0)
    table = np.column_stack([terms, change])
    scores = [_fit(ratio, terms, change, table)[0] for ratio in _GRID]
    at = int(np.argmin(scores))
    low, high = np.log(_GRID[max(0, at - 1)]), np.log(_GRID[min(len(_GRID) - 1, at + 1)])
    best = float(np.exp(_least(lambda x: _fit(float(np.exp(x)), terms, change, table)[0], low, high)))
    _, coefficients, covariance = _fit(best, terms, change, table)
    return LevelAnswer(coefficients, covariance, best, len(change) - terms.shape[1])


def _least(score: Callable[[float], float], low: float, high: float) -> float:
    """Return where `score` is least between two points, by golden section."""
    golden = (5**0.5 - 1) / 2
    left, right = high - golden * (high - low), low + golden * (high - low)
    at_left, at_right = score(left), score(right)
    for _ in range(16):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - golden * (high - low)
            at_left = score(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + golden * (high - low)
            at_right = score(right)
    return (low + high) / 2


def _fit(ratio: float, terms: Floats, change: Floats, table: Floats) -> tuple[float, Floats, Floats]:
    """Return minus twice the restricted log-likelihood of a ratio, the coefficients and their covariance."""
    # a design with controls never comes here: it must not wait for this import
    from scipy.linalg import cho_solve_banded, cholesky_banded  # noqa: PLC0415

    rows, count = terms.shape
    band = np.zeros((2, rows))
    band[0] = ratio + 2
    band[1, :-1] = -1
    factor = cholesky_banded(band, lower=True, check_finite=False)
    solved = cho_solve_banded((factor, True), table, check_finite=False)
    inner = terms.T @ solved[:, :count]
    coefficients = np.linalg.solve(inner, terms.T @ solved[:, count])
    residual = change - terms @ coefficients
    square = float(residual @ (solved[:, count] - solved[:, :count] @ coefficients))
    freedom = rows - count
    determinant = 2 * float(np.log(factor[0]).sum()) + float(np.linalg.slogdet(inner)[1])
    return freedom * np.log(square) + determinant, coefficients, square / freedom * np.linalg.inv(inner)
