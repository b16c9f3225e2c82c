"""`/energie`: sites ranked by what they waste, one site, one delivery point, and files taken in."""

import tempfile
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.identity.rights import require_staff
from beffroi.model.declaration import Entrance
from beffroi.model.instant import DAY_US
from beffroi.model.principal import Principal
from beffroi.model.problem import Forbidden, Problem
from beffroi.model.text import Text
from beffroi.services.energy.arrivals import Arrival, Back, arrivals, take_back, take_file
from beffroi.services.energy.baseline.model import fit
from beffroi.services.energy.bills import disputed, measured_between
from beffroi.services.energy.climate import METHOD_TITLES, lived
from beffroi.services.energy.collections import FLUIDS
from beffroi.services.energy.drawing import Year, year_svg
from beffroi.services.energy.factors import PCS_OVER_PCI, carbon_kg, factor_of
from beffroi.services.energy.flows.reading import TITLES, recognised
from beffroi.services.energy.importing import Taken
from beffroi.services.energy.operat import Declared, adjusted, export, targets
from beffroi.services.energy.point_page import ROUTES as POINT
from beffroi.services.energy.points import known_series, point_by_number, points_of, unit_of
from beffroi.services.energy.reading_back import days_of, use_of
from beffroi.services.energy.school_holidays import school_calendar
from beffroi.services.energy.studying import Study, studied, study_town
from beffroi.store.record import Query, Row
from beffroi.town import Town
from beffroi.web.kit.chart import Plot
from beffroi.web.kit.page import figures_of, language_of, principal_of, render, translate

__all__ = ["ENTRANCES", "ROUTES"]

PLACE = "/energie"
_LARGEST = 60_000_000
_FLUIDS = {c.value: c.title.fr for c in FLUIDS}  # OPERAT is French
_SHOWN = 50
_CURVE_DAYS = 14
_YEAR_DAYS = 400

ENTRANCES = (
    Entrance(Text("Énergie gaspillée, par site", "Energy wasted, by site"), PLACE),
    Entrance(
        Text("Reprendre un flux ou une facture", "Take in a flow or a bill"), f"{PLACE}/importer", "agent"
    ),
    Entrance(Text("Points de livraison", "Delivery points"), "/donnees/delivery_point", "agent"),
    Entrance(
        Text("Mesures, contrat et factures de ce point", "Measurements, contract and bills of this point"),
        f"{PLACE}/point/{{id}}",
        "agent",
        record="delivery_point",
    ),
    Entrance(
        Text("Ce que ce site consomme", "What this site uses"), f"{PLACE}/site/{{id}}", record="energy_site"
    ),
)


class Line(msgspec.Struct, frozen=True):
    """One site of the overview: what it wastes and uses a year, its points with their study, what was found."""

    site: Row | None
    name: str
    euros: float
    points: list[tuple[Row, Study]]
    findings: list[Row]
    kwh: float | None
    cubic_metres: float | None

    @property
    def share(self) -> float:
        """The least share of days known among its points."""
        return min((s.share for _, s in self.points), default=0.0)

    @property
    def judged(self) -> bool:
        """True when the levels of all its points are known."""
        return all(s.load is not None for _, s in self.points)

    @property
    def last_us(self) -> int | None:
        """When its freshest day ended."""
        return max((s.last_us for _, s in self.points if s.last_us is not None), default=None)


def _town(request: Request) -> Town:
    town: Town = request.app.state.town
    return town


def _lines(town: Town, only: int | None = None) -> list[Line]:
    sites = {s.id: s for s in town.store.records.all("energy_site")}
    found: dict[int | None, list[Row]] = {}
    for point in points_of(town):
        found.setdefault(point.values["site"], []).append(point)
    findings: dict[int, list[Row]] = {}
    for one in town.store.records.all("energy_finding", Query(where={"state": "open"}, sort="-euro_year")):
        findings.setdefault(one.values["point"], []).append(one)
    lines = []
    for number, points in found.items():
        if only is not None and number != only:
            continue
        site = sites.get(number) if number is not None else None
        mine = sorted(
            (f for p in points for f in findings.get(p.id, [])), key=lambda f: -f.values["euro_year"]
        )
        pairs = [(p, studied(town, p)) for p in points]
        lines.append(Line(
            site, site.values["name"] if site else "", sum(f.values["euro_year"] for f in mine), pairs, mine,
            _sum(s.year for p, s in pairs if p.values["fluid"] != "water"), _sum(s.year for p, s in pairs if p.values["fluid"] == "water"),
        ))  # fmt: skip
    return sorted(lines, key=lambda one: (-one.euros, one.name))


