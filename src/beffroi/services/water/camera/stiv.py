"""Space-time image velocimetry: the speed along a line is the slope of the streaks in its space-time image.

The slope is looked for in the spectrum (Fujita, Notoya et al. 2020): a pattern carried at speed c puts its energy on
f = -c k. Frequencies are folded as the frame rate folds them, so that speeds of many pixels per frame are found.
"""

from typing import Any

import numpy as np
from scipy import fft, ndimage

__all__ = ["space_time"]

Array = np.ndarray[Any, Any]
_LEAST_FRAMES = 6
_STEP_PX = 0.05


def space_time(frames: list[Array], x: Array, y: Array, flow: Array, length: int) -> tuple[Array, Array]:
    """Return displacements (n, 2) in pixels per frame along `flow` (n, 2) at the points, and how sharp each is.

    The line through each point lies along its flow, `length` pixels long. Sharpness: energy on the best slope over the
    mean of all slopes; 0 where there are too few frames or nothing moves.
    """
    count = len(frames)
    moved, sharp = np.zeros((len(x), 2)), np.zeros(len(x))
    if count < _LEAST_FRAMES:
        return moved, sharp
    stack = np.stack([f.astype(np.float32) for f in frames])
    at = np.arange(length) - length / 2
    wave = fft.rfftfreq(length)[1 : length // 4].astype(np.float32)  # cycles per pixel
    window = (np.hanning(count + 2)[1:-1][:, None] * np.hanning(length)[None]).astype(np.float32)
    for j in range(len(x)):
        speed = float(np.hypot(*flow[j]))
        if speed < 0.2:
            continue
        way = flow[j] / speed
        line = np.stack((y[j] + at * way[1], x[j] + at * way[0]))
        image = np.stack([ndimage.map_coordinates(f, line, order=1, mode="nearest") for f in stack])
        image = (image - image.mean(1, keepdims=True) - (image.mean(0) - image.mean())[None]) * window
        energy = np.abs(fft.fft(fft.rfft(image, axis=1)[:, 1 : length // 4], n=8 * count, axis=0)) ** 2
        energy /= energy.sum(0, keepdims=True) + 1e-9
        speeds = np.arange(max(0.2, 0.5 * speed), 1.5 * speed + _STEP_PX, _STEP_PX)
        rows = np.rint(np.mod(-speeds[:, None] * wave, 1.0) * 8 * count).astype(int) % (8 * count)
        on = energy[rows, np.arange(len(wave))].mean(1)
        best = int(on.argmax())
        moved[j], sharp[j] = speeds[best] * way, on[best] * 8 * count
    return moved, sharp
