"""Comparison: a study with control units. What each design owes (a fit, an inference) and the checks they all owe."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.evaluation.impact.autocorrelation import ask
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
    unevaluable,
    warned,
)
from beffroi.evaluation.impact.panel import Floats, Panel
from beffroi.evaluation.impact.series import PRE_TREND, fit_of, regression_check, sensor_check
from beffroi.evaluation.impact.tails import stdtr, stdtrit
from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["Design", "Fit", "Inference", "adjusted", "compare", "student", "with_treated"]

LEAST_BEFORE = 8
_LEAST_TO_CHECK = 3
_LEAST_CONTROLS = 2
_PLACEBO_DATE = 0.05
_RANK = 0.10  # the treated unit must be among the tenth that moved most
_EXTREME_SHARE = 10
_MOST_LEFT_OUT = 60
_MOST_WEIGHTED, _MOST_WEIGHTED_PERIODS = 300, 2_000
_TREND_SHARE = 1 / 3  # of the effect that a trend before may carry
_PLACEBO_SHARE = 1 / 10  # of the effect that a false date may give: a trend would give it half of it


class Fit(msgspec.Struct, frozen=True, eq=False):
    """A point estimate: the mean gap since the start. `gap[t]` is treated less what its controls say it would be."""

    estimate: float
    gap: Floats
    weights: Floats
    values: dict[str, Any] = {}


class Inference(msgspec.Struct, frozen=True):
    """How sure. `rank` and `of`: the place of the treated among all units, itself included."""

    se: float | None
    interval95: tuple[float, float] | None
    p: float
    mde: float | None
    rank: int
    of: int
    values: dict[str, Any] = {}


class Design(msgspec.Struct, frozen=True):
    """One way of comparing. `weighted`: the weights were fitted, so the fit before the start is itself a check."""

    name: str
    words: Text
    fit: Callable[[Panel], Fit]
    infer: Callable[[Panel, Fit], Inference]
    weighted: bool = True


def student(estimate: float, se: float, freedom: float) -> tuple[tuple[float, float], float, float]:
    """Return the 95 % interval, the two-sided p and the effect found four times out of five."""
    reach = float(stdtrit(freedom, 1 - LEVEL / 2)) * se
    p = float(2 * stdtr(freedom, -abs(estimate) / se)) if se > 0 else float(estimate == 0)
    return (estimate - reach, estimate + reach), p, reach + float(stdtrit(freedom, 0.8)) * se


def with_treated(panel: Panel, unit: int, controls: NDArray[np.int64]) -> Panel:
    """Return the panel of `controls` where one of them is believed to be treated at the start."""
    kept = panel.keep([unit, *[c for c in controls if c != unit]])
    cohort = np.full(len(kept.units), -1)
    cohort[0] = panel.start
    return msgspec.structs.replace(kept, cohort=cohort)


def adjusted(panel: Panel) -> Panel:
    """Return the panel with the part of its covariates taken out.

    Their coefficients come from untreated cells only (two-way fixed effects), so that no effect goes into them.
    """
    if not panel.covariates:
        return panel
    untreated = np.ones(panel.outcome.shape, dtype=np.bool_)
    untreated[panel.start :, panel.treated] = False
    tables = [_within(values, untreated) for values in (panel.outcome, *panel.covariates.values())]
    design = np.column_stack([t[untreated] for t in tables[1:]])
    if np.linalg.matrix_rank(design) < design.shape[1]:
        names = ", ".join(panel.covariates)
        raise Problem(
            Text(f"Ces covariables ne varient pas assez pour être séparées : {names}.",
                 f"These covariates do not vary enough to be told apart: {names}."),
            Text("Retirez-en une.", "Remove one."), "--covariate",
        )  # fmt: skip
    beta = np.linalg.lstsq(design, tables[0][untreated], rcond=None)[0]
    left = panel.outcome - sum(
        b * (values - values.mean()) for b, values in zip(beta, panel.covariates.values(), strict=True)
    )
    return msgspec.structs.replace(panel, outcome=left, covariates={})


def _within(values: Floats, kept: NDArray[np.bool_]) -> Floats:
    """Return values less their unit's and period's means over the kept cells, by alternating."""
    left = np.where(kept, values, 0.0)
    rows, columns = kept.sum(axis=1, keepdims=True), kept.sum(axis=0, keepdims=True)
    for _ in range(500):
        before = left
        left = np.where(kept, left - left.sum(axis=0, keepdims=True) / np.maximum(columns, 1), 0.0)
        left = np.where(kept, left - left.sum(axis=1, keepdims=True) / np.maximum(rows, 1), 0.0)
        if float(np.abs(left - before).max()) <= 1e-12 * (1 + float(np.abs(left).max())):
            break
    return left


def compare(design: Design, panel: Panel, *, lower_is_better: bool = False) -> Finding:
    """Return what `design` finds in `panel`. Raises `Problem` when no unit is a control."""
    missing = _missing(design, panel)
    if missing is not None:
        return missing
    whole, panel = panel, adjusted(panel)
    start = panel.start
    fit = design.fit(panel)
    inference = design.infer(panel, fit)
    claimed = inference.p < LEVEL
    checks = {
        "enough_periods": _enough(start, len(panel.times) - start),
        "pre_trend": _pre_trend(fit, inference, start),
        "placebo_date": _placebo_date(design, panel, fit),
        "placebo_units": _placebo_units(inference, claimed=claimed),
        "leave_one_out": _leave_one_out(design, panel, fit, claimed=claimed),
        "sensor_changes": _sensors(whole),
        "regression_to_the_mean": _extreme(design, panel, fit, claimed=claimed),
    }
    treated = panel.outcome[:, panel.treated].mean(axis=1)
    quality = fit_of(treated[:start], fit.gap[:start])
    if design.weighted:
        checks["pre_fit"] = _pre_fit(inference, quality)
    without = float(treated[start:].mean()) - fit.estimate
    relative = fit.estimate / without if without else None
    names = [panel.units[i] for i in panel.controls]
    return Finding(
        design.name, decide(fit.estimate, inference.p, checks, lower_is_better=lower_is_better), fit.estimate, relative,
        inference.se, inference.interval95, inference.p, inference.mde,
        {n: float(w) for n, w in zip(names, fit.weights, strict=True) if w > 1e-6}, quality, checks,
        (Model(design.name, design.words, fit.estimate, relative, inference.se, inference.p),),
        values={**fit.values, **inference.values, "gap": [float(g) for g in fit.gap]},
        trace=Trace(panel.times, tuple(map(float, treated)), tuple(map(float, treated - fit.gap)), start),
    )  # fmt: skip


def _missing(design: Design, panel: Panel) -> Finding | None:
    """Return the finding of a study that cannot be checked."""
    if not len(panel.controls):
        raise Problem(
            Text("L'unité traitée n'a aucun témoin.", "The treated unit has no control."),
            Text("Ajoutez des unités qui ne sont pas traitées, ou utilisez « its » ou « before-after ».",
                 "Add units that are not treated, or use 'its' or 'before-after'."),
            "--treated",
        )  # fmt: skip
    if design.weighted and (
        len(panel.controls) > _MOST_WEIGHTED or len(panel.times) > _MOST_WEIGHTED_PERIODS
    ):
        raise Problem(
            Text(f"« {design.name} » pèse chaque témoin : {len(panel.controls)} témoins et {len(panel.times)} périodes sont trop.",
                 f"'{design.name}' weighs each control: {len(panel.controls)} controls and {len(panel.times)} periods are too many."),
            Text(f"Gardez les {_MOST_WEIGHTED} témoins les plus comparables et {_MOST_WEIGHTED_PERIODS} périodes, ou utilisez « did ».",
                 f"Keep the {_MOST_WEIGHTED} most comparable controls and {_MOST_WEIGHTED_PERIODS} periods, or use 'did'."),
            "--unit",
        )  # fmt: skip
    words = []
    if len(panel.controls) < _LEAST_CONTROLS:
        words.append(Text("Avec un seul témoin, aucun placebo n'est possible : il en faut au moins deux.",
                          "With a single control no placebo is possible: at least two are needed."))  # fmt: skip
    if panel.start < _LEAST_TO_CHECK:
        words.append(
            Text(f"Avec {panel.start} période(s) avant le début, la tendance d'avant ne se vérifie pas : il en faut {LEAST_BEFORE}.",
                 f"With {panel.start} period(s) before the start, the trend before cannot be checked: {LEAST_BEFORE} are needed."),
        )  # fmt: skip
    return _unchecked(design, panel, words) if words else None


def _unchecked(design: Design, panel: Panel, words: list[Text]) -> Finding:
    """Return the finding of a study that has too little to be checked. What it comes to is a plain difference of means,
    which is said without any error, p or effect that could have been seen: there is nothing to take them from. Weights
    that were fitted to so little would be no figure at all."""
    bare = unevaluable(design.name, words)
    if design.weighted or panel.start < 1:
        return bare
    fit = design.fit(adjusted(panel))
    return msgspec.structs.replace(bare, estimate=fit.estimate, values={"unchecked": True})


def _enough(before: int, after: int) -> Check:
    if before < LEAST_BEFORE:
        return failed(
            Text(f"Il faut au moins {LEAST_BEFORE} périodes avant ; il y en a {before}.",
                 f"At least {LEAST_BEFORE} periods before are needed; there are {before}."), before=before, after=after,
        )  # fmt: skip
    return passed(Text("Assez de périodes.", "Enough periods."), before=before, after=after)


def _pre_trend(fit: Fit, inference: Inference, start: int) -> Check:
    """Return whether the gap was already moving before the start, enough to make what is seen after.

    Going on as it went, it would have moved by its slope times the distance between the middles of before and after.
    """
    before = fit.gap[:start]
    if start < 5 or float(np.ptp(before)) <= 1e-9 * (1 + float(np.abs(before).max())):
        slope = float(np.polyfit(np.arange(start), before, 1)[0]) if start > 1 else 0.0
        return passed(
            Text("L'écart avant le début ne bouge pas.", "The gap before the start does not move."),
            slope=slope,
        )
    line = np.column_stack([np.ones(start), np.arange(start) - (start - 1) / 2])
    answer = ask(before, line, np.array([0.0, 1.0]))
    carried = answer.estimate * len(fit.gap) / 2
    told = {"slope": answer.estimate, "carried": carried}
    if answer.p >= PRE_TREND:
        return passed(
            Text("Traité et témoins allaient du même pas avant.", "Treated and controls went the same way before."),
            answer.p, **told,
        )  # fmt: skip
    if abs(carried) < max(abs(fit.estimate) * _TREND_SHARE, (inference.mde or 0.0) / 4):
        return warned(
            Text("L'écart bougeait un peu avant le début, trop peu pour faire le résultat.",
                 "The gap was moving a little before the start, too little to make the result."), answer.p, **told,
        )  # fmt: skip
    return failed(
        Text("L'écart entre traité et témoins bougeait déjà avant le début.",
             "The gap between treated and controls was already moving before the start."), answer.p, **told,
    )  # fmt: skip


def _placebo_date(design: Design, panel: Panel, whole: Fit) -> Check:
    """Believe that it began earlier, at two thirds of the time before: nothing should be seen, or next to nothing."""
    start = panel.start
    early = max(2, (2 * start) // 3)
    if start - early < 1 or start < 4:
        return failed(
            Text(
                "Trop peu de périodes avant pour une fausse date.", "Too few periods before for a false date."
            )
        )
    before = panel.keep(np.arange(len(panel.units)), 0, start)
    before = msgspec.structs.replace(before, cohort=np.where(before.cohort >= 0, early, -1))
    fit = design.fit(before)
    inference = design.infer(before, fit)
    if inference.p < _PLACEBO_DATE and abs(fit.estimate) < _PLACEBO_SHARE * abs(whole.estimate):
        return warned(
            Text("Une fausse date, avant le début, donne aussi un écart, mais plus de dix fois plus petit.",
                 "A false date, before the start, gives a gap too, but one more than ten times smaller."), inference.p, at=panel.times[early], estimate=fit.estimate,
        )  # fmt: skip
    if inference.p < _PLACEBO_DATE:
        return failed(
            Text("Une fausse date, avant le début, donne aussi un « effet ».",
                 "A false date, before the start, gives an 'effect' too."), inference.p, at=panel.times[early], estimate=fit.estimate,
        )  # fmt: skip
    return passed(
        Text("Une fausse date ne donne rien.", "A false date gives nothing."), inference.p,
        at=panel.times[early], estimate=fit.estimate,
    )  # fmt: skip


def _placebo_units(inference: Inference, *, claimed: bool) -> Check:
    share = inference.rank / inference.of
    told = {"rank": inference.rank, "of": inference.of}
    if claimed and share > max(_RANK, 1 / inference.of):
        return failed(
            Text(f"{inference.rank - 1} unité(s) non traitée(s) ont bougé davantage.",
                 f"{inference.rank - 1} untreated unit(s) moved more."), share, **told,
        )  # fmt: skip
    return passed(
        Text(f"L'écart du traité est le {_ordinal(inference.rank)} de {inference.of}, fausses unités comprises.",
             f"The gap of the treated is number {inference.rank} of {inference.of}, placebos included."),
        share, **told,
    )  # fmt: skip


def _ordinal(rank: int) -> str:
    return "1ᵉʳ" if rank == 1 else f"{rank}ᵉ"


def _leave_one_out(design: Design, panel: Panel, fit: Fit, *, claimed: bool) -> Check:
    """Leave out in turn each control that weighs."""
    controls = panel.controls
    if len(controls) < 3:
        return not_applicable(
            Text("Trop peu de témoins pour en retirer un.", "Too few controls to leave one out.")
        )
    heavy = [
        int(i) for i in np.argsort(-fit.weights, kind="stable")[:_MOST_LEFT_OUT] if fit.weights[i] > 1e-3
    ]
    found = {}
    for i in heavy:
        kept = np.delete(np.arange(len(panel.units)), controls[i])
        found[panel.units[controls[i]]] = design.fit(panel.keep(kept)).estimate
    low, high = min(found.values()), max(found.values())
    told = {"lowest": low, "highest": high}
    swing = max(abs(low - fit.estimate), abs(high - fit.estimate)) > abs(fit.estimate) / 2
    if claimed and (swing or (low > 0) != (high > 0)):
        return failed(
            Text("Le résultat tient à un seul témoin.", "The result hangs on a single control."), None, **told
        )
    return passed(
        Text("Aucun témoin ne fait le résultat à lui seul.", "No control makes the result alone."),
        None,
        **told,
    )


def _sensors(panel: Panel) -> Check:
    """Return the check of the treated units' sensors; those of the controls are said."""
    found = sensor_check(panel)
    if found.outcome == "fail":
        return found
    others = [c for c in panel.changes if 0 < c.at < len(panel.times)]
    if not others:
        return found
    names = ", ".join(sorted({c.unit for c in others}))
    return warned(
        Text(f"Le capteur d'un témoin a changé : {names}.", f"The sensor of a control changed: {names}.")
    )


