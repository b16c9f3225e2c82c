"""Rounds: in what order one team visits the stops of a « feuille de tournée ».

Up to nine stops the order is the best there is (dynamic programming over subsets: Held and Karp 1962). Beyond, a
nearest-neighbour tour is improved by 2-opt and Or-opt moves, then shaken by double bridges (Martin, Otto and Felten
1991) a fixed number of times: the same stops always give the same sheet. Distances are in metres of a metric plane
(EPSG:2154), straight or along a grid of streets.
"""

import math
import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

__all__ = ["EXACT", "MOST_STOPS", "Metric", "length_m", "order"]

EXACT = 9
MOST_STOPS = 200
SHAKES = 60  # about a third of a second for 50 stops
Metric = Literal["straight", "grid"]
Point = tuple[float, float]
Distances = Sequence[Sequence[float]]


def _straight(a: Point, b: Point) -> float:
    return math.hypot(a[0] - b[0], a[1] - b[1])


def _grid(a: Point, b: Point) -> float:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])


METRICS: dict[Metric, Callable[[Point, Point], float]] = {"straight": _straight, "grid": _grid}


def length_m(points: Sequence[Point], metric: Metric = "straight", depot: Point | None = None) -> float:
    """Return the length of a round in the order given; with a depot it starts and ends there."""
    path = [*([depot] if depot else []), *points, *([depot] if depot else [])]
    return sum(METRICS[metric](a, b) for a, b in pairwise(path))


def order(points: Sequence[Point], metric: Metric = "straight", depot: Point | None = None) -> list[int]:
    """Return the positions of `points` in the order to visit them.

    With a depot the round starts and ends there; without one it starts and ends where that is shortest.
    Raises `ValueError` beyond `MOST_STOPS`.
    """
    if len(points) > MOST_STOPS:
        raise ValueError(f"a round has at most {MOST_STOPS} stops")
    if len(points) < 2:
        return list(range(len(points)))
    measure = METRICS[metric]
    # a closed tour over the stops and one more: the depot, or a stop that is next to all of them
    home = [measure(depot, p) if depot else 0.0 for p in points]
    table = [
        [0.0, *home],
        *([away, *(measure(a, b) for b in points)] for a, away in zip(points, home, strict=True)),
    ]
    tour = _exact(table) if len(points) <= EXACT else _improved(table)
    return [stop - 1 for stop in tour[1:]]


def _exact(table: Distances) -> list[int]:
    """Return the shortest closed tour from node 0, by subsets of the others."""
    nodes = range(len(table) - 1)
    best: dict[tuple[int, int], tuple[float, int]] = {(1 << n, n): (table[0][n + 1], -1) for n in nodes}
    for subset in range(1, 1 << len(nodes)):
        for last in nodes:
            here = best.get((subset, last))
            if here is None:
                continue
            for n in nodes:
                key = (subset | 1 << n, n)
                if subset >> n & 1:
                    continue
                reached = here[0] + table[last + 1][n + 1]
                if key not in best or reached < best[key][0]:
                    best[key] = (reached, last)
    subset = (1 << len(nodes)) - 1
    last = min(nodes, key=lambda n: best[subset, n][0] + table[n + 1][0])
    tour: list[int] = []
    while last >= 0:
        tour.append(last + 1)
        subset, last = subset & ~(1 << last), best[subset, last][1]
    return [0, *reversed(tour)]


def _improved(table: Distances) -> list[int]:
    chance = random.Random(len(table))  # noqa: S311 -- the same stops give the same round
    tour = _settled(_nearest(table), table)
    best = _length(tour, table)
    for _ in range(SHAKES):
        tried = _settled(_bridged(tour, chance), table)
        found = _length(tried, table)
        if found <= best:
            tour, best = tried, found
    first = tour.index(0)
    return tour[first:] + tour[:first]


def _length(tour: Sequence[int], table: Distances) -> float:
    return sum(table[a][b] for a, b in pairwise([*tour, tour[0]]))


def _nearest(table: Distances) -> list[int]:
    tour, left = [0], set(range(1, len(table)))
    while left:
        row = table[tour[-1]]
        following = min(left, key=lambda n: (row[n], n))
        tour.append(following)
        left.remove(following)
    return tour


def _bridged(tour: list[int], chance: random.Random) -> list[int]:
    """Return the tour with two of its parts exchanged, a move that 2-opt and Or-opt cannot make or undo."""
    a, b, c = sorted(chance.sample(range(1, len(tour)), 3))
    return tour[:a] + tour[b:c] + tour[a:b] + tour[c:]


def _settled(tour: list[int], table: Distances) -> list[int]:
    """Return the tour after every 2-opt and Or-opt move that shortens it."""
    moved = True
    while moved:
        moved = _two_opt(tour, table)
        moved = _or_opt(tour, table) or moved
    return tour


def _two_opt(tour: list[int], table: Distances) -> bool:
    """Turn parts of the tour around, in place, while that shortens it."""
    n, moved = len(tour), False
    for i in range(n - 1):
        a, b = tour[i], tour[i + 1]
        for j in range(i + 2, n if i else n - 1):
            c, d = tour[j], tour[(j + 1) % n]
            if table[a][c] + table[b][d] < table[a][b] + table[c][d] - 1e-9:
                tour[i + 1 : j + 1] = tour[i + 1 : j + 1][::-1]
                b, moved = tour[i + 1], True
    return moved


def _or_opt(tour: list[int], table: Distances) -> bool:
    """Move runs of one to three stops elsewhere, either way round, in place, while that shortens the tour."""
    n, moved = len(tour), False
    for size in (1, 2, 3):
        if n < size + 3:
            continue
        for start in range(n):
            turned = tour[start:] + tour[:start]
            run, rest = turned[:size], turned[size:]
            gain = table[rest[-1]][run[0]] + table[run[-1]][rest[0]] - table[rest[-1]][rest[0]]
            place, backwards, cost = _cheapest(run, rest, table)
            if cost < gain - 1e-9:
                tour[:] = [*rest[: place + 1], *(run[::-1] if backwards else run), *rest[place + 1 :]]
                moved = True
    return moved


def _cheapest(run: list[int], rest: list[int], table: Distances) -> tuple[int, bool, float]:
    """Return after which position of `rest` a run costs least, whether turned round, and that cost."""
    first, last = table[run[0]], table[run[-1]]
    best = (0, False, math.inf)
    for k, (a, b) in enumerate(pairwise(rest)):
        link = table[a][b]
        ahead, back = first[a] + last[b] - link, last[a] + first[b] - link
        if ahead < best[2]:
            best = (k, False, ahead)
        if back < best[2]:
            best = (k, True, back)
    return best
