"""The river seen from above: one map from each pixel of a section's band to the camera, made once for each level.

The band's columns run along the section, from its first point to its last; its rows run across it, the water's left
side of that line at the top. Undistortion, projection and (by `moved`) stabilisation are one look-up of the frame.
"""

import functools
from typing import Any

import cv2
import msgspec
import numpy as np

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.water.camera.projection import Projection, projection_of
from beffroi.services.water.camera.site import Site

__all__ = ["Band", "band_of", "footprint", "grid_map", "warped"]

Array = np.ndarray[Any, Any]
_MOST_PIXELS = 3_000_000
_MARGIN = 40  # pixels around the measured windows, for what moves out of them


class Band(msgspec.Struct, frozen=True, eq=False):
    """The map of a band, and the way from stations to its pixels."""

    map_x: Any
    map_y: Any
    resolution: float
    left: float  # station of column 0, metres
    top: float  # metres left of the section of row 0
    origin: Any  # first point of the section
    along: Any  # unit vectors
    across: Any
    projection: Projection

    def columns(self, stations: Array) -> Array:
        """Return the columns of stations."""
        return (stations - self.left) / self.resolution

    def row(self, offset: float = 0.0) -> float:
        """Return the row of a line `offset` metres to the left of the section."""
        return (self.top - offset) / self.resolution


def footprint(projection: Projection, ground: Array) -> Array:
    """Return the metres that a pixel covers at ground points: the square root of the area between its corners."""
    pixels = projection.pixels(ground)
    here, right, down = (projection.ground(pixels + d) for d in ((0, 0), (1, 0), (0, 1)))
    a, b = right - here, down - here
    return np.asarray(np.sqrt(np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])))


@functools.lru_cache(maxsize=16)
def band_of(
    site: Site, level: float | None, stations: tuple[float, float], half_pixels: int, size: tuple[int, int]
) -> Band:
    """Return the band around the stations from `stations[0]` to `stations[1]`, `half_pixels` to each side.

    Raises Problem when no part of it is in a picture of `size`.
    """
    projection = projection_of(site, level)
    points = np.array(site.section.points, float) if site.section else np.zeros((0, 3))
    origin, along = points[0, :2], points[-1, :2] - points[0, :2]
    along = along / np.hypot(*along)
    across = np.array((-along[1], along[0]))
    probe = np.linspace(stations[0], stations[1], 41)
    ground = origin + np.outer(probe, along)
    pixels = projection.pixels(ground)
    with np.errstate(invalid="ignore"):
        inside = (pixels >= 0).all(1) & (pixels[:, 0] < size[0]) & (pixels[:, 1] < size[1])
    if not inside.any():
        raise Problem(
            Text("La section est hors de l'image.", "The section is outside the picture."),
            Text("Vérifiez les points de contrôle, la section, et que l'image est bien celle de ce site.",
                 "Check the control points, the section, and that the picture is of this site."),
            "/section",
        )  # fmt: skip
    resolution = site.resolution or float(np.median(footprint(projection, ground[inside])))
    length = stations[1] - stations[0]
    resolution = max(resolution, length * 2 * half_pixels / _MOST_PIXELS)
    side = half_pixels + _MARGIN
    columns = int(np.ceil(length / resolution)) + 2 * side
    rows = 2 * side + 1
    left, top = stations[0] - side * resolution, side * resolution
    s, n = np.meshgrid(left + np.arange(columns) * resolution, top - np.arange(rows) * resolution)
    flat = origin + s.reshape(-1, 1) * along + n.reshape(-1, 1) * across
    map_x, map_y = grid_map(projection, flat, (rows, columns))
    return Band(map_x, map_y, resolution, left, top, origin, along, across, projection)


def grid_map(projection: Projection, ground: Array, shape: tuple[int, int]) -> tuple[Array, Array]:
    """Return where each ground point of a grid is in the frame, for `cv2.remap`."""
    pixels = projection.pixels(ground)
    pixels = np.where(np.isfinite(pixels), pixels, -1e6).astype(np.float32)
    return pixels[:, 0].reshape(shape), pixels[:, 1].reshape(shape)


def warped(frame: Array, map_x: Array, map_y: Array, moved: Array | None = None) -> Array:
    """Return the frame seen through a map; `moved` (3 x 3) is how the camera turned since the first frame."""
    if moved is not None:
        depth = moved[2, 0] * map_x + moved[2, 1] * map_y + moved[2, 2]
        map_x, map_y = (
            ((moved[i, 0] * map_x + moved[i, 1] * map_y + moved[i, 2]) / depth).astype(np.float32)
            for i in (0, 1)
        )
    return np.asarray(cv2.remap(frame, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT))
