"""Measures: what the town's own indicators, series and experiments say of the hypotheses that are bound to them."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import select

from beffroi.evaluation.case.measured import Measure
from beffroi.evaluation.case.model import Binding, BusinessCase
from beffroi.evaluation.experiments.observed import instant
from beffroi.evaluation.experiments.studying import finding_of
from beffroi.evaluation.impact.finding import NOT_EVALUABLE
from beffroi.model.instant import DAY_US
from beffroi.model.principal import Principal
from beffroi.store.aggregates import AggregateQuery
from beffroi.store.record import Query
from beffroi.store.tables import datastream
from beffroi.town import Town
from beffroi.web.kit.kept import PATIENCE_S, Figure, indicator_figure, kept_figure
from beffroi.web.site.service_figures import may_read

__all__ = ["measures_of"]

YEAR_DAYS = 365.25


def measures_of(
    town: Town, who: Principal, case: BusinessCase, wait_s: float = PATIENCE_S
) -> dict[str, Measure]:
    """Return what was measured of each bound hypothesis that the reader may see, over the days that it asks for.

    What is not computed yet within `wait_s` seconds each is as last known, or left out.
    """
    found = {}
    since = cache(lambda: _since(town, None))
    for name, one in case.hypotheses.items():
        if one.bound is None:
            continue
        if one.bound.experiment:
            of = _of_experiment(town, one.bound)
        elif one.bound.indicator:
            of = _of_indicator(town, who, one.bound, since, wait_s)
        else:
            of = _kept_series(town, one.bound, wait_s)
        if of is not None:
            found[name] = of
    return found


def _scaled(bound: Binding, value: float, end_us: int, days: float, count: int = 0) -> Measure:
    yearly = YEAR_DAYS / days if bound.statistic == "yearly" else 1.0
    return Measure(value * bound.scale * yearly, end_us - int(days * DAY_US), end_us, count)


def _days(town: Town, bound: Binding, known: int) -> int:
    """Return over how many days: what is added up from before the town began would be too small."""
    return max(1, min(bound.days, int((town.clock() - known) / DAY_US)))


def _of_indicator(
    town: Town, who: Principal, bound: Binding, since: Callable[[], int | None], wait_s: float
) -> Measure | None:
    indicator = town.registry.indicator(bound.indicator)
    known = since()
    if indicator is None or known is None or not may_read(who, indicator.read):
        return None
    days = _days(town, bound, known)
    territory = who.territories[0] if len(who.territories) == 1 else None
    figure = indicator_figure(town, indicator, territory, days * DAY_US, wait_s=wait_s)
    return (
        None
        if figure is None or figure.value[0] is None
        else _scaled(bound, figure.value[0], figure.at_us, days)
    )


def _of_experiment(town: Town, bound: Binding) -> Measure | None:
    """Return the effect that a published experiment found; None before it is judged, or when it cannot be."""
    where = {"code": bound.experiment, "published": True}
    row = next(iter(town.store.records.find("experiment", Query(where=where, limit=1)).rows), None)
    finding = None if row is None else finding_of(row.values["finding"])
    if row is None or finding is None or finding.verdict == NOT_EVALUABLE:
        return None
    effect = finding.relative if bound.statistic == "relative" else finding.estimate
    if effect is None:
        return None
    periods = len(finding.trace.times) - finding.trace.start if finding.trace else 0
    begin, end = instant(row.values["starts_on"]), instant(row.values["ends_on"])
    return Measure(effect * bound.scale, begin, end, periods)


def _kept_series(town: Town, bound: Binding, wait_s: float) -> Measure | None:
    name = f"{bound.source}:{bound.statistic}:{bound.days}:{bound.scale!r}"
    found: Figure | None = kept_figure(
        town, name, lambda: msgspec.to_builtins(_of_series(town, bound)), good_us=DAY_US, wait_s=wait_s
    )
    return None if found is None or found.value is None else msgspec.convert(found.value, Measure)


def _of_series(town: Town, bound: Binding) -> Measure | None:
    kind = town.registry.datastream_kind(bound.datastream)
    by = (
        datastream.c.id == int(bound.datastream)
        if bound.datastream.isdigit()
        else datastream.c.kind == (kind.code if kind else bound.datastream)
    )
    with town.store.read() as c:
        ids = list(c.execute(select(datastream.c.id).where(by)).scalars())
    known = _since(town, ids)
    if not ids or known is None:
        return None
    end = town.clock()
    if bound.statistic == "last":
        last = [
            o.result.value for o in town.store.observations.last(ids).values() if o.result.value is not None
        ]
        return _scaled(bound, sum(last) / len(last), end, bound.days, len(last)) if last else None
    days = _days(town, bound, known)
    query = AggregateQuery(datastreams=tuple(ids), within=(end - days * DAY_US, end))
    cell: Any = next(iter(town.store.observations.aggregate(query).values()), None)
    if cell is None or not cell.numbers:
        return None
    value = cell.total / cell.numbers if bound.statistic == "mean" else cell.total
    return _scaled(bound, value, end, days, cell.numbers)


def _since(town: Town, ids: Iterable[int] | None) -> int | None:
    """Return when the first value came, of some series or of any."""
    firsts = [s.first_us for s in town.store.observations.stats(ids).values() if s.first_us is not None]
    return min(firsts, default=None)
