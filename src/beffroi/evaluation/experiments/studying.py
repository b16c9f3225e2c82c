"""Studying: the registered study of an experiment, another one to explore, and what it could see before it begins."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec
import numpy as np

from beffroi.evaluation.experiments.observed import Gathered, gather, instant
from beffroi.evaluation.experiments.registration import departures
from beffroi.evaluation.impact.choice import Proposal, propose
from beffroi.evaluation.impact.finding import Finding, unevaluable
from beffroi.evaluation.impact.methods import study
from beffroi.evaluation.impact.tails import ndtr
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.store.open import Store

__all__ = ["Plan", "conclude", "finding_of", "plan", "told_of"]

_EXPLORATORY = Text(
    "Étude exploratoire : elle s'écarte de ce qui a été inscrit ({what}).",
    "Exploratory study: it departs from what was registered ({what}).",
)


class Plan(msgspec.Struct, frozen=True):
    """What could be seen: the detectable effect in the indicator's unit, and the chance to see the one expected."""

    mde: float | None
    power: float | None
    why: Text = Text("", "")
    proposal: Proposal | None = None


def conclude(store: Store, values: Mapping[str, Any], until_us: int, method: str = "") -> Finding:
    """Return the study of an experiment on what was measured until then; with another `method` it is exploratory."""
    gathered = gather(store, values, until_us)
    asked = method or str(values["method"])
    departed = (*departures(values), *(("method",) if method and method != values["method"] else ()))
    finding = _study(gathered, asked, lower=values["better"] == "lower")
    finding = msgspec.structs.replace(
        finding,
        checks={**finding.checks, "missing_data": gathered.check},
        values={
            **{k: v for k, v in finding.values.items() if k not in ("gap", "event_study")},
            "exploratory": bool(departed), "departures": list(dict.fromkeys(departed)),
        },
    )  # fmt: skip
    if not departed:
        return finding
    return msgspec.structs.replace(
        finding,
        reasons=(*finding.reasons, _EXPLORATORY.filled(what=", ".join(dict.fromkeys(departed)))),
    )


def _study(gathered: Gathered, method: str, *, lower: bool) -> Finding:
    if gathered.panel is None:
        words = (
            gathered.check.why
            if gathered.check.outcome == "fail"
            else Text("Il n'y a pas encore d'avant et d'après.", "There is no before and after yet.")
        )
        return unevaluable(method, [words])
    panel = gathered.panel
    if method in ("its", "before-after") and len(panel.units) > 1:
        panel = panel.keep(panel.treated[:1])
    try:
        return study(method, panel, lower_is_better=lower)
    except Problem as problem:
        return unevaluable(method, [problem.reason, problem.mend])


def plan(store: Store, values: Mapping[str, Any], now_us: int) -> Plan:
    """Return what the experiment could see, by playing it on what came before: as long after, with nothing done.

    What it could see depends on what it looks for: an effect that comes as a share of each unit's size differs from unit to
    unit, and no length of time evens that out.
    """
    before_us = min(now_us, instant(values["starts_on"]))
    try:
        gathered = gather(store, {**values, "ends_on": values["starts_on"]}, before_us)
    except Problem as problem:
        return Plan(None, None, problem.reason)
    whole = gather(store, values, instant(values["ends_on"]))
    after = max(1, len(whole.times) - whole.start)
    table = gathered.values
    rows = len(table)
    if rows < 8 or np.isnan(table).mean() > 0.1:
        words = Text(
            "Trop peu de mesures avant le début pour dire ce qui se verrait.",
            "Too few measurements before the start to say what could be seen.",
        )
        return Plan(None, None, words)
    played = dict(values)
    start = max(rows // 2, rows - after)
    played |= {"starts_on": date.fromisoformat(gathered.times[start]), "ends_on": values["starts_on"]}
    rehearsed = gather(
        store, {**played, "method": "did" if values["controls"] else values["method"]}, before_us
    )
    proposal = None if rehearsed.panel is None else propose(rehearsed.panel)
    share = float(values["expected_percent"]) / 100
    rehearsed = gather(store, played, before_us)
    finding = _study(rehearsed, str(values["method"]), lower=False)
    if finding.mde is None:
        return Plan(None, None, finding.reasons[0] if finding.reasons else Text("", ""), proposal)
    # fewer periods could be played than there will be: the means of more are that much surer, at best
    surer = min(1.0, (1 / whole.start + 1 / after) / (1 / start + 1 / (rows - start)))
    uneven = _uneven(rehearsed, str(values["method"]), share, finding.mde)
    mde = (finding.mde**2 * surer + uneven) ** 0.5
    base = float(np.nanmean(table[:, : len(values["treated"])]))
    expected = abs(base * share)
    power = float(ndtr(2.8 * expected / mde - 1.96)) if mde else None
    return Plan(float(f"{mde:.6g}"), None if power is None else round(power, 6), proposal=proposal)


def _uneven(rehearsed: Gathered, method: str, share: float, plain: float) -> float:
    """Return how much the square of the detectable effect grows when `share` of each treated unit's level comes, or goes."""
    panel = rehearsed.panel
    if panel is None or method != "did" or len(panel.treated) < 2:
        return 0.0  # the other methods look at the treated as one
    found = [plain]
    for sign in (1, -1):
        outcome = panel.outcome.copy()
        before = outcome[: panel.start, panel.treated].mean(axis=0)
        outcome[panel.start :, panel.treated] += sign * share * before
        moved = msgspec.structs.replace(rehearsed, panel=msgspec.structs.replace(panel, outcome=outcome))
        found.append(_study(moved, method, lower=False).mde or plain)
    return float(max(found) ** 2 - plain**2)


def finding_of(kept: Mapping[str, Any] | None) -> Finding | None:
    """Return the finding that a record keeps, or None."""
    return None if not kept else msgspec.convert(kept, Finding)


def told_of(finding: Finding) -> dict[str, Any]:
    """Return a finding as a record keeps it: nine digits, so that two machines keep the same."""
    told: dict[str, Any] = _rounded(msgspec.to_builtins(finding))
    return told


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return float(f"{value:.9g}")
        case dict():
            return {name: _rounded(one) for name, one in value.items()}
        case list() | tuple():
            return [_rounded(one) for one in value]
    return value
