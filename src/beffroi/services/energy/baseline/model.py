"""A meter's use from the temperature, the hour, the weekday and the calendar.

For each hour of the day (or for the day as a whole) a linear model, shrunk a little towards zero, of: the kind of day (what the
calendar says of it, working day or week-end), the weekday, and the temperature as a broken line of several change points, with
more slope on days when the building is open. The temperature is felt late: walls keep yesterday's. This is the time-of-week-
and-temperature family (Mathieu et al., 2011), with the calendar as in the French stock, where holidays come first.

A building's level drifts from year to year: when more than a year was learned, the last twelve months have a level of their own,
which later days keep.

Where a day lies between days that were learned, what the model missed around it is added back, nearer days weighing more (the
same paper's weighting in time); nothing is added for days before or after what was learned.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.energy.baseline.table import Array, Use

__all__ = ["Baseline", "fit", "held_out"]

Bools = NDArray[np.bool_]
_KNOTS = np.array([0.02, 0.2, 0.4, 0.6, 0.8, 0.98])  # change points, as quantiles of the temperatures learned
_INERTIA = {
    24: (0.0, 0.3, 0.5),
    1: (0.5,),
}  # by step: how much of the temperature felt is that of the step before
_SHRUNK = {
    24: (0.05, 0.05, 0.05, 0.05),
    1: (1.0, 5.0, 5.0, 3.0),
}  # by step: kind of day, weekday, temperature, open × temperature
_LAST_DAYS, _LEVEL_SHRUNK = 365, 1.0  # whose level later days keep
_NEAR_DAYS = 14.0  # width of the weighting in time
_AROUND_DAYS = 42  # beyond, days learned say nothing of a day
_FOLD_DAYS = 28
_TRIED_FOLD_DAYS = 56  # to choose the inertia: fewer folds are enough
_LEAST_DAYS = 28
_OPEN = 0.25


class Baseline(msgspec.Struct, frozen=True):
    """A fitted model. `slots` are the hours of the day (one slot for a daily model)."""

    step_h: int
    inertia: float
    knots: Array
    centre: Array
    kinds: dict[int, int]  # what the calendar says and week-end or not -> column
    openness: Array  # of each kind of day, 0 closed to 1 open
    coefficients: Array  # a row a slot
    since: int  # day from which the level of the last twelve months holds
    learned: Use
    missed: Array  # what was learned minus the model, NaN where unknown

    def predict(self, use: Use, *, between: bool = True) -> Array:
        """Return the use of each step of `use` (whose own is not looked at); NaN where the temperature is unknown.

        `between`: add back what was missed around days that lie between days learned.
        """
        kinds = _kinds_of(use, self.kinds)
        design = self._design(use, kinds, _felt(use, self.inertia, self.learned))
        said = np.einsum("ij,ij->i", design, self.coefficients[_slots(use)])
        return np.asarray(said + self._around(use, kinds) if between else said)

    def share(self, use: Use) -> Array:
        """Return how much each step learned weighs in the sum predicted for `use` (a daily model is linear in what it learned)."""
        asked = self._design(use, _kinds_of(use, self.kinds), _felt(use, self.inertia, self.learned))
        mine = self.learned.known
        felt = _felt(self.learned, self.inertia)
        x = self._design(self.learned, _kinds_of(self.learned, self.kinds), felt)[mine]
        total = asked[np.isfinite(asked).all(1)].sum(0)
        return np.asarray(
            x
            @ np.linalg.solve(
                x.T @ x + np.diag(_penalty(self.step_h, len(self.kinds), len(self.knots) - 1)), total
            )
        )

    def _design(self, use: Use, kinds: NDArray[np.int64], felt: Array) -> Array:
        return _design(use, kinds, self.openness, felt, self.knots, self.centre, self.since)

    def _around(self, use: Use, kinds: NDArray[np.int64]) -> Array:
        """Return what the model missed around each step, for the same hour of days that are as open or closed."""
        slots = 1 if self.step_h == 24 else 24
        mine, theirs = _slots(use), _slots(self.learned)
        days = np.unique(self.learned.days)
        missed, weight = np.zeros((slots, len(days))), np.zeros((slots, len(days)))
        row, good = np.searchsorted(days, self.learned.days), np.isfinite(self.missed)
        np.add.at(missed, (theirs[good], row[good]), self.missed[good])
        np.add.at(weight, (theirs[good], row[good]), 1.0)
        opened = np.zeros(len(days), dtype=bool)
        opened[row] = self.openness[_kinds_of(self.learned, self.kinds)] > _OPEN
        asked, place = np.unique(use.days, return_inverse=True)
        open_asked = np.zeros(len(asked), dtype=bool)
        open_asked[place] = self.openness[kinds] > _OPEN
        seen = days[weight.sum(0) > 0]
        apart = asked[:, None] - days[None]
        near = np.exp(-0.5 * (apart / _NEAR_DAYS) ** 2) * (open_asked[:, None] == opened[None])
        add = (near @ missed.T) / (near @ weight.T + 1.0)
        inside = _nearest(asked, seen, -1) & _nearest(asked, seen, 1)
        return np.asarray(np.where(inside[place], add[place, mine], 0.0))


def _nearest(asked: NDArray[np.int64], seen: NDArray[np.int64], side: int) -> Bools:
    """Return whether a day was learned within reach before (-1) or after (1) each day asked for."""
    if not len(seen):
        return np.zeros(len(asked), dtype=bool)
    if side < 0:
        at = np.searchsorted(seen, asked, side="right") - 1
        return np.asarray((at >= 0) & (asked - seen[np.maximum(at, 0)] <= _AROUND_DAYS))
    at = np.searchsorted(seen, asked)
    return np.asarray((at < len(seen)) & (seen[np.minimum(at, len(seen) - 1)] - asked <= _AROUND_DAYS))


def _slots(use: Use) -> NDArray[np.int64]:
    return use.hours % 24 if use.step_h == 1 else np.zeros(len(use), dtype=np.int64)


def _signs(use: Use) -> NDArray[np.int64]:
    """Return what is said of each step as one number: week-end or not in the first bit, then a bit a label."""
    powers = 2 << np.arange(use.labels.shape[1], dtype=np.int64)
    return np.asarray(use.labels.astype(np.int64) @ powers + (use.weekday >= 5))


def _kinds_of(use: Use, known: dict[int, int]) -> NDArray[np.int64]:
    """Return the column of each step's kind of day; a kind never met counts as the plain day of the same part of the week."""
    signs, back = np.unique(_signs(use), return_inverse=True)
    columns = [known.get(int(sign), known.get(int(sign) & 1, 0)) for sign in signs]
    return np.asarray(np.array(columns)[back])


