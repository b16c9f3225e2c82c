"""A rating as a table: what is kept with a version, and read at each new level."""

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.services.water.rating.curve import Estimate
from beffroi.services.water.rating.tracking import ShiftTracker

__all__ = ["RatingTable", "table_of"]

Array = NDArray[np.float64]
_ROWS = 60
_BEYOND = 0.5  # of the gauged reach, drawn above it


class RatingTable(msgspec.Struct, frozen=True):
    """Stages (m, ascending) with their discharges and 90 % intervals (m³/s); `lowest` to `highest` were gauged."""

    stages: tuple[float, ...]
    discharges: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    lowest: float
    highest: float
    zero: float

    def read(self, stage: float) -> Estimate:
        """Return the discharge at a stage, flagged where no gauging supports it. Between rows, ln Q is straight."""
        if not math.isfinite(stage):
            return Estimate(math.nan, math.nan, math.nan, ("no_stage",))
        if stage <= self.zero:
            return Estimate(0.0, 0.0, 0.0, ("below_zero_flow",))
        value, low, high = (
            math.exp(float(np.interp(stage, self.stages, np.log(np.maximum(column, 1e-9)))))
            for column in (self.discharges, self.lows, self.highs)
        )
        if stage > self.stages[-1]:
            return Estimate(value, value, math.inf, ("above_curve",))
        if stage > self.highest:
            return Estimate(value, low, high, ("extrapolated_high",))
        return Estimate(value, low, high, ("extrapolated_low",) if stage < self.lowest else ())

    def stage_of(self, discharge: float) -> float:
        """Return the stage at which the river carries a discharge. Above the curve's end its last piece is carried on: a
        flood larger than any gauged must not be told lower than it is."""
        flows = np.maximum(self.discharges, 1e-9)
        if discharge <= flows[-1]:
            return float(np.interp(np.log(max(discharge, 1e-9)), np.log(flows), self.stages))
        depths = np.array(self.stages[-2:]) - self.zero
        power = math.log(flows[-1] / flows[-2]) / math.log(depths[1] / depths[0])
        return float(self.zero + depths[1] * (discharge / flows[-1]) ** (1 / power))


def table_of(tracker: ShiftTracker, at: float, lowest: float, highest: float) -> RatingTable:
    """Return the table of a tracked curve at an instant, from near zero flow to above the highest gauging."""
    zero, spread = tracker.zero()
    top = highest + _BEYOND * max(highest - zero, 0.2)
    bottom = min(zero + max(0.25 * spread, 0.01), lowest)
    depths = np.geomspace(max(bottom - zero, 0.005), max(top - zero, 0.02), _ROWS)
    stages = zero + depths
    said = tracker.curve(at, [float(h) for h in stages])
    discharges, lows, highs = (
        tuple(round(getattr(one, name), 5) for one in said) for name in ("discharge", "low", "high")
    )
    return RatingTable(
        tuple(round(float(h), 4) for h in stages), discharges, lows, highs, lowest, highest, round(zero, 4)
    )
