"""The degree days that a town lived through in the last twelve months, by the best method that its thermometer allows."""

import numpy as np

from beffroi.model.instant import DAY_US, HOUR_US
from beffroi.model.text import Text
from beffroi.services.energy.degree_days import DegreeDays, degree_days
from beffroi.services.energy.reading_back import local_days, temperature_of, temperature_series
from beffroi.town import Town

__all__ = ["BASE_C", "METHOD_TITLES", "lived"]

BASE_C = 18.0
_YEAR_US = 365 * DAY_US
_LEAST_DAYS = 350
_HOURLY_US = 3 * HOUR_US
# the name that must stand beside every count: four methods differ by 7 % in summer
METHOD_TITLES = {
    "costic": Text("COSTIC (à vérifier)", "COSTIC (to be verified)"),
    "minmax": Text("milieu des extrêmes du jour", "middle of the day's extremes"),
    "hourly": Text("heure par heure", "hour by hour"),
    "mean": Text("moyenne du jour", "mean of the day"),
}


def lived(town: Town, end_us: int) -> DegreeDays | None:
    """Return the heating degree days of the year that ends at an instant; None when fewer than 350 of its days are known."""
    number = temperature_series(town)
    if number is None:
        return None
    start = end_us - _YEAR_US
    told = town.store.observations.series(number, start - DAY_US, end_us)
    at = np.array([o.start_us for o in told if o.result.value is not None], dtype=np.int64)
    if len(at) < _LEAST_DAYS:
        return None
    if float(np.median(np.diff(at))) <= _HOURLY_US:
        celsius = np.array([o.result.value for o in told if o.result.value is not None])
        hours, where = np.unique(at // HOUR_US, return_inverse=True)
        found = degree_days(hours, np.bincount(where, celsius) / np.bincount(where), "costic", BASE_C)
        keep = found.days >= start // DAY_US
        found = DegreeDays("costic", BASE_C, found.days[keep], found.values[keep])
    else:
        days = local_days(start, end_us)
        found = DegreeDays("mean", BASE_C, days, np.maximum(BASE_C - temperature_of(town, days), 0.0))
    return found if int(np.isfinite(found.values).sum()) >= _LEAST_DAYS else None
