"""Follow a rating curve while the bed moves: each gauging corrects what is known of the stage of zero flow.

A hidden state, the stage of zero flow h₀, drifts slowly and sometimes jumps (a flood scours or fills the bed); the shape
of the curve above it stays. The law of h₀ is kept exactly, on a grid, for each curve of a bank of shapes; each gauging
multiplies it by its likelihood (Bayes), and weighs the shapes. So an old gauging still teaches the shape, a recent one
the level, a flood gauging little of the level (its discharge hardly depends on it), and the stage itself already tells of
a shift: a stage below zero flow can only mean that zero moved.

Drift and jumps as in the stage-period-discharge models (Mansanarez et al., Water Resources Research 55, 2019,
doi:10.1029/2018WR023389); the filter on a grid as in Kitagawa (JASA 82, 1987). The figures below are general: the same
for every station, in metres and years.
"""

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.services.water.rating.curve import Estimate

__all__ = ["Seen", "ShiftTracker"]

Array = NDArray[np.float64]

_EXPONENT, _EXPONENT_SD = 1.8, 0.3  # of natural controls
_EXPONENTS = np.array([1.4, 1.6, 1.8, 2.0, 2.2, 2.4])
_BENDS, _BEND_SD = np.array([-0.2, 0.0, 0.2]), 0.2  # change of exponent above the break
_DRIFT = 0.02  # m per square root of a year
_BETWEEN_JUMPS = 1.5  # years
_JUMP = 0.1  # m, scale of the Laplace law of a jump
_SHAPE_ERROR = 0.06  # of ln Q: what a smooth curve does not know of a real control
_HIGH_ERROR = 0.08  # of ln Q, for each unit of ln depth above the break
_STAGE_ERROR = 0.005  # m
_SIGMA_SHARE = 0.65  # stated uncertainties lie between one and two standard deviations
_TAIL = 5.0  # degrees of freedom of Student's law: a wrong gauging must not carry the curve away
_CLIMATE = 1.5  # how much wider than the gaugings seen the discharges to come may be
_SHIFT = 0.5  # probability of a jump from which it is called one
_CELL = 0.01  # m
_CELLS = 480
_YEAR_S = 365.25 * 86_400
_Z = math.sqrt(3.0)  # Gauss–Hermite nodes of three: 0 and ± √3 σ, weights 2/3, 1/6, 1/6
_NONE = 1e-12
_DRY = -40.0  # ln of no discharge


class Seen(msgspec.Struct, frozen=True):
    """What is known at one time and stage: the law of zero flow, ln Q and its variance, for each shape and cell."""

    at: float
    stage: float
    law: Array
    jumped: Array  # the part of `law` that came by a jump
    log_q: Array
    variance: Array
    above: NDArray[np.bool_]


