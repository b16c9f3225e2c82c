"""Hold the picture still: how each frame lies on the first, from what stands on land.

Points of the land are followed on half-size pictures; what they have in common (a turn, a shift, a zoom) is the
camera's. Water is left out: the band of the section, and by consensus whatever else moves.
"""

from typing import Any

import cv2
import msgspec
import numpy as np

__all__ = ["Stillness", "hold_still"]

Array = np.ndarray[Any, Any]
_TILES = (6, 8)
_EACH = 8  # points of a tile
_LEAST_POINTS = 16
_LEAST_SHARE = 0.4  # of the followed points that agree
_WITHIN_PX = 1.0
_MOST_PX = 25.0


class Stillness(msgspec.Struct, frozen=True, eq=False):
    """`moves`: for each frame the 3 x 3 that takes pixels of the first to it, None when nothing fixed was found.

    `shake_px`: the root mean square of the shift at the picture's middle.
    """

    moves: list[Any] | None
    shake_px: float = 0.0


def hold_still(frames: list[Array], water: Array | None = None) -> Stillness:
    """Return how the frames lie on the first; `water` is a polygon (n, 2) in pixels to leave out."""
    small = [cv2.resize(f, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for f in frames]
    points = _points(small[0], None if water is None else water / 2)
    if len(points) < _LEAST_POINTS:
        return Stillness(None)
    moves: list[Array] = [np.eye(3)]
    middle = np.array((frames[0].shape[1] / 2, frames[0].shape[0] / 2, 1.0))
    guess = points.copy()
    cv2.setRNGSeed(1)  # the consensus must not change from run to run
    for picture in small[1:]:
        found, good, _ = cv2.calcOpticalFlowPyrLK(
            small[0], picture, points.reshape(-1, 1, 2), guess.reshape(-1, 1, 2), winSize=(21, 21), maxLevel=2,
            criteria=(3, 20, 0.01), flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
        )  # fmt: skip
        found = found.reshape(-1, 2)
        near = good.ravel().astype(bool) & (np.hypot(*(found - points).T) < _MOST_PX)
        if near.sum() < _LEAST_POINTS:
            return Stillness(None)
        matrix, agree = cv2.estimateAffinePartial2D(
            points[near] * 2 + 0.5, found[near] * 2 + 0.5, ransacReprojThreshold=_WITHIN_PX, maxIters=500
        )
        if matrix is None or agree.sum() < max(_LEAST_POINTS, _LEAST_SHARE * near.sum()):
            return Stillness(None)
        moves.append(np.vstack((matrix, (0.0, 0.0, 1.0))))
        guess = np.where(near[:, None], found, points).astype(np.float32)
    shifts = np.array([(m @ middle)[:2] - middle[:2] for m in moves])
    return Stillness(moves, float(np.sqrt(np.mean(np.sum((shifts - shifts.mean(0)) ** 2, 1)))))


def _points(picture: Array, water: Array | None) -> Array:
    """Return corners well spread over the picture, those on the water left out."""
    mask = np.full(picture.shape, 255, np.uint8)
    if water is not None:
        cv2.fillPoly(mask, [np.rint(np.clip(water, -20_000, 20_000)).astype(np.int32)], 0)
    height, width = picture.shape
    tall, wide = height // _TILES[0], width // _TILES[1]
    found = []
    for i in range(_TILES[0]):
        for j in range(_TILES[1]):
            area = np.s_[i * tall : (i + 1) * tall, j * wide : (j + 1) * wide]
            if not mask[area].any():
                continue
            corners = cv2.goodFeaturesToTrack(picture[area], _EACH, 0.05, 6, mask=mask[area])
            if corners is not None:
                found.append(corners.reshape(-1, 2) + np.array((j * wide, i * tall)))
    return np.concatenate(found).astype(np.float32) if found else np.zeros((0, 2), np.float32)
