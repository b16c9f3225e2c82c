"""Which of the town's networks a declaration concerns, cut out on a plan: what is within its surface and 5 m more.

Public lighting is a low-voltage network, sensitive in the sense of R554-2; drinking water is not. Assets are read through the
platform's records, whatever service keeps them. The class of precision (order of 15 February 2012) of a lamp is that of its
support. On the plan lighting is red and water blue, as NF P98-332 has them.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from markupsafe import Markup, escape
from shapely import STRtree
from shapely import transform as moved
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from beffroi.model.reference_system import projection
from beffroi.store.record import Query, Row
from beffroi.town import Town
from beffroi.web.kit.map import middle

__all__ = ["ASSETS", "LIGHTING", "Concerned", "Group", "concerned_by", "groups_of", "plan_svg"]

MARGIN_M = 5.0
LIGHTING = ("cabinet", "support", "lamp")
ASSETS = (*LIGHTING, "water_pipe", "water_valve")
_GONE = ("abandoned", "removed")
_DEGREES = 0.001
_SIZE = 600
_RED, _BLUE, _INK = "#b3261e", "#1457a8", "#222"
_MARKS = {
    "cabinet": ("m-7 -7h14v14h-14z", _RED),
    "support": ("m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0", _RED),
    "lamp": ("m0 -6l6 10h-12z", _RED),
    "water_valve": ("m-6 -5l12 10v-10l-12 10z", _BLUE),
}
_NAMED = ("cabinet", "water_valve")  # supports and lamps stand too close to be named on the plan
_TEXT = '<text x="{}" y="{}" fill="{}" font-size="{}"{}>{}</text>'


class Concerned(msgspec.Struct, frozen=True, eq=False):
    """The assets within a declaration's surface and its margin, all in metres; `legal`: these are Lambert-93."""

    surface: BaseGeometry
    assets: tuple[tuple[Row, BaseGeometry], ...]
    legal: bool = True

    @property
    def sensitive(self) -> bool:
        """Whether one of them is of a sensitive network."""
        return any(row.collection in LIGHTING for row, _ in self.assets)


class Group(msgspec.Struct, frozen=True, eq=False):
    """Assets of one kind and one class of precision."""

    collection: str
    precision: str | None
    rows: tuple[Row, ...]


def groups_of(found: Concerned) -> list[Group]:
    """Return the assets by kind and class of precision; a lamp has that of its support."""
    supports = {row.id: row for row, _ in found.assets if row.collection == "support"}
    held: dict[tuple[str, str | None], list[Row]] = {}
    for row, _ in found.assets:
        held.setdefault((row.collection, _precision(row, supports)), []).append(row)
    order = sorted(held, key=lambda key: (ASSETS.index(key[0]), key[1] or "~"))
    return [Group(*key, tuple(held[key])) for key in order]


def _precision(row: Row, supports: Mapping[int, Row]) -> str | None:
    if row.collection == "lamp":
        support = supports.get(row.values.get("support") or -1)
        return None if support is None else support.values.get("precision")
    beside = row.values.get("starred") or {}  # what a StaR-Eau file said of a pipe
    return row.values.get("precision") or beside.get("precision_xy")


def _metres(geometry: BaseGeometry) -> tuple[Any, bool]:
    """Return what brings degrees to metres: Lambert-93 in mainland France (True), a transverse Mercator of the place elsewhere."""
    x, y = geometry.centroid.x, geometry.centroid.y
    mainland = -5.5 <= x <= 10 and 41 <= y <= 51.5
    crs = "EPSG:2154" if mainland else f"+proj=tmerc +lat_0={y:.4f} +lon_0={x:.4f} +ellps=GRS80"
    return projection(4326, crs).transform, mainland


def concerned_by(town: Town, geometry: Mapping[str, Any]) -> Concerned:
    """Return the assets that a declaration's surface concerns."""
    drawn = shape(geometry)
    move, legal = _metres(drawn)
    surface = moved(drawn, move, interleaved=False)
    around = surface.buffer(MARGIN_M)
    west, south, east, north = drawn.bounds
    box = (west - _DEGREES, south - _DEGREES, east + _DEGREES, north + _DEGREES)
    rows = [
        row
        for name in ASSETS
        if name in town.store.records.collections
        for row in town.store.records.all(name, Query(bbox=box))
        if row.geometry is not None and row.values.get("state") not in _GONE
    ]
    placed = [moved(shape(row.geometry), move, interleaved=False) for row in rows]
    inside = sorted(STRtree(placed).query(around, "intersects")) if placed else []
    return Concerned(surface, tuple((rows[i], placed[i]) for i in inside), legal)


