"""Clear water in sewers, by nights without rain and nights after it, and how long the overflows ran.

At night people discharge little: what flows beyond that is ground water (dry nights), and what a rainy night adds is rain that
gets in. Rain is that of the town's gauges: where none speaks, nothing is told.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Infiltration", "infiltration", "nights_of", "overflow_hours"]

Array = NDArray[np.float64]
_NIGHT = slice(20, 22)  # 02:00 to 04:00 of a day that begins at 06:00
_WET_MM, _DRY_MM, _DRY_DAYS = 3.0, 0.5, 2
_FEWEST = 3


class Infiltration(NamedTuple):
    """Clear water by dry weather and what wet weather adds, m³/h; how many nights each rests on. None: not known.

    `night_m3h`: the flow of a dry night, `legitimate_m3h`: what people discharge of it.
    """

    dry_m3h: float | None
    wet_m3h: float | None
    dry_nights: int
    wet_nights: int
    night_m3h: float | None = None
    legitimate_m3h: float = 0.0


def infiltration(flow: Array, rain_mm: Array, homes: int, legitimate_lh: float) -> Infiltration:
    """Judge days of inlet flow (days × 24 from 06:00, m³/h) by the rain of each of these days (mm)."""
    night = nights_of(flow)
    seen = np.isfinite(night) & np.isfinite(rain_mm)
    before = np.array(
        [
            rain_mm[max(0, i - _DRY_DAYS) : i + 1].sum() if i >= _DRY_DAYS else np.nan
            for i in range(len(rain_mm))
        ]
    )
    dry, wet = seen & (before <= _DRY_MM), seen & (rain_mm >= _WET_MM)
    people = homes * legitimate_lh / 1000
    base = float(np.median(night[dry])) if dry.sum() >= _FEWEST else None
    clear = None if base is None else max(base - people, 0.0)
    more = None if base is None or wet.sum() < 1 else max(float(night[wet].mean()) - base, 0.0)
    return Infiltration(clear, more, int(dry.sum()), int(wet.sum()), base, people)


def nights_of(flow: Array) -> Array:
    """Return the flow of each night, from 02:00 to 04:00, of days × 24 from 06:00."""
    with np.errstate(invalid="ignore"):
        night: Array = flow[:, _NIGHT].mean(axis=1)
    return night


def overflow_hours(share: Array, step_h: float) -> float | None:
    """Return how many hours an overflow ran, from the share of each step that it did. None when nothing is known."""
    seen = share[np.isfinite(share)]
    return float(np.clip(seen, 0, 1).sum() * step_h) if len(seen) else None
