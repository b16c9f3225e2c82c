"""`/communes`: the communes of one installation, side by side and each with its own name, colour, logo and words.

Figures add up: each is counted per commune, for what is of no commune, and for the whole, by the same question.
"""

import functools
from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import func, select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.identity import territories
from beffroi.model.place import Territory
from beffroi.model.principal import Principal
from beffroi.model.problem import NotFound
from beffroi.model.text import Text
from beffroi.store.desk import Desk
from beffroi.store.record import Query
from beffroi.store.tables import thing
from beffroi.town import Town
from beffroi.web.kit.look import Look, look_of_commune
from beffroi.web.kit.map import MapView
from beffroi.web.kit.page import (
    figures_of,
    language_of,
    principal_of,
    render,
    translate,
    words_of,
)
from beffroi.web.kit.table import Column, Row
from beffroi.web.site import map as town_map
from beffroi.web.site import things
from beffroi.web.site.map import view_at
from beffroi.web.site.open_alarms import OPEN, OpenAlarm, alarm_rows, open_alarms, worst
from beffroi.web.site.service_figures import MONTH_US, indicator_of_place, may_read
from beffroi.web.site.town_look import answer_colours, answer_logo

__all__ = ["ROUTES", "Sums", "sums_of"]

Page = Callable[[Request], Response]
Count = Callable[[str | None], int]
NOWHERE = ""  # what is of no commune
Sums = dict[str, dict[str | None, int]]  # by what is counted, then by commune (None: the whole)


def _counts(town: Town, who: Principal) -> dict[str, Count]:
    """Return how each thing is counted in one commune, in none ("") or in all (None), for who reads."""
    desk = Desk(town.store.records, who)

    def records(name: str) -> Count:
        return lambda code: desk.count(name, Query(territories=None if code is None else (code,)))

    def sensors(code: str | None) -> int:
        query = select(func.count()).select_from(thing).where(thing.c.approved == 1)
        if not who.staff:
            query = query.where(thing.c.public == 1)
        if code is not None:
            query = query.where(thing.c.territory.is_(None) if code == NOWHERE else thing.c.territory == code)
        with town.store.read() as c:
            return int(c.execute(query).scalar_one())

    def alarms(code: str | None) -> int:
        where: dict[str, Any] = {"state": OPEN[:2]}
        if not (who.staff or who.role == "elu"):
            where["public"] = True
        return town.store.records.count(
            "alarm", Query(where=where, territories=None if code is None else (code,))
        )

    found: dict[str, Count] = {"sensors": sensors, "alarms": alarms}
    for service in town.registry.services.values():
        for collection in service.collections:
            if collection.readable(who) and collection.geometry != "none":
                found[f"record:{collection.name}"] = records(collection.name)
    return found


def sums_of(town: Town, who: Principal, communes: list[Territory]) -> Sums:
    """Return each count by commune, for none and for the whole."""
    places: list[str | None] = [*(t.code for t in communes), NOWHERE, None]
    return {name: {place: count(place) for place in places} for name, count in _counts(town, who).items()}


def _titles(request: Request) -> dict[str, str]:
    _ = translate(request)
    language, found = language_of(request), {"sensors": _("Capteurs"), "alarms": _("Alarmes ouvertes")}
    for service in request.app.state.town.registry.services.values():
        found |= {f"record:{c.name}": c.title.of(language) for c in service.collections}
    return found


def _communes(town: Town) -> list[Territory]:
    return [t for t in territories.every(town.store) if t.kind == "commune"]


def index(request: Request) -> Response:
    """Answer the communes side by side, and their sum."""
    town, _ = request.app.state.town, translate(request)
    communes, titles = _communes(town), _titles(request)
    sums = sums_of(town, principal_of(request), communes)
    counted = [name for name, by_place in sums.items() if by_place[None]]
    columns = [
        Column("name", _("Commune")),
        *(Column(name, titles[name], "number", decimals=0) for name in counted),
    ]
    rows = [
        Row({"name": t.name, **{name: sums[name][t.code] for name in counted}}, href=f"/communes/{t.code}")
        for t in communes
    ]
    if any(sums[name][NOWHERE] for name in counted):
        rows.append(Row({"name": _("Sans commune"), **{name: sums[name][NOWHERE] for name in counted}}))
    rows.append(Row({"name": _("Ensemble"), **{name: sums[name][None] for name in counted}}))
    return render(request, "site/communes.html", columns=columns, rows=rows, communes=communes)


