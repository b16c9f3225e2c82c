"""How well the rating predicts gaugings it has not seen."""

import time

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.water.rating.curve import RatingCurve
from beffroi.services.water.rating.fitting import fit_curve, leave_one_out, residuals
from beffroi.services.water.rating.gaugings import Flag, GaugingFile
from beffroi.services.water.rating.tracking import ShiftTracker

__all__ = ["Fitted", "Prediction", "evaluate_fit", "predict_next"]

_OUTLIER = 6.0  # scatters of ln Q
_SHIFT_Z = 6.0  # standard errors of the difference of two means, before and after
_SIDE = 5  # gaugings on each side of a shift


class Fitted(msgspec.Struct, frozen=True):
    """A curve, its errors and its doubts."""

    curve: RatingCurve
    errors: tuple[float, ...]  # leave-one-out, relative
    fit_ms: float
    flags: tuple[Flag, ...]


class Prediction(msgspec.Struct, frozen=True):
    """A gauging and what the earlier ones said its discharge would be (m³/s, 90 % interval)."""

    at: float
    stage: float
    discharge: float
    predicted: float
    low: float
    high: float

    @property
    def error_percent(self) -> float:
        """The size of the error in per cent of the measured discharge."""
        return abs(self.predicted / self.discharge - 1) * 100


def evaluate_fit(file: GaugingFile) -> Fitted:
    """Fit one curve, and leave each gauging out in turn. Raises `Problem` when there are too few."""
    stage, discharge, sigma = file.arrays()
    begun = time.process_time()
    curve = fit_curve(stage, discharge, sigma)
    took = (time.process_time() - begun) * 1e3
    lines = [g.line for g in file.gaugings]
    away = residuals(curve, stage, discharge)
    flags = [Flag("outlier", lines[i]) for i in np.flatnonzero(np.abs(away) > _OUTLIER)]
    moved = _shift(away)
    if moved is not None:
        flags.append(Flag("shift", lines[moved]))
    return Fitted(curve, tuple(leave_one_out(stage, discharge, sigma)), took, file.flags + tuple(flags))


def predict_next(past: GaugingFile, following: GaugingFile) -> tuple[list[Prediction], list[float]]:
    """Predict each gauging of `following` from all earlier ones; also return the instants of the shifts seen in it.

    Raises `Problem` when there is nothing to learn from, nothing to predict, or the files overlap in time.
    """
    if not past.gaugings or not following.gaugings:
        raise Problem(
            Text(
                "Il n'y a aucun jaugeage à apprendre ou à prédire",
                "There is no gauging to learn from or to predict",
            ),
            Text("Donnez deux fichiers qui ont des jaugeages.", "Give two files that have gaugings."),
        )
    if following.gaugings[0].at < past.gaugings[-1].at:
        raise Problem(
            Text(
                "Un jaugeage du second fichier précède la fin du premier",
                "A gauging of the second file is earlier than the end of the first",
            ),
            Text("Donnez d'abord le fichier le plus ancien.", "Give the older file first."),
            place=f"line {following.gaugings[0].line}",
        )
    tracker = ShiftTracker([(g.at, g.stage, g.discharge, g.sigma) for g in past.gaugings])
    tracker.shifts.clear()
    predictions = []
    for gauging in following.gaugings:
        seen = tracker.look(gauging.at, gauging.stage)
        said = tracker.estimate(seen, gauging.sigma)
        predictions.append(
            Prediction(gauging.at, gauging.stage, gauging.discharge, said.discharge, said.low, said.high)
        )
        tracker.take(gauging.at, gauging.stage, gauging.discharge, gauging.sigma, seen)
    return predictions, tracker.shifts


def _shift(away: NDArray[np.float64]) -> int | None:
    """Return where the residuals, in the file's order, change their level as chance would not, if anywhere."""
    n = len(away)
    if n < 2 * _SIDE:
        return None
    bounded = np.clip(away, -4.0, 4.0)
    before = np.cumsum(bounded)[:-1]
    k = np.arange(1, n)
    difference = before / k - (bounded.sum() - before) / (n - k)
    # the scatter that is left once the two sides have their own level
    within = ((bounded - bounded.mean()) ** 2).sum() - k * (n - k) / n * difference**2
    z = np.abs(difference) / np.sqrt(np.maximum(within / (n - 2), 1e-9) * (1 / k + 1 / (n - k)))
    z[: _SIDE - 1] = 0.0
    z[n - _SIDE :] = 0.0
    found = int(np.argmax(z))
    return found + 1 if z[found] > _SHIFT_Z else None
