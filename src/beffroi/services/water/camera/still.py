"""The one picture that is kept: small, and blurred wherever it is not the site's own water, so that nobody on a bank, a
bridge or at a window can be known. It is grey: colour is not measured and not kept."""

from typing import Any

import cv2
import numpy as np

__all__ = ["still_of"]

Array = np.ndarray[Any, Any]
_WIDE = 640
_BLUR = 24  # of the width: what is smaller than a face at any distance that fills the picture
_JPEG = 80


def still_of(frame: Array, water: Array | None) -> bytes:
    """Return the picture to keep (JPEG); `water` is the polygon (n, 2) in pixels that stays sharp, if any."""
    scale = min(1.0, _WIDE / frame.shape[1])
    small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    sharp = np.zeros(small.shape, np.uint8)
    if water is not None and len(water) >= 3:
        cv2.fillPoly(sharp, [np.rint(np.clip(water * scale, -20_000, 20_000)).astype(np.int32)], 255)
    coarse = cv2.resize(small, None, fx=1 / _BLUR, fy=1 / _BLUR, interpolation=cv2.INTER_AREA)
    soft = cv2.resize(coarse, (small.shape[1], small.shape[0]), interpolation=cv2.INTER_LINEAR)
    kept = np.where(sharp > 0, small, soft)
    return bytes(cv2.imencode(".jpg", kept, [cv2.IMWRITE_JPEG_QUALITY, _JPEG])[1])