def _one(request: Request) -> tuple[Territory, Look]:
    town = request.app.state.town
    code = request.path_params["code"]
    found = next((t for t in _communes(town) if t.code == code), None)
    if found is None:
        raise NotFound(
            Text(
                "Cette commune n'est pas de cette installation.", "This commune is not of this installation."
            ),
            Text("La page Communes les donne toutes.", "The Communes page gives them all."),
        )
    return found, look_of_commune(town, found)


def _here(town: Town, who: Principal, commune: Territory, language: str) -> list[OpenAlarm]:
    """Return the open alarms of a commune that `who` may know of."""
    if not who.covers(commune.code):
        who = Principal(who.id, who.name, "citizen")
    limited = Principal(who.id, who.name, who.role, (commune.code,), who.service)
    return open_alarms(town, limited, language)


def _within(page: Page) -> Page:
    """Make a page of the whole town one of a commune: of its things and records, under its name and colours."""

    @functools.wraps(page)
    def shown(request: Request) -> Response:
        commune, look = _one(request)
        who = principal_of(request)
        role = who.role if who.covers(commune.code) else "citizen"
        request.state.look = look
        request.state.who = msgspec.structs.replace(who, role=role, territories=(commune.code,))
        return page(request)

    return shown


def _map_of(request: Request, commune: Territory) -> MapView | None:
    """Return the map of a commune, drawn as its readers see it."""
    seen = Request({**request.scope, "state": {**request.scope.get("state", {})}})
    seen.state.who = Principal("anonymous", "", "citizen", (commune.code,))
    return view_at(seen, f"/communes/{commune.code}/carte.geojson")


def detail(request: Request) -> Response:
    """Answer a commune's own page: what rings there, its figures, its data."""
    town, who, words = request.app.state.town, principal_of(request), words_of(request)
    commune, look = _one(request)
    request.state.look = look
    alarms = _here(town, who, commune, words.language)
    counts = {name: (count(commune.code), count(None)) for name, count in _counts(town, who).items()}
    titles, figures = _titles(request), figures_of(request)
    lists = [
        (titles[name], mine, f"/donnees/{name.removeprefix('record:')}?territory={commune.code}")
        for name, (mine, _whole) in counts.items()
        if name.startswith("record:") and mine
    ]
    measured = [
        (i.title.of(words.language), figures.quantity(value, i.unit))
        for service in town.registry.services.values()
        for i in service.indicators
        if may_read(who, i.read)
        and (value := indicator_of_place(town, i, commune.code, MONTH_US)) is not None
    ]
    states = {"active": words.of("à prendre en charge"), "acknowledged": words.of("prise en charge")}
    return render(
        request, "site/commune.html", commune=commune, view=_map_of(request, commune), alarms=alarm_rows(alarms, {}, states), lists=lists,
        level=worst(alarms), sensors=counts["sensors"][0], measured=measured, reports="reports" in town.registry.services,
        words=commune.settings.get("words_en" if words.language == "en" else "words", commune.settings.get("words", "")),
    )  # fmt: skip


def colours(request: Request) -> Response:
    """Answer the custom properties of a commune's colour."""
    return answer_colours(_one(request)[1])


def logo(request: Request) -> Response:
    """Answer a commune's logo."""
    return answer_logo(_one(request)[1])


ROUTES: list[BaseRoute] = [
    Route("/communes", index),
    Route("/communes/{code}", detail),
    Route("/communes/{code}/ville-{version}.css", colours),
    Route("/communes/{code}/logo-{version}", logo),
    Route("/communes/{code}/carte", _within(town_map.page)),
    Route("/communes/{code}/carte.geojson", _within(town_map.as_geojson)),
    Route("/communes/{code}/capteurs", _within(things.index)),
    Route("/communes/{code}/capteurs.csv", _within(things.as_csv)),
    Route("/communes/{code}/capteurs.geojson", _within(things.as_geojson)),
]
