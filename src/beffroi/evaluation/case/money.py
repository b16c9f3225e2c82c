"""Discounting: the arithmetic of a business case, on yearly flows whose first one is year 0.

VAN = Σ f_t / Π (1 + r_k)      TRI: the r where VAN = 0      EAC = VAN × r / (1 − (1 + r)^−n)
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "annuity",
    "discount_factors",
    "discounted_payback",
    "internal_rates",
    "payback",
    "present_value",
    "yearly_rates",
]

Flows = NDArray[np.float64]
_REAL = 1e-7


def yearly_rates(steps: Mapping[int, float], count: int) -> Flows:
    """Return the rate at which each year of `count` is discounted to the one before it.

    `steps`: from which year on which rate holds; year 0 is not discounted.
    """
    rates = np.zeros(count)
    for since in sorted(steps):
        rates[max(since, 0) :] = steps[since]
    return rates


def discount_factors(steps: Mapping[int, float], count: int) -> Flows:
    """Return what one euro of each year 0 … count − 1 is worth in year 0."""
    growth = 1.0 + yearly_rates(steps, count)
    growth[:1] = 1.0
    return np.asarray(1.0 / np.cumprod(growth), np.float64)


def present_value(flows: Flows | Sequence[float], factors: Flows) -> float:
    """Return the sum of the flows, each at its factor."""
    return float(np.asarray(flows, float) @ factors[: len(flows)])


def internal_rates(flows: Flows | Sequence[float]) -> list[float]:
    """Return every rate above −100 % at which the flows are worth nothing, lowest first; [] when there is none.

    The real positive roots of the polynomial in 1 / (1 + r), each sharpened by Newton's steps.
    """
    values = np.trim_zeros(np.asarray(flows, float))
    if len(values) < 2 or not ((values > 0).any() and (values < 0).any()):
        return []
    scaled = values / np.abs(values).max()
    roots = np.roots(scaled[::-1])
    found: list[float] = []
    for root in sorted(r.real for r in roots if abs(r.imag) <= _REAL * max(1.0, abs(r)) and r.real > 0):
        sharp = _sharpened(scaled, root)
        if sharp is not None and not any(abs(sharp - known) <= 1e-6 * max(1.0, known) for known in found):
            found.append(sharp)
    return sorted(float(1.0 / x - 1.0) for x in found)


def _sharpened(values: Flows, root: float) -> float | None:
    """Return the root after Newton's steps; None when it is none (a near miss of a pair of complex ones)."""
    polynomial = np.polynomial.Polynomial(values)
    slope = polynomial.deriv()
    best, x = root, root
    for _ in range(20):
        steep = float(slope(x))
        if steep == 0.0:
            break
        x = x - float(polynomial(x)) / steep
        if not np.isfinite(x) or x <= 0:
            break
        if abs(polynomial(x)) < abs(polynomial(best)):
            best = x
    size = float(np.abs(values) @ np.power(best, np.arange(len(values))))
    return best if abs(float(polynomial(best))) <= 1e-10 * size else None


def annuity(value: float, rate: float, years: int) -> float:
    """Return the constant yearly payment, at the end of each of `years`, that is worth `value` today (EAC)."""
    if years < 1:
        raise ValueError("an annuity lasts one year at least")
    return value / years if rate == 0 else value * rate / (1.0 - (1.0 + rate) ** -years)


def payback(flows: Flows | Sequence[float]) -> float | None:
    """Return after how many years the flows have paid themselves back for good (interpolated); None when never.

    0 when they are never below nothing.
    """
    total = np.cumsum(np.asarray(flows, float))
    below = np.flatnonzero(total < 0)
    if not len(below):
        return 0.0
    last = int(below[-1])
    if last == len(total) - 1:
        return None
    return last + float(-total[last] / (total[last + 1] - total[last]))


def discounted_payback(flows: Flows | Sequence[float], factors: Flows) -> float | None:
    """Return the same of flows at their factors."""
    values = np.asarray(flows, float)
    return payback(values * factors[: len(values)])
