"""Explain the days of an area by a level and leaks: what each leak looks like, what fits best, and what an explanation costs.

Values are in noises of a day. There may be several channels (losses, how the inlets share): a leak has the same course in
all of them and its own size in each. Sizes have broad priors, so that leaks that began together do not blow up against one
another; one older than the days looked at keeps the size that it had, within a tenth.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["Days", "Explained", "LeakFile", "Limits", "explain"]

Array = NDArray[np.float64]
_BROAD = (
    10.0,
    120.0,
)  # what a leak may be, in noises of a day: of the losses (see `Days`), of another channel
_LEVEL, _KEPT = 1e5, 0.1
_CROSSED = 0.05  # share of what all leaks move in a channel by which they change what one of them moves
_GIVES = 4.0  # in variances, of a leak that would give back as much as the noise of a day: two must not offset one another
_PARTIAL = 2.0  # in variances: what leaving the first day of a step free costs


@dataclass(frozen=True)
class Limits:
    """Thresholds in standard deviations, spans in days; tuned on generated years (`bench/leaks`), never on the published one."""

    step: float = 3.6
    step_one: float = 4.1
    growth: float = 3.45
    stop: float = 2.5
    end: float = 3.0
    down: float = 4.2
    agree: float = 1.2  # of a step that another channel shows: how far the flow itself must have moved
    file: float = 0.0  # in variances: what each file but the first must explain besides
    drift: float = (
        0.008  # share of what leaks moved in a channel that may come and go with the season and one another
    )
    large: float = 0.0  # share of the largest leak that sizes may be broad by: else one far above the noise is told as two halves
    unshapely: float = 0.0  # share of a growing flow by which it may leave its shape
    step_span: int = 30
    growth_span: int = 50
    growth_least: int = 2
    stop_span: int = 25
    history: int = 90
    least: float = 0.7  # in noises of a day: a file that lost less a while after its detection was nothing
    settle: int = 35  # days after its detection during which a file may still be joined to another


@dataclass(eq=False)
class LeakFile:
    """One leak. Days are counted from the first day of the period; flows in m³/h."""

    onset: float
    detected: int
    kind: str
    flow: float = 0.0
    end: int | None = None
    until: float | None = None  # of a growth: the day when it stopped
    size: Array = field(
        default_factory=lambda: np.zeros(0)
    )  # at its largest, of each channel, in noises of a day

    @property
    def growing(self) -> bool:
        """Whether it still grows."""
        return self.kind == "incipient" and self.until is None and self.end is None


class Days:
    """The days that are looked at, made independent: of two days on end the noise is correlated.

    `widest`: how broad the size of a leak may be, in noises of a day, where that is more than the usual.
    """

    def __init__(
        self, day: Array, values: Array, aside: Array, echo: Sequence[float], spread: Array, widest: float = 0.0
    ) -> None:  # fmt: skip
        self.day, self.first, self.today = day, int(day[0]), int(day[-1])
        self.broad = (max(_BROAD[0], widest), _BROAD[1])
        gaps = np.diff(day, prepend=day[0]).astype(np.int64).tobytes()
        self.white = [_whitener(gaps, e) / s for e, s in zip(echo, spread, strict=True)]
        self.y = [w @ values[:, c] for c, w in enumerate(self.white)]
        centred = aside - aside.mean(axis=0)
        self._courses: dict[tuple[object, ...], list[Array]] = {}
        self.aside = [np.empty((len(day), 0))] + [w @ centred for w in self.white[1:]]

    def inside(self, file: LeakFile) -> bool:
        """Say whether the course of a file varies within the days."""
        if file.onset > self.first or (file.end is not None and file.end > self.first):
            return True
        return (
            file.kind == "incipient" and file.end is None and (file.until is None or file.until > self.first)
        )

    def white_course(self, file: LeakFile) -> list[Array]:
        """Return the course of a file in each channel, made independent as the days are."""
        return self._kept(("file", file.kind, file.onset, file.until, file.end), lambda: self._course(file))

    def white_step(self, at: float) -> list[Array]:
        """Return a step, in each channel."""
        return self._kept(("step", at), lambda: (self.day >= at).astype(float))

    def white_day(self, at: float) -> list[Array]:
        """Return one day alone, in each channel."""
        return self._kept(("day", at), lambda: (self.day == at).astype(float))

    def _kept(self, key: tuple[object, ...], make: Callable[[], Array]) -> list[Array]:
        if key not in self._courses:
            line = make()
            self._courses[key] = [w @ line for w in self.white]
        return self._courses[key]

    def _course(self, file: LeakFile) -> Array:
        """Return the flow of a file on each day, one at its largest."""
        day = self.day
        if file.kind == "incipient":
            last = self.today if file.until is None else file.until
            grown = np.clip(np.minimum(day, last) - file.onset + 1, 0, None) / max(last - file.onset + 1, 1)
            line: Array = grown**2
        else:
            line = (day >= file.onset).astype(float)
        return line if file.end is None else np.where(day < file.end, line, 0.0)


@dataclass(frozen=True)
class Explained:
    """What fits best: `cost` in variances, `sizes` of each file by channel, and what is left to each channel."""

    cost: float
    sizes: dict[int, Array]  # by id of the file
    matrices: list[Array]
    factors: list[Array]
    rests: list[Array]  # made independent, less what was expected


@lru_cache(maxsize=512)
def _whitener(gaps: bytes, echo: float) -> Array:
    """Return the matrix that makes the noise of the days independent: of two days on end it is correlated."""
    at = np.cumsum(np.frombuffer(gaps, dtype=np.int64))
    apart = np.abs(np.subtract.outer(at, at))
    white: Array = np.linalg.inv(np.linalg.cholesky((apart == 0) + echo * (apart == 1)))
    return white


def explain(days: Days, files: Sequence[LeakFile], downs: Sequence[int], limits: Limits) -> Explained:
    """Fit the sizes of all that varies within the days, least squares with their priors."""
    inside = [f for f in files if days.inside(f)]
    downs = [d for d in downs if d > days.first]
    partial = (
        [f.onset for f in inside if f.kind == "abrupt"] + [f.end for f in inside if f.end is not None] + downs
    )
    columns = [
        days.white_step(days.first),
        *(days.white_course(f) for f in inside),
        # a repair takes back what the leak drew, nearly: what else runs has changed since
        *(days.white_step(f.end) for f in inside if f.end is not None),
        *(days.white_step(d) for d in downs),
    ]
    # of the day of a step only a part is lost water; on that day itself the step is all there is
    partial = [at for at in partial if days.first < at < days.today]
    columns += [days.white_day(at) for at in partial]
    cost = _price(inside, downs, limits, len(partial) * len(days.y))
    sizes = {id(f): np.zeros(len(days.y)) for f in inside}
    matrices, factors, rests = [], [], []
    for channel in range(len(days.white)):
        matrix = np.array([*(c[channel] for c in columns), *days.aside[channel].T]).T
        mean, wide = _prior(inside, matrix.shape[1], channel, days)
        rest = days.y[channel] - matrix @ mean
        normal = matrix.T @ matrix
        normal.flat[:: len(wide) + 1] += wide**-2.0
        inverse = np.linalg.inv(normal)
        found = inverse @ (matrix.T @ rest)
        cost += float(rest @ rest - (matrix.T @ rest) @ found)
        found += mean
        for i, f in enumerate(inside, start=1):
            sizes[id(f)][channel] = found[i]
            if channel == 0 and found[i] < 0:  # nobody puts water back
                cost += float(found[i] ** 2 * max(1 / inverse[i, i], _GIVES))
        matrices.append(matrix)
        factors.append(inverse)
        rests.append(rest)
    return Explained(cost, sizes, matrices, factors, rests)


def _prior(inside: Sequence[LeakFile], columns: int, channel: int, days: Days) -> tuple[Array, Array]:
    mean, wide = np.zeros(columns), np.full(columns, days.broad[min(channel, 1)])
    wide[0] = _LEVEL
    ended = len(inside)
    about = _CROSSED * sum(abs(float(f.size[channel])) for f in inside if len(f.size)) if channel else 1.0
    for i, f in enumerate(inside, start=1):
        sized = abs(float(f.size[channel])) if len(f.size) else 0.0
        if f.onset <= days.first and not f.growing and len(f.size):
            mean[i], wide[i] = f.size[channel], _KEPT * sized + 1.0
        if f.end is not None:
            ended += 1
            wide[ended] = _KEPT * sized + max(about, 1.0)
    return mean, wide


def _price(inside: Sequence[LeakFile], downs: Sequence[int], limits: Limits, partial: int) -> float:
    """Return what the events cost: each is dear enough that noise alone seldom pays for it."""
    price = len(downs) * limits.down**2 + _PARTIAL * partial
    price += limits.file * max(len(inside) - 1, 0)
    for f in inside:
        price += (limits.step if f.kind == "abrupt" else limits.growth) ** 2
        price += limits.stop**2 * (f.kind == "incipient" and f.until is not None and f.end is None)
        price += limits.end**2 * (f.end is not None)
    return price
