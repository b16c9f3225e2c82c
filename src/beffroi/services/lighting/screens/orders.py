"""`/services/lighting/ordres`: override several lamps: one person asks, sees what would be sent, another confirms."""

from collections import Counter
from collections.abc import Container, Sequence

from anyio import to_thread
from sqlalchemy import select
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.model.instant import MINUTE_US
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.services.lighting.screens.gateway import MANAGERS, undeclared
from beffroi.services.lighting.screens.whose import (
    choices_of,
    names_of,
    number,
    require_staff,
    territories_of,
    town_of,
)
from beffroi.services.lighting.talq import commanding
from beffroi.services.lighting.talq.simulating import SIMULATED, post_of
from beffroi.store.record import Query, Row
from beffroi.store.tables import task, tasking_capability
from beffroi.town import Town
from beffroi.web.kit.form import Input
from beffroi.web.kit.page import language_of, render, translate

__all__ = ["ROUTES"]

PLACE = "/services/lighting/ordres"
_SHOWN, _AT_ONCE = 500, 400
_DEEDS = {"confirm": commanding.confirm, "refuse": commanding.refuse}
_ALL = "toutes"


def _index(
    request: Request,
    values: dict[str, str],
    errors: dict[str, str],
    status: int = 200,
    ticked: Container[int] = (),
    wanted: str = "",
) -> Response:
    who, town, _ = require_staff(request), town_of(request), translate(request)
    territories = territories_of(who)
    find = town.store.records.find
    every = [
        d
        for d in town.store.records.all("talq_device", Query(territories=territories, sort="name"))
        if d.values["thing"]
    ]
    cabinets = _cabinets(town, every)
    wanted = wanted or request.query_params.get("armoire", "")
    devices = every
    if len(every) > _SHOWN:  # too many to be read: those of the cabinet that is asked for
        devices = [d for d in every if d.id in ticked or wanted == str(cabinets.get(d.values["lamp"]))][
            :_SHOWN
        ]
    if wanted:
        ticked = {d.id for d in devices if wanted in (_ALL, str(cabinets.get(d.values["lamp"])))}
    counted = Counter(n for d in every if (n := cabinets.get(d.values["lamp"])) is not None)
    inputs = [
        Input(
            "title",
            _("Pourquoi"),
            hint=_("Vu de la personne qui confirme, et gardé au journal."),
            required=True,
        ),
        Input("level", _("Niveau"), unit="%", required=True),
        Input(
            "minutes",
            _("Durée"),
            unit="min",
            hint=_("Au plus 720. Ensuite chaque lampe revient à son programme."),
            required=True,
        ),
    ]
    return render(
        request, "lighting/orders.html", status, devices=devices, every=len(every), inputs=inputs, values={"level": "100", "minutes": "60"} | values, errors=errors,
        orders=find("lighting_order", Query(territories=territories, sort="-asked", limit=50)).rows,
        gateways=find("talq_gateway", Query(territories=territories, limit=50)).rows,
        states={c.value: (c.severity, c.title.of(language_of(request))) for c in choices_of(town, "lighting_order", "state")},
        gates={c.value: (c.severity, c.title.of(language_of(request))) for c in choices_of(town, "talq_gateway", "state")},
        cabinets=[(town.store.records.get("cabinet", n), count) for n, count in sorted(counted.items())], ticked=ticked,
        unknown=undeclared(town) if who.role in MANAGERS else [], most=commanding.MOST_AN_HOUR, simulated=SIMULATED,
    )  # fmt: skip


def _cabinets(town: Town, devices: Sequence[Row]) -> dict[int | None, int]:
    """Return the cabinet of each light point that a device is."""
    numbers = sorted({d.values["lamp"] for d in devices if d.values["lamp"]})
    found: dict[int | None, int] = {}
    for start in range(0, len(numbers), _AT_ONCE):
        query = Query(where={"_id": numbers[start : start + _AT_ONCE]}, limit=_AT_ONCE)
        found |= {
            row.id: row.values["cabinet"]
            for row in town.store.records.find("lamp", query).rows
            if row.values["cabinet"]
        }
    return found


def index(request: Request) -> Response:
    """Answer the orders and the form, filled in from an earlier order that is asked for again (`ordre`)."""
    said = request.query_params.get("ordre", "")
    if not (said.isascii() and said.isdigit() and len(said) < 18):
        return _index(request, {}, {})
    who, town = require_staff(request), town_of(request)
    row = town.store.records.get("lighting_order", int(said))
    if not who.covers(row.territory):
        raise NotFound(Text("Cet ordre n'existe pas.", "There is no such order."))
    v = row.values
    minutes = max(1, round((v["ends"] - v["asked"]) / MINUTE_US))
    values = {"title": str(v["title"]), "level": f"{v['level']:g}", "minutes": f"{minutes:g}"}
    return _index(request, values, {}, ticked=set(v["devices"]))


