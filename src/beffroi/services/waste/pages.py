"""`/services/waste/tournee`: today's round or the next, how full each container is; `/services/waste/sondes`: whether sensors pay."""

from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.identity.rights import require_staff
from beffroi.model.declaration import Entrance
from beffroi.model.instant import DAY_US
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.waste.stock import Container, Today, today
from beffroi.services.waste.worth import DAYS_OF, worth
from beffroi.town import Town
from beffroi.web.kit.ground import base_map
from beffroi.web.kit.map import Box, course, outline_svg
from beffroi.web.kit.page import principal_of, render, translate

__all__ = ["ENTRANCES", "ROUTES"]

PLACE, SENSORS = "/services/waste/tournee", "/services/waste/sondes"
ENTRANCES = (
    Entrance(Text("Tournée du jour", "Today's round"), PLACE, "agent"),
    Entrance(Text("Les sondes se paient-elles ?", "Do sensors pay?"), SENSORS, "agent"),
)
_FULL, _NEARLY = 0.9, 0.6
_LEAST_DEGREES = 0.002
_MOST_SENSOR = 500.0


def index(request: Request) -> Response:
    """Answer today's round, or the next one."""
    town: Town = request.app.state.town
    who = require_staff(principal_of(request))
    found = today(town, who.territories or None)
    stops = found.stops or (found.coming.stops if found.coming else ())
    when = town.clock() + (found.coming.days if found.coming else 0) * DAY_US
    return render(
        request, "waste/today.html", today=found, stops=stops, when=when, drawing=_drawing(town, found, stops)
    )


def _drawing(town: Town, found: Today, stops: tuple[Container, ...]) -> Markup | None:
    """Return a map of the round, its stops marked by how full they are. None without a round."""
    places = [(c, c.row.geometry["coordinates"][:2]) for c in stops if c.row.geometry]
    if not places:
        return None
    every = [c.row.geometry["coordinates"][:2] for c in found.containers if c.fill and c.row.geometry]
    home = [sum(p[0] for p in every) / len(every), sum(p[1] for p in every) / len(every)]
    way = {"type": "LineString", "coordinates": [home, *(p for _, p in places), home]}
    marks = [(*p, _shade(c), f"{n}. {c.row.values['code']}") for n, (c, p) in enumerate(places, 1)]
    return outline_svg(
        _around([home, *(p for _, p in places)]), [*base_map(town).features, course(way)], marks
    )


def _shade(one: Container) -> str:
    level = one.fill.level if one.fill else 0.0
    return "rouge" if level >= _FULL else "orange" if level >= _NEARLY else "jaune"


def _around(points: list[Any]) -> Box:
    west, south = min(p[0] for p in points), min(p[1] for p in points)
    east, north = max(p[0] for p in points), max(p[1] for p in points)
    pad = max(east - west, north - south, _LEAST_DEGREES) * 0.12
    return west - pad, south - pad, east + pad, north + pad


def sensors(request: Request) -> Response:
    """Answer what sensors would bring here a year, beside one, two or three fixed rounds a week."""
    town: Town = request.app.state.town
    who, _ = require_staff(principal_of(request)), translate(request)
    asked = request.query_params
    rounds = int(asked["jours"]) if asked.get("jours", "") in {str(n) for n in DAYS_OF} else 2
    try:
        cost = float(asked.get("sonde", "45").replace(",", "."))
    except ValueError:
        cost = -1.0
    wrong = not 0 <= cost <= _MOST_SENSOR
    found, problem = None, None
    try:
        found = worth(town, who.territories or None, rounds=rounds, sensor_a_year=45.0 if wrong else cost)
    except Problem as refused:
        problem = refused
    names = {"fixed": _("Jours fixes, tous les conteneurs"), "fewest_visits": _("Le moins d'arrêts"), "fewest_km": _("Le moins de kilomètres, jours choisis")}  # fmt: skip
    return render(
        request,
        "waste/sensors.html",
        found=found,
        problem=problem,
        rounds=rounds,
        cost=cost,
        wrong=wrong,
        names=names,
        choices=tuple(DAYS_OF),
    )


ROUTES: list[BaseRoute] = [Route(PLACE, index), Route(SENSORS, sensors)]
