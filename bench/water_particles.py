"""Pairs of pictures of particles carried by known flows: the generator of the velocimetry's figures.

Each particle is a Gaussian spot integrated over each pixel exactly (by the error function), at half the displacement
before and behind where its velocity is taken. `loss` is the share of particles of the first picture that the second
does not show, others in their stead. Seeds, flows and sets are printed by `python -m bench.water_camera`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import erf

Array = np.ndarray[Any, Any]
Flow = Callable[[Array, Array], tuple[Array, Array]]
SIZE = 1024
_AROUND = 40


@dataclass(frozen=True)
class Set:
    """How dense, wide (e⁻² diameter in pixels), noisy (grey levels) and lasting the particles are."""

    per_pixel: float
    diameter: float
    noise: float
    loss: float


CLEAN = Set(0.03, 2.5, 4.0, 0.10)
RIVER = Set(0.008, 4.0, 10.0, 0.25)
_C = (SIZE - 1) / 2


def uniform(u: float, v: float = 0.0) -> Flow:
    return lambda x, y: (np.full_like(x, u), np.full_like(y, v))


def shear(x: Array, y: Array) -> tuple[Array, Array]:
    """Speed grows evenly down the picture, from 1 to 7 pixels."""
    return 1 + 6 * y / SIZE, 0 * x


def vortex(x: Array, y: Array) -> tuple[Array, Array]:
    """Lamb and Oseen's vortex, 8 pixels at its fastest, 67 pixels from its middle."""
    dx, dy = x - _C, y - _C
    r2 = dx * dx + dy * dy + 1e-9
    turn = 8 * 60 / 0.638 / r2 * (1 - np.exp(-r2 / 60**2))
    return -turn * dy, turn * dx


def channel(x: Array, y: Array) -> tuple[Array, Array]:
    """A parabola from bank to bank, 7 pixels in the middle."""
    return 7 * (1 - ((y - _C) / (SIZE / 2 + 20)) ** 2), 0 * x


CASES: tuple[tuple[str, Set, Flow, str], ...] = (
    ("uniform 0.3", CLEAN, uniform(0.3), "clean"),
    ("uniform 3.4", CLEAN, uniform(3.4), "clean"),
    ("uniform 7.6", CLEAN, uniform(7.6), "clean"),
    ("shear", CLEAN, shear, "clean"),
    ("vortex", CLEAN, vortex, "clean"),
    ("channel", CLEAN, channel, "clean"),
    ("uniform 3.4", RIVER, uniform(3.4), "river"),
    ("channel", RIVER, channel, "river"),
)


def picture(x: Array, y: Array, light: Array, diameter: float, size: int = SIZE) -> Array:
    """Return the light of particles on each pixel."""
    spread = diameter / 4 * np.sqrt(2)
    reach = int(np.ceil(diameter)) + 1
    at = np.arange(-reach, reach + 1)
    column, row = np.rint(x).astype(int), np.rint(y).astype(int)
    seen = (column > -reach) & (column < size + reach) & (row > -reach) & (row < size + reach)
    column, row, x, y, light = column[seen], row[seen], x[seen], y[seen], light[seen]

    def share(whole: Array, place: Array) -> Array:
        edge = whole[:, None] + at - place[:, None]
        return erf((edge + 0.5) / spread) - erf((edge - 0.5) / spread)

    most = (2 * erf(0.5 / spread)) ** 2
    spots = light[:, None, None] / most * share(row, y)[:, :, None] * share(column, x)[:, None, :]
    canvas = np.zeros((size + 4 * reach, size + 4 * reach))
    np.add.at(
        canvas,
        (
            (row[:, None, None] + at[None, :, None] + 2 * reach),
            (column[:, None, None] + at[None, None, :] + 2 * reach),
        ),
        spots,
    )
    return canvas[2 * reach : 2 * reach + size, 2 * reach : 2 * reach + size]


def pair(flow: Flow, kind: Set, seed: int, size: int = SIZE) -> tuple[Array, Array]:
    """Return two grey pictures (uint8) of particles carried by `flow` (pixels, y downwards)."""
    rng = np.random.default_rng(seed)
    count = int(kind.per_pixel * (size + 2 * _AROUND) ** 2)
    x, y = rng.uniform(-_AROUND, size + _AROUND, (2, count))
    light = rng.uniform(60, 200, count)
    u, v = flow(x, y)
    lost = rng.random(count) < kind.loss
    later_x, later_y, later_light = x + u / 2, y + v / 2, light.copy()
    later_x[lost], later_y[lost] = rng.uniform(-_AROUND, size + _AROUND, (2, int(lost.sum())))
    later_light[lost] = rng.uniform(60, 200, int(lost.sum()))
    first = picture(x - u / 2, y - v / 2, light, kind.diameter, size)
    second = picture(later_x, later_y, later_light, kind.diameter, size)
    grey = [
        np.clip(np.rint(p + 8 + rng.normal(0, kind.noise, p.shape)), 0, 255).astype(np.uint8)
        for p in (first, second)
    ]
    return grey[0], grey[1]


def errors(x: Array, y: Array, u: Array, v: Array, flow: Flow) -> tuple[float, float]:
    """Return the RMS of the vectors' errors in pixels, and the per cent that is off by more than half a pixel."""
    true_u, true_v = flow(np.asarray(x, float), np.asarray(y, float))
    off = np.hypot(u - true_u, v - true_v)
    return float(np.sqrt(np.mean(off**2))), float(100 * np.mean(off > 0.5))
