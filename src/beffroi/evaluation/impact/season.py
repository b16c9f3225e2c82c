"""The season of a series: what comes back after so many periods, found in what came before the start."""

import numpy as np

from beffroi.evaluation.impact.autocorrelation import least_squares
from beffroi.evaluation.impact.panel import Floats

__all__ = ["find_season", "season_columns"]

_CANDIDATES = (12, 4, 7, 24, 52)
_DUMMIES_UP_TO = 24
_HARMONICS = 3
_BAR = 12.0  # how much better, in log-likelihood per the Bayesian criterion, before a season is believed in


def season_columns(periods: int, season: int) -> Floats:
    """Return the columns of a fixed season: one a place in it (but one), or three waves when it is long."""
    if season < 2:
        return np.empty((periods, 0))
    place = np.arange(periods) % season
    if season <= _DUMMIES_UP_TO:
        return np.asarray(np.eye(season)[place][:, 1:])
    waves = 2 * np.pi * np.outer(np.arange(periods) / season, np.arange(1, _HARMONICS + 1))
    return np.column_stack([np.cos(waves), np.sin(waves)])


def find_season(before: Floats, covariates: Floats, candidates: tuple[int, ...] = _CANDIDATES) -> int:
    """Return the season that the values before the start show beyond doubt, 0 when they show none.

    A season needs two full turns. Errors are whitened at lag one first: a slow series is not a season.
    """
    rows = len(before)
    base = np.column_stack([np.ones(rows), np.arange(rows) / rows, covariates])
    best, found = _BAR, 0
    for season in candidates:
        columns = season_columns(rows, season)
        design = np.column_stack([base, columns])
        if rows < 2 * season or rows <= design.shape[1] + 3:
            continue
        residual = least_squares(before, design)[1]
        square = max(float(residual @ residual), 1e-300)
        rho = float(np.clip(float(residual[1:] @ residual[:-1]) / square, -0.5, 0.95))
        white = [table[1:] - rho * table[:-1] for table in (before, base, design)]
        without, within = (float(np.sum(least_squares(white[0], d)[1] ** 2)) for d in white[1:])
        gain = (rows - 1) * np.log(without / max(within, 1e-300)) - columns.shape[1] * np.log(rows - 1)
        if gain > best:
            best, found = float(gain), season
    return found
