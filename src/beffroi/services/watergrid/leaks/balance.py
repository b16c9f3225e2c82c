"""What a metered area loses each day, from its inflow at a fixed step: one value a day, in m³/h, and its own noise.

The inflow of an area is `multiplier × shape + constant`: people's use follows a weekly shape and goes up and down as a
whole (season, day, minutes), what is lost does not. Learnt on a year without new leaks: the shape of each weekday, the
constant part (seen because it does not follow the season), how the multiplier wanders within a day and from day to day.
Then each day, from 06:00 to 06:00, gives the generalised least squares estimate of the constant part: it leans on the
night where there is one, and on the rest of the day for the day's own multiplier, so its noise is a third less than that
of a night minimum. A day is judged with nothing that comes after it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["CUT_HOUR", "SEASON_DAYS", "Balance", "Learnt", "learn"]

Array = NDArray[np.float64]
CUT_HOUR = 6  # a day of the balance ends when people get up: its night is then known
_FEWEST = 0.6  # share of the samples of a day below which it is not judged
_HARMONICS = 2
_ENOUGH = 30
SEASON_DAYS = 200  # a season is not seen in less
_FORGET = 0.04  # weight of one day in the slow ratio between this year's season and the learnt one


@dataclass(frozen=True)
class Learnt:
    """What one area is like: `shape` 7 × samples a day, m³/h; `standing` m³/h; covariance of the multiplier."""

    shape: Array
    standing: float
    season: Array
    covariance: Array
    sigma: float
    echo: float = 0.0  # correlation of the noise of two days on end


@dataclass
class Balance:
    """The losses above the standing ones, day after day: `loss` in m³/h, NaN where the day cannot be judged."""

    loss: Array
    use: Array


def learn(
    flow: Array, first_weekday: int, first_day_of_year: int, weekdays: NDArray[np.int64] | None = None
) -> Learnt:
    """Learn an area from a year of inflow (days × samples, each row 06:00 to 06:00).

    `weekdays` says of each day which weekday it is lived as (a holiday is a Sunday); without it the calendar does.
    """
    n, samples = flow.shape
    weekday = (np.arange(n) + first_weekday) % 7 if weekdays is None else weekdays
    angle = _angle(n, first_day_of_year)
    standing = 0.0
    low = float(np.nanpercentile(flow, 1))
    for _ in range(3):
        shape, season, noise = _describe(flow - standing, weekday, angle)
        covariance = _covariance(noise, samples)
        learnt = Learnt(shape, standing, season, covariance, 1.0)
        free = _estimate(learnt, flow, weekday)
        change = _constant(free, angle)
        standing = float(np.clip(standing + change, 0.0, 0.9 * low))
    shape, season, noise = _describe(flow - standing, weekday, angle)
    learnt = Learnt(shape, standing, season, _covariance(noise, samples), 1.0)
    loss = follow(learnt, flow, first_weekday, first_day_of_year, weekdays).loss
    spread = loss[np.isfinite(loss)]
    sigma = float(1.4826 * np.median(np.abs(spread - np.median(spread)))) if len(spread) else 1.0
    pairs = np.isfinite(loss[1:]) & np.isfinite(loss[:-1])
    echo = float(np.corrcoef(loss[1:][pairs], loss[:-1][pairs])[0, 1]) if pairs.sum() > _ENOUGH else 0.0
    return Learnt(
        shape, standing, season, learnt.covariance, max(sigma, 1e-6), float(np.clip(echo, 0.0, 0.45))
    )


def follow(
    learnt: Learnt,
    flow: Array,
    first_weekday: int,
    first_day_of_year: int,
    weekdays: NDArray[np.int64] | None = None,
) -> Balance:
    """Return the daily losses of another period, each day from itself and the days before."""
    n = len(flow)
    weekday = (np.arange(n) + first_weekday) % 7 if weekdays is None else weekdays
    angle = _angle(n, first_day_of_year)
    season = _waves(angle) @ learnt.season
    loss, use = np.full(n, np.nan), np.full(n, np.nan)
    ratio = 1.0
    cache: dict[tuple[int, bytes], Any] = {}
    for i in range(n):
        row = flow[i] - learnt.standing
        seen = np.isfinite(row)
        if seen.mean() < _FEWEST:
            continue
        weights = _weights(learnt, int(weekday[i]), seen, cache)
        shape = learnt.shape[weekday[i]][seen]
        level = season[i] * ratio
        loss[i] = weights[0] @ (row[seen] - level * shape)
        use[i] = weights[1] @ row[seen]
        ratio += _FORGET * float(np.clip(use[i] / season[i] - ratio, -0.1, 0.1))
    return Balance(loss, use)


def _angle(days: int, first_day_of_year: int) -> Array:
    """Return where each day is in the year, in radians."""
    angle: Array = np.array(
        2 * np.pi * ((np.arange(days) + first_day_of_year) % 365.25) / 365.25, dtype=np.float64
    )
    return angle


def _waves(angle: Array) -> Array:
    columns = [np.ones(len(angle))]
    for k in range(1, _HARMONICS + 1):
        columns += [np.sin(k * angle), np.cos(k * angle)]
    return np.column_stack(columns)


def _describe(use: Array, weekday: NDArray[np.int64], angle: Array) -> tuple[Array, Array, Array]:
    """Return the weekly shape, the coefficients of the season, and what is left, relative.

    Waves of a year drawn through a few weeks go anywhere in the next: of less than a season, all days are alike, and what
    changes slowly is left to the ratio that follows it.
    """
    mean = np.nanmean(use, axis=1)
    good = np.isfinite(mean)
    centre = np.ones((7, use.shape[1]))
    waves = _waves(angle)
    if len(use) < SEASON_DAYS:
        waves[:, 1:] = 0.0
    by_day = np.array([np.nanmean(mean[weekday == k]) for k in range(7)])
    relative = mean / by_day[weekday]
    season = np.linalg.lstsq(waves[good], relative[good], rcond=None)[0]
    level = waves @ season
    for k in range(7):
        centre[k] = np.nanmean(use[weekday == k] / level[weekday == k, None], axis=0)
    noise = use / level[:, None] / np.maximum(centre[weekday], 1e-6) - 1
    return centre, season, noise


def _covariance(noise: Array, samples: int) -> Array:
    """Return the covariance of the relative multiplier within a day: `day + wander × φ^lag + grain`."""
    centred = np.nan_to_num(noise - np.nanmean(noise, axis=0))
    lags = np.unique(np.round(np.geomspace(1, samples * 0.85, 24)).astype(int))
    seen = np.array([(centred[:, :-k] * centred[:, k:]).mean() for k in lags])
    best: tuple[float, float, float, float] = (np.inf, 0.0, 0.0, 0.5)
    for phi in np.linspace(0.5, 0.99, 50):
        basis = np.column_stack([np.ones(len(lags)), phi**lags])
        found, *_ = np.linalg.lstsq(basis, seen, rcond=None)
        day, wander = max(found[0], 0.0), max(found[1], 0.0)
        error = float(((basis @ [day, wander] - seen) ** 2).sum())
        if error < best[0]:
            best = (error, day, wander, float(phi))
    _, day, wander, phi = best
    grain = max(float((centred**2).mean()) - day - wander, 1e-5)
    lag = np.abs(np.subtract.outer(np.arange(samples), np.arange(samples)))
    covariance: Array = day + wander * phi**lag + grain * np.eye(samples)
    return covariance


def _weights(
    learnt: Learnt, weekday: int, seen: NDArray[np.bool_], cache: dict[tuple[int, bytes], Any]
) -> Any:
    """Return the two rows that read, from a day's samples, the loss at a known level, and the level at a free loss."""
    key = (weekday, seen.tobytes())
    if key not in cache:
        shape = learnt.shape[weekday][seen]
        within = learnt.covariance[np.ix_(seen, seen)] * np.outer(shape, shape)
        within[np.diag_indices_from(within)] += 1e-3 * float(np.mean(shape)) ** 2 * 1e-2
        one = np.ones(len(shape))
        design = np.column_stack([shape, one])
        solved = np.linalg.solve(within, design)
        loss = solved[:, 1] / float(one @ solved[:, 1])
        level = np.linalg.solve(design.T @ solved, solved.T)[0]
        cache[key] = np.stack([loss, level])
    return cache[key]


