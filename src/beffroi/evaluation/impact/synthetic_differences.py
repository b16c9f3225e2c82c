"""Synthetic difference-in-differences (Arkhangelsky, Athey, Hirshberg, Imbens & Wager, AER 2021).

Weights on units and on periods, each with an intercept; the units' are held apart by a ridge (their equation 5). Standard
error by placebo units (their algorithm 4), each control once rather than drawn, so that it is the same every time.
"""

import numpy as np
from numpy.typing import NDArray

from beffroi.evaluation.impact.comparison import Design, Fit, Inference, compare, student
from beffroi.evaluation.impact.finding import Finding
from beffroi.evaluation.impact.panel import Floats, Panel
from beffroi.evaluation.impact.simplex import nearest
from beffroi.model.text import Text

__all__ = ["SYNTHETIC_DIFFERENCES", "synthetic_differences"]

_MOST_PLACEBOS = 300
_DRAWS = 200
_TIME_RIDGE = 1e-6


def synthetic_differences(panel: Panel, *, lower_is_better: bool = False) -> Finding:
    """Return the synthetic difference-in-differences of `panel`."""
    return compare(SYNTHETIC_DIFFERENCES, panel, lower_is_better=lower_is_better)


class _Pool:
    """The controls of a panel, their products computed once for every placebo."""

    def __init__(self, outcome: Floats, start: int) -> None:
        self.outcome, self.start = outcome, start
        before = outcome[:start]
        self.centred = before - before.mean(axis=0)
        self.products = self.centred.T @ self.centred
        self.steps = np.diff(before, axis=0)

    def fit(self, ours: Floats, many: int, pool: NDArray[np.int64]) -> tuple[float, Floats, Floats, Floats]:
        """Return the estimate for the series `ours` (mean of `many` units), the gap, the units' and the periods' weights."""
        start, outcome = self.start, self.outcome
        after = len(outcome) - start
        steps = self.steps[:, pool]
        noise = float(np.std(steps, ddof=1)) if steps.size > 1 else 0.0
        ridge = ((many * after) ** 0.25 * noise) ** 2 * start
        mine = ours[:start] - ours[:start].mean()
        cross = self.centred[:, pool].T @ mine
        gram = self.products[np.ix_(pool, pool)] - cross[:, None] - cross[None, :] + float(mine @ mine)
        units = nearest(gram + ridge * np.eye(len(pool)), ridge=True)
        others = outcome[:, pool]
        rows = others[:start].T - others[:start].mean(axis=1)
        target = others[start:].mean(axis=0)
        points = rows - (target - target.mean())[:, None]
        times = nearest(points.T @ points + (_TIME_RIDGE * noise) ** 2 * len(pool) * np.eye(start))
        gap = ours - others @ units
        gap = gap - times @ gap[:start]
        return float(gap[start:].mean()), gap, units, times


def _fit(panel: Panel) -> Fit:
    ours = panel.outcome[:, panel.treated].mean(axis=1)
    controls = panel.controls
    pool = _Pool(panel.outcome[:, controls], panel.start)
    estimate, gap, units, times = pool.fit(ours, len(panel.treated), np.arange(len(controls)))
    told = {panel.times[t]: float(w) for t, w in enumerate(times) if w > 1e-6}
    # the gap is drawn around its mean before: the periods' weights centre it for the estimate only
    return Fit(estimate, gap, units, {"time_weights": told})


def _placebos(panel: Panel, pool: _Pool) -> Floats:
    """Return the estimates of believing that untreated units were treated."""
    count, many = pool.outcome.shape[1], len(panel.treated)
    everyone = np.arange(count)
    if many == 1:
        chosen = [np.array([i]) for i in everyone[:: max(1, -(-count // _MOST_PLACEBOS))]]
    else:
        chance = np.random.default_rng(0)
        chosen = (
            [chance.choice(count, many, replace=False) for _ in range(_DRAWS)] if count > many + 1 else []
        )
    return np.array(
        [pool.fit(pool.outcome[:, own].mean(axis=1), many, np.delete(everyone, own))[0] for own in chosen]
    )


def _infer(panel: Panel, fit: Fit) -> Inference:
    pool = _Pool(panel.outcome[:, panel.controls], panel.start)
    placebo = _placebos(panel, pool)
    if len(placebo) < 2:
        return Inference(None, None, 1.0, None, 1, 1, {"inference": "none"})
    se = float(np.std(placebo))
    interval, p, mde = student(fit.estimate, se, len(placebo) - 1)
    rank = 1 + int(np.sum(np.abs(placebo) >= abs(fit.estimate)))
    return Inference(se, interval, p, mde, rank, len(placebo) + 1, {"inference": "units"})


SYNTHETIC_DIFFERENCES = Design(
    "sdid",
    Text("Différence de différences synthétique", "Synthetic difference-in-differences"),
    _fit,
    _infer,
)
