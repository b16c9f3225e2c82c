"""Staggered adoption: group-time effects of Callaway & Sant'Anna (Journal of Econometrics 2021).

Never-treated controls, no covariates, unweighted, varying base: before the treatment each period is compared with the one
just before, from it on with the last one before. One two-way regression would compare the newly treated with the already
treated; this does not. Standard errors come from influence functions, independent between units.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.evaluation.impact.comparison import student
from beffroi.evaluation.impact.finding import (
    LEVEL,
    Check,
    Finding,
    Model,
    Trace,
    decide,
    failed,
    passed,
    unevaluable,
    warned,
)
from beffroi.evaluation.impact.panel import Floats, Panel
from beffroi.evaluation.impact.series import sensor_check
from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["GroupTime", "group_times", "staggered"]

_LEAST_BEFORE = 3
_LEAST_UNITS = 5
_PERMUTATIONS = 199
_RANK = 0.10
_MOST_LEFT_OUT = 120


class GroupTime(msgspec.Struct, frozen=True, eq=False):
    """The effect on the units first treated at the period `group`, seen at the period `time` (indices).

    `influence` has one value per unit of the panel; its mean square over n is the squared standard error.
    """

    group: int
    time: int
    att: float
    influence: Floats

    @property
    def se(self) -> float:
        """The standard error."""
        return float(np.sqrt(np.mean(self.influence**2) / len(self.influence)))


def group_times(panel: Panel) -> list[GroupTime]:
    """Return every group-time effect, groups in order, from the second period on."""
    cohort, outcome, n = panel.cohort, panel.outcome, len(panel.units)
    never = cohort < 0
    found = []
    for group in np.unique(cohort[cohort > 0]):
        ours = cohort == group
        for time in range(1, len(panel.times)):
            base = group - 1 if time >= group else time - 1
            change = outcome[time] - outcome[base]
            mine, others = float(change[ours].mean()), float(change[never].mean())
            influence = np.zeros(n)
            influence[ours] = (change[ours] - mine) * n / ours.sum()
            influence[never] = -(change[never] - others) * n / never.sum()
            found.append(GroupTime(int(group), time, mine - others, influence))
    return found


def _pooled(cells: list[GroupTime], cohort: NDArray[np.int64]) -> tuple[float, float]:
    """Return the mean of cells weighted by the size of their groups, and its standard error.

    The sizes are estimates too: their influence is added, as the authors do.
    """
    n = len(cohort)
    share = np.array([np.mean(cohort == c.group) for c in cells])
    atts = np.array([c.att for c in cells])
    weights = share / share.sum()
    own = np.column_stack([(cohort == c.group).astype(np.float64) for c in cells]) - share
    sizes = own / share.sum() - np.outer(own.sum(axis=1), share) / share.sum() ** 2
    influence = np.column_stack([c.influence for c in cells]) @ weights + sizes @ atts
    return float(weights @ atts), float(np.sqrt(np.mean(influence**2) / n))


def _overall(panel: Panel) -> float:
    """Return the overall effect alone, quickly."""
    never = panel.cohort < 0
    total, weight = 0.0, 0.0
    for group in np.unique(panel.cohort[panel.cohort > 0]):
        ours = panel.cohort == group
        change = panel.outcome[group:] - panel.outcome[group - 1]
        effects = change[:, ours].mean(axis=1) - change[:, never].mean(axis=1)
        total += float(effects.sum()) * int(ours.sum())
        weight += len(effects) * int(ours.sum())
    return total / weight


def staggered(panel: Panel, *, lower_is_better: bool = False) -> Finding:
    """Return the effect over all treated units and periods, with every group-time effect.

    Units treated in the first period have no before and are left out. Raises `Problem` without a never-treated unit.
    """
    if panel.covariates:
        raise Problem(
            Text("« staggered » ne prend pas de covariable.", "'staggered' takes no covariate."),
            Text("Retirez --covariate.", "Remove --covariate."), "--covariate",
        )  # fmt: skip
    panel = panel.keep(np.flatnonzero(panel.cohort != 0))
    _usable(panel)
    before = int(panel.cohort[panel.cohort > 0].min())
    if before < 2 or len(panel.controls) < 2:
        return unevaluable(
            "staggered",
            [Text("Il faut deux périodes avant et deux témoins jamais traités.",
                  "Two periods before and two never-treated controls are needed.")],
        )  # fmt: skip
    cells = group_times(panel)
    estimate, se = _pooled([c for c in cells if c.time >= c.group], panel.cohort)
    interval, p, mde = student(estimate, se, len(panel.units) - 2)
    claimed = p < LEVEL
    checks = {
        "enough_periods": _enough(panel, before),
        "pre_trend": _before(panel, cells),
        "placebo_date": _placebo_date(panel, before),
        "placebo_units": _placebo_units(panel, estimate, claimed=claimed),
        "leave_one_out": _leave_one_out(panel, estimate, interval, claimed=claimed),
        "sensor_changes": sensor_check(panel),
        "regression_to_the_mean": _dip(panel, cells),
    }
    seen = _treated_mean(panel)
    relative = estimate / (seen - estimate) if seen != estimate else None
    return Finding(
        "staggered", decide(estimate, p, checks, lower_is_better=lower_is_better), estimate, relative, se, interval, p,
        mde, checks=checks, pre_fit=_pre_fit(cells),
        models=(Model("group_time", Text("Effets par vague et par période", "Effects by group and period"), estimate, relative, se, p),),
        values={
            "group_time": [
                {"group": panel.times[c.group], "time": panel.times[c.time], "att": c.att, "se": c.se} for c in cells
            ],
            "event_study": _event_study(panel, cells),
            "groups": _groups(panel, cells),
        },
        trace=_trace(panel),
    )  # fmt: skip


def _usable(panel: Panel) -> None:
    if not len(panel.controls):
        raise Problem(
            Text("Toutes les unités finissent traitées : il n'y a aucun témoin.", "All units end up treated: there is no control."),
            Text("Ajoutez des unités jamais traitées.", "Add units that are never treated."), "--treated",
        )  # fmt: skip
    if not len(panel.treated):
        raise Problem(
            Text("Aucune unité n'est traitée après la première période.", "No unit is treated after the first period."),
            Text("Vérifiez la colonne de --treated.", "Check the column of --treated."), "--treated",
        )  # fmt: skip


def _treated_mean(panel: Panel) -> float:
    treated = [panel.outcome[panel.cohort[u] :, u] for u in panel.treated]
    return float(np.concatenate(treated).mean())


def _pre_fit(cells: list[GroupTime]) -> dict[str, float]:
    return {"rmspe": float(np.sqrt(np.mean([c.att**2 for c in cells if c.time < c.group] or [0.0])))}


def _event_study(panel: Panel, cells: list[GroupTime]) -> list[dict[str, float]]:
    told = []
    for lag in sorted({c.time - c.group for c in cells}):
        att, se = _pooled([c for c in cells if c.time - c.group == lag], panel.cohort)
        told.append({"lag": lag, "estimate": att, "se": se})
    return told


def _groups(panel: Panel, cells: list[GroupTime]) -> list[dict[str, float | str]]:
    told: list[dict[str, float | str]] = []
    for group in sorted({c.group for c in cells}):
        att, se = _pooled([c for c in cells if c.group == group and c.time >= group], panel.cohort)
        size = float(np.sum(panel.cohort == group))
        told.append({"group": panel.times[group], "units": size, "estimate": att, "se": se})
    return told


def _enough(panel: Panel, before: int) -> Check:
    treated, controls = len(panel.treated), len(panel.controls)
    if before < _LEAST_BEFORE or min(treated, controls) < _LEAST_UNITS:
        return failed(
            Text(f"Il faut {_LEAST_BEFORE} périodes avant, {_LEAST_UNITS} unités traitées et {_LEAST_UNITS} témoins ; il y a "
                 f"{before}, {treated} et {controls}.",
                 f"{_LEAST_BEFORE} periods before, {_LEAST_UNITS} treated units and {_LEAST_UNITS} controls are needed; there "
                 f"are {before}, {treated} and {controls}."),
        )  # fmt: skip
    return passed(Text("Assez de périodes et d'unités.", "Enough periods and units."), before=before)


def _before(panel: Panel, cells: list[GroupTime]) -> Check:
    """Return whether the treated were already drifting away: the mean of their yearly changes before."""
    leads = [c for c in cells if c.time < c.group]
    if not leads:
        return failed(Text("Rien à vérifier avant le début.", "Nothing to check before the start."))
    drift, se = _pooled(leads, panel.cohort)
    _, p, _ = student(drift, se, len(panel.units) - 2)
    if p < LEVEL:
        return failed(
            Text("Les unités traitées s'écartaient déjà des autres avant.",
                 "The treated units were already moving away from the others before."), p, drift=drift,
        )  # fmt: skip
    return passed(
        Text("Les deux groupes allaient du même pas avant.", "Both groups went the same way before."),
        p,
        drift=drift,
    )


def _placebo_date(panel: Panel, before: int) -> Check:
    """Believe that each group began some periods earlier, and look no further than its real start."""
    early = max(1, before // 3)
    cells = []
    for group in np.unique(panel.cohort[panel.cohort > early]):
        cut = panel.keep(np.flatnonzero((panel.cohort < 0) | (panel.cohort == group)), 0, int(group))
        moved = msgspec.structs.replace(cut, cohort=np.where(cut.cohort >= 0, group - early, -1))
        kept = (panel.cohort < 0) | (panel.cohort == group)
        for cell in group_times(moved):
            if cell.time >= cell.group:
                influence = np.zeros(len(panel.units))
                influence[kept] = cell.influence * len(panel.units) / kept.sum()
                cells.append(GroupTime(int(group), cell.time, cell.att, influence))
    if not cells:
        return failed(
            Text(
                "Trop peu de périodes avant pour une fausse date.", "Too few periods before for a false date."
            )
        )
    estimate, se = _pooled(cells, panel.cohort)
    _, p, _ = student(estimate, se, len(panel.units) - 2)
    if p < LEVEL:
        return failed(
            Text("De fausses dates, avant les vraies, donnent aussi un « effet ».",
                 "False dates, before the real ones, give an 'effect' too."), p, estimate=estimate,
        )  # fmt: skip
    return passed(
        Text("De fausses dates ne donnent rien.", "False dates give nothing."), p, estimate=estimate
    )


def _placebo_units(panel: Panel, estimate: float, *, claimed: bool) -> Check:
    """Deal the dates out to other units: how often is as much seen?"""
    chance = np.random.default_rng(0)
    drawn = [
        _overall(msgspec.structs.replace(panel, cohort=chance.permutation(panel.cohort)))
        for _ in range(_PERMUTATIONS)
    ]
    rank = 1 + int(np.sum(np.abs(drawn) >= abs(estimate)))
    p = rank / (_PERMUTATIONS + 1)
    if claimed and p > _RANK:
        return failed(
            Text("Des dates tirées au sort donnent aussi souvent autant.", "Dates drawn by lot give as much as often."),
            p, rank=rank, of=_PERMUTATIONS + 1,
        )  # fmt: skip
    return passed(
        Text("Comparé à des dates tirées au sort.", "Compared with dates drawn by lot."),
        p,
        rank=rank,
        of=_PERMUTATIONS + 1,
    )


def _leave_one_out(panel: Panel, estimate: float, interval: tuple[float, float], *, claimed: bool) -> Check:
    found = []
    everyone = np.arange(len(panel.units))
    for unit in everyone[:: max(1, -(-len(everyone) // _MOST_LEFT_OUT))]:
        kept = panel.keep(np.delete(everyone, unit))
        if len(kept.treated) and len(kept.controls):
            found.append(_overall(kept))
    low, high = min(found), max(found)
    if claimed and (low < interval[0] or high > interval[1] or (low > 0) != (high > 0)):
        return failed(
            Text("Le résultat tient à une seule unité.", "The result hangs on a single unit."),
            None,
            lowest=low,
            highest=high,
        )
    return passed(
        Text("Aucune unité ne fait le résultat à elle seule.", "No unit makes the result alone."), None, lowest=low,
        highest=high, estimate=estimate,
    )  # fmt: skip


def _dip(panel: Panel, cells: list[GroupTime]) -> Check:
    """Return whether the last change before the treatment was already out of the ordinary (Ashenfelter's dip)."""
    last = [c for c in cells if c.time == c.group - 1]
    if not last:
        return warned(
            Text("Un seul moment avant : rien à en dire.", "A single moment before: nothing to say of it.")
        )
    drift, se = _pooled(last, panel.cohort)
    _, p, _ = student(drift, se, len(panel.units) - 2)
    if p < LEVEL:
        return warned(
            Text("Le dernier moment avant était inhabituel : un retour à la normale est à attendre.",
                 "The last moment before was unusual: a return to normal is to be expected."), p,
        )  # fmt: skip
    return passed(
        Text(
            "La décision n'a pas suivi un moment extrême.", "The decision did not follow an extreme moment."
        ),
        p,
    )


def _trace(panel: Panel) -> Trace:
    """Return the mean of the treated, and the same less the effects."""
    treated = panel.outcome[:, panel.treated].mean(axis=1)
    never = panel.outcome[:, panel.controls].mean(axis=1)
    first = int(panel.cohort[panel.cohort > 0].min())
    level = float((treated - never)[:first].mean())
    return Trace(panel.times, tuple(map(float, treated)), tuple(map(float, never + level)), first)
