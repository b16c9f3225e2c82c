"""`/services/reports/equipes`: who works in which department. An agent of one handles its reports only."""

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.model.principal import Principal
from beffroi.services.reports.desk.seen import names_of, require_staff, town_of
from beffroi.store.desk import Desk
from beffroi.store.record import Query
from beffroi.town import Town
from beffroi.web.kit.page import render

__all__ = ["ROUTES"]

PLACE = "/services/reports/equipes"


def page(request: Request) -> Response:
    """Answer the departments and their members."""
    who, town, names = require_staff(request), town_of(request), names_of(request)
    desk = Desk(town.store.records, who)
    departments = [
        (row, names.department(row.id), set(row.values["members"] or ()))
        for row in names.departments.values()
    ]
    writable = desk.writable(desk.collection("report_department"))
    return render(request, "desk/teams.html", departments=departments, people=names.agents, writable=writable)


async def save(request: Request) -> Response:
    """Keep who works where: one tick box for each agent and department."""
    who = require_staff(request)
    form = await request.form()
    ticked = {str(v) for v in form.getlist("member")}
    await run_in_threadpool(_save, town_of(request), who, ticked, names_of(request).agents)
    return RedirectResponse(PLACE, 303)


def _save(town: Town, who: Principal, ticked: set[str], agents: list[tuple[str, str]]) -> None:
    desk = Desk(town.store.records, who)
    collection = desk.collection("report_department")
    if not desk.writable(collection):
        desk.refuse(collection)
    changed: dict[int, Any] = {}
    for row in town.store.records.all("report_department", Query(limit=500)):
        members = sorted(person for person, _ in agents if f"{row.id}/{person}" in ticked)
        if members != sorted(row.values["members"] or ()):
            changed[row.id] = members or None
    with town.store.records.writer(who, "Équipes") as writer:
        for number, members in changed.items():
            writer.change("report_department", number, {"members": members})


ROUTES: list[BaseRoute] = [Route(PLACE, page), Route(PLACE, save, methods=["POST"])]
