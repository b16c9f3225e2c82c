"""Follow the daily losses of an area and keep one file a leak: opened, growing, repaired.

Every day the losses of the last months are explained (`explain`) by a level and the leaks found so far: steps up (a pipe
bursts), growths (a hole widens evenly, so the flow grows as the square of time, until it stops), ends (a repair takes back
what a leak drew, in every channel). One more event is looked for at every possible onset: what is left unexplained is
projected on its shape after taking out what already explains it, and the event that stands out most, in standard
deviations, is kept when it passes its threshold. Then the young files are settled: two of them that one growth explains as
well become one, an onset moves, what explains nothing any more goes. So a growing leak stays one file instead of an alarm a
week, and a repair gives its file an end. It is a two-sided CUSUM re-levelled at once both ways, in the form that knows its
noise and its shapes. Nothing after a day changes what that day detected.

Besides the losses there may be other channels: how the inflow is shared among the inlets (`inlets`). What stands out is
judged over all of them together, and the flow must agree with the direction.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from beffroi.services.watergrid.leaks.channels import Others
from beffroi.services.watergrid.leaks.explain import Days, Explained, LeakFile, Limits, explain
from beffroi.services.watergrid.leaks.settle import Known, end, measure, settle, take_up

__all__ = ["LIMITS", "QUIET", "SHARED", "LeakFile", "watch"]

Array = NDArray[np.float64]
_APART = 0.35  # of its size: a shape that what is known already nearly explains says nothing
_FEWEST = 4  # days before which there is nothing to compare with
_LEAD = 30  # days of the learnt period that tell the level at the start
_HEARD = 8  # days after which a burst must have lost something
_SETTLED = 4  # days after which the young files are looked at again

LIMITS = Limits()
# With several channels that share no noise chance has to agree in all of them, and the flow itself must have moved.
SHARED = replace(LIMITS, step=3.4, step_one=3.9, growth=2.7, agree=2.0)
# Of an area where a leak begins a few times a year, not every fortnight: two events close in time are one leak rather than
# two, and how far a growth leaves its shape counts for more than the noise of a small area.
QUIET = replace(LIMITS, large=0.33, step=4.2, step_one=4.6, growth=4.2, unshapely=0.07, file=9.0, least=2.5)


def watch(
    loss: Array,
    sigma: float,
    echo: float = 0.0,
    limits: Limits = LIMITS,
    before: Array | None = None,
    others: Others | None = None,
) -> list[LeakFile]:
    """Return the files of a period from its daily losses (m³/h, NaN where unknown) and their noise.

    `sigma` is the noise of a day, `echo` its correlation with the next day's. `before` are losses of the learnt period, which
    tell the level at the start. `others` are the other channels over the same days.
    """
    values, lead = (loss / sigma)[:, None], (np.empty(0) if before is None else before / sigma)[:, None]
    echoes: tuple[float, ...] = (echo,)
    if others is not None:
        values = np.concatenate([values, others.values / others.sigma], axis=1)
        lead = np.concatenate([lead, others.before[: len(lead)] / others.sigma], axis=1)
        echoes += tuple(float(e) for e in others.echo)
    kept = np.flatnonzero(np.isfinite(lead).all(axis=1))[-_LEAD:]
    values = np.concatenate([lead[kept], values])
    aside = np.empty((len(values), 0)) if others is None else np.concatenate([others.aside_before[kept], others.aside])  # fmt: skip
    values[~np.isfinite(values).all(axis=1)] = np.nan
    known = Known(echoes, limits, np.nan_to_num(aside))
    for today in range(len(kept), len(values)):
        if np.isfinite(values[today, 0]):
            _day(values[: today + 1], known)
    for file in known.files:
        file.onset, file.detected = file.onset - len(kept), file.detected - len(kept)
        file.end = None if file.end is None else file.end - len(kept)
        file.until = None if file.until is None else file.until - len(kept)
        file.flow = max(float(file.size[0]), 0.0) * sigma
    # a file that loses nothing today is no leak, whatever the other channels say
    return [f for f in known.files if f.flow > 0]


def _day(values: Array, known: Known) -> None:
    today = len(values) - 1
    day = np.arange(max(0, today - known.limits.history), today + 1)
    day = day[np.isfinite(values[day, 0])]
    if len(day) < _FEWEST:
        return
    widest = _widest(values[day, 0], known)
    days = Days(day.astype(float), values[day], known.aside[day], known.echo, _spread(known), widest)
    fit = explain(days, known.files, known.downs, known.limits)
    recent = (
        *known.downs,
        *(f.detected for f in known.files),
        *(f.end for f in known.files if f.end is not None),
    )
    moved = today % _SETTLED == 0 or (today % 2 == 0 and any(today - at <= _SETTLED for at in recent))
    for _ in range(3):
        found = _look(days, fit, known)
        if found is None:
            break
        _note(*found, days, fit, known)
        moved = True
        fit = explain(days, known.files, known.downs, known.limits)
        measure(days, fit, known)
    if moved:
        fit = settle(days, fit, known)
    measure(days, fit, known)
    _withdraw(days.today, known)


def _withdraw(today: int, known: Known) -> None:
    """Take back the open files that turned out to lose nothing."""

    def nothing(f: LeakFile) -> bool:
        waited = _HEARD if f.kind == "abrupt" else 3 * _HEARD
        old = waited <= today - f.detected <= known.limits.settle
        return f.end is None and old and len(f.size) > 0 and f.size[0] < known.limits.least

    known.withdrawn += [f for f in known.files if nothing(f)]
    known.files[:] = [f for f in known.files if not nothing(f)]


def _widest(loss: Array, known: Known) -> float:
    """Return how broad sizes may be, by the largest leak so far and by what the losses jumped, over the day that is lost in part."""
    if not known.limits.large:
        return 0.0
    jumped = float(np.abs(loss[2:] - loss[:-2]).max(initial=0.0))
    return known.limits.large * max(jumped, *(float(f.size[0]) for f in known.files if len(f.size)), 0.0)


def _spread(known: Known) -> Array:
    """Return the noise of each channel: what leaks do is not exact, no hole widens exactly as the square of time."""
    spread = np.ones(len(known.echo))
    sized = [f for f in known.files if len(f.size)]
    spread[0] = np.hypot(
        1.0, known.limits.unshapely * max((f.size[0] for f in sized if f.growing), default=0.0)
    )
    if len(spread) > 1:
        moved = np.sqrt(sum((f.size[1:] ** 2 for f in sized if f.end is None), np.zeros(len(spread) - 1)))
        spread[1:] = np.hypot(1.0, known.limits.drift * moved)
    return spread


@dataclass(frozen=True)
class _Event:
    what: str  # step, growth, stop
    at: int
    file: LeakFile | None = None


def _look(days: Days, fit: Explained, known: Known) -> tuple[_Event, float] | None:
    """Return the event that stands out most above its threshold, and its score with its sign."""
    shapes, events = _candidates(days, known)
    if not events:
        return None
    scores, norms = [], []
    for channel, white in enumerate(days.white):
        tried = white @ shapes
        matrix = fit.matrices[channel]
        shared = matrix.T @ tried
        explained = fit.factors[channel] @ shared
        norm = np.sqrt(np.maximum((tried**2).sum(axis=0) - (shared * explained).sum(axis=0), 1e-12))
        rest = fit.rests[channel] @ tried - (matrix.T @ fit.rests[channel]) @ explained
        scores.append(np.where(norm > _APART * float(white[0, 0]), rest / norm, 0.0))
        norms.append(norm)
    score = _together(np.array(scores), np.array(norms), events, known.limits)
    limit = np.array([_limit(e, s, days.today, known.limits) for e, s in zip(events, score, strict=True)])
    wanted = np.where([e.what == "step" for e in events], np.abs(score), score)
    best = int(np.argmax(wanted / limit))
    return (events[best], float(score[best])) if wanted[best] > limit[best] else None


def _candidates(days: Days, known: Known) -> tuple[Array, list[_Event]]:
    """Return the shapes of the events that may have begun, days × events, one at their largest, and what they are."""
    limits, first, today = known.limits, days.first + 2, days.today
    taken = {f.onset for f in known.files} | set(known.downs) | {f.end for f in known.files}
    late = days.day[:, None]
    steps = [at for at in range(max(first, today - limits.step_span), today + 1) if at not in taken]
    begins = list(range(max(first, today - limits.growth_span), today - limits.growth_least))
    events = [_Event("step", at) for at in steps] + [_Event("growth", at) for at in begins]
    at = np.array(begins, dtype=int)
    grown = np.clip(late - at + 1, 0, None) / np.maximum(today - at + 1, 1)
    columns = [(late >= np.array(steps, dtype=int)).astype(float), grown**2]
    for file in known.files:
        if file.growing:
            ends = np.arange(max(file.onset + 4, first, today - limits.stop_span), today - 2)
            line = np.clip(late - file.onset + 1, 0, None) ** 2 - np.clip(ends - file.onset + 1, 0, None) ** 2
            columns.append(np.clip(line, 0, None) / max(today - file.onset + 1, 1) ** 2)
            events += [_Event("stop", int(e), file) for e in ends]
    return np.concatenate(columns, axis=1), events


def _together(scores: Array, norms: Array, events: list[_Event], limits: Limits) -> Array:
    """Return one score an event over all channels, with the sign of the flow.

    That a growth stops is looked for in the direction of the growth; its score is positive.
    """
    flow = scores[0]
    score = flow.copy()
    if len(scores) > 1:
        whole = np.sqrt((scores**2).sum(axis=0))
        step = np.array([e.what == "step" for e in events])
        agrees = np.where(step, np.abs(flow) >= limits.agree, flow > 0)
        score = np.where(agrees, np.sign(flow) * whole, flow)
    for i, event in enumerate(events):
        if event.file is not None:
            way = (event.file.size if len(event.file.size) else np.eye(len(scores))[0]) * norms[:, i]
            score[i] = -float(way @ scores[:, i]) / max(float(np.sqrt(way @ way)), 1e-9)
    found: Array = score
    return found


def _limit(event: _Event, score: float, today: int, limits: Limits) -> float:
    if event.what == "growth":
        return limits.growth
    if event.what == "stop":
        return limits.stop
    if event.at == today:
        return limits.step_one
    return limits.step if score > 0 else limits.down


def _note(event: _Event, score: float, days: Days, fit: Explained, known: Known) -> None:
    if event.file is not None:
        event.file.until = event.at
    elif event.what == "step" and score < 0:
        end(event.at, days, fit, known)
    else:
        file = LeakFile(event.at, days.today, "abrupt" if event.what == "step" else "incipient")
        take_up(file, known)
        known.files.append(file)
