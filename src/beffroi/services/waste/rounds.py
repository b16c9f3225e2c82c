"""Which containers to collect today, and in what order.

Two ways. By visits: a container is taken when the overflows expected before the next possible round are worth more than the visit,
which a container that fills fast needs more often than one that fills slowly. By kilometres: a round goes out when enough overflows
are expected, and takes the stops whose worth (overflows spared, and volume that needs no later visit) is above their detour: the best
part of a tour of all, found exactly, then mended stop by stop. The order is PyVRP's when it is installed (extra `waste`), else a
nearest-neighbour tour made better by 2-opt and Or-opt.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.services.waste.fill import Fill, overflow_days

__all__ = [
    "FEWEST_KM",
    "FEWEST_VISITS",
    "Policy",
    "Round",
    "choose",
    "fixed_days",
    "length_m",
    "restrained",
    "steered",
    "tour",
]

Point = tuple[float, float]
Metres = NDArray[np.float64]
Stops = NDArray[np.int64]
_STEPS, _COST = 400, 2e8  # of a tour made better: how many, and how many pairs of legs are looked at in all
_LEAST_M = 1e-6
_MENDED = 3
_AHEAD_DAYS = 1.0  # a stop is worth what is in the container when the next round could have taken it
_NEXT_DAYS = 2  # by kilometres: a stop that is left out waits about so long for the next round


class Policy(msgspec.Struct, frozen=True):
    """When a round goes out and what it takes.

    `overflow` is what a day over full is worth: visits when `visits`, else stops of a round of all containers (its kilometres over
    their number). `run`: overflows expected before the next possible day that make a round go out; `early`: what emptying a full
    container before it must be is worth, in the same stops. `least`: share full below which no stop is made, even on the way.
    """

    visits: bool = False
    overflow: float = 4.3
    run: float = 5.3
    early: float = 0.8
    least: float = 0.0


FEWEST_KM = Policy()  # few rounds, each taking what lies on its way
FEWEST_VISITS = Policy(visits=True, overflow=0.75)  # a round a day if need be, each of what must be
_FEWEST = 0.45  # what an overflow is worth at least, in visits
_LEAST, _MOST = Policy(overflow=1.5, run=3.0), Policy(overflow=23.0, run=9.0)


class Round(msgspec.Struct, frozen=True):
    """A round: the positions of the containers in order, and its length in metres, from the depot and back."""

    stops: tuple[int, ...]
    metres: float


def steered(policy: Policy, allowed_km: float, driven_km: float, days: float = 7.0) -> Policy:
    """Return a policy that drives more or fewer kilometres a week, as the last weeks drove less or more than allowed.

    It is asked anew every so many `days`: the change is a part of that of a week.
    """
    ratio = (allowed_km / max(driven_km, 1.0)) ** (days / 7)
    return msgspec.structs.replace(
        policy, overflow=min(max(policy.overflow * ratio**1.2, _LEAST.overflow), _MOST.overflow),
        run=min(max(policy.run / ratio**0.6, _LEAST.run), _MOST.run),
    )  # fmt: skip


def restrained(
    policy: Policy, usual: Policy, allowed_visits: float, made_visits: float, days: float = 7.0
) -> Policy:
    """Return a policy by visits that makes fewer when the last weeks made more than allowed, and never more than the usual one.

    Visits hardly follow what an overflow is worth: a tenth fewer of them takes half of that worth.
    """
    ratio = (allowed_visits / max(made_visits, 1.0)) ** (days / 7)
    return msgspec.structs.replace(
        policy, overflow=min(max(policy.overflow * ratio**5, _FEWEST), usual.overflow)
    )


def choose(
    fills: Sequence[Fill], places: Sequence[Point], depot: Point, gap_days: int, policy: Policy = Policy()
) -> list[int]:
    """Return the containers to collect today, none when a round can wait `gap_days`."""
    expected = [overflow_days(f, gap_days) for f in fills]
    if policy.visits:
        return [
            i for i, f in enumerate(fills) if policy.overflow * expected[i] >= max(f.rate * gap_days, 1e-9)
        ]
    if not places or sum(expected) < policy.run:
        return []
    apart = _apart([depot, *places])
    every = _tour(apart, np.arange(1, len(apart)))
    a_stop = _length(apart, every) / len(places)
    wait = max(_NEXT_DAYS, gap_days)
    worth = [
        -1.0 if f.level < policy.least else policy.overflow * overflow_days(f, wait) + policy.early * max(f.after(_AHEAD_DAYS), 0.0) ** 2
        for f in fills
    ]  # fmt: skip
    prize = np.array([0.0, *worth]) * a_stop
    return sorted(int(i) - 1 for i in _mended(apart, _best_part(apart, every, prize), prize))


def _best_part(apart: Metres, order: Stops, prize: Metres) -> Stops:
    """Return the stops of a tour, in its order, whose prizes less the way between them are the most: exact, by their last stop."""
    best, before = np.empty(len(order)), np.full(len(order), -1)
    for j, stop in enumerate(order):
        best[j] = -apart[0, stop]
        if j:
            from_there = best[:j] - apart[order[:j], stop]
            k = int(from_there.argmax())
            if from_there[k] > best[j]:
                best[j], before[j] = from_there[k], k
        best[j] += prize[stop]
    last = int((best - apart[0, order]).argmax())
    if best[last] <= apart[0, order[last]]:
        return order[:0]
    found = []
    while last >= 0:
        found.append(order[last])
        last = int(before[last])
    return np.array(found[::-1])


def _mended(apart: Metres, stops: Stops, prize: Metres) -> Stops:
    """Return stops without those that are not worth their detour, and with those that are."""
    for _ in range(_MENDED):
        before = set(stops.tolist())
        stops = _with(apart, _without(apart, _tour(apart, stops), prize), prize)
        if set(stops.tolist()) == before:
            break
    return stops


def _without(apart: Metres, stops: Stops, prize: Metres) -> Stops:
    while len(stops):
        path = _path(stops)
        spared = apart[path[:-2], stops] + apart[stops, path[2:]] - apart[path[:-2], path[2:]] - prize[stops]
        worst = int(spared.argmax())
        if spared[worst] <= 0:
            break
        stops = np.delete(stops, worst)
    return stops


def _with(apart: Metres, stops: Stops, prize: Metres) -> Stops:
    while len(stops):
        path = _path(stops)
        left = np.setdiff1d(np.arange(1, len(apart)), stops)
        if not len(left):
            break
        detour = apart[path[:-1]][:, left] + apart[path[1:]][:, left] - apart[path[:-1], path[1:]][:, None]
        gain = prize[left] - detour.min(0)
        best = int(gain.argmax())
        if gain[best] <= 0:
            break
        stops = np.insert(stops, int(detour[:, best].argmin()), left[best])
    return stops


def fixed_days(weekday: int, days: Sequence[int], count: int) -> list[int]:
    """Return every container on fixed week days, none on others."""
    return list(range(count)) if weekday in days else []


def length_m(places: Sequence[Point], stops: Sequence[int], depot: Point) -> float:
    """Return the length of a round that starts and ends at the depot."""
    path = [depot, *(places[i] for i in stops), depot]
    return sum(math.dist(a, b) for a, b in pairwise(path)) if stops else 0.0


def tour(
    places: Sequence[Point], stops: Sequence[int], depot: Point, *, seconds: float = 0.4, solver: bool = True
) -> Round:
    """Return the round through the stops; `solver` False never asks PyVRP."""
    if len(stops) < 3:
        order = list(stops)
    else:
        order = _solved(places, stops, depot, seconds) if solver else _improved(places, stops, depot)
    return Round(tuple(order), length_m(places, order, depot))


def _solved(places: Sequence[Point], stops: Sequence[int], depot: Point, seconds: float) -> list[int]:
    try:
        import pyvrp  # noqa: PLC0415 -- an extra, and heavy: only when a round is made
        from pyvrp.stop import MaxRuntime  # noqa: PLC0415
    except ImportError:
        return _improved(places, stops, depot)
    model = pyvrp.Model()
    points = [depot, *(places[i] for i in stops)]
    locations = [model.add_location(round(x), round(y)) for x, y in points]
    home = model.add_depot(locations[0])
    for location in locations[1:]:
        model.add_client(location)
    model.add_vehicle_type(1, start_depot=home, end_depot=home)
    for a, x in zip(locations, points, strict=True):
        for b, y in zip(locations, points, strict=True):
            if a is not b:
                model.add_edge(a, b, distance=round(math.dist(x, y)))
    best = model.solve(MaxRuntime(seconds), seed=1, display=False).best
    visits = [int(v) for route in best.routes() for v in _visits(route)]
    return [stops[v] for v in visits]


def _visits(route: object) -> list[int]:
    """Return the positions of a route's clients among those that were added."""
    return [int(activity.idx) for activity in route if getattr(activity, "is_client", lambda: True)()]  # type: ignore[attr-defined]