def _ask(request: Request, form: FormData) -> Response:
    who, town = require_staff(request), town_of(request)
    said = {k: v for k, v in form.items() if isinstance(v, str)}
    ids = [
        int(v)
        for v in form.getlist("device")
        if isinstance(v, str) and v.isascii() and v.isdigit() and len(v) < 12
    ]
    if wanted := said.get("cocher", ""):  # only ticks lamps: what was written stays
        return _index(request, said, {}, wanted=wanted)
    try:
        level = number(said.get("level", ""), "level", low=0, high=100)
        minutes = number(said.get("minutes", ""), "minutes", low=1, high=720)
        ends = town.clock() + int(minutes) * MINUTE_US
        row = commanding.ask(town, who, ids, round(level), ends, said.get("title", ""))
    except Problem as problem:
        language = language_of(request)
        place = problem.place if problem.place in ("level", "minutes", "title") else "devices"
        return _index(
            request,
            said,
            {place: f"{problem.reason.of(language)} {problem.mend.of(language)}"},
            problem.status,
            set(ids),
        )
    return RedirectResponse(f"{PLACE}/{row.id}", 303)


async def ask(request: Request) -> Response:
    """Ask for an order."""
    form = await request.form()
    return await to_thread.run_sync(_ask, request, form)


def one(request: Request) -> Response:
    """Answer one order: what it would send, or what became of it."""
    who, town = require_staff(request), town_of(request)
    row = town.store.records.get("lighting_order", request.path_params["id"])
    if not who.covers(row.territory):
        raise NotFound(Text("Cet ordre n'existe pas.", "There is no such order."))
    waiting = row.values["state"] == "asked"
    devices = [town.store.records.get("talq_device", n, deleted=None) for n in row.values["devices"]]
    people = names_of(town, (row.values["asked_by"], row.values["confirmed_by"]))
    gateways = {d.values["gateway"] for d in devices}
    return render(
        request, "lighting/order.html", order=row, devices=devices, calls=commanding.dry_run(town, who, row.id) if waiting else [],
        may=waiting and who.role in MANAGERS and who.id != row.values["asked_by"], waiting=waiting,
        state=next(c for c in choices_of(town, "lighting_order", "state") if c.value == row.values["state"]), people=people,
        ending=row.values["state"] in commanding.RUNNING and (who.role in MANAGERS or who.id == row.values["asked_by"]),
        tasks=_tasks(town, row, devices), lapses=row.values["asked"] + commanding.WAITS_US,
        gateways=[town.store.records.get("talq_gateway", n, deleted=None) for n in sorted(gateways)], simulated=SIMULATED,
    )  # fmt: skip


_TASKS = {
    "created": Text("à envoyer", "to be sent"), "sent": Text("envoyée", "sent"), "acknowledged": Text("reçue", "received"),
    "done": Text("exécutée", "done"), "failed": Text("échouée", "failed"), "expired": Text("sans réponse", "no answer"),
    "cancelled": Text("annulée", "cancelled"),
}  # fmt: skip


def _tasks(town: Town, order: Row, devices: Sequence[Row]) -> dict[int, tuple[Text, str, int]]:
    """Return what became of the command of each thing: the words, the error, when."""
    things = [d.values["thing"] for d in devices if d.values["thing"]]
    wanted = (
        select(tasking_capability.c.thing_id, task.c.state, task.c.error, task.c.changed_us)
        .join(tasking_capability, tasking_capability.c.id == task.c.tasking_capability_id)
        .where(tasking_capability.c.thing_id.in_(things), task.c.properties.like(f'%"order":{order.id}}}%'))
    )
    with town.store.read() as c:
        return {row[0]: (_TASKS[row[1]], row[2] or "", row[3]) for row in c.execute(wanted)}


def _decide(request: Request, form: FormData) -> Response:
    who, town = require_staff(request), town_of(request)
    said, order_id = str(form.get("deed")), request.path_params["id"]
    if said == "release":
        commanding.release(town, who, order_id, post_of(town))
    elif (deed := _DEEDS.get(said)) is not None:
        deed(town, who, order_id)
    else:
        raise Problem(Text("Ce geste n'existe pas.", "There is no such deed."), place="deed")
    return RedirectResponse(f"{PLACE}/{order_id}", 303)


async def decide(request: Request) -> Response:
    """Confirm or refuse an order, or end it before its time."""
    form = await request.form()
    return await to_thread.run_sync(_decide, request, form)


ROUTES: list[BaseRoute] = [
    Route(PLACE, index),
    Route(PLACE, ask, methods=["POST"]),
    Route(f"{PLACE}/{{id:int}}", one),
    Route(f"{PLACE}/{{id:int}}", decide, methods=["POST"]),
]
