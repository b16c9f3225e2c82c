"""Interrupted series: one series, one date, and what the series would have gone on doing.

Without a trend before the start a constant level decides. With one, no single way of prolonging it can be trusted (on the
British seat belts a straight line says -14 %, a wandering level -21 %): both are shown, and an effect is said only when both
find it at one in a thousand.
"""

import msgspec
import numpy as np

from beffroi.evaluation.impact.autocorrelation import ask, seen_share
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
)  # fmt: skip
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
from beffroi.evaluation.impact.tails import stdtrit
from beffroi.model.text import Text

__all__ = ["SINGLE", "interrupted"]

_TREND_LEVEL = 0.001  # asked of both models when there was a trend before

SINGLE = Text("Une seule série : aucune unité témoin.", "A single series: no control unit.")


def interrupted(panel: Panel, *, lower_is_better: bool = False) -> Finding:
    """Return what happened to the single series of `panel` at its start. Raises `Problem` when columns are the same."""
    start, periods = panel.start, len(panel.times)
    short = too_short("its", start, periods - start)
    if short is not None:
        return short
    series = prepare(panel)
    trend_before = series.ask(series.trend(), end=start)
    level_model = _model(series, "level")
    # what a trend explains as well is no effect: it is looked for before the start and, when a step is claimed, everywhere
    around = series.ask(series.step(), series.trend()).p if _p(level_model) < LEVEL else 1.0
    trending = min(trend_before.p, around) < PRE_TREND
    checks = {
        "enough_periods": passed(
            Text("Assez de périodes.", "Enough periods."), before=start, after=periods - start
        )
    }
    trend_p = min(trend_before.p, around)
    checks["pre_trend"] = pre_trend(trend_p, trending=trending)
    checks["placebo_date"] = placebo_date(series, trending=trending)
    checks["placebo_units"] = not_applicable(SINGLE)
    level = _TREND_LEVEL if trending else LEVEL
    models = [_model(series, name, level=level) for name in ("linear_trend", "local_level")]
    if not trending:
        models.insert(0, level_model)
    deciding = models if trending else models[:1]
    chosen = max(deciding, key=_p)
    shown = _p(chosen) < level and len({m.estimate > 0 for m in deciding}) == 1
    if trending and not shown:
        checks["pre_trend"] = failed(_NOT_TOGETHER, trend_p)
    checks["leave_one_out"] = _leave_one_out(series, chosen)
    checks["sensor_changes"] = sensor_check(panel)
    checks["regression_to_the_mean"] = _extreme(series, chosen, level, shown=shown)
    verdict = decide(chosen.estimate, _p(chosen), checks, lower_is_better=lower_is_better, level=level)
    return _finding(panel, series, models, chosen, checks, verdict)


def _p(model: Model) -> float:
    return 1.0 if model.p is None else model.p


_NOT_TOGETHER = Text(
    "Une tendance existe, et ses deux prolongements ne concluent pas ensemble au seuil de 1 pour 1000.",
    "There is a trend, and its two continuations do not conclude together at 1 in 1000.",
)
_WORDS = {
    "level": Text("Niveau constant, erreurs autocorrélées", "Constant level, autocorrelated errors"),
    "linear_trend": Text("Tendance linéaire, erreurs autocorrélées", "Linear trend, autocorrelated errors"),
    "local_level": Text("Niveau local qui dérive (espace d'états)", "Wandering local level (state space)"),
}


def _model(series: Series, name: str, *extra: Floats, level: float = LEVEL) -> Model:
    """Return one model's effect, in the outcome's unit; `extra` columns stand beside. `level`: that at which it decides."""
    step = series.step()
    if name == "local_level":
        effect, error, p, freedom, _ = series.wandering(*extra, step)
        reach = float(stdtrit(freedom, 1 - LEVEL / 2)) * error
        low_high = (effect - reach, effect + reach)
        mde = (float(stdtrit(freedom, 1 - level / 2)) + float(stdtrit(freedom, seen_share()))) * error
    else:
        line = (series.trend(),) if name == "linear_trend" else ()
        answer = series.ask(*extra, *line, step, ordinary=name == "linear_trend", level=level)
        effect, error, p, low_high, mde = answer.estimate, answer.se, answer.p, answer.interval95, answer.mde
    after = series.raw[series.start :]
    if series.log:
        inside = {"log_effect": effect, "interval95": [_of_log(x, after) for x in low_high]}
        without = after * np.exp(-effect)
        return Model(
            name, _WORDS[name], _of_log(effect, after), float(np.expm1(effect)), error * float(after.mean()), p,
            inside | {"scale": "log", "mde": float(np.expm1(mde) * without.mean())},
        )  # fmt: skip
    base = float(after.mean()) - effect
    return Model(
        name, _WORDS[name], effect, effect / base if base else None, error, p,
        {"scale": "level", "interval95": list(low_high), "mde": mde},
    )  # fmt: skip


def _of_log(effect: float, after: Floats) -> float:
    return float(np.mean(after - after * np.exp(-effect)))


def _leave_one_out(series: Series, chosen: Model) -> Check:
    """Leave out each covariate in turn."""
    if not series.names:
        return not_applicable(
            Text("Ni témoin ni covariable à retirer.", "Neither control nor covariate to leave out.")
        )
    count = len(series.names)
    found = {}
    for i, left in enumerate(series.names):
        kept = np.delete(series.base, series.base.shape[1] - count + i, axis=1)
        found[left] = _model(msgspec.structs.replace(series, base=kept), chosen.name).estimate
    if _p(chosen) < LEVEL and any((value > 0) != (chosen.estimate > 0) for value in found.values()):
        return failed(
            Text("Sans l'une des covariables, l'effet change de sens.", "Without one covariate the effect turns round."),
            estimates=found,
        )  # fmt: skip
    return passed(
        Text("Aucune covariable ne fait le résultat à elle seule.", "No covariate makes the result alone."),
        estimates=found,
    )


def _extreme(series: Series, chosen: Model, level: float, *, shown: bool) -> Check:
    """Was the last stretch before the start an extreme, and would the effect stand without it?"""
    trending = chosen.name != "level"
    extreme, hidden = extreme_end(series, *([series.trend()] if trending else []))
    return regression_check(
        extreme, _p(_model(series, chosen.name, hidden)) if extreme and shown else None, level
    )


def _finding(
    panel: Panel, series: Series, models: list[Model], chosen: Model, checks: dict[str, Check], verdict: str
) -> Finding:
    # a wandering level has no formula to draw: the straight line stands for it
    line = [] if chosen.name == "level" else [series.trend()]
    design = np.column_stack([series.base, *line, series.step()])
    said = ask(series.values, design, np.eye(design.shape[1])[-1], ordinary=bool(line)).coefficients
    without = design[:, :-1] @ said[:-1]
    fitted = np.exp(without) if series.log else without
    gap = series.raw[: series.start] - fitted[: series.start]
    low, high = chosen.values["interval95"]
    return Finding(
        "its", verdict, chosen.estimate, chosen.relative, chosen.se, (low, high), chosen.p,
        max(m.values["mde"] for m in (models if line else models[:1])),
        pre_fit=fit_of(series.raw[: series.start], gap), checks=checks, models=tuple(models),
        values={"model": chosen.name, "scale": "log" if series.log else "level"},
        trace=Trace(panel.times, tuple(map(float, series.raw)), tuple(map(float, fitted)), series.start),
    )  # fmt: skip
