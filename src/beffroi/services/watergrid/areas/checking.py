"""Meters that are stopped, turn backwards or are too large for what passes: the balance of their area is wrong."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["LOW_SHARE", "Verdict", "check_meter"]

Array = NDArray[np.float64]
_STOPPED_H = 48
LOW_SHARE = 0.01  # of Q3: below the transitional flow, a meter of class R100 no longer counts well (OIML R 49, Q2 = 1.6 Q3/R)
_OFTEN, _BACK = 0.6, 0.05


class Verdict(NamedTuple):
    """`state` of the meter; for how many hours it has stood still; which share of the hours is wrong; its largest flow, m³/h."""

    state: str
    hours: int = 0
    share: float = 0.0
    most_m3h: float = 0.0


def check_meter(flow: Array, nominal_m3h: float | None, *, stopped_before: bool = False) -> Verdict:
    """Judge a meter by its last hours (m³/h, NaN unknown) and its permanent flow Q3.

    Stopped: exactly the same value for two days where it used to move; it stays so, `stopped_before`, until it moves.
    Backward: negative for one hour in twenty. Oversized: below a hundredth of Q3 for six hours in ten, and never near Q3.
    """
    seen = flow[np.isfinite(flow)]
    if len(seen) < _STOPPED_H:
        return Verdict("stopped" if stopped_before else "ok")
    most = float(np.abs(seen).max())
    back = float((seen < 0).mean())
    if back > _BACK:
        return Verdict("backward", 0, back, most)
    moving = np.flatnonzero(seen != seen[-1])
    still = len(seen) - int(moving[-1]) - 1 if len(moving) else len(seen)
    if still >= _STOPPED_H and (most > 0 or stopped_before):
        return Verdict("stopped", still, still / len(seen), most)
    low = float((seen < LOW_SHARE * nominal_m3h).mean()) if nominal_m3h else 0.0
    if nominal_m3h and low > _OFTEN and 0 < most < 0.3 * nominal_m3h:
        return Verdict("oversized", 0, low, most)
    return Verdict("ok", 0, 0.0, most)