def _improved(places: Sequence[Point], stops: Sequence[int], depot: Point) -> list[int]:
    order = _tour(_apart([depot, *(places[i] for i in stops)]), np.arange(1, len(stops) + 1))
    return [stops[i - 1] for i in order]


def _apart(points: Sequence[Point]) -> Metres:
    """Return the distances between points; the first is the depot."""
    x = np.array(points, dtype=float)
    return np.asarray(np.hypot(*(x[:, None] - x[None]).transpose(2, 0, 1)))


def _path(stops: Stops) -> Stops:
    return np.concatenate([[0], stops, [0]])


def _length(apart: Metres, stops: Stops) -> float:
    path = _path(stops)
    return float(apart[path[:-1], path[1:]].sum())


def _tour(apart: Metres, stops: Stops) -> Stops:
    """Return stops in the order of a nearest-neighbour tour from the depot, made better until no small change does."""
    left, here, order = stops.copy(), 0, []
    while len(left):
        at = int(apart[here, left].argmin())
        here = int(left[at])
        order.append(here)
        left = np.delete(left, at)
    path = _path(np.array(order, dtype=np.int64))
    for _ in range(min(_STEPS, int(_COST / len(path) ** 2))):
        if not (_uncrossed(apart, path) or _moved(apart, path)):
            break
    return path[1:-1]


