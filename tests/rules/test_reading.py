"""A rule that cannot be read says where and how to mend it; what can be read means what it says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beffroi.model.problem import Problem
from beffroi.rules.expression import Expression
from beffroi.rules.reading import read_rule

HEAD = "name: Crue\nwatch: {datastream: 1}\n"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", ""), ("- 1", "line 1"), ("name: x", "line 1"),
        (HEAD + "when:\n  abvoe: 3", "line 4, when/abvoe"),
        (HEAD + "when: {above: haut}", "line 3, when/above"),
        (HEAD + "when: {above: 3, below: 1}", "line 3, when"),
        (HEAD + "when: {above: {jaune: 3, rouge: 1}}", "line 3, when/above"),
        (HEAD + "when: {above: 3, for: bientôt}", "line 3, when/for"),
        (HEAD + "when: {above: 3, for: 0 s}", "line 3, when/for"),
        (HEAD + "when: {above: 3, times: 4, of: 2}", "line 3, when/of"),
        (HEAD + "when: {rises: 3}", "line 3, when"),
        (HEAD + "when: {above: 3}\nseverity: mauve", "line 4, severity"),
        (HEAD + "when: {above: 3}\nduring: {hours: 25:00-26:00}", "line 4, during/hours"),
        (HEAD + "when: {above: 3}\nduring: {days: demain}", "line 4, during/days"),
        (HEAD + "when: {expression: niveau > 3}", "line 3, when/expression"),
        (HEAD + "when: {where: a == 1}", "line 3, when/where"),
        (HEAD + "when: {above: 3}\nactions: [{email: personne}]", "line 4, actions/0/email"),
        (HEAD + "when: {above: 3}\nactions: [{email: a@b.fr, on: [boire]}]", "line 4, actions/0/on"),
        (HEAD + "when: {above: 3}\nactions: [{webhook: 'ftp://x'}]", "line 4, actions/0/webhook"),
        (HEAD + "when: {above: 3}\nname: y", "line 4"),
        (HEAD + "when: &a {above: 3}", "line 3"),
        ("name: x\nwatch: {datastream: 1, kind: eau}\nwhen: {above: 3}", "line 2, watch"),
        ("name: x\nwatch: {datastream: -1}\nwhen: {above: 3}", "line 2, watch/datastream"),
        ("name: x\nwatch: {series: {a: 1, b: 2}}\nwhen: {above: 3}", "line 3, when"),
        (HEAD + "when: [", "line"),
    ],
)  # fmt: skip
def test_a_wrong_rule_names_line_and_field(text, place):
    with pytest.raises(Problem) as caught:
        read_rule(text)
    assert caught.value.place.startswith(place)
    assert caught.value.reason.fr
    assert caught.value.reason.en


@given(st.text(max_size=200))
def test_any_text_is_a_rule_or_a_problem(text):
    for candidate in (text, HEAD + "when: " + text, HEAD + "when: {expression: " + text + "}"):
        try:
            read_rule(candidate)
        except Problem:
            continue


@pytest.mark.parametrize(
    "text",
    ["value.__class__", "().__class__", "[x for x in value]", "open('x')", "lambda: 1", "value ** 9 << 9", "__import__('os')",
     "f'{value}'", "value[0]", "{1: 2}", "1 if", "a" * 600, "+".join(["value"] * 200), "max(value, key=abs)"],
)  # fmt: skip
def test_expressions_compute_and_do_nothing_else(text):
    with pytest.raises(Problem):
        Expression(text, {"value"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [("value > 2 and value < 9", True), ("abs(-value) == 3", True), ("9 ** 9 ** 9 ** 9", None), ("'x' * 9", None),
     ("value / 0", None), ("value in (1, 3)", True), ("max(value, 7)", 7), ("value > 'a'", None)],
)  # fmt: skip
def test_expressions_give_a_value_or_nothing(text, expected):
    assert Expression(text, {"value"})({"value": 3.0}) == expected


def test_words_of_days_and_durations():
    one = read_rule(HEAD + "when: {above: '2,5', for: 1 h}\nduring: {days: vendredi-lundi, hours: 22h-6h}")
    other = read_rule(
        HEAD + "when: {above: 2.5, for: PT60M}\nduring: {days: 'fri, sat, sun mon', hours: 22:00-06:00}"
    )
    assert one.when == other.when
