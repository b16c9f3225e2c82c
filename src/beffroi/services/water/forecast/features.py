"""What is known at each hour, as numbers that the discharge of the next hours depends on."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.services.water.forecast.gr4 import Parameters, Run, coming, simulate

__all__ = ["Basin", "Past", "features"]

Array = NDArray[np.float64]
_TABLE = 4000
_RATIO = (0.25, 4.0)  # bounds of measured over simulated flow, by which the simulation is corrected


class Basin(msgspec.Struct, frozen=True):
    """A river as the model knows it: the four parameters, m³/s for each mm/h, an ordinary discharge (m³/s), and the
    stores at an ordinary time of each month (shares of x1 and x3, twelve of each), from which a series without a past
    begins."""

    parameters: Parameters
    m3s_per_mm: float
    ordinary: float
    usual: tuple[tuple[float, float], ...] = ((0.5, 0.5),) * 12


class Past(msgspec.Struct, frozen=True):
    """Unbroken hours: rain (mm), evaporation (mm), discharge (m³/s), and the discharge of stations upstream."""

    rain: Array
    evaporation: Array
    discharge: Array
    upstream: tuple[Array, ...] = ()
    month: int = 1  # of the first hour


def features(past: Past, basin: Basin, leads: tuple[int, ...]) -> tuple[dict[int, Array], Run]:
    """Return for each lead (h) the features of every hour, (hours, features), and the simulation they come from.

    Hour t uses nothing after t.
    """
    start = basin.usual[past.month - 1]
    run = simulate(past.rain, past.evaporation, basin.parameters, stores=start)
    scale = basin.m3s_per_mm
    simulated = run.flow[:, 0] * scale
    free = coming(run, run.routing[:, 0], basin.parameters, max(leads)) * scale
    held = (
        coming(run, _held(run, past.discharge / scale, basin.parameters), basin.parameters, max(leads))
        * scale
    )
    ratio = np.clip(past.discharge / np.maximum(simulated, 0.01 * scale), *_RATIO)
    common = [
        *_flow(past.discharge, basin.ordinary),
        *_rain(past, run),
        *_effective(run.effective[:, 0] * scale, ratio),
    ]
    for station in past.upstream:
        common += [station - past.discharge, *(_lag(station, i) - _lag(station, i + 1) for i in range(12))]
    return {
        lead: np.stack(
            [*common, (free[lead - 1] - simulated) * ratio, held[lead - 1] - past.discharge], axis=1
        )
        for lead in leads
    }, run


def _flow(q: Array, ordinary: float) -> list[Array]:
    """Return the discharge, its changes, and how it bends."""
    change, before = q - _lag(q, 1), _lag(q, 1) - _lag(q, 2)
    scale = 10 * ordinary  # only keeps the columns within sight of one another
    return [
        q, change, before, _lag(q, 2) - _lag(q, 3), _lag(q, 3) - _lag(q, 6), _lag(q, 6) - _lag(q, 12),
        _lag(q, 12) - _lag(q, 24), np.maximum(change, 0), np.maximum(before, 0), np.maximum(change - before, 0),
        q * q / scale, q * change / scale,
    ]  # fmt: skip


def _rain(past: Past, run: Run) -> list[Array]:
    """Return the rain of the last hours, and that rain on a wet ground and a high river."""
    p, q = past.rain, past.discharge
    last2, next2, next3 = _sum(p, 2), _sum(_lag(p, 2), 2), _sum(_lag(p, 4), 3)
    wet, high = run.production[:, 0], run.routing[:, 0]
    return [
        p, _lag(p, 1), next2, next3, q * _sum(p, 3), q * _sum(_lag(p, 3), 3), q * _sum(_lag(p, 6), 6),
        wet * last2, wet * next2, wet * next3, high * _sum(p, 3),
    ]  # fmt: skip


def _effective(effective: Array, ratio: Array) -> list[Array]:
    """Return the rain that makes flow, as simulated and as corrected."""
    plain = [_lag(effective, i) for i in range(10)]
    older = [_sum(_lag(effective, 10), 5), _sum(_lag(effective, 15), 9)]
    return [*plain, *older, *(column * ratio for column in plain[:8])]


def _held(run: Run, flow: Array, parameters: Parameters) -> Array:
    """Return the routing store at which the model would have given the measured `flow` (mm): what it is corrected to."""
    x2, x3 = float(parameters.x2[0]), float(parameters.x3[0])
    before = np.linspace(1e-3, 2.5 * x3, _TABLE)
    out = before - before * (1 + (before / x3) ** 4) ** -0.25
    exchange = x2 * (run.routing[:, 0] / x3) ** 3.5
    wanted = np.maximum(flow - np.maximum(run.direct[:, 0] + exchange, 0), 1e-5)
    return np.asarray(np.interp(wanted, out, before) - np.minimum(wanted, out[-1]))


def _lag(x: Array, hours: int) -> Array:
    return np.concatenate([np.full(hours, x[0]), x[:-hours]])[: len(x)] if hours else x


def _sum(x: Array, hours: int) -> Array:
    climbed = np.cumsum(np.concatenate([[0.0], x]))
    at = np.arange(len(x))
    return np.asarray(climbed[at + 1] - climbed[np.maximum(at + 1 - hours, 0)])
