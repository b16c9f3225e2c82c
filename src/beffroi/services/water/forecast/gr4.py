"""GR4J and GR4H: rain to flow by two stores and two unit hydrographs, four parameters.

Written from the published equations: Perrin, Michel and Andréassian, Journal of Hydrology 279 (2003), 275-289,
doi:10.1016/S0022-1694(03)00225-7; hourly form: Mathevet (2005), thesis, ENGREF Paris; Ficchì et al., Journal of Hydrology
538 (2016), doi:10.1016/j.jhydrol.2016.04.016. Everything is in mm per time step; many parameter sets run at once.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = ["DAILY", "HOURLY", "Parameters", "Run", "TimeStep", "coming", "simulate", "unit_hydrographs"]

Array = NDArray[np.float64]
_ROUTED = 0.9  # share of the effective rain that goes through the routing store


class TimeStep(msgspec.Struct, frozen=True):
    """What differs between the daily and the hourly model."""

    hydrograph_exponent: float
    percolation: float  # the store percolates as if it held S / (percolation · x1)


DAILY = TimeStep(2.5, 9 / 4)
HOURLY = TimeStep(1.25, 21 / 4)


class Parameters(msgspec.Struct, frozen=True):
    """x1 capacity of the production store (mm), x2 exchange (mm/step), x3 capacity of the routing store (mm),
    x4 time base of the unit hydrograph (steps, above 0.5); each an array of the sets run at once."""

    x1: Array
    x2: Array
    x3: Array
    x4: Array

    @classmethod
    def of(cls, x1: float, x2: float, x3: float, x4: float) -> "Parameters":
        """Return one set."""
        return cls(*(np.array([float(x)]) for x in (x1, x2, x3, x4)))

    def one(self, i: int) -> "Parameters":
        """Return the i-th set alone."""
        return Parameters(*(x[i : i + 1] for x in (self.x1, self.x2, self.x3, self.x4)))


class Run(msgspec.Struct, frozen=True):
    """A simulation, arrays (steps, sets): flow, the two stores after each step (mm), effective rain, direct branch."""

    flow: Array
    production: Array
    routing: Array
    effective: Array
    direct: Array


def unit_hydrographs(x4: float, exponent: float) -> tuple[Array, Array]:
    """Return the ordinates of UH1 (base x4) and UH2 (base 2 x4)."""
    first = np.clip(np.arange(int(np.ceil(x4)) + 1) / x4, 0, 1) ** exponent
    at = np.arange(int(np.ceil(2 * x4)) + 1) / x4
    second = np.where(at < 1, 0.5 * at**exponent, 1 - 0.5 * np.clip(2 - at, 0, 1) ** exponent)
    return np.diff(first), np.diff(second)


def simulate(
    rain: Array,
    evaporation: Array,
    parameters: Parameters,
    step: TimeStep = HOURLY,
    stores: tuple[Array | float, Array | float] = (0.5, 0.5),
) -> Run:
    """Run the model from `stores` (levels of production and routing at the start, as shares of x1 and x3)."""
    effective, production = _produce(rain, evaporation, parameters.x1, step, stores[0])
    steps, sets = effective.shape
    routed, direct = np.empty((steps, sets)), np.empty((steps, sets))
    for i in range(sets):
        one, two = unit_hydrographs(float(parameters.x4[i]), step.hydrograph_exponent)
        routed[:, i] = np.convolve(_ROUTED * effective[:, i], one)[:steps]
        direct[:, i] = np.convolve((1 - _ROUTED) * effective[:, i], two)[:steps]
    x2, x3 = parameters.x2, parameters.x3
    level = np.asarray(stores[1]) * x3
    flow, routing = np.empty((steps, sets)), np.empty((steps, sets))
    for t in range(steps):
        level, flow[t] = _route(level, routed[t], direct[t], x2, x3)
        routing[t] = level
    return Run(flow, production, routing, effective, direct)


def coming(run: Run, routing: Array, parameters: Parameters, leads: int, step: TimeStep = HOURLY) -> Array:
    """Return the flow of each of the next `leads` steps if no more rain falls, from every step: (leads, steps).

    For one set of parameters; `routing` (steps,) is the routing store to start from, which may have been corrected.
    """
    one, two = unit_hydrographs(float(parameters.x4[0]), step.hydrograph_exponent)
    rain = run.effective[:, 0]
    level, flows = routing, []
    for lead in range(1, leads + 1):
        routed = _still(_ROUTED * rain, one, lead)
        direct = _still((1 - _ROUTED) * rain, two, lead)
        level, flow = _route(level, routed, direct, parameters.x2, parameters.x3)
        flows.append(flow)
    return np.array(flows)


def _still(rain: Array, hydrograph: Array, lead: int) -> Array:
    """Return what rain fallen up to each step still brings `lead` steps later."""
    rest = hydrograph[lead:]
    return np.convolve(rain, rest)[: len(rain)] if len(rest) else np.zeros(len(rain))


def _route(level: Array, routed: Array, direct: Array, x2: Array, x3: Array) -> tuple[Array, Array]:
    """Return the routing store and the flow after one step."""
    exchange = x2 * (level / x3) ** 3.5
    level = np.maximum(level + routed + exchange, 0.0)
    kept = level * (1 + (level / x3) ** 4) ** -0.25
    return kept, level - kept + np.maximum(direct + exchange, 0.0)


def _produce(
    rain: Array, evaporation: Array, x1: Array, step: TimeStep, share: Array | float
) -> tuple[Array, Array]:
    """Return the effective rain and the production store, (steps, sets)."""
    net_rain, thirst = np.maximum(rain - evaporation, 0.0), np.maximum(evaporation - rain, 0.0)
    level = np.asarray(share) * x1
    effective, store = np.empty((len(rain), len(x1))), np.empty((len(rain), len(x1)))
    for t in range(len(rain)):
        full = level / x1
        over: Array | float = 0.0
        if net_rain[t] > 0:
            w = np.tanh(net_rain[t] / x1)
            taken = x1 * (1 - full**2) * w / (1 + full * w)
            level = level + taken
            over = net_rain[t] - taken
        elif thirst[t] > 0:
            w = np.tanh(thirst[t] / x1)
            level = level - level * (2 - full) * w / (1 + (1 - full) * w)
        kept = level * (1 + (level / (step.percolation * x1)) ** 4) ** -0.25
        effective[t] = over + level - kept
        level = kept
        store[t] = level
    return effective, store
