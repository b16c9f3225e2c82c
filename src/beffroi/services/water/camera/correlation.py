"""Ensemble correlation: one displacement for each window out of all pairs of a sequence.

The cross-spectra of all pairs are summed before one peak is looked for (Meinhart, Wereley & Santiago 2000): faint or
rare tracers add up where noise does not. Three passes: the second moves the windows of later frames by whole pixels of
what the first found, so that the taper of the windows pulls nothing towards zero; half the pairs each give a
repeatability. All in float32 on scipy.fft.
"""

from typing import Any

import msgspec
import numpy as np
from scipy import fft

__all__ = ["Ensemble", "correlate", "sub_pixel_peak"]

Array = np.ndarray[Any, Any]
_FLAT = 1e-6
_PASSES = 3


class Ensemble(msgspec.Struct, frozen=True, eq=False):
    """Displacements in pixels per frame step at each point; y downwards.

    `ratio` is the height of the peak over the second highest; `spread` the distance in pixels between the two halves
    of the pairs, divided by √2 (a standard deviation of the whole is about half of it).
    """

    u: Any
    v: Any
    ratio: Any
    spread: Any
    height: Any


def correlate(
    frames: list[Array], x: Array, y: Array, window: int, *, reach: float = 0.35, predicted: Any = None
) -> Ensemble:
    """Correlate windows of `window` pixels centred on the whole pixels x, y over all pairs of consecutive frames.

    `frames` are pictures of one size in which every window lies. `reach`: the largest displacement found, as a share
    of the window.
    """
    steps = len(frames) - 1
    taper = np.hanning(window + 2)[1:-1].astype(np.float32)
    weight = taper[:, None] * taper
    windows = _tapered(frames, x, y, window, weight)
    spectra = [fft.rfft2(w) for w in windows]
    limit = int(window * reach)
    first = np.zeros((len(x), 2), np.int64) if predicted is None else np.rint(predicted).astype(np.int64)
    moved = spectra[1:] if predicted is None else None
    for turn in range(_PASSES):
        if moved is None:
            moved = _moved(frames, x, y, first, window, weight)
        products = [np.conj(spectra[i]) * moved[i] for i in range(steps)]
        whole = _plane(sum(products), window)
        u, v, height, ratio = sub_pixel_peak(
            whole, limit if turn == 0 and predicted is None else max(4, limit // 3)
        )
        found = np.stack((u, v), 1) + first
        step = np.rint(np.clip(found, -limit, limit)).astype(np.int64)
        if turn == _PASSES - 1 or np.array_equal(step, first):
            break
        first, moved = step, None
    halves = [sum(products[k::2]) for k in (0, 1)] if steps > 1 else []
    spread = np.full(len(x), np.nan)
    if halves:
        (ua, va, *_), (ub, vb, *_) = (sub_pixel_peak(_plane(h, window), max(4, limit // 3)) for h in halves)
        spread = np.hypot(ua - ub, va - vb) / np.sqrt(2)
    return Ensemble(found[:, 0], found[:, 1], ratio, spread, height)


def _cut(frame: Array, x: Array, y: Array, window: int) -> Array:
    """Return the windows around whole pixels; what lies outside the picture repeats its edge."""
    half = window // 2
    left, top = x - half, y - half
    height, width = frame.shape
    if left.min() < 0 or top.min() < 0 or left.max() > width - window or top.max() > height - window:
        frame = np.pad(frame, window, mode="edge")
        left = np.clip(left + window, 0, width + window)
        top = np.clip(top + window, 0, height + window)
    every = np.lib.stride_tricks.sliding_window_view(frame, (window, window))
    return np.asarray(every[top, left], np.float32)


def _tapered(frames: list[Array], x: Array, y: Array, window: int, weight: Array) -> list[Array]:
    found = []
    for frame in frames:
        cut = _cut(frame, x, y, window)
        mean = (cut * weight).sum((1, 2), keepdims=True) / weight.sum()
        found.append((cut - mean) * weight)
    return found


def _moved(frames: list[Array], x: Array, y: Array, by: Array, window: int, weight: Array) -> list[Array]:
    """Return the spectra of the windows of every frame but the first, moved by whole pixels."""
    later = _tapered(frames[1:], x + by[:, 0], y + by[:, 1], window, weight)
    return [fft.rfft2(w) for w in later]


def _plane(product: Any, window: int) -> Array:
    return np.asarray(fft.fftshift(fft.irfft2(product, s=(window, window)), axes=(1, 2)))


def sub_pixel_peak(planes: Array, limit: int) -> tuple[Array, Array, Array, Array]:
    """Return u, v, height and ratio of the highest peak of each correlation plane (n, w, w), zero in the middle.

    Between pixels by a Gaussian through three (Willert & Gharib 1991). `limit`: displacement in pixels at most.
    """
    middle = planes.shape[1] // 2
    limit = min(limit, middle - 1)
    near = planes[:, middle - limit : middle + limit + 1, middle - limit : middle + limit + 1]
    count, size, _ = near.shape
    index = near.reshape(count, -1).argmax(1)
    row, column = index // size, index % size
    every = np.arange(count)
    height = near[every, row, column]
    r, c = row + middle - limit, column + middle - limit
    down = _between(planes[every, r - 1, c], height, planes[every, r + 1, c])
    across = _between(planes[every, r, c - 1], height, planes[every, r, c + 1])
    return (
        (column - limit + across).astype(float),
        (row - limit + down).astype(float),
        height,
        height / np.maximum(_second(near, row, column), _FLAT * np.abs(height) + 1e-12),
    )


def _second(near: Array, row: Array, column: Array) -> Array:
    """Return the highest value away from the peak."""
    size = near.shape[1]
    aside = max(2, size // 8)
    places = np.arange(size)
    hidden = (np.abs(places - row[:, None]) <= aside)[:, :, None] & (
        np.abs(places - column[:, None]) <= aside
    )[:, None]
    return np.asarray(np.where(hidden, 0, near).max((1, 2)))


def _between(before: Array, at: Array, after: Array) -> Array:
    """Return where between -½ and ½ a Gaussian through three values is highest."""
    least = np.maximum(np.abs(at) * 1e-3, 1e-12)
    a, b, c = (np.log(np.maximum(z, least)) for z in (before, at, after))
    bend = a - 2 * b + c
    return np.clip(np.where(bend < -1e-9, 0.5 * (a - c) / np.where(bend < -1e-9, bend, -1), 0), -0.5, 0.5)
