"""Measures: what the town's own indicators and series say of the hypotheses that are bound to them."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select

from beffroi.evaluation.case.measured import Measure
from beffroi.evaluation.case.model import Binding, BusinessCase
from beffroi.model.instant import DAY_US
from beffroi.model.principal import Principal
from beffroi.store.aggregates import AggregateQuery
from beffroi.store.tables import datastream
from beffroi.town import Town
from beffroi.web.site.service_figures import indicator_now, may_read

__all__ = ["measures_of"]

YEAR_DAYS = 365.25


def measures_of(town: Town, who: Principal, case: BusinessCase) -> dict[str, Measure]:
    """Return what was measured of each bound hypothesis that the reader may see, over the days that it asks for."""
    found = {}
    for name, one in case.hypotheses.items():
        if one.bound is None:
            continue
        measure = _of_indicator(town, who, one.bound) if one.bound.indicator else _of_series(town, one.bound)
        if measure is not None:
            found[name] = measure
    return found


def _scaled(bound: Binding, value: float, end_us: int, days: float, count: int = 0) -> Measure:
    yearly = YEAR_DAYS / days if bound.statistic == "yearly" else 1.0
    return Measure(value * bound.scale * yearly, end_us - int(days * DAY_US), end_us, count)


def _of_indicator(town: Town, who: Principal, bound: Binding) -> Measure | None:
    indicator = town.registry.indicator(bound.indicator)
    if indicator is None or not may_read(who, indicator.read):
        return None
    known = _since(town, None)
    if known is None:
        return None
    # what is added up over a period that began before the town did would be too small
    days = min(float(bound.days), max(1.0, (town.clock() - known) / DAY_US))
    measure = indicator_now(town, who, indicator, int(days) * DAY_US)
    return None if measure.now is None else _scaled(bound, measure.now, measure.at_us, int(days))


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
    days = min(float(bound.days), max(1.0, (end - known) / DAY_US))
    query = AggregateQuery(datastreams=tuple(ids), within=(end - int(days * DAY_US), end))
    cell: Any = next(iter(town.store.observations.aggregate(query).values()), None)
    if cell is None or not cell.numbers:
        return None
    value = cell.total / cell.numbers if bound.statistic == "mean" else cell.total
    return _scaled(bound, value, end, days, cell.numbers)


def _since(town: Town, ids: Iterable[int] | None) -> int | None:
    """Return when the first value came, of some series or of any."""
    firsts = [s.first_us for s in town.store.observations.stats(ids).values() if s.first_us is not None]
    return min(firsts, default=None)
