"""The 2018 order over a whole stock: how many points each rule finds well, wrong, or unknown, and which ones."""

from collections import Counter
from collections.abc import Iterable

import msgspec

from beffroi.model.text import Text
from beffroi.services.lighting.legal import Verdict, check_point, rule_title
from beffroi.services.lighting.stock import lamps_of
from beffroi.store.record import Row
from beffroi.town import Town

__all__ = ["Line", "Review", "review"]

STATES = ("ok", "breach", "missing", "unknown", "not_concerned")


class Line(msgspec.Struct, frozen=True):
    """One rule over the stock."""

    rule: str
    title: Text
    quote: Text
    sure: bool
    counts: dict[str, int]


class Review(msgspec.Struct, frozen=True):
    """The stock against the order; `wrong` are the first points of a chosen rule that are not as it asks."""

    points: int
    lines: tuple[Line, ...]
    wrong: tuple[tuple[Row, Verdict], ...]


def review(
    town: Town, territories: tuple[str, ...] | None = None, *, built_up: bool = True, rule: str = "", most: int = 50, skip: int = 0
) -> Review:  # fmt: skip
    """Check every lamp that is installed."""
    counts: dict[str, Counter[str]] = {}
    quotes: dict[str, Verdict] = {}
    wrong: list[tuple[Row, Verdict]] = []
    points = 0
    for row in lamps_of(town, territories):
        points += 1
        for verdict in check_point(row.values, built_up=built_up):
            counts.setdefault(verdict.rule, Counter())[verdict.state] += 1
            quotes.setdefault(verdict.rule, verdict)
            if verdict.rule == rule and verdict.state in ("breach", "missing", "unknown"):
                wrong.append((row, verdict))
    lines = tuple(
        Line(
            name,
            rule_title(name),
            quotes[name].quote,
            quotes[name].sure,
            {s: counts[name][s] for s in STATES},
        )
        for name in _ordered(counts)
    )
    return Review(points, lines, tuple(wrong[skip : skip + most]))


def _ordered(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (name.startswith("data_"), name))
