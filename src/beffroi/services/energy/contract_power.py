"""The cheapest subscribed power for what a point really draws, for small points (up to 36 kVA, C5) and larger ones.

A small point that exceeds its power trips; a larger one pays for it. The prices are the bill's own, given by the reader; the steps
of small contracts are those of the network's catalogue (3 to 36 kVA).
"""

import math
from collections.abc import Sequence

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["DEFAULT_EURO_KVA", "SMALL_STEPS_KVA", "Advice", "Step", "advise"]

SMALL_STEPS_KVA = (3, 6, 9, 12, 15, 18, 24, 30, 36)
_MARGIN = 1.1  # a small contract that trips costs more than a step
_LEAST_DAYS = 300
_SHOWN = 6
# a kVA a year with tax: order of magnitude of a small contract's standing charge (2026), where a point has no price of its own
DEFAULT_EURO_KVA = 12.0


class Step(msgspec.Struct, frozen=True):
    """A power that could be subscribed: euros a year, and on how many of the days looked at it would have been exceeded."""

    kva: float
    euros: float
    exceeded_days: int


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
    days: int = 0
    small: bool = True  # up to 36 kVA: what exceeds trips, and is not billed
    steps: tuple[Step, ...] = ()  # to choose from, today's and the best among them


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
    small = now_kva <= SMALL_STEPS_KVA[-1] and highest <= SMALL_STEPS_KVA[-1]
    choices: list[float] = (
        list(SMALL_STEPS_KVA)
        if small
        else [float(k) for k in range(37, max(math.ceil(highest), math.ceil(now_kva), 37) + 2)]
    )
    if small:
        choices = [c for c in choices if c >= highest * _MARGIN] or choices[-1:]

    def cost(kva: float) -> float:
        excess = sum(max(p - kva, 0.0) for p in powers) * 365 / len(powers)
        return kva * euro_per_kva + excess * euro_per_excess_kva

    best = (
        min(choices, key=lambda k: (cost(k), k))
        if small or euro_per_excess_kva > 0
        else float(max(math.ceil(highest), 37))
    )

    def exceeded(kva: float) -> int:
        return sum(p > kva for p in powers)

    return Advice(
        now_kva, best, highest, cost(now_kva), cost(best), cost(now_kva) - cost(best), exceeded(now_kva),
        len(powers) >= _LEAST_DAYS, len(powers), small,
        tuple(Step(k, cost(k), exceeded(k)) for k in _around(best, now_kva, small=small)),
    )  # fmt: skip


def _around(best: float, now: float, *, small: bool) -> list[float]:
    """Return the powers worth showing: from one below the best up to today's, or one above the best."""
    if not small:
        return sorted({now, best, *(float(round(best * share)) for share in (0.9, 1.1) if best * share > 36)})
    low, high = min(best, now), max(best, now)
    steps = [float(k) for k in SMALL_STEPS_KVA]
    lower = [k for k in steps if k < low][-1:]
    inside = [k for k in steps if low <= k <= high]
    higher = [k for k in steps if k > high][:1]
    return sorted({*lower, *inside[:_SHOWN], now, best, *higher})
