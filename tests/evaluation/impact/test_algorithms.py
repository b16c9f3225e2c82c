"""The algorithms against slow ones: dense matrices, projected gradient, exhaustive regressions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student_law

from beffroi.evaluation.impact.autocorrelation import _RHO, _WIDTH, ask
from beffroi.evaluation.impact.local_level import wandering
from beffroi.evaluation.impact.panel import Panel
from beffroi.evaluation.impact.simplex import nearest
from beffroi.evaluation.impact.synthetic_differences import synthetic_differences


def _objective(gram, weights):
    return float(weights @ gram @ weights)


def _slowly(gram, steps=4000):
    """Frank-Wolfe with exact line search: no active sets, so no mistake in common with ours."""
    weights = np.full(len(gram), 1 / len(gram))
    for _ in range(steps):
        slope = gram @ weights
        toward = -weights
        toward = toward + np.eye(len(gram))[int(np.argmin(slope))]
        curve = float(toward @ gram @ toward)
        if curve <= 0:
            break
        weights = weights + np.clip(-float(slope @ toward) / curve, 0, 1) * toward
    return weights


@settings(max_examples=30)
@given(st.integers(2, 12), st.integers(1, 10), st.integers(0, 10_000), st.booleans())
def test_the_nearest_point_is_optimal(points, dimensions, seed, ridge):
    table = np.random.default_rng(seed).standard_normal((dimensions, points)) + 0.7
    gram = table.T @ table + (0.5 * np.eye(points) if ridge else 0)
    weights = nearest(gram, ridge=ridge)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1)
    # Kuhn-Tucker: no corner of the hull is nearer along the slope
    assert (gram @ weights).min() >= _objective(gram, weights) - 1e-8 * np.diag(gram).max()
    assert _objective(gram, weights) <= _objective(gram, _slowly(gram, 300)) + 1e-9


def _mixture_by_dense_matrices(y, design, contrast, ordinary):
    """The same integral over ρ with whole covariance matrices."""
    rows, terms = design.shape
    weight, centre, error = [], [], []
    for rho, width in zip(_RHO, _WIDTH, strict=True):
        covariance = rho ** np.abs(np.subtract.outer(np.arange(rows), np.arange(rows))) / (1 - rho**2)
        inverse = np.linalg.inv(covariance)
        inner = design.T @ inverse @ design
        beta = np.linalg.solve(inner, design.T @ inverse @ y)
        square = float((y - design @ beta) @ inverse @ (y - design @ beta))
        log = -0.5 * (
            (rows - terms) * np.log(square) + np.linalg.slogdet(inner)[1] + np.linalg.slogdet(covariance)[1]
        )
        weight.append(log - 0.5 * np.log(1 - rho**2) + np.log(width))
        if ordinary:
            lever = np.linalg.solve(design.T @ design, design.T).T @ contrast
            centre.append(float(lever @ y))
            error.append((square / (rows - terms) * float(lever @ covariance @ lever)) ** 0.5)
        else:
            centre.append(float(contrast @ beta))
            error.append((square / (rows - terms) * float(contrast @ np.linalg.inv(inner) @ contrast)) ** 0.5)
    weight = np.exp(np.array(weight) - max(weight))
    weight /= weight.sum()
    below = sum(
        w * student_law.cdf(-c / e, rows - terms) for w, c, e in zip(weight, centre, error, strict=True)
    )
    return float(weight @ centre), 2 * min(below, 1 - below)


@pytest.mark.parametrize("ordinary", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_autocorrelated_regression_by_dense_matrices(ordinary, seed):
    chance = np.random.default_rng(seed)
    rows = 40
    design = np.column_stack([np.ones(rows), np.arange(rows) >= 22, chance.standard_normal(rows)])
    y = np.cumsum(chance.standard_normal(rows)) * 0.5 + chance.standard_normal(rows)
    contrast = np.array([0.0, 1.0, 0.0])
    answer = ask(y, design, contrast, ordinary=ordinary)
    estimate, p = _mixture_by_dense_matrices(y, design, contrast, ordinary)
    assert answer.estimate == pytest.approx(estimate, rel=1e-9)
    assert answer.p == pytest.approx(p, rel=1e-7)
    low, high = answer.interval95
    assert low < answer.estimate < high
    assert answer.mde > (high - low) / 2


def test_a_wandering_level_by_its_covariance():
    """At the ratio it found, the coefficients are those of dense generalised least squares on the levels themselves."""
    chance = np.random.default_rng(5)
    rows = 60
    step = (np.arange(rows) >= 35).astype(float)
    y = np.cumsum(0.4 * chance.standard_normal(rows)) + chance.standard_normal(rows) + 2 * step
    found = wandering(y, step[:, None])
    walk = np.minimum.outer(np.arange(rows), np.arange(rows)).astype(float)
    covariance = np.eye(rows) + found.ratio * walk
    design = np.column_stack([step, np.ones(rows)])  # the first level is unknown: a constant
    inverse = np.linalg.inv(covariance)
    beta = np.linalg.solve(design.T @ inverse @ design, design.T @ inverse @ y)
    assert found.coefficients[0] == pytest.approx(beta[0], rel=1e-6)

    def likelihood(ratio):
        inside = np.linalg.inv(np.eye(rows) + ratio * walk)
        inner = design.T @ inside @ design
        left = y - design @ np.linalg.solve(inner, design.T @ inside @ y)
        determinant = np.linalg.slogdet(np.eye(rows) + ratio * walk)[1] + np.linalg.slogdet(inner)[1]
        return (rows - 2) * np.log(float(left @ inside @ left)) + determinant

    assert likelihood(found.ratio) <= min(likelihood(r) for r in np.geomspace(1e-5, 20, 200)) + 1e-3


def test_synthetic_differences_from_the_paper_s_equations():
    """Unit and time weights by Frank-Wolfe on equations 4 and 6, then the weighted double difference."""
    chance = np.random.default_rng(7)
    rows, start, units = 24, 16, 9
    outcome = np.cumsum(chance.standard_normal((rows, units)), axis=0) + 30
    panel = Panel(outcome, tuple("abcdefghi"), tuple(map(str, range(rows))), np.array([start, *[-1] * 8]))
    before, others = outcome[:start], outcome[:, 1:]
    noise = np.std(np.diff(others[:start], axis=0), ddof=1)
    ridge = ((rows - start) ** 0.25 * noise) ** 2 * start
    points = others[:start] - before[:, [0]]
    points = points - points.mean(axis=0)
    omega = _slowly(points.T @ points + ridge * np.eye(8))
    rows_of = others[:start].T - others[start:].mean(axis=0)[:, None]
    rows_of = rows_of - rows_of.mean(axis=0)
    lam = _slowly(rows_of.T @ rows_of + (1e-6 * noise) ** 2 * 8 * np.eye(start), 40_000)
    gap = outcome[:, 0] - others @ omega
    expected = float(gap[start:].mean() - lam @ gap[:start])
    assert synthetic_differences(panel).estimate == pytest.approx(expected, abs=2e-3)
