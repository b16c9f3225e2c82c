"""Synthetic control: the mix of untreated units that was the treated one until the start (Abadie et al. 2010).

Outcomes only, weights on the simplex, no intercept, no penalty. Inference by placebo units; with too few comparable ones to
tell one in twenty, by moving the time (Chernozhukov, Wüthrich & Zhu 2021).
"""

import numpy as np
from numpy.typing import NDArray

from beffroi.evaluation.impact.comparison import Design, Fit, Inference, compare
from beffroi.evaluation.impact.finding import Finding
from beffroi.evaluation.impact.panel import Floats, Panel
from beffroi.evaluation.impact.simplex import nearest
from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["SYNTHETIC", "synthetic"]

_LEAST_PLACEBOS = 19
_MOST_PLACEBOS = 300
_WORST_FIT = 5**0.5  # placebos whose error before is above that many times the treated's say nothing of it


def synthetic(panel: Panel, *, lower_is_better: bool = False) -> Finding:
    """Return the synthetic control of `panel`. Raises `Problem` for covariates: this one looks at outcomes only."""
    if panel.covariates:
        raise Problem(
            Text("« sc » ne regarde que la mesure, sans covariable.", "'sc' looks at the outcome only, without covariates."),
            Text("Retirez --covariate, ou utilisez « sdid » ou « did ».", "Remove --covariate, or use 'sdid' or 'did'."),
            "--covariate",
        )  # fmt: skip
    return compare(SYNTHETIC, panel, lower_is_better=lower_is_better)


def _gap(outcome: Floats, one: Floats, donors: NDArray[np.int64], rows: int) -> tuple[Floats, Floats]:
    """Return the gap of a series to the mix of donors that is nearest to it over the first `rows` periods, and the mix."""
    points = outcome[:rows, donors] - one[:rows, None]
    weights = nearest(points.T @ points)
    return one - outcome[:, donors] @ weights, weights


def _fit(panel: Panel) -> Fit:
    one = panel.outcome[:, panel.treated].mean(axis=1)
    gap, weights = _gap(panel.outcome, one, panel.controls, panel.start)
    return Fit(float(gap[panel.start :].mean()), gap, weights)


def _size(gap: Floats) -> float:
    return float(np.sqrt(np.mean(gap**2)))


def _infer(panel: Panel, fit: Fit) -> Inference:
    start, controls = panel.start, panel.controls
    step = max(1, -(-len(controls) // _MOST_PLACEBOS))
    gaps = [
        _gap(panel.outcome, panel.outcome[:, c], controls[controls != c], start)[0] for c in controls[::step]
    ]
    before = np.array([_size(g[:start]) for g in gaps])
    ours = max(_size(fit.gap[:start]), 1e-12)
    ratios = np.array([_size(g[start:]) for g in gaps]) / np.maximum(before, 1e-12)
    ratio = _size(fit.gap[start:]) / ours
    alike = before <= _WORST_FIT * ours
    rank_all = 1 + int(np.sum(ratios >= ratio))
    rank = 1 + int(np.sum(ratios[alike] >= ratio))
    told = {
        "ratio": ratio, "rank_all": rank_all, "of_all": len(gaps) + 1, "placebos": int(alike.sum()),
        "placebo_rmspe": float(np.median(before)),
    }  # fmt: skip
    if int(alike.sum()) < _LEAST_PLACEBOS:
        return _in_time(panel, fit, rank, int(alike.sum()) + 1, told)
    # the gap that would be as large, for its fit, as the placebos' at one in twenty
    reach = float(np.quantile(ratios[alike], 0.95)) * ours
    se = reach / 1.96
    of = int(alike.sum()) + 1
    return Inference(
        se, (fit.estimate - reach, fit.estimate + reach), rank / of, reach + 0.84 * se, rank, of,
        {**told, "inference": "units"},
    )  # fmt: skip


def _in_time(panel: Panel, fit: Fit, rank: int, of: int, told: dict[str, float]) -> Inference:
    """Return the inference by moving the time: were there no effect, the gap after would be like any other stretch."""
    start, periods = panel.start, len(panel.times)
    one = panel.outcome[:, panel.treated].mean(axis=1)
    gap = _gap(panel.outcome, one, panel.controls, periods)[0]
    sums = np.concatenate([[0.0], np.cumsum(np.tile(np.abs(gap), 2))])
    length = periods - start
    moved = sums[length : length + periods] - sums[:periods]
    p = float(np.mean(moved >= moved[start] * (1 - 1e-12)))
    reach = float(np.quantile(moved, 0.95)) / length
    return Inference(
        reach / 1.96, (fit.estimate - reach, fit.estimate + reach), p, reach * (1 + 0.84 / 1.96), rank, of,
        {**told, "inference": "time"},
    )  # fmt: skip


SYNTHETIC = Design("sc", Text("Contrôle synthétique", "Synthetic control"), _fit, _infer)
