"""`/stationner/importer`: staff take in a file of a national schema; what it is, its columns say."""

import tempfile
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.identity.rights import require_staff
from beffroi.intake.files import ImportReport
from beffroi.intake.records import import_records
from beffroi.model.declaration import KindOfImport
from beffroi.model.principal import Principal
from beffroi.model.problem import Forbidden, Problem
from beffroi.model.text import Text
from beffroi.services.works import car_parks, charging
from beffroi.town import Town
from beffroi.web.kit.page import principal_of, render

__all__ = ["ROUTES"]

PLACE = "/stationner/importer"
_LARGEST = 30_000_000
_SAYS = (
    (b"id_pdc_itinerance", charging.IMPORTS[0]),
    (b"num_siret", car_parks.IMPORTS[0]),
)  # a column that only this schema has


def _staff(request: Request) -> Principal:
    who, town = require_staff(principal_of(request)), request.app.state.town
    for _, kind in _SAYS:
        if not town.store.records.collections[kind.collections[-1]].writable(who):
            raise Forbidden(
                Text("Vous ne pouvez pas écrire ces fiches.", "You may not write these records."),
                Text("Demandez à un agent du service.", "Ask an agent of the service."),
            )
    return who


def form(request: Request) -> Response:
    """Answer the form."""
    _staff(request)
    return _page(request)


def _page(
    request: Request,
    kind: KindOfImport | None = None,
    report: ImportReport | None = None,
    problem: Problem | None = None,
) -> Response:
    return render(request, "works/taking.html", problem.status if problem else 200, kind=kind, report=report, problem=problem)  # fmt: skip


async def take(request: Request) -> Response:
    """Take a file in and tell what was done with each row."""
    async with request.form(max_files=1) as sent:
        file = sent.get("file")
        data = await file.read(_LARGEST + 1) if isinstance(file, UploadFile) else b""
    return await run_in_threadpool(_take, request, data)


def _take(request: Request, data: bytes) -> Response:
    who: Principal = _staff(request)
    town: Town = request.app.state.town
    try:
        kind = _kind_of(data)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "fichier.csv"
            path.write_bytes(data)
            territory = who.territories[0] if len(who.territories or ()) == 1 else ""
            report = import_records(town.store, kind, [path], {"territory": territory}, who)
    except Problem as problem:
        return _page(request, problem=problem)
    return _page(request, kind, report)


def _kind_of(data: bytes) -> KindOfImport:
    """Return what a file is. Raises `Problem` when it is empty, too heavy, or of neither schema."""
    if not data or len(data) > _LARGEST:
        raise Problem(
            Text("Ce fichier est vide ou trop lourd.", "This file is empty or too heavy."),
            Text("Choisissez un fichier de moins de 30 Mo ; au-delà, la commande beffroi import.",
                 "Choose a file of less than 30 MB; beyond, the command beffroi import."), "file",
        )  # fmt: skip
    header = data[:8192].split(b"\n", 1)[0]
    for column, kind in _SAYS:
        if column in header:
            return kind
    raise Problem(
        Text("Ce fichier n'a les colonnes ni du schéma IRVE, ni du schéma stationnement.", "This file has the columns of neither national schema."),
        Text("Gardez les noms de colonnes du schéma national, en première ligne.", "Keep the column names of the national schema, on the first line."), "line 1",
    )  # fmt: skip


ROUTES: list[BaseRoute] = [Route(PLACE, form), Route(PLACE, take, methods=["POST"])]
