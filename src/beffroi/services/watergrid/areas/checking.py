"""Meters that are stopped, turn backwards or are too large for what passes: the balance of their area is wrong."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Verdict", "check_meter"]

Array = NDArray[np.float64]
_STOPPED_H = 48
_LOW_SHARE = 0.01  # of Q3: below the transitional flow, a meter of class R100 no longer counts well (OIML R 49, Q2 = 1.6 Q3/R)
_OFTEN, _BACK = 0.6, 0.05


class Verdict(NamedTuple):
    """`state` of the meter, and since how many hours for a stopped one."""

    state: str
    hours: int = 0


def check_meter(flow: Array, nominal_m3h: float | None, usual_m3h: float | None = None) -> Verdict:
    """Judge a meter by its last hours (m³/h, NaN unknown), its permanent flow Q3, and what it usually counts.

    Stopped: exactly the same value for two days where it used to move. Backward: negative for one hour in twenty.
    Oversized: below a hundredth of Q3 for six hours in ten, and never near Q3.
    """
    seen = flow[np.isfinite(flow)]
    if len(seen) < _STOPPED_H:
        return Verdict("ok")
    if (seen < 0).mean() > _BACK:
        return Verdict("backward")
    still = (
        len(seen) - int(np.flatnonzero(seen != seen[-1])[-1]) - 1 if (seen != seen[-1]).any() else len(seen)
    )
    if still >= _STOPPED_H and (usual_m3h or float(np.abs(seen).max())) > 0:
        return Verdict("stopped", still)
    if nominal_m3h and (seen < _LOW_SHARE * nominal_m3h).mean() > _OFTEN and seen.max() < 0.3 * nominal_m3h:
        return Verdict("oversized")
    return Verdict("ok")
