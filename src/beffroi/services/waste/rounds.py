"""Which containers to collect today, and in what order.

A round goes out on a day when the overflows expected before the next one would be more than `run`; it takes what may
overflow before the round after, then what lies on the way and is half full. The order is PyVRP's when it is installed
(extra `waste`), else a nearest-neighbour tour improved by 2-opt.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import msgspec

from beffroi.services.waste.fill import Fill, overflow_chance

__all__ = ["FEWEST_KM", "FEWEST_VISITS", "Policy", "Round", "choose", "fixed_days", "length_m", "tour"]

Point = tuple[float, float]


class Policy(msgspec.Struct, frozen=True):
    """When a round goes out and what it takes. Days between possible rounds, chances, metres."""

    run: float = 6.0  # overflows expected before the next possible day that make a round go out today
    must: float = 0.2  # chance of overflow before `ahead` days that makes a container be taken
    ahead: float = 3.0
    half: float = 0.45  # what lies on the way is taken from this fill on
    detour_m: float = 400.0


FEWEST_KM = Policy()  # few rounds, each taking what lies on its way
FEWEST_VISITS = Policy(run=9.0, must=0.4, ahead=2.0, detour_m=0.0)  # more rounds, each of what must be


class Round(msgspec.Struct, frozen=True):
    """A round: the positions of the containers in order, and its length in metres, from the depot and back."""

    stops: tuple[int, ...]
    metres: float


def choose(
    fills: Sequence[Fill], places: Sequence[Point], depot: Point, gap_days: float, policy: Policy = Policy()
) -> list[int]:
    """Return the containers to collect today, none when a round can wait `gap_days`."""
    expected = sum(overflow_chance(f, gap_days) for f in fills)
    if expected < policy.run:
        return []
    taken = [i for i, f in enumerate(fills) if overflow_chance(f, policy.ahead) >= policy.must]
    if not taken:
        return []
    path = [depot, *(places[i] for i in tour(places, taken, depot, solver=False).stops), depot]
    chosen = set(taken)
    for i, fill in sorted(enumerate(fills), key=lambda pair: -pair[1].level):
        if i in chosen or fill.level < policy.half:
            continue
        at, more = min(
            (
                (n, math.dist(a, places[i]) + math.dist(places[i], b) - math.dist(a, b))
                for n, (a, b) in enumerate(pairwise(path))
            ),
            key=lambda pair: pair[1],
        )
        if more <= policy.detour_m * fill.level:
            path.insert(at + 1, places[i])
            chosen.add(i)
    return sorted(chosen)


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
        order = _solved(places, stops, depot, seconds) if solver else None or _improved(places, stops, depot)
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
    left, order, here = set(stops), [], depot
    while left:
        following = min(left, key=lambda i: (math.dist(here, places[i]), i))
        left.remove(following)
        order.append(following)
        here = places[following]
    path = [depot, *(places[i] for i in order), depot]
    for _ in range(30):
        if not _two_opt(path, order):
            break
    return order


def _two_opt(path: list[Point], order: list[int]) -> bool:
    """Undo the crossings of a path once through; tell whether there were any. Ends stay."""
    better = False
    for i in range(len(path) - 3):
        a, b = path[i], path[i + 1]
        ab = math.dist(a, b)
        for j in range(i + 2, len(path) - 1):
            c, d = path[j], path[j + 1]
            if math.dist(a, c) + math.dist(b, d) < ab + math.dist(c, d) - 1e-6:
                path[i + 1 : j + 1] = reversed(path[i + 1 : j + 1])
                order[i:j] = reversed(order[i:j])
                b = path[i + 1]
                ab = math.dist(a, b)
                better = True
    return better
