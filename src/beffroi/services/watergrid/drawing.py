"""Maps of the network, drawn by the server: where a leak may be, who is without water when pipes are closed."""

from collections.abc import Iterable, Sequence
from typing import Any

from markupsafe import Markup

from beffroi.services.watergrid.hydraulics.model import Model
from beffroi.store.record import Query, Row
from beffroi.town import Town
from beffroi.web.kit.ground import base_map
from beffroi.web.kit.map import Box, course, middle, outline_svg

__all__ = ["SHADES", "Candidate", "closed_drawing", "likelihood_drawing"]

Candidate = tuple[str, float, Row | None]
"""A pipe by its code, its share of the likelihood, its record."""
SHADES = ((0.25, "rouge"), (0.06, "orange"), (0.0, "jaune"))
"""From which share of the likelihood on a pipe has a severity, of its line and mark on the map."""
_AROUND = 0.2  # of the size of what is shown, on each side
_LEAST_DEGREES = 0.002
_PAD_DEGREES = 0.0006


def likelihood_drawing(town: Town, shown: Sequence[Candidate]) -> Markup | None:
    """Return a map of the network around the candidates, each pipe coloured and marked by its likelihood."""
    placed = [(c, s, r) for c, s, r in shown if r is not None and r.geometry is not None]
    if not placed:
        return None
    box = _around([p for _, _, r in placed for p in _points(r)])
    territory = placed[0][2].territory
    query = Query(bbox=box, territories=None if territory is None else (territory,))
    ground: list[dict[str, Any]] = [dict(f) for f in base_map(town).features]
    ground += _conduits(r.geometry for r in town.store.records.all("water_pipe", query) if r.geometry)
    marks = []
    for code, share, row in reversed(placed):  # the likeliest is drawn last, above the others
        shade = next(s for least, s in SHADES if share >= least)
        ground.append(course(row.geometry or {}, shade))
        marks.append((*middle(_points(row)), shade, f"{code} : {100 * share:.0f} %"))
    return outline_svg(box, ground, marks)


def closed_drawing(town: Town, model: Model, links: Sequence[str], dry: Sequence[Row]) -> Markup | None:
    """Return a map of the whole network: what is closed, what is without water. None when nothing has a place."""
    places = [n.place for n in model.nodes.values() if n.place is not None]
    if not places:
        return None
    pad = _PAD_DEGREES
    box = (min(p[0] for p in places) - pad, min(p[1] for p in places) - pad, max(p[0] for p in places) + pad, max(p[1] for p in places) + pad)  # fmt: skip
    courses = {name: link.course for name, link in model.links.items() if len(link.course) > 1}
    without = {n.values["code"] for n in dry}
    ground = [dict(f) for f in base_map(town).features]
    ground += _conduits(_line(c) for c in courses.values())
    ground += [
        course(_line(way), "orange")
        for name, way in courses.items()
        if {model.links[name].start, model.links[name].end} <= without and name not in links
    ]
    ground += [course(_line(courses[name]), "rouge") for name in links if name in courses]
    marks = [(*n.geometry["coordinates"][:2], "orange", n.values["code"]) for n in dry if n.geometry]
    marks += [(*middle(courses[name]), "rouge", name) for name in links if name in courses]
    return outline_svg(box, ground, marks)


def _conduits(geometries: Iterable[Any]) -> list[dict[str, Any]]:
    return [{"geometry": g, "properties": {"kind": "conduit"}} for g in geometries]


def _line(points: Sequence[Sequence[float]]) -> dict[str, Any]:
    return {"type": "LineString", "coordinates": points}


def _points(row: Row) -> list[Sequence[float]]:
    geometry = row.geometry or {}
    parts = geometry.get("coordinates", [])
    return list(parts) if geometry.get("type") == "LineString" else [p for part in parts for p in part]


def _around(points: Sequence[Sequence[float]]) -> Box:
    west, east = min(p[0] for p in points), max(p[0] for p in points)
    south, north = min(p[1] for p in points), max(p[1] for p in points)
    pad = max(east - west, north - south, _LEAST_DEGREES) * _AROUND
    return west - pad, south - pad, east + pad, north + pad
