"""`/services/reports/acheminement`: the routing table in words, its dead lines, and a trial of it."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from shapely.geometry import shape
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.model.principal import Principal
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.services.reports.arrival.table import Arrival, Line, read_table, settle
from beffroi.services.reports.collections import PRIORITIES
from beffroi.services.reports.desk.deeds import instant_of
from beffroi.services.reports.desk.seen import Names, names_of, require_staff, town_of, word
from beffroi.store.desk import Desk
from beffroi.store.record import Query
from beffroi.town import Town
from beffroi.web.kit.page import figures_of, render, translate, words_of

__all__ = ["ROUTES"]

PLACE = "/services/reports/acheminement"


class Shown(msgspec.Struct, frozen=True):
    """One line of the table in words."""

    id: int
    rank: int
    name: str
    when: tuple[str, ...]
    then: tuple[str, ...]
    active: bool
    fault: str = ""
    dead: str = ""


def _when(request: Request, line: Line, names: Names, areas: Mapping[int, str]) -> tuple[str, ...]:
    _, values = translate(request), line.row.values
    codes = [c.strip() for c in (values["categories"] or "").split(",") if c.strip()]
    titles = {str(row.values["code"]): names.category(number) for number, row in names.categories.items()}
    parts = [
        ", ".join(titles.get(code, f"{code} ?") for code in codes),
        areas.get(values["area"] or 0, "") or (_("dans la surface dessinée") if line.row.geometry else ""),
        *(values[name] or "" for name in ("answers", "days", "hours", "season")),
    ]
    return tuple(part for part in parts if part) or (_("tous les signalements"),)


def _then(request: Request, values: Mapping[str, Any], names: Names) -> tuple[str, ...]:
    _, language = translate(request), names.language
    days = values["deadline_days"]
    plural = words_of(request).plural
    said = ""
    if days is not None:
        said = plural(days, "{n} jour ouvré", "{n} jours ouvrés") if values["deadline_working"] else plural(days, "{n} jour", "{n} jours")  # fmt: skip
    moderation = {"before": _("relu avant publication"), "after": _("publié aussitôt")}
    parts = [
        names.department(values["department"]),
        _("priorité {level}", level=word(PRIORITIES, values["priority"], language).lower()) if values["priority"] else "",
        said,
        moderation.get(values["moderation"] or "", ""),
        _("pas nous : {contact}", contact=(values["contact_en"] if language == "en" else None) or values["contact"]) if values["contact"] else "",
    ]  # fmt: skip
    return tuple(part for part in parts if part) or (_("ce que dit la catégorie"),)


def _shown(request: Request, lines: tuple[Line, ...], names: Names, areas: Mapping[int, str]) -> list[Shown]:
    _, language = translate(request), names.language
    ranks = {line.row.id: n for n, line in enumerate(lines, 1)}
    found = []
    for line in lines:
        values, dead = line.row.values, ""
        if line.hidden_by is not None:
            by = ", ".join(str(ranks[number]) for number in line.hidden_by)
            dead = _("Jamais atteinte : cachée par {lines}.", lines=by) if by else _("Jamais atteinte : sa catégorie ou sa surface n'existe pas.")  # fmt: skip
        fault = f"{line.problem.reason.of(language)} {line.problem.mend.of(language)}" if line.problem else ""
        found.append(Shown(line.row.id, ranks[line.row.id], values["name"], _when(request, line, names, areas),
                           _then(request, values, names), bool(values["active"]), fault, dead))  # fmt: skip
    return found


def page(request: Request) -> Response:
    """Answer the table, and what it decides for the case that one tries."""
    who, town, names = require_staff(request), town_of(request), names_of(request)
    table = read_table(town.store.records)
    rows = list(town.store.records.all("report_area", Query(limit=500)))
    areas = {row.id: str(row.values["name"]) for row in rows}
    lines = _shown(request, table.lines, names, areas)
    desk = Desk(town.store.records, who)
    asked = request.query_params
    tried = _tried(request, town, who) if asked.get("category") or asked.get("at") else None
    return render(
        request, "desk/routing.html", lines=lines, names=names, areas=areas, asked=asked, tried=tried, ranks={s.id: s for s in lines},
        writable=desk.writable(desk.collection("report_route")), due=figures_of(request).moment(tried.due_us) if tried else "",
        priority=word(PRIORITIES, tried.priority, names.language) if tried else "", faults=[s for s in lines if s.active and (s.fault or s.dead)],
    )  # fmt: skip


def _tried(request: Request, town: Town, who: Principal) -> Arrival:
    asked = request.query_params
    category, area = asked.get("category", ""), asked.get("area", "")
    written = asked.get("at", "")
    at = instant_of(written, ZoneInfo(town.settings.time_zone), "at") if written else town.clock()
    place = None
    if area.isdigit() and len(area) < 19:
        found = town.store.records.find("report_area", Query(where={"_id": int(area)}, limit=1)).rows
        if found and found[0].geometry:
            inside = shape(found[0].geometry).representative_point()
            place = (inside.x, inside.y)
    values: dict[str, Any] = {
        "category": int(category) if category.isdigit() and len(category) < 19 else None,
        "requested": at,
        "answers": {},
    }
    return settle(town, values, place, who.territories[0] if who.territories else None)


async def move(request: Request) -> Response:
    """Move a line up or down by one."""
    who = require_staff(request)
    form = {k: str(v) for k, v in (await request.form()).items()}
    await run_in_threadpool(_move, town_of(request), who, form)
    return RedirectResponse(PLACE, 303)


def _move(town: Town, who: Principal, form: Mapping[str, str]) -> None:
    desk = Desk(town.store.records, who)
    collection = desk.collection("report_route")
    if not desk.writable(collection):
        desk.refuse(collection)
    rows = [line.row for line in read_table(town.store.records).lines]
    number, step = form.get("row", ""), {"up": -1, "down": 1}.get(form.get("do", ""))
    here = next((n for n, row in enumerate(rows) if str(row.id) == number), None)
    if here is None or step is None:
        raise NotFound(Text("Cette ligne n'existe pas.", "There is no such line."), place="row")
    if not 0 <= here + step < len(rows):
        raise Problem(Text("Cette ligne est déjà au bout.", "This line is at the end already."), place="row")
    rows[here], rows[here + step] = rows[here + step], rows[here]
    with town.store.records.writer(who, "Rang") as writer:
        for position, row in enumerate(rows):
            if row.values["position"] != position:
                writer.change("report_route", row.id, {"position": position})


ROUTES: list[BaseRoute] = [Route(PLACE, page), Route(PLACE, move, methods=["POST"])]