def _sum(years: Any) -> float | None:
    known = [y for y in years if y is not None]
    return sum(known) if known else None


def index(request: Request) -> Response:
    """Answer the sites, the most wasteful first."""
    town = _town(request)
    lines = _lines(town)
    works = list(town.store.records.all("energy_works", Query(sort="-end", limit=_SHOWN)))
    who = principal_of(request)
    empty = request.query_params.get("operat", "")
    bills, powers = (_disputed(town, who), _powers(lines)) if who.staff else ([], [])
    return render(
        request, "energy/index.html", lines=lines, total=sum(one.euros for one in lines), most=max((one.euros for one in lines), default=0.0),
        meters=sum(len(one.points) for one in lines), works=works, bills=bills, names={one.site.id: one.name for one in lines if one.site}, powers=powers,
        empty=empty if empty.isascii() and empty.isdigit() and len(empty) == 4 else "", asked=sum(euros for _, _, euros in bills), spared=sum(max(s.power.saved_euros, 0.0) for _, s in powers if s.power),
    )  # fmt: skip


def _disputed(town: Town, who: Principal) -> list[tuple[Row, Row | None, float]]:
    """Return the bills to dispute that someone may see, each with its point and the euros asked too much, the most first."""
    wrong = (
        bill
        for verdict in ("quantity", "price", "sum")
        for bill in town.store.records.all("energy_bill", Query(where={"verdict": verdict}))
    )
    found = []
    for bill in wrong:
        if who.covers(bill.territory):
            number = bill.values["point"]
            found.append(
                (bill, town.store.records.get("delivery_point", number) if number else None, disputed(bill))
            )
    return sorted(found, key=lambda one: -one[2])[:_SHOWN]


def _powers(lines: list[Line]) -> list[tuple[Row, Study]]:
    """Return the points whose subscribed power should change with the name of their site, those that save most first."""
    pairs = [
        (p, s) for one in lines for p, s in one.points if s.power and s.power.best_kva != s.power.now_kva
    ]
    return sorted(pairs, key=lambda pair: -(pair[1].power.saved_euros if pair[1].power else 0.0))


def site(request: Request) -> Response:
    """Answer one site: its curve, its levels, its year beside the baseline, its works, its OPERAT trajectory."""
    town = _town(request)
    row = town.store.records.get("energy_site", request.path_params["id"])
    found = _lines(town, row.id)
    line = found[0] if found else Line(row, row.values["name"], 0.0, [], [], None, None)
    now = town.clock()
    v = row.values
    climate = lived(town, line.last_us or now)
    climatic = None
    if (
        line.kwh is not None
        and climate is not None
        and v["reference_thermal"] is not None
        and v["usual_degree_days"]
    ):
        climatic = adjusted(line.kwh, v["reference_thermal"], v["usual_degree_days"], climate.total)
    return render(
        request, "energy/site.html", site=row, line=line, blocks=[_block(request, town, p, s, v["zone"], now, name) for (p, s), name in zip(line.points, _names(line, language_of(request)), strict=True)],
        targets=targets(v["reference_kwh"], v["reference_year"], v["absolute_kwh_m2"], v["surface_m2"],
                        line.kwh if climatic is None else climatic),
        climate=climate, climatic=climatic, method=METHOD_TITLES[climate.method] if climate else None,
        calendar=school_calendar(), carbon=_carbon(line), units={p.id: unit_of(p) for p, _ in line.points},
        fluids={p.id: p.values["fluid"] for p, _ in line.points},
    )  # fmt: skip


def _carbon(line: Line) -> list[tuple[str, float, Any]]:
    found = []
    for point, one in line.points:
        factor = factor_of(point.values["fluid"])
        if factor is not None and one.year is not None:
            found.append((point.values["fluid"], carbon_kg(one.year, factor), factor))
    return found


