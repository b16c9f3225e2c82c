"""Movement of a slope: how fast a crack opens, a point moves or an instrument tilts. Pure.

Velocity is the slope of Theil and Sen (the median of the slopes of pairs), which one bad value does not move.
"""

import statistics
from collections.abc import Sequence
from itertools import combinations

from beffroi.model.instant import DAY_US

__all__ = ["MOST", "velocity_per_day"]

MOST = 120  # values: 7,140 pairs


def velocity_per_day(values: Sequence[tuple[int, float]]) -> float | None:
    """Return the change a day of `(instant_us, value)` pairs; None of less than three values or of less than an hour."""
    step = max(1, -(-len(values) // MOST))
    kept = values[::step]
    if len(kept) < 3 or kept[-1][0] - kept[0][0] < DAY_US // 24:
        return None
    slopes = [(b[1] - a[1]) * DAY_US / (b[0] - a[0]) for a, b in combinations(kept, 2) if b[0] > a[0]]
    return statistics.median(slopes) if slopes else None
