"""The level out of the picture, against scenes whose level is known."""

import numpy as np
import pytest

from beffroi.services.water.camera.level import LevelReading, fused, read_levels
from beffroi.services.water.camera.scene import Weather, frames, river_of, site_of


@pytest.mark.parametrize(
    ("weather", "within_m"),
    [(Weather(), 0.01), (Weather(light=0.3, noise=6), 0.03), (Weather(light=0.01, noise=6), None)],
)
def test_the_staff_and_bank_by_day_by_night_and_in_the_dark(weather: Weather, within_m: float | None):
    site = site_of(river_of(3, close=True))
    off = []
    for level in (0.55, 0.81):
        said = fused(read_levels(site, frames(river_of(3, level=level, close=True), 4, 0.3, weather)))
        if said.level_m is not None:
            off.append(abs(said.level_m - level))
            assert off[-1] < 0.1 or said.doubts
        else:
            assert "level_unseen" in said.doubts
    if within_m is not None:
        assert len(off) == 2
        assert float(np.sqrt(np.mean(np.square(off)))) <= within_m


def test_sources_are_weighed_and_contradictions_told():
    a, b = LevelReading("staff", 1.00, 0.01), LevelReading("series", 1.02, 0.02)
    both = fused([a, b])
    assert (round(both.level_m, 4), round(both.sigma_m, 5), both.doubts) == (1.004, 0.00894, ())
    torn = fused([a, LevelReading("series", 1.40, 0.02)])
    assert (torn.level_m, torn.sigma_m, torn.doubts) == (1.00, pytest.approx(0.2), ("level_conflict",))
    assert fused([LevelReading("staff", None, np.inf, ("level_unseen",))]).doubts == ("level_unseen",)
