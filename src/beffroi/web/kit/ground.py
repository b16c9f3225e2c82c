"""The base map of a town as pages use it: its address, its credit, and a drawing for pages without script."""

import json
from pathlib import Path
from typing import Any

import msgspec
from markupsafe import Markup

from beffroi.town import Town
from beffroi.web.kit.map import Box, outline_svg

__all__ = ["BaseMap", "base_map"]

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
