"""`/services/waste/tournee`: today's round or the next, how full each container is; `/services/waste/sondes`: whether sensors pay."""

from typing import Any

import msgspec
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.identity.rights import require_staff
from beffroi.model.declaration import Entrance
from beffroi.model.instant import DAY_US
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.waste.roadbook import gpx_of, table_of
from beffroi.services.waste.stock import Container, Today, today
from beffroi.services.waste.worth import DAYS_OF, Worth, weighed, worth
from beffroi.town import Town
from beffroi.web.kit.ground import base_map
from beffroi.web.kit.kept import kept_figure
from beffroi.web.kit.map import Box, course, outline_svg
from beffroi.web.kit.page import figures_of, principal_of, render, translate

__all__ = ["ENTRANCES", "ROUTES"]

PLACE, SENSORS = "/services/waste/tournee", "/services/waste/sondes"
ENTRANCES = (
    Entrance(Text("Tournée du jour", "Today's round"), PLACE, "agent"),
    Entrance(Text("Les sondes se paient-elles ?", "Do sensors pay?"), SENSORS, "agent"),
)
_FULL, _NEARLY = 0.9, 0.6
_LEAST_DEGREES = 0.002
_MOST_SENSOR = 500.0
_WAIT_S = 20.0  # once an hour at most, for the first who asks


def index(request: Request) -> Response:
    """Answer today's round, or the next one."""
    town, found = _today(request)
    made = found.made
    when = town.clock() + made.days * DAY_US
    return render(
        request,
        "waste/today.html",
        today=found,
        made=made,
        when=when,
        drawing=_drawing(town, found, made.stops),
    )


def _today(request: Request) -> tuple[Town, Today]:
    town: Town = request.app.state.town
    return town, today(town, require_staff(principal_of(request)).territories or None)


def round_csv(request: Request) -> Response:
    """Answer the stops of the round as a table."""
    _, found = _today(request)
    return _file(table_of(found.made), "text/csv; charset=utf-8", "csv")


def round_gpx(request: Request) -> Response:
    """Answer the stops of the round as a route for a telephone."""
    town, found = _today(request)
    made, _ = found.made, translate(request)
    day = figures_of(request).day(town.clock() + made.days * DAY_US)
    return _file(gpx_of(town, made, _("Tournée du {day}", day=day)), "application/gpx+xml", "gpx")


def _file(body: str, media_type: str, ending: str) -> Response:
    return Response(
        body, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="tournee.{ending}"', "Cache-Control": "no-store"}
    )  # fmt: skip


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
        found = weighed(_played(town, who.territories, rounds), 45.0 if wrong else cost)
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


def _played(town: Town, territories: tuple[str, ...], rounds: int) -> Worth:
    """Return the ways as played in the last hour: eight weeks of many containers take a second. Raises `Problem`."""

    def play() -> Any:
        return msgspec.to_builtins(worth(town, territories or None, rounds=rounds))

    name = f"waste.worth:{'+'.join(territories)}:{rounds}"
    figure = kept_figure(town, name, play, good_us=DAY_US, wait_s=_WAIT_S)
    return (
        worth(town, territories or None, rounds=rounds)
        if figure is None
        else msgspec.convert(figure.value, Worth)
    )


ROUTES: list[BaseRoute] = [
    Route(PLACE, index), Route(f"{PLACE}.csv", round_csv), Route(f"{PLACE}.gpx", round_gpx), Route(SENSORS, sensors),
]  # fmt: skip
