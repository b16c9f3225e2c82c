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
    assert check_meter(flow, 25.0) == ("stopped", 56, pytest.approx(56 / 336), pytest.approx(11.0, abs=0.01))


def test_a_meter_that_stopped_stays_so_until_it_moves() -> None:
    """After a fortnight at nought, nothing of what is seen tells a meter that stopped from one that nobody uses."""
    still, silent = np.zeros(336), np.full(336, np.nan)
    assert [check_meter(f, 25.0, stopped_before=True).state for f in (still, silent)] == [
        "stopped",
        "stopped",
    ]
    assert check_meter(still, 25.0).state == "ok"
    assert check_meter(np.append(still, 3.0), 2.5, stopped_before=True).state == "ok"


def test_infiltration_by_dry_and_wet_nights() -> None:
    flow = np.full((20, 24), 30.0)
    flow[:, 20:22] = 9.0
    rain = np.zeros(20)
    rain[[8, 14]] = 12.0
    flow[[8, 14], 20:22] = 21.0
    found = infiltration(flow, rain, 1000, 2.0)
    assert (found.dry_m3h, found.wet_m3h) == (pytest.approx(7.0), pytest.approx(12.0))
    assert (found.night_m3h, found.legitimate_m3h, found.wet_nights) == (9.0, 2.0, 2)
    assert infiltration(flow, np.full(20, np.nan), 1000, 2.0) == (None, None, 0, 0, None, 2.0)


def test_overflow_hours() -> None:
    assert overflow_hours(np.array([0, 0.5, 1.0, np.nan, 0]), 1.0) == 1.5
    assert overflow_hours(np.array([np.nan]), 1.0) is None
