"""What is refused, where, and with which mend."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from beffroi.evaluation.case.formula import parse_formula
from beffroi.evaluation.case.reading import read_case, read_file
from beffroi.model.problem import Problem

Change = Callable[[dict[str, Any]], object]


def refused(document: dict[str, Any]) -> Problem:
    with pytest.raises(Problem) as caught:
        read_case(document)
    problem = caught.value
    assert problem.reason.fr != problem.reason.en
    return problem


CASES: dict[str, tuple[Change, str, str]] = {
    "missing year": (lambda d: d["lines"][7]["amount"].pop("2028"), "/lines/7/amount/2028", "2028"),
    "year outside": (lambda d: d["lines"][7]["amount"].update({"2050": 1}), "/lines/7/amount/2050", "2050"),
    "short list": (lambda d: d["lines"][2]["amount"].pop(), "/lines/2/amount", "2 montants pour 3 années"),
    "mixed prices of a parameter": (lambda d: d["prices"].pop("deflators"), "/lines/5/amount", "prix de 2010"),
    "mixed prices of a line": (lambda d: d["prices"]["deflators"].pop("2018"), "/lines/8/prices", "prix de 2018"),
    "mixed prices of carbon": (lambda d: d["prices"].update(year=2018, deflators={"2010": 1.1}), "/lines/4/amount", "carbon"),
    "text in a number": (lambda d: d["hypotheses"]["kwh"].update(value="cher"), "/hypotheses/kwh/value", "« cher »"),
    "text in an amount": (lambda d: d["lines"][6].update(amount="beaucoup"), "/lines/6/amount", "beaucoup"),
    "no number": (lambda d: d["hypotheses"]["kwh"].update(value=float("nan")), "/hypotheses/kwh/value", "nan"),
    "disorder": (lambda d: d["hypotheses"]["kwh"].update(value=9), "/hypotheses/kwh/value", "9"),
    "half a range": (lambda d: d["hypotheses"]["kwh"].pop("high"), "/hypotheses/kwh/high", "bas et le haut"),
    "unknown actor": (lambda d: d["lines"][0].update(by="maire"), "/lines/0/by", "maire"),
    "unknown kind": (lambda d: d["lines"][0].update(kind="cost"), "/lines/0/kind", "cost"),
    "misspelt member": (lambda d: d["lines"][0].update(amout=3), "/lines/0/amout", "amout"),
    "misspelt top": (lambda d: d.update(hypothese={}), "/hypothese", "hypothese"),
    "no line": (lambda d: d.update(lines=[]), "/lines", "au moins une ligne"),
    "no start": (lambda d: d.pop("start"), "/start", "start"),
    "division by nothing": (lambda d: d["lines"][6].update(amount="lamps / (kwh - 0.18)"), "/lines/6/amount", "2026"),
    "another currency": (lambda d: d["prices"].update(currency="GBP"), "/prices/currency", "GBP"),
    "unknown set": (lambda d: d.update(parameters="fr-1999"), "/parameters", "fr-1999"),
    "reserved name": (lambda d: d["hypotheses"].update(carbon={"value": 1}), "/hypotheses/carbon/name", "carbon"),
    "transfer to oneself": (lambda d: d["lines"][7].update(to="etat"), "/lines/7/to", "un acteur à un autre"),
    "years outside": (lambda d: d["lines"][1].update(years=[2020, 2030]), "/lines/1/years", "2020"),
    "two bindings": (lambda d: d["hypotheses"]["saved"]["bound"].update(datastream=3), "/hypotheses/saved/bound/indicator", "un seul des trois"),
    "a share above one": (lambda d: d["contracts"][4].update(shared=7), "/contracts/4/shared", "7"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_refusal_names_its_place(document: dict[str, Any], name: str) -> None:
    change, place, words = CASES[name]
    read_case(document)
    change(document)
    problem = refused(document)
    assert problem.place == place
    assert words in problem.reason.fr


def test_a_file_is_refused_at_its_line(document: dict[str, Any]) -> None:
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    assert read_file(text) is not None
    assert read_file(json.dumps(document)).years == 12
    broken = text.replace("value: 0.18", "value: trop")
    line = next(n for n, words in enumerate(broken.splitlines(), 1) if "value: trop" in words)
    with pytest.raises(Problem) as caught:
        read_file(broken)
    assert caught.value.place == f"/hypotheses/kwh/value, line {line}"
    with pytest.raises(Problem) as caught:
        read_file("title: [")
    assert caught.value.place.startswith("line ")
    with pytest.raises(Problem) as caught:
        read_file('{"title": }')
    assert caught.value.place == "line 1"
    with pytest.raises(Problem):
        read_file("une phrase")


@pytest.mark.parametrize(
    "text", ["__import__('os')", "lamps.__class__", "[1]", "lamps if 1 else 2", "f(3)", "min(1)", "'a' * 3", "a := 3", "(" * 200, "1 < 2", "lambda: 1", "", "True", "9" * 600]
)  # fmt: skip
def test_a_formula_is_arithmetic_and_nothing_else(text: str) -> None:
    with pytest.raises(Problem) as caught:
        parse_formula(text, "/lines/0/amount")
    assert caught.value.place == "/lines/0/amount"


def test_numbers_are_read_as_people_write_them() -> None:
    for text, value in (
        ("12 500", 12_500),
        ("12 500,5", 12_500.5),
        ("1,5 * 2", 3),
        ("2 × 3 − 1", 5),
        ("-2 ** 2", -4),
        ("max(2, 3.5)", 3.5),
        ("2^3", 8),
    ):
        assert parse_formula(text, "").value({}) == value