class ShiftTracker:
    """The moving curve of one station. Give it gaugings in the order of time; ask it for the discharge at a stage."""

    def __init__(self, gaugings: list[tuple[float, float, float, float]]) -> None:
        """Learn from past `gaugings`: (seconds, stage in m, discharge in m³/s, relative sigma), at least one."""
        stages = np.array([g[1] for g in gaugings])
        reach = max(1.0, float(np.ptp(stages)))
        self._reach = reach
        self._break = math.log(reach / 5)
        self._cell = max(_CELL, 2.0 * reach / _CELLS)
        low = float(stages.min()) - 0.4 * reach - 0.4
        self._grid = np.arange(low, float(stages.max()), self._cell)
        self.shifts: list[float] = []
        wide = _shapes(np.repeat(np.arange(-2.0, 7.1, 0.35)[:, None], len(_EXPONENTS), axis=1), np.zeros(1))
        self._begin(wide)
        for gauging in gaugings:
            self.take(*gauging)
        self._begin(self._near())
        self.shifts = []
        for gauging in gaugings:
            self.take(*gauging)

    def _begin(self, shapes: Array) -> None:
        self._scale, self._exponent, self._bend = (shapes[:, i : i + 1] for i in range(3))
        self._weight = (
            -0.5 * ((shapes[:, 1] - _EXPONENT) / _EXPONENT_SD) ** 2 - 0.5 * (shapes[:, 2] / _BEND_SD) ** 2
        )
        self._law: Array | None = None
        self._at = -math.inf
        self._logs: list[float] = []

    def _near(self) -> Array:
        """Return a bank of shapes about the scale that suits each exponent."""
        share = _shares(self._weight)
        centres = [
            np.average(self._scale[m, 0], weights=share[m] + _NONE)
            for m in (np.isclose(self._exponent[:, 0], e) for e in _EXPONENTS)
        ]
        steps = np.arange(-3, 4) * 0.15
        return _shapes(np.array(centres)[None] + steps[:, None], _BENDS)

    def look(self, at: float, stage: float) -> Seen:
        """Return what is known at the instant `at` (seconds, not before the last gauging) with the river at `stage`."""
        self._hold(stage)
        law, jumped = self._moved(at, stage)
        log_q, variance, above = self._reading(stage)
        seen = np.where(above, 1.0, 0.0) * np.ones_like(log_q)
        if len(self._logs) >= 5:
            middle, spread = np.mean(self._logs), max(float(np.std(self._logs)) * _CLIMATE, 0.5)
            # how likely a discharge is, per metre of stage
            safe = np.where(above, stage - self._grid, 1.0)
            slope = self._exponent + self._bend * (np.log(safe)[None] > self._break)
            seen = seen * np.exp(-0.5 * ((log_q - middle) / spread) ** 2) * slope / safe
        total = np.maximum((law * seen).sum(axis=1, keepdims=True), 1e-300)
        return Seen(at, stage, law * seen / total, jumped * seen / total, log_q, variance, above)

    def take(self, at: float, stage: float, discharge: float, sigma: float, seen: Seen | None = None) -> None:
        """Learn from one gauging (`sigma`: its relative uncertainty)."""
        known = seen or self.look(at, stage)
        variance = known.variance + (_SIGMA_SHARE * sigma) ** 2
        log_q = math.log(discharge)
        away = (log_q - known.log_q) ** 2 / variance
        like = np.where(known.above, (1 + away / _TAIL) ** (-(_TAIL + 1) / 2) / np.sqrt(variance), 0.0)
        after = known.law * like
        total = np.maximum(after.sum(axis=1, keepdims=True), 1e-300)
        self._weight = self._weight + np.log(total[:, 0])
        jump = (known.jumped * like).sum(axis=1) / total[:, 0]
        if self._law is not None and float(_shares(self._weight) @ jump) > _SHIFT:
            self.shifts.append(at)
        self._law = after / total
        self._at = at
        self._logs.append(log_q)

    def estimate(self, seen: Seen, sigma: float = 0.0) -> Estimate:
        """Return the median discharge and its 90 % interval; with `sigma`, that of a gauging so uncertain."""
        share = seen.law * _shares(self._weight)[:, None]
        kept = share > _NONE * share.max()
        noise = (_SIGMA_SHARE * sigma) ** 2
        w, log_q, sd = share[kept], seen.log_q[kept], np.sqrt(seen.variance[kept] + noise)
        middle = _quantiles(log_q, w, (0.5,))[0]
        spread = np.concatenate([log_q, log_q - _Z * sd, log_q + _Z * sd])
        low, high = _quantiles(spread, np.concatenate([w * 4, w, w]), (0.05, 0.95))
        return Estimate(math.exp(middle), math.exp(low), math.exp(high))

    def curve(self, at: float, stages: list[float]) -> list[Estimate]:
        """Return the discharge at each stage by what the gaugings alone say: a stage below zero flow is no discharge, where
        `estimate` reads in it that zero moved. More stage is more discharge in all three figures."""
        law, _ = self._moved(at, max(stages))
        share = (law / law.sum(axis=1, keepdims=True)) * _shares(self._weight)[:, None]
        found = []
        for stage in stages:
            log_q, variance, above = self._reading(stage)
            log_q = np.where(above, log_q, _DRY)
            kept = share > _NONE * share.max()
            w, values, sd = share[kept], log_q[kept], np.sqrt(np.where(above, variance, 0.0)[kept])
            middle = _quantiles(values, w, (0.5,))[0]
            spread = np.concatenate([values, values - _Z * sd, values + _Z * sd])
            low, high = _quantiles(spread, np.concatenate([w * 4, w, w]), (0.05, 0.95))
            value, least, most = (math.exp(v) if v > _DRY / 2 else 0.0 for v in (middle, low, high))
            found.append(Estimate(value, least, most))
        return found

    def _reading(self, stage: float) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Return ln Q and its variance for each shape and cell, and where the stage is above zero flow."""
        depth = stage - self._grid
        above = depth > 0.6 * self._cell
        safe = np.where(above, depth, 1.0)
        log_depth = np.log(safe)[None]
        up = np.maximum(log_depth - self._break, 0.0)
        log_q = self._scale + self._exponent * log_depth + self._bend * up
        slope = self._exponent + self._bend * (up > 0)
        variance = _SHAPE_ERROR**2 + (slope * _STAGE_ERROR / safe) ** 2 + (_HIGH_ERROR * up) ** 2
        return log_q, variance, above

    def zero(self) -> tuple[float, float]:
        """Return the mean and standard deviation of the stage of zero flow now, in m."""
        if self._law is None:
            return math.nan, math.nan
        law = _shares(self._weight) @ self._law
        mean = float(law @ self._grid)
        return mean, math.sqrt(max(float(law @ (self._grid - mean) ** 2), 0.0))

    def _hold(self, stage: float) -> None:
        """Lengthen the grid downwards when the river is near its end, upwards when zero flow might be above it."""
        below = int(max(0.0, math.ceil((self._grid[0] + 0.2 * self._reach - stage) / self._cell)))
        over = int(max(0.0, math.ceil((stage - self._grid[-1]) / self._cell)))
        if not below and not over:
            return
        self._grid = self._grid[0] + self._cell * np.arange(-below, len(self._grid) + over)
        if self._law is not None:
            self._law = np.pad(self._law, ((0, 0), (below, over)))

    def _moved(self, at: float, stage: float) -> tuple[Array, Array]:
        """Return the law of zero flow after the time since the last gauging, and the part of it that jumped."""
        n = len(self._scale)
        if self._law is None:
            depth = np.maximum(stage - self._grid, _NONE)
            law = np.where(
                stage - self._grid > self._cell / 2,
                np.exp(-0.5 * np.log(depth / (0.12 * self._reach)) ** 2) / np.maximum(depth, self._cell),
                0.0,
            )
            first = np.repeat((law / law.sum())[None], n, axis=0)
            return first, np.zeros_like(first)
        years = max(at - self._at, 0.0) / _YEAR_S
        jump = 1 - math.exp(-years / _BETWEEN_JUMPS)
        cells = len(self._grid)
        frequency = 2 * np.pi * np.fft.rfftfreq(2 * cells, self._cell)
        drift = (1 - jump) * np.exp(-0.5 * _DRIFT**2 * years * frequency**2)
        leap = jump / (1 + 0.5 * (_JUMP * frequency) ** 2)
        waves = np.fft.rfft(self._law, 2 * cells, axis=1)
        stayed = np.fft.irfft(waves * drift, axis=1)[:, :cells]
        jumped = np.maximum(np.fft.irfft(waves * leap, axis=1)[:, :cells], 0.0)
        return np.maximum(stayed + jumped, _NONE), jumped


def _shapes(scales: Array, bends: Array) -> Array:
    """Return the bank of shapes (ln scale, exponent, bend), from scales (k, exponents) and bends."""
    exponents = np.broadcast_to(_EXPONENTS, scales.shape)
    each = np.stack([scales.ravel(), exponents.ravel()], axis=1)
    return np.column_stack([np.repeat(each, len(bends), axis=0), np.tile(bends, len(each))])


def _shares(log_weight: Array) -> Array:
    weight = np.exp(log_weight - log_weight.max())
    return np.asarray(weight / weight.sum())


def _quantiles(values: Array, weights: Array, at: tuple[float, ...]) -> list[float]:
    order = np.argsort(values)
    climbed = np.cumsum(weights[order])
    return [float(np.interp(p, climbed / climbed[-1], values[order])) for p in at]
