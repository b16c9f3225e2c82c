"""Settle the young files of an area: what else could they be, and does it explain the days better?

Two of them that one growth explains as well become one; an onset, a stop, an end moves; a drop is given to another file; what
explains nothing any more goes, and is remembered, so that a file found again keeps the day of its first alarm.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beffroi.services.watergrid.leaks.explain import Days, Explained, LeakFile, Limits, explain

__all__ = ["Known", "end", "measure", "settle", "take_up"]

Array = NDArray[np.float64]
_GAIN = 2.0  # in variances: what a change of the young files must better
_ROUNDS = 5
_SHIFTS = (
    -12,
    -5,
    -2,
    -1,
    -0.4,
    0.4,
    1,
    2,
    5,
    12,
    25,
)  # days by which the onset of a growth may move at once


@dataclass
class Known:
    """What is known so far."""

    echo: tuple[float, ...]
    limits: Limits
    aside: Array
    files: list[LeakFile] = field(default_factory=list)
    downs: list[int] = field(default_factory=list)
    withdrawn: list[LeakFile] = field(default_factory=list)


def end(at: int, days: Days, fit: Explained, known: Known) -> None:
    """Give an end to the open file that the drop takes back, in every channel; to none when none fits."""
    measure(days, fit, known)
    known.downs.append(at)
    moves = list(_ends(at, days, known))
    costs = [_cost(days, move, known) for move in moves]
    if costs and min(costs) < explain(days, known.files, known.downs, known.limits).cost:
        _apply(moves[costs.index(min(costs))], known)


@dataclass(frozen=True)
class _Move:
    """Another explanation: its files and loose drops, and what some of the files would have otherwise."""

    files: list[LeakFile]
    downs: list[int]
    changes: tuple[tuple[LeakFile, dict[str, Any]], ...] = ()


def _cost(days: Days, move: _Move, known: Known) -> float:
    was = [(f, {name: getattr(f, name) for name in new}) for f, new in move.changes]
    _set(move.changes)
    cost = explain(days, move.files, move.downs, known.limits).cost
    _set(was)
    return cost


def _set(changes: Iterable[tuple[LeakFile, dict[str, Any]]]) -> None:
    for file, values in changes:
        for name, value in values.items():
            setattr(file, name, value)


def _apply(move: _Move, known: Known) -> None:
    gone = [f for f in known.files if f not in move.files]
    _set(move.changes)
    for file, _ in move.changes[:1]:
        file.detected = min([file.detected, *(g.detected for g in gone)])
    known.files[:], known.downs[:] = move.files, move.downs
    if not move.changes:
        known.withdrawn += gone
        for file in sorted(known.files, key=lambda f: -f.detected)[:1]:
            take_up(file, known)


def take_up(file: LeakFile, known: Known) -> None:
    """Give a file the alarm of one that was withdrawn although the leak ran already."""
    for gone in [g for g in known.withdrawn if file.onset <= g.detected <= file.detected]:
        file.detected = min(file.detected, gone.detected)
        known.withdrawn.remove(gone)


def settle(days: Days, fit: Explained, known: Known) -> Explained:
    """Let the young files be what explains the days best: joined, moved, growing, ended, or gone."""
    for _ in range(_ROUNDS):
        moves = [*_others(days, known), *_mended(days, known)]
        costs = [_cost(days, move, known) for move in moves]
        if not costs or min(costs) > fit.cost - _GAIN:
            return fit
        _apply(moves[costs.index(min(costs))], known)
        fit = explain(days, known.files, known.downs, known.limits)
        measure(days, fit, known)
    return fit


def _mended(days: Days, known: Known) -> Iterator[_Move]:
    """Yield what drops may be instead: the end of a file, of another file, or of none."""
    for at in known.downs:
        if at > days.first and days.today - at <= known.limits.settle:
            yield from _ends(at, days, known)
            yield _Move(known.files, [d for d in known.downs if d != at])
    for file in known.files:
        if file.end is None or file.end <= days.first or days.today - file.end > known.limits.settle:
            continue
        loose = [*known.downs, file.end]
        yield _Move(known.files, loose, ((file, {"end": None}),))
        for at in (file.end - 1, file.end + 1):
            if file.detected < at <= days.today:
                yield _Move(known.files, known.downs, ((file, _ended(file, at)),))
        for other in known.files:
            if other.end is None and other.detected < file.end:
                yield _Move(
                    known.files, known.downs, ((file, {"end": None}), (other, _ended(other, file.end)))
                )


def _ends(at: int, days: Days, known: Known) -> Iterator[_Move]:
    left = [d for d in known.downs if d != at]
    for file in known.files:
        if file.end is None and file.onset < at - 1:
            for end in (at - 1, at, at + 1):
                if file.detected < end <= days.today:
                    yield _Move(known.files, left, ((file, _ended(file, end)),))


def _ended(file: LeakFile, end: int) -> dict[str, Any]:
    stops = file.kind == "incipient" and (file.until is None or file.until >= end)
    return {"end": end, "until": end - 1} if stops else {"end": end}


def _others(days: Days, known: Known) -> Iterator[_Move]:
    """Yield what the young files may be instead."""
    young = [
        f for f in known.files if f.onset > days.first + 1 and f.end is None and days.today - f.detected <= known.limits.settle
    ]  # fmt: skip
    for f in known.files:
        if f.growing and f not in young:
            yield from (_Move(known.files, known.downs, ((f, {"until": at}),)) for at in _stops(f, days))
    for f in young:
        yield _Move([g for g in known.files if g is not f], known.downs)
        for changes in _courses(f, days):
            yield _Move(known.files, known.downs, ((f, changes),))
        for g in young:
            if g.detected >= f.detected and g is not f and abs(g.onset - f.onset) <= known.limits.growth_span:
                fewer = [h for h in known.files if h is not g]
                for changes in _joined(f, g, days):
                    yield _Move(fewer, known.downs, ((f, changes),))


def _courses(f: LeakFile, days: Days) -> Iterator[dict[str, Any]]:
    low = days.first + 2
    if f.kind == "abrupt":
        yield from ({"onset": at} for at in (f.onset - 1, f.onset + 1) if low <= at <= f.detected)
        for back in (18, 12, 8, 5, 3, 1):
            if low <= f.onset - back <= days.today - 2:
                yield {"kind": "incipient", "onset": f.onset - back, "until": None}
    else:
        for step in _SHIFTS:
            if low <= f.onset + step <= min(f.detected, days.today - 3):
                yield {"onset": f.onset + step}
        if f.until is None:
            yield from ({"until": at} for at in _stops(f, days))
        else:
            yield {"until": None}
            yield from (
                {"until": f.until + s} for s in (-2, -0.5, 0.5, 2) if f.onset + 3 < f.until + s < days.today
            )
        for back in (0, 3):
            if low <= f.detected - back:
                yield {"kind": "abrupt", "onset": f.detected - back, "until": None}


def _stops(f: LeakFile, days: Days) -> list[int]:
    return [days.today - ago for ago in (4, 8, 14, 22, 32, 44) if days.today - ago > f.onset + 4]


def _joined(f: LeakFile, g: LeakFile, days: Days) -> Iterator[dict[str, Any]]:
    yield {}
    if f.kind == "abrupt":
        yield from ({"onset": at} for at in {f.onset + 1, g.onset, g.onset - 1} if at <= days.today)
    first = min(f.onset, g.onset)
    for back in (15, 9, 5, 2, 0, -3):
        if days.first + 2 <= first - back <= min(f.detected, days.today - 3):
            yield {"kind": "incipient", "onset": first - back, "until": None}


def measure(days: Days, fit: Explained, known: Known) -> None:
    """Give each file its size as fitted today; one older than the days keeps what it had."""
    for file in known.files:
        if id(file) in fit.sizes and (file.onset > days.first or file.growing or not len(file.size)):
            file.size = fit.sizes[id(file)]
