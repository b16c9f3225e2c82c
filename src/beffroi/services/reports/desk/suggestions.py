"""Suggestions for an agent: which neighbours tell of the same thing, and which category the words mean, with reasons.

Nothing is decided here: a suggestion is a button. The category's classifier knows names and synonyms on day 0 and
learns from the reports that the town has triaged; it is made again when a hundred more have been.
"""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from weakref import WeakKeyDictionary

import msgspec

from beffroi.model.instant import DAY_US
from beffroi.services.reports.categories.classifier import Category, Classifier
from beffroi.services.reports.desk.acting import REQUEST
from beffroi.services.reports.desk.context import Near, place_of
from beffroi.services.reports.duplicates.likelihood import Likelihood, Sighting, shipped
from beffroi.services.reports.duplicates.nearby import Suggestion, in_words
from beffroi.services.reports.words import plain, stems
from beffroi.store.record import Query, Row, Where
from beffroi.town import Town

__all__ = ["LIKELY", "WORTH_SAYING", "Guessed", "alike", "guess"]

LIKELY = 0.5
WORTH_SAYING = 0.1
MOST_LEARNED = 2000
AGAIN = 100
_METRES = 111_320.0
SLOW_S, REMEMBERED_S = 0.05, 600.0
_classifiers: WeakKeyDictionary[Town, tuple[tuple[int, ...], Classifier, float]] = WeakKeyDictionary()


class Guessed(msgspec.Struct, frozen=True):
    """A category that a text seems to mean: its id and probability from 0 to 1."""

    category: int
    probability: float


def _sighting(row: Row, prints: Mapping[int, int]) -> Sighting | None:
    place, values = place_of(row), row.values
    if place is None:
        return None
    x, y = place[0] * _METRES * math.cos(math.radians(place[1])), place[1] * _METRES
    closed = None if values["closed"] is None else values["closed"] / DAY_US
    address = " ".join(plain(values["address"] or "").split())
    return Sighting(row.id, x, y, values["requested"] / DAY_US, closed, str(values["category"] or ""), address,
                    frozenset(stems(values["description"] or "")), prints.get(row.id), values["description"] or "")  # fmt: skip


def alike(
    town: Town, row: Row, near: Sequence[Near], language: str, law: Likelihood | None = None
) -> list[Near]:
    """Return the neighbours of a report with how likely each tells of the same thing and why, the likeliest first."""
    law, prints = law or shipped(), _prints(town, [row.id, *(n.row.id for n in near)])
    mine = _sighting(row, prints)
    if mine is None:
        return list(near)
    judged = []
    for one in near:
        other = _sighting(one.row, prints)
        assert other is not None  # a neighbour has a place
        later, earlier = (mine, other) if mine.at >= other.at else (other, mine)
        around = len(near) - 1
        found = Suggestion(
            one.row.id, law.probability(later, earlier, around), tuple(law.reasons(later, earlier, around))
        )
        judged.append(msgspec.structs.replace(one, alike=found.probability, why=in_words(found).of(language)))
    return sorted(judged, key=lambda n: -(n.alike or 0))


def _prints(town: Town, ids: Iterable[int]) -> dict[int, int]:
    """Return the visual print of the first photo of each report that has one."""
    query = Query(where={"request": list(ids), "phash": Where("known")}, sort="-_id", limit=200)
    return {
        row.values["request"]: int(row.values["phash"], 16)
        for row in town.store.records.find("report_photo", query).rows
    }


def guess(town: Town, row: Row, categories: Mapping[int, Row]) -> list[Guessed]:
    """Return the categories that a report's words mean, when that is sure enough and not what it says already."""
    text = row.values["description"] or ""
    offered = [c for c in categories.values() if c.values["active"] and not c.values["not_ours"]]
    if len(text) < 3 or len(offered) < 2:
        return []
    numbers = {str(c.values["code"]): number for number, c in categories.items()}
    found = _classifier(town, offered, numbers).guess(text)
    if found.code is None or numbers[found.code] == row.values["category"]:
        return []
    return [
        Guessed(numbers[code], p)
        for code, p in found.likely
        if p >= 0.1 and numbers[code] != row.values["category"]
    ]


def _classifier(town: Town, offered: Sequence[Row], numbers: Mapping[str, int]) -> Classifier:
    began, known = time.monotonic(), _classifiers.get(town)
    if known is not None and began < known[2]:
        return known[1]
    triaged = {"state": Where("!=", "received"), "category": Where("known"), "description": Where("known")}
    total = town.store.records.count(REQUEST, Query(where=triaged))
    spent = time.monotonic() - began
    until = began + REMEMBERED_S if spent > SLOW_S else 0.0  # a million reports are not counted for each page
    state = (total // AGAIN, *sorted(c.id * 1000 + c.version for c in offered))
    if known is not None and known[0] == state:
        _classifiers[town] = (state, known[1], until)
        return known[1]
    made = Classifier(
        [
            Category(
                str(c.values["code"]),
                tuple(n for n in (c.values["name"], c.values["name_en"]) if n),
                tuple((c.values["synonyms"] or "").split(",")),
            )
            for c in offered
        ]
    )  # fmt: skip
    codes = {number: code for code, number in numbers.items()}
    fields = ("description", "category")
    rows = town.store.records.find(
        REQUEST, Query(where=triaged, sort="-_id", limit=MOST_LEARNED, fields=fields)
    ).rows
    made.learn([(r.values["description"], codes.get(r.values["category"], "")) for r in rows])
    _classifiers[town] = (state, made, until)
    return made
