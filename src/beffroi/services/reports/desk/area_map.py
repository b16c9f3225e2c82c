"""Maps shaded by a figure, as SVG without script: areas, each with its name and figure in words, and squares of the ground."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup
from shapely import get_coordinates
from shapely.geometry import box, shape
from shapely.geometry.base import BaseGeometry

__all__ = ["Shade", "Square", "area_map", "heat_map"]

WIDTH = 800
SHADES = 4
Shade = tuple[
    str, Mapping[str, Any], float | None, str
]  # name, GeoJSON, figure (None: not known), figure in words

Square = tuple[float, float, float, float, int]  # west, south, east, north (degrees), how many


class _Frame:
    """The drawing of a box of the ground, in pixels."""

    def __init__(self, west: float, south: float, east: float, north: float) -> None:
        self.west, self.north = west, north
        self.stretch = math.cos(math.radians((south + north) / 2))
        scale = WIDTH / max(1e-6, (east - west) * self.stretch)
        self.height = min(700, max(200, round((north - south) * scale)))
        self.scale = min(scale, self.height / max(1e-6, north - south))

    def at(self, lon: float, lat: float) -> tuple[float, float]:
        """Return where a point is drawn."""
        return (lon - self.west) * self.stretch * self.scale, (self.north - lat) * self.scale

    def outline(self, geometry: BaseGeometry) -> str:
        """Return the path of a geometry's rings."""
        return "".join(
            "M" + "L".join("{:.0f} {:.0f}".format(*self.at(x, y)) for x, y in ring) + "z" for ring in _rings(geometry)
        )  # fmt: skip

    def opening(self, title: str) -> Markup:
        """Return the beginning of the drawing."""
        return Markup('<svg class="areas" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(WIDTH, self.height, title)  # fmt: skip


def _frame_of(shapes: Sequence[BaseGeometry]) -> _Frame:
    bounds = [geometry.bounds for geometry in shapes]
    return _Frame(*(min(b[n] for b in bounds) for n in (0, 1)), *(max(b[n] for b in bounds) for n in (2, 3)))


def area_map(areas: Sequence[Shade], title: str) -> Markup:
    """Return the areas, the darker the higher their figure among them (equal parts); hatched when it is not known."""
    shapes = [(name, shape(geometry), value, said) for name, geometry, value, said in areas]
    if not shapes:
        return Markup("")
    frame = _frame_of([geometry for _, geometry, _, _ in shapes])
    known = sorted(v for _, _, v, _ in shapes if v is not None)
    parts = [frame.opening(title)]
    for name, geometry, value, said in shapes:
        spot = geometry.representative_point()
        x, y = frame.at(spot.x, spot.y)
        parts.append(
            Markup('<path class="{}" d="{}"/><text x="{:.0f}" y="{:.0f}">{}<tspan x="{:.0f}" dy="18">{}</tspan></text>').format(
                _shade(value, known), frame.outline(geometry), x, y, name, x, said
            )
        )  # fmt: skip
    return Markup("").join([*parts, Markup("</svg>")])


def heat_map(squares: Sequence[Square], areas: Sequence[Mapping[str, Any]], title: str) -> Markup:
    """Return squares of the ground, the darker the more is in them (equal parts of the squares), over the outlines of the
    areas (GeoJSON)."""
    if not squares:
        return Markup("")
    outlines = [shape(geometry) for geometry in areas]
    frame = _frame_of([box(*square[:4]) for square in squares] + outlines)
    counts = sorted(float(square[4]) for square in squares)
    drawn: dict[str, list[str]] = {f"shade-{n}": [] for n in range(SHADES)}
    for west, south, east, north, count in squares:
        x, y = frame.at(west, north)
        right, down = frame.at(east, south)
        drawn[_shade(count, counts)].append(f"M{x:.0f} {y:.0f}H{right:.0f}V{down:.0f}H{x:.0f}z")
    parts = [frame.opening(title)]
    parts += [Markup('<path class="square {}" d="{}"/>').format(name, "".join(some)) for name, some in drawn.items() if some]  # fmt: skip
    parts += [Markup('<path class="outline" d="{}"/>').format(frame.outline(one)) for one in outlines]
    return Markup("").join([*parts, Markup("</svg>")])


def _rings(geometry: BaseGeometry) -> list[Any]:
    parts = getattr(geometry, "geoms", [geometry])
    return [get_coordinates(ring) for part in parts for ring in (part.exterior, *part.interiors)]


def _shade(value: float | None, known: Sequence[float]) -> str:
    if value is None:
        return "unknown"
    below = sum(other < value for other in known)
    return f"shade-{min(SHADES - 1, below * SHADES // max(1, len(known)))}"
