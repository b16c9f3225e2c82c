"""`/services/lighting/horaires`: what any schedule would use and cost, beside another; the programs and calendars kept."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.model.instant import to_datetime
from beffroi.model.problem import Problem
from beffroi.services.lighting.calendars import rules_text
from beffroi.services.lighting.costs import TODAY, is_today, schedule_of, words_of
from beffroi.services.lighting.energy import CO2_FACTORS
from beffroi.services.lighting.plans import Plans
from beffroi.services.lighting.schedule import program_text, read_program
from beffroi.services.lighting.screens.studies import studies_of
from beffroi.services.lighting.screens.whose import number, said_number, territories_of, town_of
from beffroi.services.lighting.stock import lamps_of, require_stock
from beffroi.store.record import Query
from beffroi.web.kit.form import Input
from beffroi.web.kit.page import figures_of, language_of, principal_of, render, translate

__all__ = ["ROUTES"]

PLACE = "/services/lighting/horaires"
THEN = "coucher 100, 23:30 0, 05:30 100, lever"


def index(request: Request) -> Response:
    """Answer the two schedules and their difference; what is not readable is said beside its field."""
    town, who, _, language = town_of(request), principal_of(request), translate(request), language_of(request)
    require_stock(town)
    year, plans = to_datetime(town.clock()).year, Plans(town)
    usual = {
        "before": TODAY[language],
        "after": read_program(THEN).text(language),
        "price": said_number(0.2, language),
    }
    asked = {**usual, "armoire": "", "watts": ""} | dict(request.query_params)
    errors: dict[str, str] = {}

    def read(name: str, reader: Callable[[str], Any]) -> Any:
        try:
            return reader(asked[name])
        except Problem as problem:
            errors[name] = f"{problem.reason.of(language)} {problem.mend.of(language)}"
            return None

    for name in ("before", "after"):
        asked[name] = read(name, lambda said: words_of(plans, said, language)) or asked[name]
    price = read("price", lambda said: number(said, "price", low=0, high=5))
    watts = read("watts", lambda said: number(said, "watts", low=1, high=2000) if said.strip() else None)
    wanted = asked["armoire"]
    where = {"cabinet": int(wanted)} if wanted.isascii() and wanted.isdigit() and len(wanted) < 12 else {}
    lamps = list(lamps_of(town, territories_of(who), **where))
    told = (
        []
        if errors
        else [schedule_of(town, plans, lamps, asked[name], watts) for name in ("before", "after")]
    )
    zone = town.settings.time_zone
    counted = told[0].points if told else 0
    powerless = sum(row.values["power_w"] is None for row in lamps)
    cabinets = list(town.store.records.all("cabinet", Query(territories=territories_of(who), sort="code")))
    followers = Counter(row.id for c in cabinets if (row := plans.calendar_of(c)) is not None)
    inputs = [
        Input("before", _("Horaire d'avant"), required=True,
              hint=_("Un programme, le code d'un calendrier ou d'un programme d'en bas, ou « actuel » : ce que suit chaque armoire.")),
        Input("after", _("Horaire d'après"), required=True, hint=_("Par exemple : coucher+10 100, 22:30 50, 23:30 0, 05:00 100, lever-10")),
        Input("price", _("Prix du kWh"), unit="€", required=True),
        *([Input("watts", _("Puissance supposée d'un point qui n'en a pas"), unit="W",
                 hint=_("Points sans puissance : {n}. Vide : ils ne sont pas comptés.", n=figures_of(request).number(powerless)))] if powerless else []),
        Input(
            "armoire", _("Armoire"), "select",
            options=(("", _("Toutes")), *((str(c.id), f"{c.values['code']} {c.values['street'] or ''}".strip()) for c in cabinets)),
        ),
    ]  # fmt: skip
    return render(
        request, "lighting/schedules.html", 400 if errors and request.query_params else 200, inputs=inputs, values=asked, errors=errors,
        results=[one.year(year, euros_kwh=price, zone=zone) for one in told] if counted else [],
        odd=list(zip(*(one.odd(year, zone) for one in told), strict=True)) if counted else [],
        points=counted, lamps=len(lamps), powerless=powerless if watts else 0, watts=watts, kept=_kept(plans, asked["after"], language), left=told[0].left if told else 0, year=year, factor=CO2_FACTORS[0],
        programs=[(row, program_text(str(row.values["program"]), language)) for row in plans.program_rows],
        calendars=[(row, _program_of(plans, row), rules_text(str(row.values["rules"] or ""), language), followers[row.id]) for row in plans.calendar_rows],
        faults=[(row, problem, "program" in row.values) for row, problem in plans.faults] if who.staff else [],
        studies=studies_of(town, who), may_write=who.staff,
    )  # fmt: skip


def _kept(plans: Plans, said: str, language: str) -> str:
    """Return a line that could be kept as a program; empty for what is one, or a calendar, already."""
    known = {str(row.values["code"]) for row in (*plans.program_rows, *plans.calendar_rows)}
    if is_today(said) or said.strip() in known:
        return ""
    try:
        return read_program(said).text(language)
    except Problem:
        return ""


def _program_of(plans: Plans, calendar: Any) -> Any:
    return next((row for row in plans.program_rows if row.id == calendar.values["default_program"]), None)


ROUTES: list[BaseRoute] = [Route(PLACE, index)]
