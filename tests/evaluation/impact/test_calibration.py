"""What verdicts are worth: few false alarms, the stated power, never a claim in cases built to fail.

A small version of `python -m bench.impact`, whose bars are those of the issue; here they are widened by four standard
errors of the smaller number of series.
"""

import pytest
from bench.impact import BARS, built_to_fail, effect, nulls, panels

from beffroi.evaluation.impact.finding import VERDICTS

SERIES = 50


def _reach(share: float) -> float:
    return 4 * (share * (1 - share) / SERIES) ** 0.5


@pytest.mark.parametrize("rho", list(BARS))
def test_series_without_an_effect(rho):
    found = nulls(rho, SERIES, seed=11)
    assert found["false_alarms"] <= BARS[rho] + _reach(BARS[rho])
    assert found["evaluable"] >= 0.8
    assert found["power"] == pytest.approx(0.8, abs=0.04 + _reach(0.8))
    assert found["mde_over_gls"] <= 1.3


@pytest.mark.parametrize("method", ["did", "sc", "sdid"])
def test_panels_without_an_effect(method):
    found = panels(method, 20, seed=3, controls=20)
    assert found["false_alarms"] <= 0.05 + 4 * (0.05 * 0.95 / 20) ** 0.5
    assert found["evaluable"] >= 0.8


@pytest.mark.parametrize("seed", [3, 11])
def test_built_to_fail(seed):
    for name, finding in built_to_fail(seed):
        assert finding.verdict in VERDICTS, name
        assert not effect(finding), name
        if finding.estimate is None:
            assert finding.reasons, name
            assert finding.interval95 is None, name
