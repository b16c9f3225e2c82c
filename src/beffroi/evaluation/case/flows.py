"""Flows: what each line of a case is worth each year, for one set of hypotheses or for thousands at once."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beffroi.evaluation.case.model import SIGN, BusinessCase, Line

__all__ = ["Array", "base_values", "line_amounts", "net_public_spending", "signed_amounts", "social_flows"]

Array = NDArray[np.float64]


def base_values(case: BusinessCase) -> dict[str, Any]:
    """Return the value of each hypothesis."""
    return {name: h.value for name, h in case.hypotheses.items()}


def line_amounts(
    case: BusinessCase, line: Line, values: Mapping[str, Any], prices: Mapping[str, Array]
) -> Array:
    """Return the amounts of a line, a year each in the last dimension, draws (if `values` are columns) before it."""
    years = np.array(case.calendar, float)
    found: Any = np.zeros(case.years)
    first = next((t for t, amount in enumerate(line.amounts) if amount is not None), 0)
    place = 0
    parts = []
    for amount, same in groupby(line.amounts, key=lambda a: a):
        count = len(list(same))
        here = slice(place, place + count)
        place += count
        if amount is None:
            parts.append((here, np.zeros(count)))
            continue
        t = np.arange(here.start, here.stop, dtype=float)
        known = {**values, **{n: p[here] for n, p in prices.items()}, "t": t, "year": years[here]}
        value = np.asarray(amount.value({n: known[n] for n in amount.names}), float)
        if line.growth:
            value = value * (1.0 + line.growth) ** (t - first)
        parts.append((here, np.broadcast_to(value, np.broadcast_shapes(value.shape, (count,)))))
    leading = np.broadcast_shapes(*(part.shape[:-1] for _, part in parts))
    found = np.empty((*leading, case.years))
    for here, part in parts:
        found[..., here] = part
    whole: Array = found * line.deflator * (1.0 + case.optimism.get(line.kind, 0.0))
    return whole


def signed_amounts(case: BusinessCase, values: Mapping[str, Any] | None = None) -> list[Array]:
    """Return the amounts of every line, costs below zero."""
    prices = case.prices_of_year()
    known = base_values(case) | dict(values or {})
    return [SIGN[line.kind] * line_amounts(case, line, known, prices) for line in case.lines]


def social_flows(case: BusinessCase, amounts: list[Array]) -> Any:
    """Return advantages less costs of each year: transfers, and time that is not released, do not count."""
    total: Any = np.zeros(case.years)
    for line, amount in zip(case.lines, amounts, strict=True):
        if line.kind not in ("transfer", "unreleased_time"):
            total = total + amount
    return total


def net_public_spending(case: BusinessCase, amounts: list[Array]) -> Any:
    """Return what public actors spend each year, less what they receive and no longer spend (DPN)."""
    total: Any = np.zeros(case.years)
    for line, amount in zip(case.lines, amounts, strict=True):
        if not line.cash:
            continue
        if line.kind == "transfer":
            share = int(case.actors[line.to].public) - int(case.actors[line.by].public)
            total = total - share * amount
        elif case.actors[line.by].public:
            total = total - amount
    return total
