"""Services that come as a wheel: installed, looked at, enabled and disabled while the town runs."""

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from beffroi.extensions import shelf
from beffroi.extensions.declared import Declared
from beffroi.extensions.shelf import Extension
from beffroi.identity.rights import require_reach
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.web.kit.form import Input
from beffroi.web.kit.page import language_of, principal_of, translate
from beffroi.web.kit.table import Cell, Column, Row
from beffroi.web.site.administration.desk import (
    entry,
    off_loop,
    refused,
    see_other,
    show,
    store_of,
)

__all__ = ["ROUTES"]

PLACE = "/administration/services"


def _own(request: Request, found: list[Extension]) -> list[str]:
    """Return the names of the services that this machine has by itself."""
    came = {one.name for one in found if one.enabled}
    return [name for name in request.app.state.town.registry.services if name not in came]


async def _refresh(request: Request) -> None:
    """Let this process follow at once; the others do within a second."""
    living = getattr(request.app.state, "living", None)
    if living is not None:
        await living.refresh()


@entry(admin=True)
async def index(request: Request) -> Response:
    """List the services, and offer to install one."""
    require_reach(principal_of(request), ())
    return await _index(request)


async def _index(request: Request, errors: dict[str, str] | None = None, status: int = 200) -> Response:
    _ = translate(request)
    found = await off_loop(shelf.every, store_of(request))
    services = request.app.state.town.registry.services
    columns = [
        Column("name", _("Service")), Column("version", _("Version")), Column("from", _("Vient de")),
        Column("state", _("État")), Column("since", _("Depuis"), "instant"),
    ]  # fmt: skip
    rows = [
        Row({
            "name": services[name].title.of(language_of(request)), "version": services[name].manifest.get("version", "–"),
            "from": _("cette machine"), "state": _("en service"), "since": None,
        }, href=f"/services/{name}")
        for name in _own(request, found)
    ]  # fmt: skip
    rows += [
        Row({
            "name": services[one.name].title.of(language_of(request)) if one.name in services else one.name,
            "version": one.version, "from": Cell(one.file, note=one.sha256[:12]), "since": one.changed_us,
            "state": _("en service") if one.enabled and one.name in services else _("ne se charge pas") if one.enabled else _("hors service"),
        }, href=f"{PLACE}/{one.name}")
        for one in found
    ]  # fmt: skip
    inputs = [
        Input("wheel", _("Fichier du service (.whl)"), "file", required=True, accept=".whl",
              hint=_("20 Mo au plus. Rien n'est mis en service avant que vous l'ayez regardé ; rien n'est pris sur le réseau.")),
    ]  # fmt: skip
    return show(request, "extensions", status, columns=columns, rows=rows, inputs=inputs, errors=errors or {},
                removed="retire" in request.query_params)  # fmt: skip


@entry(admin=True)
async def install(request: Request) -> Response:
    """Check a wheel and unpack it beside the data; it is not in use yet."""
    store, who = store_of(request), principal_of(request)
    require_reach(who, ())
    async with request.form(max_files=1) as form:
        upload = form.get("wheel")
        body = await upload.read() if isinstance(upload, UploadFile) else b""
        name = (upload.filename or "") if isinstance(upload, UploadFile) else ""
    known = frozenset(_own(request, await off_loop(shelf.every, store)))
    try:
        one = await off_loop(shelf.install, store, who, body, name, known)
    except Problem as problem:
        return await _index(request, refused(request, problem), problem.status)
    await _refresh(request)
    return see_other(f"{PLACE}/{one.name}?installe")


@entry(admin=True)
async def detail(request: Request) -> Response:
    """Show what a service will read and write, and let it be enabled or disabled."""
    require_reach(principal_of(request), ())
    store = store_of(request)
    one = await off_loop(shelf.get, store, request.path_params["name"])
    try:
        said: Declared | None = await off_loop(shelf.described, store, one)
        problem = None
    except Problem as met:
        said, problem = None, met
    return show(
        request, "extension", one=one, said=said, problem=problem, known=_reaches(request),
        done=next((word for word in ("installe", "actif", "inactif") if word in request.query_params), ""),
    )  # fmt: skip


def _reaches(request: Request) -> dict[str, str]:
    _ = translate(request)
    return {
        "network": _("le réseau"), "programs": _("d'autres programmes de la machine"), "files": _("des fichiers"),
        "database": _("la base de données, directement"), "identity": _("les comptes et les droits"),
    }  # fmt: skip


@entry(admin=True)
async def switch(request: Request) -> Response:
    """Enable, disable or remove a service."""
    store, who = store_of(request), principal_of(request)
    require_reach(who, ())
    name, deed = request.path_params["name"], request.path_params["deed"]
    if deed not in ("activer", "desactiver", "retirer"):
        raise NotFound(Text("Cette page n'existe pas.", "This page does not exist."))
    if deed == "retirer":
        await off_loop(shelf.remove, store, who, name)
        return see_other(f"{PLACE}?retire")
    await off_loop(shelf.enable if deed == "activer" else shelf.disable, store, who, name)
    await _refresh(request)
    return see_other(f"{PLACE}/{name}?{'actif' if deed == 'activer' else 'inactif'}")


ROUTES = [
    Route(PLACE, index, methods=["GET"]),
    Route(PLACE, install, methods=["POST"]),
    Route(PLACE + "/{name}", detail, methods=["GET"]),
    Route(PLACE + "/{name}/{deed}", switch, methods=["POST"]),
]