class Block(msgspec.Struct, frozen=True):
    """What a site's page shows of one of its points."""

    point: Row
    study: Study
    unit: str
    plot: Plot | None
    drawing: Any
    baseline: float | None  # its error, over the mean
    works: list[Row]


def _names(line: Line, language: str) -> list[str]:
    """Return what each point of a site is called there: its fluid, numbered where several have the same."""
    fluids = [p.values["fluid"] for p, _ in line.points]
    titles = {c.value: c.title.of(language) for c in FLUIDS}
    return [
        titles[one] + (f" {fluids[: n + 1].count(one)}" if fluids.count(one) > 1 else "")
        for n, one in enumerate(fluids)
    ]


def _block(
    request: Request, town: Town, point: Row, found: Study, zone: str | None, now: int, name: str
) -> Block:
    _, unit = translate(request), unit_of(point)
    last = found.last_us or now
    series = known_series(town, point)
    number = next(
        (series[key] for key in (("curve", "corrected"), ("curve", "raw"), ("day", "raw")) if key in series),
        None,
    )
    plot = None
    if number is not None:
        monthly = found.load is None and not any(quantity == "curve" for quantity, _ in series)
        start = last - (_YEAR_DAYS if monthly else _CURVE_DAYS) * DAY_US
        points = [(o.start_us, o.result.value) for o in town.store.observations.series(number, start, last)]
        plot = Plot(
            f"{name}, {_('chaque relève, depuis treize mois') if monthly else _('les {n} derniers jours', n=_CURVE_DAYS)}",
            start,
            last,
            points,
            unit,
            2,
            files=(("CSV", f"/series/{number}.csv"),),
            rows=24,
        )
    works = list(town.store.records.all("energy_works", Query(where={"point": point.id}, sort="start")))
    drawing, error = _year(request, town, point, zone, last, works, unit)
    return Block(point, found, unit, plot, drawing, error, works)


def _year(
    request: Request, town: Town, point: Row, zone: str | None, last: int, works: list[Row], unit: str
) -> tuple[Any, float | None]:
    """Return the year drawn beside what the days before the works (or all but the last four weeks) make expect."""
    _ = translate(request)
    days = days_of(town, point, last - _YEAR_DAYS * DAY_US, last)
    known = np.flatnonzero(np.isfinite(days.used))
    if not len(known):
        return None, None
    days = days.since(int(known[0]))
    use = use_of(town, days, zone)
    ends = [w.values["start"] for w in works]
    until = min((_day(e) for e in ends), default=int(days.days[-1]) - 28 if len(days.days) else 0)
    past = use.only(use.days < until)
    try:
        model = fit(past)
    except Problem:
        return None, None
    expected = model.predict(use, between=False)
    missed = (past.kwh - model.predict(past, between=False))[past.known]
    error = float(np.sqrt((missed**2).mean()) / past.kwh[past.known].mean()) if len(missed) else None
    spans = tuple((_day(w.values["start"]), _day(w.values["end"])) for w in works)
    return year_svg(
        Year(days.days, days.used, expected, spans),
        figures_of(request),
        _("Une année, et ce que la référence attend"),
        f"{unit}/{_('jour')}",
    ), error


def _day(said: Any) -> int:
    found = said if isinstance(said, date) else date.fromisoformat(str(said)[:10])
    return found.toordinal() - date(1970, 1, 1).toordinal()


def importing(request: Request) -> Response:
    """Answer the form that takes files in, and the last files taken."""
    require_staff(principal_of(request))
    return _importing(request)


def _importing(
    request: Request, taken: Taken | None = None, bills: Sequence[Row] = (), problem: Problem | None = None,
    flow: str = "", read: str = "", back: Back | None = None,
) -> Response:  # fmt: skip
    who, town = principal_of(request), _town(request)
    points = [point_by_number(town, number) for number in (taken.points[:_SHOWN] if taken else ())]
    return render(
        request, "energy/importing.html", problem.status if problem else 200, titles=TITLES, taken=taken, bills=bills, problem=problem, flow=flow,
        read=read, back=back, points=[p for p in points if p is not None], arrivals=arrivals(town), mine=_may_take_back(who),
    )  # fmt: skip


def _may_take_back(who: Principal) -> Callable[[Arrival], bool]:
    """Return whether someone may take back a file: their own, or any for who manages the whole town."""
    return lambda one: one.who == who.id or (who.role in ("responsable", "admin") and not who.territories)


