"""The hours of a station as the store has them, for the model."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from beffroi.model.instant import HOUR_US
from beffroi.services.water.forecast.series import HourlySeries
from beffroi.services.water.own_series import known_series
from beffroi.store.aggregates import AggregateQuery, Grain
from beffroi.store.record import Query, Row
from beffroi.town import Town

__all__ = ["evaporation_of", "hourly_discharge", "hours_of"]

Array = NDArray[np.float64]
_HOUR_S = 3600


def hours_of(town: Town, station: Row, start_us: int, end_us: int) -> HourlySeries:
    """Return the whole hours in [start, end), with those of the station upstream: value at hour h is that of the hour that
    ends at h."""
    first, last = -(-start_us // HOUR_US), end_us // HOUR_US
    discharge = hourly_discharge(town, station, first, last)
    rain = np.zeros(last - first)
    if station.values["rain"] is not None:
        sums = _cells(town, station.values["rain"], first, last, total=True)
        rain = np.nan_to_num(sums)
    times = (first + 1 + np.arange(last - first)) * _HOUR_S
    number = station.values["upstream"]
    above = (
        town.store.records.find("river_station", Query(where={"_id": number}, limit=1)).rows if number else []
    )
    upstream = tuple(hourly_discharge(town, one, first, last) for one in above)
    start = int(times[0]) if len(times) else 0
    return HourlySeries(start, rain, evaporation_of(times), discharge, None, upstream=upstream)


def hourly_discharge(town: Town, station: Row, first: int, last: int) -> Array:
    """Return the mean discharge of the hours `first` to `last` (numbers of hours): measured, else computed from the level."""
    flow = station.values["flow"]
    found = np.full(last - first, np.nan) if flow is None else _cells(town, flow, first, last)
    rated = known_series(town, station, "rated")
    if rated is not None and np.isnan(found).any():
        found = np.where(np.isnan(found), _cells(town, rated, first, last), found)
    return found


def _cells(town: Town, series: int, first: int, last: int, *, total: bool = False) -> Array:
    """Return the mean (or the sum) of a series in each hour, NaN where it has none."""
    query = AggregateQuery(
        datastreams=(series,), within=(first * HOUR_US, last * HOUR_US), grain=Grain(HOUR_US)
    )
    found = np.full(last - first, np.nan)
    for (_, _, bucket), cell in town.store.observations.aggregate(query).items():
        if cell.numbers and first <= bucket < last:
            found[bucket - first] = cell.total if total else cell.mean
    return found


def evaporation_of(times: NDArray[np.int64] | Iterable[int]) -> Array:
    """Return an ordinary potential evapotranspiration (mm/h) of mainland France at instants (s): about 700 mm a year, most
    of it in July and at midday. What a model needs of it is its season."""
    at = np.asarray(times, dtype=np.float64)
    days = at / 86_400
    daily = np.maximum(1.95 - 1.75 * np.cos(2 * np.pi * (days - 15) / 365.25), 0.0)
    hour = (days % 1) * 24
    share = np.where((hour > 5) & (hour < 20), np.sin(np.pi * (hour - 5) / 15), 0.0) * np.pi / 30
    return np.asarray(daily * share)
