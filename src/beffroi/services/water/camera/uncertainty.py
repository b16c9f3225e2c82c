"""The interval of a discharge by Monte Carlo (JCGM 101), and how much of it each source brings.

Every source is drawn for itself: the surface coefficient, the level, the bed, the ground control, the time between
frames, the displacements, what was filled, and how few verticals there are. The budget is the share of the variance.
"""

from typing import Any

import msgspec
import numpy as np

from beffroi.services.water.camera.discharge import Discharge, filled, widths_of

__all__ = ["SOURCES", "Sigmas", "Spread", "spread_of"]

Array = np.ndarray[Any, Any]
SOURCES = ("alpha", "level", "bathymetry", "control", "time", "displacement", "fill", "verticals")
_DRAWS = 2000
_BED_SHARE = 0.03  # of the depth, where the survey does not say
_BED_LEAST_M = 0.01
_BED_WHOLE = 0.25  # share of the bed's error that is common to all verticals (the zero of the survey)
_FILLED = 0.2  # relative, of what was not measured


class Sigmas(msgspec.Struct, frozen=True, kw_only=True):
    """Standard deviations of the sources, relative unless named otherwise."""

    alpha: float = 0.03
    level_m: float = 0.01
    bed_m: float = 0.0  # of each depth; 0: 3 % of it, 1 cm at least
    control: float = 0.01
    scale_per_m: float = 0.0  # relative change of lengths for a metre of water: one over the camera's height
    time: float = 0.005
    pace: float = 0.0  # of the whole sequence, from how its pairs differ
    verticals: float = 0.005


class Spread(msgspec.Struct, frozen=True):
    """A 95 % interval, and the share of the variance from each source."""

    low: float
    high: float
    budget: dict[str, float]


def spread_of(
    found: Discharge,
    stations: Array,
    depths: Array,
    sigma: Array,
    alpha: float,
    sigmas: Sigmas,
    surveyed: Array | None = None,
) -> Spread:
    """Return the interval of a discharge; `sigma` is the standard error in m/s of each vertical's surface velocity.

    `surveyed`: the stations at which the bed was sounded (those of the verticals when None): between two of them the depth
    is wrong as they are, however many verticals are taken there.
    """
    rng = np.random.default_rng(1)  # the same measurement has the same interval
    n = len(stations)
    widths = widths_of(stations)
    bed = np.maximum(sigmas.bed_m or _BED_SHARE * depths, 0.0 if sigmas.bed_m else _BED_LEAST_M)
    bed = np.where(depths > 0, bed, 0.0)
    own, common = np.sqrt(1 - _BED_WHOLE) * bed, np.sqrt(_BED_WHOLE) * bed
    z = {name: rng.standard_normal((_DRAWS, 1)) for name in SOURCES}
    knots = stations if surveyed is None else surveyed
    between = np.stack([np.interp(stations, knots, one) for one in np.eye(len(knots))])
    sounded, moved = rng.standard_normal((_DRAWS, len(knots))) @ between, rng.standard_normal((_DRAWS, n))
    level_m = z["level"] * sigmas.level_m
    draws: dict[str, tuple[Any, Any, Any]] = {  # what is multiplied, added to depths, added to speeds
        "alpha": (1 + z["alpha"] * sigmas.alpha, 0, 0),
        "level": (1 + level_m * sigmas.scale_per_m, np.where(depths > 0, level_m, 0), 0),
        "bathymetry": (1, sounded * own + z["bathymetry"] * common, 0),
        "control": (1 + z["control"] * sigmas.control, 0, 0),
        "time": (1 + z["time"] * np.hypot(sigmas.time, sigmas.pace), 0, 0),
        "displacement": (1, 0, moved * np.where(found.measured, sigma, 0)),
        "fill": (1, 0, np.where(found.measured, 0, z["fill"] * _FILLED * found.speeds)),
        "verticals": (1 + z["verticals"] * sigmas.verticals, 0, 0),
    }

    def discharge(names: tuple[str, ...]) -> Array:
        factor: Any = 1.0
        depth, speed = np.broadcast_to(depths, (_DRAWS, n)), np.broadcast_to(found.speeds, (_DRAWS, n))
        for name in names:
            times, deeper, faster = draws[name]
            factor, depth, speed = factor * times, depth + deeper, speed + faster
        if "displacement" in names and not found.measured.all() and found.measured.any():
            speed = speed + _carried(found, stations, depths, np.asarray(speed - found.speeds))
        total = (speed * np.maximum(depth, 0) * widths).sum(1) * alpha
        return np.asarray(total * np.ravel(factor))

    whole = discharge(SOURCES)
    low, high = np.percentile(whole, (2.5, 97.5))
    parts = {name: float(np.var(discharge((name,)))) for name in SOURCES}
    total = sum(parts.values()) or 1.0
    return Spread(float(low), float(high), {name: round(v / total, 4) for name, v in parts.items()})


def _carried(found: Discharge, stations: Array, depths: Array, errors: Array) -> Array:
    """Return what the errors of measured verticals bring to those that were filled from them."""
    gaps = np.flatnonzero(~found.measured)
    unit = np.zeros((len(stations), len(stations)))
    for j in np.flatnonzero(found.measured):
        one = np.zeros(len(stations))
        one[j] = 1.0
        unit[j] = filled(stations, depths, one, found.measured)
    share = np.zeros_like(unit)
    share[:, gaps] = unit[:, gaps]
    return np.asarray(errors @ share)
