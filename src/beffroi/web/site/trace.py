"""The numbers of a series over a range of time as charts and figures need them: read piece by piece and held as two
arrays, so that a page of a series of half a million values takes megabytes, not hundreds of them."""

import math
from collections import deque
from collections.abc import Iterator, Sequence

from beffroi.model.observation import Observation, Quality
from beffroi.store.good import LEFT_ASIDE
from beffroi.town import Town
from beffroi.web.kit.chart import Points
from beffroi.web.site.catalogue import values_of

__all__ = ["Trace", "pieces", "traces"]

MOST_AT_ONCE = 10_000  # observations held as such
MOST_DOUBTFUL = 300  # lone marks that are kept
_LAST = 48  # observations kept as they are, for a table


class Trace:
    """The numbers of a series, or of one component of its results. What is no number, or of a quality in `aside`, is a gap
    in `points`; suspect and bad numbers are lone marks in `doubtful`: raw values are never hidden."""

    def __init__(self, component: int | None = None, aside: Sequence[Quality] = LEFT_ASIDE) -> None:
        self.component, self.aside = component, aside
        self.points = Points()
        self.doubtful: list[tuple[int, float]] = []
        self.low, self.high, self.total = math.inf, -math.inf, 0.0
        self.numbers = self.count = self.doubted = 0
        self.last: deque[Observation] = deque(maxlen=_LAST)

    @property
    def mean(self) -> float:
        """The mean of its numbers, of which there must be some."""
        return self.total / self.numbers

    def take(self, found: Sequence[Observation]) -> None:
        """Add observations that follow those there are."""
        values = [number_of(o, self.component) for o in found]
        kept = [
            v for o, v in zip(found, values, strict=True) if v is not None and o.quality not in self.aside
        ]
        self.points.times.extend(o.start_us for o in found)
        self.points.values.extend(
            math.nan if v is None or o.quality in self.aside else v
            for o, v in zip(found, values, strict=True)
        )
        marks = [
            (o.start_us, v)
            for o, v in zip(found, values, strict=True)
            if v is not None and o.quality in self.aside
        ]
        self.doubtful += marks[: MOST_DOUBTFUL - len(self.doubtful)]
        if kept:
            self.low, self.high = min(self.low, *kept), max(self.high, *kept)
        self.total = sum(kept, self.total)
        self.numbers += len(kept)
        self.count += len(found)
        self.doubted += len(marks)
        self.last.extend(found[-_LAST:])


def number_of(found: Observation, component: int | None = None) -> float | None:
    """Return the number that an observation holds, or that one component of its array result is."""
    if component is None:
        return found.result.value
    values = values_of(found)
    value = values[component] if component < len(values) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def pieces(town: Town, datastream_id: int, start_us: int, end_us: int) -> Iterator[list[Observation]]:
    """Yield the observations of a datastream with start in [start_us, end_us), in the order of time, so many at once as a
    process should hold."""
    stat = town.store.observations.stats([datastream_id]).get(datastream_id)
    if stat is None or stat.first_us is None or stat.last_us is None:
        return
    step = max(1, (stat.last_us - stat.first_us + 1) * MOST_AT_ONCE // max(1, stat.count))
    at = start_us
    while at < end_us:
        # nothing lies before the first, and what arrived since the last was looked up is read with it
        stop = end_us if at > stat.last_us else min(max(at, stat.first_us) + step, end_us)
        found = town.store.observations.series(datastream_id, at, stop)
        if found:
            yield found
        at = stop


def traces(
    town: Town, datastream_id: int, start_us: int, end_us: int, components: Sequence[int | None] = (None,),
    aside: Sequence[Quality] = LEFT_ASIDE,
) -> list[Trace]:  # fmt: skip
    """Return what is to be drawn of a datastream in [start_us, end_us), for each of its components."""
    made = [Trace(component, aside) for component in components]
    for found in pieces(town, datastream_id, start_us, end_us):
        for trace in made:
            trace.take(found)
    return made
