"""Displacements between two pictures on a grid: tracked texture, windows deformed where the flow turns.

A first pass follows each window by Lucas-Kanade on pyramids; the median test (Westerweel & Scarano 2005) finds what
stands alone; a local quadric smooths. Where the field then varies across a window by more than a fraction of a pixel,
both pictures are deformed by half of it each and what is left is followed again (Scarano 2002). When too much stands
alone, correlation by multipass FFT is tried too, and the surer of the two is kept.
"""

from collections.abc import Callable
from typing import Any

import cv2
import msgspec
import numpy as np

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.water.camera.correlation import correlate

__all__ = ["PAIR_ENGINES", "Vectors", "displacements"]

Array = np.ndarray[Any, Any]
_FAR = 2.0  # of the neighbours' own residual: the median test
_NOISE_PX = 0.1
_VARIES_PX = 1.2  # across a window: more asks for a deformation
_TURNS_SHARE = 0.005  # of the windows, fewer are noise
_DEFORMATIONS = 3
_LEFT_PX = 0.4  # left to follow after a deformation: more asks for another
_ALONE_SHARE = 0.2  # of the vectors: more asks for another engine
_FLAT = 1.5  # grey levels of standard deviation: less is no texture


class Vectors(msgspec.Struct, frozen=True, eq=False):
    """A grid (rows, columns) of window centres x, y and displacements u, v in pixels, y downwards.

    `flag`: 0 measured, 1 taken from the neighbours, 2 nothing to see there (u and v are NaN).
    """

    x: Any
    y: Any
    u: Any
    v: Any
    flag: Any
    engine: str
    score: float


def displacements(
    first: Array, second: Array, window: int = 32, step: int = 16, engine: str = "auto"
) -> Vectors:
    """Return the displacements from the first picture to the second. Raises Problem when they cannot be compared."""
    x, y = _grid(first, second, window, step)
    if engine != "auto":
        return PAIR_ENGINES[engine](first, second, x, y, window)
    tracked = _tracked(first, second, x, y, window)
    if (tracked.flag == 1).mean() <= _ALONE_SHARE:
        return tracked
    other = _multipass(first, second, x, y, window)
    return max((tracked, other), key=lambda found: found.score)


def _grid(first: Array, second: Array, window: int, step: int) -> tuple[Array, Array]:
    if first.shape != second.shape:
        raise Problem(
            Text("Les deux images n'ont pas la même taille.", "The two pictures are not of one size."),
            Text("Donnez deux images d'une même séquence.", "Give two pictures of one sequence."), "B")  # fmt: skip
    height, width = first.shape
    if not 8 <= window <= min(height, width) or step < 1:
        raise Problem(
            Text("La fenêtre doit avoir entre 8 et {n} pixels, et le pas un au moins.",
                 "The window must have between 8 and {n} pixels, and the step one at least.")
            .filled(n=min(height, width)),
            Text("Par exemple `--window 32 --step 16`.", "For example `--window 32 --step 16`."), "--window")  # fmt: skip
    middle = (window - 1) / 2
    columns = np.arange(0, width - window + 1, step) + middle
    rows = np.arange(0, height - window + 1, step) + middle
    found = np.meshgrid(columns, rows)
    return found[0], found[1]


def _follow(first: Array, second: Array, x: Array, y: Array, window: int, levels: int) -> tuple[Array, Array]:
    points = np.stack((x, y), -1).reshape(-1, 1, 2).astype(np.float32)
    found, _, _ = cv2.calcOpticalFlowPyrLK(
        first,
        second,
        points,
        points.copy(),
        winSize=(window, window),
        maxLevel=levels,
        criteria=(3, 10, 0.01),
    )
    moved = (found - points).reshape(*x.shape, 2).astype(float)
    return moved[..., 0], moved[..., 1]


