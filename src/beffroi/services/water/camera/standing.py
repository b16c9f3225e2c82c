"""What stands before the water: a staff, a pile, a bank, the edge of a shadow. It does not move, and pulls towards zero the
velocity of every window that it reaches into.

Where the mean picture has more contrast than what changes from frame to frame, something stands (moving water averages
out). It is painted over with the grey of what is around, and a point whose window is mostly paint is not looked at: its
vertical is filled from its neighbours.
"""

from typing import Any

import cv2
import msgspec
import numpy as np

from beffroi.services.water.camera.surface import FINE, Look

__all__ = ["standing_in", "without_standing"]

Array = np.ndarray[Any, Any]
_NEAR = 7  # pixels over which contrast and change are compared
_LEAST_FRAMES = 4
_STANDS = 1.0  # contrast of the mean over change, as variances, from which something stands …
_OVER_USUAL = 3.0  # … and over what is usual of this water: slow water keeps some contrast in the mean
_MOST_PAINT = 0.5  # of a window
_AROUND = 31  # pixels that give the paint its grey
_WHOLE = (slice(None), slice(None))


def standing_in(frames: list[Array], water: tuple[slice, slice] = _WHOLE) -> Array | None:
    """Return where something stands (a mask of the frames' size), None when too few frames can tell. `water`: the rows and
    columns where water is looked at, whose usual contrast is the measure: banks stand, and may fill most of a frame."""
    if len(frames) < _LEAST_FRAMES:
        return None
    first = frames[0].astype(np.float32)
    away, square = np.zeros_like(first), np.zeros_like(first)
    for frame in frames[1:]:
        change = frame - first
        away += change
        square += change * change
    count = len(frames)
    mean = first + away / count
    change = _near((square - away * away / count) / (count - 1))
    contrast = _near(mean * mean) - _near(mean) ** 2 - change / count
    share = contrast / np.maximum(change, 0.25)  # a quarter of a grey level squared: rounding
    seen = first[water] > 0  # outside the picture the band is black
    usual = float(np.median(share[water][seen])) if seen.any() else 0.0
    stands = (share > max(_STANDS, _OVER_USUAL * usual)).astype(np.uint8)
    closed = cv2.morphologyEx(stands, cv2.MORPH_CLOSE, np.ones((_NEAR, _NEAR), np.uint8))
    return np.asarray(closed.astype(bool))


def without_standing(look: Look) -> Look:
    """Return the look with what stands painted over, and the points that see little else left out."""
    half = FINE // 2
    rows, columns = (slice(max(0, int(z.min()) - half), int(z.max()) + half) for z in (look.y, look.x))
    mask = standing_in(look.frames, (rows, columns))
    if mask is None or not mask.any():
        return look
    bare = (~mask).astype(np.float32)
    around = np.maximum(cv2.blur(bare, (_AROUND, _AROUND)), 1e-3)
    frames = []
    for frame in look.frames:
        grey = cv2.blur(frame * bare, (_AROUND, _AROUND)) / around
        frames.append(np.where(mask, np.clip(grey, 0, 255).astype(frame.dtype), frame))
    paint = cv2.blur(mask.astype(np.float32), (FINE, FINE))
    height, width = mask.shape
    covered = paint[np.clip(look.y, 0, height - 1), np.clip(look.x, 0, width - 1)]
    return msgspec.structs.replace(look, frames=frames, seen=look.seen & (covered <= _MOST_PAINT))


def _near(picture: Array) -> Array:
    return np.asarray(cv2.blur(picture, (_NEAR, _NEAR)))
