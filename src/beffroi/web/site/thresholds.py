"""The levels that rules in service watch on a series, to draw them on its chart."""

from beffroi.model.problem import NotFound, Problem
from beffroi.rules.condition import SEVERITIES, Threshold, leaves
from beffroi.rules.reading import read_rule
from beffroi.rules.rule import Rule
from beffroi.store.record import Query
from beffroi.town import Town
from beffroi.web.kit.chart import Threshold as Line
from beffroi.web.kit.figures import NO_BREAK, Figures
from beffroi.web.site.catalogue import Series, Station

__all__ = ["rules_in_service", "thresholds_of"]

MOST_RULES = 500


def rules_in_service(town: Town) -> list[Rule]:
    """Return the rules that are switched on (an unreadable one is left out: its own page says so)."""
    try:
        rows = town.store.records.find("rule", Query(where={"enabled": True}, limit=MOST_RULES)).rows
    except NotFound:
        return []
    rules = []
    for row in rows:
        try:
            rules.append(read_rule(row.values["yaml"]))
        except Problem:
            continue
    return rules


def _watches(rule: Rule, series: Series, station: Station) -> str | None:
    """Return the name by which `rule` knows the series in its condition, or None when it does not watch it."""
    watch = rule.watch
    for name, number in watch.series:
        if number == series.id:
            return name
    if watch.series or watch.collection:
        return None
    if watch.datastreams:
        return "" if series.id in watch.datastreams else None
    wanted = (
        (watch.kind, series.kind), (watch.thing, station.id), (watch.service, station.service),
        (watch.territory, station.territory),
    )  # fmt: skip
    return "" if all(asked == found for asked, found in wanted if asked) else None


def thresholds_of(town: Town, series: Series, station: Station, figures: Figures) -> tuple[Line, ...]:
    """Return the levels of every rule in service on `series`, each with its colour in words and its value."""
    lines: dict[tuple[float, str], Line] = {}
    for rule in rules_in_service(town):
        name = _watches(rule, series, station)
        if name is None:
            continue
        for leaf in leaves(rule.when):
            if isinstance(leaf, Threshold) and (not name or leaf.series == name):
                for level in leaf.levels:
                    severity = SEVERITIES[level.rank]
                    said = figures.words.of(severity) + NO_BREAK + figures.quantity(level.limit, series.unit)
                    lines[level.limit, severity] = Line(level.limit, said, severity)
    return tuple(sorted(lines.values(), key=lambda line: line.value))
