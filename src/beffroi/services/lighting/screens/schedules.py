"""`/services/lighting/horaires`: what any schedule would use and cost, beside another; and the change to LED."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.model.instant import to_datetime
from beffroi.model.problem import Problem
from beffroi.services.lighting.energy import CO2_FACTORS, WhatIf, what_if
from beffroi.services.lighting.schedule import read_program
from beffroi.services.lighting.screens.whose import number, territories_of, town_of
from beffroi.services.lighting.stock import arrays_of, lamps_of, require_stock
from beffroi.store.record import Query
from beffroi.web.kit.form import Input
from beffroi.web.kit.page import language_of, principal_of, render, translate

__all__ = ["ROUTES"]

PLACE = "/services/lighting/horaires"
NOW, THEN = "coucher 100, lever", "coucher 100, 23:30 0, 05:30 100, lever"


def index(request: Request) -> Response:
    """Answer the two schedules and their difference; what is not readable is said beside its field."""
    town, who, _ = town_of(request), principal_of(request), translate(request)
    require_stock(town)
    year = to_datetime(town.clock()).year
    asked = {"before": NOW, "after": THEN, "price": "0,20", "armoire": ""} | dict(request.query_params)
    errors: dict[str, str] = {}
    language = language_of(request)

    def read(name: str, reader: Any) -> Any:
        try:
            return reader(asked[name])
        except Problem as problem:
            errors[name] = f"{problem.reason.of(language)} {problem.mend.of(language)}"
            return None

    before, after = read("before", read_program), read("after", read_program)
    price = read("price", lambda text: number(text, "price", low=0, high=5))
    wanted = asked["armoire"]
    where = {"cabinet": int(wanted)} if wanted.isascii() and wanted.isdigit() and len(wanted) < 12 else {}
    stock, left = arrays_of(lamps_of(town, territories_of(who), **where))
    results: list[WhatIf] = []
    if not errors and len(stock):
        results = [
            what_if(stock, p, year, euros_kwh=price, zone=town.settings.time_zone) for p in (before, after)
        ]
    programs = list(town.store.records.all("lighting_program", Query(limit=100)))
    cabinets = town.store.records.all("cabinet", Query(territories=territories_of(who), sort="code"))
    hint = _("Par exemple : coucher+10 100, 22:30 50, 23:30 0, 05:00 100, lever-10")
    inputs = [
        Input("before", _("Programme d'avant"), hint=hint, required=True),
        Input("after", _("Programme d'après"), required=True),
        Input("price", _("Prix du kWh"), unit="€", required=True),
        Input(
            "armoire", _("Armoire"), "select",
            options=(("", _("Toutes")), *((str(c.id), f"{c.values['code']} {c.values['street'] or ''}".strip()) for c in cabinets)),
        ),
    ]  # fmt: skip
    return render(
        request, "lighting/schedules.html", 400 if errors and request.query_params else 200, inputs=inputs, values=asked, errors=errors,
        results=results, points=len(stock), left=left, year=year, programs=programs, factor=CO2_FACTORS[0],
    )  # fmt: skip


ROUTES: list[BaseRoute] = [Route(PLACE, index)]
