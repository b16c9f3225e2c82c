"""`/donnees/{collection}/importer`: a CSV or GeoJSON file taken in, with what was refused, why, and the mend."""

import re
from typing import BinaryIO

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from beffroi.model.collection import Collection
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.standards.record_table import read_records
from beffroi.store.desk import Desk
from beffroi.store.record import Outcome
from beffroi.town import Town
from beffroi.web.kit.form import Input
from beffroi.web.kit.page import language_of, render, translate
from beffroi.web.kit.table import Column, Row
from beffroi.web.site.data.desk import desk_of, territory_names

__all__ = ["ROUTES"]

SHOWN = 500


def _inputs(request: Request, desk: Desk, collection: Collection) -> list[Input]:
    _ = translate(request)
    inputs = [Input("file", _("Fichier"), "file", required=True, accept=".csv,.txt,.json,.geojson",
                    hint=_("CSV (UTF-8 ou Windows, ; ou ,) ou GeoJSON. Les colonnes portent le nom ou le titre des champs."))]  # fmt: skip
    if collection.geometry != "none":
        systems = (("EPSG:4326", _("Degrés (WGS 84)")), ("EPSG:2154", "Lambert-93"), ("EPSG:3857", "Web Mercator"),
                   *((f"EPSG:{3942 + n}", f"CC{42 + n}") for n in range(9)))  # fmt: skip
        inputs.append(Input("crs", _("Coordonnées"), "select", options=systems, required=True,
                            hint=_("Le système des colonnes x et y ou de la géométrie.")))  # fmt: skip
    places = [(code, name) for code, name in territory_names(request).items() if desk.who.covers(code)]
    if places:
        none = [] if desk.who.territories else [("", "–")]
        inputs.append(Input("territory", _("Commune"), "select", options=(*none, *places)))
    return inputs


def _page(
    request: Request, outcome: Outcome | None = None, error: str = "", values: dict[str, str] | None = None
) -> Response:
    desk, language, _ = desk_of(request), language_of(request), translate(request)
    collection = desk.collection(request.path_params["name"])
    if not desk.writable(collection):
        desk.refuse(collection)
    columns = [
        Column("place", _("Où")),
        Column("field", _("Champ")),
        Column("reason", _("Raison")),
        Column("mend", _("Remède")),
    ]
    rows = [
        Row({"place": r.place.replace("line", _("ligne")), "field": r.field, "reason": r.reason.of(language),
             "mend": r.mend.of(language)})
        for r in (outcome.rejects[:SHOWN] if outcome else [])
    ]  # fmt: skip
    return render(
        request, "data/import.html", 400 if error else 200, collection=collection, title=collection.title.of(language),
        inputs=_inputs(request, desk, collection), values=values or {}, errors={"file": error} if error else {},
        outcome=outcome, columns=columns, rows=rows, shown=SHOWN, fields=desk.fields(collection), others=_others(request, collection),
    )  # fmt: skip


def _others(request: Request, collection: Collection) -> list[tuple[str, str]]:
    """Return what else a file for this collection may be, and how the page that brings files is told so."""
    if collection.system or collection.key is None:
        return []
    town: Town = request.app.state.town
    _, language = translate(request), language_of(request)
    kinds = [k for k in town.registry.file_kinds() if collection.name in k.collections and k.extensions]
    table = (
        f"collection/{collection.name}",
        _("Un autre tableau, ou une couche de carte : ses colonnes s'apparient"),
    )
    return [table, *((f"known/{k.name}", k.title.of(language)) for k in kinds)]


def form(request: Request) -> Response:
    """Answer the form."""
    return _page(request)


def _source(filename: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", filename.rsplit(".", 1)[0].lower()).strip("-")[:40] or "import"


def _take(request: Request, sent: FormData) -> Response:
    desk = desk_of(request)
    collection = desk.collection(request.path_params["name"])
    values = {k: str(sent.get(k, "")) for k in ("crs", "territory")}
    file = sent.get("file")
    try:
        if not isinstance(file, UploadFile) or not file.filename:
            raise Problem(Text("Choisissez un fichier.", "Choose a file."), place="file")
        stream: BinaryIO = file.file
        entries = read_records(stream, collection, territory=values["territory"] or None,
                               crs=values["crs"] or "EPSG:4326", source=_source(file.filename))  # fmt: skip
        outcome = desk.take(
            collection.name, entries, territory=values["territory"] or None, reason=file.filename[:200]
        )
    except Problem as problem:
        if problem.status in (401, 403, 503):
            raise
        language = language_of(request)
        where = f" ({problem.place})" if problem.place and problem.place != "file" else ""
        return _page(
            request, None, f"{problem.reason.of(language)}{where} {problem.mend.of(language)}".strip(), values
        )
    return _page(request, outcome)


async def take(request: Request) -> Response:
    """Take the file in and report."""
    async with request.form(max_files=1) as sent:
        return await run_in_threadpool(_take, request, sent)


ROUTES = [
    Route("/donnees/{name}/importer", form, methods=["GET"]),
    Route("/donnees/{name}/importer", take, methods=["POST"]),
]
