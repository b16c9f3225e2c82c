"""The velocity of the surface across a section, by whichever engine is surest; what each found is kept.

Each engine looks at the same points: the verticals of the section, on several rows up- and downstream of it whose
median stands for the vertical. Displacements of pictures seen from above are velocities along the ground.
"""

from collections.abc import Callable
from typing import Any

import cv2
import msgspec
import numpy as np

from beffroi.services.water.camera.correlation import correlate
from beffroi.services.water.camera.stiv import space_time

__all__ = ["ENGINES", "Look", "Profile", "measure_profile"]

Array = np.ndarray[Any, Any]
COARSE, FINE = 64, 32  # windows, pixels
ROWS = 5
_GOOD_ERROR = 0.02  # relative standard error under which no other engine is asked
_GOOD_SHARE = 0.9
_LEAST_RATIO = 1.15
_SLOW_PX, _AIM_PX = 2.5, 6.0  # displacements that are small, and that are well measured
_EDGE = 0.25  # pixels under which the two halves always agree


class Look(msgspec.Struct, frozen=True, eq=False):
    """What engines look at: the frames from above, their times, and the points (rows x verticals)."""

    frames: list[Any]
    times_s: Any
    x: Any
    y: Any
    seen: Any  # (rows, verticals) whose window lies in the picture
    resolution: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and verticals."""
        return (int(self.x.shape[0]), int(self.x.shape[1]))


class Profile(msgspec.Struct, frozen=True, eq=False):
    """What one engine found at each vertical. Velocities in m/s: `across` towards the rows of smaller numbers."""

    engine: str
    across: Any  # through the section
    along: Any  # along it
    sigma: Any  # standard error of `across`
    valid: Any
    pace: Any  # for each pair of frames, its common speed over that of all
    score: float  # 0 to 1

    @property
    def error(self) -> float:
        """Median standard error over the median speed; infinite when nothing is valid."""
        if not self.valid.any():
            return float("inf")
        speed = float(np.median(np.abs(self.across[self.valid])))
        return float(np.median(self.sigma[self.valid])) / max(speed, 1e-6)


def measure_profile(look: Look, wanted: str = "auto") -> list[Profile]:
    """Return what the engines found, the surest first. `wanted`: auto, all, or one engine's name."""
    look = _unhurried(look)
    coarse = _coarse(look)
    found = [ENGINES["ensemble"](look, coarse)] if wanted in ("auto", "all", "ensemble") else []
    sure = found and found[0].error < _GOOD_ERROR and found[0].valid.mean() >= _GOOD_SHARE
    if wanted != "ensemble" and not (wanted == "auto" and sure):
        names = [n for n in ENGINES if n != "ensemble"] if wanted in ("auto", "all") else [wanted]
        found += [ENGINES[name](look, coarse) for name in names]
    return sorted(found, key=lambda p: -p.score)


