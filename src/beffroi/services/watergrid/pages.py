"""The pages of water: leaks, one leak, the balance of areas, closing a valve, the yearly indicators."""

from typing import Any

import msgspec
import numpy as np
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.model.declaration import Entrance
from beffroi.model.instant import DAY_US
from beffroi.model.principal import Principal
from beffroi.model.problem import Forbidden, NotFound, Problem
from beffroi.model.text import Text
from beffroi.services.watergrid.areas.judging import Story, story
from beffroi.services.watergrid.areas.places import network
from beffroi.services.watergrid.areas.reading import local_day
from beffroi.services.watergrid.collections import OPEN_LEAKS
from beffroi.services.watergrid.hydraulics.closing import cut_off
from beffroi.services.watergrid.yearly import FORMULAS, Figures, figures_of
from beffroi.store.record import Query, Row
from beffroi.town import Town
from beffroi.web.kit.chart import Plot, Threshold
from beffroi.web.kit.ground import base_map
from beffroi.web.kit.map import Box, outline_svg
from beffroi.web.kit.page import principal_of, render, translate

__all__ = ["ENTRANCES", "ROUTES"]

HOME = "/services/watergrid"
_PAST, _YEARS, _VALVES = 50, 5, 400
_SHADES = (
    (0.25, "rouge"),
    (0.06, "orange"),
    (0.0, "jaune"),
)  # share of the likelihood, of the mark on the map


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


def _staff(request: Request) -> tuple[Town, Principal]:
    who = principal_of(request)
    if not who.staff:
        raise Forbidden(
            Text("Cette page est réservée aux agents.", "This page is for the staff."),
            Text("Connectez-vous avec un compte d'agent.", "Sign in with a staff account."),
        )
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
    return render(
        request, "watergrid/leaks.html", live=sorted(live, key=lambda r: -r.values["euro_per_day"]), past=past, areas=areas,
        euro=sum(r.values["euro_per_day"] for r in live), m3=sum(r.values["m3_per_day"] for r in live),
        spared=sum(r.values["euro_per_day"] for r in past if r.values["state"] == "repaired"), learnt=any(a.values.get("learnt") for a in areas.values()),
    )  # fmt: skip


def leak(request: Request) -> Response:
    """Answer one leak: its course, its cost, where it may be."""
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
    return render(
        request, "watergrid/leak.html", leak=row, area=area, plot=_leak_plot(request, town, area, row), candidates=shown,
        drawing=_drawing(town, shown), shades=_SHADES, open=row.values["state"] in OPEN_LEAKS, edit=f"/donnees/water_leak/{row.id}/modifier",
    )  # fmt: skip


def _pipes(town: Town, leak: Row) -> dict[str, Row]:
    codes = [code for code, _ in (leak.values.get("candidates") or [])]
    if not codes:
        return {}
    query = Query(
        where={"code": codes}, territories=None if leak.territory is None else (leak.territory,), limit=100
    )
    return {r.values["code"]: r for r in town.store.records.find("water_pipe", query).rows}


def _leak_plot(request: Request, town: Town, area: Row, row: Row) -> Plot | None:
    try:
        found = story(town, area)
    except Problem:
        return None
    return None if found is None else _loss_plot(request, found, area, row)


def _loss_plot(request: Request, found: Story, area: Row, row: Row | None = None) -> Plot:
    _ = translate(request)
    points = [
        (local_day(found.day(i)) + DAY_US, None if not np.isfinite(v) else round(float(v), 2)) for i, v in enumerate(found.loss)
    ]  # fmt: skip
    start, end = points[0][0] - DAY_US, points[-1][0] + DAY_US
    if row is not None:
        start = max(start, min(row.values["start"] - 21 * DAY_US, end - 45 * DAY_US))
    lines = [Threshold(3.7 * found.sigma, _("seuil d'un jour"), "jaune")]
    return Plot(
        _("Pertes nouvelles, {name}", name=area.values["name"]), start, end, [p for p in points if p[0] >= start], "m³/h", 1,
        tuple(lines), gap_us=3 * DAY_US,
    )  # fmt: skip


def _drawing(town: Town, shown: list[tuple[str, float, Row | None]]) -> Markup | None:
    """Return a map of the network around the candidates, marked by likelihood."""
    placed = [(c, s, r) for c, s, r in shown if r is not None and r.geometry is not None]
    if not placed:
        return None
    every = list(town.store.records.all("water_pipe", Query(territories=(placed[0][2].territory,) if placed[0][2].territory else None, limit=500)))  # fmt: skip
    ground: list[dict[str, Any]] = [dict(f) for f in base_map(town).features]
    ground += [{"geometry": r.geometry, "properties": {"kind": "secondary"}} for r in every if r.geometry]
    marks = []
    for code, share, row in reversed(placed):
        x, y = _middle(row.geometry)
        shade = next(s for least, s in _SHADES if share >= least)
        marks.append((x, y, shade, f"{code} : {100 * share:.0f} %"))
    return outline_svg(_around(placed), ground, marks)


def _middle(geometry: Any) -> tuple[float, float]:
    points = geometry["coordinates"] if geometry["type"] == "LineString" else geometry["coordinates"][0]
    return sum(p[0] for p in points) / len(points), sum(p[1] for p in points) / len(points)


