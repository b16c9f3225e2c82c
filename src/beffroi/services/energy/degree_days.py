"""Degree days, whose method must be named: four methods differ by 7 % from May to September.

- `costic`: the French method of energy professionals (Tn from 18 h the day before to 18 h, Tx from 6 h to 6 h the day after, UTC),
  with its formula for days on which the threshold lies between Tn and Tx. From field notes, to be verified against COSTIC's own.
- `minmax`: threshold minus (Tn + Tx) / 2 of the day, never below 0.
- `hourly`: mean over the hours of threshold minus temperature, never below 0 each.
- `mean`: threshold minus the day's mean, never below 0.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.energy.baseline.table import Array, civil_hour, read_column, read_table

__all__ = ["METHODS", "DegreeDays", "Method", "costic", "degree_days", "minmax", "of_file"]

Method = Literal["costic", "minmax", "hourly", "mean"]
METHODS: tuple[Method, ...] = ("costic", "minmax", "hourly", "mean")
_LOW_NAMES, _HIGH_NAMES = (
    ("tn", "tmin", "t_min", "tn_c", "temp_min"),
    ("tx", "tmax", "t_max", "tx_c", "temp_max"),
)
_DAY_H = 24
_WHOLE = 0.75  # of a window's hours must be known
_HALF, _SLOPE = 0.08, 0.42  # COSTIC's formula when the threshold lies between Tn and Tx


class DegreeDays(msgspec.Struct, frozen=True):
    """Degree days of each civil day (days since 1970); NaN: unknown."""

    method: Method
    base: float
    days: NDArray[np.int64]
    values: Array

    @property
    def total(self) -> float:
        """The sum of the known days."""
        return float(np.nansum(self.values))

    def by_month(self) -> dict[str, float]:
        """Return the sum of each month, `2026-01`."""
        months = self.days.astype("datetime64[D]").astype("datetime64[M]")
        return {str(m): round(float(np.nansum(self.values[months == m])), 2) for m in np.unique(months)}


def costic(low: Array, high: Array, base: float, *, cooling: bool = False) -> Array:
    """Return COSTIC's degree days from the lowest and highest temperatures (°C)."""
    middle = (low + high) / 2
    near, far = (high, low) if cooling else (low, high)
    reach = (near - base) if cooling else (base - near)  # how far the worst hour is from the threshold
    with np.errstate(divide="ignore", invalid="ignore"):
        between = reach * (_HALF + _SLOPE * reach / (high - low))
    whole = (base < far) if cooling else (base > far)
    straight = (middle - base) if cooling else (base - middle)
    return np.where(whole, straight, np.where(reach <= 0, 0.0, between)) + 0.0 * middle


def minmax(low: Array, high: Array, base: float, *, cooling: bool = False) -> Array:
    """Return degree days from the middle of the lowest and highest temperatures (°C)."""
    middle = (low + high) / 2
    return np.maximum((middle - base) if cooling else (base - middle), 0.0) + 0.0 * middle


def _lowest(rows: Array) -> Array:
    return np.asarray(np.nanmin(rows, axis=1))


def _highest(rows: Array) -> Array:
    return np.asarray(np.nanmax(rows, axis=1))


def _mean(rows: Array) -> Array:
    return np.asarray(np.nanmean(rows, axis=1))


