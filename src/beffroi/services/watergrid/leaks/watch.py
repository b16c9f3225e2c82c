"""Follow the daily losses of an area and keep one file a leak: opened, growing, repaired.

Every day the losses of the last months are explained by a level and the events found so far: steps up (a pipe bursts),
growths (a hole widens evenly, so the flow grows as the square of time, until it stops), steps down (a repair). One more
event is looked for at every possible onset: what is left unexplained is projected on its shape after taking out what
already explains it, and the event that stands out most, in standard deviations, is kept when it passes its threshold. A
step or growth that one single growth explains as well, together with the file before it, is that file growing on. So a
growing leak stays one file instead of an alarm a week, and a repair gives its file an end. It is a two-sided CUSUM
re-levelled at once both ways, in the form that knows its noise and its shapes. Nothing after a day changes what that
day detected.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["LIMITS", "QUIET", "LeakFile", "Limits", "watch"]

Array = NDArray[np.float64]
_APART = 0.35  # of its size: a shape that what is known already nearly explains says nothing
_FEWEST = 4  # days before which there is nothing to compare with


@dataclass(frozen=True)
class Limits:
    """Thresholds in standard deviations, spans in days; tuned on generated years (`bench/leaks`), never on the published one."""

    step: float = 3.7
    step_one: float = 4.1
    step_in_growth: float = 4.4
    growth: float = 3.8
    stop: float = 2.5
    down: float = 4.2
    merge: float = 3.5  # in variances: how much worse one growth may explain what two events do
    unshapely: float = 0.0  # share of a growing flow by which it may leave its shape
    absorb: float = 0.0
    least: float = 0.0  # of a day's noise: an open file that fell below was nothing
    together: int = 1  # files that one growth may take together
    behind: int = -1  # days by which what is new may begin before the file that it joins
    merge_span: int = 20
    merge_back: int = 12
    step_span: int = 30
    growth_span: int = 50
    growth_least: int = 2
    stop_span: int = 25
    history: int = 90


LIMITS = Limits()
# Of an area where a leak begins a few times a year, not every fortnight: two events close in time are one leak rather than
# two, and how far a growth leaves its shape counts for more than the noise of a small area.
QUIET = replace(
    LIMITS, step=4.2, step_one=4.6, growth=4.2, unshapely=0.07, absorb=1.5, least=1.2, merge=9.0, merge_span=40, merge_back=15,
    together=3, behind=15,
)  # fmt: skip


@dataclass(eq=False)
class LeakFile:
    """One leak. Days are counted from the first day of the period; flows in m³/h."""

    onset: int
    detected: int
    kind: str
    flow: float = 0.0
    end: int | None = None
    until: int | None = None  # of a growth: the day when it stopped

    @property
    def growing(self) -> bool:
        """Whether it still grows."""
        return self.kind == "incipient" and self.until is None and self.end is None


@dataclass
class _Watch:
    sigma: float
    echo: float
    limits: Limits
    files: list[LeakFile] = field(default_factory=list)
    downs: list[int] = field(default_factory=list)


def watch(
    loss: Array, sigma: float, echo: float = 0.0, limits: Limits = LIMITS, before: Array | None = None
) -> list[LeakFile]:
    """Return the files of a period from its daily losses (m³/h, NaN where unknown) and their noise.

    `sigma` is the noise of a day, `echo` its correlation with the next day's. `before` are losses of the learnt period, which tell the level at the start.
    """
    lead = np.empty(0) if before is None else before[np.isfinite(before)][-30:]
    values = np.concatenate([lead, loss])
    known = _Watch(sigma, echo, limits)
    for today in range(len(lead), len(values)):
        if np.isfinite(values[today]):
            _day(values[: today + 1], known)
    for file in known.files:
        file.onset, file.detected = file.onset - len(lead), file.detected - len(lead)
        file.end = None if file.end is None else file.end - len(lead)
        file.until = None if file.until is None else file.until - len(lead)
    return known.files


def _day(values: Array, known: _Watch) -> None:
    today = len(values) - 1
    day = np.arange(max(0, today - known.limits.history), today + 1).astype(float)
    day = day[np.isfinite(values[day.astype(int)])]
    if len(day) < _FEWEST:
        return
    y = values[day.astype(int)]
    for _ in range(3):
        found = _look(day, y, known)
        if found is None:
            break
        _note(*found, day, y, known)
    _measure(day, y, known)
    _absorb(int(day[-1]), known)
    _forget(int(day[-1]), known)


def _shape(day: Array, kind: str, at: int, until: int | None = None) -> Array:
    if kind == "incipient":
        return (
            np.clip((day if until is None else np.minimum(day, until)) - at + 1, 0, None).astype(float) ** 2
        )
    return (day >= at).astype(float)


def _columns(day: Array, files: Iterable[LeakFile], downs: Iterable[int]) -> list[Array]:
    """Return what explains the days: a level, the files in their order, then the partial first days and the repairs."""
    shapes, partial = [np.ones(len(day))], []
    for f in files:
        shapes.append(_shape(day, f.kind, f.onset, f.until))
        if f.kind == "abrupt":
            partial.append(f.onset)
    for at in downs:
        if at > day[0]:
            shapes.append((day >= at).astype(float))
            partial.append(at)
    # of the day of a step only a part is lost water; on that day itself the step is all there is
    return shapes + [(day == at).astype(float) for at in partial if day[0] < at < day[-1]]


def _inside(day: Array, known: _Watch) -> list[LeakFile]:
    """The files whose shape varies within the days."""
    return [
        f
        for f in known.files
        if f.onset > day[0] or (f.kind == "incipient" and (f.until or day[-1]) > day[0])
    ]


@lru_cache(maxsize=512)
def _whitener(gaps: bytes, echo: float) -> Array:
    """Return the matrix that makes the noise of the days independent: of two days on end it is correlated."""
    at = np.cumsum(np.frombuffer(gaps, dtype=np.int64))
    apart = np.abs(np.subtract.outer(at, at))
    white: Array = np.linalg.inv(np.linalg.cholesky((apart == 0) + echo * (apart == 1)))
    return white


def _white(day: Array, echo: float) -> Array:
    return _whitener(np.diff(day, prepend=day[0]).astype(np.int64).tobytes(), echo)


def _basis(columns: list[Array], white: Array) -> Array:
    matrix = white @ np.column_stack(columns)
    scaled = matrix / np.maximum(np.abs(matrix).max(axis=0), 1e-9)
    q, r = np.linalg.qr(scaled)
    basis: Array = q[:, np.abs(np.diag(r)) > 1e-6]
    return basis


def _look(day: Array, y: Array, known: _Watch) -> tuple[str, int, float] | None:
    """Return the event that stands out most above its threshold: what, when, and its score."""
    limits = known.limits
    grower = next((f for f in reversed(known.files) if f.growing), None)
    white = _white(day, known.echo)
    basis = _basis(_columns(day, _inside(day, known), known.downs), white)
    shapes, events = _candidates(day, limits, grower, {f.onset for f in known.files} | set(known.downs))
    if not events:
        return None
    y = white @ y
    rest = y - basis @ (basis.T @ y)
    size = np.maximum(np.abs(shapes).max(axis=0), 1.0)
    shapes = white @ shapes
    free = shapes - basis @ (basis.T @ shapes)
    norm = np.sqrt((free**2).sum(axis=0))
    score = np.where(norm > _APART * size, rest @ free / np.maximum(norm, 1e-9) / known.sigma, 0.0)
    if grower is not None:  # no hole widens exactly as the square of time
        score *= known.sigma / float(np.hypot(known.sigma, limits.unshapely * grower.flow))
    limit, wanted = _limits(limits, grower is not None, events, score, int(day[-1]))
    best = int(np.argmax(wanted / limit))
    return (*events[best], float(score[best])) if wanted[best] > limit[best] else None


def _candidates(
    day: Array, limits: Limits, grower: LeakFile | None, taken: set[int]
) -> tuple[Array, list[tuple[str, int]]]:
    """Return the shapes of the events that may have begun, days × events, and what they are."""
    first, today = int(day[0]) + 2, int(day[-1])
    steps = [at for at in range(max(first, today - limits.step_span), today + 1) if at not in taken]
    late = day[:, None]
    columns = [late >= np.array(steps, dtype=int)]
    events = [("step", at) for at in steps]
    if grower is None:
        begins = range(max(first, today - limits.growth_span), today - limits.growth_least)
        columns.append(np.clip(late - np.array(begins, dtype=int) + 1, 0, None) ** 2)
        events += [("growth", at) for at in begins]
    else:
        ends = range(max(grower.onset + 4, today - limits.stop_span), today - 2)
        grown = np.clip(late - grower.onset + 1, 0, None)
        held = np.clip(np.array(ends, dtype=int) - grower.onset + 1, 0, None)
        columns.append(np.clip(grown**2 - held**2, 0, None))
        events += [("stop", at) for at in ends]
    return np.concatenate(columns, axis=1).astype(float), events


def _limits(
    limits: Limits, growing: bool, events: list[tuple[str, int]], score: Array, today: int
) -> tuple[Array, Array]:
    """Return the threshold of each event, and its score counted in the direction that it may have."""
    up = limits.step_in_growth if growing else limits.step
    one = max(limits.step_one, limits.step_in_growth) if growing else limits.step_one
    limit, wanted = np.empty(len(events)), score.copy()
    for i, (what, at) in enumerate(events):
        if what == "step":
            limit[i] = one if at == today else up if score[i] > 0 else limits.down
            wanted[i] = abs(score[i])
        else:
            limit[i] = limits.growth if what == "growth" else limits.stop
            wanted[i] = score[i] if what == "growth" else -score[i]
    return limit, wanted


def _note(what: str, at: int, score: float, day: Array, y: Array, known: _Watch) -> None:
    if what == "stop":
        next(f for f in reversed(known.files) if f.growing).until = at
    elif what == "step" and score < 0:
        known.downs.append(at)
        _repair(at, day, y, known)
    else:
        file = LeakFile(at, int(day[-1]), "abrupt" if what == "step" else "incipient")
        if not _merged(file, day, y, known):
            known.files.append(file)


def _merged(new: LeakFile, day: Array, y: Array, known: _Watch) -> bool:
    """Say whether what is new is earlier files growing on, and make them one: one growth explains all nearly as well."""
    inside = _inside(day, known)
    limits, white = known.limits, _white(day, known.echo)
    near = [f for f in inside if f.end is None and -limits.behind <= new.onset - f.onset <= limits.merge_span]
    apart = _left(white, y, _columns(day, [*inside, new], known.downs))
    for count in range(min(len(near), limits.together), 0, -1):
        group = near[-count:]
        others = [f for f in inside if f not in group]
        oldest = min(group, key=lambda f: f.onset)
        begins = range(max(int(day[0]) + 3, oldest.onset - limits.merge_back), oldest.onset + 3)
        one = {
            b: _left(white, y, _columns(day, [*others, LeakFile(b, b, "incipient")], known.downs))
            for b in begins
        }
        if not one:
            continue
        begin = min(one, key=lambda b: one[b])
        grown = max((f.flow for f in group if f.kind == "incipient"), default=0.0)
        spread = known.sigma**2 + (2 * limits.unshapely * grown) ** 2
        if one[begin] <= apart + limits.merge * count * spread:
            first = min(group, key=lambda f: f.detected)
            first.kind, first.until, first.onset = "incipient", None, min(begin, first.detected)
            known.files[:] = [f for f in known.files if f is first or f not in group]
            return True
    return False


def _absorb(today: int, known: _Watch) -> None:
    """Give a step that a growth around it has explained away to that growth: it was its first alarm."""
    for growth in [f for f in known.files if f.kind == "incipient"]:
        within = (growth.onset - known.limits.merge_back, today if growth.until is None else growth.until)
        for step in [f for f in known.files if f.kind == "abrupt" and f.end is None]:
            small = step.flow < max(
                known.limits.absorb * known.sigma, 2 * known.limits.unshapely * growth.flow
            )
            if small and within[0] <= step.onset <= within[1] and today - step.onset > _FEWEST:
                known.files.remove(step)
                growth.detected = min(growth.detected, step.detected)


def _forget(today: int, known: _Watch) -> None:
    """Drop the open files that turned out to lose nothing; one that younger files took over may still be a growth."""
    least, span = known.limits.least * known.sigma, known.limits.merge_span

    def nothing(f: LeakFile) -> bool:
        small = f.end is None and not f.growing and f.flow < least and today - f.detected >= _FEWEST
        return small and not any(g.end is None and 0 < g.onset - f.onset <= span for g in known.files)

    known.files[:] = [f for f in known.files if not nothing(f)]


def _left(white: Array, y: Array, columns: list[Array]) -> float:
    basis, y = _basis(columns, white), white @ y
    rest = y - basis @ (basis.T @ y)
    return float(rest @ rest)


def _repair(at: int, day: Array, y: Array, known: _Watch) -> None:
    """Give an end to the open file whose flow is nearest to the drop."""
    _measure(day, y, known)
    columns = _columns(day, _inside(day, known), known.downs)
    found, *_ = np.linalg.lstsq(np.column_stack(columns), y, rcond=None)
    index = 1 + len(_inside(day, known)) + sum(1 for d in known.downs if d > day[0]) - 1
    drop = -float(found[index])
    running = [f for f in known.files if f.end is None and f.onset < at]
    if not running:
        return
    file = min(running, key=lambda f: abs(f.flow - drop))
    if abs(file.flow - drop) <= max(0.5 * max(drop, file.flow), 3 * known.sigma):
        file.end = at
        if file.kind == "incipient" and file.until is None:
            file.until = at - 1


def _measure(day: Array, y: Array, known: _Watch) -> None:
    """Give each file that runs its flow as fitted today; one older than the days keeps what it had."""
    inside = _inside(day, known)
    columns = _columns(day, inside, known.downs)
    white = _white(day, known.echo)
    found, *_ = np.linalg.lstsq(white @ np.column_stack(columns), white @ y, rcond=None)
    for file, column, size in zip(inside, columns[1:], found[1:], strict=False):
        if file.end is None and file.onset > day[0]:
            file.flow = max(float(size * column[-1]), 0.0)
