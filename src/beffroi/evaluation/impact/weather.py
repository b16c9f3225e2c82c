"""Before and after, with the weather taken out: the baseline of the time before, carried over (IPMVP, option C).

The baseline is that of the time before only; what was avoided is what it predicts less what was measured. With the
covariates' deviations in the time after as columns of their own, that mean difference is one coefficient of one
regression by generalised least squares, and its uncertainty holds the baseline's, the noise's and the autocorrelation.
Without autocorrelation that is IPMVP's difference; with it, ordinary least squares sees only effects twice as large. The
formula and the quality of the baseline are those of ordinary least squares, as the protocol asks.
"""

import numpy as np

from beffroi.evaluation.impact.autocorrelation import Answer, ask, least_squares
from beffroi.evaluation.impact.finding import (
    LEVEL,
    Check,
    Finding,
    Model,
    Trace,
    decide,
    failed,
    not_applicable,
    passed,
    warned,
)  # fmt: skip
from beffroi.evaluation.impact.interrupted import SINGLE
from beffroi.evaluation.impact.panel import Floats, Panel
from beffroi.evaluation.impact.series import (
    PRE_TREND,
    Series,
    extreme_end,
    fit_of,
    placebo_date,
    pre_trend,
    prepare,
    regression_check,
    sensor_check,
    too_short,
)  # fmt: skip
from beffroi.model.text import Text

__all__ = ["before_after"]

_LARGEST_CV = 0.25  # ASHRAE Guideline 14: a monthly baseline worse than that predicts nothing
_OUTSIDE = 0.1
_STOPPED = 0.075  # a trend stops this study, where others look for the effect beside it


def before_after(panel: Panel, *, lower_is_better: bool = False) -> Finding:
    """Return the difference between what was measured after and what the time before predicts for it.

    Raises `Problem` when the covariates cannot be told apart.
    """
    start, periods = panel.start, len(panel.times)
    short = too_short("before-after", start, periods - start)
    if short is not None:
        return short
    series = prepare(panel, logs=False, seasonal=bool(panel.season))
    raw = {name: values[:, 0] for name, values in panel.covariates.items()}
    baseline = np.column_stack(
        [np.ones(periods), *raw.values(), series.base[:, 1 : series.base.shape[1] - len(raw)]]
    )
    beta = least_squares(series.values[:start], baseline[:start])[0]
    predicted = baseline @ beta
    answer = _gap(series, series.base)
    carried = series.base @ answer.coefficients[: series.base.shape[1]]
    checks = _checks(panel, series, answer, raw)
    measured = float(series.raw[start:].mean())
    without = measured - answer.estimate
    fit = fit_of(series.raw[:start], series.raw[:start] - predicted[:start])
    checks["baseline"] = _baseline(fit)
    relative = answer.estimate / without if without else None
    formula = {
        "intercept": float(beta[0]),
        **{name: float(b) for name, b in zip(raw, beta[1:], strict=False)},
    }
    model = Model(
        "baseline", Text("Référence de l'avant, prolongée", "Baseline of the time before, carried over"),
        answer.estimate, relative, answer.se, answer.p, {"baseline": formula},
    )  # fmt: skip
    return Finding(
        "before-after", decide(answer.estimate, answer.p, checks, lower_is_better=lower_is_better), answer.estimate,
        relative, answer.se, answer.interval95, answer.p, answer.mde, pre_fit=fit, checks=checks, models=(model,),
        values={"baseline": formula, "avoided": None if relative is None else -relative, "predicted": without, "measured": measured},
        trace=Trace(panel.times, tuple(map(float, series.raw)), tuple(map(float, carried)), start),
    )  # fmt: skip


def _gap(series: Series, base: Floats, *extra: Floats) -> Answer:
    """Return the mean of measured less predicted after the start."""
    step, start = series.step(), series.start
    moved = (base[:, 1:] - base[start:, 1:].mean(axis=0)) * step[:, None]
    # a season, a covariate that do not vary after the start need no column of their own there
    moved = moved[:, moved.std(axis=0) > 1e-12]
    design = np.column_stack([base, *extra, moved, step])
    if np.linalg.matrix_rank(design) < design.shape[1]:
        design = np.column_stack([base, *extra, step])
    return ask(series.values, design, np.eye(design.shape[1])[-1], stopped=_STOPPED)


def _checks(panel: Panel, series: Series, answer: Answer, raw: dict[str, Floats]) -> dict[str, Check]:
    start = series.start
    trend = series.ask(series.trend(), end=start).p
    if answer.p < LEVEL:
        trend = min(trend, series.ask(series.step(), series.trend()).p)
    checks = {
        "enough_periods": passed(Text("Assez de périodes.", "Enough periods."), before=start, after=len(series.raw) - start),
        "pre_trend": pre_trend(trend, trending=False) if trend >= PRE_TREND else failed(
            Text("Une tendance existe, que la référence n'explique pas : essayez « its ».",
                 "There is a trend that the baseline does not explain: try 'its'."), trend),
        "placebo_date": placebo_date(series, trending=False),
        "placebo_units": not_applicable(SINGLE),
        "leave_one_out": _leave_one_out(series, answer, tuple(raw)),
        "sensor_changes": sensor_check(panel),
        "extrapolation": _extrapolation(raw, start),
    }  # fmt: skip
    extreme, hidden = extreme_end(series)
    again = _gap(series, series.base, hidden).p if extreme and answer.p < LEVEL else None
    checks["regression_to_the_mean"] = regression_check(extreme, again, LEVEL)
    return checks


def _leave_one_out(series: Series, answer: Answer, names: tuple[str, ...]) -> Check:
    if not names:
        return not_applicable(
            Text("Ni témoin ni covariable à retirer.", "Neither control nor covariate to leave out.")
        )
    first = series.base.shape[1] - len(names)
    found = {n: _gap(series, np.delete(series.base, first + i, axis=1)).estimate for i, n in enumerate(names)}
    turned = [n for n, value in found.items() if (value > 0) != (answer.estimate > 0)]
    if turned and answer.p < LEVEL:
        return warned(
            Text("Sans {names}, l'effet change de sens : tout repose sur cette correction.",
                 "Without {names} the effect turns round: all rests on that correction.").filled(names=", ".join(turned)),
            estimates=found,
        )  # fmt: skip
    return passed(
        Text("Aucune covariable ne fait le résultat à elle seule.", "No covariate makes the result alone."),
        estimates=found,
    )


def _extrapolation(raw: dict[str, Floats], start: int) -> Check:
    """Return whether the time after had weather that the time before never had."""
    if not raw:
        return not_applicable(Text("Aucune covariable.", "No covariate."))
    outside = {}
    for name, values in raw.items():
        low, high = float(values[:start].min()), float(values[:start].max())
        margin = 0.1 * (high - low)
        outside[name] = float(np.mean((values[start:] < low - margin) | (values[start:] > high + margin)))
    if max(outside.values()) > _OUTSIDE:
        return failed(
            Text("Trop de valeurs d'après sortent de ce que la référence a connu.",
                 "Too many values after are outside what the baseline has seen."), shares=outside,
        )  # fmt: skip
    return passed(Text("La référence couvre l'après.", "The baseline covers the time after."), shares=outside)


def _baseline(fit: dict[str, float]) -> Check:
    if fit["cv"] > _LARGEST_CV:
        return warned(
            Text("La référence prédit mal (erreur supérieure au quart de la moyenne).",
                 "The baseline predicts badly (an error above a quarter of the mean)."), cv=fit["cv"],
        )  # fmt: skip
    return passed(Text("La référence prédit bien.", "The baseline predicts well."), cv=fit["cv"])
