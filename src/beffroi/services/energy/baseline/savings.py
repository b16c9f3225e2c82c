"""Savings measured on the whole building (IPMVP option C): what would have been used, minus what was.

The baseline learns the days before the works and says what the days after them would have used. The interval holds the noise of
the days and the doubt of the model: each day learned as far as it weighs in the sum, with the error that a model without it makes
(so days that vary more count more), both over the independent days n' = n (1 - rho) / (1 + rho) that the autocorrelation of the
errors leaves (ASHRAE guideline 14, annex B; IPMVP, uncertainty assessment).
"""

import math
from statistics import NormalDist

import msgspec
import numpy as np

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.energy.baseline.model import fit, held_out
from beffroi.services.energy.baseline.table import Array, Use

__all__ = ["Savings", "autocorrelation", "measure", "student"]

_BEFORE_DAYS = 2 * 366
_AFTER_DAYS = 366
_LEAST_DAYS = 84
_PARAMETERS = 12
_HIGHEST_CVRMSE, _HIGHEST_NMBE = 0.30, 0.005


class Savings(msgspec.Struct, frozen=True):
    """What works saved, in % of what would have been used and in kWh, over `days` days; and how far the baseline is to be trusted."""

    savings_percent: float
    interval95: tuple[float, float]
    savings_kwh: float
    interval95_kwh: tuple[float, float]
    days: int
    baseline_days: int
    cvrmse: float  # of days left out
    nmbe: float
    autocorrelation: float
    independent_days: float
    warnings: tuple[str, ...]


def measure(use: Use, start_day: int, end_day: int) -> Savings:
    """Return the savings of works that lasted from one day to another (days since 1970, both left out). Raises `Problem`."""
    days = use.days
    before = (days < start_day) & (days >= start_day - _BEFORE_DAYS)
    after = (days > end_day) & (days <= end_day + _AFTER_DAYS)
    past, since = use.only(before), use.only(after)
    for part, when in ((past, ("avant", "before")), (since, ("après", "after"))):
        count = int(part.known.sum())
        if count < _LEAST_DAYS:
            raise Problem(
                Text(f"{count} jours connus {when[0]} les travaux : il en faut {_LEAST_DAYS}, et mieux une année",
                     f"{count} known days {when[1]} the works: {_LEAST_DAYS} are needed, and better a year"),
                Text("Donnez plus de mesures (compteur et température), ou vérifiez les dates des travaux.",
                     "Give more measurements (meter and temperature), or check the dates of the works."),
                "--works",
            )  # fmt: skip
    model = fit(past)
    said = model.predict(since, between=False)
    both = since.known & np.isfinite(said)
    would, was = float(said[both].sum()), float(since.kwh[both].sum())
    if would <= 0:
        raise Problem(
            Text("La référence est nulle : rien n'était consommé avant les travaux", "The baseline is zero: nothing was used before the works"),
            Text("Vérifiez le fichier du compteur et les dates.", "Check the meter's file and the dates."),
            "METER",
        )  # fmt: skip
    errors = (past.kwh - held_out(past, model.inertia))[past.known]
    errors = np.where(np.isfinite(errors), errors, float(np.sqrt(np.nanmean(errors**2))))
    doubt = float(np.sqrt(((model.share(since.only(both)) * errors) ** 2).sum()))
    return _told(errors, doubt, past, would, was, int(both.sum()))


def _told(errors: Array, doubt: float, past: Use, would: float, was: float, m: int) -> Savings:
    n = len(errors)
    rho = autocorrelation(errors)
    loss = (1 - rho) / (1 + rho)
    free = max(n * loss, 2.0)
    sigma = float(np.sqrt((errors**2).mean()))
    # the sum of m correlated days, and the doubt of the model, which n' days support as far as they weigh in that sum
    spread = math.sqrt((sigma**2 * m + doubt**2) / loss)
    half = student(0.975, max(free - _PARAMETERS, 3.0)) * spread
    mean = float(past.kwh[past.known].mean())
    cvrmse, nmbe = sigma / mean, float(errors.mean()) / mean
    saved = would - was
    warnings = [
        word for word, bad in (("cvrmse", cvrmse > _HIGHEST_CVRMSE), ("nmbe", abs(nmbe) > _HIGHEST_NMBE), ("short", m < 330 or n < 330))
        if bad
    ]  # fmt: skip
    return Savings(
        100 * saved / would, (100 * (saved - half) / would, 100 * (saved + half) / would), saved, (saved - half, saved + half),
        m, n, cvrmse, nmbe, rho, free, tuple(warnings),
    )  # fmt: skip


def autocorrelation(errors: Array) -> float:
    """Return the correlation of each error with the next one, from 0 to .95."""
    centred = errors - errors.mean()
    power = float((centred**2).sum())
    return min(max(float((centred[1:] * centred[:-1]).sum()) / power, 0.0), 0.95) if power > 0 else 0.0


def student(probability: float, freedom: float) -> float:
    """Return a quantile of Student's t by the expansion of Cornish and Fisher (Abramowitz and Stegun 26.7.5); right to 1 % from
    3 degrees of freedom."""
    z = NormalDist().inv_cdf(probability)
    g1 = (z**3 + z) / 4
    g2 = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    g3 = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + g1 / freedom + g2 / freedom**2 + g3 / freedom**3
