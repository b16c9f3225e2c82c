"""Regression around a level that wanders: the local level model of Harvey & Durbin (1986), by exact likelihood.

y = X β + μ + ε with μ a random walk. Differencing once removes the unknown first level: Δy = ΔX β + η + Δε, whose
covariance has three diagonals, so that one evaluation costs a banded factorisation.
"""

import msgspec
import numpy as np

from beffroi.evaluation.impact.panel import Floats

__all__ = ["LevelAnswer", "wandering"]

_GRID: Floats = np.geomspace(1e-6, 30.0, 24)


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
    scores = [(_fit(ratio, terms, change, table)[0], ratio) for ratio in _GRID]
    best = min(scores)[1]
    for width in (0.8, 0.2, 0.05, 0.012):
        near = best * np.exp(np.linspace(-width, width, 9))
        best = min((_fit(ratio, terms, change, table)[0], ratio) for ratio in near)[1]
    _, coefficients, covariance = _fit(best, terms, change, table)
    return LevelAnswer(coefficients, covariance, float(best), len(change) - terms.shape[1])


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
