"""Which of the town's lighting assets a declaration concerns, cut out on a plan: those within its surface and 5 m more.

Public lighting is a low-voltage network, sensitive in the sense of R554-2. Assets are read through the platform's records;
their class of precision (order of 15 February 2012) is that of their support.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from markupsafe import Markup, escape
from shapely import STRtree
from shapely import transform as moved
from shapely.geometry import Point, mapping, shape
from shapely.geometry.base import BaseGeometry

from beffroi.model.reference_system import projection
from beffroi.store.record import Query, Row
from beffroi.town import Town

__all__ = ["Concerned", "concerned_by", "plan_svg"]

MARGIN_M = 5.0
ASSETS = ("cabinet", "support", "lamp")
_DEGREES = 0.001
_SIZE = 600
_MARKS = {
    "cabinet": "m-7 -7h14v14h-14z",
    "support": "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0",
    "lamp": "m0 -6l6 10h-12z",
}


class Concerned(msgspec.Struct, frozen=True, eq=False):
    """The assets within a declaration's surface and its margin, each with its place in metres (Lambert-93 in France)."""

    surface: BaseGeometry  # metres
    assets: tuple[tuple[Row, tuple[float, float]], ...]


def _metres(geometry: BaseGeometry) -> Any:
    """Return what brings degrees to metres: Lambert-93 in mainland France, a transverse Mercator of the place elsewhere."""
    x, y = geometry.centroid.x, geometry.centroid.y
    mainland = -5.5 <= x <= 10 and 41 <= y <= 51.5
    crs = "EPSG:2154" if mainland else f"+proj=tmerc +lat_0={y:.4f} +lon_0={x:.4f} +ellps=GRS80"
    return projection(4326, crs)


def concerned_by(town: Town, geometry: Mapping[str, Any]) -> Concerned:
    """Return the assets that a declaration's surface concerns."""
    drawn = shape(geometry)
    move = _metres(drawn)
    surface = moved(drawn, move.transform, interleaved=False)
    around = surface.buffer(MARGIN_M)
    west, south, east, north = drawn.bounds
    box = (west - _DEGREES, south - _DEGREES, east + _DEGREES, north + _DEGREES)
    rows = [
        row
        for name in ASSETS
        if name in town.store.records.collections
        for row in town.store.records.all(name, Query(bbox=box))
        if row.geometry is not None and row.geometry["type"] == "Point"
    ]
    places = [move.transform(*row.geometry["coordinates"][:2]) for row in rows if row.geometry is not None]
    inside = sorted(STRtree([Point(p) for p in places]).query(around, "intersects")) if places else []
    return Concerned(surface, tuple((rows[i], places[i]) for i in inside))


def plan_svg(found: Concerned, title: str) -> Markup:
    """Return a plan of the surface and its assets, north up, with a scale."""
    west, south, east, north = found.surface.buffer(4 * MARGIN_M).bounds
    scale = _SIZE / max(east - west, north - south)

    def at(x: float, y: float) -> tuple[float, float]:
        return round((x - west) * scale, 1), round((north - y) * scale, 1)

    parts = []
    for ring in _rings(mapping(found.surface)):
        points = " ".join(f"{a},{b}" for a, b in (at(x, y) for x, y, *_ in ring))
        parts.append(
            f'<polygon class="works" points="{points}" fill="none" stroke="currentColor" stroke-width="2" stroke-dasharray="8 4"/>'
        )
    for row, place in found.assets:
        x, y = at(*place)
        name = escape(str(row.values.get("code") or row.id))
        parts.append(
            f'<path transform="translate({x} {y})" d="{_MARKS[row.collection]}" fill="currentColor"><title>{name}</title></path>'
        )
    length = next(m for m in (1000, 500, 200, 100, 50, 20, 10, 5, 1) if m * scale <= _SIZE / 3)
    height = round((north - south) * scale)
    width = round((east - west) * scale)
    bar = round(length * scale, 1)
    parts.append(
        f'<path d="M10 {height + 16}h{bar}" stroke="currentColor" stroke-width="3"/><text x="10" y="{height + 34}" fill="currentColor" font-size="14">{length} m</text>'
    )
    parts.append(
        f'<path d="M{width - 20} 34v-24m-6 8l6 -8l6 8" fill="none" stroke="currentColor" stroke-width="2"/><text x="{width - 26}" y="50" fill="currentColor" font-size="14">N</text>'
    )
    body = "".join(parts)
    return Markup(  # noqa: S704 -- made of numbers and escaped names
        f'<svg role="img" aria-label="{escape(title)}" viewBox="0 0 {width} {height + 40}" width="100%">{body}</svg>'
    )


def _rings(geometry: Mapping[str, Any]) -> list[Any]:
    polygons = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    return [ring for polygon in polygons for ring in polygon]