def _extreme(design: Design, panel: Panel, fit: Fit, *, claimed: bool) -> Check:
    """Was the gap an extreme just before the start, and would the effect stand without that moment?"""
    start = panel.start
    width = max(1, start // _EXTREME_SHARE)
    means = np.convolve(fit.gap[:start], np.ones(width) / width, "valid")
    others = means[:-width]
    extreme = bool(len(others)) and not others.min() <= means[-1] <= others.max()
    if not (extreme and claimed):
        return regression_check(extreme, None, LEVEL)
    kept = np.delete(np.arange(len(panel.times)), np.arange(start - width, start))
    shorter = Panel(
        panel.outcome[kept],
        panel.units,
        tuple(panel.times[i] for i in kept),
        np.where(panel.cohort >= 0, start - width, -1),
    )
    return regression_check(True, design.infer(shorter, design.fit(shorter)).p, LEVEL)


def _pre_fit(inference: Inference, quality: dict[str, float]) -> Check:
    usual = inference.values.get("placebo_rmspe")
    if usual is not None and quality["rmspe"] > 2 * usual:
        return failed(
            Text("Les témoins ne reproduisent pas l'unité traitée avant le début.",
                 "The controls do not reproduce the treated unit before the start."), None, usual=usual,
        )  # fmt: skip
    return passed(Text("Les témoins reproduisent l'unité traitée avant le début.",
                       "The controls reproduce the treated unit before the start."), None, usual=usual)  # fmt: skip
