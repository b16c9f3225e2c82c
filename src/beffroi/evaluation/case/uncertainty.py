"""Uncertainty: which hypothesis moves the result, where it would turn, and how likely it is below nothing."""

from typing import Any

import msgspec
import numpy as np

from beffroi.evaluation.case.compute import van_of
from beffroi.evaluation.case.flows import Array
from beffroi.evaluation.case.model import BusinessCase, Hypothesis

__all__ = ["DRAWS", "Bar", "Simulation", "Switch", "simulate", "switching_values", "tornado"]

DRAWS = 10_000
_GRID = 401
_REACH = 10.0
_Z95 = 1.6448536269514722


class Bar(msgspec.Struct, frozen=True):
    """One bar of a tornado: the result with one quantity at its low and at its high, the others unchanged."""

    name: str
    low: float
    high: float
    van_low: float
    van_high: float

    @property
    def width(self) -> float:
        """Return how far the result moves."""
        return abs(self.van_high - self.van_low)


class Switch(msgspec.Struct, frozen=True):
    """The value of a hypothesis, nearest to its own, at which the result is nothing; None: at none within reach."""

    name: str
    value: float
    switch: float | None

    @property
    def change(self) -> float | None:
        """Return how far that is, as a share of the hypothesis."""
        return None if self.switch is None or self.value == 0 else self.switch / self.value - 1.0


class Simulation(msgspec.Struct, frozen=True):
    """What `draws` draws of the uncertain hypotheses gave."""

    draws: int
    seed: int
    mean: float
    deviation: float
    p05: float
    p50: float
    p95: float
    below_zero: float
    bins: tuple[tuple[float, float, int], ...]


def tornado(case: BusinessCase) -> list[Bar]:
    """Return a bar for each uncertain hypothesis, for β from 0 to 2 and for the COFP from 1, the widest first."""
    bars = []
    for one in case.hypotheses.values():
        if not one.uncertain:
            continue
        low, high = (float(van_of(case, {one.name: end})) for end in (one.low, one.high))
        bars.append(Bar(one.name, one.low or 0.0, one.high or 0.0, low, high))
    if not case.parameters.rate.steps:
        bars.append(Bar("beta", 0.0, 2.0, float(van_of(case, beta=0.0)), float(van_of(case, beta=2.0))))
    if case.public_cost > 1:
        bars.append(Bar("cofp", 1.0, case.public_cost, float(van_of(case, cofp=1.0)), float(van_of(case))))
    return sorted(bars, key=lambda bar: -bar.width)


def switching_values(case: BusinessCase) -> list[Switch]:
    """Return the value of each hypothesis at which VAN-SE is nothing, the others unchanged.

    Looked for within ten times the hypothesis (or its range) on both sides.
    """
    return [Switch(one.name, one.value, _switch(case, one)) for one in case.hypotheses.values()]


def _switch(case: BusinessCase, one: Hypothesis) -> float | None:
    span = max(abs(one.value), (one.high or one.value) - (one.low or one.value), 1e-9) * _REACH
    # a quantity that is never below nothing is not looked for there
    floor = 0.0 if one.value > 0 and (one.low or 0.0) >= 0 else one.value - span
    low, high = floor, one.value + span
    grid = np.linspace(low, high, _GRID)
    for _ in range(6):
        found = _crossing(case, one, grid)
        if found is None:
            return None
        grid = np.linspace(*found, 65)
    at = _vans(case, one, grid)
    near = int(np.argmin(np.abs(at)))
    return (
        float(grid[near])
        if abs(at[near]) <= 1e-6 * max(1.0, float(np.abs(at).max())) or len(set(np.sign(at))) > 1
        else None
    )


def _vans(case: BusinessCase, one: Hypothesis, grid: Array) -> Array:
    return np.broadcast_to(np.asarray(van_of(case, {one.name: grid[:, None]}), float), grid.shape)


def _crossing(case: BusinessCase, one: Hypothesis, grid: Array) -> tuple[float, float] | None:
    """Return the two neighbours between which the result changes sign, nearest to the hypothesis."""
    at = _vans(case, one, grid)
    safe = np.isfinite(at[:-1]) & np.isfinite(at[1:])
    turns = np.flatnonzero(safe & (np.sign(at[:-1]) != np.sign(at[1:])))
    # a pole changes the sign too, without passing through nothing
    turns = (
        turns[np.abs(at[turns] - at[turns + 1]) <= 4 * np.nanmedian(np.abs(np.diff(at))) + 1e-9]
        if len(grid) > 65
        else turns
    )
    if not len(turns):
        return None
    best = int(turns[np.argmin(np.abs((grid[turns] + grid[turns + 1]) / 2 - one.value))])
    return float(grid[best]), float(grid[best + 1])


def _draw(one: Hypothesis, chance: "np.random.Generator", count: int) -> Array:
    low, high = one.low or 0.0, one.high or 0.0
    if one.law == "uniform":
        return chance.uniform(low, high, (count, 1))
    if one.law == "normal":  # low and high are the 5 % and 95 % quantiles
        return chance.normal(one.value, (high - low) / (2 * _Z95), (count, 1))
    return chance.triangular(low, min(max(one.value, low), high), high, (count, 1))


def simulate(case: BusinessCase, draws: int = DRAWS, seed: int | None = None) -> Simulation | None:
    """Return what independent draws of the uncertain hypotheses give; None when no hypothesis has a range."""
    uncertain = [one for one in case.hypotheses.values() if one.uncertain]
    if not uncertain:
        return None
    chosen = case.seed if seed is None else seed
    chance = np.random.default_rng(chosen)
    values: dict[str, Any] = {one.name: _draw(one, chance, draws) for one in uncertain}
    found = np.broadcast_to(np.asarray(van_of(case, values), float), (draws,))
    found = found[np.isfinite(found)]
    p05, p50, p95 = (float(q) for q in np.quantile(found, (0.05, 0.5, 0.95)))
    counts, edges = np.histogram(found, 24)
    bins = tuple((float(a), float(b), int(n)) for a, b, n in zip(edges[:-1], edges[1:], counts, strict=True))
    return Simulation(
        draws, chosen, float(found.mean()), float(found.std()), p05, p50, p95, float((found < 0).mean()), bins
    )
