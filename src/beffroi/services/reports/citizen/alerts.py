"""`/signalements/alertes`: be told of new reports around a point or in an area, by mail or by a feed; nothing before one
confirms."""

from collections import defaultdict
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.services.reports import notices
from beffroi.services.reports.abuse import marked, start_mark
from beffroi.services.reports.citizen.form import category_of, category_options
from beffroi.services.reports.citizen.reading import TRAP, point_of, town_of
from beffroi.services.reports.devices import public_key
from beffroi.services.reports.following import check_mail
from beffroi.services.reports.keys import digest, opens
from beffroi.services.reports.submission import CITIZEN
from beffroi.services.reports.subscriptions import alert_path, end
from beffroi.services.reports.where import Area, LonLat, area_of, areas_of, named_point, territory_at
from beffroi.standards.web_push import Subscription
from beffroi.store.record import Query, Row
from beffroi.store.record_writer import Writer
from beffroi.town import Town
from beffroi.web.kit.page import language_of, render

__all__ = ["ROUTES", "ask_on_device"]

RADII = (200, 500, 1000, 2000, 5000)


def page(request: Request) -> Response:
    """Answer the form of alerts."""
    query = request.query_params
    values = {k: query.get(k, "") for k in ("area", "place", "lon", "lat", "category", "radius", "mail")}
    return _page(request, values)


def _page(
    request: Request, values: dict[str, Any], problem: Problem | None = None, *, done: str = ""
) -> Response:
    town = town_of(request)
    return render(
        request, "citizen/alerts.html", 400 if problem else 200, values=defaultdict(str, values), options=category_options(request), radii=RADII, done=done, areas=areas_of(town),
        error=problem, mails=bool(town.settings.mail.url), push_key=public_key(town), start=start_mark(town.settings.secret(), town.clock()), trap=TRAP,
    )  # fmt: skip


async def ask(request: Request) -> Response:
    """Make an alert, to be confirmed by the letter that is sent."""
    sent = {name: str(value) for name, value in (await request.form()).items()}
    return await run_in_threadpool(_ask, request, sent)


def _ask(request: Request, sent: dict[str, str]) -> Response:
    town = town_of(request)
    try:
        where = _where(town, sent)
        check_mail(sent.get("mail", ""), required=True)
    except Problem as problem:
        return _page(request, sent, problem)
    machine = bool(sent.get(TRAP)) or marked(town.settings.secret(), sent.get("start", "")) is None
    if not machine:
        with town.store.records.writer(CITIZEN) as writer:
            # not confirmed, it is forgotten after its retention
            whom = {"mail": sent["mail"].strip()[:254], "until": town.clock()}
            notices.confirm_alert(town, writer, _keep(request, writer, sent, where, whom))
    return _page(request, {}, done="✓")


def _where(town: Town, sent: dict[str, str]) -> Area | LonLat:
    """Return the area that was chosen, or the point. Raises `Problem`."""
    if sent.get("area"):
        area = area_of(town, sent["area"])
        if area is None:
            raise Problem(Text("Ce quartier n'existe pas, ou plus.", "There is no such area, or no longer."),
                          Text("Choisissez-en un dans la liste.", "Choose one of the list."), place="area")  # fmt: skip
        return area
    at = point_of(sent) or named_point(town, sent.get("place", ""))
    if at is None:
        raise Problem(Text("Ce lieu n'est pas trouvé.", "This place is not found."),
                      Text("Donnez le nom d'une rue de la commune, ou votre position.", "Give the name of a street of the town, or your position."), place="place")  # fmt: skip
    return at


def _keep(
    request: Request, writer: Writer, sent: dict[str, str], where: Area | LonLat, whom: dict[str, Any]
) -> int:
    """Write an alert; return its number."""
    town, radius, category = (
        town_of(request),
        sent.get("radius", ""),
        category_of(request, sent.get("category", "")),
    )
    values = {
        "since": town.clock(), "radius_m": int(radius) if radius.isdigit() and int(radius[:6]) in RADII else 500,
        "categories": [category.id] if category else None, "language": language_of(request), **whom,
    }  # fmt: skip
    if isinstance(where, Area):
        at, territory, values["area"] = where.middle, where.territory, where.name
    else:
        at, territory = where, territory_at(town, where)
    row = writer.create("report_alert", values, {"type": "Point", "coordinates": list(at)}, territory)
    writer.change("report_alert", row.id, {"key_hash": digest(town.settings.secret(), f"alert/{row.id}")})
    return row.id


def ask_on_device(request: Request, sent: dict[str, str], device: Subscription) -> str:
    """Make an alert for a browser, which agreed itself; return the page that ends it. Raises `Problem`."""
    town = town_of(request)
    where = _where(town, sent)
    with town.store.records.writer(CITIZEN) as writer:
        made = _keep(request, writer, sent, where, {"push": device.plain(), "confirmed": True})
    return alert_path(town, made)


def _own(request: Request) -> Row:
    town, number = town_of(request), request.path_params["id"]
    found = town.store.records.find("report_alert", Query(where={"_id": number}, limit=1)).rows
    right = bool(found) and opens(
        town.settings.secret(), f"alert/{number}", request.path_params["key"], found[0].values["key_hash"]
    )
    if not right:
        raise NotFound(Text("Cette alerte n'existe pas, ou plus.", "There is no such alert, or no longer."))
    return found[0]


def confirm_page(request: Request) -> Response:
    """Answer the page that confirms or stops an alert: letters are opened by programs too, so nothing is done yet."""
    row = _own(request)
    return render(request, "citizen/alert.html", alert=row.values, done="")


async def decide(request: Request) -> Response:
    """Confirm an alert, or stop it and forget its address."""
    sent = {name: str(value) for name, value in (await request.form()).items()}
    return await run_in_threadpool(_decide, request, sent)


def _decide(request: Request, sent: dict[str, str]) -> Response:
    row, town = _own(request), town_of(request)
    stop = sent.get("do") == "stop"
    with town.store.records.writer(CITIZEN) as writer:
        if stop:
            end(town, writer, "report_alert", row)
        else:
            writer.change("report_alert", row.id, {"confirmed": True, "until": None})
    return render(request, "citizen/alert.html", alert=row.values, done="stop" if stop else "confirm")


ROUTES: list[BaseRoute] = [
    Route("/signalements/alertes", page),
    Route("/signalements/alertes", ask, methods=["POST"]),
    Route("/alertes/{id:int}/{key}", confirm_page),
    Route("/alertes/{id:int}/{key}", decide, methods=["POST"]),
]
