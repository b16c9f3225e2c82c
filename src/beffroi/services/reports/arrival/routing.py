"""Routing: which department gets a report, how soon it must answer, and whether it is read before it is public.

The table is read from the top and the first rule that matches wins. A rule that no report can ever reach is *dead*:
it is found exactly, by cutting each dimension (category, place, each question, kind of day, hour, season) into the
pieces between which no rule tells a difference, and taking away from each rule what earlier ones take.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

import msgspec
from shapely import Point, boundary, covers, prepare, union_all
from shapely.geometry.base import BaseGeometry
from shapely.ops import polygonize

from beffroi.services.reports.arrival.conditions import MINUTES, Answer, Window, day_of

__all__ = ["Case", "Rule", "dead_rules", "first_match"]

MOST_PIECES = 4000  # of what is left of one rule; beyond, it is not called dead
_SLIVER = 1e-13  # square degrees: under 0.002 m², two drawings of one border


class Case(msgspec.Struct, frozen=True):
    """What routing looks at: `categories` is the report's category and those above it; `moment` is local."""

    categories: tuple[str, ...]
    moment: datetime
    place: tuple[float, float] | None = None
    answers: dict[str, Any] = {}
    holiday: bool = False


class Rule(msgspec.Struct, frozen=True, eq=False):
    """One line of the table; what is empty matches everything. `area` is in longitude and latitude."""

    id: int
    categories: frozenset[str] = frozenset()
    area: BaseGeometry | None = None
    answers: tuple[Answer, ...] = ()
    window: Window = Window()

    def matches(self, case: Case) -> bool:
        """True when a report is one that this rule is about."""
        return (
            (not self.categories or not self.categories.isdisjoint(case.categories))
            and self.window.holds(*day_of(case.moment, case.holiday))
            and all(answer.holds(case.answers) for answer in self.answers)
            and (self.area is None or (case.place is not None and bool(covers(self.area, Point(case.place)))))
        )


def first_match(rules: Iterable[Rule], case: Case) -> Rule | None:
    """Return the first rule that matches a report, or None."""
    return next((rule for rule in rules if rule.matches(case)), None)


# --- Dead rules.


def dead_rules(rules: Sequence[Rule], parents: Mapping[str, str | None]) -> dict[int, tuple[int, ...]]:
    """Return each rule (by id) that no report can reach, with the earlier rules that hide it: as few as possible.

    `parents` maps every category to the one above it, None at the top. A rule about a category that does not
    exist, or a place of no area, is dead by itself: hidden by nothing.
    """
    cuts = _cuts(rules, parents)
    masks = [tuple(_mask(rule) for _mask in cuts) for rule in rules]
    found: dict[int, tuple[int, ...]] = {}
    for n, rule in enumerate(rules):
        if _left(masks[n], masks[:n]):
            continue
        hiders = [k for k in range(n) if _meet(masks[k], masks[n])] if all(masks[n]) else []
        for k in list(hiders):
            without = [masks[h] for h in hiders if h != k]
            if not _left(masks[n], without):
                hiders.remove(k)
        found[rule.id] = tuple(rules[k].id for k in hiders)
    return found


Mask = tuple[int, ...]


def _meet(a: Mask, b: Mask) -> bool:
    return all(x & y for x, y in zip(a, b, strict=True))


def _left(mask: Mask, earlier: Sequence[Mask]) -> bool:
    """True when something of `mask` is outside every one of `earlier`."""
    pieces = [mask] if all(mask) else []
    for taken in earlier:
        rest: list[Mask] = []
        for piece in pieces:
            rest += _outside(piece, taken)
        pieces = rest
        if len(pieces) > MOST_PIECES:
            return True
    return bool(pieces)


def _outside(piece: Mask, taken: Mask) -> list[Mask]:
    """Return `piece` without `taken`, as boxes that do not overlap."""
    if not _meet(piece, taken):
        return [piece]
    found, inside = [], piece
    for n, bits in enumerate(taken):
        out = inside[n] & ~bits
        if out:
            found.append((*inside[:n], out, *inside[n + 1 :]))
        inside = (*inside[:n], inside[n] & bits, *inside[n + 1 :])
    return found


def _cuts(rules: Sequence[Rule], parents: Mapping[str, str | None]) -> list[Any]:
    """Return one function for each dimension, from a rule to the pieces it holds (a bit for each)."""
    questions = dict.fromkeys(a.question for rule in rules for a in rule.answers)
    return [
        _category_cut(parents),
        _area_cut(rules),
        _day_cut,
        _hour_cut(rules),
        _season_cut(rules),
        *(_answer_cut(rules, question) for question in questions),
    ]


def _bits(kept: Iterable[bool]) -> int:
    return sum(1 << n for n, keep in enumerate(kept) if keep)


def _lineage(category: str, parents: Mapping[str, str | None]) -> set[str]:
    found: set[str] = set()
    above: str | None = category
    while above is not None and above not in found:
        found.add(above)
        above = parents.get(above)
    return found


def _category_cut(parents: Mapping[str, str | None]) -> Any:
    lines = [_lineage(category, parents) for category in parents]
    every = _bits([True] * len(lines)) or 1
    return lambda rule: _bits(bool(line & rule.categories) for line in lines) if rule.categories else every


def _area_cut(rules: Sequence[Rule]) -> Any:
    areas = [rule.area for rule in rules if rule.area is not None]
    faces = polygonize(union_all([boundary(area) for area in areas])) if areas else []
    spots = [face.representative_point() for face in faces if face.area > _SLIVER]
    everywhere = (1 << (len(spots) + 1)) - 1  # the last bit: outside every area, or no place
    for area in areas:
        prepare(area)
    return lambda rule: everywhere if rule.area is None else _bits(covers(rule.area, spots).tolist())


def _day_cut(rule: Rule) -> int:
    return sum(1 << day for day in rule.window.days)


def _hour_cut(rules: Sequence[Rule]) -> Any:
    edges = sorted({0, *(m % MINUTES for rule in rules for m in rule.window.minutes)})
    return lambda rule: _bits(Window(minutes=rule.window.minutes).holds(0, minute, 101) for minute in edges)


def _season_cut(rules: Sequence[Rule]) -> Any:
    edges = sorted({101, *(d for rule in rules for d in _season_edges(rule.window))})
    return lambda rule: _bits(Window(season=rule.window.season).holds(0, 0, day) for day in edges)


_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _season_edges(window: Window) -> tuple[int, int]:
    """Return the first day inside a season, and the first one after it."""
    month, day = divmod(window.season[1], 100)
    after = month * 100 + day + 1 if day < _LENGTHS[month - 1] else month % 12 * 100 + 101
    return window.season[0], after


def _answer_cut(rules: Sequence[Rule], question: str) -> Any:
    asked = {rule.id: answer for rule in rules for answer in rule.answers if answer.question == question}
    words = sorted({word for answer in asked.values() for word in answer.values})
    bounds = sorted({b for a in asked.values() if not a.values for b in (a.least, a.most) if abs(b) < 1e300})
    samples: list[Any] = [None, "\x00", *words, *_numbers(bounds)]
    every = (1 << len(samples)) - 1

    def cut(rule: Rule) -> int:
        answer = asked.get(rule.id)
        return every if answer is None else _bits(answer.holds({question: s}) for s in samples)

    return cut


def _numbers(bounds: Sequence[float]) -> list[float]:
    """Return the bounds and one number in each gap around them."""
    if not bounds:
        return []
    between = [(a + b) / 2 for a, b in pairwise(bounds)]
    return [bounds[0] - 1, *bounds, *between, bounds[-1] + 1]
