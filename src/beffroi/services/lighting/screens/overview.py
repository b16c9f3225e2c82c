"""`/services/lighting/apercu`: the stock, what it uses, its cabinets and what their curves show; one cabinet."""

import math
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from beffroi.model.instant import DAY_US, to_datetime
from beffroi.model.problem import NotFound
from beffroi.model.text import Text
from beffroi.services.lighting.calendars import rules_text
from beffroi.services.lighting.costs import schedule_of
from beffroi.services.lighting.energy import CO2_FACTORS
from beffroi.services.lighting.exporting import TEMPLATE, layout_lines
from beffroi.services.lighting.plans import Plans
from beffroi.services.lighting.screens.studies import studies_of
from beffroi.services.lighting.screens.whose import marked, territories_of, town_of
from beffroi.services.lighting.stock import (
    Feeder,
    arrays_of,
    lamps_of,
    noon_us,
    require_stock,
    tree_of,
)
from beffroi.services.lighting.watching import Watched, bases_of, known_of, read_cabinet, watch_one
from beffroi.store.record import Query, Row
from beffroi.town import Town
from beffroi.web.kit.chart import Plot, with_gaps
from beffroi.web.kit.page import language_of, principal_of, render, translate

__all__ = ["ROUTES", "fault_on"]

PLACE = "/services/lighting/apercu"
PRICE = 0.20
_NEAR_DEGREES = 0.0004  # some 40 m
_SHOWN = 300


class Fault(msgspec.Struct, frozen=True):
    """A fault on a lamp, for a list: what it is, since when, and the light point."""

    row: Row
    lamp: Row | None


def findings(town: Town, territories: tuple[str, ...] | None, **where: Any) -> list[Row]:
    """Return what curves show and is under way, the worst and newest first."""
    query = Query(where={"state": "open", **where}, territories=territories, sort="-since", limit=_SHOWN)
    return town.store.records.find("lighting_finding", query).rows


def index(request: Request) -> Response:
    """Answer the overview."""
    town, who = town_of(request), principal_of(request)
    require_stock(town)
    territories = territories_of(who)
    lamps = list(lamps_of(town, territories))
    stock, left = arrays_of(lamps)
    year, plans = to_datetime(town.clock()).year, Plans(town)
    cabinets = list(town.store.records.all("cabinet", Query(territories=territories, sort="code")))
    per_cabinet = Counter(row.values["cabinet"] for row in lamps)
    watts: Counter[int] = Counter()
    for row in lamps:
        watts[row.values["cabinet"]] += row.values["power_w"] or 0
    today = schedule_of(town, plans, lamps, "today")
    cost = today.year(year, euros_kwh=PRICE, zone=town.settings.time_zone) if today.points else None
    found = findings(town, territories)
    by_cabinet: dict[int, list[Row]] = {}
    for row in found:
        by_cabinet.setdefault(row.values["cabinet"], []).append(row)
    looked, known = known_of(town)
    language = language_of(request)
    return render(
        request, "lighting/overview.html", lamps=len(lamps), supports=town.store.records.count("support", Query(territories=territories)),
        cabinets=cabinets, left=left, states=Counter(row.values["state"] for row in lamps), sources=Counter(row.values["source"] for row in lamps),
        kilowatts=float(stock.watts.sum()) / 1000, per_cabinet=per_cabinet, watts=watts, by_cabinet=by_cabinet, found=found, cost=cost, year=year,
        factor=CO2_FACTORS[0], words=_words(town, language), price=PRICE, looked=looked, known=known, template=TEMPLATE,
        calendars={row.id: calendar for row in cabinets if (calendar := plans.calendar_of(row)) is not None}, studies=studies_of(town, who),
        may_open=who.staff and "fault" in town.store.records.collections, opened=fault_on,
    )  # fmt: skip


def points(request: Request) -> Response:
    """Answer the light points in the layout of the geostandard."""
    town, who = town_of(request), principal_of(request)
    require_stock(town)
    headers = {"Content-Disposition": 'attachment; filename="points-lumineux.csv"'}
    lines = marked(layout_lines(town, territories_of(who)))
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)


def fault_on(row: Row, what: str) -> str:
    """Return the address of the form of a fault, filled in for a lamp or a cabinet: it is given to a team there."""
    street = str(row.values["street"] or "")
    title = f"{what}, {row.values['code']}"
    asked = {"asset": f"{row.collection}/{row.id}", "title": title, "street": street}
    return "/donnees/fault/nouveau?" + urlencode({k: v for k, v in asked.items() if v})


def _words(town: Town, language: str) -> dict[str, tuple[str, str]]:
    field = town.store.records.collections["lighting_finding"].field("kind")
    assert field is not None
    return {c.value: (c.severity or "jaune", c.title.of(language)) for c in field.choices}


