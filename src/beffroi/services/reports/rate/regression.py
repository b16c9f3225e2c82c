"""The zero-inflated Poisson regression of reporting: which areas and categories are reported faster.

log λ = α + β_area + β_category + Xβ, both effects summing to zero; P(M=0) = θ + (1−θ)e^(−λT),
P(M=m) = (1−θ) Poisson(m; λT). Priors of the paper: α ~ N(0, 5), β ~ N(0, 1), sum-zero β ~ N(0, 1/√(1−1/K)); with
`neighbours` the areas have the ICAR prior −½Σ(β_i−β_j)² instead. The mode is found by Newton's method with the
exact Hessian, whose inverse gives the standard errors.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.reports.rate.incidents import Incident

__all__ = ["Effect", "Fit", "fit_rates"]

Floats = NDArray[np.float64]
_STEPS = 100
_FEWEST = 2
_MOST = 30.0  # |log λ T| beyond which exp is not needed


class Effect(msgspec.Struct, frozen=True):
    """One coefficient on log λ and its standard error."""

    value: float
    error: float


class Fit(msgspec.Struct, frozen=True):
    """The mode: `theta` is the share of incidents that nobody would report again."""

    theta: Effect
    intercept: Effect
    areas: dict[str, Effect]
    categories: dict[str, Effect]
    covariates: tuple[Effect, ...]
    log_posterior: float
    n: int


def fit_rates(
    incidents: Sequence[Incident],
    covariates: Floats | None = None,
    neighbours: Sequence[tuple[str, str]] = (),
    smoothing: float = 1.0,
) -> Fit:
    """Return the fit over incidents. `covariates` has one row per incident (standardise them first); `neighbours`
    are pairs of areas that touch, `smoothing` the precision of their differences. Raises `Problem` when no incident
    was reported again."""
    m = np.array([i.duplicates for i in incidents], dtype=np.float64)
    t = np.array([i.days for i in incidents], dtype=np.float64)
    if len(incidents) < _FEWEST or m.sum() == 0:
        raise Problem(
            Text("Aucun incident n'a été signalé deux fois.", "No incident was reported twice."),
            Text("Le calcul demande des doublons.", "The fit needs duplicates."),
        )
    area_names, area = _coded([i.area for i in incidents])
    kind_names, kind = _coded([i.category for i in incidents])
    if covariates is None:  # incidents of one area and category share their line of the design
        cells, cell = np.unique(area * len(kind_names) + kind, return_inverse=True)
        area, kind = np.divmod(cells, len(kind_names))
        extra = np.zeros((len(cells), 0))
    else:
        cell, extra = np.arange(len(m)), np.asarray(covariates, dtype=np.float64)
    of_area, of_kind = _sum_to_zero(len(area_names)), _sum_to_zero(len(kind_names))
    design = np.hstack([np.ones((len(extra), 1)), of_area[area], of_kind[kind], extra])
    prior = _prior(of_area, of_kind, extra.shape[1], _laplacian(area_names, neighbours) * smoothing)
    values, spread, height = _mode(_Lines(design, cell, np.log(t), m), prior)
    a, k = 2 + of_area.shape[1], 2 + of_area.shape[1] + of_kind.shape[1]
    theta = 1 / (1 + np.exp(-values[0]))
    return Fit(
        theta=Effect(float(theta), float(theta * (1 - theta) * np.sqrt(spread[0, 0]))),
        intercept=Effect(float(values[1]), float(np.sqrt(spread[1, 1]))),
        areas=_effects(area_names, of_area, values[2:a], spread[2:a, 2:a]),
        categories=_effects(kind_names, of_kind, values[a:k], spread[a:k, a:k]),
        covariates=tuple(
            Effect(float(values[i]), float(np.sqrt(spread[i, i]))) for i in range(k, len(values))
        ),
        log_posterior=height,
        n=len(m),
    )


def _coded(names: Sequence[str]) -> tuple[list[str], NDArray[np.intp]]:
    every, codes = np.unique(np.array(names, dtype=np.str_), return_inverse=True)
    return [str(n) for n in every], codes


def _sum_to_zero(k: int) -> Floats:
    """Return the k x (k-1) matrix that makes k effects of sum zero out of k-1 free numbers."""
    return np.vstack([np.eye(k - 1), -np.ones((1, k - 1))])


def _laplacian(names: Sequence[str], neighbours: Sequence[tuple[str, str]]) -> Floats:
    rank = {name: i for i, name in enumerate(names)}
    graph = np.zeros((len(names), len(names)))
    for one, other in {tuple(sorted(pair)) for pair in neighbours}:
        if one in rank and other in rank and one != other:
            i, j = rank[one], rank[other]
            graph[i, i] += 1
            graph[j, j] += 1
            graph[i, j] -= 1
            graph[j, i] -= 1
    return graph


def _prior(of_area: Floats, of_kind: Floats, extra: int, laplacian: Floats) -> Floats:
    """Return the precision of the free numbers: logit θ (flat), α, areas, categories, covariates."""
    blocks = [np.zeros((1, 1)), np.full((1, 1), 1 / 25)]
    for effects, graph in ((of_area, laplacian), (of_kind, None)):
        k = len(effects)
        inner = graph if graph is not None and graph.any() else np.eye(k) * (1 - 1 / k)
        blocks.append(effects.T @ inner @ effects)
    blocks.append(np.eye(extra))
    size = sum(len(b) for b in blocks)
    precision, at = np.zeros((size, size)), 0
    for block in blocks:
        precision[at : at + len(block), at : at + len(block)] = block
        at += len(block)
    return precision


class _Lines(msgspec.Struct, frozen=True):
    """The lines of the design, the line of each incident, and its log T and M: a line is many incidents'."""

    design: Floats
    line: NDArray[np.intp]
    log_t: Floats
    m: Floats

    def total(self, values: Floats) -> Floats:
        """Return the sum of the incidents' values on each line."""
        return np.bincount(self.line, weights=values, minlength=len(self.design)).astype(
            np.float64, copy=False
        )


