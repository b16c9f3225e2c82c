"""The point of a convex hull that is nearest the origin: what synthetic controls are, exactly.

General solvers stop early here without a word (SLSQP on Proposition 99 keeps the uniform weights). Wolfe's algorithm (1976)
is finite and exact; when a ridge makes the problem strictly convex, solving on the whole support and dropping what turns
negative gets there in a few solves, and its optimality is checked.
"""

import numpy as np
from numpy.typing import NDArray

from beffroi.evaluation.impact.panel import Floats

__all__ = ["nearest"]

_TOLERANCE = 1e-10
_MOST_STEPS = 10_000
_MOST_PIVOTS = 30


def nearest(gram: Floats, *, ridge: bool = False) -> Floats:
    """Return the weights (≥ 0, sum 1) that minimise w'Gw, `gram` holding the products of the points."""
    if ridge:
        weights = _dense(gram)
        if weights is not None:
            return weights
    return _wolfe(gram)


def _affine(gram: Floats, chosen: list[int] | NDArray[np.int64]) -> Floats:
    """Return the weights of sum 1, of any sign, that minimise on a support."""
    support = np.asarray(chosen, dtype=np.int64)
    part = gram[np.ix_(support, support)]
    scale = float(np.trace(part)) / len(part) or 1.0
    try:
        solved = np.linalg.solve(part + 1e-13 * scale * np.eye(len(part)), np.ones(len(part)))
    except np.linalg.LinAlgError:
        solved = np.linalg.lstsq(part, np.ones(len(part)), rcond=None)[0]
    return np.asarray(solved / solved.sum())


def _optimal(gram: Floats, weights: Floats) -> int:
    """Return the point that would still bring it nearer, -1 when none does."""
    slope = gram @ weights
    worst = int(np.argmin(slope))
    slack = float(weights @ slope) - float(slope[worst])
    return worst if slack > _TOLERANCE * float(np.max(np.diag(gram))) else -1


def _dense(gram: Floats) -> Floats | None:
    inside = np.ones(len(gram), dtype=np.bool_)
    for _ in range(_MOST_PIVOTS):
        support = np.flatnonzero(inside)
        found = _affine(gram, support)
        if (found < 0).any():
            inside[support[found < 0]] = False
            continue
        weights = np.zeros(len(gram))
        weights[support] = found
        entering = _optimal(gram, weights)
        if entering < 0:
            return weights
        inside[entering] = True
    return None


def _wolfe(gram: Floats) -> Floats:
    first = int(np.argmin(np.diag(gram)))
    support, held = [first], np.ones(1)
    for _ in range(_MOST_STEPS):
        weights = np.zeros(len(gram))
        weights[support] = held
        entering = _optimal(gram, weights)
        if entering < 0 or entering in support:
            break
        support.append(entering)
        held = np.append(held, 0.0)
        support, held = _inward(gram, support, held)
    weights = np.zeros(len(gram))
    weights[support] = held
    return weights


def _inward(gram: Floats, support: list[int], held: Floats) -> tuple[list[int], Floats]:
    """Move to the best point of the support's hull, dropping the corners that leave it."""
    while True:
        wanted = _affine(gram, support)
        if (wanted > 1e-12).all() or len(support) == 1:
            return support, np.maximum(wanted, 0) / np.maximum(wanted, 0).sum()
        falling = wanted < held
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = np.where(falling & (wanted <= 1e-12), held / (held - wanted), np.inf)
        share = min(1.0, float(shares.min()))
        held = held + share * (wanted - held)
        kept = held > 1e-12
        if kept.all():
            kept[int(np.argmin(held))] = False
        support = [i for i, keep in zip(support, kept, strict=True) if keep]
        held = held[kept] / held[kept].sum()
