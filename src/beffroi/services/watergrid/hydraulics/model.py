"""Read an EPANET model (`.inp`) as text: its nodes, links and places, to draw, import and measure distances on.

Only what a network is made of is read here; EPANET itself (`epanet.Project`) reads the rest to simulate. A line that
cannot be understood is told with its number. Source: EPANET 2.2 user manual, appendix C.2.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["Link", "Model", "Node", "Unread", "fed_by", "read_model"]

_US = {"CFS", "GPM", "MGD", "IMGD", "AFD"}
_FOOT_M, _INCH_MM = 0.3048, 25.4
_PIPE_FIELDS, _POINT_FIELDS = 5, 3


class Node(msgspec.Struct, frozen=True):
    """A junction, a reservoir or a tank. Elevation in m, demand in the model's flow unit; `place` as in the model."""

    name: str
    kind: str
    elevation_m: float
    demand: float = 0.0
    place: tuple[float, float] | None = None


class Link(msgspec.Struct, frozen=True):
    """A pipe, a valve or a pump. Length in m, diameter in mm."""

    name: str
    kind: str
    start: str
    end: str
    length_m: float = 0.0
    diameter_mm: float | None = None
    roughness: float | None = None
    status: str = "open"
    setting: str = ""
    course: tuple[tuple[float, float], ...] = ()


class Unread(msgspec.Struct, frozen=True):
    """A line that could not be understood."""

    line: int
    text: str


class Model(msgspec.Struct, frozen=True, dict=True):
    """A network. `units` is the flow unit of the file."""

    title: str
    units: str
    nodes: dict[str, Node]
    links: dict[str, Link]
    unread: tuple[Unread, ...] = ()

    @property
    def pipes(self) -> list[str]:
        """The names of the pipes, in the file's order."""
        return [x.name for x in self.links.values() if x.kind == "pipe"]

    @cached_property
    def neighbours(self) -> dict[str, list[tuple[str, float]]]:
        """For each node, the nodes next to it and how far, in m; closed links too: a leak does not know them."""
        found: dict[str, list[tuple[str, float]]] = defaultdict(list)
        for link in self.links.values():
            found[link.start].append((link.end, link.length_m))
            found[link.end].append((link.start, link.length_m))
        return found

    def distances(self, pipe: str, limit_m: float = float("inf")) -> dict[str, float]:
        """Return the shortest way along the network from the middle of `pipe` to that of each pipe, in m.

        Raises `Problem` when there is no such pipe.
        """
        origin = self.link(pipe)
        reach = self._reach(((origin.start, origin.length_m / 2), (origin.end, origin.length_m / 2)), limit_m)
        found = {pipe: 0.0}
        far = float("inf")
        for link in self.links.values():
            if link.kind == "pipe" and link.name != pipe:
                way = min(reach.get(link.start, far), reach.get(link.end, far)) + link.length_m / 2
                if way <= limit_m:
                    found[link.name] = way
        return found

    def link(self, name: str) -> Link:
        """Return a link. Raises `Problem` when there is none of that name."""
        if name not in self.links:
            raise Problem(
                Text(f"Le modèle n'a pas de conduite « {name} ».", f"The model has no pipe '{name}'."),
                Text("Donnez un nom de la section [PIPES].", "Give a name of the section [PIPES]."),
                name,
            )
        return self.links[name]

    def _reach(self, sources: Iterable[tuple[str, float]], limit_m: float) -> dict[str, float]:
        best: dict[str, float] = {}
        queue = [(d, n) for n, d in sources]
        heapq.heapify(queue)
        while queue:
            away, node = heapq.heappop(queue)
            if node in best or away > limit_m:
                continue
            best[node] = away
            for following, length in self.neighbours[node]:
                if following not in best:
                    heapq.heappush(queue, (away + length, following))
        return best


def read_model(path: Path) -> Model:
    """Read the file. Raises `Problem` when it holds no network."""
    try:
        text = path.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise Problem(
            Text(
                "Le modèle ne se lit pas : pas de fichier, ou pas le droit.",
                "The model cannot be read: no file, or no right.",
            ),
            Text("Donnez un fichier .inp d'EPANET.", "Give an EPANET .inp file."),
            str(path),
        ) from error
    sections = _sections(text)
    unread: list[Unread] = []
    options = {f[0].upper(): f[-1] for _, f in sections["OPTIONS"] if len(f) > 1}
    units = options.get("UNITS", "GPM").upper()
    us = units in _US
    metre, mm = (_FOOT_M, _INCH_MM) if us else (1.0, 1.0)
    places = dict(_points(sections["COORDINATES"], unread))
    nodes = _nodes(sections, metre, places, unread)
    bends: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for name, point in _points(sections["VERTICES"], unread):
        bends[name].append(point)
    links = _links(sections, metre, mm, nodes, bends, unread)
    if unread and (not nodes or not links):
        first = min(unread, key=lambda u: u.line)
        raise Problem(
            Text(f"Aucune conduite ne se comprend ; d'abord la ligne {first.line}, « {first.text[:60]} ».", f"No pipe is understood; first line {first.line}, '{first.text[:60]}'."),
            Text("Une conduite a un nom, deux nœuds que le modèle décrit, une longueur et un diamètre.",
                 "A pipe has a name, two nodes that the model describes, a length and a diameter."),
            f"line {first.line}",
        )  # fmt: skip
    if not nodes or not links:
        raise Problem(
            Text(f"{path.name} ne contient pas de réseau EPANET.", f"{path.name} holds no EPANET network."),
            Text("Il faut les sections [JUNCTIONS] et [PIPES].", "The sections [JUNCTIONS] and [PIPES] are needed."),
            "[JUNCTIONS]",
        )  # fmt: skip
    title = " ".join(" ".join(f) for _, f in sections["TITLE"])
    return Model(title, units, nodes, links, tuple(sorted(unread, key=lambda u: u.line)))