def _felt(use: Use, inertia: float, before: Use | None = None) -> Array:
    """Return the temperature as the walls feel it, begun from what was known just before."""
    if not inertia:
        return use.celsius
    last = np.nan
    if before is not None and before.hours[-1] < use.hours[0] <= before.hours[-1] + 3 * use.step_h:
        last = _smoothed(before.celsius[-72:], inertia, np.nan)[-1]
    return _smoothed(use.celsius, inertia, last)


def _smoothed(values: Array, inertia: float, last: float) -> Array:
    felt = []
    for value in values.tolist():
        if value == value:
            last = value if last != last else inertia * last + (1 - inertia) * value
            felt.append(last)
        else:
            felt.append(np.nan)
    return np.array(felt)


def _hats(celsius: Array, knots: Array) -> Array:
    """Return the broken line's basis: one column a change point, straight on beyond the last ones."""
    rise = np.diff(knots)
    columns = np.zeros((len(celsius), len(knots)))
    place = np.clip(np.searchsorted(knots, celsius, side="right") - 1, 0, len(rise) - 1)
    share = np.clip((celsius - knots[place]) / rise[place], -1.0, 2.0)
    rows = np.arange(len(celsius))
    columns[rows, place], columns[rows, place + 1] = 1 - share, share
    return columns[:, 1:]


