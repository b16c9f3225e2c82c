"""The base map of a town as pages use it: its address, its credit, and a drawing for pages without script."""

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import shapely
from markupsafe import Markup
from shapely.geometry import box as rectangle
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from beffroi.model.reference_system import projection
from beffroi.town import Town
from beffroi.web.kit.map import Box, outline_svg

__all__ = ["BaseMap", "base_map", "outlines_in"]

FRANCE: Box = (-5.2, 41.3, 9.6, 51.1)


class BaseMap(msgspec.Struct, frozen=True):
    """Where the base map is, what it covers, whom to credit. `url` is "" when the town has none."""

    url: str = ""
    credit: str = ""
    box: Box | None = None
    features: tuple[dict[str, Any], ...] = ()

    def drawing(
        self, *places: tuple[float, float], marks: tuple[tuple[float, float, str, str], ...] = ()
    ) -> Markup:
        """Return the server's drawing of the town with points on it."""
        points = marks or tuple((lon, lat, "", "") for lon, lat in places)
        if self.box is None:
            return outline_svg(_around(points), (), points)
        return outline_svg(self.box, self.features, points)


def _around(points: tuple[tuple[float, float, str, str], ...]) -> Box:
    if not points:
        return FRANCE
    lons, lats = [p[0] for p in points], [p[1] for p in points]
    pad = max(max(lons) - min(lons), max(lats) - min(lats)) * 0.05 or 0.01
    return min(lons) - pad, min(lats) - pad, max(lons) + pad, max(lats) + pad


_read: dict[tuple[Path, int], BaseMap] = {}


def base_map(town: Town) -> BaseMap:
    """Return the base map of a town (read again when its file changed)."""
    path = town.settings.data / "base.json"
    try:
        version = path.stat().st_mtime_ns
    except FileNotFoundError:
        return BaseMap()
    known = _read.get((path, version))
    if known is None:
        about = json.loads(path.read_text("utf-8"))
        url = f"/fond/{version // 1_000_000:x}/{about['file']}"
        known = BaseMap(url, about["credit"], tuple(about["box"]), tuple(about["drawing"]))
        _read[path, version] = known
    return known


def outlines_in(town: Town, box: Box) -> list[tuple[str, BaseGeometry]]:
    """Return kind and outline, in longitude and latitude, of what the base map has in a box: buildings, streets, water.

    At the tiles' own detail (0.2 m at zoom 15) where GDAL can read them, else as the light drawing has them (tens of metres).
    """
    place = rectangle(*box)
    known = _tiled(town.settings.data / "base.pmtiles", box)
    if known is None:
        known = [(f["properties"].get("kind", ""), shape(f["geometry"])) for f in base_map(town).features]
    return [(kind, outline) for kind, outline in known if kind != "place" and outline.intersects(place)]


def _tiled(path: Path, box: Box) -> list[tuple[str, BaseGeometry]] | None:
    """Return what the tiles hold in a box, None when there are no tiles or nothing reads them."""
    if not path.exists():
        return None
    try:
        from pyogrio.errors import DataSourceError  # noqa: PLC0415 -- of the extra [tiles]
        from pyogrio.raw import read  # noqa: PLC0415
    except ImportError:
        return None
    there, back = projection(4326, 3857), projection(3857)
    (west, east), (south, north) = there.transform((box[0], box[2]), (box[1], box[3]))
    try:
        meta, _, shapes, columns = read(
            str(path), layer="base", bbox=(west, south, east, north), columns=["kind"]
        )
    except DataSourceError:
        return None
    kinds = columns[list(meta["fields"]).index("kind")]
    placed = shapely.transform(
        shapely.from_wkb(shapes), lambda points: np.column_stack(back.transform(points[:, 0], points[:, 1]))
    )
    return list(zip(kinds.tolist(), placed.tolist(), strict=True))
