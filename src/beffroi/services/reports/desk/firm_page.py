"""`/confie/{key}`: what an outside firm sees and does by its link. No account, no name of anyone."""

from zoneinfo import ZoneInfo

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.model.instant import to_datetime
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.services.reports.citizen.form import ACCEPT
from beffroi.services.reports.citizen.reading import Sent, check_photos, read_form
from beffroi.services.reports.desk import forwarding
from beffroi.services.reports.desk.acting import UPDATE, Handling
from beffroi.services.reports.desk.context import place_of
from beffroi.services.reports.desk.forwarding import Opened, open_link
from beffroi.services.reports.desk.seen import names_of, require_staff, seen, town_of, word
from beffroi.services.reports.states import ACTIONS, REASONS, STATES
from beffroi.store.record import Query
from beffroi.web.kit.ground import base_map
from beffroi.web.kit.map import outline_svg
from beffroi.web.kit.page import language_of, render

__all__ = ["ROUTES"]

PRIVATE = {"Cache-Control": "private, no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}


def page(request: Request) -> Response:
    """Answer the report that a link opens. Opening changes nothing."""
    town, key = town_of(request), request.path_params["key"]
    opened = open_link(town, key)
    names = names_of(request)
    (item,) = seen(request, [opened.report], names)
    updates = town.store.records.find(
        UPDATE, Query(where={"request": opened.report.id, "kind": ("reply", "state")}, sort="-at", limit=50)
    ).rows
    steps = {
        action.name
        for action in ACTIONS
        if "firm" in action.actors and opened.report.values["state"] in action.sources
    }
    exact = opened.report.values["exact_place"]
    place = tuple(exact["coordinates"][:2]) if exact else place_of(opened.report)
    today = to_datetime(town.clock()).astimezone(ZoneInfo(town.settings.time_zone)).date()
    told = [(u.values["at"], _said(u.values, names.language), u.values["text"]) for u in updates]
    drawing = ""
    if place:
        pad = 0.0025
        box = (place[0] - pad, place[1] - pad * 0.7, place[0] + pad, place[1] + pad * 0.7)
        drawing = outline_svg(box, base_map(town).features, [(place[0], place[1], "orange", item.number)])
    return render(
        request, "desk/firm.html", headers=PRIVATE, opened=opened, item=item, key=key, told=told, steps=steps, place=place, today=today.isoformat(),
        reasons=[r for r in REASONS if r.value in forwarding.FIRM_REASONS], drawing=drawing, did=request.query_params.get("fait", ""),
        photos=_photos(request, opened), accept=ACCEPT,
    )  # fmt: skip


def _said(values: dict[str, str], language: str) -> str:
    said = word(STATES, values["state"], language)
    return f"{said} · {word(REASONS, values['reason'], language)}" if values["reason"] else said


def _photos(request: Request, opened: Opened) -> list[int]:
    query = Query(
        where={"request": opened.report.id, "state": "ready", "moderation": ["waiting", "accepted"]}, limit=8
    )
    return [
        row.id
        for row in town_of(request).store.records.find("report_photo", query).rows
        if row.values["file"]
    ]


def photo(request: Request) -> Response:
    """Answer a prepared photo of the report that a link opens."""
    town, opened = town_of(request), open_link(town_of(request), request.path_params["key"])
    if request.path_params["id"] not in _photos(request, opened):
        raise NotFound(Text("Cette photo n'existe pas.", "There is no such photo."))
    row = town.store.records.get("report_photo", request.path_params["id"])
    data, kind = town.store.files.read(row.values["file"])
    return Response(data, media_type=kind, headers=PRIVATE)


async def act(request: Request) -> Response:
    """Do what the firm's form asks for."""
    key = request.path_params["key"]
    await run_in_threadpool(_act, request, key, await read_form(request))
    return RedirectResponse(f"/confie/{key}?fait=1", 303, headers=PRIVATE)


def _act(request: Request, key: str, sent: Sent) -> None:
    town = town_of(request)
    opened = open_link(town, key)
    check_photos(sent)
    forwarding.act(town, opened, sent.texts, sent.photos)


# --- The town's side.


async def forward(request: Request) -> Response:
    """Give a report to a firm."""
    who, number = require_staff(request), request.path_params["id"]
    form = {k: str(v) for k, v in (await request.form()).items()}
    written, days = form.get("department", ""), form.get("days", "30")
    if (written and not written.isdigit()) or not days.isdigit() or len(days) > 4:
        raise Problem(Text("Ce formulaire n'est pas compris.", "This form is not understood."), place="days")

    def do() -> None:
        handling = Handling(town_of(request), who)
        forwarding.forward(handling, number, department=int(written) if written else None, mail=form.get("mail", ""),
                           days=int(days), text=form.get("text", "")[:5000])  # fmt: skip

    await run_in_threadpool(do)
    said = "Sent" if language_of(request) == "en" else "Lien envoyé"
    return RedirectResponse(f"/services/reports/{number}?did={said}", 303)


async def give_back(request: Request) -> Response:
    """Take a link back."""
    who, number = require_staff(request), request.path_params["id"]
    await run_in_threadpool(
        forwarding.give_back, Handling(town_of(request), who), number, request.path_params["link"]
    )
    return RedirectResponse(f"/services/reports/{number}", 303)


ROUTES: list[BaseRoute] = [
    Route("/confie/{key}", page),
    Route("/confie/{key}", act, methods=["POST"]),
    Route("/confie/{key}/photos/{id:int}", photo),
    Route("/services/reports/{id:int}/confier", forward, methods=["POST"]),
    Route("/services/reports/{id:int}/confier/{link:int}/retirer", give_back, methods=["POST"]),
]
