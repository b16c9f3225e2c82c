"""How well a baseline predicts days that it did not learn."""

import math
import time

import msgspec
import numpy as np

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.energy.baseline.model import fit
from beffroi.services.energy.baseline.table import Array, Use

__all__ = ["Judged", "judge", "scores"]


class Judged(msgspec.Struct, frozen=True):
    """CVRMSE and NMBE (predicted minus observed) over the mean observed; CPU seconds to learn and predict; the predictions."""

    cvrmse: float
    nmbe: float
    cpu_s: float
    predicted: Array


def scores(observed: Array, predicted: Array) -> tuple[float, float]:
    """Return CVRMSE and NMBE over the mean observed, where both are known. Raises `Problem` when that is nowhere."""
    both = np.isfinite(observed) & np.isfinite(predicted)
    mean = float(observed[both].mean()) if both.any() else 0.0
    if mean <= 0:
        raise Problem(
            Text("Rien à comparer : aucune consommation connue", "Nothing to compare: no use is known"),
            Text("Donnez dans TEST la consommation observée.", "Give in TEST the use that was observed."),
            "TEST",
        )
    missed = predicted[both] - observed[both]
    return math.sqrt(float((missed**2).mean())) / mean, float(missed.mean()) / mean


def judge(past: Use, following: Use) -> Judged:
    """Learn `past`, predict `following`. Raises `Problem` when they share known steps, or differ in step."""
    if past.step_h != following.step_h:
        raise Problem(
            Text(
                "L'un des fichiers est au jour, l'autre à l'heure",
                "One of the files is daily, the other hourly",
            ),
            Text(
                "Demandez --freq daily pour ramener les deux au jour.",
                "Ask for --freq daily to bring both to days.",
            ),
            "--freq",
        )
    shared = np.intersect1d(past.hours[past.known], following.hours[np.isfinite(following.kwh)])
    if len(shared):
        raise Problem(
            Text(
                f"Les deux fichiers ont {len(shared)} pas en commun",
                f"The two files share {len(shared)} steps",
            ),
            Text("Jugez sur des jours qui n'ont pas été appris.", "Judge on days that were not learned."),
            "TEST",
        )
    begin = time.process_time()
    predicted = fit(past).predict(following)
    spent = time.process_time() - begin
    cvrmse, nmbe = scores(following.kwh, predicted)
    return Judged(cvrmse, nmbe, spent, predicted)
