"""Forecast discharge from what is known now: GR4H corrected by the last measurements, then ridge regression for each lead.

The regression says the change from now to then (so with no information it is persistence), each feature held within what
was seen in training, so that a flood larger than any before is carried on rather than blown up. Intervals are conformal:
quantiles of the errors made on stretches left out, relative to their size expected from what is known, in classes of that
size (Papadopoulos et al., 2002; Vovk et al., 2005, "Mondrian").
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.water.forecast.calibration import calibrate
from beffroi.services.water.forecast.features import Basin, Past, features
from beffroi.services.water.forecast.gr4 import HOURLY, Run

__all__ = [
    "LEADS",
    "SHORTEST_H",
    "WARM_UP_H",
    "Forecaster",
    "Forecasts",
    "read_model",
    "scale_of",
    "told",
    "train",
]

Array = NDArray[np.float64]
LEADS = (1, 3, 6)
WARM_UP_H = 48  # hours of past without which nothing is said
_SETTLE_H = 1500  # hours of each training stretch that only fill the stores
SHORTEST_H = 2000  # hours of past without which nothing is learned
_RIDGE = 0.02
_FLOOD_WEIGHT = (
    0.3  # an hour weighs as its discharge to the power − 0.3: floods count, and do not decide alone
)
_BLOCKS = 6
_CLASSES = 5
_CHANGE = 1  # the column of the change said among what the size of an error depends on
_TAILS = (0.05, 0.1, 0.9, 0.95)
_RUNOFF = 0.4  # the share of rain that rivers carry, where the basin's area is not known; the exchange makes up the rest


class _Ridge(msgspec.Struct, frozen=True):
    mean: Array
    spread: Array
    low: Array
    high: Array
    coefficients: Array
    level: float

    def __call__(self, rows: Array) -> Array:
        held = np.clip(rows, self.low, self.high)
        return np.asarray(((held - self.mean) / self.spread) @ self.coefficients + self.level)


class _Interval(msgspec.Struct, frozen=True):
    size: _Ridge  # ln of the expected size of the error
    bounds: Array  # between classes of that size
    tails: Array  # (classes, len(_TAILS))


class Forecasts(msgspec.Struct, frozen=True):
    """Forecasts of one lead, one for each hour of the past given (NaN while the past is too short), in m³/s: the bounds of
    the 90 % interval, the quantiles at 10 and 90 %, the median."""

    low: Array
    median: Array
    high: Array
    p10: Array
    p90: Array


class Forecaster(msgspec.Struct, frozen=True):
    """A trained model of one river."""

    basin: Basin
    threshold: float  # m³/s: the 99th percentile of the training discharges
    regressions: dict[int, _Ridge]
    intervals: dict[int, _Interval]

    @property
    def leads(self) -> tuple[int, ...]:
        """The leads it was trained for, in hours."""
        return tuple(self.regressions)

    def forecast(self, past: Past) -> dict[int, Forecasts]:
        """Return, for each lead, the forecasts issued at every hour of `past`, each from the hours up to it."""
        built, _ = features(past, self.basin, self.leads)
        return {lead: self._of(lead, built[lead], past) for lead in self.leads}

    def _of(self, lead: int, rows: Array, past: Past) -> Forecasts:
        change = self.regressions[lead](rows)
        middle = np.maximum(past.discharge + change, 0.0)
        interval = self.intervals[lead]
        size = np.exp(interval.size(_size_rows(past, change)))
        tails = interval.tails[np.searchsorted(interval.bounds, size)]
        at = (past.discharge + change)[:, None] + tails * size[:, None]
        low, p10 = (np.maximum(np.minimum(at[:, i], middle), 0.0) for i in (0, 1))
        p90, high = (np.maximum(at[:, i], middle) for i in (2, 3))
        blank = np.arange(len(middle)) < WARM_UP_H
        return Forecasts(*(np.where(blank, np.nan, x) for x in (low, middle, high, p10, p90)))


def told(model: Forecaster) -> Any:
    """Return a model as plain data, to be kept."""
    return msgspec.to_builtins(model, enc_hook=lambda array: array.tolist(), str_keys=True)


def read_model(said: Any) -> Forecaster:
    """Return a model from what `told` made of it. Raises `msgspec.ValidationError`."""
    found = msgspec.convert(
        said,
        Forecaster,
        dec_hook=lambda _, array: np.array(array, dtype=np.float64),
        str_keys=True,
        strict=False,
    )
    if any(interval.tails.shape[1:] != (len(_TAILS),) for interval in found.intervals.values()):
        raise msgspec.ValidationError("the tails are of another version")
    return found


def scale_of(parts: Sequence[Past]) -> float:
    """Return m³/s for each mm/h of a basin of unknown area, from its rain and an ordinary coefficient of runoff."""
    rain = sum(float(p.rain.sum()) for p in parts)
    flow = sum(float(p.discharge.sum()) for p in parts)
    return max(flow, 1e-9) / max(_RUNOFF * rain, 1e-9) if rain > 0 else 1.0


def train(
    parts: Sequence[Past], m3s_per_mm: float, leads: tuple[int, ...] = LEADS, months: Sequence[Array] = ()
) -> Forecaster:
    """Learn a river from unbroken stretches of hours (`months`: the month of each hour of each).

    Raises `Problem` when they are too short, or the river never moved.
    """
    longest = max((len(p.discharge) for p in parts), default=0)
    if longest < SHORTEST_H:
        raise Problem(
            Text(f"{longest} heures d'affilée : c'est trop peu pour apprendre une rivière",
                 f"{longest} hours on end: too few to learn a river"),
            Text(f"Donnez au moins {SHORTEST_H} heures sans trou.", f"Give at least {SHORTEST_H} hours without a gap."),
        )  # fmt: skip
    used = [p for p in parts if len(p.discharge) >= 200]
    flows = np.concatenate([p.discharge for p in used])
    if np.ptp(flows) <= 0:
        raise Problem(
            Text("Le débit ne varie jamais dans ce fichier", "The discharge never changes in this file")
        )
    parameters = calibrate(
        [(p.rain, p.evaporation, p.discharge / m3s_per_mm) for p in used], _SETTLE_H, HOURLY
    )
    basin = Basin(parameters, m3s_per_mm, max(float(np.median(flows)), 1e-6))
    tables = [features(p, basin, leads) for p in used]
    if len(months) == len(parts):
        kept = [m for p, m in zip(parts, months, strict=True) if len(p.discharge) >= 200]
        basin = msgspec.structs.replace(
            basin,
            usual=_usual([t[1] for t in tables], kept, float(parameters.x1[0]), float(parameters.x3[0])),
        )
    regressions, intervals = {}, {}
    for lead in leads:
        regressions[lead], intervals[lead] = _learn(used, [t[0][lead] for t in tables], lead)
    return Forecaster(basin, float(np.percentile(flows, 99)), regressions, intervals)


def _learn(parts: Sequence[Past], tables: Sequence[Array], lead: int) -> tuple[_Ridge, _Interval]:
    """Return the regression of one lead and its intervals, from the errors made on blocks left out in turn."""
    spans = [(min(_SETTLE_H, len(t) // 3), len(t) - lead) for t in tables]
    pairs = list(zip(parts, spans, strict=True))
    x = np.concatenate([t[a:b] for t, (a, b) in zip(tables, spans, strict=True)])
    q = np.concatenate([p.discharge[a:b] for p, (a, b) in pairs])
    y = np.concatenate([p.discharge[a + lead : b + lead] for p, (a, b) in pairs]) - q
    block = np.concatenate(
        [i * _BLOCKS + np.arange(b - a) * _BLOCKS // max(b - a, 1) for i, (a, b) in enumerate(spans)]
    )
    weight = np.maximum(q, max(float(np.quantile(q, 0.25)), 1e-6)) ** -_FLOOD_WEIGHT
    said = np.empty(len(y))
    for one in np.unique(block):
        out = block == one
        said[out] = _ridge(x[~out], y[~out], weight[~out], _RIDGE)(x[out])
    # what the regression says of stretches it has not seen, it says too loudly when it has seen little
    trust = float(np.clip((y @ said) / max(float(said @ said), 1e-12), 0.0, 1.0))
    said *= trust
    rows = np.concatenate([_size_rows(p, np.zeros(len(p.discharge)))[a:b] for p, (a, b) in pairs])
    rows[:, _CHANGE] = _log_change(said, q)
    learned = _ridge(x, y, weight, _RIDGE)
    shrunk = msgspec.structs.replace(
        learned, coefficients=trust * learned.coefficients, level=trust * learned.level
    )
    return shrunk, _interval(rows, y - said, q)


def _size_rows(past: Past, change: Array) -> Array:
    """Return what the size of an error depends on: the discharge, the change said, the rain of the last hours."""
    q = np.maximum(past.discharge, 1e-6)
    recent = sum((np.concatenate([np.zeros(i), past.rain[: len(q) - i]]) for i in range(1, 6)), past.rain)
    moved = np.abs(np.diff(past.discharge, prepend=past.discharge[0]))
    columns = [
        np.log(q),
        _log_change(change, q),
        _log_change(moved, q),
        np.log1p(past.rain),
        np.log1p(recent),
    ]
    return np.stack(columns, axis=1)


def _log_change(change: Array, now: Array) -> Array:
    return np.asarray(np.log(np.abs(change) + 1e-3 * np.maximum(now, 1e-6)))


def _interval(rows: Array, missed: Array, now: Array) -> _Interval:
    floor = 1e-4 * np.maximum(now, 1e-6)
    size = _ridge(rows, np.log(np.abs(missed) + floor), np.ones(len(missed)), 1e-4)
    expected = np.exp(size(rows))
    bounds = np.quantile(expected, np.linspace(0, 1, _CLASSES + 1)[1:-1])
    relative = missed / expected
    kind = np.searchsorted(bounds, expected)
    tails = np.array([np.quantile(relative[kind == k], _TAILS) for k in range(_CLASSES)])
    return _Interval(size, bounds, tails)


def _ridge(rows: Array, wanted: Array, weight: Array, strength: float) -> _Ridge:
    total = weight.sum()
    mean = weight @ rows / total
    spread = np.sqrt(weight @ (rows - mean) ** 2 / total) + 1e-9
    scaled = (rows - mean) / spread
    level = float(weight @ wanted / total)
    weighted = scaled * weight[:, None]
    normal = weighted.T @ scaled / total + strength * np.eye(rows.shape[1])
    coefficients = np.linalg.solve(normal, weighted.T @ (wanted - level) / total)
    return _Ridge(mean, spread, rows.min(axis=0), rows.max(axis=0), coefficients, level)


def _usual(
    runs: Sequence[Run], months: Sequence[Array], x1: float, x3: float
) -> tuple[tuple[float, float], ...]:
    production = np.concatenate([r.production[:, 0] for r in runs]) / x1
    routing = np.concatenate([r.routing[:, 0] for r in runs]) / x3
    month = np.concatenate(list(months))
    whole = (float(production.mean()), float(routing.mean()))
    return tuple(
        (float(production[month == m].mean()), float(routing[month == m].mean()))
        if (month == m).any()
        else whole
        for m in range(1, 13)
    )
