"""The cheapest subscribed power for what a point really draws, for small points (up to 36 kVA, C5) and larger ones.

A small point that exceeds its power trips; a larger one pays for it. The prices are the bill's own, given by the reader; the steps
of small contracts are those of the network's catalogue (3 to 36 kVA).
"""

import math
from collections.abc import Sequence

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["SMALL_STEPS_KVA", "Advice", "advise"]

SMALL_STEPS_KVA = (3, 6, 9, 12, 15, 18, 24, 30, 36)
_MARGIN = 1.1  # a small contract that trips costs more than a step
_LEAST_DAYS = 300


class Advice(msgspec.Struct, frozen=True):
    """The power to subscribe, what it costs a year against today's, and how sure that is."""

    now_kva: float
    best_kva: float
    highest_kva: float
    now_euros: float
    best_euros: float
    saved_euros: float
    exceeded_days: int  # with the power of today
    sure: bool  # a year, winter included, was looked at


def advise(
    daily_kva: Sequence[float], now_kva: float, euro_per_kva: float, euro_per_excess_kva: float = 0.0
) -> Advice:
    """Return the cheapest power for the highest powers of days (kVA). `euro_per_excess_kva`: price of a kVA above, a day; 0 for a
    small point, which must not exceed. Raises `Problem` when nothing was measured."""
    powers = [p for p in daily_kva if math.isfinite(p) and p >= 0]
    if not powers:
        raise Problem(
            Text("Aucune puissance maximale connue", "No highest power is known"),
            Text("Importez un flux R151, ou une courbe de charge.", "Import a flow R151, or a load curve."),
        )
    highest = max(powers)
    small = now_kva <= SMALL_STEPS_KVA[-1] and highest * _MARGIN <= SMALL_STEPS_KVA[-1]
    choices: list[float] = (
        list(SMALL_STEPS_KVA)
        if small
        else [float(k) for k in range(37, max(math.ceil(highest), math.ceil(now_kva), 37) + 2)]
    )
    if small:
        choices = [c for c in choices if c >= highest * _MARGIN]

    def cost(kva: float) -> float:
        excess = sum(max(p - kva, 0.0) for p in powers) * 365 / len(powers)
        return kva * euro_per_kva + excess * euro_per_excess_kva

    best = (
        min(choices, key=lambda k: (cost(k), k))
        if small or euro_per_excess_kva > 0
        else float(max(math.ceil(highest), 37))
    )
    return Advice(
        now_kva, best, highest, cost(now_kva), cost(best), cost(now_kva) - cost(best), sum(p > now_kva for p in powers),
        len(powers) >= _LEAST_DAYS,
    )  # fmt: skip
