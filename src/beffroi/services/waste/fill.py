"""How fast a container fills, from what its sensor told: a mean rise a day and its scatter, collections left out."""

from collections.abc import Sequence
from itertools import pairwise
from math import erf, sqrt

import msgspec

__all__ = ["Fill", "emptied", "fill_of", "overflow_chance", "overflow_days"]

_DAY_S = 86_400.0
_EMPTIED = 0.15  # a fall of more than that, of the volume, is a collection
_LEAST_DAYS = 3
# what is believed of a container that nobody knows yet: it fills in a week, more or less
_RATE, _SCATTER, _WEIGHT = 1 / 7, 0.08, 2.0


class Fill(msgspec.Struct, frozen=True):
    """How full a container is (share of its volume), its rise a day and the scatter of a day's rise; from how many days."""

    level: float
    rate: float
    scatter: float
    days: int = 0

    def after(self, days: float) -> float:
        """Return how full it will be."""
        return self.level + self.rate * days

    @property
    def days_left(self) -> float:
        """In how many days it is full, on average."""
        return max(0.0, (1 - self.level) / self.rate) if self.rate > 0 else float("inf")


def emptied(readings: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the collections that readings show: when (seconds since 1970), and how full the container was (share)."""
    return [(b, before) for (_, before), (b, now) in pairwise(readings) if now - before < -_EMPTIED]


def fill_of(readings: Sequence[tuple[float, float]]) -> Fill | None:
    """Return the fill of a container from its readings: seconds since 1970, share full, in order. None without any."""
    if not readings:
        return None
    rises: dict[int, float] = {}
    for (a, before), (b, now) in pairwise(readings):
        if now - before < -_EMPTIED or b - a > 2 * _DAY_S:
            continue  # emptied, or silent too long to say when it rose
        rises[int(b // _DAY_S)] = rises.get(int(b // _DAY_S), 0.0) + now - before
    days = [max(0.0, r) for r in rises.values()]
    count, risen = len(days), sum(days)
    rate = (risen + _WEIGHT * _RATE) / (count + _WEIGHT)
    mean = risen / max(count, 1)
    scatter = sqrt(sum((r - mean) ** 2 for r in days) / count) if count >= _LEAST_DAYS else _SCATTER
    return Fill(readings[-1][1], rate, max(scatter, 0.02), count)


def overflow_chance(fill: Fill, days: float) -> float:
    """Return the chance that a container is over full within `days`: a day's rises are about independent, their sum about
    normal."""
    if days <= 0:
        return float(fill.level > 1)
    z = (1 - fill.after(days)) / (fill.scatter * sqrt(days))
    return 0.5 * (1 - erf(z / sqrt(2)))


def overflow_days(fill: Fill, days: int) -> float:
    """Return on how many of the next days a container that is not collected is expected to end over full."""
    return sum(overflow_chance(fill, d) for d in range(1, days + 1))