def cabinet(request: Request) -> Response:
    """Answer one cabinet: what its curve says, night after night, and its tree."""
    town, who = town_of(request), principal_of(request)
    require_stock(town)
    row = town.store.records.get("cabinet", request.path_params["id"])
    if not who.covers(row.territory):
        raise NotFound(Text("Cette armoire n'existe pas.", "There is no such cabinet."))
    now, _ = town.clock(), translate(request)
    plans, bases = Plans(town), bases_of(town)
    one = read_cabinet(town, row, now, plans=plans, base_w=bases.get(row.id, math.inf))
    seen = None
    if one is not None:
        others = [o for o in _others(town, row, now, plans, bases) if o is not None]
        seen = watch_one(one, [one, *others])
    tree = tree_of(town, row.id)
    plan, calendar = plans.of(row), plans.calendar_of(row)
    return render(
        request, "lighting/cabinet.html", cabinet=row, one=one, seen=seen, tree=tree, lamps=sum(f.lamps for f in tree),
        program=plan.usual.text(language_of(request)), calendar=calendar,
        rules=rules_text(str(calendar.values["rules"] or ""), language_of(request)) if calendar else "", plots=_plots(one, now, _),
        found=findings(town, None, cabinet=row.id), words=_words(town, language_of(request)),
        faults=_faults(town, tree) if who.staff else [], reports=_reports(town, tree, staff=who.staff),
        may_open=who.staff and "fault" in town.store.records.collections, opened=fault_on,
    )  # fmt: skip


def _others(town: Town, row: Row, now: int, plans: Plans, bases: Mapping[int, float]) -> list[Watched | None]:
    """Return the nearest cabinets, for what they have in common."""
    rows = [
        r
        for r in town.store.records.all(
            "cabinet", Query(territories=(row.territory,) if row.territory else None)
        )
        if r.id != row.id
    ]
    if row.geometry is not None:
        x, y = row.geometry["coordinates"][:2]
        rows.sort(
            key=lambda r: (
                9.0
                if r.geometry is None
                else (r.geometry["coordinates"][0] - x) ** 2 + (r.geometry["coordinates"][1] - y) ** 2
            )
        )
    return [read_cabinet(town, r, now, plans=plans, base_w=bases.get(r.id, math.inf)) for r in rows[:10]]


def _plots(one: Watched | None, now: int, _: Any) -> list[Plot]:
    if one is None:
        return []
    nights = [
        (noon_us(one.first + timedelta(days=n)), None if level != level else round(float(level) * 100, 2))
        for n, level in enumerate(one.level)
    ]
    start = now - 4 * DAY_US
    watts = [
        (int(s * 1e6), float(w)) for s, w in zip(one.seconds, one.watts, strict=True) if s * 1e6 >= start
    ]
    return [
        Plot(
            _("Charge de la nuit, en % de ce que dit le patrimoine"),
            nights[0][0],
            nights[-1][0] + DAY_US,
            nights,
            "%",
            1,
            gap_us=2 * DAY_US,
        ),
        Plot(_("Puissance appelée, quatre derniers jours"), start, now, with_gaps(watts), "W", 0),
    ]


def _faults(town: Town, tree: list[Feeder]) -> list[Fault]:
    """Return the open faults of the lamps of a tree (the work planned on them)."""
    if "fault" not in town.store.records.collections:
        return []
    lamps = {f"lamp/{lamp.id}": lamp for f in tree for _, held in f.supports for lamp in held}
    rows = town.store.records.all("fault", Query(where={"state": ("open", "planned")}, sort="-seen"))
    return [Fault(row, lamps[row.values["asset"]]) for row in rows if row.values["asset"] in lamps]


def _reports(town: Town, tree: list[Feeder], *, staff: bool) -> list[Row]:
    """Return the reports under way that residents made within 40 m of a lamp of the tree; hidden ones are for staff."""
    if "service_request" not in town.store.records.collections:
        return []
    points = [
        lamp.geometry["coordinates"][:2]
        for f in tree
        for _, held in f.supports
        for lamp in held
        if lamp.geometry
    ]
    if not points:
        return []
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    box = (min(xs) - _NEAR_DEGREES, min(ys) - _NEAR_DEGREES, max(xs) + _NEAR_DEGREES, max(ys) + _NEAR_DEGREES)
    query = Query(bbox=box, box_most=5000, sort="-requested", limit=200, hidden_in=None if staff else ())
    rows = town.store.records.find("service_request", query).rows
    return [r for r in rows if r.values["state"] not in ("closed", "refused") and _beside(r, points)][:30]


def _beside(row: Row, points: list[Any]) -> bool:
    if row.geometry is None or row.geometry["type"] != "Point":
        return False
    x, y = row.geometry["coordinates"][:2]
    return any(abs(x - a) < _NEAR_DEGREES and abs(y - b) < _NEAR_DEGREES for a, b in points)


ROUTES: list[BaseRoute] = [
    Route(PLACE, index),
    Route("/services/lighting/points.csv", points),
    Route("/services/lighting/armoires/{id:int}", cabinet),
]
