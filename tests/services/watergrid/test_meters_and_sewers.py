"""Meters judged by what they count, sewers by their nights."""

import numpy as np
import pytest

from beffroi.services.watergrid.areas.checking import check_meter
from beffroi.services.watergrid.sewers import infiltration, overflow_hours


@pytest.mark.parametrize(
    ("flow", "nominal", "state"),
    [
        (10 + np.sin(np.arange(336)), 25.0, "ok"),
        (np.concatenate([10 + np.sin(np.arange(280)), np.zeros(56)]), 25.0, "stopped"),
        (np.where(np.arange(336) % 10 == 0, -2.0, 10 + np.sin(np.arange(336))), 25.0, "backward"),
        (0.3 + 0.1 * np.sin(np.arange(336)), 63.0, "oversized"),
        (0.3 + 0.1 * np.sin(np.arange(336)), 2.5, "ok"),
        (np.full(336, np.nan), 25.0, "ok"),
    ],
)
def test_meters(flow: np.ndarray, nominal: float, state: str) -> None:
    assert check_meter(flow, nominal).state == state


def test_a_stopped_meter_says_since_when() -> None:
    flow = np.concatenate([10 + np.sin(np.arange(280)), np.full(56, 10.0)])
    assert check_meter(flow, 25.0) == ("stopped", 56)


def test_infiltration_by_dry_and_wet_nights() -> None:
    flow = np.full((20, 24), 30.0)
    flow[:, 20:22] = 9.0
    rain = np.zeros(20)
    rain[[8, 14]] = 12.0
    flow[[8, 14], 20:22] = 21.0
    found = infiltration(flow, rain, 1000, 2.0)
    assert (found.dry_m3h, found.wet_m3h) == (pytest.approx(7.0), pytest.approx(12.0))
    assert found.wet_nights == 2
    assert infiltration(flow, np.full(20, np.nan), 1000, 2.0) == (None, None, 0, 0)


def test_overflow_hours() -> None:
    assert overflow_hours(np.array([0, 0.5, 1.0, np.nan, 0]), 1.0) == 1.5
    assert overflow_hours(np.array([np.nan]), 1.0) is None
