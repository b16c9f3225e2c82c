"""What `kit.map(...)` shows: features of a town on its base map; a drawing by the server until the island is ready."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any

import msgspec
from markupsafe import Markup

__all__ = ["Box", "MapView", "course", "middle", "outline_svg"]

Box = tuple[float, float, float, float]
SIZE = 600
SHAPES = {  # the same as beside the words: ● ▲ ◆ ■
    "": "m-7 0a7 7 0 1 0 14 0a7 7 0 1 0 -14 0", "jaune": "m0 -9l8 14h-16z", "orange": "m0 -9l9 9l-9 9l-9 -9z",
    "rouge": "m-7 -7h14v14h-14z",
}  # fmt: skip


class MapView(msgspec.Struct, frozen=True):
    """A map of GeoJSON `features` (address); each feature's properties `name`, `href`, `severity` and `kind` are read.

    `fallback` is shown until the island has drawn, and stays without script.
    """

    title: str
    features: str
    fallback: Markup = Markup("")
    box: Box | None = None
    base: str = ""  # address of the PMTiles or GeoJSON base map, "" for none
    credit: str = ""
    small: bool = False


def _lines(geometry: Mapping[str, Any]) -> Iterable[tuple[Sequence[Sequence[float]], bool]]:
    kind, parts = geometry["type"], geometry.get("coordinates", ())
    if kind == "LineString":
        yield parts, False
    elif kind in ("Polygon", "MultiLineString"):
        yield from ((ring, kind == "Polygon") for ring in parts)
    elif kind == "MultiPolygon":
        yield from ((ring, True) for polygon in parts for ring in polygon)


def course(geometry: Mapping[str, Any], severity: str = "") -> dict[str, Any]:
    """Return a line or an outline that `outline_svg` draws thick, in the colour of its severity ("": the accent)."""
    return {"geometry": geometry, "properties": {"kind": f"course {severity}".rstrip()}}


def middle(points: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Return the place half way along a line of one point at least."""
    steps = [math.dist(a[:2], b[:2]) for a, b in pairwise(points)]
    left = sum(steps) / 2
    for (a, b), step in zip(pairwise(points), steps, strict=True):
        if left <= step and step > 0:
            return a[0] + (b[0] - a[0]) * left / step, a[1] + (b[1] - a[1]) * left / step
        left -= step
    return points[0][0], points[0][1]


def _subpath(line: Sequence[tuple[int, int]], closed: bool) -> str:
    """Return `line` as relative steps, the fewest bytes; steps of nothing are left out."""
    steps = ((b[0] - a[0], b[1] - a[1]) for a, b in pairwise(line))
    words = "".join(f"{x} {y} " if y >= 0 else f"{x}{y} " for x, y in steps if x or y)
    return "M{} {}".format(*line[0]) + (f"l{words}".rstrip() if words else "") + ("z" if closed else "")


def outline_svg(
    box: Box, ground: Iterable[Mapping[str, Any]], points: Iterable[tuple[float, float, str, str]]
) -> Markup:
    """Return a small map: `ground` features (GeoJSON, property `kind` becomes the class) and named `points`.

    `points` are (longitude, latitude, severity or "", name). Plate carrée stretched by the cosine of the
    latitude: right enough for a commune.
    """
    west, south, east, north = box
    stretch = math.cos(math.radians((south + north) / 2))
    width = max(1e-9, (east - west) * stretch)
    height = max(1e-9, north - south)
    scale = SIZE / max(width, height)

    def place(lon: float, lat: float) -> tuple[int, int]:
        return round((lon - west) * stretch * scale), round((north - lat) * scale)

    parts = [
        Markup('<svg class="ground" viewBox="0 0 {} {}" aria-hidden="true">').format(
            round(width * scale), round(height * scale)
        )
    ]
    for kind, features in groupby(ground, lambda f: f.get("properties", {}).get("kind", "")):
        lines = (drawn for f in features for drawn in _lines(f["geometry"]))
        path = "".join(_subpath([place(p[0], p[1]) for p in line], closed) for line, closed in lines)
        parts.append(Markup('<path class="{}" d="{}"/>').format(kind, path))
    for lon, lat, severity, name in points:
        x, y = place(lon, lat)
        parts.append(
            Markup('<path class="mark {}" d="M{} {}{}"><title>{}</title></path>').format(
                severity, x, y, SHAPES.get(severity, SHAPES[""]), name
            )
        )
    return Markup("").join([*parts, Markup("</svg>")])
