"""The pages of water: leaks, one leak, the balance of areas, closing a valve, the yearly indicators."""

import re
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.identity import territories
from beffroi.identity.rights import require_staff
from beffroi.model.declaration import Entrance
from beffroi.model.instant import HOUR_US
from beffroi.model.principal import Principal
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.services.watergrid.areas.checking import LOW_SHARE
from beffroi.services.watergrid.areas.judging import LEAST_DAYS, Story, known_days, story
from beffroi.services.watergrid.areas.places import network
from beffroi.services.watergrid.areas.reading import signed_meters, told
from beffroi.services.watergrid.areas.round import verdict_of
from beffroi.services.watergrid.collections import OPEN_LEAKS
from beffroi.services.watergrid.drawing import SHADES, closed_drawing, likelihood_drawing
from beffroi.services.watergrid.following import follow_up, inputs_of, written_of
from beffroi.services.watergrid.giving import stareau, stareau_file
from beffroi.services.watergrid.hydraulics.closing import cut_off
from beffroi.services.watergrid.hydraulics.model import Model
from beffroi.services.watergrid.plots import loss_plot, night_plot, sewer_of
from beffroi.services.watergrid.yearly import FORMULAS, Figures, figures_of, table_of
from beffroi.store.record import Query, Row
from beffroi.town import Town
from beffroi.web.kit.chart import Plot
from beffroi.web.kit.page import language_of, principal_of, render, translate

__all__ = ["ENTRANCES", "ROUTES"]

HOME = "/services/watergrid"
_PAST, _YEARS, _VALVES, _SHOWN_VALVES = 50, 5, 400, 40
_CODES = re.compile(r"\s*[,;]\s*")
_FLAT = 0.1  # share of the likeliest pipe below which none stands out


class Shown(msgspec.Struct, frozen=True):
    """An area with its story: mean night flow of the last week, legitimate use, standing and new losses, m³/h."""

    area: Row
    night: float | None
    legitimate: float
    standing: float | None
    new: float | None
    share: float | None  # of the night flow that is lost
    plot: Plot | None
    problem: Problem | None = None
    days: int | None = None  # so far, of an area that is not learnt yet
    learnt: bool = False  # but no day has ended since


def _staff(request: Request) -> tuple[Town, Principal]:
    who = require_staff(principal_of(request))
    town: Town = request.app.state.town
    return town, who


def _of(who: Principal, rows: Any) -> list[Row]:
    return [row for row in rows if who.covers(row.territory)]


def leaks(request: Request) -> Response:
    """Answer the open leaks, the dearest first, and those of the past."""
    town, who = _staff(request)
    find = town.store.records.find
    live = _of(who, find("water_leak", Query(where={"state": OPEN_LEAKS}, limit=500)).rows)
    past = _of(
        who,
        find("water_leak", Query(where={"state": ["repaired", "false"]}, sort="-detected", limit=_PAST)).rows,
    )
    areas = {row.id: row for row in town.store.records.all("water_area", Query(deleted=None))}
    declared = [a for a in areas.values() if a.deleted_us is None]
    return render(
        request, "watergrid/leaks.html", states=_words(request, town, "water_leak"), live=sorted(live, key=lambda r: -r.values["euro_per_day"]), past=past, areas=areas, declared=declared, more=len(past) == _PAST,
        euro=sum(r.values["euro_per_day"] for r in live), m3=sum(r.values["m3_per_day"] for r in live),
        learnt=any(a.values.get("learnt") for a in areas.values()),
    )  # fmt: skip


def leak(request: Request) -> Response:
    """Answer one leak: its course, its cost, where it may be, and the form that follows it up."""
    return _leak(request, {}, {})


async def follow(request: Request) -> Response:
    """Keep what staff write in a leak's file."""
    _staff(request)
    return await follow_up(request, _leak)


def _leak(request: Request, sent: dict[str, str], errors: dict[str, str]) -> Response:
    town, who = _staff(request)
    row = town.store.records.get("water_leak", request.path_params["id"])
    if not who.covers(row.territory):
        raise NotFound(
            Text("Cette fuite n'est pas de votre territoire.", "This leak is not in your territory."),
            Text("La liste des fuites est sur {place}.", "The list of leaks is on {place}.").filled(
                place=f"{HOME}/fuites"
            ),
        )
    area = town.store.records.get("water_area", row.values["area"], deleted=None)
    pipes = _pipes(town, row)
    shown = [(code, share, pipes.get(code)) for code, share in (row.values.get("candidates") or [])]
    found = _story_of(town, area)
    lost = row.values.get("lost_m3")
    writable = town.store.records.collections["water_leak"].writable(who)
    return render(
        request, "watergrid/leak.html", 400 if errors else 200, leak=row, inputs=inputs_of(request, town) if writable else [], values=sent or written_of(town, row), errors=errors, area=area, states=_words(request, town, "water_leak"),
        plot=None if found is None else loss_plot(translate(request), found, area, row), candidates=shown, flat=bool(shown) and shown[0][1] < _FLAT,
        drawing=likelihood_drawing(town, shown), shades=SHADES, open=row.values["state"] in OPEN_LEAKS,
        cost=None if lost is None else lost * area.values["price_eur_m3"],
    )  # fmt: skip


