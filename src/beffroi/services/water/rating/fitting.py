"""Fit a rating curve to the gaugings of a stable period: weighted, robust, of as many segments as they bear.

For given stages of zero flow and of breaks the curve is linear in its coefficients, so the fit is a search over those
few stages, thousands of them solved at once. The number of segments is the one with the least Bayesian information
criterion (Schwarz, 1978). Outliers weigh less (Huber, 1964).
"""

import numpy as np
from numpy.typing import NDArray

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.water.rating.curve import RatingCurve, columns

__all__ = ["LEAST", "fit_curve", "leave_one_out", "residuals"]

Array = NDArray[np.float64]
_Found = tuple[float, float, Array, Array]  # misfit, stage of zero flow, breaks, coefficients

LEAST = 5  # gaugings, below which no curve is drawn
_PER_SEGMENT = 10  # gaugings that each further segment must bring
_WITHIN = 5  # gaugings that each segment must hold
_SEGMENTS = 3
_HUBER = 1.5
# the exponents of natural controls run from 1.5 (weirs) to about 3 (triangular sections); these are the ends of sense
_EXPONENTS = (0.5, 4.0)
_NOTHING = np.zeros((1, 0))


def fit_curve(stage: Array, discharge: Array, relative_sigma: Array) -> RatingCurve:
    """Return the curve of these gaugings (any units; `relative_sigma` is the standard error of Q over Q).

    Raises `Problem` when there are too few of them, or at one stage only.
    """
    if len(stage) < LEAST or np.ptp(stage) <= 0 or len(np.unique(stage)) < 3:
        raise Problem(
            Text(
                f"{len(stage)} jaugeage(s) à {len(np.unique(stage))} hauteur(s) : c'est trop peu pour une courbe",
                f"{len(stage)} gauging(s) at {len(np.unique(stage))} stage(s): too few for a curve",
            ),
            Text(
                f"Donnez au moins {LEAST} jaugeages à 3 hauteurs différentes.",
                f"Give at least {LEAST} gaugings at 3 different stages.",
            ),
        )
    log_q = np.log(discharge)
    weights = relative_sigma**-2.0
    weights = weights / weights.mean()
    best: tuple[float, _Found, float] | None = None
    before: _Found | None = None
    for more in range(_SEGMENTS):
        if more and len(stage) < _PER_SEGMENT * (more + 1):
            break
        fitted = _robust(stage, log_q, weights, more, before)
        if fitted is None:
            break
        before, criterion, scatter = fitted
        if best is None or criterion < best[0]:
            best = (criterion, before, scatter)
    if best is None:
        raise Problem(
            Text(
                "Aucune loi de puissance ne passe par ces jaugeages",
                "No power law goes through these gaugings",
            ),
            Text("Vérifiez hauteurs, débits et unités.", "Check stages, discharges and units."),
        )
    _, (_, offset, breaks, coefficients), scatter = best
    return RatingCurve(
        offset=float(offset),
        breaks=tuple(float(b) for b in breaks),
        coefficients=tuple(float(c) for c in coefficients),
        lowest=float(stage.min()),
        highest=float(stage.max()),
        scatter=scatter,
    )


def leave_one_out(stage: Array, discharge: Array, relative_sigma: Array) -> Array:
    """Return each gauging's relative error (predicted over measured, less 1) by the curve of all the others."""
    errors = np.empty(len(stage))
    for i in range(len(stage)):
        others = np.arange(len(stage)) != i
        curve = fit_curve(stage[others], discharge[others], relative_sigma[others])
        errors[i] = curve.discharges([stage[i]])[0] / discharge[i] - 1.0
    return errors


