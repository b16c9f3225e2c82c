"""The weather over the town: one sky from which every series of weather, river, air and counts follows."""

import math
from functools import lru_cache

import msgspec

from beffroi.model.instant import DAY_US, HOUR_US
from beffroi.scene.chance import Chance
from beffroi.scene.civil import day_of_year, moment, sun_elevation

__all__ = ["Shower", "Weather"]

_BLOCK_US = 8 * HOUR_US
TIP_MM = 0.2


class Shower(msgspec.Struct, frozen=True):
    """One spell of rain: `total_mm` between two instants."""

    start_us: int
    end_us: int
    total_mm: float

    def fallen_mm(self, instant_us: int) -> float:
        """Return what had fallen by `instant_us` (a smooth rise from 0 to the total)."""
        if instant_us <= self.start_us:
            return 0.0
        if instant_us >= self.end_us:
            return self.total_mm
        x = (instant_us - self.start_us) / (self.end_us - self.start_us)
        return self.total_mm * x * x * (3.0 - 2.0 * x)


class Weather:
    """The sky of one seed. `storms` are spells that must happen (the ones that make the demonstration's floods)."""

    def __init__(self, seed: int, storms: tuple[Shower, ...] = ()) -> None:
        self._draw = Chance(seed, "weather")
        self._rain = Chance(seed, "rain")
        self.storms = storms
        self._dry = tuple((s.start_us - 4 * DAY_US, s.end_us + 2 * DAY_US) for s in storms)
        self._block = lru_cache(maxsize=20_000)(self._drawn)
        self._state = lru_cache(maxsize=4096)(self._computed)

    def showers(self, start_us: int, end_us: int) -> list[Shower]:
        """Return the spells that touch [start, end), the oldest first."""
        blocks = range(start_us // _BLOCK_US - 2, end_us // _BLOCK_US + 1)
        found = [s for s in map(self._block, blocks) if s is not None]
        return [s for s in (*found, *self.storms) if s.start_us < end_us and s.end_us > start_us]

    def _drawn(self, block: int) -> Shower | None:
        wet = 0.5 + 0.5 * self._rain.smooth(block * _BLOCK_US, 6 * DAY_US)
        season = 1.0 + 0.35 * math.cos(2 * math.pi * (day_of_year(block * _BLOCK_US) - 350) / 365.25)
        if self._rain.unit(block, 1) > 0.42 * wet * season:
            return None
        start = block * _BLOCK_US + int(self._rain.between(0, 5, block, 2) * HOUR_US)
        hours = self._rain.between(0.7, 6.5, block, 3)
        total = -3.4 * math.log(1.0 - 0.98 * self._rain.unit(block, 4)) * (0.5 + wet)
        # around a storm of the story, ordinary rain stays light: its flood is the storm's alone
        if any(low < start < high for low, high in self._dry):
            total = min(total, 2.4)
        return Shower(start, start + int(hours * HOUR_US), total)

    def rain_mm(self, start_us: int, end_us: int, share: float = 1.0) -> float:
        """Return the rain of an interval, in whole tips of 0.2 mm; `share` is the place's part of it."""
        tips = 0
        for shower in self.showers(start_us, end_us):
            after = shower.fallen_mm(end_us) * share
            before = shower.fallen_mm(start_us) * share
            tips += math.floor(after / TIP_MM + 1e-9) - math.floor(before / TIP_MM + 1e-9)
        return round(tips * TIP_MM, 1)

    def rain_rate(self, instant_us: int) -> float:
        """Return the rain's intensity in mm/h over the hour before."""
        before = instant_us - HOUR_US
        return sum(s.fallen_mm(instant_us) - s.fallen_mm(before) for s in self.showers(before, instant_us))

    def cloud(self, instant_us: int) -> float:
        """Return the cloud cover, 0 to 1."""
        return self._state(instant_us)[0]

    def temperature(self, instant_us: int) -> float:
        """Return the temperature at 2 m in °C."""
        return self._state(instant_us)[1]

    def wind(self, instant_us: int) -> float:
        """Return the mean wind of ten minutes in m/s."""
        return self._state(instant_us)[2]

    def _computed(self, instant_us: int) -> tuple[float, float, float]:
        draw = self._draw
        raining = 1.0 if self.rain_rate(instant_us) > 0.2 else 0.0
        cover = (
            0.52
            + 0.55 * draw.smooth(instant_us, 2 * DAY_US, 1)
            + 0.2 * draw.smooth(instant_us, 5 * HOUR_US, 2)
        )
        cover = min(1.0, max(0.0, cover + 0.5 * raining))
        turn = 2 * math.pi * (day_of_year(instant_us) - 206) / 365.25
        season = 11.9 + 8.1 * math.cos(turn)
        air_mass = 4.2 * draw.smooth(instant_us, 5 * DAY_US, 3) + 1.6 * draw.smooth(instant_us, DAY_US, 4)
        amplitude = (3.1 + 1.8 * math.cos(turn)) * (1.25 - 0.85 * cover)
        hour = moment(instant_us)[2]
        daily = amplitude * math.cos(2 * math.pi * (hour - 15.4) / 24)
        little = 0.35 * draw.smooth(instant_us, 40 * 60_000_000, 5)
        temperature = season + air_mass + daily - 1.1 * raining + little
        gusty = max(
            0.0, 0.6 + draw.smooth(instant_us, 2 * DAY_US, 6) + 0.4 * draw.smooth(instant_us, 6 * HOUR_US, 7)
        )
        wind = 0.4 + 3.1 * gusty + 0.5 * max(0.0, sun_elevation(instant_us)) + 1.3 * raining
        return cover, temperature, max(0.0, wind + 0.5 * draw.smooth(instant_us, 1_200_000_000, 8))

    def gust(self, instant_us: int) -> float:
        """Return the strongest gust of ten minutes in m/s."""
        return self.wind(instant_us) * (1.45 + 0.3 * self._draw.smooth(instant_us, 1_800_000_000, 9)) + 0.3

    def wind_direction(self, instant_us: int) -> float:
        """Return where the wind comes from in degrees (mostly south-west, at times north-east)."""
        turn = self._draw.smooth(instant_us, 3 * DAY_US, 10)
        base = 235.0 if turn > -0.45 else 45.0
        return (base + 50.0 * self._draw.smooth(instant_us, 9 * HOUR_US, 11)) % 360.0

    def humidity(self, instant_us: int) -> float:
        """Return the relative humidity in %."""
        cover, temperature, _ = self._state(instant_us)
        dryness = 1.6 * max(0.0, sun_elevation(instant_us)) * (1.0 - cover) + 0.012 * max(
            0.0, temperature - 8
        )
        wet = 8.0 if self.rain_rate(instant_us) > 0.2 else 0.0
        swing = 6.0 * self._draw.smooth(instant_us, 12 * HOUR_US, 12)
        return min(100.0, max(18.0, 86.0 - 38.0 * dryness + wet + swing))

    def pressure(self, instant_us: int) -> float:
        """Return the pressure at sea level in hPa."""
        slow = 11.0 * self._draw.smooth(instant_us, 4 * DAY_US, 13) + 2.0 * self._draw.smooth(
            instant_us, DAY_US, 14
        )
        return 1017.0 + slow - 5.0 * (self.cloud(instant_us) - 0.5)

    def sun(self, instant_us: int) -> float:
        """Return the global radiation in W/m²."""
        height = sun_elevation(instant_us)
        if height <= 0.0:
            return 0.0
        clear = 1080.0 * math.pow(height, 1.15)
        return clear * (1.0 - 0.76 * math.pow(self.cloud(instant_us), 2.2))
