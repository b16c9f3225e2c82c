"""Who is without water when a valve or a pipe is closed."""

from collections.abc import Sequence
from pathlib import Path
from time import process_time

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.watergrid.hydraulics.epanet import Project
from beffroi.services.watergrid.hydraulics.model import Model, read_model

__all__ = ["Closed", "close", "cut_off"]


class Closed(msgspec.Struct, frozen=True):
    """Points cut off, what they draw (m³/h), and those whose pressure falls below the least (m of water, before and after)."""

    closed: tuple[str, ...]
    cut: tuple[str, ...]
    cut_m3h: float
    low: tuple[tuple[str, float, float], ...]
    cpu_s: float


def close(path: Path, links: Sequence[str], hour: float = 8.0, least_m: float = 5.0) -> Closed:
    """Close `links` of the model at `hour` of its first day. Raises `Problem` when one is unknown."""
    began = process_time()
    model = read_model(path)
    for name in links:
        if name not in model.links:
            raise Problem(
                Text(f"Le modèle n'a ni vanne ni conduite « {name} ».", f"The model has no valve or pipe '{name}'."),
                Text("Vannes : {names}.", "Valves: {names}.").filled(names=", ".join(x.name for x in model.links.values() if x.kind == "valve") or "-"),
                name,
            )  # fmt: skip
    lost = cut_off(model, links)
    names = [n.name for n in model.nodes.values() if n.kind == "junction"]
    with Project(path) as project:
        project.clock(60, 60)
        project.begin(int(hour * 3600))
        before = project.once(names)
        drawn = sum(project.demand(n) for n in names if n in lost)
        for node in lost:
            project.still(node)
        for name in links:
            project.shut(name)
        after = project.once(names)
    low = tuple(
        (n, round(b, 1), round(a, 1))
        for n, b, a in zip(names, before, after, strict=True)
        if n not in lost and a < least_m <= b
    )
    return Closed(tuple(links), tuple(n for n in names if n in lost), round(drawn, 2), low, round(process_time() - began, 3))  # fmt: skip


def cut_off(model: Model, links: Sequence[str]) -> set[str]:
    """Return the nodes that no reservoir or tank feeds any more once `links` are closed."""
    closed = set(links) | {x.name for x in model.links.values() if x.status == "closed"}
    ways: dict[str, list[str]] = {n: [] for n in model.nodes}
    for x in model.links.values():
        if x.name not in closed:
            ways[x.start].append(x.end)
            if (
                x.kind == "pipe" and x.status != "check"
            ):  # water goes one way only through pumps and regulating valves
                ways[x.end].append(x.start)
    reached = {n.name for n in model.nodes.values() if n.kind in ("reservoir", "tank")}
    queue = list(reached)
    while queue:
        for following in ways[queue.pop()]:
            if following not in reached:
                reached.add(following)
                queue.append(following)
    return set(model.nodes) - reached