def _slopes(values: Floats, lines: _Lines, prior: Floats) -> tuple[float, Floats, Floats]:
    """Return the log posterior up to a constant, its gradient and its Hessian."""
    theta = 1 / (1 + np.exp(-np.clip(values[0], -_MOST, _MOST)))
    design, m = lines.design, lines.m
    log_mu = np.clip((design @ values[1:])[lines.line] + lines.log_t, -_MOST * 3, _MOST)
    mu = np.exp(log_mu)
    zero = m == 0
    gone = np.exp(-mu)
    either = theta + (1 - theta) * gone
    never = np.where(
        zero, theta / either, 0.0
    )  # probability that a silent incident is of those never reported
    alive = 1 - never
    height = float(np.where(zero, np.log(either), np.log1p(-theta) + m * log_mu - mu).sum())
    on_rate = lines.total(m - alive * mu)  # for m = 0: -alive mu
    bend = lines.total(-alive * mu + never * alive * mu**2)
    cross = design.T @ lines.total(never * alive * mu)
    slope = np.append((never - theta).sum(), design.T @ on_rate) - prior @ values
    hessian = np.empty((len(values), len(values)))
    hessian[0, 0] = (never * alive - theta * (1 - theta)).sum()
    hessian[0, 1:] = hessian[1:, 0] = cross
    hessian[1:, 1:] = (design * bend[:, None]).T @ design
    return height - 0.5 * float(values @ prior @ values), slope, hessian - prior


def _mode(lines: _Lines, prior: Floats) -> tuple[Floats, Floats, float]:
    """Return the mode, the covariance there and the log posterior, by damped Newton steps."""
    values = np.zeros(len(prior))
    values[0] = -1.0
    values[1] = np.log(max(lines.m.sum(), 0.5) / np.exp(lines.log_t).sum()) + 0.3
    damping = 1e-3
    height, slope, hessian = _slopes(values, lines, prior)
    for _ in range(_STEPS):
        scale = np.diag(np.maximum(np.abs(np.diag(hessian)), 1e-6))
        step = np.linalg.solve(-hessian + damping * scale, slope)
        tried = values + np.clip(step, -2, 2)
        found = _slopes(tried, lines, prior)
        if found[0] >= height:
            small = np.abs(tried - values).max() < 1e-9
            values, (height, slope, hessian), damping = tried, found, damping / 10
            if small:
                break
        else:
            damping = max(damping, 1e-6) * 10
            if damping > 1e12:
                break
    return values, np.asarray(np.linalg.pinv(-hessian), dtype=np.float64), height


def _effects(names: Sequence[str], coding: Floats, values: Floats, spread: Floats) -> dict[str, Effect]:
    effects, errors = coding @ values, np.sqrt(np.maximum(np.diag(coding @ spread @ coding.T), 0))
    return {n: Effect(float(v), float(e)) for n, v, e in zip(names, effects, errors, strict=True)}
