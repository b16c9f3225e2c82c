"""What is suggested before a report is sent, and groups that do not chain."""

import math
import random
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beffroi.services.reports.duplicates.clusters import Link, clusters, diameter
from beffroi.services.reports.duplicates.likelihood import (
    CLUES,
    Likelihood,
    Sighting,
    clues,
    learn,
    photo_print,
    shipped,
)
from beffroi.services.reports.duplicates.nearby import Nearby, in_words
from beffroi.services.reports.words import stems

METRES = st.integers(-400, 400).map(float)
SIGHTINGS = st.lists(
    st.tuples(METRES, METRES, st.integers(0, 60), st.none() | st.integers(0, 90), st.sampled_from(["a", "b"]),
              st.sampled_from(["", "1 rue", "2 rue"]), st.sets(st.sampled_from(["trou", "rout", "banc"]))),
    max_size=40,
)  # fmt: skip


def sightings(rows) -> list[Sighting]:
    return [
        Sighting(i, x, y, float(at), None if c is None else float(c), k, a, frozenset(w))
        for i, (x, y, at, c, k, a, w) in enumerate(rows)
    ]


@given(SIGHTINGS, METRES, METRES, st.integers(0, 300))
def test_the_grid_finds_what_a_search_of_all_finds(rows, x, y, radius) -> None:
    every = sightings(rows)
    found = sorted((d, s.id) for d, s in Nearby(every).within(x, y, float(radius)))
    assert found == sorted(
        (math.hypot(x - s.x, y - s.y), s.id) for s in every if math.hypot(x - s.x, y - s.y) <= radius
    )


@given(SIGHTINGS, st.data())
def test_suggestions_are_those_of_a_search_of_all_after_moves_and_removals(rows, data) -> None:
    every = sightings(rows)
    index = Nearby(every)
    gone = data.draw(st.sets(st.sampled_from(range(len(every))))) if every else set()
    for id_ in gone:
        index.remove(id_)
        index.remove(id_)
    left = [s for s in every if s.id not in gone]
    for s in left[:3]:
        index.add(s)
    assert len(index) == len(left)
    new, law = Sighting(-1, 0.0, 0.0, 50.0, None, "a", "1 rue", frozenset({"trou"})), shipped()
    near = [s for s in left if math.hypot(s.x, s.y) <= 150 and s.at <= 50]
    opened = [s for s in near if math.hypot(s.x, s.y) <= 50 and (s.closed is None or s.closed >= 50)]
    wanted = sorted((-law.probability(new, s, len([o for o in opened if o.id != s.id])), s.id) for s in near)
    said = index.suggest(new, law, most=5, least=0.1)
    assert [(s.id, s.probability) for s in said] == [(i, -p) for p, i in wanted if -p >= 0.1][:5]


@given(st.floats(0, 300), st.floats(0, 300), st.sampled_from(["", "1 rue"]))
def test_nearer_is_never_less_likely(one, other, address) -> None:
    new = Sighting(2, 0, 0, 10.0, None, "a", address)
    near, far = sorted((one, other))
    law = shipped()
    assert law.probability(new, Sighting(1, near, 0, 9.0)) >= law.probability(new, Sighting(1, far, 0, 9.0))


def test_another_category_hides_nothing() -> None:
    old = Sighting(1, 0, 0, 10.0, None, "dechets", "1 rue des lilas")
    new = Sighting(2, 1, 0, 10.2, None, "proprete", "1 rue des lilas")
    (suggestion,) = Nearby([old]).suggest(new, shipped())
    assert suggestion.id == 1
    assert suggestion.probability > 0.5
    assert in_words(suggestion).fr.startswith(f"{round(suggestion.probability * 100)}\u00a0%\u00a0: ")
    assert "encore ouvert, même adresse, au même point" in in_words(suggestion).fr
    assert "; but 5 h apart" in in_words(suggestion).en


def test_reasons_add_up_to_the_log_odds_less_what_is_always_there() -> None:
    old = Sighting(1, 30, 0, 10.0, None, "banc", "", frozenset({"banc", "cass"}), 0b1111)
    new = Sighting(2, 0, 0, 14.0, None, "banc", "", frozenset({"banc"}), 0b1110)
    law = shipped()
    halfway = law.coefficients["nearness_10_m"] * math.exp(-2.5) + law.coefficients[
        "nearness_40_m"
    ] * math.exp(-25 / 40)
    told = sum(r.weight for r in law.reasons(new, old, 3)) + law.coefficients["always"] + halfway
    assert told == pytest.approx(law.log_odds(clues(new, old, 3)))
    weights = [abs(r.weight) for r in law.reasons(new, old, 3)]
    assert weights == sorted(weights, reverse=True)


