"""Receiving a file: dropped, chosen or sent, kept as it is, with what was brought before and an example of each kind."""

import hashlib
import shutil
from typing import BinaryIO

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from beffroi.intake.bringing import brought
from beffroi.intake.bringing.brought import Brought, folder_of
from beffroi.intake.bringing.reading import KINDS, MOST_BYTES, MOST_ROWS, kind_of, path_of
from beffroi.intake.bringing.samples import example_of, samples
from beffroi.intake.kinds import KINDS as HOUSE
from beffroi.intake.kinds import LAYER_KINDS
from beffroi.model.principal import Principal
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.town import Town
from beffroi.web.kit.page import language_of, principal_of, render, translate
from beffroi.web.kit.table import Cell, Column, Row
from beffroi.web.site.bring.desk import AT_ONCE_BYTES, PRIVATE, agent_only, begin, check_agent, town_of

__all__ = ["ROUTES", "states"]

_BLOCK = 1 << 20


def states(request: Request) -> dict[str, str]:
    """Return the words of each state."""
    _ = translate(request)
    return {
        "reading": _("lecture en cours"), "read": _("à vérifier"), "comparing": _("comparaison en cours"),
        "importing": _("import en cours"), "imported": _("importé"), "undoing": _("annulation en cours"),
        "undone": _("annulé"), "failed": _("illisible"),
    }  # fmt: skip


@agent_only
def page(request: Request) -> Response:
    """Offer to bring a file."""
    return _page(request)


def _page(request: Request, error: str = "", status: int = 200) -> Response:
    town, language, _ = town_of(request), language_of(request), translate(request)
    words = states(request)
    rows = [
        Row({"name": Cell(one.name), "state": words[one.state], "at": one.at_us, "rows": one.work.found.rows if one.work.found else None},
            f"/donnees/apporter/{one.id}")
        for one in brought.listed(town.store, principal_of(request))
    ]  # fmt: skip
    columns = [Column("name", _("Fichier")), Column("state", _("État")), Column("rows", _("Lignes"), "number", decimals=0),
               Column("at", _("Apporté"), "age")]  # fmt: skip
    kinds = [(s.name, s.title.of(language), s.about.of(language), s.schema) for s in samples().values()]
    return render(
        request, "bring/bring.html", status, PRIVATE, error=error, rows=rows, columns=columns, kinds=kinds,
        accept=",".join(sorted(_endings(town))), services=_of_services(town, language), most=MOST_BYTES // 1_000_000, most_rows=MOST_ROWS, known=len(brought.mappings(town.store)),
    )  # fmt: skip


def _endings(town: Town) -> set[str]:
    """Return how the names of files that can be brought end."""
    return {*KINDS, *(ending for kind in (*HOUSE, *town.registry.file_kinds()) for ending in kind.extensions)}


def _of_services(town: Town, language: str) -> list[tuple[str, str]]:
    """Return the title and the endings of each kind of file that knows what its columns mean."""
    kinds = (k for k in (*HOUSE, *town.registry.file_kinds()) if k.name not in LAYER_KINDS and k.extensions)
    return sorted((k.title.of(language), ", ".join(k.extensions)) for k in kinds)


async def receive(request: Request) -> Response:
    """Take a file, keep it, read it, and lead to its page."""
    check_agent(request)
    async with request.form(max_files=1, max_fields=20) as sent:
        return await run_in_threadpool(_receive, request, sent)


def _receive(request: Request, sent: FormData) -> Response:
    town, language = town_of(request), language_of(request)
    file = sent.get("file")
    try:
        if not isinstance(file, UploadFile) or not file.filename:
            raise Problem(Text("Choisissez un fichier.", "Choose a file."), place="file")
        one = keep(
            town, file.filename.replace("\\", "/").rpartition("/")[2], file.file, principal_of(request), str(sent.get("as", ""))[:100]
        )  # fmt: skip
    except Problem as problem:
        if problem.status in (401, 403, 503):
            raise
        return _page(request, f"{problem.reason.of(language)} {problem.mend.of(language)}".strip(), 400)
    begin(town, one, small=one.work.size <= AT_ONCE_BYTES)
    return RedirectResponse(f"/donnees/apporter/{one.id}", 303)


def keep(town: Town, name: str, stream: BinaryIO, who: Principal, asked: str = "") -> Brought:
    """Keep a file that was sent, which can then `begin` to be read; `asked`: what its bringer says it is. Raises `Problem`."""
    store, kind = town.store, kind_of(name, town.registry.file_kinds())
    stream.seek(0, 2)
    size = stream.tell()
    stream.seek(0)
    if not size:
        raise Problem(Text("Le fichier est vide.", "The file is empty."),
                      Text("Vérifiez que c'est le bon fichier.", "Check that it is the right file."), place="file")  # fmt: skip
    if shutil.disk_usage(store.settings.data).free < 3 * size + 100_000_000:
        raise Problem(Text("Le serveur n'a plus assez de place pour ce fichier.", "The server has not enough room for this file."),
                      Text("Prévenez l'administrateur.", "Tell the administrator."), place="file", status=507)  # fmt: skip
    digest = hashlib.sha256()
    while block := stream.read(_BLOCK):
        digest.update(block)
    one = brought.add(store, name, who, kind, size, digest.hexdigest())
    stream.seek(0)
    try:
        folder_of(store, one.id).mkdir(parents=True)
        with path_of(store, one).open("wb") as target:
            shutil.copyfileobj(stream, target, _BLOCK)
    except OSError as error:
        raise Problem(Text("Le fichier n'a pas pu être gardé.", "The file could not be kept."),
                      Text("Prévenez l'administrateur.", "Tell the administrator."), place="file", status=507) from error  # fmt: skip
    one.state, one.work.asked = "reading", asked
    return one


def example(request: Request) -> Response:
    """Answer the example file of a kind."""
    sample = samples().get(request.path_params["name"])
    if sample is None:
        raise NotFound(Text("Cet exemple n'existe pas.", "There is no such example."))
    sent = {"Content-Disposition": f'attachment; filename="{sample.name}.csv"'}
    return Response(example_of(sample), 200, sent, "text/csv; charset=utf-8")


ROUTES = [
    Route("/donnees/apporter", page, methods=["GET"]),
    Route("/donnees/apporter", receive, methods=["POST"]),
    Route("/donnees/apporter/exemples/{name}.csv", example, methods=["GET"]),
]
