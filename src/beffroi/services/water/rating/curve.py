"""The rating curve: discharge from stage, by a power law of several segments."""

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = ["Estimate", "RatingCurve", "columns"]

Array = NDArray[np.float64]
_Z90 = 1.6448536269514722  # of the normal law: 90 % lie within ± that many standard deviations
_NEAREST = 1e-9  # a stage at or below zero flow is given no discharge; this only keeps the logarithm finite


def columns(stage: Array, offsets: Array, breaks: Array) -> Array:
    """Return the columns of log Q for each of m curves: shape (m, stages, 2 + segments more).

    `offsets` (m,) are stages of zero flow, `breaks` (m, j) the stages where the exponent changes.
    """
    depth = np.log(np.maximum(stage[None] - offsets[:, None], _NEAREST))
    parts = [np.ones_like(depth), depth]
    above = np.log(breaks - offsets[:, None])
    parts.extend(np.maximum(depth - above[:, j : j + 1], 0.0) for j in range(breaks.shape[1]))
    return np.stack(parts, axis=-1)


class Estimate(msgspec.Struct, frozen=True):
    """A discharge read on a curve: its value, its 90 % interval, and what to think of it."""

    discharge: float
    low: float
    high: float
    flags: tuple[str, ...] = ()


class RatingCurve(msgspec.Struct, frozen=True):
    """ln Q = a + b₀ ln(h − h₀) + Σ bⱼ max(ln(h − h₀) − ln(kⱼ − h₀), 0): continuous, one exponent a segment.

    Units are those of the gaugings. `offset` is h₀, the stage of zero flow; `breaks` are the kⱼ; `lowest` and `highest`
    are the stages gauged; `scatter` is the standard deviation of ln Q about the curve.
    """

    offset: float
    breaks: tuple[float, ...]
    coefficients: tuple[float, ...]  # a, b₀, b₁ …
    lowest: float
    highest: float
    scatter: float

    @property
    def exponents(self) -> tuple[float, ...]:
        """The exponent of each segment, from the bed upwards."""
        return tuple(float(e) for e in np.cumsum(self.coefficients[1:]))

    def discharges(self, stages: Sequence[float] | Array) -> Array:
        """Return the discharge at each stage; 0 at and below zero flow, NaN for NaN."""
        stage = np.asarray(stages, dtype=np.float64)
        built = columns(stage, np.array([self.offset]), np.array([self.breaks]).reshape(1, -1))[0]
        found: Array = np.exp(built @ np.array(self.coefficients))
        return np.where(stage <= self.offset, 0.0, found) + np.where(np.isnan(stage), np.nan, 0.0)

    def estimate(self, stage: float) -> Estimate:
        """Return the discharge at `stage` with its interval, which widens away from what was gauged."""
        if not math.isfinite(stage):
            return Estimate(math.nan, math.nan, math.nan, ("no_stage",))
        if stage <= self.offset:
            return Estimate(0.0, 0.0, 0.0, ("below_zero_flow",))
        value = float(self.discharges([stage])[0])
        flag, away = self._beyond(stage)
        # one doubling of the depth beyond the gaugings is worth ± 30 % (ISO 18320 asks to say so, not how much)
        spread = _Z90 * math.hypot(self.scatter, 0.3 * away)
        return Estimate(value, value * math.exp(-spread), value * math.exp(spread), flag)

    def _beyond(self, stage: float) -> tuple[tuple[str, ...], float]:
        """Return the flag of an extrapolation and how many doublings of depth away it is."""
        if stage > self.highest:
            edge = max(self.highest - self.offset, _NEAREST)
            return ("extrapolated_high",), math.log2((stage - self.offset) / edge)
        if stage < self.lowest:
            edge = max(self.lowest - self.offset, _NEAREST)
            return ("extrapolated_low",), math.log2(edge / (stage - self.offset))
        return (), 0.0