def test_words_in_common_are_those_that_people_wrote() -> None:
    first, second = (
        "Des matelas abandonnés près de l'école, c'est dangereux",
        "Matelas ABANDONNÉ devant l’École : dangereux",
    )
    old = Sighting(1, 0, 0, 9.0, stems=frozenset(stems(first)), said=first)
    new = Sighting(2, 5, 0, 10.0, stems=frozenset(stems(second)), said=second)
    (reason,) = (r.text for r in shipped().reasons(new, old) if "mots" in r.text.fr)
    assert reason.fr == "mots communs : matelas, abandonné, école, dangereux"
    assert reason.en == "words in common: matelas, abandonné, école, dangereux"
    assert not {"matel", "abandon", "ecol"} & set(re.split(r"[ ,:]+", reason.fr))


def test_a_print_survives_scaling_and_noise_and_tells_scenes_apart() -> None:
    chance = np.random.default_rng(3)
    scene, other = (np.kron(chance.integers(0, 255, (8, 9)), np.ones((12, 12))) for _ in range(2))
    noisy = np.kron(scene, np.ones((2, 3))) + chance.normal(0, 4, (192, 324))
    assert (photo_print(scene) ^ photo_print(noisy)).bit_count() <= 4
    assert (photo_print(scene) ^ photo_print(other)).bit_count() > 10
    alike = clues(
        Sighting(2, 0, 0, 1, photo=photo_print(noisy)), Sighting(1, 0, 0, 0, photo=photo_print(scene))
    )
    assert alike[CLUES.index("same_photo")] == 1.0


def test_a_town_learns_its_own_law_and_starts_from_the_shipped_one() -> None:
    nothing = learn(np.zeros((0, len(CLUES))), np.zeros(0, dtype=bool), shipped())
    assert nothing == pytest.approx(shipped().coefficients)
    true = dict.fromkeys(CLUES, 0.0) | {"always": -3.0, "nearness_40_m": 4.0, "open": 2.0, "delay": -0.7}
    chance, law = random.Random(2), Likelihood(true)
    rows = [
        clues(
            Sighting(2, 0, 0, 30.0, None, chance.choice("ab")),
            Sighting(
                1, chance.expovariate(1 / 30), 0, chance.uniform(0, 30), chance.choice([None, 1.0]), "a"
            ),
        )
        for _ in range(30_000)
    ]
    same = np.array([chance.random() < 1 / (1 + math.exp(-law.log_odds(row))) for row in rows])
    learned = learn(np.array(rows), same, shipped(), strength=0.01)
    for name in ("nearness_40_m", "open", "delay", "same_category"):
        assert learned[name] == pytest.approx(true[name], abs=0.6 if name == "nearness_40_m" else 0.15)
    assert min(learned["nearness_10_m"], learned["same_category"], -learned["delay"]) >= 0


POINTS = st.lists(st.tuples(st.integers(0, 120), st.integers(0, 40)), min_size=1, max_size=12)


def naive(points, links, cap):
    """Say the same with sets and a full search of the diameter."""
    groups = [{i} for i in points]
    for k in sorted(links, key=lambda k: (-k.probability, min(k.one, k.other), max(k.one, k.other))):
        ours = next(g for g in groups if k.one in g)
        theirs = next(g for g in groups if k.other in g)
        if ours is not theirs and diameter(points[i] for i in ours | theirs) <= cap:
            groups = [g for g in groups if g is not ours and g is not theirs] + [ours | theirs]
    return sorted(tuple(sorted(g)) for g in groups if len(g) > 1)


@settings(max_examples=300)
@given(POINTS, st.data())
def test_groups_are_those_of_a_plain_search_whatever_the_order_and_never_wider_than_the_cap(
    where, data
) -> None:
    points = {i: (float(x), float(y)) for i, (x, y) in enumerate(where)}
    ids = st.sampled_from(range(len(where)))
    links = data.draw(st.lists(st.builds(Link, ids, ids, st.sampled_from([0.3, 0.6, 1.0])), max_size=20))
    cap = data.draw(st.sampled_from([0.0, 20.0, 60.0]))
    found = clusters(points, links, cap)
    assert found == naive(points, links, cap)
    assert found == clusters(points, data.draw(st.permutations(links)), cap)
    assert all(diameter(points[i] for i in group) <= cap for group in found)


def test_a_row_of_neighbours_does_not_chain_and_a_link_taken_away_is_undone() -> None:
    points = {i: (i * 20.0, 0.0) for i in range(100)}
    chain = [Link(i, i + 1) for i in range(99)]
    found = clusters(points, chain, 60.0)
    assert max(len(group) for group in found) <= 4
    one, other = Link(0, 1, 0.9), Link(1, 2, 0.8)
    assert clusters(points, [one, other]) == [(0, 1, 2)]
    assert clusters(points, [one]) == [(0, 1)]
    assert clusters(points, [Link(0, 1), Link(5, 500)]) == [(0, 1)]