def residuals(curve: RatingCurve, stage: Array, discharge: Array) -> Array:
    """Return ln(measured / curve) of each gauging, in units of the curve's scatter."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(discharge / curve.discharges(stage)) / max(curve.scatter, 1e-3))


def _robust(
    stage: Array, log_q: Array, weights: Array, more: int, before: _Found | None
) -> tuple[_Found, float, float] | None:
    """Return the fit with `more` breaks, its information criterion and scatter, or None when no break has room."""
    used = weights
    for _ in range(1 if more else 3):
        searched = _search(stage, log_q, used, more, before)
        if searched is None:
            return None
        found: _Found = searched
        _, offset, breaks, coefficients = found
        built = columns(stage, np.array([offset]), breaks[None])[0]
        left = (log_q - built @ coefficients) * np.sqrt(weights)
        scale = max(1.4826 * float(np.median(np.abs(left))), 1e-9)
        used = weights * np.minimum(1.0, _HUBER * scale / np.maximum(np.abs(left), 1e-12))
    size = np.abs(left)
    bound = _HUBER * scale
    loss = np.where(size <= bound, size**2, 2 * bound * size - bound**2).sum()
    n = len(stage)
    criterion = n * np.log(max(loss / n, 1e-18)) + (3 + 2 * more) * np.log(n)
    return found, float(criterion), float(np.sqrt(max(loss / max(n - 3 - 2 * more, 1), 1e-12)))


def _search(stage: Array, log_q: Array, weights: Array, more: int, before: _Found | None) -> _Found | None:
    """Look coarsely, then ever more closely, for the stages of zero flow and of breaks that fit best."""
    ordered = np.sort(stage)
    lowest, reach, n = ordered[0], ordered[-1] - ordered[0], len(stage)
    within = max(_WITHIN, n // 20)
    start = _starts(ordered, within, more, before)
    if start is None:
        return None
    best = _best_of(stage, log_q, weights, lowest - reach * np.geomspace(0.003, 3.0, 24), start)
    nearness, move = 0.5, 0.06 * reach
    low, high = ordered[min(within, n) - 1], ordered[max(n - within, 0)]
    for _ in range(6):
        _, offset, breaks, _ = best
        offsets = lowest - (lowest - offset) * np.exp(np.linspace(-1.0, 1.0, 7) * nearness)
        closer = _best_of(stage, log_q, weights, offsets, _moved(breaks, move, low, high))
        best = min(best, closer, key=lambda f: f[0])
        nearness, move = nearness / 2, move / 2
    return best if np.isfinite(best[0]) else None


def _starts(ordered: Array, within: int, more: int, before: _Found | None) -> Array | None:
    """Return the sets of breaks to begin with: those of the fit before, and one more anywhere it has room."""
    if not more or before is None:
        return _NOTHING if not more else None
    n = len(ordered)
    if n < 2 * within:
        return None
    inner = ordered[within - 1 : n - within + 1]
    places = np.unique(
        np.concatenate([np.quantile(inner, np.linspace(0, 1, 9)), np.linspace(inner[0], inner[-1], 7)])
    )
    sets = [np.sort(np.append(before[2], p)) for p in places]
    roomy = [
        s for s in sets if np.diff(np.searchsorted(ordered, s, "right"), prepend=0, append=n).min() >= within
    ]
    return np.array(roomy) if roomy else None


def _moved(breaks: Array, move: float, low: float, high: float) -> Array:
    """Return the breaks, and the breaks with one of them moved a little."""
    sets = [breaks]
    for j in range(len(breaks)):
        for share in (-1.0, -0.4, 0.4, 1.0):
            moved = breaks.copy()
            moved[j] = np.clip(moved[j] + share * move, low, high)
            if (np.diff(moved) > 0).all():
                sets.append(moved)
    return np.array(sets)


def _best_of(stage: Array, log_q: Array, weights: Array, offsets: Array, breaks: Array) -> _Found:
    """Return the best of all pairs of an offset and a set of breaks, each solved by weighted least squares."""
    every_offset = np.repeat(offsets, len(breaks))
    every_break = np.tile(breaks, (len(offsets), 1))
    built = columns(stage, every_offset, every_break)
    weighted = (built * weights[None, :, None]).transpose(0, 2, 1)
    normal = weighted @ built
    diagonal = np.arange(normal.shape[-1])
    normal[:, diagonal, diagonal] = normal[:, diagonal, diagonal] * (1 + 1e-10) + 1e-12
    coefficients = np.linalg.solve(normal, (weighted @ log_q)[..., None])[..., 0]
    left = log_q - (built @ coefficients[..., None])[..., 0]
    misfit = (weights * left**2).sum(axis=1)
    exponents = np.cumsum(coefficients[:, 1:], axis=1)
    outside = ((exponents < _EXPONENTS[0]) | (exponents > _EXPONENTS[1])).any(axis=1)
    misfit = np.where(outside, np.inf, misfit)
    i = int(np.argmin(misfit))
    return float(misfit[i]), float(every_offset[i]), every_break[i], coefficients[i]