def _words(request: Request, town: Town, collection: str) -> dict[str, tuple[str, str]]:
    """Return severity and words of each state of a collection."""
    kept = town.store.records.collections[collection]
    field = kept.field(kept.status or "state")
    assert field is not None
    return {c.value: (c.severity or "vert", c.title.of(language_of(request))) for c in field.choices}


def _pipes(town: Town, leak: Row) -> dict[str, Row]:
    codes = [code for code, _ in (leak.values.get("candidates") or [])]
    if not codes:
        return {}
    query = Query(
        where={"code": codes}, territories=None if leak.territory is None else (leak.territory,), limit=100
    )
    return {r.values["code"]: r for r in town.store.records.find("water_pipe", query).rows}


def _story_of(town: Town, area: Row) -> Story | None:
    try:
        return _kept_story(town, area)
    except Problem:
        return None


def _kept_story(town: Town, area: Row) -> Story | None:
    """Return the story of an area as of this hour: a year of it takes a second, and changes once a day. Raises `Problem`."""
    held = _stories.setdefault(town, {})
    now = (area.version, town.clock() // HOUR_US)
    if area.id not in held or held[area.id][0] != now:
        held[area.id] = (now, story(town, area))
    return held[area.id][1]


_stories: WeakKeyDictionary[Town, dict[int, tuple[tuple[int, int], Story | None]]] = WeakKeyDictionary()


def areas(request: Request) -> Response:
    """Answer the balance of each metered area."""
    town, who = _staff(request)
    rows = _of(who, town.store.records.all("water_area"))
    meters = _of(who, town.store.records.all("water_meter"))
    sewers = _of(who, town.store.records.all("sewer_point"))
    return render(
        request, "watergrid/areas.html", shown=[_balance(request, town, a) for a in rows], states=_words(request, town, "water_area"),
        wrong=[(m, verdict_of(town, m)) for m in meters if m.values["state"] != "ok"], meters=len(meters), meter_states=_words(request, town, "water_meter"),
        sewers=[sewer_of(translate(request), town, p) for p in sewers], low_share=100 * LOW_SHARE, least=LEAST_DAYS,
    )  # fmt: skip


def _balance(request: Request, town: Town, area: Row) -> Shown:
    legitimate = (area.values.get("households") or 0) * area.values["legitimate_lh"] / 1000
    standing = area.values.get("standing_m3h")
    try:
        found = _kept_story(town, area)
    except Problem as problem:
        return Shown(area, None, legitimate, standing, None, None, None, problem)
    if found is None and told(area):
        return Shown(area, None, legitimate, standing, None, None, None, learnt=True)
    if found is None:
        try:
            _, days = known_days(town, signed_meters(town, area), town.clock())
        except Problem as problem:
            return Shown(area, None, legitimate, standing, None, None, None, problem)
        return Shown(area, None, legitimate, standing, None, None, None, days=days)
    night = _mean(found.night[-7:])
    new = _mean(found.loss[-7:])
    share = None if not night else max(0.0, min(1.0, (night - legitimate) / night))
    return Shown(area, night, legitimate, standing, new, share, night_plot(translate(request), found, area))


def _mean(values: Any) -> float | None:
    seen = values[np.isfinite(values)]
    return float(seen.mean()) if len(seen) else None


def closing(request: Request) -> Response:
    """Answer who is without water when pipes or valves are closed: `?fermer=C012`, `?fermer=V01, V02`."""
    town, who = _staff(request)
    wanted = [
        code for text in request.query_params.getlist("fermer") for code in _CODES.split(text.strip()) if code
    ]
    find = town.store.records.find
    valves = _of(who, find("water_valve", Query(sort="code", limit=_VALVES)).rows)
    named = _of(who, find("water_valve", Query(where={"code": wanted}, limit=_VALVES)).rows) if wanted else []
    model = network(town, who.territories[0] if len(who.territories) == 1 else None)
    links, unknown = _links_of(model, wanted, {v.values["code"]: v for v in named})
    dry = cut_off(model, [])  # what no source feeds as it is
    fed = len(dry) < len(model.nodes)
    cut = sorted(cut_off(model, links) - dry) if links and not unknown and fed else []
    nodes = _of(who, town.store.records.all("water_node", Query(where={"code": cut}))) if cut else []
    known = [n.values["subscribers"] for n in nodes if n.values.get("subscribers") is not None]
    return render(
        request, "watergrid/closing.html", wanted=wanted, unknown=unknown, valves=valves, links=links, nodes=nodes, pipes=len(model.pipes), fed=fed,
        subscribers=sum(known) if known else None, demand=sum(n.values.get("demand_m3h") or 0.0 for n in nodes),
        drawing=closed_drawing(town, model, links, nodes), shown=_SHOWN_VALVES,
    )  # fmt: skip


def _links_of(model: Model, wanted: list[str], valves: dict[str, Row]) -> tuple[list[str], list[str]]:
    """Return the links that codes of valves and pipes close, and the codes that the plan does not have."""
    links: list[str] = []
    unknown: list[str] = []
    for code in wanted:
        link = code if code in model.links else str(valves[code].values.get("pipe")) if code in valves else ""
        (links if link in model.links else unknown).append(link if link in model.links else code)
    return links, unknown


def indicators(request: Request) -> Response:
    """Answer the regulatory indicators of the last years, with formula and confidence; made to be printed. Public."""
    town: Town = request.app.state.town
    rows = town.store.records.find("water_year", Query(sort="-code", limit=_YEARS)).rows
    names = {t.code: t.name for t in territories.every(town.store)}
    several = len({row.territory for row in rows}) > 1
    years: list[tuple[Row, Figures]] = [(row, figures_of(row.values)) for row in rows]
    return render(
        request,
        "watergrid/indicators.html",
        years=years,
        communes={row.id: names.get(row.territory or "", "") if several else "" for row in rows},
        formulas={n: f.of(language_of(request)) for n, f in FORMULAS.items()},
    )


def indicators_csv(request: Request) -> Response:
    """Answer the same as a table: a row a year and indicator, with unit, formula, confidence, what is missing. Public."""
    town: Town = request.app.state.town
    years = [figures_of(r.values) for r in town.store.records.all("water_year", Query(sort="-code"))]
    headers = {"Content-Disposition": 'attachment; filename="indicateurs-eau.csv"', "Access-Control-Allow-Origin": "*"}  # fmt: skip
    return Response(
        table_of(years, language_of(request)), media_type="text/csv; charset=utf-8", headers=headers
    )


ENTRANCES = (
    Entrance(Text("Fuites", "Leaks"), f"{HOME}/fuites", "agent"),
    Entrance(Text("Bilan des secteurs", "Balance of areas"), f"{HOME}/secteurs", "agent"),
    Entrance(Text("Fermer une vanne", "Close a valve"), f"{HOME}/vannes", "agent"),
    Entrance(Text("Indicateurs de l'eau", "Water indicators"), f"{HOME}/indicateurs"),
    Entrance(Text("Le réseau en StaR-Eau", "The network as StaR-Eau"), f"{HOME}/stareau", "agent"),
    Entrance(
        Text(
            "Suivre cette fuite : cours, lieu probable, intervention",
            "Follow this leak: course, likely place, work",
        ),
        f"{HOME}/fuites/{{id}}",
        "agent",
        record="water_leak",
    ),
    Entrance(
        Text("Son bilan de nuit", "Its balance at night"),
        f"{HOME}/secteurs#secteur-{{id}}",
        "agent",
        record="water_area",
    ),
    Entrance(
        Text("Qui serait sans eau si on la ferme ?", "Who would be without water if it is closed?"),
        f"{HOME}/vannes?fermer={{key}}",
        "agent",
        record="water_valve",
    ),
    Entrance(
        Text("Qui serait sans eau si on l'isole ?", "Who would be without water if it is isolated?"),
        f"{HOME}/vannes?fermer={{key}}",
        "agent",
        record="water_pipe",
    ),
    Entrance(
        Text("Ce qu'en disent ses mesures", "What its measurements say of it"),
        f"{HOME}/secteurs#compteurs",
        "agent",
        record="water_meter",
    ),
    Entrance(Text("Ses indicateurs", "Its indicators"), f"{HOME}/indicateurs", record="water_year"),
)
ROUTES: list[BaseRoute] = [
    Route(f"{HOME}/stareau", stareau), Route(f"{HOME}/stareau.gpkg", stareau_file),
    Route(f"{HOME}/fuites", leaks), Route(f"{HOME}/fuites/{{id:int}}", leak), Route(f"{HOME}/fuites/{{id:int}}", follow, methods=["POST"]),
    Route(f"{HOME}/secteurs", areas),
    Route(f"{HOME}/vannes", closing), Route(f"{HOME}/indicateurs", indicators), Route(f"{HOME}/indicateurs.csv", indicators_csv),
]  # fmt: skip