def _around(placed: list[tuple[str, float, Row]]) -> Box:
    points = [p for _, _, r in placed for p in (r.geometry or {})["coordinates"]]
    west, east = min(p[0] for p in points), max(p[0] for p in points)
    south, north = min(p[1] for p in points), max(p[1] for p in points)
    pad = max(east - west, north - south, 0.002) * 0.2
    return west - pad, south - pad, east + pad, north + pad


def areas(request: Request) -> Response:
    """Answer the balance of each metered area."""
    town, who = _staff(request)
    rows = _of(who, town.store.records.all("water_area"))
    meters = _of(who, town.store.records.all("water_meter"))
    sewers = _of(who, town.store.records.all("sewer_point"))
    return render(
        request, "watergrid/areas.html", shown=[_balance(request, town, a) for a in rows],
        wrong=[m for m in meters if m.values["state"] != "ok"], meters=len(meters), sewers=sewers,
    )  # fmt: skip


def _balance(request: Request, town: Town, area: Row) -> Shown:
    legitimate = (area.values.get("households") or 0) * area.values["legitimate_lh"] / 1000
    standing = area.values.get("standing_m3h")
    try:
        found = story(town, area)
    except Problem as problem:
        return Shown(area, None, legitimate, standing, None, None, None, problem)
    if found is None:
        return Shown(area, None, legitimate, standing, None, None, None)
    night = _mean(found.night[-7:])
    new = _mean(found.loss[-7:])
    share = None if not night else max(0.0, min(1.0, (night - legitimate) / night))
    return Shown(area, night, legitimate, standing, new, share, _loss_plot(request, found, area))


def _mean(values: Any) -> float | None:
    seen = values[np.isfinite(values)]
    return float(seen.mean()) if len(seen) else None


def closing(request: Request) -> Response:
    """Answer who is without water when pipes or valves are closed: `?fermer=C012`."""
    town, who = _staff(request)
    wanted = [c.strip() for c in request.query_params.getlist("fermer") if c.strip()]
    valves = _of(who, town.store.records.find("water_valve", Query(sort="code", limit=_VALVES)).rows)
    model = network(town)
    links: list[str] = []
    unknown: list[str] = []
    by_code = {v.values["code"]: v for v in valves}
    for code in wanted:
        valve = by_code.get(code)
        link = code if code in model.links else str(valve.values.get("pipe")) if valve is not None else ""
        if link in model.links:
            links.append(link)
        else:
            unknown.append(code)
    cut = sorted(cut_off(model, links)) if links and not unknown else []
    nodes = (
        _of(who, town.store.records.all("water_node", Query(where={"code": cut}, limit=500))) if cut else []
    )
    return render(
        request, "watergrid/closing.html", wanted=wanted, unknown=unknown, valves=valves, links=links, nodes=nodes, pipes=len(model.pipes),
        subscribers=sum(n.values.get("subscribers") or 0 for n in nodes), demand=sum(n.values.get("demand_m3h") or 0.0 for n in nodes),
        drawing=_closed_drawing(town, model, links, nodes),
    )  # fmt: skip


def _closed_drawing(town: Town, model: Any, links: list[str], nodes: list[Row]) -> Markup | None:
    places = [n.place for n in model.nodes.values() if n.place is not None]
    if not places:
        return None
    pad = 0.0006
    box = (min(p[0] for p in places) - pad, min(p[1] for p in places) - pad, max(p[0] for p in places) + pad, max(p[1] for p in places) + pad)  # fmt: skip
    ground = [dict(f) for f in base_map(town).features]
    ground += [
        {"geometry": {"type": "LineString", "coordinates": x.course}, "properties": {"kind": "secondary"}}
        for x in model.links.values() if len(x.course) > 1
    ]  # fmt: skip
    marks = [(*n.geometry["coordinates"][:2], "orange", n.values["code"]) for n in nodes if n.geometry]
    for name in links:
        course = model.links[name].course
        if len(course) > 1:
            marks.append((*_middle({"type": "LineString", "coordinates": course}), "rouge", name))
    return outline_svg(box, ground, marks)


def indicators(request: Request) -> Response:
    """Answer the regulatory indicators of the last years, with formula and confidence; made to be printed. Public."""
    town: Town = request.app.state.town
    rows = town.store.records.find("water_year", Query(sort="-code", limit=_YEARS)).rows
    years: list[tuple[Row, Figures]] = [(row, figures_of(row.values)) for row in rows]
    return render(request, "watergrid/indicators.html", years=years, formulas=FORMULAS)


ENTRANCES = (
    Entrance(Text("Fuites", "Leaks"), f"{HOME}/fuites", "agent"),
    Entrance(Text("Bilan des secteurs", "Balance of areas"), f"{HOME}/secteurs", "agent"),
    Entrance(Text("Fermer une vanne", "Close a valve"), f"{HOME}/vannes", "agent"),
    Entrance(Text("Indicateurs de l'eau", "Water indicators"), f"{HOME}/indicateurs"),
)
ROUTES: list[BaseRoute] = [
    Route(f"{HOME}/fuites", leaks), Route(f"{HOME}/fuites/{{id:int}}", leak), Route(f"{HOME}/secteurs", areas),
    Route(f"{HOME}/vannes", closing), Route(f"{HOME}/indicateurs", indicators),
]  # fmt: skip
