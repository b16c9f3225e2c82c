"""The one picture that is kept: small, grey, and such that nobody in it can be known.

Outside the site's own water everything is blurred. On the water, where the level, the foam and what floats must be seen,
there may be people too: swimmers, rowers, whoever stands on the near bank before it. No detector finds them all, so the
water is coarsened instead: whatever the camera, a person before any point of it has at most 25 pixels for each metre, which
EN 62676-4 (2014) calls detection: that somebody is there, never who (recognising takes 125, identifying 250).
"""

from typing import Any

import cv2
import numpy as np

from beffroi.model.problem import Problem
from beffroi.services.water.camera.projection import projection_of
from beffroi.services.water.camera.site import Site

__all__ = ["nearest_person", "still_of"]

Array = np.ndarray[Any, Any]
_WIDE = 640
_BLUR = 24  # of the width: what is smaller than a face at any distance that fills the picture
_JPEG = 80
_DETECTED = 25.0  # pixels a metre
_PERSON_M = 2.0
_UNKNOWN_RISE = 2.0  # how much nearer than the water a person may be, where the camera's height is not known
_GRID = (18, 32)


def nearest_person(site: Site, level: float | None, size: tuple[int, int]) -> Array | None:
    """Return, on a coarse grid over a picture of `size`, the pixels a metre of the nearest person who can stand before
    the water seen there; None when the site cannot tell.

    A ray that meets the water at a distance d from a camera h above it is, before d (h - t) / h, above every head that is
    t over the water: so no nearer person is in the way.
    """
    try:
        projection = projection_of(site, level)
    except Problem:
        return None
    rise = _UNKNOWN_RISE
    if projection.pose is not None:
        above = float(projection.pose.place()[2] - site.altitude(level))
        bank = (
            max((z for _, _, z in site.section.points), default=0.0) if site.section else site.altitude(level)
        )
        heads = max(bank - site.altitude(level), 0.0) + _PERSON_M
        rise = above / (above - heads) if above > heads else np.inf
    x, y = np.meshgrid(*((np.arange(n) + 0.5) / n * of for n, of in zip(_GRID[::-1], size, strict=True)))
    pixels = np.column_stack([x.ravel(), y.ravel()])
    here, right, down = (projection.ground(pixels + d) for d in ((0, 0), (1, 0), (0, 1)))
    metres = np.linalg.svd(np.stack([right - here, down - here], axis=2), compute_uv=False)[:, 1]
    return np.asarray((rise / np.maximum(metres, 1e-9)).reshape(_GRID))


def still_of(frame: Array, water: Array | None, near: Array | None) -> bytes:
    """Return the picture to keep (JPEG). `water`: the polygon (n, 2) in pixels that is coarsened as `near`, its pixels a
    metre on a coarse grid, asks; all the rest is blurred, and so is all when either is None.
    """
    scale = min(1.0, _WIDE / frame.shape[1])
    small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    shown = np.zeros(small.shape, np.uint8)
    if water is not None and near is not None and len(water) >= 3:
        cv2.fillPoly(shown, [np.rint(np.clip(water * scale, -20_000, 20_000)).astype(np.int32)], 255)
    kept = _coarse(small, _BLUR)
    if shown.any() and near is not None:
        times = np.minimum(near * scale / _DETECTED, _BLUR).astype(np.float32)
        halvings = np.ceil(np.log2(np.maximum(cv2.resize(times, small.shape[::-1]), 1.0)))
        for n in np.unique(halvings[shown > 0]):
            here = (shown > 0) & (halvings == n) & (2**n < _BLUR)
            kept[here] = _coarse(small, 2 ** int(n))[here]
    return bytes(cv2.imencode(".jpg", kept, [cv2.IMWRITE_JPEG_QUALITY, _JPEG])[1])


def _coarse(picture: Array, times: int) -> Array:
    """Return the picture as one of so many times fewer pixels across would show it."""
    if times <= 1:
        return picture.copy()
    size = tuple(max(1, -(-n // times)) for n in picture.shape[::-1])
    fewer = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(fewer, picture.shape[::-1], interpolation=cv2.INTER_LINEAR))