def degree_days(
    hours: NDArray[np.int64], celsius: Array, method: Method, base: float, *, cooling: bool = False
) -> DegreeDays:
    """Return degree days from hourly temperatures (`hours`: civil or UTC hours since 1970; UTC for `costic`)."""
    first, last = int(hours.min()) // _DAY_H, int(hours.max()) // _DAY_H
    grid = np.full((last - first + 3) * _DAY_H, np.nan)  # a day before and a day after
    grid[hours - (first - 1) * _DAY_H] = celsius
    days = np.arange(first, last + 1)

    def window(begin: int, what: Callable[[Array], Array]) -> Array:
        """Return the lowest (or highest, or mean) of 24 hours from `begin` of each day."""
        rows = np.lib.stride_tricks.sliding_window_view(grid, _DAY_H)[_DAY_H + begin :: _DAY_H][: len(days)]
        known = np.isfinite(rows).sum(1) >= _WHOLE * _DAY_H
        filled = np.where(known[:, None], rows, 0.0)
        return np.where(known, what(filled), np.nan)

    def away(degrees: Array) -> Array:
        return degrees - base if cooling else base - degrees

    if method == "costic":
        values = costic(window(-6, _lowest), window(6, _highest), base, cooling=cooling)
    elif method == "minmax":
        values = minmax(window(0, _lowest), window(0, _highest), base, cooling=cooling)
    elif method == "mean":
        values = np.maximum(away(window(0, _mean)), 0.0)
    else:
        values = window(0, lambda rows: _mean(np.maximum(away(rows), 0.0)))
    return DegreeDays(method, base, days, values)


def of_file(path: Path, method: Method, base: float, *, cooling: bool = False) -> DegreeDays:
    """Return degree days of a CSV: hourly temperatures, or a day's `tn` and `tx`, or a day's mean. Raises `Problem`."""
    names, lines = read_table(path)
    low, high = ([names.index(n) for n in among if n in names] for among in (_LOW_NAMES, _HIGH_NAMES))
    if low and high:
        return _of_extremes(names, lines, low[0], high[0], method, base, cooling=cooling)
    column = read_column(path, temperature=True)
    hours = column.at // 3600 if method == "costic" else column.hours
    if float(np.median(np.diff(hours))) < _DAY_H - 1:
        whole, where = np.unique(hours, return_inverse=True)
        good = np.isfinite(column.values)
        means = np.bincount(where, np.where(good, column.values, 0.0)) / np.maximum(
            np.bincount(where, good), 1
        )
        return degree_days(
            whole, np.where(np.bincount(where, good) > 0, means, np.nan), method, base, cooling=cooling
        )
    if method != "mean":
        raise _too_little(
            method,
            Text(
                "des températures horaires, ou les colonnes tn et tx",
                "hourly temperatures, or columns tn and tx",
            ),
        )
    away = column.values - base if cooling else base - column.values
    return DegreeDays(method, base, column.hours // _DAY_H, np.maximum(away, 0.0))


def _of_extremes(
    names: list[str],
    lines: list[tuple[int, list[str]]],
    low: int,
    high: int,
    method: Method,
    base: float,
    *,
    cooling: bool,
) -> DegreeDays:
    if method not in ("costic", "minmax"):
        raise _too_little(method, Text("des températures horaires", "hourly temperatures"))
    time = next((i for i, n in enumerate(names) if n in ("date", "day", "jour", "time")), 0)
    days, lowest, highest = [], [], []
    for line, row in lines:
        days.append(civil_hour(row[time], line)[1] // _DAY_H)
        try:
            lowest.append(float(row[low].replace(",", ".")))
            highest.append(float(row[high].replace(",", ".")))
        except (ValueError, IndexError) as error:
            raise Problem(
                Text("Il manque une température", "A temperature is missing"),
                Text(
                    "Donnez tn et tx en °C, ou retirez la ligne.",
                    "Give tn and tx in °C, or take the line out.",
                ),
                f"line {line}",
            ) from error
        if lowest[-1] > highest[-1]:
            raise Problem(
                Text(
                    f"tn ({lowest[-1]:g}) dépasse tx ({highest[-1]:g})",
                    f"tn ({lowest[-1]:g}) is above tx ({highest[-1]:g})",
                ),
                Text("Échangez les deux valeurs.", "Swap the two values."),
                f"line {line}",
            )
    formula = costic if method == "costic" else minmax
    return DegreeDays(
        method, base, np.array(days), formula(np.array(lowest), np.array(highest), base, cooling=cooling)
    )


def _too_little(method: str, needed: Text) -> Problem:
    return Problem(
        Text(f"La méthode {method} demande {needed.fr}", f"The method {method} needs {needed.en}"),
        Text(
            "Complétez le fichier, ou choisissez --method mean.",
            "Complete the file, or choose --method mean.",
        ),
        "--method",
    )
