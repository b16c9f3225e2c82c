"""Routing: first match wins; dead rules are found exactly, against a search of every case."""

import itertools
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import box

from beffroi.model.problem import Problem
from beffroi.services.reports.arrival.conditions import Answer, Window, read_answers, read_window
from beffroi.services.reports.arrival.routing import Case, Rule, dead_rules, first_match

TREE = {"voirie": None, "voirie.nid": "voirie", "voirie.marquage": "voirie", "proprete": None, "arbre": None}
MONDAY = datetime(2026, 11, 23, 10, 30)


def case(category: str = "voirie.nid", moment: datetime = MONDAY, **more: Any) -> Case:
    lineage = (category, category.partition(".")[0]) if "." in category else (category,)
    return Case(lineage, moment, **more)


def test_the_first_match_wins() -> None:
    rules = [
        Rule(1, frozenset({"voirie"}), box(0, 0, 1, 1)),
        Rule(2, frozenset({"voirie"}), window=read_window("sa, di, férié")),
        Rule(3, answers=read_answers("type = Verre, plastique ; volume >= 2")),
        Rule(4),
    ]
    asked = [
        case(place=(0.5, 0.5)), case(place=(2, 2)), case(moment=datetime(2026, 11, 28, 9)), case(holiday=True),
        case("proprete", answers={"type": "verre", "volume": 2}), case("proprete", answers={"type": "verre", "volume": "1,9"}),
        case("proprete", answers={"type": ["papier", "PLASTIQUE"], "volume": 5}),
    ]  # fmt: skip
    assert [rule.id for c in asked if (rule := first_match(rules, c))] == [1, 4, 2, 2, 3, 4, 3]
    assert first_match(rules[:3], case("arbre")) is None


def test_dead_rules_and_what_hides_them() -> None:
    rules = [
        Rule(1, frozenset({"voirie"})),
        Rule(2, frozenset({"voirie.nid"})),  # hidden by 1 alone
        Rule(3, area=box(0, 0, 1, 2)),
        Rule(4, area=box(1, 0, 2, 2)),
        Rule(5, area=box(0.5, 0.5, 1.5, 1.5)),  # hidden by 3 and 4 together, by neither alone
        Rule(6, frozenset({"proprete"}), window=read_window("lu-ve")),
        Rule(7, frozenset({"proprete"}), window=read_window("sa, di")),
        Rule(8, frozenset({"proprete"})),  # legal holidays are left
        Rule(9, frozenset({"nowhere"})),  # a category that does not exist
        Rule(10),
        Rule(11, answers=read_answers("volume >= 2")),  # after a rule for everything
    ]
    assert dead_rules(rules, TREE) == {2: (1,), 5: (3, 4), 9: (), 11: (10,)}


def test_numbers_hours_and_seasons_that_wrap_add_up() -> None:
    rules = [
        Rule(1, answers=read_answers("volume <= 2")),
        Rule(2, answers=read_answers("volume >= 2")),
        Rule(3, answers=read_answers("volume >= 1 ; volume <= 3")),
        Rule(4, window=read_window(hours="22h-6h")),
        Rule(5, window=read_window(hours="06:00-22:00", season="01/04-30/09")),
        Rule(6, window=read_window(season="01/10-31/03")),
        Rule(7),
    ]
    assert dead_rules(rules, TREE) == {3: (1, 2), 7: (4, 5, 6)}


# every case of a small world, asked one by one
CATEGORIES = ["a", "a.x", "b"]
PARENTS = {"a": None, "a.x": "a", "b": None}
PLACES: list[tuple[float, float] | None] = [(x + 0.5, y + 0.5) for x in range(3) for y in range(2)] + [
    None,
    (9.0, 9.0),
]
ANSWERS: list[dict[str, Any]] = [{}, {"q": "u"}, {"q": "v"}, {"q": "other"}, {"n": 0}, {"n": 1}, {"n": 1.5}, {"n": 2},
                                 {"n": 3}, {"q": "u", "n": 1.5}, {"q": ["u", "v"], "n": 0}, {"q": "v", "n": 3}]  # fmt: skip