def _tracked(first: Array, second: Array, x: Array, y: Array, window: int) -> Vectors:
    u, v = _follow(first, second, x, y, window, 2)
    dark = _dark(first, x, y, window)
    alone, u, v = _alone_replaced(u, v, dark)
    smooth_u, smooth_v = _quadric(u), _quadric(v)
    turns = _turns(smooth_u, smooth_v, window, _step(x)) & ~dark
    near = cv2.dilate(turns.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    for _ in range(_DEFORMATIONS if turns.mean() > _TURNS_SHARE else 0):
        left_u, left_v = _deformed(first, second, x, y, (smooth_u, smooth_v), near, window)
        u, v = u.copy(), v.copy()
        u[near], v[near] = smooth_u[near] + left_u, smooth_v[near] + left_v
        again, u, v = _alone_replaced(u, v, dark)
        alone = np.where(near, again, alone)
        smooth_u, smooth_v = _quadric(u), _quadric(v)
        left = np.zeros(x.shape)
        left[near] = np.hypot(left_u, left_v)
        near = cv2.dilate((left > _LEFT_PX).astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
        if near.mean() <= _TURNS_SHARE:
            break
    return _vectors("klt", x, y, smooth_u, smooth_v, alone, dark)


def _multipass(first: Array, second: Array, x: Array, y: Array, window: int) -> Vectors:
    """Correlate by FFT: windows twice as wide first, then as asked, moved by what was found."""
    columns, rows = np.rint(x + 0.5).astype(int).ravel(), np.rint(y + 0.5).astype(int).ravel()
    wide = correlate([first, second], columns, rows, 2 * window)
    dark = _dark(first, x, y, window)
    _, u, v = _alone_replaced(wide.u.reshape(x.shape), wide.v.reshape(x.shape), dark)
    fine = correlate([first, second], columns, rows, window, predicted=np.stack((u.ravel(), v.ravel()), 1))
    alone, u, v = _alone_replaced(fine.u.reshape(x.shape), fine.v.reshape(x.shape), dark)
    return _vectors("multipass", x, y, _quadric(u), _quadric(v), alone, dark)


def _correlated(first: Array, second: Array, x: Array, y: Array, window: int) -> Vectors:
    """Correlate by FFT once, nothing smoothed: what the simplest tools do."""
    columns, rows = np.rint(x + 0.5).astype(int).ravel(), np.rint(y + 0.5).astype(int).ravel()
    found = correlate([first, second], columns, rows, window)
    dark = _dark(first, x, y, window)
    alone, u, v = _alone_replaced(found.u.reshape(x.shape), found.v.reshape(x.shape), dark)
    return _vectors("correlation", x, y, u, v, alone, dark)


PAIR_ENGINES: dict[str, Callable[[Array, Array, Array, Array, int], Vectors]] = {
    "klt": _tracked,
    "multipass": _multipass,
    "correlation": _correlated,
}


def _vectors(engine: str, x: Array, y: Array, u: Array, v: Array, alone: Array, dark: Array) -> Vectors:
    flag = np.where(dark, 2, np.where(alone, 1, 0))
    score = float((flag == 0).mean())
    return Vectors(x, y, np.where(dark, np.nan, u), np.where(dark, np.nan, v), flag, engine, score)


def _dark(picture: Array, x: Array, y: Array, window: int) -> Array:
    """True where a window holds nothing but the noise of one grey."""
    mean, square = cv2.integral2(picture, sdepth=cv2.CV_64F, sqdepth=cv2.CV_64F)
    left, top = (x - (window - 1) / 2).astype(int), (y - (window - 1) / 2).astype(int)

    def over(table: Array) -> Array:
        right, bottom = left + window, top + window
        return np.asarray(table[bottom, right] - table[top, right] - table[bottom, left] + table[top, left])

    area = window * window
    return np.asarray(over(square) / area - (over(mean) / area) ** 2 < _FLAT**2)


def _around(values: Array) -> Array:
    """Return the eight neighbours of each value; beyond the edge the field goes on as it came."""
    if min(values.shape) < 2:
        wide = np.pad(values, 1, mode="edge")
    else:
        wide = np.pad(values, 1, mode="reflect", reflect_type="odd")
    rows, columns = values.shape
    return np.stack(
        [wide[i : i + rows, j : j + columns] for i in range(3) for j in range(3) if (i, j) != (1, 1)]
    )


def _alone_replaced(u: Array, v: Array, dark: Array) -> tuple[Array, Array, Array]:
    """Return which vectors stand alone among their neighbours, and the field with those replaced by the median."""
    u, v = np.where(dark, _middle(u, dark), u), np.where(dark, _middle(v, dark), v)
    residual = np.zeros(u.shape)
    medians = []
    for part in (u, v):
        near = np.sort(_around(part), 0)
        middle = (near[3] + near[4]) / 2
        off = np.sort(np.abs(near - middle), 0)
        residual += ((part - middle) / ((off[3] + off[4]) / 2 + _NOISE_PX)) ** 2
        medians.append(middle)
    alone = residual > _FAR**2
    return alone, np.where(alone, medians[0], u), np.where(alone, medians[1], v)


def _middle(values: Array, dark: Array) -> float:
    return float(np.median(values[~dark])) if not dark.all() else 0.0


def _kernel() -> Array:
    """Return the weights of the middle of a quadric fitted to 5 x 5 values (Savitzky & Golay)."""
    at = np.arange(5) - 2
    a, b = (m.ravel() for m in np.meshgrid(at, at))
    terms = np.stack([a**i * b**j for i in range(3) for j in range(3 - i)], 1)
    return np.asarray(np.linalg.pinv(terms)[0].reshape(5, 5))


_QUADRIC = _kernel()


def _quadric(values: Array) -> Array:
    if min(values.shape) < 5:
        return values
    wide = np.pad(values, 2, mode="reflect", reflect_type="odd")
    return np.asarray(cv2.filter2D(wide, cv2.CV_64F, _QUADRIC)[2:-2, 2:-2])


def _step(x: Array) -> float:
    return float(x[0, 1] - x[0, 0]) if x.shape[1] > 1 else 1.0


def _turns(u: Array, v: Array, window: int, step: float) -> Array:
    """True where a displacement varies across a window by more than a pixel or so."""
    if min(u.shape) < 3:
        return np.zeros(u.shape, bool)
    slopes = [g for part in (u, v) for g in np.gradient(part, step)]
    return np.asarray(np.sqrt(sum(g * g for g in slopes)) * window > _VARIES_PX)


def _deformed(
    first: Array, second: Array, x: Array, y: Array, field: tuple[Array, Array], where: Array, window: int
) -> tuple[Array, Array]:
    """Return what is left to follow at `where`, both pictures deformed by half the field each."""
    height, width = first.shape
    step, x0, y0 = _step(x), float(x[0, 0]), float(y[0, 0])
    place = np.array(((1 / step, 0, -x0 / step), (0, 1 / step, -y0 / step)))
    half_u, half_v = (
        cv2.warpAffine(
            part.astype(np.float32) / 2, place, (width, height),
            flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE,
        )
        for part in field
    )  # fmt: skip
    across, down = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    before = cv2.remap(first, across - half_u, down - half_v, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    after = cv2.remap(second, across + half_u, down + half_v, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return _follow(before, after, x[where], y[where], window, 0)