def _uncrossed(apart: Metres, path: Stops) -> bool:
    """Turn round the part of a path that spares the most (2-opt); tell whether any does. Ends stay."""
    a, b = path[:-1], path[1:]
    legs = apart[a, b]
    gain = np.triu(legs[:, None] + legs[None] - apart[a[:, None], a[None]] - apart[b[:, None], b[None]], 2)
    i, j = divmod(int(gain.argmax()), len(a))
    if gain[i, j] <= _LEAST_M:
        return False
    path[i + 1 : j + 1] = path[i + 1 : j + 1][::-1]
    return True


def _moved(apart: Metres, path: Stops) -> bool:
    """Move the one, two or three stops that spare the most by being elsewhere, either way round (Or-opt); tell whether any do."""
    best: tuple[float, int, int, int, bool] = (_LEAST_M, 0, 0, 0, False)
    a, b = path[:-1], path[1:]
    legs = apart[a, b]
    for size in range(1, min(3, len(path) - 3) + 1):
        before, first, last, after = (
            path[: -size - 1],
            path[1:-size],
            path[size:-1],
            path[size + 1 :],
        )
        spared = apart[before, first] + apart[last, after] - apart[before, after]
        for turned, (x, y) in ((False, (first, last)), (True, (last, first))):
            gain = spared[:, None] - (apart[x[:, None], a[None]] + apart[y[:, None], b[None]] - legs[None])
            start, leg = np.arange(len(first))[:, None], np.arange(len(a))[None]
            gain[(leg >= start) & (leg <= start + size)] = -np.inf  # the legs that the move takes away
            i, j = divmod(int(gain.argmax()), len(a))
            if gain[i, j] > best[0]:
                best = (float(gain[i, j]), size, i, j, turned)
    _, size, i, j, turned = best
    if not size:
        return False
    part = path[i + 1 : i + 1 + size].copy()
    rest = np.delete(path, np.arange(i + 1, i + 1 + size))
    at = j + 1 if j < i else j + 1 - size
    path[:] = np.insert(rest, at, part[::-1] if turned else part)
    return True