def _estimate(learnt: Learnt, flow: Array, weekday: NDArray[np.int64]) -> Array:
    """Return the level and the constant of each day, both free."""
    found = np.full((len(flow), 2), np.nan)
    for k in range(7):
        shape = learnt.shape[k]
        within = learnt.covariance * np.outer(shape, shape)
        within[np.diag_indices_from(within)] += 1e-5 * float(np.mean(shape)) ** 2
        design = np.column_stack([shape, np.ones(len(shape))])
        solved = np.linalg.solve(within, design)
        reader = np.linalg.solve(design.T @ solved, solved.T)
        rows = np.nonzero((weekday == k) & np.isfinite(flow).all(axis=1))[0]
        found[rows] = (flow[rows] - learnt.standing) @ reader.T
    return found


def _constant(free: Array, angle: Array) -> float:
    """Return what of the flow does not follow the season: the constant of a day falls as the season rises when the
    shape holds a constant part; noise of a single day, which does the same, is left out by smoothing over the year."""
    good = np.isfinite(free).all(axis=1)
    if good.sum() < SEASON_DAYS:
        return 0.0
    waves = _waves(angle[good])
    smooth = waves @ np.linalg.lstsq(waves, free[good], rcond=None)[0]
    level = smooth[:, 0] - smooth[:, 0].mean()
    if float(level.std()) < 0.02:
        return 0.0
    return float(-(level @ (smooth[:, 1] - smooth[:, 1].mean())) / (level @ level))
