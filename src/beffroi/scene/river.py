"""The Sarelle: level at two gauges, from the rain of the days before."""

import math

from beffroi.model.instant import DAY_US, HOUR_US
from beffroi.scene.chance import Chance
from beffroi.scene.weather import Weather

__all__ = ["River"]

_MEMORY_US = 6 * DAY_US


class River:
    """A catchment of about 120 km² as a quick and a slow reservoir.

    Each spell of rain gives a flow `peak · (t/lag)² · exp(2 − 2t/lag)` that starts with the rain: the
    unit hydrograph of two equal reservoirs in a row (Nash, 1957), delayed downstream.
    """

    def __init__(self, seed: int, weather: Weather) -> None:
        self._weather = weather
        self._draw = Chance(seed, "river")

    def flow_m3_s(self, instant_us: int, lag_h: float) -> float:
        """Return the flow at a gauge whose response to rain peaks `lag_h` hours after it."""
        season = 1.0 + 0.55 * math.cos(2 * math.pi * (instant_us / DAY_US - 20) / 365.25)
        total = 0.85 * season
        for shower in self._weather.showers(instant_us - _MEMORY_US, instant_us):
            middle = (shower.start_us + shower.end_us) // 2
            hours = (instant_us - middle) / HOUR_US + 0.35 * (shower.end_us - shower.start_us) / HOUR_US
            if hours > 0.0:
                x = hours / lag_h
                # dry ground drinks the first millimetres, wet ground sends most of a storm to the river
                runoff = shower.total_mm * shower.total_mm / (shower.total_mm + 34.0)
                total += runoff * (0.62 * x * x * math.exp(2.0 - 2.0 * x) + 0.05 * math.exp(-x / 7.0))
        return total

    def level_m(self, instant_us: int, lag_h: float, zero_m: float) -> float:
        """Return the level above the gauge's zero: rating curve `h = zero + 0.29·Q^0.62`, ripples included."""
        flow = self.flow_m3_s(instant_us, lag_h)
        ripple = 0.006 * self._draw.smooth(instant_us, 900_000_000, round(lag_h))
        return zero_m + 0.29 * math.pow(flow, 0.62) + ripple
