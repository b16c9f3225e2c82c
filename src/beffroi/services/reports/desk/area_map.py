"""A map of areas shaded by a figure: four shades, each area's name and figure in words on it, as SVG without script."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup
from shapely import get_coordinates
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

__all__ = ["Shade", "area_map"]

WIDTH = 800
SHADES = 4
Shade = tuple[
    str, Mapping[str, Any], float | None, str
]  # name, GeoJSON, figure (None: not known), figure in words


def area_map(areas: Sequence[Shade], title: str) -> Markup:
    """Return the areas, the darker the higher their figure among them (equal parts); hatched when it is not known."""
    shapes = [(name, shape(geometry), value, said) for name, geometry, value, said in areas]
    if not shapes:
        return Markup("")
    west = min(g.bounds[0] for _, g, _, _ in shapes)
    south = min(g.bounds[1] for _, g, _, _ in shapes)
    east = max(g.bounds[2] for _, g, _, _ in shapes)
    north = max(g.bounds[3] for _, g, _, _ in shapes)
    stretch = math.cos(math.radians((south + north) / 2))
    scale = WIDTH / max(1e-6, (east - west) * stretch)
    height = min(700, max(200, round((north - south) * scale)))
    scale = min(scale, height / max(1e-6, north - south))
    known = sorted(v for _, _, v, _ in shapes if v is not None)
    parts = [
        Markup('<svg class="areas" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(
            WIDTH, height, title
        )
    ]
    for name, geometry, value, said in shapes:
        points = [
            "M"
            + "L".join(f"{(x - west) * stretch * scale:.0f} {(north - y) * scale:.0f}" for x, y in ring)
            + "z"
            for ring in _rings(geometry)
        ]
        spot = geometry.representative_point()
        x, y = (spot.x - west) * stretch * scale, (north - spot.y) * scale
        parts.append(
            Markup('<path class="{}" d="{}"/><text x="{:.0f}" y="{:.0f}">{}<tspan x="{:.0f}" dy="18">{}</tspan></text>').format(
                _shade(value, known), "".join(points), x, y, name, x, said
            )
        )  # fmt: skip
    return Markup("").join([*parts, Markup("</svg>")])


def _rings(geometry: BaseGeometry) -> list[Any]:
    parts = getattr(geometry, "geoms", [geometry])
    return [get_coordinates(ring) for part in parts for ring in (part.exterior, *part.interiors)]


def _shade(value: float | None, known: Sequence[float]) -> str:
    if value is None:
        return "unknown"
    below = sum(other < value for other in known)
    return f"shade-{min(SHADES - 1, below * SHADES // max(1, len(known)))}"
