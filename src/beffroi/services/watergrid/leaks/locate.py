"""Where a leak is, from what pressures became when it began: a likelihood for every pipe of the model.

Differences in time, not levels: each night's pressures are explained by a level and by the flows of all the files at work
around it, so that overlapping leaks are told apart and what the model says wrongly of the calm network does not matter. A
base period without new leaks gives the covariance of the nights: use, tank and pump move the sensors together, and those
directions count for little. The course of a leak (when it began, how it grew) is sharpened on the pressures themselves.
What is left is compared with what EPANET says of a leak of that flow at each pipe. Its size may differ: the same leak costs
more pressure when more water flows.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.services.watergrid.hydraulics.model import Model
from beffroi.services.watergrid.leaks.signature import Signatures

__all__ = ["FINE", "ROUGH", "Course", "Doubt", "Known", "Located", "Nights", "locate", "place", "prepare"]

Array = NDArray[np.float64]
# nights around the start of a leak that are looked at: few, since what else runs changes what it costs
_BEFORE, _AFTER, _AFTER_GROWTH = 5, 6, 40
_TOLD = 0.4  # what detection said weighs as much as this of likeness
_AROUND = 4  # nights before and after a change
_ROUNDING_M = 0.0006
_DOUBT = 0.1  # share of the likelihood that the course itself may be wrong
_SCALES = np.linspace(0.5, 3.2, 28)
_FEW_M3H = 0.3
_SMALL = 0.1
_FULL = 0.8  # of its flow: a growth is looked at until there
_LENGTHS = (8, 14, 20, 28, 38, 50, 65)


class Doubt(msgspec.Struct, frozen=True):
    """What to make of a difference with the model: `model` and `crowd` are shares of a trace that the model gets wrong, and
    that leaks at the same time may; `scale` and `spread` are how many times the pressure lost is likely to be."""

    model: float
    crowd: float
    scale: float
    spread: float


# as the model stands, without what runs already: there the same leak costs less pressure
ROUGH = Doubt(0.1, 0.3, 1.35, 0.5)
FINE = Doubt(0.04, 0.25, 1.0, 0.4)


class Nights(msgspec.Struct, frozen=True):
    """Mean pressures of nights on end, nights × sensors, m; NaN where a night or a sensor is missing."""

    first_day: int  # days since 1970
    values: Array


class Course(msgspec.Struct):
    """What detection knows of one leak: days since 1970, flow in m³/h at its latest."""

    start: float
    detected: float
    end: float | None
    flow: float
    kind: str
    growing_days: float | None = None
    allowed: tuple[str, ...] | None = None  # the pipes of its area, when known


class Located(msgspec.Struct, frozen=True):
    """The likelihood of each pipe, summing to one, and the night from which the leak is seen in the pressures."""

    likelihood: dict[str, float]
    strength: float  # of the trace, in standard deviations

    def best(self, count: int) -> list[tuple[str, float]]:
        """Return the likeliest pipes."""
        return sorted(self.likelihood.items(), key=lambda x: -x[1])[:count]


class _Space(msgspec.Struct):
    white: Array  # sensors × sensors: makes a night's noise independent and of size one
    nights: Array
    first: int
    swings: Array  # what moves the sensors together, the most first


class Known(msgspec.Struct, frozen=True):
    """The nights and the courses of the leaks, sharpened on them."""

    space: _Space
    courses: list[Course]
    lines: list[Array]  # the flow of each leak on each night, one at its largest

    def swings(self, count: int) -> list[Array]:
        """Return the directions in which the sensors moved most on calm nights."""
        swings: list[Array] = list(self.space.swings[:count])
        return swings

    def beside(self, i: int) -> list[tuple[int, float]]:
        """Return the other leaks that run while leak `i` is looked at, and their mean flow then, m³/h."""
        window = _window(len(self.lines[i]), self.lines[i])
        if not len(window):
            return []
        found = [
            (j, float(line[window].mean()) * self.courses[j].flow)
            for j, line in enumerate(self.lines)
            if j != i
        ]
        return [(j, flow) for j, flow in found if flow > _FEW_M3H]


def prepare(base: Nights, year: Nights, courses: Sequence[Course]) -> Known:
    """Sharpen what detection says of the leaks on the pressures."""
    space = _space(base, year)
    n = len(space.nights)
    kept = _repaired(space, courses)
    lines = [_line(n, c, space.first, c.start, c.growing_days) for c in kept]
    for _ in range(2):
        for i in range(len(kept)):
            lines[i] = _sharpened(space, lines, i, kept)
    return Known(space, list(kept), lines)


def locate(
    base: Nights, year: Nights, courses: Sequence[Course], found: Signatures, model: Model
) -> list[Located]:
    """Return where each leak is, with one reckoning of what EPANET says for all."""
    known = prepare(base, year, courses)
    return [place(known, i, found, model, ROUGH) for i in range(len(courses))]


def _repaired(space: _Space, courses: Sequence[Course]) -> list[Course]:
    """Give each repair to the leak whose trace it takes back: two leaks of one flow are not told apart by the flow."""
    ends = sorted({c.end for c in courses if c.end is not None})
    begun = [_jump(space, c.start) for c in courses]
    left = [msgspec.structs.replace(c, end=None) for c in courses]
    for end in ends:
        gone = _jump(space, end)
        likeness = [
            _alike(begun[i], gone, float(courses[i].end == end))
            if c.end is None and c.start < end - 1
            else -1.0
            for i, c in enumerate(left)
        ]
        best = int(np.argmax(likeness))
        if likeness[best] > 0:
            left[best] = msgspec.structs.replace(left[best], end=end)
    return left


def _jump(space: _Space, at: float) -> Array | None:
    """Return how the pressures changed around an instant, in the noise of a night."""
    night = round(at - space.first)
    before = space.nights[max(0, night - _AROUND) : max(0, night)]
    after = space.nights[night + 1 : night + 1 + _AROUND]
    before, after = (x[np.isfinite(x).all(axis=1)] for x in (before, after))
    if not len(before) or not len(after):
        return None
    change: Array = after.mean(axis=0) - before.mean(axis=0)
    return change


def _alike(begun: Array | None, gone: Array | None, told: float) -> float:
    """Return how well a change is the reverse of another, 0 to 1, with a little for what detection said."""
    if begun is None or gone is None:
        return told
    size = float(np.linalg.norm(begun) * np.linalg.norm(gone))
    cosine = -float(begun @ gone) / size if size > 0 else 0.0
    return cosine + _TOLD * told


def _space(base: Nights, year: Nights) -> _Space:
    calm = base.values[np.isfinite(base.values).all(axis=1)]
    covariance = np.cov(calm.T) + _ROUNDING_M**2 * np.eye(calm.shape[1])
    white = np.linalg.cholesky(np.linalg.inv(covariance))
    swings = np.linalg.eigh(covariance)[1].T[::-1]
    return _Space(white, year.values @ white, year.first_day, swings)


def _line(n: int, course: Course, first: int, start: float, length: float | None) -> Array:
    """Return the flow of a leak on each night, 1 at its largest."""
    night = np.arange(n) + 0.125  # three in the morning
    since = night - (start - first)
    if course.kind == "abrupt" and length is None:
        line = (since >= 0).astype(float)
    else:
        grown = length or max(course.detected - course.start, 10.0) * 2
        line = np.clip(since / grown, 0, 1) ** 2
    if course.end is not None:
        line = np.where(night < course.end - first, line, 0.0)
    return line


def _window(n: int, line: Array) -> NDArray[np.int64]:
    at = np.flatnonzero(line > 0.01)
    if not len(at):
        return np.arange(0)
    full = int(np.flatnonzero(line >= _FULL * line.max())[0])
    first, last = int(at[0]), int(at[-1])
    after = _AFTER if full == first else min(full - first + _AFTER, _AFTER_GROWTH)
    return np.arange(max(0, first - _BEFORE), min(n - 1, first + after, last + _BEFORE) + 1)


def _others(lines: Sequence[Array], i: int, window: NDArray[np.int64], courses: Sequence[Course]) -> Array:
    """Return an orthonormal basis of a level and the other leaks within the window, but for those far smaller."""
    columns = [np.ones(len(window))]
    columns += [
        x[window]
        for j, x in enumerate(lines)
        if j != i and float(np.ptp(x[window])) > 0.02 and courses[j].flow > _SMALL * courses[i].flow
    ]
    q, r = np.linalg.qr(np.column_stack(columns))
    basis: Array = q[:, np.abs(np.diag(r)) > 1e-3]
    return basis


def _sharpened(space: _Space, lines: Sequence[Array], i: int, courses: Sequence[Course]) -> Array:
    """Return the course whose trace in the pressures is strongest, near to what detection said."""
    n, course = len(space.nights), courses[i]
    window = _window(n, _line(n, course, space.first, course.start - _BEFORE / 2, None))
    window = window[np.isfinite(space.nights[window]).all(axis=1)]
    if len(window) < 6:
        return lines[i]
    if course.kind == "abrupt":
        tries = [_line(n, course, space.first, course.start + s, None) for s in range(-2, 3)]
    else:
        tries = [
            _line(n, course, space.first, course.start + s, length)
            for s in range(-10, 9, 2)
            for length in _LENGTHS
        ]
    basis = _others(lines, i, window, courses)
    shapes = np.column_stack([t[window] for t in tries])
    free = shapes - basis @ (basis.T @ shapes)
    size = (free**2).sum(axis=0)
    good = size > 0.2
    if not good.any():
        return lines[i]
    z = space.nights[window]
    energy = ((free.T @ z) ** 2).sum(axis=1) / np.maximum(size, 1e-9)
    return tries[int(np.argmax(np.where(good, energy, -1)))]


def place(known: Known, i: int, found: Signatures, model: Model, doubt: Doubt) -> Located:
    """Return where one leak is. `found` has the sensors of the nights, in their order."""
    space, lines, courses = known.space, known.lines, known.courses
    n, course = len(space.nights), courses[i]
    window = _window(n, lines[i])
    window = window[np.isfinite(space.nights[window]).all(axis=1)] if len(window) else window
    pipes = np.array(found.pipes)
    allowed = np.isin(pipes, course.allowed) if course.allowed else np.ones(len(pipes), dtype=bool)
    length = np.array([model.links[p].length_m for p in found.pipes])
    prior = np.where(allowed, length, 0.0)
    if len(window) < 6:
        return Located(dict(zip(found.pipes, (prior / prior.sum()).tolist(), strict=True)), 0.0)
    basis = _others(lines, i, window, courses)
    line = lines[i][window]
    free = line - basis @ (basis.T @ line)
    size = max(float(free @ free), 1e-6)
    trace = -(free @ space.nights[window]) / size  # of the whole flow, in units of a night's noise
    noise = 1 / size
    shape = (found.at(course.flow) * course.flow) @ space.white
    error = trace[None, :, None] - _SCALES[None, None, :] * shape[:, :, None]
    crowd = basis.shape[1] - 1
    wrong = doubt.model + doubt.crowd * crowd / (1 + crowd)
    worst = noise + (wrong * float(np.linalg.norm(trace))) ** 2 / len(trace)
    fit = -0.5 * (error**2).sum(axis=1) / worst - 0.5 * ((_SCALES - doubt.scale) / doubt.spread) ** 2
    top = fit.max()
    weight = np.exp(fit - top).sum(axis=1) * prior
    weight = weight / weight.sum() if weight.sum() > 0 else prior / prior.sum()
    weight = (1 - _DOUBT) * weight + _DOUBT * prior / prior.sum()
    return Located(
        dict(zip(found.pipes, weight.tolist(), strict=True)), float(np.linalg.norm(trace) / noise**0.5)
    )