def _unhurried(look: Look) -> Look:
    """Return the look with frames left out between pairs when the water moves too little from one to the next."""
    if len(look.frames) < 5:
        return look
    first = correlate(look.frames[:5], look.x[look.shape[0] // 2], look.y[look.shape[0] // 2], COARSE)
    good = first.ratio > _LEAST_RATIO
    if good.sum() < 3:
        return look
    moved = float(np.median(np.hypot(first.u, first.v)[good]))
    if moved >= _SLOW_PX:
        return look
    skip = int(min((len(look.frames) - 1) // 3, max(1, round(_AIM_PX / max(moved, 0.05)))))
    if skip <= 1:
        return look
    kept = slice(None, None, skip)
    return msgspec.structs.replace(look, frames=look.frames[kept], times_s=look.times_s[kept])


def _coarse(look: Look) -> Array:
    """Return a displacement at every point by wide windows, what stands alone replaced by its neighbours' median."""
    found = correlate(look.frames, look.x.ravel(), look.y.ravel(), COARSE)
    field = np.stack((found.u, found.v), 1).reshape(*look.shape, 2)
    good = ((found.ratio > _LEAST_RATIO) & (found.height > 0)).reshape(look.shape) & look.seen
    calm = field.copy()
    for j in range(look.shape[1]):
        near = np.s_[:, max(0, j - 1) : j + 2]
        if good[near].any():
            middle = np.median(field[near][good[near]], 0)
            off = np.hypot(*(field[:, j] - middle).T) > 1 + 0.35 * np.hypot(*middle)
            calm[off | ~good[:, j], j] = middle
    return calm


def _ensemble(look: Look, coarse: Array) -> Profile:
    """Sum the correlation of all pairs: one peak for each window."""
    dt = float(np.median(np.diff(look.times_s)))
    flat = coarse.reshape(-1, 2)
    found = correlate(look.frames, look.x.ravel(), look.y.ravel(), FINE, predicted=flat)
    spread = np.where(np.isfinite(found.spread), found.spread, 1.0) / np.sqrt(2)
    good = (
        (found.height > 0)
        & (found.ratio > _LEAST_RATIO)
        & (spread < _EDGE + 0.3 * np.hypot(found.u, found.v))
    )
    samples = np.stack((found.u, found.v), 1).reshape(1, *look.shape, 2) * look.resolution / dt
    return _profile("ensemble", look, samples, good.reshape(1, *look.shape), spread * look.resolution / dt)


def _multipass(look: Look, coarse: Array) -> Profile:
    """Correlate each pair for itself, windows moved and made smaller; the median of the pairs stands."""
    flat = coarse.reshape(-1, 2)
    samples, good = [], []
    for i, dt in enumerate(np.diff(look.times_s)):
        found = correlate(look.frames[i : i + 2], look.x.ravel(), look.y.ravel(), FINE, predicted=flat)
        samples.append(np.stack((found.u, found.v), 1).reshape(*look.shape, 2) * look.resolution / dt)
        off = np.hypot(found.u - flat[:, 0], found.v - flat[:, 1])
        good.append(((found.height > 0) & (off < 2 + 0.35 * np.hypot(*flat.T))).reshape(look.shape))
    return _profile("multipass", look, np.array(samples), np.array(good))


def _klt(look: Look, coarse: Array) -> Profile:
    """Follow the texture of each window from frame to frame (Lucas-Kanade on pyramids), there and back again."""
    samples, good = [], []
    points = np.stack((look.x, look.y), -1).reshape(-1, 1, 2).astype(np.float32)
    start = points + coarse.reshape(-1, 1, 2).astype(np.float32)
    options: dict[str, Any] = {
        "winSize": (FINE, FINE), "maxLevel": 1, "criteria": (3, 10, 0.02), "flags": cv2.OPTFLOW_USE_INITIAL_FLOW
    }  # fmt: skip
    for i, dt in enumerate(np.diff(look.times_s)):
        there, seen, _ = cv2.calcOpticalFlowPyrLK(
            look.frames[i], look.frames[i + 1], points, start.copy(), **options
        )
        back, _, _ = cv2.calcOpticalFlowPyrLK(
            look.frames[i + 1], look.frames[i], there, points.copy(), **options
        )
        moved = (there - points).reshape(-1, 2)
        agree = np.hypot(*(back - points).reshape(-1, 2).T) < 0.5
        samples.append(moved.reshape(*look.shape, 2) * look.resolution / dt)
        good.append((agree & seen.ravel().astype(bool)).reshape(look.shape))
    return _profile("klt", look, np.array(samples), np.array(good))


def _stiv(look: Look, coarse: Array) -> Profile:
    """Read the slope of the space-time image along the flow through each vertical."""
    dt = float(np.median(np.diff(look.times_s)))
    middle = look.shape[0] // 2
    flow = np.median(coarse, 0)
    moved, sharp = space_time(look.frames, look.x[middle], look.y[middle], flow, 2 * COARSE)
    samples = (moved * look.resolution / dt)[None, None]
    good = (sharp > 2.0)[None, None]
    one = msgspec.structs.replace(
        look,
        x=look.x[middle : middle + 1],
        y=look.y[middle : middle + 1],
        seen=look.seen[middle : middle + 1],
    )
    error = np.full(look.shape[1], 0.1) * np.abs(samples[0, 0, :, 1]) / np.maximum(sharp, 1)
    return _profile("stiv", one, samples, good, error)


def _profile(engine: str, look: Look, samples: Array, good: Array, error: Array | None = None) -> Profile:
    """Put together samples (pairs, rows, verticals, 2) in m/s: medians, standard errors, what is valid, a score."""
    rows, verticals = look.shape
    good = good & look.seen
    kept = np.where(good[..., None], samples, np.nan)
    flat = kept.reshape(-1, verticals, 2)
    count = np.isfinite(flat[..., 0]).sum(0)
    across, along, scatter = (
        np.full(verticals, np.nan),
        np.full(verticals, np.nan),
        np.full(verticals, np.nan),
    )
    for j in np.flatnonzero(count):
        values = flat[np.isfinite(flat[:, j, 0]), j]
        along[j], across[j] = np.median(values[:, 0]), -np.median(values[:, 1])
        scatter[j] = 1.4826 * np.median(np.abs(values[:, 1] + across[j]))
    # rows overlap by half: about one in two is independent
    independent = np.maximum(count * (0.5 if rows > 1 else 1.0), 1)
    sigma = 1.25 * scatter / np.sqrt(independent)
    if error is not None:
        asked = np.where(good.any(0), error.reshape(-1, verticals), np.nan)
        own = np.array(
            [float(np.median(c[np.isfinite(c)])) if np.isfinite(c).any() else 1.0 for c in asked.T]
        )
        sigma = np.sqrt(np.nan_to_num(sigma) ** 2 + own**2 / max(1, rows / 2))
    pace = _pace(kept, across)
    needed = 0.4 * good.shape[0] * good.shape[1]
    valid = np.isfinite(across) & (count >= max(1, needed)) & _among_neighbours(across, sigma)
    fastest = float(np.nanmax(np.abs(across))) if count.any() else 1.0
    valid &= np.nan_to_num(sigma, nan=np.inf) < np.maximum(
        0.5 * np.nan_to_num(np.abs(across)), 0.15 * fastest
    )
    found = Profile(engine, across, along, np.maximum(sigma, 1e-4), valid, pace, 0.0)
    return msgspec.structs.replace(found, score=float(valid.mean() / (1 + 10 * min(found.error, 1e3))))


def _pace(kept: Array, across: Array) -> Array:
    """Return the common speed of each pair over that of all: what is not 1 is time, shake, or the river's own pulse."""
    if kept.shape[0] < 2 or not np.isfinite(across).any():
        return np.ones(1)
    strong = np.abs(across) > 0.5 * np.nanmax(np.abs(across))
    found = []
    for pair in kept:
        share = -pair[:, strong, 1] / across[strong]
        if np.isfinite(share).any():
            found.append(float(np.nanmedian(share)))
    return np.array(found or [1.0])


def _among_neighbours(values: Array, sigma: Array) -> Array:
    """True where a value is not far from what its two neighbours on either side say (Westerweel & Scarano 2005)."""
    good = np.ones(len(values), bool)
    scale = np.nanmax(np.abs(values)) if np.isfinite(values).any() else 1.0
    for j in range(len(values)):
        near = np.r_[values[max(0, j - 2) : j], values[j + 1 : j + 3]]
        near = near[np.isfinite(near)]
        if len(near) >= 3:
            middle = np.median(near)
            spread = np.median(np.abs(near - middle))
            good[j] = abs(values[j] - middle) <= 3 * (spread + 0.05 * scale + np.nan_to_num(sigma[j]))
    return good


ENGINES: dict[str, Callable[[Look, Array], Profile]] = {
    "ensemble": _ensemble,
    "multipass": _multipass,
    "klt": _klt,
    "stiv": _stiv,
}
