"""The limits that a rule watches on one series, to draw them on its chart."""

from beffroi.rules.condition import SEVERITIES, Threshold, leaves
from beffroi.rules.rule import Rule

__all__ = ["limits_of"]


def limits_of(rule: Rule, datastream_id: int) -> list[tuple[float, str]]:
    """Return (limit, severity) of each level that `rule` watches on a series."""
    names = {name for name, number in rule.watch.series if number == datastream_id} or {"value"}
    found = {
        (level.limit, SEVERITIES[level.rank])
        for leaf in leaves(rule.when) if isinstance(leaf, Threshold) and leaf.series in names
        for level in leaf.levels
    }  # fmt: skip
    return sorted(found)
