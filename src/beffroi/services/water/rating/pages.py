"""`/services/water/tarage`: the rating of each station, its gaugings, and files of gaugings taken in."""

import tempfile
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.model.principal import Principal
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.services.water.rating.drawing import curve_svg
from beffroi.services.water.rating.gaugings import read_dated_gaugings
from beffroi.services.water.rating.keeping import LEAST, current_rating, gaugings_of, import_file, rate
from beffroi.services.water.warning.keeping import require_staff
from beffroi.services.water.warning.public_pages import town_of
from beffroi.store.record import Query, Row
from beffroi.web.kit.page import figures_of, principal_of, render, translate

__all__ = ["ROUTES"]

PLACE = "/services/water/tarage"
_LARGEST = 5_000_000
_SHOWN = 50
_STAGES = 12  # lines of the table twin of the curve


def index(request: Request) -> Response:
    """Answer the stations with the state of their curve."""
    who = principal_of(request)
    require_staff(who)
    town = town_of(request)
    stations = [
        r for r in town.store.records.all("river_station", Query(sort="position")) if who.covers(r.territory)
    ]
    found = [
        (station, current_rating(town, station.id), len(gaugings_of(town, station.id)))
        for station in stations
    ]
    return render(request, "rating/stations.html", stations=found, least=LEAST)


def _station(request: Request, who: Principal) -> Row:
    require_staff(who)
    station = town_of(request).store.records.get("river_station", request.path_params["id"])
    if not who.covers(station.territory):
        raise NotFound(Text("Cette station n'existe pas.", "There is no such station."))
    return station


def detail(request: Request) -> Response:
    """Answer the curve of one station, its versions and its gaugings."""
    return _detail(request, _station(request, principal_of(request)))


def _detail(request: Request, station: Row, problem: Problem | None = None) -> Response:
    town, _ = town_of(request), translate(request)
    gaugings = gaugings_of(town, station.id)
    rating = current_rating(town, station.id)
    versions = town.store.records.find(
        "rating_version", Query(where={"station": station.id}, sort="-_id", limit=_SHOWN)
    ).rows
    drawing, lines = None, []
    if rating is not None:
        table = rating[1]
        points = [(g.values["stage"], g.values["discharge"]) for g in gaugings]
        drawing = curve_svg(table, points, figures_of(request), _("Courbe de tarage"))
        step = (table.stages[-1] - max(table.zero, table.stages[0])) / _STAGES
        lines = [(h, table.read(h)) for h in (table.stages[0] + step * (i + 1) for i in range(_STAGES))]
    taken = request.query_params.get("nouveaux", "")
    return render(
        request, "rating/station.html", problem.status if problem else 200, station=station, gaugings=list(reversed(gaugings))[:_SHOWN],
        count=len(gaugings), rating=rating, versions=versions, drawing=drawing, lines=lines, problem=problem, least=LEAST,
        taken=int(taken) if taken.isdigit() and len(taken) < 9 else None,
    )  # fmt: skip


async def take(request: Request) -> Response:
    """Take in a file of gaugings."""
    who = principal_of(request)
    require_staff(who)
    async with request.form() as form:
        file = form.get("file")
        data = await file.read(_LARGEST + 1) if isinstance(file, UploadFile) else b""
    return await run_in_threadpool(_take, request, who, data)


def _take(request: Request, who: Principal, data: bytes) -> Response:
    station, town = _station(request, who), town_of(request)
    try:
        if not data or len(data) > _LARGEST:
            raise Problem(
                Text("Ce fichier est vide ou trop lourd.", "This file is empty or too heavy."),
                Text("Choisissez un fichier de moins de 5 Mo.", "Choose a file of less than 5 MB."),
                place="file",
            )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "jaugeages"
            path.write_bytes(data)
            read = read_dated_gaugings(path)
        fresh, _ = import_file(town, station, read.gaugings, who)
        rate(town, station)
    except Problem as problem:
        return _detail(request, station, problem)
    return RedirectResponse(f"{PLACE}/{station.id}?nouveaux={fresh}", 303)


ROUTES: list[BaseRoute] = [
    Route(PLACE, index),
    Route(f"{PLACE}/{{id:int}}", detail),
    Route(f"{PLACE}/{{id:int}}", take, methods=["POST"]),
]