MOMENTS = [datetime(2026, month, day, hour) for month, day in ((1, 5), (7, 4)) for hour in (3, 12, 23)]
WORLD = [
    Case((c, "a") if c == "a.x" else (c,), moment, place, answers, holiday)
    for c, place, answers, moment, holiday in itertools.product(CATEGORIES, PLACES, ANSWERS, MOMENTS, [False, True])
]  # fmt: skip

boxes = st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(1, 3), st.integers(1, 2)).map(
    lambda b: box(b[0], b[1], min(3, b[0] + b[2]), min(2, b[1] + b[3]))
)
conditions = st.sampled_from(
    [(), (Answer("q", frozenset("u")),), (Answer("q", frozenset("uv")),), (Answer("n", least=1, most=2),),
     (Answer("n", most=1.5),), (Answer("n", least=1.5),), (Answer("q", frozenset("v")), Answer("n", least=2))]
)  # fmt: skip
windows = st.builds(
    Window,
    st.sampled_from([frozenset(range(8)), frozenset(range(7)), frozenset({5, 7}), frozenset({0, 7})]),
    st.sampled_from([(0, 1440), (1320, 360), (360, 1320), (600, 840)]),
    st.sampled_from([(101, 1231), (401, 930), (1001, 331)]),
)
lines = st.tuples(
    st.frozensets(st.sampled_from(CATEGORIES), max_size=2), st.none() | boxes, conditions, windows
)


@settings(max_examples=60, deadline=None)
@given(st.lists(lines, min_size=1, max_size=7))
def test_dead_rules_by_asking_every_case(drawn: list[Any]) -> None:
    rules = [Rule(n, *line) for n, line in enumerate(drawn)]
    dead = dead_rules(rules, PARENTS)
    reached = {rule.id for c in WORLD if (rule := first_match(rules, c))}
    assert reached.isdisjoint(dead)
    for number, hiders in dead.items():
        assert all(h < number for h in hiders)
        shown = [rules[h] for h in hiders]
        matched = [c for c in WORLD if rules[number].matches(c)]
        assert all(first_match(shown, c) for c in matched)
        for h in hiders:  # as few as possible: none of them can be left out
            fewer = [rules[k] for k in hiders if k != h]
            assert number not in dead_rules([*fewer, rules[number]], PARENTS)


SMALL = st.tuples(st.frozensets(st.sampled_from(CATEGORIES), max_size=2), st.none() | boxes)


@settings(max_examples=200, deadline=None)
@given(st.lists(SMALL, min_size=1, max_size=8))
def test_every_dead_rule_is_found(drawn: list[Any]) -> None:
    """On categories and places alone the small world holds every case, so that not reached means dead."""
    rules = [Rule(n, *line) for n, line in enumerate(drawn)]
    world = [Case((c, "a") if c == "a.x" else (c,), MONDAY, p) for c in CATEGORIES for p in PLACES]
    reached = {rule.id for c in world if (rule := first_match(rules, c))}
    assert set(dead_rules(rules, PARENTS)) == {rule.id for rule in rules} - reached


@pytest.mark.parametrize(
    ("days", "hours", "season", "place"),
    [("lu-xx", "", "", "days"), ("", "25h-26h", "", "hours"), ("", "8h-8h", "", "hours"), ("", "8:75-9h", "", "hours"),
     ("", "", "31/02-01/03", "season"), ("", "", "hiver", "season")],
)  # fmt: skip
def test_windows_that_are_not_understood(days: str, hours: str, season: str, place: str) -> None:
    with pytest.raises(Problem) as refused:
        read_window(days, hours, season)
    assert refused.value.place == place


def test_windows_are_read() -> None:
    assert read_window("ve-lu, férié").days == frozenset({4, 5, 6, 0, 7})
    assert read_window("mo-fr").days == frozenset(range(5))
    assert read_window(hours="22h-6h").minutes == (1320, 360)
    assert read_window(hours="08:30-17h15").minutes == (510, 1035)
    assert read_window(season="15/10-31/03").season == (1015, 331)


@pytest.mark.parametrize(
    "text", ["type", "type = ", "volume >= beaucoup", "t = a ; t = b", "n >= 3 ; n <= 2"]
)
def test_answers_that_are_not_understood(text: str) -> None:
    with pytest.raises(Problem) as refused:
        read_answers(text)
    assert refused.value.place == "answers"
