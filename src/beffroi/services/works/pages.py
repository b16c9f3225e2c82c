"""`/travaux`: works for everybody, `/travaux/datex2.xml` for navigators; `/services/works/declarations` for staff."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.identity.rights import require_staff
from beffroi.model.declaration import Entrance
from beffroi.model.principal import Principal
from beffroi.model.problem import NotFound
from beffroi.model.text import Text
from beffroi.services.works.car_parks import CAR_PARKS
from beffroi.services.works.charging import CHARGING_POINTS, stations
from beffroi.services.works.clock import clock_of, today_of, valid_until
from beffroi.services.works.concerned import concerned_by, groups_of
from beffroi.services.works.national import National
from beffroi.services.works.plan import plan_svg, swatch
from beffroi.services.works.publishing import document_of, drafted, permits, published, told
from beffroi.standards.datex2 import MEDIA_TYPE
from beffroi.store.record import Query, Row
from beffroi.town import Town
from beffroi.web.kit.ground import base_map
from beffroi.web.kit.map import course, middle, outline_svg
from beffroi.web.kit.page import language_of, principal_of, render, translate

__all__ = ["ENTRANCES", "ROUTES"]

PARKING = "/stationner"
DESK = "/services/works/declarations"
ENTRANCES = (
    Entrance(Text("Travaux en cours", "Works under way"), "/travaux"),
    Entrance(Text("Se garer, recharger", "Park, charge"), PARKING),
    Entrance(Text("DT-DICT", "Works declarations"), DESK, "agent"),
    Entrance(
        Text(
            "Son délai, les ouvrages concernés et le récépissé",
            "Its clock, the assets concerned and the receipt",
        ),
        f"{DESK}/{{id}}",
        "agent",
        record="works_declaration",
    ),
    Entrance(
        Text("Les travaux en cours et à venir", "Works under way and to come"),
        "/travaux",
        record="works_permit",
    ),
    Entrance(Text("Toutes les bornes de recharge", "All charging points"), PARKING, record="charging_point"),
    Entrance(Text("Tous les parcs de stationnement", "All car parks"), PARKING, record="car_park"),
)
_SHOWN, _PAGE = 200, 50
_LEAST_DEGREES = 0.004


def _town(request: Request) -> Town:
    town: Town = request.app.state.town
    return town


def index(request: Request) -> Response:
    """Answer the works under way and to come."""
    town, who = _town(request), principal_of(request)
    now = town.clock()
    rows = [r for r in permits(town, now) if not r.values["withdrawn"]]
    drafts = [r for r in drafted(town, now) if who.covers(r.territory)] if who.staff else []
    field = town.store.records.collections["works_permit"].field("measure")
    assert field is not None
    words = {c.value: (c.severity or "", c.title.of(language_of(request))) for c in field.choices}
    return render(
        request, "works/list.html", current=[r for r in rows if r.values["starts"] <= now], coming=[r for r in rows if r.values["starts"] > now], words=words,
        drafts=drafts, wrong=[(r, r.geometry is None) for r in [*rows, *drafts] if not told(r)] if who.staff else [],
        drawing=_drawing(town, rows, {value: severity for value, (severity, _) in words.items()}),
    )  # fmt: skip


def _drawing(town: Town, rows: list[Row], severities: Mapping[str, str]) -> Markup | None:
    """Return a map of the works, each in the colour and with the mark of its measure. None when none has a place."""
    placed = [(r, severities[r.values["measure"]], _line_of(r)) for r in rows if r.geometry]
    if not placed:
        return None
    points = [p for _, _, line in placed for p in line]
    west, south, east, north = min(p[0] for p in points), min(p[1] for p in points), max(p[0] for p in points), max(p[1] for p in points)  # fmt: skip
    pad = max(east - west, north - south, _LEAST_DEGREES) * 0.15
    ground = [*base_map(town).features, *(course(r.geometry, s) for r, s, _ in placed if r.geometry)]
    marks = [(*middle(line), s, r.values["title"]) for r, s, line in placed]
    return outline_svg((west - pad, south - pad, east + pad, north + pad), ground, marks)


def _line_of(row: Row) -> list[Any]:
    """Return the points of a record's first line or outline."""
    parts = (row.geometry or {})["coordinates"]
    if isinstance(parts[0], int | float):
        return [parts]
    while not isinstance(parts[0][0], int | float):
        parts = parts[0]
    return list(parts)


def parking(request: Request) -> Response:
    """Answer the charging stations and the car parks."""
    town = _town(request)
    parks = town.store.records.find("car_park", Query(sort="nom", limit=_SHOWN)).rows
    field = town.store.records.collections["charging_point"].field("accessibilite_pmr")
    assert field is not None
    words = {c.value: c.title.of(language_of(request)) for c in field.choices}
    return render(request, "works/parking.html", stations=stations(town), parks=parks, access=words)


