"""Results: any JSON value comes back with the very digits that were received."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beffroi.model.result import Numeral, Result, decode_json, encode_exact, number_of, result_of

NUMBERS = st.from_regex(r"\A-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,2})?\Z").filter(
    lambda t: t != "-0"
)  # the integer 0
JSON = st.recursive(
    st.none() | st.booleans() | st.text(max_size=8) | st.integers(-(2**60), 2**60) | NUMBERS.map(lambda t: ("number", t)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def written(value: object) -> str:
    """Write a value of `JSON` as text, numbers with their own digits."""
    if isinstance(value, tuple):
        return str(value[1])
    if isinstance(value, list):
        return "[" + ",".join(written(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{written(v)}" for k, v in value.items()) + "}"
    return json.dumps(value)


@given(NUMBERS)
def test_number_keeps_its_digits_through_storage(text: str) -> None:
    result = result_of(decode_json(text))
    assert Result(result.value, result.decimals, result.literal).json() == text
    assert result.value == float(text)


def test_a_power_within_a_list_keeps_its_sign() -> None:
    assert result_of(decode_json('[1e+20,{"a":1e-07}]')).json() == '[1e+20,{"a":1e-07}]'


@given(JSON)
def test_any_value_keeps_every_digit(value: object) -> None:
    text = written(value)
    got = result_of(decode_json(text)).json()
    assert json.loads(got, parse_float=str, parse_int=str) == json.loads(text, parse_float=str, parse_int=str)


@given(NUMBERS)
def test_number_of_reads_what_json_reads(text: str) -> None:
    assert number_of(text).json() == text


@pytest.mark.parametrize("text", ["nan", "inf", "-Infinity", "abc", ""])
def test_not_a_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        number_of(text)


def test_spelling_that_json_refuses_keeps_the_value() -> None:
    assert number_of("+3").value == 3
    assert json.loads(number_of("07.5").json()) == 7.5
    assert math.isclose(number_of(".25").value or 0, 0.25)


def test_numeral_is_a_float_that_remembers() -> None:
    assert Numeral("2.00") == 2.0
    assert encode_exact({"a": [Numeral("2.00"), 1, True, None]}) == '{"a":[2.00,1,true,null]}'
    with pytest.raises(ValueError):
        result_of(float("nan"))
