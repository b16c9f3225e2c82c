"""How well forecasts did: skill against persistence, onsets of floods, coverage and reliability of the intervals."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.water.forecast.model import LEADS, WARM_UP_H, Forecaster, scale_of, train
from beffroi.services.water.forecast.series import HourlySeries

__all__ = ["Onsets", "Verified", "evaluate", "match_onsets", "onsets_of", "trained_on"]

Array = NDArray[np.float64]
_QUIET_H = 24  # hours below the threshold before an exceedance is an onset
_TOLERANCE_H = 1


class Onsets(msgspec.Struct, frozen=True):
    """Observed and forecast onsets of threshold exceedances, and how they match."""

    observed: int
    forecast: int
    hits: int  # observed onsets that were forecast within an hour
    right: int  # forecast onsets that came within an hour

    @property
    def pod(self) -> float | None:
        """Probability of detection: the share of observed onsets that were forecast."""
        return self.hits / self.observed if self.observed else None

    @property
    def far(self) -> float | None:
        """False alarm ratio: the share of forecast onsets that did not come."""
        return 1 - self.right / self.forecast if self.forecast else None


class Verified(msgspec.Struct, frozen=True):
    """What was forecast for each hour of a series, by lead: issue time (s), low, median, high, and what came (m³/s)."""

    threshold: float
    issued: Array
    forecasts: dict[int, tuple[Array, Array, Array]]
    observed: dict[int, Array]
    now: Array

    def skill(self, lead: int) -> float | None:
        """Return 1 − MSE / MSE of persistence."""
        middle, came = self.forecasts[lead][1], self.observed[lead]
        known = np.isfinite(middle) & np.isfinite(came) & np.isfinite(self.now)
        still = float(((self.now - came)[known] ** 2).sum())
        return 1 - float(((middle - came)[known] ** 2).sum()) / still if still > 0 else None

    def onsets(self, lead: int) -> Onsets:
        """Return how the onsets of the median forecast match those that came."""
        return match_onsets(
            onsets_of(self.observed[lead], self.threshold), onsets_of(self.forecasts[lead][1], self.threshold)
        )

    def coverage(self, lead: int) -> tuple[int, int]:
        """Return how many observations the interval held, and of how many."""
        low, _, high = self.forecasts[lead]
        came = self.observed[lead]
        known = np.isfinite(low) & np.isfinite(came)
        return int(((came >= low) & (came <= high))[known].sum()), int(known.sum())


def onsets_of(discharge: Array, threshold: float) -> list[int]:
    """Return the hours of first exceedance after 24 h known to be at or below the threshold."""
    over = discharge > threshold
    below = np.concatenate([[0], np.cumsum(discharge <= threshold)])
    return [
        int(i) for i in np.flatnonzero(over) if i >= _QUIET_H and below[i] - below[i - _QUIET_H] == _QUIET_H
    ]


def match_onsets(observed: list[int], forecast: list[int], tolerance: int = _TOLERANCE_H) -> Onsets:
    """Match the hours of observed and forecast onsets."""
    hits = sum(any(abs(o - f) <= tolerance for f in forecast) for o in observed)
    right = sum(any(abs(o - f) <= tolerance for o in observed) for f in forecast)
    return Onsets(len(observed), len(forecast), hits, right)


def trained_on(series: HourlySeries, leads: tuple[int, ...] = LEADS) -> Forecaster:
    """Learn from a series. Raises `Problem` when it is too short."""
    parts = series.parts()
    months = [
        ((series.start // 3600 + begin + np.arange(len(p.discharge))) * 3600).astype("datetime64[s]")
        for begin, p in parts
    ]
    return train(
        [p for _, p in parts],
        series.m3s_per_mm or scale_of([p for _, p in parts]),
        leads,
        [m.astype("datetime64[M]").astype(int) % 12 + 1 for m in months],
    )


def evaluate(past: HourlySeries, following: HourlySeries, leads: tuple[int, ...] = LEADS) -> Verified:
    """Learn from one series and forecast every hour of another, each from the hours up to it only.

    Raises `Problem` when they share hours.
    """
    ours = past.times[np.isfinite(past.discharge)]
    theirs = following.times[np.isfinite(following.discharge)]
    if np.isin(theirs, ours).any():
        raise Problem(
            Text("Les deux fichiers ont des heures en commun", "The two files have hours in common"),
            Text("Prédisez une année qui n'a pas été apprise.", "Forecast a year that was not learned."),
        )
    return verify(trained_on(past, leads), following, past)


def verify(model: Forecaster, following: HourlySeries, past: HourlySeries | None = None) -> Verified:
    """Forecast every hour of a series, looking back on `past` when it ends the hour before."""
    series, begin = following, 0
    if past is not None and past.times[-1] + 3600 == following.start:
        series, begin = following.after(past), len(past.rain)
    n = len(series.rain)
    forecasts = {lead: np.full((3, n), np.nan) for lead in model.leads}
    for at, part in series.parts():
        if len(part.discharge) <= WARM_UP_H:
            continue
        for lead, said in model.forecast(part).items():
            forecasts[lead][:, at : at + len(part.discharge)] = (said.low, said.median, said.high)
    came = {lead: np.concatenate([series.discharge[lead:], np.full(lead, np.nan)]) for lead in model.leads}
    return Verified(
        model.threshold,
        series.times[begin:].astype(float),
        {lead: (f[0, begin:], f[1, begin:], f[2, begin:]) for lead, f in forecasts.items()},
        {lead: c[begin:] for lead, c in came.items()},
        series.discharge[begin:],
    )
