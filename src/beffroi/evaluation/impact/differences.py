"""Difference-in-differences: what the treated units gained, less what the others gained meanwhile.

Each unit is first reduced to one number, its mean after less its mean before: whatever the autocorrelation of the
series, units are then compared as independent draws (Bertrand, Duflo & Mullainathan 2004).
"""

import numpy as np

from beffroi.evaluation.impact.autocorrelation import ask
from beffroi.evaluation.impact.comparison import Design, Fit, Inference, compare, student
from beffroi.evaluation.impact.finding import Finding
from beffroi.evaluation.impact.panel import Floats, Panel
from beffroi.model.text import Text

__all__ = ["DIFFERENCES", "differences"]

_FEW = 6  # units in all: below, the spread between units is no measure of anything
_EQUAL_SPREAD_BELOW = 10
_PERMUTATIONS = 999


def differences(panel: Panel, *, lower_is_better: bool = False) -> Finding:
    """Return the difference-in-differences of `panel`, with its event study."""
    return compare(DIFFERENCES, panel, lower_is_better=lower_is_better)


def _fit(panel: Panel) -> Fit:
    start, treated, controls = panel.start, panel.treated, panel.controls
    gap = panel.outcome[:, treated].mean(axis=1) - panel.outcome[:, controls].mean(axis=1)
    gap = gap - gap[:start].mean()
    return Fit(float(gap[start:].mean()), gap, np.full(len(controls), 1 / len(controls)))


def _gains(panel: Panel) -> Floats:
    return np.asarray(panel.outcome[panel.start :].mean(axis=0) - panel.outcome[: panel.start].mean(axis=0))


def _infer(panel: Panel, fit: Fit) -> Inference:
    gains = _gains(panel)
    ours, others = gains[panel.treated], gains[panel.controls]
    rank, of = _rank(ours, others, fit.estimate)
    if len(gains) < _FEW:
        step = (np.arange(len(panel.times)) >= panel.start).astype(np.float64)
        design = np.column_stack([np.ones(len(step)), step])
        answer = ask(fit.gap, design, np.array([0.0, 1.0]), ordinary=True)
        return Inference(answer.se, answer.interval95, answer.p, answer.mde, rank, of, {"inference": "time"})
    se, freedom = _spread(ours, others)
    interval, p, mde = student(fit.estimate, se, freedom)
    return Inference(
        se, interval, p, mde, rank, of, {"inference": "units", "event_study": _event_study(panel, fit)}
    )


def _spread(ours: Floats, others: Floats) -> tuple[float, float]:
    """Return the standard error of a difference of means and its degrees of freedom (Welch; pooled for few treated)."""
    n, m = len(ours), len(others)
    if n < _EQUAL_SPREAD_BELOW:
        square = float(np.sum((ours - ours.mean()) ** 2) + np.sum((others - others.mean()) ** 2)) / (
            n + m - 2
        )
        return (square * (1 / n + 1 / m)) ** 0.5, n + m - 2
    a, b = float(ours.var(ddof=1)) / n, float(others.var(ddof=1)) / m
    return (a + b) ** 0.5, (a + b) ** 2 / (a**2 / (n - 1) + b**2 / (m - 1))


def _rank(ours: Floats, others: Floats, estimate: float) -> tuple[int, int]:
    """Return the place of the treated among every choice of as many units (999 drawn ones when there are several)."""
    gains = np.concatenate([ours, others])
    if len(ours) == 1:
        # each control in turn against the other controls
        placebo = others - (others.sum() - others) / max(1, len(others) - 1)
        return 1 + int(np.sum(np.abs(placebo) >= abs(estimate))), len(others) + 1
    chance = np.random.default_rng(0)
    orders = np.argsort(chance.random((_PERMUTATIONS, len(gains))), axis=1)
    means = gains[orders[:, : len(ours)]].mean(axis=1)
    drawn = means - (gains.sum() - means * len(ours)) / len(others)
    return 1 + int(np.sum(np.abs(drawn) >= abs(estimate))), _PERMUTATIONS + 1


def _event_study(panel: Panel, fit: Fit) -> list[dict[str, float | str]]:
    """Return the gap of each period, against the mean before, with its standard error between units."""
    shifted = panel.outcome - panel.outcome[: panel.start].mean(axis=0)
    told: list[dict[str, float | str]] = []
    for t, when in enumerate(panel.times):
        se, _ = _spread(shifted[t, panel.treated], shifted[t, panel.controls])
        told.append({"time": when, "estimate": float(fit.gap[t]), "se": se})
    return told


DIFFERENCES = Design(
    "did",
    Text("Différence de différences", "Difference-in-differences"),
    _fit,
    _infer,
    weighted=False,
)
