"""Published orders as DATEX II: which ones, and as what."""

from typing import Any

from beffroi.model.instant import DAY_US
from beffroi.standards.datex2 import Order, publication
from beffroi.store.record import Query, Row, Where
from beffroi.town import Town

__all__ = ["document_of", "drafted", "orders_of", "permits", "published", "told"]

_SHOWN = 500
_PAST_US = 30 * DAY_US


def permits(town: Town, ends_after_us: int) -> list[Row]:
    """Return the published orders that end after an instant, by their start."""
    where = {"ends": Where(">", ends_after_us), "published": True}
    return town.store.records.find(
        "works_permit", Query(where=where, sort="starts", limit=_SHOWN, hidden_in=())
    ).rows


def drafted(town: Town, ends_after_us: int) -> list[Row]:
    """Return the orders that are not published and end after an instant, by their start."""
    where = {"ends": Where(">", ends_after_us), "published": False, "withdrawn": False}
    return town.store.records.find("works_permit", Query(where=where, sort="starts", limit=_SHOWN)).rows


def told(row: Row) -> bool:
    """True when navigators can be told of an order: it has a place, and ends after it starts."""
    return row.geometry is not None and row.values["ends"] > row.values["starts"]


def published(town: Town) -> list[Row]:
    """Return the orders of the last month and those to come that navigators can be told of."""
    return [row for row in permits(town, town.clock() - _PAST_US) if told(row)]


def orders_of(town: Town, rows: list[Row]) -> list[Order]:
    """Return the orders of permits that have a place, as DATEX II has them."""
    found = []
    for row in rows:
        v = row.values
        if row.geometry is None:
            continue
        words = ". ".join(str(p) for p in (v["title"], v["street"], v["diversion"]) if p)
        measures: tuple[Any, ...] = (v["measure"],) if v["measure"] != "layout" else ("layout", "speed")
        authority = f"Commune de {town.name}"
        withdrawn = bool(v["withdrawn"])
        found.append(
            Order(str(v["number"]), words, authority, measures, v["starts"], v["ends"], row.geometry, row.version, withdrawn=withdrawn)
        )  # fmt: skip
    return found


def document_of(town: Town, rows: list[Row]) -> bytes:
    """Return the publication of these orders."""
    now = town.clock()
    return publication(
        orders_of(town, rows), made_us=now, creator=town.name, number=f"works-{now // 1_000_000}"
    )
