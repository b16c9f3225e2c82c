"""Reports as the public's pages show them: in the reader's words, with their photos."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from starlette.requests import Request

from beffroi.model.collection import Choice
from beffroi.services.reports.categories_tree import categories_of
from beffroi.services.reports.citizen.reading import town_of
from beffroi.services.reports.states import OPEN, REASONS, STATES
from beffroi.services.reports.where import LonLat, around, distance_m
from beffroi.store.record import Query, Row
from beffroi.town import Town
from beffroi.web.kit.page import language_of

__all__ = ["Shown", "near_open", "shown_of", "word_of"]

_STATES: dict[str, Choice] = {s.value: s for s in STATES}
_REASONS: dict[str, Choice] = {r.value: r for r in REASONS}
SAME_M, OTHER_M = 250.0, 100.0  # how far an open report of the same category, or of another, is worth showing


class Shown(msgspec.Struct, frozen=True):
    """A report in a line of a list."""

    number: str
    title: str
    place: str
    text: str
    state: str
    severity: str
    at_us: int
    small: str  # the address of a thumbnail, "" for none
    alt: str
    me_too: int
    metres: int | None = None
    id: int = 0
    icon: str = "circle"


def word_of(value: str | None, language: str) -> str:
    """Return the word of a state or a closing reason."""
    choice = _STATES.get(value or "") or _REASONS.get(value or "")
    return choice.title.of(language) if choice else ""


def state_words(values: dict[str, Any], language: str) -> str:
    """Return a report's state, with the true reason when it is closed."""
    reason = word_of(values["reason"], language)
    return reason if values["state"] == "closed" and reason else word_of(values["state"], language)


def severity_of(values: dict[str, Any]) -> str:
    """Return the severity that shows a state; what was closed unrepaired is not green."""
    if values["state"] == "closed" and values["reason"] not in ("repaired", "already_done"):
        return ""
    return _STATES[values["state"]].severity or ""


def shown_of(request: Request, rows: Sequence[Row], at: LonLat | None = None) -> list[Shown]:
    """Return reports for a list; with `at`, how far each is from it."""
    town, language = town_of(request), language_of(request)
    smalls = thumbnails(town, [row.id for row in rows])
    categories = categories_of(town)
    found = []
    for row in rows:
        v, category = row.values, categories.get(row.values["category"])
        title = category.title.of(language) if category else _first_words(v["description"] or v["number"])
        metres = (
            round(distance_m(at, tuple(row.geometry["coordinates"][:2]))) if at and row.geometry else None
        )
        small, alt = smalls.get(row.id, ("", ""))
        found.append(
            Shown(v["number"], title, v["place"] or v["area"] or "", v["description"] or "", state_words(v, language), severity_of(v),
                  v["requested"], small, alt, v["me_too"], metres, row.id, category.icon if category else "circle")
        )  # fmt: skip
    return found


def _first_words(text: str) -> str:
    return text if len(text) <= 60 else text[:57].rsplit(" ", 1)[0] + "…"


def thumbnails(town: Town, ids: Iterable[int]) -> dict[int, tuple[str, str]]:
    """Return the first published photo of each report: its thumbnail's address, and what is seen on it."""
    wanted = list(ids)
    if not wanted:
        return {}
    query = Query(where={"request": wanted, "shown": True}, limit=1000)
    found: dict[int, tuple[str, str]] = {}
    for row in town.store.records.find("report_photo", query).rows:
        address = f"/signalements/photos/{row.values['small']}.jpg"
        found.setdefault(row.values["request"], (address, row.values["alt"] or ""))
    return found


def near_open(town: Town, at: LonLat | None, category: int | None, most: int = 4) -> list[Row]:
    """Return the open public reports near a point, those of the same category from farther, the nearest first."""
    if at is None:
        return []
    query = Query(
        bbox=around(at, SAME_M),
        where={"state": list(OPEN), "shown": True, "duplicate_of": None},
        sort="-_id",
        limit=200,
    )
    near = []
    for row in town.store.records.find("service_request", query).rows:
        metres = distance_m(at, tuple(row.geometry["coordinates"][:2])) if row.geometry else SAME_M
        same = category is not None and row.values["category"] == category
        if metres <= (SAME_M if same else OTHER_M):
            near.append((metres - (OTHER_M if same else 0.0), row))
    return [row for _, row in sorted(near, key=lambda n: (n[0], n[1].id))[:most]]
