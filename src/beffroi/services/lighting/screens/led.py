"""`/services/lighting/led`: the business case of a change to LED, filled in from the town's own lamps to begin with."""

from collections.abc import Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.model.instant import to_datetime
from beffroi.model.problem import Problem
from beffroi.services.lighting.energy import CO2_FACTORS, Change, led_case, led_interval, what_if
from beffroi.services.lighting.schedule import cut_program
from beffroi.services.lighting.screens.whose import number, said_number, territories_of, town_of
from beffroi.services.lighting.stock import arrays_of, lamps_of, require_stock
from beffroi.store.record import Row
from beffroi.town import Town
from beffroi.web.kit.form import Input
from beffroi.web.kit.page import language_of, principal_of, render, translate

__all__ = ["ROUTES"]

PLACE = "/services/lighting/led"
_TYPICAL_W = 45.0


class Asked(msgspec.Struct, frozen=True):
    """One number of the form: how it is bounded, how it is written, and by how much the reckoning divides it."""

    name: str
    high: float
    low: float = 0.0
    decimals: int = 0
    divided: float = 1.0


_ASKED = (
    Asked("points", 1e6, 1), Asked("watts0", 5000), Asked("watts1", 5000), Asked("loss0", 100, 0, 0, 100), Asked("loss1", 100, 0, 0, 100),
    Asked("hours", 8784, 1), Asked("dimmed", 100, 0, 0, 100), Asked("cut", 100, 0, 0, 100), Asked("euros_kwh", 5, 0, 2),
    Asked("euros_point", 1e5), Asked("upkeep0", 1e4), Asked("upkeep1", 1e4), Asked("rate", 50, 0, 1, 100), Asked("years", 60, 1),
)  # fmt: skip


def _of_the_town(town: Town, lamps: Sequence[Row]) -> dict[str, float]:
    """Return what the town's lamps say: those that are not LED, their power and gear, and the hours of a year."""
    old, _ = arrays_of(row for row in lamps if row.values["source"] not in (None, "led"))
    new, _ = arrays_of(row for row in lamps if row.values["source"] == "led")
    values: dict[str, float] = msgspec.structs.asdict(Change(max(1, len(old)), 110.0, _TYPICAL_W))
    if len(old):
        year = to_datetime(town.clock()).year
        hours = what_if(old, cut_program(None), year, euros_kwh=0.0, zone=town.settings.time_zone).lit_hours
        values |= {"watts0": float(old.watts.mean()), "loss0": float(old.loss.mean()), "hours": hours}
    if len(new):
        values["watts1"] = float(new.watts.mean())
    return values


def _tells(lamps: Sequence[Row]) -> str:
    """Return what the town's lamps say of a change: `old` (points to replace), `led` (none is left), `powerless`, or `none`."""
    if not lamps:
        return "none"
    if all(row.values["source"] == "led" for row in lamps):
        return "led"
    old, _ = arrays_of(row for row in lamps if row.values["source"] not in (None, "led"))
    return "old" if len(old) else "powerless"


def _inputs(_: Any) -> list[Input]:
    check = _("à vérifier")
    return [
        Input("points", _("Points remplacés"), required=True),
        Input("watts0", _("Puissance d'un point aujourd'hui"), unit="W", required=True),
        Input("watts1", _("Puissance d'un point en LED"), unit="W", required=True),
        Input("loss0", _("Perte de l'appareillage d'aujourd'hui"), unit="%", hint=check, required=True),
        Input("loss1", _("Perte de l'appareillage en LED"), unit="%", hint=check, required=True),
        Input("hours", _("Heures allumées dans l'année"), unit="h", required=True),
        Input("dimmed", _("Puissance épargnée par la gradation"), unit="%", required=True),
        Input("cut", _("Heures coupées"), unit="%", required=True),
        Input("euros_kwh", _("Prix du kWh"), unit="€", required=True),
        Input("euros_point", _("Coût d'un point, posé"), unit="€", required=True),
        Input("upkeep0", _("Entretien d'un point aujourd'hui, par an"), unit="€", required=True),
        Input("upkeep1", _("Entretien d'un point en LED, par an"), unit="€", required=True),
        Input("rate", _("Taux d'actualisation"), unit="%", required=True),
        Input("years", _("Durée"), unit=_("ans"), required=True),
    ]  # fmt: skip


def index(request: Request) -> Response:
    """Answer the case of the numbers given; those that are not are the town's own."""
    town, who, _, language = town_of(request), principal_of(request), translate(request), language_of(request)
    require_stock(town)
    lamps = list(lamps_of(town, territories_of(who)))
    held, told = _of_the_town(town, lamps), _tells(lamps)
    said = {one.name: said_number(held[one.name] * one.divided, language, one.decimals) for one in _ASKED}
    values = said | {k: v for k, v in request.query_params.items() if k in said}
    errors: dict[str, str] = {}
    numbers: dict[str, float] = {}
    for one in _ASKED:
        try:
            numbers[one.name] = number(values[one.name], one.name, low=one.low, high=one.high) / one.divided
        except Problem as problem:
            errors[one.name] = f"{problem.reason.of(language)} {problem.mend.of(language)}"
    case = interval = None
    if not errors:
        numbers |= {name: round(numbers[name]) for name in ("points", "years")}
        change = Change(**numbers)  # type: ignore[arg-type]
        case, interval = led_case(change), led_interval(change)
    return render(
        request, "lighting/led.html", 400 if errors else 200, inputs=_inputs(_), values=values, errors=errors, case=case, interval=interval,
        numbers=numbers, factor=CO2_FACTORS[0], told=told,
    )  # fmt: skip


ROUTES: list[BaseRoute] = [Route(PLACE, index)]