def plan_svg(found: Concerned, title: str) -> Markup:
    """Return a plan of the surface and the assets, north up, with a scale; on white, to be printed."""
    west, south, east, north = found.surface.buffer(4 * MARGIN_M).bounds
    scale = _SIZE / max(east - west, north - south)
    width, height = round((east - west) * scale), round((north - south) * scale)

    def at(x: float, y: float) -> tuple[float, float]:
        return round((x - west) * scale, 1), round((north - y) * scale, 1)

    def path(points: Iterable[Any]) -> str:
        return "M" + "L".join("{} {}".format(*at(p[0], p[1])) for p in points)

    parts = [f'<rect width="{width}" height="{height + 40}" fill="#fff"/>']
    outline = "".join(path(ring) + "z" for ring in _rings(mapping(found.surface)))
    parts.append(f'<path d="{outline}" class="works" fill="none" stroke="{_INK}" stroke-width="1.5" stroke-dasharray="8 4"/>')  # fmt: skip
    for row, place in sorted(found.assets, key=lambda pair: pair[1].geom_type == "Point"):
        parts += _asset(row, place, at, path)
    length = next(m for m in (1000, 500, 200, 100, 50, 20, 10, 5, 1) if m * scale <= _SIZE / 3)
    bar = round(length * scale, 1)
    parts.append(f'<rect y="{height}" width="{width}" height="40" fill="#fff"/><path d="M10 {height + 16}h{bar}" stroke="{_INK}" stroke-width="3"/>')  # fmt: skip
    parts.append(_TEXT.format(10, height + 34, _INK, 14, "", f"{length} m"))
    if found.legal:
        parts.append(_TEXT.format(width - 8, height + 34, _INK, 11, ' text-anchor="end"', f"Lambert-93 ↙ {west:.0f} {south:.0f}"))  # fmt: skip
    parts.append(f'<path d="M{width - 20} 34v-24m-6 8l6 -8l6 8" fill="none" stroke="{_INK}" stroke-width="2"/>')  # fmt: skip
    parts.append(_TEXT.format(width - 26, 50, _INK, 14, "", "N"))
    body = "".join(parts)
    return Markup(  # noqa: S704 -- made of numbers and escaped names
        f'<svg class="plan" role="img" aria-label="{escape(title)}" viewBox="0 0 {width} {height + 40}" width="100%">{body}</svg>'
    )


def _asset(row: Row, place: BaseGeometry, at: Any, path: Any) -> list[str]:
    name = str(escape(str(row.values.get("code") or row.id)))
    if place.geom_type == "Point":
        mark, colour = _MARKS[row.collection]
        x, y = at(place.x, place.y)
        drawn = [f'<path transform="translate({x} {y})" d="{mark}" fill="{colour}"><title>{name}</title></path>']  # fmt: skip
        return drawn + (
            [_TEXT.format(x + 9, y + 4, colour, 10, "", name)] if row.collection in _NAMED else []
        )
    line = "".join(path(part) for part in _courses(place))
    longest = max(_courses(place), key=len)
    x, y = at(*middle(longest))
    size = row.values.get("diameter_mm")
    words = name + (f" Ø{size:g}" if size else "")
    return [
        f'<path d="{line}" fill="none" stroke="{_BLUE}" stroke-width="2"><title>{name}</title></path>',
        _TEXT.format(x + 4, y - 4, _BLUE, 10, ' paint-order="stroke" stroke="#fff" stroke-width="2"', words),
    ]


def _courses(geometry: BaseGeometry) -> list[Any]:
    parts = getattr(geometry, "geoms", [geometry])
    return [list(part.coords) for part in parts if part.geom_type == "LineString"]


def _rings(geometry: Mapping[str, Any]) -> list[Any]:
    polygons = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    return [ring for polygon in polygons for ring in polygon]
