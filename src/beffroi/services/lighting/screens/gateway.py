"""`/services/lighting/passerelles/{id}`: one TALQ gateway: its devices, what it was told, what was said last and refused."""

from collections import Counter

from anyio import to_thread
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.model.principal import Principal
from beffroi.model.problem import Forbidden, NotFound, Problem
from beffroi.model.text import Text
from beffroi.services.lighting.screens.whose import choices_of, require_staff, town_of
from beffroi.services.lighting.talq.exchanges import UNDECLARED, Exchange, last_of
from beffroi.services.lighting.talq.keeping import cms_address
from beffroi.services.lighting.talq.sending import Call, planned_setup, set_up
from beffroi.services.lighting.talq.simulating import SIMULATED, post_of
from beffroi.store.record import Query, Row
from beffroi.town import Town
from beffroi.web.kit.page import language_of, render

__all__ = ["ROUTES"]

PLACE = "/services/lighting/passerelles/{id:int}"
_SHOWN = 200
MANAGERS = ("responsable", "admin")


def _gateway(request: Request) -> tuple[Principal, Town, Row]:
    who, town = require_staff(request), town_of(request)
    row = town.store.records.get("talq_gateway", request.path_params["id"])
    if not who.covers(row.territory):
        raise NotFound(Text("Cette passerelle n'existe pas.", "There is no such gateway."))
    return who, town, row


def _planned(town: Town, row: Row) -> tuple[list[Call], Problem | None]:
    """Return what would be sent, or why it cannot be."""
    try:
        return planned_setup(town, row), None
    except Problem as problem:
        return [], problem


def _faults(town: Town, devices: list[Row]) -> list[tuple[Row, str]]:
    """Return the open faults of the devices and of their lamps, each with the name of the device."""
    if "fault" not in town.store.records.collections:
        return []
    names = {f"talq_device/{d.id}": str(d.values["name"]) for d in devices}
    names |= {f"lamp/{d.values['lamp']}": str(d.values["name"]) for d in devices if d.values["lamp"]}
    rows = town.store.records.all("fault", Query(where={"state": ("open", "planned")}, sort="-seen"))
    return [(row, names[row.values["asset"]]) for row in rows if row.values["asset"] in names]


def _page(request: Request, problem: Problem | None = None) -> Response:
    who, town, row = _gateway(request)
    records, language = town.store.records, language_of(request)
    every = list(records.all("talq_device", Query(where={"gateway": row.id}, sort="name")))
    shown = every[:_SHOWN]
    lamps = {d.values["lamp"] for d in shown if d.values["lamp"]}
    calls, obstacle = _planned(town, row)
    resources = Counter(
        r.values["resource"] for r in records.all("talq_resource", Query(where={"gateway": row.id}))
    )
    return render(
        request, "lighting/gateway.html", problem.status if problem else 200, gateway=row, devices=shown, every=len(every),
        linked=sum(d.values["lamp"] is not None for d in every), resources=sorted(resources.items()),
        lamps={n: lamp for n in lamps if (lamp := _lamp(town, n)) is not None}, calls=calls, obstacle=obstacle, problem=problem,
        exchanges=last_of(town, row.id), faults=_faults(town, every), cms=cms_address(town), address=f"{town.settings.base_url or str(request.base_url).rstrip('/')}/talq/v2", simulated=SIMULATED,
        states={c.value: (c.severity, c.title.of(language)) for c in choices_of(town, "talq_gateway", "state")}, may=who.role in MANAGERS,
    )  # fmt: skip


def _lamp(town: Town, number: int) -> Row | None:
    try:
        return town.store.records.get("lamp", number)
    except NotFound:
        return None


def one(request: Request) -> Response:
    """Answer one gateway."""
    return _page(request)


def _act(request: Request, form: FormData) -> Response:
    who, town, row = _gateway(request)
    if who.role not in MANAGERS:
        raise Forbidden(
            Text("Un responsable envoie les programmes.", "A manager sends the programs."), Text("Demandez-le-lui.", "Ask them.")
        )  # fmt: skip
    if form.get("deed") != "send":
        raise Problem(Text("Ce geste n'existe pas.", "There is no such deed."), place="deed")
    try:
        set_up(town, row, post_of(town))
    except Problem as problem:
        return _page(request, problem)
    with town.store.write() as c:
        town.store.audit.note(c, who, "lighting.setup", f"talq_gateway:{row.id}", {})
    return RedirectResponse(f"/services/lighting/passerelles/{row.id}#dit", 303)


async def act(request: Request) -> Response:
    """Send a gateway its programs and calendars."""
    form = await request.form()
    return await to_thread.run_sync(_act, request, form)


def undeclared(town: Town) -> list[Exchange]:
    """Return the last call of each gateway that nobody declared; the place is its address."""
    known = {row.values["address"] for row in town.store.records.all("talq_gateway")}
    callers = {e.place: e for e in reversed(last_of(town, UNDECLARED)) if e.place and e.place not in known}
    return list(callers.values())


ROUTES: list[BaseRoute] = [Route(PLACE, one), Route(PLACE, act, methods=["POST"])]
