"""`/energie/point/{id}`: one delivery point: its contract, what is known of it month by month, its bills and their lines; an index
read by hand; the site that it serves."""

from datetime import datetime
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.identity.rights import require_staff
from beffroi.model.instant import DAY_US, from_datetime
from beffroi.model.principal import Principal
from beffroi.model.problem import Forbidden, NotFound, Problem
from beffroi.model.text import Text
from beffroi.services.energy.bills import disputed
from beffroi.services.energy.contract_power import DEFAULT_EURO_KVA
from beffroi.services.energy.importing import take_index
from beffroi.services.energy.months import months_of
from beffroi.services.energy.points import known_series, number_doubt, unit_of
from beffroi.services.energy.reading_back import late_days, states_of
from beffroi.services.energy.studying import advice_of, studied, study_again
from beffroi.store.record import Query, Row
from beffroi.town import Town
from beffroi.web.kit.page import principal_of, render

__all__ = ["ROUTES"]

PLACE = "/energie/point/{id:int}"
_BILLS, _LINES, _CHOICES = 50, 400, 500


def _town(request: Request) -> Town:
    town: Town = request.app.state.town
    return town


def _point(request: Request) -> tuple[Row, Principal]:
    who = require_staff(principal_of(request))
    row = _town(request).store.records.get("delivery_point", request.path_params["id"])
    if not who.covers(row.territory):
        raise NotFound(Text("Ce point n'existe pas.", "There is no such point."))
    return row, who


def point(request: Request) -> Response:
    """Answer one delivery point."""
    row, _ = _point(request)
    return _page(request, row)


def _page(
    request: Request, row: Row, problem: Problem | None = None, said: dict[str, str] | None = None
) -> Response:
    town = _town(request)
    now = town.clock()
    found = studied(town, row)
    last = found.last_us or now
    late = [day for day, _ in late_days(town, row, now)]
    advice, step = advice_of(town, row, last) or (None, None)
    records = town.store.records
    bills = records.find("energy_bill", Query(where={"point": row.id}, sort="-issued", limit=_BILLS)).rows
    site = records.get("energy_site", row.values["site"]) if row.values["site"] is not None else None
    return render(
        request, "energy/point.html", problem.status if problem else 200, point=row, site=site, study=found,
        series=sorted(known_series(town, row).items()), late=late, bills=bills, lines=_lines(town, row, bills), advice=advice, step=step,
        problem=problem, said=said or {}, unit=unit_of(row), standing=DEFAULT_EURO_KVA if row.values["euro_kva"] is None else row.values["euro_kva"],
        states=states_of(town, row, last), doubt=number_doubt(row), disputed=disputed, taken=request.query_params.get("index") == "ok",
        attached=request.query_params.get("site") == "ok", months=months_of(town, row, now), choices=_places(town, row) if site is None else [],
    )  # fmt: skip


def _lines(town: Town, point: Row, bills: list[Row]) -> dict[int, list[Row]]:
    """Return the lines of the newest bills, by bill."""
    query = Query(where={"point": point.id, "bill": [b.id for b in bills]}, sort="code", limit=_LINES)
    found: dict[int, list[Row]] = {}
    for line in town.store.records.find("energy_bill_line", query).rows if bills else ():
        found.setdefault(line.values["bill"], []).append(line)
    return found


def _places(town: Town, point: Row) -> list[tuple[str, str]]:
    """Return what a point may be attached to: the sites, then the town's buildings that are none yet."""
    query = Query(territories=(point.territory,) if point.territory else None, sort="name", limit=_CHOICES)
    sites = town.store.records.find("energy_site", query).rows
    known = {site.values["asset"] for site in sites} | {site.values["name"] for site in sites}
    buildings = (
        town.store.records.find("building", query).rows
        if "building" in town.store.records.collections
        else []
    )
    return [(f"energy_site/{s.id}", str(s.values["name"])) for s in sites] + [
        (f"building/{b.id}", str(b.values["name"]))
        for b in buildings
        if known.isdisjoint((f"building/{b.id}", b.values["name"]))
    ]


async def act(request: Request) -> Response:
    """Take an index read by hand, or attach the point to its site."""
    async with request.form() as form:
        said = {name: str(form.get(name) or "").strip() for name in ("at", "value", "place", "name", "deed")}
    return await run_in_threadpool(_attach if said["deed"] == "site" else _read_index, request, said)


def _attach(request: Request, said: dict[str, str]) -> Response:
    row, who = _point(request)
    town = _town(request)
    try:
        site = _site(town, row, who, said)
        if not town.store.records.collections["delivery_point"].writable(who):
            raise Forbidden(Text("Vous ne pouvez pas écrire les points.", "You may not write the points."))
        town.store.records.put(
            "delivery_point", {"site": site}, id=row.id, who=who, reason="Rattaché à son site"
        )
    except Problem as problem:
        return _page(request, row, problem, said)
    study_again(town, town.store.records.get("delivery_point", row.id), town.clock())
    return RedirectResponse(f"/energie/point/{row.id}?site=ok", 303)


def _site(town: Town, point: Row, who: Principal, said: dict[str, str]) -> int:
    """Return the site that was chosen, made when it is a building that is none yet, or a name. Raises `Problem`."""
    kind, _, number = said["place"].partition("/")
    records = town.store.records
    values: dict[str, Any]
    if said["place"] not in dict(_places(town, point)):
        if not said["name"]:
            raise Problem(
                Text("Aucun site n'est choisi", "No site is chosen"),
                Text("Choisissez-en un dans la liste, ou nommez-en un nouveau.", "Choose one in the list, or name a new one."), "place",
            )  # fmt: skip
        values = {"code": f"site-{point.values['code']}", "name": said["name"][:200]}
    elif kind == "energy_site":
        return int(number)
    else:
        building = records.get("building", int(number))
        values = {
            "code": f"building-{building.id}",
            "name": building.values["name"],
            "asset": said["place"],
        }
    if not records.collections["energy_site"].writable(who):
        raise Forbidden(Text("Vous ne pouvez pas ajouter de site.", "You may not add a site."))
    return records.put(
        "energy_site", values, territory=point.territory, who=who, reason="Site d'un point de livraison"
    ).id


def _read_index(request: Request, said: dict[str, str]) -> Response:
    row, _ = _point(request)
    try:
        try:
            at, value = (
                from_datetime(datetime.fromisoformat(said["at"])),
                float(said["value"].replace(",", ".").replace("\u202f", "").replace(" ", "")),
            )
        except ValueError as error:
            raise Problem(
                Text("La date ou l'index n'est pas compris", "The date or the reading is not understood"),
                Text("Écrivez la date et l'index, par exemple 12345,6.", "Write the date and the reading, such as 12345.6."), "value",
            ) from error  # fmt: skip
        if at > _town(request).clock() + DAY_US:
            raise Problem(
                Text("Cette date est à venir", "That date is to come"),
                Text("Écrivez la date du relevé.", "Write the date of the reading."),
                "at",
            )
        take_index(_town(request), row, at, value)
    except Problem as problem:
        return _page(request, row, problem, said)
    return RedirectResponse(f"/energie/point/{row.id}?index=ok", 303)


ROUTES: list[BaseRoute] = [Route(PLACE, point), Route(PLACE, act, methods=["POST"])]
