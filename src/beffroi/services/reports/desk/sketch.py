"""The sketch of a round: numbered stops in order over the drawing of the town, as SVG for page and paper.

Its colours are attributes, which a style sheet overrides on screen and which paper keeps.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from beffroi.web.kit.map import Box

__all__ = ["sketch"]

WIDTH, HEIGHT = 800, 480
MARGIN = 36
APART = 25  # between the middles of two marks


def sketch(stops: Sequence[tuple[float, float, str]], ground: Iterable[Mapping[str, Any]] = ()) -> Markup:
    """Return the way through `stops` (longitude, latitude, name) in order; "" when there is none.

    Plate carrée stretched by the cosine of the latitude: right enough for a commune. Figures are drawn apart from
    marks that would cover them.
    """
    if not stops:
        return Markup("")
    place, box = _frame(stops)
    parts = [Markup('<svg class="sketch" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(WIDTH, HEIGHT, "→".join(s[2] for s in stops))]  # fmt: skip
    for feature in ground:
        for line in _lines(feature["geometry"], box):
            path = "M" + "L".join("{} {}".format(*place(p[0], p[1])) for p in line)
            kind = feature.get("properties", {}).get("kind", "")
            parts.append(
                Markup(
                    '<path class="street {}" d="{}" fill="none" stroke="#c9c5bd" stroke-width="2"/>'
                ).format(kind, path)
            )
    way = "M" + "L".join("{} {}".format(*place(lon, lat)) for lon, lat, _ in stops)
    parts.append(
        Markup(
            '<path class="way" d="{}" fill="none" stroke="#0b5c73" stroke-width="2.5" stroke-dasharray="7 5"/>'
        ).format(way)
    )
    for (x, y), name in _apart([(place(lon, lat), name) for lon, lat, name in stops]):
        parts.append(
            Markup(
                '<circle cx="{}" cy="{}" r="12" fill="#fff" stroke="#0b5c73" stroke-width="2"/><text x="{}" y="{}" text-anchor="middle" font-size="13" font-weight="700">{}</text>'
            ).format(x, y, x, y + 5, name)
        )
    return Markup("").join([*parts, Markup("</svg>")])


def _frame(stops: Sequence[tuple[float, float, str]]) -> tuple[Any, Box]:
    west, east = min(s[0] for s in stops), max(s[0] for s in stops)
    south, north = min(s[1] for s in stops), max(s[1] for s in stops)
    stretch = math.cos(math.radians((south + north) / 2))
    scale = min(
        (WIDTH - 2 * MARGIN) / max(1e-4, (east - west) * stretch),
        (HEIGHT - 2 * MARGIN) / max(1e-4, north - south),
    )
    mid_lon, mid_lat = (west + east) / 2, (south + north) / 2

    def place(lon: float, lat: float) -> tuple[int, int]:
        return round(WIDTH / 2 + (lon - mid_lon) * stretch * scale), round(
            HEIGHT / 2 - (lat - mid_lat) * scale
        )

    half_lon, half_lat = WIDTH / 2 / scale / stretch, HEIGHT / 2 / scale
    return place, (mid_lon - half_lon, mid_lat - half_lat, mid_lon + half_lon, mid_lat + half_lat)


def _lines(geometry: Mapping[str, Any], box: Box) -> Iterable[Sequence[Sequence[float]]]:
    """Yield the lines of a geometry that touch the frame."""
    kind, parts = geometry["type"], geometry.get("coordinates", ())
    lines = {"LineString": [parts], "MultiLineString": parts, "Polygon": parts}.get(kind)
    if lines is None:
        lines = [ring for polygon in parts for ring in polygon] if kind == "MultiPolygon" else []
    for line in lines:
        if any(box[0] <= p[0] <= box[2] and box[1] <= p[1] <= box[3] for p in line):
            yield line


def _apart(marks: Sequence[tuple[tuple[int, int], str]]) -> list[tuple[tuple[int, int], str]]:
    """Return the marks, each moved to the right until it covers none before it."""
    found: list[tuple[tuple[int, int], str]] = []
    for (x, y), name in marks:
        while any(math.hypot(x - ox, y - oy) < APART for (ox, oy), _ in found):
            x += APART  # noqa: PLW2901
        found.append(((x, y), name))
    return found
