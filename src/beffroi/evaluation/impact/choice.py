"""Which design the data allow: proposed with its reasons, for a person to accept or to refuse."""

import msgspec
import numpy as np

from beffroi.evaluation.impact.autocorrelation import ask
from beffroi.evaluation.impact.panel import Panel
from beffroi.evaluation.impact.series import LEAST_BEFORE, PRE_TREND, prepare
from beffroi.model.text import Text

__all__ = ["Proposal", "propose"]

_MANY_CONTROLS = 10
_LONG = 10


class Proposal(msgspec.Struct, frozen=True):
    """A method by its name at the command line, and why."""

    method: str
    reasons: tuple[Text, ...]


def propose(panel: Panel) -> Proposal:
    """Return the design that the number of controls, the length and the trend before call for."""
    controls, treated = len(panel.controls), len(panel.treated)
    if not controls:
        return _alone(panel, [Text("Aucune unité témoin.", "No control unit.")])
    starts = np.unique(panel.cohort[panel.cohort >= 0])
    if len(starts) > 1:
        reason = Text(
            f"{len(starts)} dates de début : comparer aux seules unités jamais traitées.",
            f"{len(starts)} starting dates: compare with the never treated only.",
        )
        return Proposal("staggered", (reason,))
    before = panel.start
    many = Text(
        f"{treated} traitée(s), {controls} témoins, {before} périodes avant.",
        f"{treated} treated, {controls} controls, {before} periods before.",
    )
    if controls < 2:
        return _alone(
            panel,
            [Text("Un seul témoin : aucun placebo possible.", "A single control: no placebo is possible.")],
        )
    p = _trend_of_gap(panel)
    if p >= PRE_TREND:
        parallel = Text(
            "Traité et témoins allaient du même pas avant : la comparaison la plus simple suffit.",
            "Treated and controls went the same way before: the simplest comparison will do.",
        )
        return Proposal("did", (many, parallel))
    apart = Text(
        "Traité et témoins n'allaient pas du même pas avant : il faut pondérer les témoins.",
        "Treated and controls did not go the same way before: the controls must be weighted.",
    )
    if controls >= _MANY_CONTROLS and before >= _LONG:
        enough = Text("Assez de témoins et de recul pour le faire.", "Enough controls and history to do so.")
        return Proposal("sdid", (many, apart, enough))
    few = Text(
        "Trop peu de témoins ou de recul pour mieux que leur mélange.",
        "Too few controls or too short a history for more than their mix.",
    )
    return Proposal("sc", (many, apart, few))


def _alone(panel: Panel, reasons: list[Text]) -> Proposal:
    if panel.covariates and panel.start >= LEAST_BEFORE:
        reasons.append(
            Text(
                "Une covariable (la météo, par exemple) permet une référence.",
                "A covariate (the weather, say) allows a baseline.",
            )
        )
        series = prepare(panel.keep(panel.treated[:1]))
        if series.ask(series.trend(), end=panel.start).p >= PRE_TREND:
            return Proposal("before-after", tuple(reasons))
        reasons.append(Text("Une tendance existait avant.", "There was a trend before."))
    return Proposal("its", tuple(reasons))


def _trend_of_gap(panel: Panel) -> float:
    """Return the p of a trend, before the start, in the treated less its controls."""
    start = panel.start
    gap = panel.outcome[:start, panel.treated].mean(axis=1) - panel.outcome[:start, panel.controls].mean(
        axis=1
    )
    design = np.column_stack([np.ones(start), np.arange(start) - (start - 1) / 2])
    if start < design.shape[1] + 3 or np.ptp(gap) == 0:
        return 1.0
    return ask(gap, design, np.eye(design.shape[1])[1]).p