def _design(
    use: Use,
    kinds: NDArray[np.int64],
    openness: Array,
    felt: Array,
    knots: Array,
    centre: Array,
    since: int,
) -> Array:
    hats = _hats(felt, knots) - centre
    hats[np.isnan(felt)] = np.nan
    columns = [np.ones((len(use), 1)), np.eye(len(openness))[kinds], np.eye(7)[use.weekday], hats]
    return np.column_stack([*columns, hats * openness[kinds][:, None], use.days >= since])


def fit(use: Use, inertia: float | None = None) -> Baseline:
    """Learn a meter. Raises `Problem` when too little is known.

    How late the temperature is felt is chosen by leaving out each four weeks in turn, unless `inertia` says it.
    """
    known = use.known
    if len(np.unique(use.days[known])) < _LEAST_DAYS:
        raise Problem(
            Text(
                f"Moins de {_LEAST_DAYS} jours connus pour apprendre",
                f"Fewer than {_LEAST_DAYS} known days to learn from",
            ),
            Text("Donnez une année, si possible.", "Give a year, if possible."),
        )
    choices = _INERTIA[use.step_h] if inertia is None else (inertia,)
    if len(choices) > 1:
        missed = [(held_out(use, a, _TRIED_FOLD_DAYS) - use.kwh)[known] for a in choices]
        if all(np.isfinite(m).any() for m in missed):  # else too few days to leave any out
            choices = (choices[int(np.argmin([float(np.nanmean(m**2)) for m in missed]))],)
    return _fit(use, choices[0], known)


def _fit(use: Use, inertia: float, known: Bools) -> Baseline:
    felt = _felt(use, inertia)
    knots = _apart(np.quantile(felt[known], _KNOTS))
    kinds = {int(sign): i for i, sign in enumerate(np.unique(_signs(use)[known]))}
    column = _kinds_of(use, kinds)
    count = np.bincount(column[known], minlength=len(kinds))
    means = np.bincount(column[known], use.kwh[known], minlength=len(kinds)) / np.maximum(count, 1)
    spread = float(means.max() - means.min())
    openness = (means - means.min()) / spread if spread > 0 else np.zeros(len(kinds))
    centre = _hats(felt[known], knots).mean(0)
    since = int(use.days[known].max()) - _LAST_DAYS + 1
    design = _design(use, column, openness, np.where(known, felt, knots[0]), knots, centre, since)
    shrunk = _penalty(use.step_h, len(kinds), len(knots) - 1)
    slots = _slots(use)
    coefficients = np.zeros((int(slots.max()) + 1 if use.step_h == 24 else 24, design.shape[1]))
    for slot in np.unique(slots):
        mine = known & (slots == slot)
        x = design[mine]
        if len(x):
            coefficients[slot] = np.linalg.solve(x.T @ x + np.diag(shrunk), x.T @ use.kwh[mine])
    said = np.einsum("ij,ij->i", design, coefficients[slots])
    return Baseline(
        use.step_h,
        inertia,
        knots,
        centre,
        kinds,
        openness,
        coefficients,
        since,
        use,
        np.where(known, use.kwh - said, np.nan),
    )


def _penalty(step_h: int, kinds: int, width: int) -> Array:
    kind, weekday, warm, warm_open = _SHRUNK[step_h]
    return np.concatenate(
        [
            [1e-6],
            np.full(kinds, kind),
            np.full(7, weekday),
            np.full(width, warm),
            np.full(width, warm_open),
            [_LEVEL_SHRUNK],
        ]
    )


def _apart(knots: Array) -> Array:
    """Return change points at least a tenth of a degree from one another."""
    return np.asarray(np.maximum.accumulate(knots + 0.1 * np.arange(len(knots))))


def held_out(use: Use, inertia: float | None = None, fold_days: int = _FOLD_DAYS) -> Array:
    """Return the use of each step as predicted by a model that learned all but the weeks around it."""
    said = np.full(len(use), np.nan)
    known = use.known
    a = _INERTIA[use.step_h][0] if inertia is None else inertia
    folds = (use.days - use.days[0]) // fold_days
    for fold in np.unique(folds):
        out = folds == fold
        learned = known & ~out
        if len(np.unique(use.days[learned])) < _LEAST_DAYS or not (out & known).any():
            continue
        said[out] = _fit(use, a, learned).predict(use, between=False)[out]
    return said
