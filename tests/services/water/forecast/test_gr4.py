"""GR4J and GR4H: mass is kept, the equations are those written plainly, no rain to come is what it says."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beffroi.services.water.forecast.calibration import calibrate, nash_sutcliffe
from beffroi.services.water.forecast.gr4 import (
    DAILY,
    HOURLY,
    Parameters,
    TimeStep,
    coming,
    simulate,
    unit_hydrographs,
)


def plainly(
    rain: np.ndarray, evaporation: np.ndarray, x: tuple[float, ...], exponent: float, perc: float
) -> list[float]:
    """The equations of the paper, one after another, in the words of Perrin et al. (2003)."""
    x1, x2, x3, x4 = x

    def s1(t: float) -> float:
        return 0.0 if t <= 0 else min(t / x4, 1.0) ** exponent

    def s2(t: float) -> float:
        if t <= 0:
            return 0.0
        return 0.5 * (t / x4) ** exponent if t <= x4 else 1 - 0.5 * max(2 - t / x4, 0.0) ** exponent

    one = [s1(j) - s1(j - 1) for j in range(1, math.ceil(x4) + 1)]
    two = [s2(j) - s2(j - 1) for j in range(1, math.ceil(2 * x4) + 1)]
    s, r, pr_all, flows = 0.5 * x1, 0.5 * x3, [], []
    for p, e in zip(rain, evaporation, strict=True):
        pn, en, ps = max(p - e, 0), max(e - p, 0), 0.0
        if pn:
            ps = x1 * (1 - (s / x1) ** 2) * math.tanh(pn / x1) / (1 + s / x1 * math.tanh(pn / x1))
        es = s * (2 - s / x1) * math.tanh(en / x1) / (1 + (1 - s / x1) * math.tanh(en / x1)) if en else 0.0
        s = s - es + ps
        percolation = s * (1 - (1 + (s / x1 / perc) ** 4) ** -0.25)
        s -= percolation
        pr_all.append(percolation + pn - ps)
        back = pr_all[::-1]
        q9 = 0.9 * sum(o * b for o, b in zip(one, back, strict=False))
        q1 = 0.1 * sum(o * b for o, b in zip(two, back, strict=False))
        f = x2 * (r / x3) ** 3.5
        r = max(0.0, r + q9 + f)
        qr = r * (1 - (1 + (r / x3) ** 4) ** -0.25)
        r -= qr
        flows.append(qr + max(0.0, q1 + f))
    return flows


@pytest.mark.parametrize(("step", "exponent", "perc"), [(DAILY, 2.5, 9 / 4), (HOURLY, 1.25, 21 / 4)])
@settings(max_examples=15)
@given(
    x=st.tuples(st.floats(50, 900), st.floats(-3, 2), st.floats(20, 300), st.floats(0.7, 12)),
    seed=st.integers(0, 99),
)
def test_the_equations(
    step: TimeStep, exponent: float, perc: float, x: tuple[float, float, float, float], seed: int
) -> None:
    chance = np.random.default_rng(seed)
    rain = chance.gamma(0.3, 8, 60) * (chance.random(60) < 0.5)
    evaporation = chance.uniform(0, 4, 60)
    flow = simulate(rain, evaporation, Parameters.of(*x), step).flow[:, 0]
    assert flow == pytest.approx(plainly(rain, evaporation, x, exponent, perc), rel=1e-9, abs=1e-12)


@given(st.floats(0.6, 40))
def test_unit_hydrographs_bring_everything_and_no_more(x4: float) -> None:
    for ordinates in unit_hydrographs(x4, 1.25):
        assert ordinates.sum() == pytest.approx(1)
        assert (ordinates >= -1e-15).all()


def test_water_is_neither_made_nor_lost_without_exchange() -> None:
    rain = np.random.default_rng(2).gamma(0.4, 5, 300)
    x = Parameters.of(300, 0, 80, 4)
    dry = np.zeros(200)
    run = simulate(np.concatenate([rain, dry]), np.zeros(500), x)
    held = run.production[-1, 0] + run.routing[-1, 0] - 0.5 * 300 - 0.5 * 80
    assert run.flow.sum() + held == pytest.approx(rain.sum(), rel=1e-3)


def test_what_comes_without_rain_is_the_simulation_without_rain() -> None:
    rain = np.random.default_rng(7).gamma(0.4, 5, 80)
    x = Parameters.of(300, -0.5, 80, 5.3)
    run = simulate(rain, np.zeros(80), x)
    said = coming(run, run.routing[:, 0], x, 6)
    # the store's own percolation goes on; it is small against what is on its way
    later = simulate(np.concatenate([rain[:50], np.zeros(6)]), np.zeros(56), x).flow[50:, 0]
    assert said[:, 49] == pytest.approx(later, rel=0.05)


def test_calibration_finds_a_river_made_by_the_model() -> None:
    rain = np.random.default_rng(3).gamma(0.1, 12, 3000)
    evaporation = np.full(3000, 0.1)
    truth = simulate(rain, evaporation, Parameters.of(350, -0.4, 90, 6)).flow[:, 0]
    found = calibrate([(rain, evaporation, truth)], 500)
    said = simulate(rain, evaporation, found).flow
    assert nash_sutcliffe(said[500:], truth[500:])[0] > 0.97
