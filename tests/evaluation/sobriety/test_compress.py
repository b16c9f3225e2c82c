"""The bound holds for every value, whatever the series; and the real series shrinks as it must."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from beffroi.cli import application
from beffroi.evaluation.sobriety.compress import compress, restore, tolerance_of
from beffroi.model.problem import Problem

floats = st.floats(-1e12, 1e12, allow_nan=False, allow_infinity=False)
bounds = st.one_of(st.just(0.0), st.floats(0, 1e6), st.floats(0, 1e-6))


@given(values=st.lists(floats, max_size=80), bound=bounds)
@settings(max_examples=150)
def test_no_value_is_ever_further_than_the_bound(values: list[float], bound: float) -> None:
    found = compress(values, bound)
    back = restore(found)
    error = np.abs(back - np.array(values))
    assert len(back) == len(values)
    assert (error <= bound).all()
    assert found.max_error == (error.max() if len(values) > 2 else 0.0)
    assert list(found.knots) == sorted(set(found.knots))


@given(
    st.lists(st.tuples(st.integers(1, 10**9), st.floats(-1e3, 1e3)), min_size=3, max_size=60),
    st.floats(0, 200),
)
@settings(max_examples=80)
def test_nor_on_instants_that_come_as_they_like(steps: list[tuple[int, float]], bound: float) -> None:
    at = np.cumsum([s for s, _ in steps]).astype(float)
    values = np.array([v for _, v in steps])
    found = compress(values, bound, at)
    assert (np.abs(restore(found, at) - values) <= bound).all()


def test_a_straight_line_is_two_points_and_noise_within_the_bound_too() -> None:
    line = np.arange(10_000) * 0.5 + 3
    assert len(compress(line, 0.01).knots) == 2
    assert len(compress(line + np.sin(np.arange(10_000)), 1.01).knots) == 2
    assert len(compress(np.zeros(10_000), 0.0).knots) == 2
    corner = np.concatenate([np.arange(50.0), np.arange(50.0, 0, -1)])
    assert len(compress(corner, 1e-6).knots) == 3


def test_fewer_knots_than_a_swinging_door_keeps() -> None:
    chance = np.random.default_rng(2)
    values = np.cumsum(chance.normal(0, 1, 3_000))
    for bound in (0.5, 2.0, 8.0):
        assert len(compress(values, bound).knots) < _door(values, bound)


def _door(values: np.ndarray, bound: float) -> int:
    """Return how many points the swinging door (Bristol, 1990) keeps, its line tried against every value between."""
    kept, place = 1, 0
    high, low = np.inf, -np.inf
    n = 1
    while n < len(values):
        slope = (values[n] - values[place]) / (n - place)
        if low <= slope <= high:
            high = min(high, (values[n] + bound - values[place]) / (n - place))
            low = max(low, (values[n] - bound - values[place]) / (n - place))
            n += 1
        else:
            kept, place, high, low = kept + 1, n - 1, np.inf, -np.inf
    return kept + 1


def test_the_electricity_demand_of_england_and_wales_shrinks_more_than_3_3_times(shared: Path) -> None:
    file = shared / "data/value/series/taylor.csv"
    words = ["sobriety", "compress", str(file), "--column", "x", "--tolerance", "2%", "--json"]
    answer = json.loads(CliRunner().invoke(application("sobriety"), words, catch_exceptions=False).stdout)
    with file.open() as lines:
        values = np.array([float(row["x"]) for row in csv.DictReader(lines)])
    assert answer["ratio"] >= 3.3
    assert answer["ratio"] == len(values) / answer["kept"]
    assert answer["max_error"] <= 0.02 * np.ptp(values) == answer["tolerance"]


@pytest.mark.parametrize(
    ("text", "bound"), [("2%", 0.2), ("0.5", 0.5), ("0,5", 0.5), ("10 %", 1.0), ("0", 0.0)]
)
def test_a_tolerance_is_a_share_or_a_value(text: str, bound: float) -> None:
    assert tolerance_of(text, np.array([5.0, 15.0])) == pytest.approx(bound)


@pytest.mark.parametrize(
    ("words", "place"), [(["--column", "y", "--tolerance", "1"], "--column y"), (["--column", "x", "--tolerance", "peu"], "--tolerance"), (["--column", "x", "--tolerance=-1"], "--tolerance")]
)  # fmt: skip
def test_what_cannot_be_done_is_refused_with_its_place(tmp_path: Path, words: list[str], place: str) -> None:
    assert _refusal(tmp_path, "x\n1\n2\n3\n", words).place == place


def test_text_in_a_column_of_numbers_is_refused_at_its_line(tmp_path: Path) -> None:
    found = _refusal(tmp_path, "x\n1\n\n2,5\ndouze\n", ["--column", "x", "--tolerance", "1"])
    assert found.place == "line 5, x"
    assert "douze" in found.reason.fr


def _refusal(folder: Path, text: str, words: list[str]) -> Problem:
    (folder / "x.csv").write_text(text)
    done = CliRunner().invoke(
        application("sobriety"), ["sobriety", "compress", str(folder / "x.csv"), *words]
    )
    assert isinstance(done.exception, Problem)
    return done.exception