def _sections(text: str) -> dict[str, list[tuple[int, list[str]]]]:
    found: dict[str, list[tuple[int, list[str]]]] = defaultdict(list)
    name = ""
    for number, line in enumerate(text.splitlines(), start=1):
        said = line.split(";", 1)[0].strip()
        if said.startswith("["):
            name = said.strip("[]").upper()
        elif said:
            found[name].append((number, said.split()))
    return found


def _points(
    rows: list[tuple[int, list[str]]], unread: list[Unread]
) -> Iterable[tuple[str, tuple[float, float]]]:
    for number, cells in rows:
        try:
            yield cells[0], (float(cells[1]), float(cells[2]))
        except (ValueError, IndexError):
            unread.append(Unread(number, " ".join(cells)))


def _nodes(sections: dict[str, list[tuple[int, list[str]]]], metre: float, places: dict[str, tuple[float, float]],
           unread: list[Unread]) -> dict[str, Node]:  # fmt: skip
    demands: dict[str, float] = defaultdict(float)
    for number, cells in sections["DEMANDS"]:
        try:
            demands[cells[0]] += float(cells[1])
        except (ValueError, IndexError):
            unread.append(Unread(number, " ".join(cells)))
    found: dict[str, Node] = {}
    for section, kind in (("JUNCTIONS", "junction"), ("RESERVOIRS", "reservoir"), ("TANKS", "tank")):
        for number, cells in sections[section]:
            try:
                name = cells[0]
                own = float(cells[2]) if kind == "junction" and len(cells) > 2 else 0.0
                found[name] = Node(
                    name, kind, float(cells[1]) * metre, demands.get(name, own), places.get(name)
                )
            except (ValueError, IndexError):
                unread.append(Unread(number, " ".join(cells)))
    return found


def _links(sections: dict[str, list[tuple[int, list[str]]]], metre: float, mm: float, nodes: dict[str, Node],
           bends: dict[str, list[tuple[float, float]]], unread: list[Unread]) -> dict[str, Link]:  # fmt: skip
    found: dict[str, Link] = {}
    for section, kind in (("PIPES", "pipe"), ("VALVES", "valve"), ("PUMPS", "pump")):
        for number, cells in sections[section]:
            try:
                link = _link(kind, cells, metre, mm)
            except (ValueError, IndexError):
                unread.append(Unread(number, " ".join(cells)))
                continue
            if link.start not in nodes or link.end not in nodes:
                unread.append(Unread(number, " ".join(cells)))
                continue
            ends = (nodes[link.start].place, nodes[link.end].place)
            course = tuple(p for p in (ends[0], *bends.get(link.name, ()), ends[1]) if p is not None)
            found[link.name] = msgspec.structs.replace(link, course=course)
    for _, cells in sections["STATUS"]:
        if len(cells) > 1 and cells[0] in found and cells[1].lower() == "closed":
            found[cells[0]] = msgspec.structs.replace(found[cells[0]], status="closed")
    return found


def _link(kind: str, cells: list[str], metre: float, mm: float) -> Link:
    name, start, end = cells[:3]
    if kind == "pump":
        return Link(name, kind, start, end, setting=" ".join(cells[3:]))
    if kind == "valve":
        return Link(name, kind, start, end, 0.0, float(cells[3]) * mm, None, "open", " ".join(cells[4:6]))
    closed = any(c.lower() == "closed" for c in cells[6:])
    check = any(c.lower() == "cv" for c in cells[6:])
    return Link(
        name, kind, start, end, float(cells[3]) * metre, float(cells[4]) * mm,
        float(cells[5]) if len(cells) > _PIPE_FIELDS else None,
        "closed" if closed else "check" if check else "open",
    )  # fmt: skip


def fed_by(model: Model, link: str, cuts: Iterable[str]) -> set[str]:
    """Return the nodes that one reaches from the far end of `link` without crossing the links `cuts`."""
    closed = {link, *cuts}
    ways: dict[str, list[str]] = defaultdict(list)
    for x in model.links.values():
        if x.name not in closed:
            ways[x.start].append(x.end)
            ways[x.end].append(x.start)
    reached, queue = {model.link(link).end}, [model.link(link).end]
    while queue:
        for following in ways[queue.pop()]:
            if following not in reached:
                reached.add(following)
                queue.append(following)
    return reached
