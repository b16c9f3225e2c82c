"""Series: what is regressed of one unit, and the checks that every study of a single series owes."""

import msgspec
import numpy as np

from beffroi.evaluation.impact.autocorrelation import Answer, ask, least_squares
from beffroi.evaluation.impact.finding import LEVEL, Check, Finding, failed, passed, unevaluable, warned
from beffroi.evaluation.impact.local_level import wandering
from beffroi.evaluation.impact.panel import Floats, Panel
from beffroi.evaluation.impact.season import find_season, season_columns
from beffroi.evaluation.impact.tails import stdtr
from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = [
    "LEAST_BEFORE", "PRE_TREND", "Series", "covariate_columns", "extreme_end", "fit_of", "placebo_date", "pre_trend",
    "prepare", "regression_check", "sensor_check", "too_short", "two_sided",
]  # fmt: skip

LEAST_BEFORE, LEAST_AFTER = 12, 4
PRE_TREND = 0.05
_PLACEBO = 0.01
_EXTREME_SHARE = 20  # the last twentieth of what came before is what the decision was taken on


class Series(msgspec.Struct, frozen=True, eq=False):
    """What is regressed: values (their logarithm when `log`), the columns that are always there, the start."""

    values: Floats
    base: Floats
    names: tuple[str, ...]
    start: int
    log: bool
    raw: Floats

    def step(self, start: int | None = None) -> Floats:
        """Return the column that is 1 from `start` on."""
        return (np.arange(len(self.values)) >= (self.start if start is None else start)).astype(np.float64)

    def trend(self) -> Floats:
        """Return the column of a straight line."""
        return np.arange(len(self.values)) / len(self.values) - 0.5

    def ask(
        self, *columns: Floats, end: int | None = None, ordinary: bool = False, level: float = LEVEL
    ) -> Answer:
        """Return the answer on the last column given, beside the base ones, over the periods before `end`."""
        design = np.column_stack([self.base, *columns])[:end]
        contrast = np.zeros(design.shape[1])
        contrast[-1] = 1
        return ask(self.values[:end], design, contrast, ordinary=ordinary, level=level)

    def wandering(
        self, *columns: Floats, end: int | None = None
    ) -> tuple[float, float, float, float, Floats]:
        """Return the last column's effect around a local level, its error, p and freedom, and what was without it."""
        design = np.column_stack([self.base[:, 1:], *columns])[:end]
        found = wandering(self.values[:end], design)
        effect, error = float(found.coefficients[-1]), float(found.covariance[-1, -1]) ** 0.5
        return effect, error, two_sided(effect / error, found.freedom), found.freedom, found.coefficients


def two_sided(t: float, freedom: float) -> float:
    return float(2 * stdtr(freedom, -abs(t)))


def too_short(method: str, before: int, after: int, least: int = LEAST_BEFORE) -> Finding | None:
    """Return the finding that says there is too little to check anything on, when there is."""
    if before >= least and after >= LEAST_AFTER:
        return None
    words = Text(
        f"Il faut au moins {least} périodes avant et {LEAST_AFTER} après ; il y en a {before} et {after}.",
        f"At least {least} periods before and {LEAST_AFTER} after are needed; there are {before} and {after}.",
    )
    return unevaluable(method, [words], {"enough_periods": failed(words, before=before, after=after)})


def prepare(panel: Panel, *, logs: bool = True, seasonal: bool = True) -> Series:
    raw = panel.outcome[:, 0]
    covariates = {name: values[:, 0] for name, values in panel.covariates.items()}
    start, rows = panel.start, len(raw)
    if float(np.ptp(raw[:start])) == 0:
        raise Problem(
            Text("Avant le début, toutes les valeurs sont égales : rien n'est mesurable.",
                 "Before the start all values are equal: nothing can be measured."),
            Text("Vérifiez la colonne mesurée.", "Check the measured column."),
        )  # fmt: skip
    tables: dict[bool, tuple[Floats, Floats, float]] = {}
    season = 0
    for log in (False, True):
        if log and (not logs or float(raw.min()) <= 0):
            continue
        values = np.log(raw) if log else raw
        others = covariate_columns(covariates, rows, log=log)
        if not log:
            season = panel.season or (find_season(values[:start], others[:start]) if seasonal else 0)
        base = np.column_stack([np.ones(rows), season_columns(rows, season), others])
        _independent(base[:start], tuple(covariates), season)
        design = np.column_stack([base, np.arange(rows), np.arange(rows) >= start])
        square = float(np.sum(least_squares(values, design)[1] ** 2))
        score = rows * np.log(max(square, 1e-300)) + (2 * float(np.sum(np.log(raw))) if log else 0.0)
        tables[log] = values, base, score
    log = True in tables and tables[True][2] + 2 < tables[False][2]
    values, base, _ = tables[log]
    return Series(values, base, tuple(covariates), start, log, raw)


