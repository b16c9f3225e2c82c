"""Rounds: the best order for few stops, and one near the best known for many."""

import itertools
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beffroi.services.reports.desk.rounds import EXACT, MOST_STOPS, length_m, order

# Lengths of closed tours through 51 random points, in metres (straight, grid): the lesser of our solver's and of
# OR-Tools' after 3 s of guided local search, each for the seed that is its position.
BEST_KNOWN = [
    (15978.5, 20422.0), (19022.4, 23258.4), (17392.1, 21408.3), (16711.2, 20576.1), (17858.9, 21967.5),
    (18124.4, 22661.9), (17944.4, 22559.4), (15595.8, 19188.6), (16706.9, 21126.1), (16740.9, 21211.2),
    (18073.5, 23155.4), (17542.8, 22184.0),
]  # fmt: skip

points = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda p: (float(p[0]), float(p[1]))), max_size=6
)


@settings(deadline=None)
@given(points, st.sampled_from(["straight", "grid"]), st.none() | st.just((3.0, 7.0)))
def test_few_stops_have_the_best_order(stops, metric, depot) -> None:
    found = order(stops, metric, depot)
    assert sorted(found) == list(range(len(stops)))
    best = min(
        length_m([stops[i] for i in p], metric, depot) for p in itertools.permutations(range(len(stops)))
    )
    assert length_m([stops[i] for i in found], metric, depot) == pytest.approx(best, abs=1e-9)


def test_nine_stops_are_exact() -> None:
    chance = random.Random(4)
    stops = [(chance.uniform(0, 900), chance.uniform(0, 900)) for _ in range(EXACT)]
    best = min(length_m(p) for p in itertools.permutations(stops))
    assert length_m([stops[i] for i in order(stops)]) == pytest.approx(best)


@pytest.mark.parametrize("seed", range(len(BEST_KNOWN)))
@pytest.mark.parametrize("metric", ["straight", "grid"])
def test_fifty_stops_are_within_five_percent_of_the_best_known(seed: int, metric) -> None:
    chance = random.Random(seed)
    depot, *stops = [(chance.uniform(0, 3000), chance.uniform(0, 3000)) for _ in range(51)]
    found = order(stops, metric, depot)
    assert sorted(found) == list(range(50))
    assert length_m([stops[i] for i in found], metric, depot) <= 1.05 * BEST_KNOWN[seed][metric == "grid"]


def test_a_street_is_walked_from_one_end() -> None:
    stops = [(x * 10.0, 0.0) for x in (5, 2, 9, 0, 7, 1, 8, 3, 6, 4, 11, 10)]
    assert length_m([stops[i] for i in order(stops)]) == 110.0
    ring = [
        (math.cos(a), math.sin(a))
        for a in (k * math.tau / 30 for k in random.Random(1).sample(range(30), 30))
    ]
    assert length_m([ring[i] for i in order(ring)]) == pytest.approx(29 * 2 * math.sin(math.pi / 30))


def test_edges() -> None:
    assert order([]) == []
    assert order([(1.0, 1.0)]) == [0]
    assert sorted(order([(2.0, 2.0)] * 30)) == list(range(30))
    with pytest.raises(ValueError, match="200"):
        order([(0.0, 0.0)] * (MOST_STOPS + 1))