async def take(request: Request) -> Response:
    """Take a file in."""
    async with request.form() as form:
        if (number := str(form.get("back") or "")).isdigit() and len(number) < 18:
            return await run_in_threadpool(_take_back, request, int(number))
        file = form.get("file")
        sent = isinstance(file, UploadFile)
        data = await file.read(_LARGEST + 1) if isinstance(file, UploadFile) else b""
        name = (file.filename or "") if sent and isinstance(file, UploadFile) else ""
        flow = str(form.get("flow") or "")
    return await run_in_threadpool(_take, request, flow, name, data)


def _take_back(request: Request, number: int) -> Response:
    who, town = require_staff(principal_of(request)), _town(request)
    one = next((a for a in arrivals(town) if a.number == number), None)
    if one is not None and not _may_take_back(who)(one):
        raise Forbidden(
            Text("Cette reprise est celle d'une autre personne.", "Someone else took this file in."),
            Text("Demandez-lui, ou à un responsable de la ville.", "Ask them, or a manager of the town."),
        )
    return _importing(request, back=take_back(town, number, who))


def _take(request: Request, flow: str, name: str, data: bytes) -> Response:
    who, town = require_staff(principal_of(request)), _town(request)
    try:
        if not data:
            raise Problem(
                Text("Aucun fichier, ou un fichier vide.", "No file, or an empty one."),
                Text("Choisissez le fichier reçu ; s'il est vide, redemandez-le.", "Choose the file received; if it is empty, ask for it again."), "file",
            )  # fmt: skip
        if len(data) > _LARGEST:
            raise Problem(
                Text("Ce fichier est trop lourd.", "This file is too heavy."),
                Text("Choisissez un fichier de moins de 60 Mo ; au-delà, la commande beffroi energy import.",
                     "Choose a file of less than 60 MB; beyond, the command beffroi energy import."), "file",
            )  # fmt: skip
        territory = next(iter(who.territories or ()), None)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "fichier"
            path.write_bytes(data)
            read, taken, bills = take_file(town, path, who, territory, flow, name)
    except Problem as problem:
        return _importing(request, problem=problem, flow=flow, read=flow or recognised(data) or "")
    return _importing(request, taken, bills, flow=flow, read=read)


async def again(request: Request) -> Response:
    """Study all points now, then go back to the overview."""
    require_staff(principal_of(request))
    await run_in_threadpool(study_town, _town(request), _town(request).clock())
    return RedirectResponse(PLACE, 303)


def operat(request: Request) -> Response:
    """Answer the year's uses in the layout of our OPERAT template, to be mapped before it is sent."""
    require_staff(principal_of(request))
    town = _town(request)
    now = datetime.fromtimestamp(town.clock() / 1e6, figures_of(request).zone).date()
    year = now.year - 1
    rows = []
    for line in _lines(town):
        for one, _ in line.points:
            if line.site is None or one.values["fluid"] == "water":
                continue
            v = line.site.values
            kwh, share = measured_between(town, one, date(year, 1, 1), date(year, 12, 31))
            if share > 0:
                pci = kwh / PCS_OVER_PCI if one.values["fluid"] == "gas" else kwh  # gas is metered in kWh PCS
                rows.append(
                    Declared(
                        v["siret"] or "",
                        line.name,
                        year,
                        v["surface_m2"] or 0.0,
                        _FLUIDS.get(one.values["fluid"], one.values["fluid"]),
                        pci,
                        share,
                    )
                )
    if not rows:  # an empty file would say nothing
        return RedirectResponse(f"{PLACE}?operat={year}", 303)
    headers = {"Content-Disposition": f'attachment; filename="operat-gabarit-{now.year - 1}.csv"'}
    return Response(export(rows, now).encode("utf-8-sig"), media_type="text/csv", headers=headers)


ROUTES: list[BaseRoute] = [
    Route(PLACE, index),
    Route(f"{PLACE}/etudier", again, methods=["POST"]),
    Route(f"{PLACE}/importer", importing),
    Route(f"{PLACE}/importer", take, methods=["POST"]),
    Route(f"{PLACE}/operat.csv", operat),
    Route(f"{PLACE}/site/{{id:int}}", site),
    *POINT,
]
