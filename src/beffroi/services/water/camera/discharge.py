"""Discharge by the velocity-area method (ISO 748), from the surface velocity at the verticals of a wetted section."""

from typing import Any

import msgspec
import numpy as np

__all__ = ["FILLS", "Discharge", "discharge_of", "filled"]

Array = np.ndarray[Any, Any]
FILLS = ("froude", "linear", "zero")


class Discharge(msgspec.Struct, frozen=True, eq=False):
    """A discharge in m³/s and what it is made of, vertical by vertical."""

    value: float  # by mid-section
    trapezoid: float
    measured_share: float  # of the discharge, through verticals that were measured
    speeds: Any  # surface, m/s, gaps filled
    measured: Any
    way: int  # 1: the water goes towards the left of the section's line, -1: to its right


def filled(stations: Array, depths: Array, speeds: Array, measured: Array, rule: str = "froude") -> Array:
    """Return the speeds with what was not measured filled.

    froude: the Froude number is interpolated between neighbours and held to the banks, so that speed follows the square
    root of the depth. linear: from neighbour to neighbour and to nothing at the banks. zero: nothing flows there.
    """
    if rule == "zero" or not measured.any():
        return np.where(measured, speeds, 0.0)
    if rule == "linear":
        at = np.r_[stations[0], stations[measured], stations[-1]]
        return np.where(measured, speeds, np.interp(stations, at, np.r_[0.0, speeds[measured], 0.0]))
    number = speeds[measured] / np.sqrt(np.maximum(depths[measured], 1e-3))
    held = np.interp(stations, stations[measured], number) * np.sqrt(depths)
    return np.where(measured, speeds, held)


def widths_of(stations: Array) -> Array:
    """Return the width that stands for each vertical: half way to its neighbours, the outermost to the banks."""
    edges = np.r_[stations[0], (stations[1:] + stations[:-1]) / 2, stations[-1]]
    return np.diff(edges)


def discharge_of(
    stations: Array,
    depths: Array,
    across: Array,
    measured: Array,
    alpha: float,
    way: int = 0,
    rule: str = "froude",
) -> Discharge:
    """Return the discharge; `across` is the signed speed through the section, `way` 0 takes that of most water."""
    measured = measured & np.isfinite(across) & (depths > 0)
    signed = np.where(measured, across, 0.0)
    way = way or (1 if float(np.sum(signed * depths)) >= 0 else -1)
    speeds = filled(stations, depths, np.where(measured, way * across, np.nan), measured, rule)
    parts = alpha * speeds * depths * widths_of(stations)
    value = float(parts.sum())
    trapezoid = float(alpha * np.trapezoid(speeds * depths, stations))
    through = float(np.abs(parts[measured]).sum() / max(float(np.abs(parts).sum()), 1e-12))
    return Discharge(value, trapezoid, through, speeds, measured, way)
