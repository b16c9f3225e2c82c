"""What a meter shows to be wasted, in its own unit a year. Pure: from hours and days to findings.

- Night: what is used from 0 to 5 h above a fifth of the mean hour of an open day, over all hours of the year, since what runs at
  night runs by day.
- Week-ends, school holidays: what closed days use above a day at the night's level, over the closed days of a year.
- Drift: what the last four weeks used above the baseline learned on the days before, if it is more than chance and 5 %.

The shares used are hypotheses of the platform, told on the page, not norms.
"""

import math
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.services.energy.baseline.model import fit, held_out
from beffroi.services.energy.baseline.savings import autocorrelation, student
from beffroi.services.energy.baseline.table import Array, Use

__all__ = ["BaseLoad", "Drift", "Kind", "Waste", "base_load", "drift_of", "wastes_of"]

Kind = Literal["night", "weekend", "holiday", "drift"]
_NIGHT = (0, 5)
_FAIR_NIGHT = 0.2  # of the mean hour of open days
_HEAVY = 1.25  # a quarter above what is fair is not yet waste
_LEAST_DAYS = 14
_DRIFT_DAYS = 28
_LEAST_DRIFT = 0.05
_LEAST_LEARNED = 90
_YEAR_H = 8766
_CLOSED_DAYS = 104 + 9  # week-ends and the public holidays that fall on other days, a year
_SCHOOL_HOLIDAYS = 80  # weekdays of school holidays a year


class BaseLoad(msgspec.Struct, frozen=True):
    """Mean use of an hour: at night, on open days by day, on closed days (all hours), in school holidays; None: not known."""

    night: float
    floor: float  # the lowest night in ten
    open_hour: float
    weekend: float | None
    holiday: float | None
    days: int

    @property
    def share(self) -> float:
        """The night's level over the mean hour of open days."""
        return self.night / self.open_hour if self.open_hour > 0 else 0.0


class Waste(msgspec.Struct, frozen=True):
    """One thing wasted: how much a year, in the meter's unit."""

    kind: Kind
    per_year: float


class Drift(msgspec.Struct, frozen=True):
    """How the last weeks compare with the baseline: a day's excess (below 0: less), its share, whether it is more than chance."""

    per_day: float
    share: float
    certain: bool
    since_day: int
    days: int


def base_load(
    civil: NDArray[np.int64], used: Array, closed: NDArray[np.bool_], holiday: NDArray[np.bool_]
) -> BaseLoad | None:
    """Return the levels of a curve by the hour; `closed` (week-ends, public holidays) and `holiday` are told for each hour."""
    known = np.isfinite(used)
    hour, days = civil % 24, civil // 24
    night = known & (hour >= _NIGHT[0]) & (hour < _NIGHT[1])
    opened = known & ~closed & ~holiday
    if len(np.unique(days[opened])) < _LEAST_DAYS // 2 or len(np.unique(days[night])) < _LEAST_DAYS:
        return None
    nights = _by_day(days[night], used[night])
    weekend, off = known & closed & ~holiday, known & holiday & ~closed
    return BaseLoad(
        float(np.mean(nights)), float(np.quantile(nights, 0.1)), float(used[opened].mean()),
        _mean(used, weekend, 2 * 24), _mean(used, off, 3 * 24), len(np.unique(days[known])),
    )  # fmt: skip


def _by_day(days: NDArray[np.int64], used: Array) -> Array:
    _, place = np.unique(days, return_inverse=True)
    return np.asarray(np.bincount(place, used) / np.bincount(place))


def _mean(used: Array, where: NDArray[np.bool_], least: int) -> float | None:
    return float(used[where].mean()) if int(where.sum()) >= least else None


def wastes_of(load: BaseLoad) -> list[Waste]:
    """Return what a base load shows to be wasted. The three add up: none counts what another does."""
    fair = _FAIR_NIGHT * load.open_hour
    found = []
    if load.night > fair * _HEAVY:
        found.append(Waste("night", (load.night - fair) * _YEAR_H))
    if load.weekend is not None and load.weekend > load.night * _HEAVY:
        found.append(Waste("weekend", (load.weekend - load.night) * 24 * _CLOSED_DAYS))
    if load.holiday is not None and load.holiday > load.night * _HEAVY:
        found.append(Waste("holiday", (load.holiday - load.night) * 24 * _SCHOOL_HOLIDAYS))
    return found


def drift_of(use: Use) -> Drift | None:
    """Return how the last four weeks compare with the baseline of the year before them; None when too little is known."""
    known = use.known
    if not known.any():
        return None
    since = int(use.days[known].max()) - _DRIFT_DAYS + 1
    last, past = use.only(known & (use.days >= since)), use.only(use.days < since)
    if len(last) < _DRIFT_DAYS // 2 or int(past.known.sum()) < _LEAST_LEARNED:
        return None
    model = fit(past)
    said = model.predict(last, between=False)
    errors = (past.kwh - held_out(past, model.inertia))[past.known]
    errors = errors[np.isfinite(errors)]
    if not len(errors) or not np.isfinite(said).any() or float(np.nanmean(said)) <= 0:
        return None
    excess = last.kwh - said
    rho = autocorrelation(errors)
    loss = (1 - rho) / (1 + rho)
    # the level of four weeks wanders too: compare with what four weeks on end miss
    runs = np.convolve(
        errors, np.ones(min(_DRIFT_DAYS, len(errors))) / min(_DRIFT_DAYS, len(errors)), mode="valid"
    )
    spread = max(
        float(np.sqrt((errors**2).mean())) / math.sqrt(len(last) * loss),
        float(runs.std()) if len(runs) > 1 else 0.0,
    )
    per_day, level = float(np.nanmean(excess)), float(np.nanmean(said))
    certain = (
        abs(per_day) > student(0.975, max(len(errors) * loss - 12, 5)) * spread
        and abs(per_day) > _LEAST_DRIFT * level
    )
    return Drift(per_day, per_day / level, certain, since, len(last))
