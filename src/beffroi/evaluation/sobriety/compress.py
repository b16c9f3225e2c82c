"""Compression: a series as few joined straight lines, none of its values further from them than a bound.

Between two knots the lines that keep every value within the bound are a funnel (O'Rourke, 1981, "An on-line algorithm
for fitting straight lines between data ranges"); a segment goes as far as one line is left, and the next starts from any
value it can end at. Knots are at measured instants, their values are free within the bound: fewer than a swinging door,
whose knots are measured values.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["Compressed", "compress", "restore", "tolerance_of"]

Array = NDArray[np.float64]
AHEAD = 4  # how many earlier ends of a segment are tried, for the next one to go further


class Compressed(msgspec.Struct, frozen=True):
    """The knots: places in the series and their values; `max_error` is measured on what comes back."""

    knots: tuple[int, ...]
    values: tuple[float, ...]
    points: int
    max_error: float

    @property
    def ratio(self) -> float:
        """Return how many times fewer points are kept."""
        return self.points / max(1, len(self.knots))


def tolerance_of(text: str, values: Array) -> float:
    """Return the bound that `2%` (of the range of the values) or `0.5` (in their unit) means. Raises `Problem`."""
    plain = text.strip().replace(",", ".")
    share = plain.endswith("%")
    try:
        number = float(plain.removesuffix("%"))
    except ValueError:
        number = -1.0
    if not (number >= 0 and np.isfinite(number)):
        raise Problem(
            Text(f"« {text[:20]} » n'est pas une tolérance.", f"'{text[:20]}' is no tolerance."),
            Text("Écrivez 2% (de l'étendue) ou 0.5 (dans l'unité de la mesure).", "Write 2% (of the range) or 0.5 (in the unit measured)."),
            place="--tolerance",
        )  # fmt: skip
    return number / 100 * float(np.ptp(values)) if share and len(values) else number


class _Funnel:
    """The lines that pass within every range seen so far, from a first one."""

    def __init__(self, x: float, low: float, high: float) -> None:
        self.lows: list[tuple[float, float]] = [(x, low)]  # upper hull of the low ends
        self.highs: list[tuple[float, float]] = [(x, high)]  # lower hull of the high ends
        self.steepest: tuple[float, float, float] | None = None  # slope, and a point of it
        self.flattest: tuple[float, float, float] | None = None

    def add(self, x: float, low: float, high: float) -> bool:
        """Take one more range in; False, and nothing changed, when no line is left."""
        steep, at = min(((high - y) / (x - x0), (x0, y)) for x0, y in self.lows)
        flat, under = max(((low - y) / (x - x0), (x0, y)) for x0, y in self.highs)
        steepest = (steep, *at) if self.steepest is None or steep < self.steepest[0] else self.steepest
        flattest = (flat, *under) if self.flattest is None or flat > self.flattest[0] else self.flattest
        if flattest[0] > steepest[0]:
            return False
        self.steepest, self.flattest = steepest, flattest
        _extend(self.lows, (x, low), 1.0)
        _extend(self.highs, (x, high), -1.0)
        return True

    def reach(self, x: float) -> tuple[float, float]:
        """Return the lowest and highest value that a line can have at `x`, the last place taken in."""
        assert self.steepest is not None
        assert self.flattest is not None
        (flat, x0, y0), (steep, x1, y1) = self.flattest, self.steepest
        return y0 + flat * (x - x0), y1 + steep * (x - x1)


def _extend(hull: list[tuple[float, float]], point: tuple[float, float], side: float) -> None:
    """Add a point at the right of a hull (side 1: the upper one, −1: the lower one)."""
    x, y = point
    while len(hull) > 1:
        (x1, y1), (x2, y2) = hull[-2], hull[-1]
        if side * ((y2 - y1) * (x - x1) - (y - y1) * (x2 - x1)) > 0:
            break
        hull.pop()
    hull.append(point)


def compress(
    values: Array | Sequence[float], bound: float, at: Array | Sequence[float] | None = None
) -> Compressed:
    """Return the series as joined lines that no value is further from than `bound` (≥ 0).

    `at`: the instants, growing; by default the places. The bound holds for what `restore` gives back, in floating point.
    """
    y = np.asarray(values, np.float64)
    x = np.arange(len(y), dtype=np.float64) if at is None else np.asarray(at, np.float64)
    if len(y) <= 2:
        return Compressed(tuple(range(len(y))), tuple(map(float, y)), len(y), 0.0)
    room = bound * (1 - 1e-12)
    low, high = (y - room).tolist(), (y + room).tolist()
    knots, ranges = _knots(x.tolist(), low, high)
    held = _settle(x, y - room, y + room, knots, ranges)
    return _checked(x, y, bound, knots, held)


Range = tuple[float, float]


def _go(x: list[float], low: list[float], high: list[float], start: int, begin: Range) -> list[Range]:
    """Return, for each place after `start` that one line reaches from the range `begin`, where it can be there."""
    funnel = _Funnel(x[start], *begin)
    reached = []
    for k in range(start + 1, len(x)):
        if not funnel.add(x[k], low[k], high[k]):
            break
        reached.append(funnel.reach(x[k]))
    return reached


def _knots(x: list[float], low: list[float], high: list[float]) -> tuple[list[int], list[Range]]:
    """Return the knots and, at each, the values that it may take; the end that lets the next segment go furthest wins."""
    place, here = 0, (low[0], high[0])
    knots, ranges = [0], [here]
    reached = _go(x, low, high, 0, here)
    last = len(x) - 1
    while place + len(reached) < last:
        best: tuple[int, int, Range, list[Range]] | None = None
        for back in range(min(AHEAD, len(reached))):
            end = place + len(reached) - back
            spread = reached[len(reached) - back - 1]
            further = _go(x, low, high, end, spread)
            if best is None or end + len(further) > best[0]:
                best = (end + len(further), end, spread, further)
            if end + len(further) == last:
                break
        assert best is not None
        _, place, here, reached = best
        knots.append(place)
        ranges.append(here)
    knots.append(last)
    ranges.append(reached[-1])
    return knots, ranges


def _settle(x: Array, low: Array, high: Array, knots: list[int], ranges: list[Range]) -> list[float]:
    """Return a value for each knot, from the last one back: one that a line from the knot before can end at."""
    value = sum(ranges[-1]) / 2
    found = [value]
    for k in range(len(knots) - 1, 0, -1):
        first, last = knots[k - 1], knots[k]
        lows, highs = low[first:last].copy(), high[first:last].copy()
        lows[0], highs[0] = ranges[k - 1]
        run = x[last] - x[first:last]
        slope = (float(np.max((value - highs) / run)) + float(np.min((value - lows) / run))) / 2
        value = value - slope * float(run[0])
        found.append(value)
    return found[::-1]


def restore(compressed: Compressed, at: Array | None = None) -> Array:
    """Return the series that the knots stand for."""
    x = np.arange(compressed.points, dtype=np.float64) if at is None else at
    if not compressed.knots:
        return np.empty(0)
    return np.asarray(np.interp(x, x[list(compressed.knots)], compressed.values), np.float64)


def _checked(x: Array, y: Array, bound: float, knots: list[int], values: list[float]) -> Compressed:
    """Return the series; where rounding broke the bound, the measured values themselves are kept."""
    held = dict(zip(knots, values, strict=True))
    while True:
        places = sorted(held)
        back = np.interp(x, x[places], [held[p] for p in places])
        error = np.abs(back - y)
        wrong = np.flatnonzero(~(error <= bound))
        if not len(wrong):
            kept = tuple(float(held[p]) for p in places)
            return Compressed(tuple(places), kept, len(y), float(error.max()))
        for n in wrong:
            near = int(np.searchsorted(places, n))
            for k in (int(n), places[max(0, near - 1)], places[min(near, len(places) - 1)]):
                held[k] = float(y[k])
