"""A staff gauge: where it stands, and what is printed on it (a comb of centimetres, decimetres numbered)."""

import functools
import math
from typing import Any

import msgspec
import numpy as np

__all__ = ["STAFF_WIDTH_M", "Staff", "staff_picture"]

Array = np.ndarray[Any, Any]
STAFF_WIDTH_M = 0.15
_PER_M = 400  # pixels of the drawn plate for a metre


class Staff(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A plate that stands upright at (x, y), from altitude `bottom` to `top`; `turn` is its direction in radians, 0
    along the x axis. `zero` is the altitude at which its marks begin to count."""

    x: float
    y: float
    bottom: float
    top: float
    turn: float = 0.0
    width_m: float = STAFF_WIDTH_M
    zero: float = 0.0

    def corners(self) -> Array:
        """Return the corners (4, 3): top left, top right, bottom right, bottom left."""
        dx, dy = (self.width_m / 2 * f(self.turn) for f in (math.cos, math.sin))
        left, right = (self.x - dx, self.y - dy), (self.x + dx, self.y + dy)
        return np.array(((*left, self.top), (*right, self.top), (*right, self.bottom), (*left, self.bottom)))


@functools.lru_cache(maxsize=8)
def staff_picture(staff: Staff) -> Array:
    """Return the plate (grey, top row first, 2.5 mm a pixel): white, black teeth every second centimetre, a spine for
    every second decimetre, and the number of each decimetre."""
    import cv2  # noqa: PLC0415 -- of the extra [water]: a site is read without it

    high, wide = round((staff.top - staff.bottom) * _PER_M), round(staff.width_m * _PER_M)
    at = staff.top - (np.arange(high) + 0.5) / _PER_M - staff.zero
    plate = np.full((high, wide), 235, np.uint8)
    tooth = np.floor(at * 100 + 1e-9).astype(int) % 2 == 0
    odd = np.floor(at * 10 + 1e-9).astype(int) % 2 == 1
    third = wide // 3
    plate[tooth, third:] = 25
    plate[np.ix_(odd, np.arange(third, third + max(2, wide // 10)))] = 25
    plate[:, :2] = plate[:, -2:] = 25
    for decimetre in range(
        math.ceil((staff.bottom - staff.zero) * 10), math.floor((staff.top - staff.zero) * 10)
    ):
        row = round((staff.top - staff.zero - decimetre / 10) * _PER_M) - 6
        text = str(decimetre % 100)
        if 10 < row < high:
            cv2.putText(plate, text, (3, row), cv2.FONT_HERSHEY_SIMPLEX, 0.42, 25, 1, cv2.LINE_AA)
    return plate
