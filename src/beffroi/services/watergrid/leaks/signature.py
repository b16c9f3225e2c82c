"""What a leak at each pipe does to the pressure at each sensor, by EPANET, at the hour of the night that is measured."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.watergrid.hydraulics.epanet import Project
from beffroi.services.watergrid.hydraulics.model import Model

__all__ = ["Running", "Signatures", "signatures", "standing"]

Array = NDArray[np.float64]
LEVELS_M3H = (4.0, 12.0, 28.0)
_SECONDS = 60
_LEAST_M3H = 0.3
Running = tuple[str, float]  # a pipe and what it loses, m³/h


class Signatures(msgspec.Struct, frozen=True):
    """Pressure lost at the sensors per m³/h lost at a pipe: `drop[level, pipe, sensor]` in m/(m³/h), at the flows
    `LEVELS_M3H`; `demand[sensor]`, the same for one more per cent of use."""

    pipes: tuple[str, ...]
    sensors: tuple[str, ...]
    drop: Array
    demand: Array
    calm: Array = msgspec.field(default_factory=lambda: np.zeros(0))  # what the model says of the sensors, m
    levels: tuple[float, ...] = LEVELS_M3H

    def at(self, m3_per_hour: float) -> Array:
        """Return pipes × sensors at one flow, between the levels."""
        levels = self.levels
        flow = float(np.clip(m3_per_hour, levels[0], levels[-1]))
        upper = int(np.searchsorted(levels, flow))
        if upper == 0:
            first: Array = self.drop[0]
            return first
        low, high = levels[upper - 1], levels[upper]
        share = (flow - low) / (high - low)
        between: Array = (1 - share) * self.drop[upper - 1] + share * self.drop[upper]
        return between


def signatures(
    path: Path,
    model: Model,
    sensors: Sequence[str],
    hour: float,
    running: Sequence[Running] = (),
    levels: Sequence[float] = LEVELS_M3H,
    pipes: Sequence[str] | None = None,
) -> Signatures:
    """Simulate a leak at every node in turn, or at the ends of `pipes`; a pipe is the mean of its two ends.

    `hour` of the day. `running` are leaks that draw already: the same leak costs more pressure where more water flows.
    Raises `Problem` when the model has none of the sensors.
    """
    missing = [s for s in sensors if s not in model.nodes]
    if missing:
        raise Problem(
            Text("Capteurs inconnus du modèle : {names}.", "Sensors that the model does not know: {names}.").filled(names=", ".join(missing[:10])),
            Text("Les colonnes des pressions portent le nom d'un nœud du modèle.",
                 "The columns of the pressures bear the name of a node of the model."),
            missing[0],
        )  # fmt: skip
    junctions = [n.name for n in model.nodes.values() if n.kind == "junction"]
    tried = model.pipes if pipes is None else list(pipes)
    touched = {end for p in tried for end in (model.links[p].start, model.links[p].end)}
    row = {name: i for i, name in enumerate(n for n in junctions if n in touched)}
    with Project(path) as project:
        project.clock(_SECONDS, _SECONDS)
        project.begin(int(hour * 3600))
        project.finely()
        for pipe, flow in running:
            for end in _ends(model, pipe, set(junctions)):
                project.draw(end, flow / 2, project.drain(end))
        calm = np.array(project.once(sensors))
        project.multiply(1.01)
        demand = calm - np.array(project.once(sensors))
        project.multiply(1.0)
        drop = np.zeros((len(levels), len(row) + 1, len(sensors)))
        for name, at in row.items():
            drain = project.drain(name)
            for level, flow in enumerate(levels):
                project.draw(name, flow, drain)
                drop[level, at] = (calm - np.array(project.once(sensors))) / flow
            project.draw(name, 0.0, drain)
    nowhere = len(row)  # a reservoir or a tank: a leak there is seen by nobody
    ends = np.array(
        [[row.get(model.links[p].start, nowhere), row.get(model.links[p].end, nowhere)] for p in tried]
    )
    return Signatures(
        tuple(tried), tuple(sensors), drop[:, ends, :].mean(axis=2), demand, calm, tuple(levels)
    )


def _ends(model: Model, pipe: str, junctions: set[str]) -> list[str]:
    """Return the ends of a pipe where one may draw, twice the one when the other is a tank."""
    ends = [e for e in (model.links[pipe].start, model.links[pipe].end) if e in junctions]
    return ends * 2 if len(ends) == 1 else ends


def standing(found: Signatures, level: Array, moved: Sequence[Array] = ()) -> list[Running]:
    """Return the leaks that explain why the sensors read `level` (m) on calm nights and not what the model says.

    Least squares with flows that are not negative, which leaves a few pipes; use may be a little more or less, and `moved`
    are other directions in which the pressures come and go (a pump). What is found stands for where water is lost, or drawn
    without being told; it need not be the very pipe. `moved` and use are free in sign.
    """
    from scipy.optimize import nnls  # noqa: PLC0415 -- slow to import

    gap = found.calm - level
    free = [found.demand, *moved]
    columns = np.concatenate([found.drop[0].T, *(np.stack([f, -f], axis=1) for f in free)], axis=1)
    flows, _ = nnls(columns, gap)
    count = len(found.pipes)
    return [(found.pipes[i], float(flows[i])) for i in np.flatnonzero(flows[:count] > _LEAST_M3H)]
