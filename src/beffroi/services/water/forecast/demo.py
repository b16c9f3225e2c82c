"""The gaugings of the Sarelle in the demonstration town, its rating curves, its forecasts and what they were worth.

A gauging is the true discharge with an error of 4 %, and the true level with one of 5 mm: what a team with a profiler brings back.
"""

from collections.abc import Callable, Iterator

import numpy as np

from beffroi.model.instant import DAY_US, HOUR_US, SECOND_US
from beffroi.model.principal import SYSTEM
from beffroi.scene import Scene
from beffroi.scene.chance import Chance
from beffroi.services.water.forecast.duties import attend
from beffroi.services.water.forecast.hours import evaporation_of
from beffroi.services.water.forecast.issuing import Forecasting
from beffroi.services.water.forecast.series import HourlySeries
from beffroi.town import Town

__all__ = ["build"]

_VISITS = 16
_EVERY_US = 23 * DAY_US
_ERROR, _LEVEL_ERROR_M = 0.04, 0.005
_RAIN = "meteo-brevigny/rain"
_ARCHIVE_H = 180 * 24
_WORTH_DAYS = 14  # of history, below which there is nothing to verify


def build(town: Town, scene: Scene) -> Iterator[tuple[int, Callable[[], None]]]:
    """Return what happens: gaugings of the year before, then curves and forecasts when the history is told."""
    yield scene.start_us, lambda: _gauge(town, scene)
    if scene.days >= _WORTH_DAYS:
        yield scene.end_us - 1, lambda: _attend(town, scene)


def _gauge(town: Town, scene: Scene) -> None:
    true = {series.key: series.value for station in scene.stations for series in station.series}
    with town.store.records.writer(SYSTEM, "Campagnes de jaugeage") as writer:
        for station in town.store.records.all("river_station"):
            code = station.values["code"]
            chance = Chance(scene.seed, f"gaugings/{code}")
            level, flow = true.get(f"{code}/river_level"), true.get(f"{code}/discharge")
            if level is None or flow is None:
                continue
            for n in range(_VISITS):
                at = scene.end_us - (_VISITS - n) * _EVERY_US - DAY_US + (8 + n % 8) * HOUR_US
                values = {
                    "station": station.id, "at": at, "stage": round(level(at, at) + _LEVEL_ERROR_M * chance.normal(n), 3),
                    "discharge": round(flow(at, at) * (1 + _ERROR * chance.normal(n, 1)), 3), "sigma_percent": 5.0, "method": "adcp",
                }  # fmt: skip
                writer.create("gauging", values, None, station.territory)


def _attend(town: Town, scene: Scene) -> None:
    """Make curves; learn the river from an archive of the months before the history, which the town's series do not hold."""
    forecasting = Forecasting(town)
    for station in town.store.records.all("river_station"):
        forecasting.take(station, _archive(scene, station.values["code"]))
        attend(town, forecasting, station)


def _archive(scene: Scene, code: str) -> HourlySeries:
    true = {series.key: series.value for one in scene.stations for series in one.series}
    rain, flow = true[_RAIN], true[f"{code}/discharge"]
    start = scene.start_us // HOUR_US * HOUR_US - _ARCHIVE_H * HOUR_US
    ends = [start + (n + 1) * HOUR_US for n in range(_ARCHIVE_H)]
    sums = [rain(end - HOUR_US, end) for end in ends]
    discharge = np.array([flow(end - HOUR_US // 2, end - HOUR_US // 2) for end in ends])
    times = np.array(ends) // SECOND_US
    return HourlySeries(int(times[0]), np.array(sums), evaporation_of(times), discharge, None)
