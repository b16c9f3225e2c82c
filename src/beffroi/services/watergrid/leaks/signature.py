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

__all__ = ["Signatures", "signatures"]

Array = NDArray[np.float64]
LEVELS_M3H = (4.0, 12.0, 28.0)
_SECONDS = 60


class Signatures(msgspec.Struct, frozen=True):
    """Pressure lost at the sensors per m³/h lost at a pipe: `drop[level, pipe, sensor]` in m/(m³/h), at the flows
    `LEVELS_M3H`; `demand[sensor]`, the same for one more per cent of use."""

    pipes: tuple[str, ...]
    sensors: tuple[str, ...]
    drop: Array
    demand: Array

    def at(self, m3_per_hour: float) -> Array:
        """Return pipes × sensors at one flow, between the levels."""
        flow = float(np.clip(m3_per_hour, LEVELS_M3H[0], LEVELS_M3H[-1]))
        upper = int(np.searchsorted(LEVELS_M3H, flow))
        if upper == 0:
            first: Array = self.drop[0]
            return first
        low, high = LEVELS_M3H[upper - 1], LEVELS_M3H[upper]
        share = (flow - low) / (high - low)
        between: Array = (1 - share) * self.drop[upper - 1] + share * self.drop[upper]
        return between


def signatures(
    path: Path, model: Model, sensors: Sequence[str], hour: float, factor: float = 1.0
) -> Signatures:
    """Simulate a leak at every node in turn; a pipe is the mean of its two ends.

    `hour` of the day, `factor` of the demands. Raises `Problem` when the model has none of the sensors.
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
    row = {name: i for i, name in enumerate(junctions)}
    with Project(path) as project:
        project.clock(_SECONDS, _SECONDS)
        project.begin(int(hour * 3600))
        project.finely()
        project.multiply(factor)
        calm = np.array(project.once(sensors))
        project.multiply(factor * 1.01)
        demand = calm - np.array(project.once(sensors))
        project.multiply(factor)
        drop = np.zeros((len(LEVELS_M3H), len(junctions) + 1, len(sensors)))
        for name in junctions:
            drain = project.drain(name)
            for level, flow in enumerate(LEVELS_M3H):
                project.draw(name, flow / factor, drain)
                drop[level, row[name]] = (calm - np.array(project.once(sensors))) / flow
            project.draw(name, 0.0, drain)
    nowhere = len(junctions)  # a reservoir or a tank: a leak there is seen by nobody
    pipes = model.pipes
    ends = np.array(
        [[row.get(model.links[p].start, nowhere), row.get(model.links[p].end, nowhere)] for p in pipes]
    )
    return Signatures(tuple(pipes), tuple(sensors), drop[:, ends, :].mean(axis=2), demand)
