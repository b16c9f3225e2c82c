"""What the pages of data have in common: the reader's desk, names of territories and people, fields in words."""

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from starlette.requests import Request

from beffroi.model.collection import Collection, Field
from beffroi.model.value import say_value
from beffroi.store.desk import Desk
from beffroi.store.record import Query, Row
from beffroi.store.tables import account, territory
from beffroi.town import Town
from beffroi.web.kit.page import figures_of, language_of, principal_of

__all__ = ["author_names", "desk_of", "label_of", "labels_of", "say", "territory_names", "town_of"]


def town_of(request: Request) -> Town:
    """Return the town that the request is for."""
    town: Town = request.app.state.town
    return town


def desk_of(request: Request) -> Desk:
    """Return the records as the reader may see and change them."""
    return Desk(town_of(request).store.records, principal_of(request))


def say(request: Request, field: Field, value: Any, beside: str | None = None) -> str:
    """Return a value in the reader's words, with its unit; `beside` is the same in English, when the record has it."""
    figures = figures_of(request)
    if beside and language_of(request) == "en" and field.kind == "text":
        return beside
    if isinstance(value, int | float) and not isinstance(value, bool) and field.unit and not field.reference:
        return figures.quantity(value, field.unit)
    if isinstance(value, date):
        return figures.day(value)
    if field.kind == "instant" and value is not None:
        return figures.moment(value)
    return say_value(field, value, language_of(request), ZoneInfo(town_of(request).settings.time_zone))


def label_of(request: Request, collection: Collection, row: Row) -> str:
    """Return the name of a record on screen."""
    field = collection.field(collection.label)
    if field is None:
        return f"n° {row.id}"
    said = say(request, field, row.values.get(field.name), row.values.get(f"{field.name}_en"))
    return said or f"n° {row.id}"


def labels_of(request: Request, name: str, ids: set[int]) -> dict[int, str]:
    """Return the names of some records of a collection, those that the reader may see."""
    if not ids:
        return {}
    desk = desk_of(request)
    readable = {c.name: c for c in desk.collections()}
    if name not in readable:
        return {}
    page = desk.find(name, Query(where={"_id": sorted(ids)[:500]}, limit=500))
    return {row.id: label_of(request, readable[name], row) for row in page.rows}


def territory_names(request: Request) -> dict[str, str]:
    """Return the name of each territory of the installation, by code."""
    with town_of(request).store.read() as c:
        rows = c.execute(select(territory.c.code, territory.c.name).order_by(territory.c.name))
        return {code: name for code, name in rows}  # noqa: C416 - a row is not a pair for the type checker


def author_names(request: Request, ids: set[str]) -> dict[str, str]:
    """Return the names of the people behind author ids such as "user:3"."""
    numbers = [int(i[5:]) for i in ids if i.startswith("user:") and i[5:].isdigit()]
    with town_of(request).store.read() as c:
        rows = c.execute(select(account.c.id, account.c.name).where(account.c.id.in_(numbers)))
        return {f"user:{number}": name for number, name in rows}
