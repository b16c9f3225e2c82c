"""The categories as the form needs them: a tree in the reader's words, and a search over names and synonyms."""

import time
from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from beffroi.model.text import Text
from beffroi.services.reports.where import folded
from beffroi.store.record import Query, Row
from beffroi.town import Town

__all__ = ["Categories", "Category", "categories_of"]


class Category(msgspec.Struct, frozen=True):
    """One category."""

    id: int
    code: str
    title: Text
    about: Text
    parent: int | None
    synonyms: str
    questions: tuple[dict[str, Any], ...]
    not_ours: bool
    contact: Text
    contact_phone: str
    contact_url: str
    department: int | None
    priority: str
    moderation: str
    confidential: bool
    private_home: bool
    asset: str
    icon: str
    active: bool
    territory: str | None


def _category(row: Row) -> Category:
    v = row.values
    return Category(
        row.id, v["code"], Text(v["name"], v["name_en"] or v["name"]),
        Text(v["description"] or "", v["description_en"] or v["description"] or ""), v["parent"], v["synonyms"] or "",
        tuple(q for q in v["questions"] or () if isinstance(q, dict) and q.get("code")), v["not_ours"],
        Text(v["contact"] or "", v["contact_en"] or v["contact"] or ""), v["contact_phone"] or "", v["contact_url"] or "",
        v["department"], v["priority"], v["moderation"], v["confidential"], v["private_home"], v["asset"] or "", v["icon"],
        v["active"], row.territory,
    )  # fmt: skip


class Categories:
    """All categories, in the order of the form."""

    def __init__(self, found: Iterable[Category]) -> None:
        self.all = tuple(found)
        self._by_id = {c.id: c for c in self.all}
        self.parents = {c.parent for c in self.all if c.parent is not None}

    def get(self, number: int | None) -> Category | None:
        """Return a category, None when there is none."""
        return self._by_id.get(number) if number is not None else None

    def by_code(self, code: str) -> Category | None:
        """Return the category with a code, None when there is none."""
        return next((c for c in self.all if c.code == code), None)

    def title(self, number: int | None, language: str) -> str:
        """Return the words of a category, "" when there is none."""
        category = self.get(number)
        return category.title.of(language) if category else ""

    def groups(self) -> list[tuple[Category | None, list[Category]]]:
        """Return what can be chosen: the categories without children, under their parents; those without come first."""
        offered = [c for c in self.all if c.active and c.id not in self.parents]
        alone = [c for c in offered if self.get(c.parent) is None]
        under = [
            (p, [c for c in offered if c.parent == p.id])
            for p in self.all
            if p.id in self.parents and p.active
        ]
        return [*([(None, alone)] if alone else []), *((p, some) for p, some in under if some)]

    def search(self, words: str, most: int = 5) -> list[Category]:
        """Return the categories whose name, synonyms or explanation hold most of the words, best first.

        A word counts when it begins one of theirs (« lampad » finds Lampadaire), or the other way round from 5 letters.
        """
        terms = [t for t in folded(words).split() if len(t) > 2 and t not in _EMPTY]
        scored = []
        for place, category in enumerate(c for _, some in self.groups() for c in some):
            parent = self.get(category.parent)
            title = folded(f"{category.title.fr} {category.title.en} {category.synonyms}").split()
            about = folded(f"{category.about.fr} {parent.title.fr if parent else ''}").split()
            score = sum(3 * _holds(title, t) + _holds(about, t) for t in terms)
            if score:
                scored.append((-score, place, category))
        return [category for _, _, category in sorted(scored, key=lambda s: s[:2])[:most]]


_EMPTY = frozenset(
    [
        "les",
        "des",
        "une",
        "dans",
        "sur",
        "pour",
        "avec",
        "est",
        "pas",
        "plus",
        "qui",
        "que",
        "depuis",
        "devant",
        "chez",
        "mon",
        "notre",
        "rue",
        "the",
        "and",
        "for",
        "with",
        "not",
        "has",
    ]
)


def _holds(known: list[str], term: str) -> bool:
    stem = term.rstrip("sx")
    return any(
        word.startswith(stem) or (len(word) > 4 and stem.startswith(word.rstrip("sx"))) for word in known
    )


LOOKED_S = 0.02  # a page asks a dozen times: how long another process may have changed one unseen


class _Held(msgspec.Struct):
    head: tuple[int, int, int]
    categories: Categories
    told: int
    looked_s: float


_held: WeakKeyDictionary[Town, _Held] = WeakKeyDictionary()


def categories_of(town: Town) -> Categories:
    """Return the categories of a town (read again when one of them changed)."""
    held, told, now_s = _held.get(town), town.store.database.told, time.monotonic()
    if held is not None and held.told == told and now_s - held.looked_s < LOOKED_S:
        return held.categories
    head = town.store.records.stamp("report_category")
    if held is None or held.head != head:
        rows = town.store.records.all("report_category", Query(sort="position", limit=500))
        held = _Held(head, Categories(_category(row) for row in rows), told, now_s)
    else:
        held = _Held(head, held.categories, told, now_s)
    _held[town] = held
    return held.categories
