"""`/services/reports/terrain`: the inspector's page on a phone: what to visit, and a photo and big buttons for each.

The list is kept on the phone and what is done without a network is sent when there is one again (`field.js` and its
service worker); without script it is an ordinary page of forms.
"""

from importlib.resources import files

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.model.problem import Problem
from beffroi.services.reports.citizen.form import ACCEPT
from beffroi.services.reports.citizen.reading import Sent, check_photos, read_form
from beffroi.services.reports.desk.acting import REQUEST, Handling
from beffroi.services.reports.desk.deeds import do_many
from beffroi.services.reports.desk.rounds_page import sheet_of
from beffroi.services.reports.desk.seen import names_of, require_staff, seen, town_of
from beffroi.services.reports.photos.cut import Cut
from beffroi.services.reports.states import OPEN
from beffroi.services.reports.submission import add_photos, keep, stage
from beffroi.store.desk import Desk
from beffroi.store.files import Staged
from beffroi.store.record import Query
from beffroi.store.tables import job
from beffroi.web.kit.page import language_of, render

__all__ = ["ROUTES"]

PLACE = "/services/reports/terrain"
SHORTLIST = 100


def page(request: Request) -> Response:
    """Answer what the inspector visits: a round, or what is theirs."""
    who, town = require_staff(request), town_of(request)
    wanted = request.query_params.get("tournee", "")
    if wanted.isdigit() and len(wanted) < 19:
        sheet = sheet_of(request, int(wanted))
        return render(request, "desk/field.html", accept=ACCEPT, items=sheet.stops, round=sheet.row, rounds=[], done=request.query_params.get("did", ""))  # fmt: skip
    desk = Desk(town.store.records, who)
    query = Query(where={"assignee": who.id, "state": OPEN}, sort="due", limit=SHORTLIST)
    items = seen(request, desk.find(REQUEST, query).rows, names_of(request))
    rounds = desk.find("report_round", Query(sort="-day", limit=5)).rows
    return render(
        request,
        "desk/field.html",
        accept=ACCEPT,
        items=items,
        round=None,
        rounds=rounds,
        done=request.query_params.get("did", ""),
    )


async def act(request: Request) -> Response:
    """Do one deed; the phone may send it again, and it is done once (its `key` names it)."""
    who = require_staff(request)
    sent = await read_form(request)  # metadata are cut here, before anything else sees the photos
    number, handling = request.path_params["id"], Handling(town_of(request), who)
    wants_json = "application/json" in request.headers.get("accept", "")
    try:
        did = await run_in_threadpool(_once, handling, number, sent, language_of(request))
    except Problem as problem:
        if not wants_json:
            raise
        return JSONResponse({"ok": False, "reason": problem.reason.of(language_of(request))}, problem.status)
    if wants_json:
        return JSONResponse({"ok": True, "did": did})
    back = sent.get("back")
    return RedirectResponse(f"{back if back.startswith(PLACE) else PLACE}", 303)


def _once(handling: Handling, number: int, sent: Sent, language: str) -> str:
    """Do a deed unless one with its key was done already, however often the phone sends it."""
    check_photos(sent)
    key, store = sent.get("key")[:80], handling.town.store
    name, photos = f"field/{handling.who.id}/{key}", stage(handling.town, sent.photos)
    with store.write() as c:
        if key:
            if c.execute(job.select().where(job.c.key == name)).first() is not None:
                return ""
            values = {"id": store.next(c), "kind": "field", "key": name, "payload": "{}", "due_us": store.clock(), "state": "done"}  # fmt: skip
            c.execute(job.insert().values(**values))
        return _do(Handling(handling.town, handling.who, c), c, number, sent, photos, language)


def _do(
    handling: Handling, c: Connection, number: int, sent: Sent, photos: list[tuple[Cut, Staged]], language: str
) -> str:  # fmt: skip
    """Do a deed and keep its photos with what it wrote, in one change set; those of a note are for the staff alone."""
    values = dict(sent.texts)
    noted = values.get("do") == "note"
    if photos and noted and not values.get("text", "").strip():
        values["text"] = "Photo"
    change_set, did = do_many(handling, [number], values, language)
    if photos:
        town, records = handling.town, handling.records
        (row,) = handling.held([number])
        newest = records.find(
            "report_update", Query(where={"request": number}, sort="-at", limit=1), c=c
        ).rows
        with records.writer(handling.who, "Photo", change_set, c) as writer:
            add_photos(
                writer, number, keep(town, writer, photos), territory=row.territory, taken_by="agent",
                update=newest[0].id if newest else None, moderation="hidden" if noted else "accepted",
            )  # fmt: skip
    return did


def worker(_request: Request) -> Response:
    """Answer the service worker, which may look after the desk's pages only."""
    text = (files("beffroi.services.reports.desk") / "worker.js").read_text("utf-8")
    headers = {"Cache-Control": "no-cache", "Service-Worker-Allowed": PLACE}
    return Response(text, media_type="text/javascript; charset=utf-8", headers=headers)


ROUTES: list[BaseRoute] = [
    Route(PLACE, page),
    Route(f"{PLACE}/worker.js", worker),
    Route(f"{PLACE}/{{id:int}}", act, methods=["POST"]),
]
