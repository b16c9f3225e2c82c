"""`/services/reports/tournees`: round sheets, ordered by the solver, on the phone and on paper."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.model.instant import to_datetime
from beffroi.model.principal import Principal
from beffroi.model.problem import Problem
from beffroi.model.reference_system import projection
from beffroi.model.text import Text
from beffroi.services.reports.desk.acting import Handling
from beffroi.services.reports.desk.context import place_of
from beffroi.services.reports.desk.rounds import MOST_STOPS, length_m, order
from beffroi.services.reports.desk.seen import Seen, names_of, reports_named, require_staff, seen, town_of
from beffroi.services.reports.desk.sketch import sketch
from beffroi.store.desk import Desk
from beffroi.store.record import Query, Row
from beffroi.town import Town
from beffroi.web.kit.ground import base_map
from beffroi.web.kit.page import render
from beffroi.web.kit.paper import pdf

__all__ = ["ROUTES"]

PLACE = "/services/reports/tournees"
PAGE = 50


def _metric(zone: int, north: bool) -> int:
    """Return the EPSG number of the plane: Lambert-93 in mainland France (zone 0), else the UTM zone."""
    return 2154 if zone == 0 else (32600 if north else 32700) + zone


def metres(places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return points (longitude, latitude) in metres on one plane: EPSG:2154 in mainland France, UTM elsewhere."""
    if not places:
        return []
    lon, lat = places[0]
    mainland = -5.5 < lon < 10 and 41 < lat < 51.5
    plane = projection(4326, _metric(0 if mainland else int((lon + 180) // 6) % 60 + 1, lat >= 0))
    return [plane.transform(x, y) for x, y in places]


def index(request: Request) -> Response:
    """Answer the list of rounds, the newest first."""
    who, town = require_staff(request), town_of(request)
    desk = Desk(town.store.records, who)
    rows = desk.find("report_round", Query(sort="-day", limit=PAGE)).rows
    return render(request, "desk/rounds.html", rounds=rows)


def new(request: Request) -> Response:
    """Answer the form of a new round, with the reports that were ticked."""
    who, town = require_staff(request), town_of(request)
    ids = _ids(request.query_params.getlist("row"))
    rows = Handling(town, who).held(ids) if ids else []
    today = to_datetime(town.clock()).astimezone(ZoneInfo(town.settings.time_zone)).date()
    unplaced = [row for row in rows if place_of(row) is None]
    names = names_of(request)
    return render(request, "desk/round_form.html", items=seen(request, rows, names), today=today.isoformat(),
                  unplaced=seen(request, unplaced, names), most=MOST_STOPS)  # fmt: skip


def _ids(written: Sequence[str]) -> list[int]:
    return [int(n) for n in dict.fromkeys(written) if n.isdigit() and len(n) < 19]


async def make(request: Request) -> Response:
    """Order the stops and keep the round."""
    who = require_staff(request)
    form = await request.form()
    ids = _ids([str(v) for v in form.getlist("row")])
    values = {k: str(v) for k, v in form.items() if k != "row"}
    number = await run_in_threadpool(_make, town_of(request), who, ids, values)
    return RedirectResponse(f"{PLACE}/{number}", 303)


def _make(town: Town, who: Principal, ids: Sequence[int], values: Mapping[str, str]) -> int:
    handling = Handling(town, who)
    if len(ids) > MOST_STOPS:
        raise Problem(Text("Cela fait trop d'arrêts.", "That is too many stops."),
                      Text(f"Au plus {MOST_STOPS}.", f"At most {MOST_STOPS}."), place="row")  # fmt: skip
    rows = handling.held(ids)
    placed = [(row, spot) for row in rows if (spot := place_of(row)) is not None]
    points = metres([spot for _, spot in placed])
    depot = _depot(values.get("depot", ""))
    start = metres([depot])[0] if depot else None
    way: Any = "grid" if values.get("metric") == "grid" else "straight"
    turn = order(points, way, start)
    stops = [placed[n][0].id for n in turn] + [row.id for row in rows if place_of(row) is None]
    try:
        day = date.fromisoformat(values.get("day", ""))
    except ValueError as error:
        raise Problem(
            Text("Ce jour n'est pas compris.", "This day is not understood."), place="day"
        ) from error
    fresh = {
        "name": values.get("name", "").strip()[:120] or "Tournée", "day": day, "team": values.get("team", "").strip()[:120] or None,
        "stops": stops, "length_m": round(length_m([points[n] for n in turn], way, start), 1), "notes": values.get("notes", "").strip()[:2000] or None,
    }  # fmt: skip
    return handling.desk.put("report_round", fresh, territory=rows[0].territory).id


def _depot(written: str) -> tuple[float, float] | None:
    """Return where the round starts and ends, from "longitude, latitude"; None when nothing is written."""
    if not written.strip():
        return None
    parts = written.replace(";", " ").replace(",", " ").split()
    try:
        lon, lat = (float(part) for part in parts)
    except ValueError as error:
        raise Problem(Text("Le départ n'est pas compris.", "The start is not understood."),
                      Text("Écrivez longitude et latitude, par exemple 2.37 47.05.", "Write longitude and latitude, such as 2.37 47.05."),
                      place="depot") from error  # fmt: skip
    if abs(lon) > 180 or abs(lat) > 90:
        raise Problem(Text("Le départ sort du globe.", "The start is off the globe."), place="depot")
    return lon, lat


class Sheet(msgspec.Struct, frozen=True):
    """A round with its stops in order, and the drawing of its way."""

    row: Row
    stops: list[Seen]
    gone: int  # stops that were deleted since
    drawing: Markup


def sheet_of(request: Request, number: int) -> Sheet:
    """Return a round as its sheet shows it. Raises `NotFound`."""
    who, town = require_staff(request), town_of(request)
    row = Desk(town.store.records, who).get("report_round", number)
    wanted = [int(n) for n in row.values["stops"]]
    found = reports_named(town, wanted)
    stops = seen(request, [found[n] for n in wanted if n in found], names_of(request))
    places = [(stop.place, str(n)) for n, stop in enumerate(stops, 1) if stop.place is not None]
    drawing = sketch([(lon, lat, name) for (lon, lat), name in places], base_map(town).features)
    return Sheet(row, stops, len(wanted) - len(stops), drawing)


def one(request: Request) -> Response:
    """Answer a round sheet."""
    sheet = sheet_of(request, request.path_params["id"])
    return render(request, "desk/round.html", sheet=sheet)


def paper(request: Request) -> Response:
    """Answer a round sheet as PDF."""
    sheet = sheet_of(request, request.path_params["id"])
    name = f"tournee-{sheet.row.values['day'].isoformat()}-{sheet.row.id}.pdf"
    return pdf(request, "desk/round_paper.html", name, sheet=sheet)


async def change(request: Request) -> Response:
    """Move a stop by hand, take it out, or throw the round away."""
    who = require_staff(request)
    form = {k: str(v) for k, v in (await request.form()).items()}
    return RedirectResponse(
        await run_in_threadpool(_change, town_of(request), who, request.path_params["id"], form), 303
    )


def _change(town: Town, who: Principal, number: int, form: Mapping[str, str]) -> str:
    desk = Desk(town.store.records, who)
    row = desk.get("report_round", number)
    if form.get("do") == "delete":
        desk.delete("report_round", number)
        return PLACE
    stops = [int(n) for n in row.values["stops"]]
    stop = int(form["stop"]) if form.get("stop", "").isdigit() and len(form["stop"]) < 19 else 0
    if stop not in stops:
        raise Problem(
            Text("Cet arrêt n'est pas dans la tournée.", "This stop is not in the round."), place="stop"
        )
    here = stops.index(stop)
    stops.pop(here)
    if form.get("do") in ("up", "down"):
        stops.insert(max(0, here + (-1 if form["do"] == "up" else 1)), stop)
    found = reports_named(town, stops)
    spots = [spot for n in stops if n in found and (spot := place_of(found[n])) is not None]
    desk.put("report_round", {"stops": stops, "length_m": round(length_m(metres(spots)), 1)}, id=number)
    return f"{PLACE}/{number}"


ROUTES: list[BaseRoute] = [
    Route(PLACE, index),
    Route(f"{PLACE}/nouvelle", new),
    Route(f"{PLACE}/nouvelle", make, methods=["POST"]),
    Route(f"{PLACE}/{{id:int}}", one),
    Route(f"{PLACE}/{{id:int}}", change, methods=["POST"]),
    Route(f"{PLACE}/{{id:int}}.pdf", paper),
]