def covariate_columns(covariates: dict[str, Floats], rows: int, *, log: bool) -> Floats:
    """Return the covariates, centred and scaled; with a logarithm where the outcome has one and they can."""
    columns = []
    for values in covariates.values():
        column = np.log(values) if log and float(values.min()) > 0 else values
        spread = float(np.std(column))
        columns.append((column - column.mean()) / (spread or 1.0))
    return np.column_stack(columns) if columns else np.empty((rows, 0))


def _independent(before: Floats, names: tuple[str, ...], season: int) -> None:
    """Refuse columns that say the same before the start."""
    columns = before.shape[1]
    if before.shape[0] > columns + 3 and np.linalg.matrix_rank(before) == columns:
        return
    told = ", ".join(names) or f"season {season}"
    raise Problem(
        Text(f"Avant le début, ces colonnes ne varient pas assez pour être séparées : {told}.",
             f"Before the start these columns do not vary enough to be told apart: {told}."),
        Text("Retirez-en une, ou donnez une période plus longue.", "Remove one, or give a longer period."),
    )  # fmt: skip


def pre_trend(p: float, *, trending: bool) -> Check:
    if not trending:
        return passed(Text("Pas de tendance décelable avant.", "No trend to be seen before."), p)
    return warned(
        Text("Une tendance existe : l'effet doit se voir au seuil de 1 pour 1000 dans les deux modèles.",
             "There is a trend: the effect must show at 1 in 1000 in both models."), p,
    )  # fmt: skip


def placebo_date(series: Series, *, trending: bool) -> Check:
    middle = series.start // 2
    if trending:
        p = series.wandering(series.step(middle), end=series.start)[2]
    else:
        p = series.ask(series.step(middle), end=series.start).p
    if p < _PLACEBO:
        return failed(
            Text("Une date prise au milieu de l'avant donne aussi un « effet ».",
                 "A date taken in the middle of the time before gives an 'effect' too."), p, at=middle,
        )  # fmt: skip
    return passed(Text("Une fausse date ne donne rien.", "A false date gives nothing."), p, at=middle)


def sensor_check(panel: Panel) -> Check:
    """Return whether what measures a treated unit changed inside the window."""
    names = {panel.units[i] for i in panel.treated}
    inside = [c for c in panel.changes if c.unit in names and 0 < c.at < len(panel.times)]
    if not inside:
        return passed(
            Text("Aucun changement de capteur dans la fenêtre.", "No change of sensor in the window.")
        )
    fr = ", ".join(f"{panel.times[c.at]}, {c.note.fr or c.unit}" for c in inside)
    en = ", ".join(f"{panel.times[c.at]}, {c.note.en or c.unit}" for c in inside)
    return failed(
        Text(f"Le capteur a changé dans la fenêtre ({fr}) : l'effet peut être le sien.",
             f"The sensor changed inside the window ({en}): the effect may be its own."),
        changes=[panel.times[c.at] for c in inside],
    )  # fmt: skip


def extreme_end(series: Series, *columns: Floats) -> tuple[bool, Floats]:
    """Return whether the last stretch before the start was the highest or lowest of all, and the columns that hide it."""
    start = series.start
    width = max(1, start // _EXTREME_SHARE)
    before = np.column_stack([series.base, *columns])[:start]
    residual = least_squares(series.values[:start], before)[1]
    means = np.convolve(residual, np.ones(width) / width, "valid")
    others = means[:-width]
    hidden = np.eye(len(series.values))[:, start - width : start]
    return not others.min() <= means[-1] <= others.max(), hidden


def regression_check(extreme: bool, again: float | None, level: float) -> Check:
    """Return the check of regression to the mean; `again` is the p without the last stretch, when an effect is claimed."""
    if not extreme:
        return passed(
            Text(
                "La décision n'a pas suivi un moment extrême.",
                "The decision did not follow an extreme moment.",
            )
        )
    if again is None:
        return warned(
            Text("Le dernier moment avant le début était extrême : un retour à la normale est à attendre.",
                 "The last moment before the start was extreme: a return to normal is to be expected."),
        )  # fmt: skip
    if again < 2 * level:
        return warned(
            Text("Le dernier moment avant le début était extrême ; l'effet tient sans lui.",
                 "The last moment before the start was extreme; the effect stands without it."), again,
        )  # fmt: skip
    return failed(
        Text("Le dernier moment avant le début était extrême, et sans lui l'effet ne tient pas (retour à la moyenne).",
             "The last moment before the start was extreme; without it the effect does not stand (regression to the mean)."),
        again,
    )  # fmt: skip


def fit_of(observed: Floats, gap: Floats) -> dict[str, float]:
    """Return how well the time before is told: root mean square error, the same over the mean, share explained."""
    rmspe = float(np.sqrt(np.mean(gap**2)))
    mean, spread = float(np.mean(observed)), float(np.sum((observed - observed.mean()) ** 2))
    return {
        "rmspe": rmspe,
        "cv": rmspe / abs(mean) if mean else 0.0,
        "r2": 1 - float(np.sum(gap**2)) / spread if spread else 0.0,
    }
