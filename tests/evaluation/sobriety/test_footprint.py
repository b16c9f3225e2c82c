"""Scores and footprints against their own published scale and their own factors."""

import pytest

from beffroi.evaluation.sobriety.footprint import Interval, Usage, account_of, factors
from beffroi.evaluation.sobriety.pages import ecoindex, grade


def test_a_score_is_that_of_the_published_scale() -> None:
    # the reference's own examples: nothing at all, and the heaviest of its twentieths
    assert ecoindex(0, 0, 0) == pytest.approx(100)
    assert ecoindex(10**7, 10**5, 10**10) == pytest.approx(0)
    assert ecoindex(75, 15, 144_700) == pytest.approx(90)
    assert [grade(s) for s in (100, 80, 71, 56, 41, 26, 11, 10)] == ["A", "B", "B", "C", "D", "E", "F", "G"]


def test_consumption_is_an_interval_that_grows_with_use() -> None:
    small = account_of(Usage(30, 1000, Interval(20e3, 60e3, 250e3), 10**6, 10**6, 100, 3, 0.1))
    large = account_of(Usage(30, 2000, Interval(20e3, 60e3, 250e3), 10**6, 10**6, 100, 6, 0.1))
    assert small.energy.low < small.energy.middle < small.energy.high
    assert small.carbon.high > 3 * small.carbon.low
    assert large.energy.middle - small.energy.middle == pytest.approx(
        1000 * factors()["message_wh"].middle / 1000
    )
    assert large.embedded.middle - small.embedded.middle == pytest.approx(
        3 * factors()["sensor_embedded_kg_per_year"].middle * 30 / 365.25
    )
    assert small.carbon.per(0) is None
    assert small.carbon.per(4) == Interval(
        *(x / 4 for x in (small.carbon.low, small.carbon.middle, small.carbon.high))
    )
    assert all(f.low <= f.middle <= f.high and len(f.source.fr) > 10 for f in factors().values())