def charging_csv(request: Request) -> Response:
    """Answer the charging points as the national schema has them."""
    return _national(request, CHARGING_POINTS)


def car_parks_csv(request: Request) -> Response:
    """Answer the car parks as the national schema has them."""
    return _national(request, CAR_PARKS)


def _national(request: Request, schema: National) -> Response:
    text, _, _ = schema.write(_town(request))
    name = f"{schema.collection.name}.csv"
    return Response(
        text, media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Access-Control-Allow-Origin": "*"},
    )  # fmt: skip


def datex(request: Request) -> Response:
    """Answer the orders of the last month and those to come, as a DATEX II publication."""
    town = _town(request)
    body = document_of(town, published(town))
    return Response(body, media_type=MEDIA_TYPE, headers={"Access-Control-Allow-Origin": "*"})


def desk(request: Request) -> Response:
    """Answer the register: every declaration that waits, the most urgent first, then those answered, a page at a time."""
    who, town = require_staff(principal_of(request)), _town(request)
    mine = who.territories or None
    today = today_of(town)
    waiting = town.store.records.all("works_declaration", Query(where={"state": "open"}, territories=mine))
    waits = sorted(((row, clock_of(row)) for row in waiting), key=lambda pair: pair[1].day)
    query = Query(
        where={"state": ["answered", "closed"]}, territories=mine, sort="-received", limit=_PAGE, after=request.query_params.get("suite")
    )  # fmt: skip
    page = town.store.records.find("works_declaration", query)
    first = 0 if query.after else len(waits)
    told = [*(waits if first else []), *((row, clock_of(row)) for row in page.rows)]
    return render(
        request, "works/declarations.html", rows=[(r, d, (d.day - today).days) for r, d in told], waiting=len(waits), late=sum(d.day < today for _, d in waits),
        later=_page_at(page.previous), earlier=_page_at(page.next),
    )  # fmt: skip


def _page_at(cursor: str | None) -> str:
    return f"{DESK}?{urlencode({'suite': cursor})}" if cursor else ""


def _one(request: Request) -> tuple[Row, Principal]:
    who = require_staff(principal_of(request))
    row = _town(request).store.records.get("works_declaration", request.path_params["id"])
    if not who.covers(row.territory):
        raise NotFound(Text("Cette déclaration n'existe pas.", "There is no such declaration."))
    return row, who


def one(request: Request) -> Response:
    """Answer one declaration: its clock, the assets it concerns on a plan, the receipt that is prepared."""
    row, who = _one(request)
    town, _, language = _town(request), translate(request), language_of(request)
    found = None if row.geometry is None else concerned_by(town, row.geometry)
    groups = groups_of(found) if found else []
    today = today_of(town)
    limit = clock_of(row)
    answered = row.values["answered"]
    kept = town.store.records.collections["works_declaration"]
    kind = kept.field("kind")
    assert kind is not None
    return render(
        request, "works/declaration.html", row=row, kind=kind.title_of(row.values["kind"], language), limit=limit, late=row.values["state"] == "open" and limit.day < today,
        left=(limit.day - today).days, found=found, groups=[(g, swatch(found, g)) for g in groups] if found else [],
        plan=plan_svg(town, found, _("Plan des ouvrages concernés"), row.values["number"]) if found else None, credit=base_map(town).credit,
        until=valid_until(answered) if answered else None, titles={n: c.title.of(language) for n, c in town.store.records.collections.items()},
        writable=kept.writable(who),
    )  # fmt: skip


def answer(request: Request) -> Response:
    """Note that the receipt was sent today; sent once, its day is kept when the page is sent again."""
    row, who = _one(request)
    town = _town(request)
    if row.values["state"] == "open":
        found = None if row.geometry is None else concerned_by(town, row.geometry)
        values = {
            "state": "answered",
            "answered": today_of(town),
            "concerned": bool(found and found.assets),
        }
        town.store.records.put("works_declaration", values, id=row.id, who=who, reason="Récépissé envoyé")
    return RedirectResponse(f"{DESK}/{row.id}", 303)


ROUTES: list[BaseRoute] = [
    Route("/travaux", index),
    Route("/travaux/datex2.xml", datex),
    Route(PARKING, parking),
    Route(f"{PARKING}/bornes.csv", charging_csv),
    Route(f"{PARKING}/parcs.csv", car_parks_csv),
    Route(DESK, desk),
    Route(f"{DESK}/{{id:int}}", one),
    Route(f"{DESK}/{{id:int}}", answer, methods=["POST"]),
]
