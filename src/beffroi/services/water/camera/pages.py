"""`/riviere/cameras`: the public list of the cameras and their purposes, and for their managers the survey of each site
(`…/{code}/releve`) and the draft of its impact assessment (`…/{code}/aipd`)."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.model.declaration import Entrance
from beffroi.model.instant import SECOND_US
from beffroi.model.principal import ROLES
from beffroi.model.problem import Forbidden, NotFound, Problem, Unauthorised
from beffroi.model.text import Text
from beffroi.services.water.camera.collections import CAMERA
from beffroi.services.water.camera.lawful import hindrances
from beffroi.services.water.camera.site import Site
from beffroi.services.water.camera.survey import (
    BANKS,
    CLICKS,
    LENS,
    STAFF,
    Survey,
    site_in,
    survey_of,
    surveyed,
)
from beffroi.store.desk import Desk
from beffroi.store.record import Query, Row
from beffroi.town import Town
from beffroi.web.kit.page import principal_of, render

__all__ = ["ENTRANCES", "ROUTES"]

ENTRANCES = (Entrance(Text("Caméras de rivière", "River cameras"), "/riviere/cameras"),)
_LARGEST = 12 << 20


def _town(request: Request) -> Town:
    town: Town = request.app.state.town
    return town


def _manages(request: Request) -> bool:
    return ROLES.index(principal_of(request).role) >= ROLES.index("responsable")


def _manager(request: Request) -> None:
    if not _manages(request):
        said = Text("Cette page est pour les responsables.", "This page is for managers.")
        raise Unauthorised(said) if principal_of(request).role == "citizen" else Forbidden(said)


def _camera(request: Request) -> Row:
    where = {"code": request.path_params["code"]}
    found = (
        Desk(_town(request).store.records, principal_of(request))
        .find("river_camera", Query(where=where, limit=1))
        .rows
    )
    if not found:
        raise NotFound(Text("Cette caméra n'existe pas.", "There is no such camera."))
    return found[0]


def _why(town: Town, row: Row) -> list[Text]:
    today = datetime.fromtimestamp(town.clock() / SECOND_US, UTC).date()
    return [why for _, why in hindrances(row.values, today)]


def listing(request: Request) -> Response:
    """Answer the public list: each camera, its purpose, its authorisation, what is kept and how to exercise rights."""
    town = _town(request)
    desk = Desk(town.store.records, principal_of(request))
    rows = desk.find("river_camera", Query(sort="name", limit=500)).rows
    cameras = [
        {"row": row, "why": _why(town, row), "purpose": _word("purpose", row), "state": _word("state", row)}
        for row in rows
    ]
    return render(request, "camera/list.html", cameras=cameras, manages=_manages(request))


def _word(name: str, row: Row) -> Text:
    declared = CAMERA.field(name)
    value = row.values.get(name)
    found = next((c.title for c in declared.choices if c.value == value), None) if declared else None
    return found or Text(str(value or ""), str(value or ""))


def assessment(request: Request) -> Response:
    """Answer the draft of the data protection impact assessment, printed from what is declared."""
    _manager(request)
    row = _camera(request)
    town = _town(request)
    return render(
        request,
        "camera/assessment.html",
        row=row,
        v=row.values,
        purpose=_word("purpose", row),
        why=_why(town, row),
        town_name=town.name,
    )


def survey(request: Request) -> Response:
    """Answer the form of a site's survey, with the residual of each point."""
    _manager(request)
    row = _camera(request)
    return _shown(request, row, survey_of(row.values["site"]), None)


def _shown(request: Request, row: Row, form: Survey, problem: Problem | None, status: int = 200) -> Response:
    told = surveyed(form) if problem is None else None
    answer = render(
        request, "camera/survey.html", row=row, form=form, told=told, problem=problem,
        saved=request.query_params.get("fait", ""), picture=row.values.get("reference"), clicks=CLICKS, staff=STAFF, banks=BANKS, lens=LENS,
    )  # fmt: skip
    answer.status_code = status
    return answer


async def change(request: Request) -> Response:
    """Take a click, a picture or the whole survey."""
    _manager(request)
    async with request.form(max_files=1, max_part_size=_LARGEST) as sent:
        values = {k: v for k, v in sent.items() if isinstance(v, str)}
        photo, table = await _file_of(sent.get("photo")), await _file_of(sent.get("table"))
    return await run_in_threadpool(_change, request, values, photo, table)


async def _file_of(sent: Any) -> bytes:
    return await sent.read(_LARGEST + 1) if isinstance(sent, UploadFile) and sent.filename else b""


def _change(request: Request, sent: dict[str, str], data: bytes, table: bytes) -> Response:
    row, town = _camera(request), _town(request)
    back = f"/riviere/cameras/{row.values['code']}/releve"
    if data:
        _keep_picture(town, request, row, data)
        return RedirectResponse(f"{back}?fait=image", 303)
    form = Survey.of_form(sent, site_in(row.values["site"]))
    try:
        form = form.with_table(table) if table else form
        if "click.x" in sent:  # a click on the picture
            return _shown(request, row, form.clicked(sent["click.x"], sent["click.y"]), None)
        told = surveyed(form)
        if told.problem is not None:
            return _shown(request, row, form, told.problem, 422)
        site = msgspec.to_builtins(_with_patches(town, row, form.site()))
    except Problem as problem:
        return _shown(request, row, form, problem, 422)
    Desk(town.store.records, principal_of(request)).put(
        "river_camera", {"site": site}, id=row.id, reason=sent.get("reason", "")[:200] or "Relevé"
    )
    return RedirectResponse(f"{back}?fait=1", 303)


def _with_patches(town: Town, row: Row, site: Site) -> Site:
    """Return the site whose landmarks have the reference picture around them, by which a moved camera is known."""
    if not row.values.get("reference") or not site.landmarks:
        return site
    import cv2  # noqa: PLC0415 -- only here
    import numpy as np  # noqa: PLC0415

    from beffroi.services.water.camera.quality import landmark_patch  # noqa: PLC0415

    data, _ = town.store.files.read(row.values["reference"])
    frame = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE))
    marks = tuple(msgspec.structs.replace(m, patch=landmark_patch(frame, m.px, m.py)) for m in site.landmarks)
    return msgspec.structs.replace(site, landmarks=marks)


def _keep_picture(town: Town, request: Request, row: Row, data: bytes) -> None:
    import cv2  # noqa: PLC0415 -- only here
    import numpy as np  # noqa: PLC0415

    picture = (
        cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) if len(data) <= _LARGEST else None
    )
    if picture is None:
        raise Problem(Text("Cette image est illisible ou trop lourde.", "This picture is illegible or too large."),
                      Text("Donnez un JPEG ou un PNG de 12 Mo au plus.", "Give a JPEG or PNG of 12 MB at most."), "photo")  # fmt: skip
    kept = bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 88])[1])
    files = town.store.files
    staged = files.stage(kept, "image/jpeg")
    site: dict[str, Any] = dict(row.values["site"] or {})
    site |= {"width": int(picture.shape[1]), "height": int(picture.shape[0])}
    with town.store.records.writer(principal_of(request), "Image du relevé") as writer:
        old = files.release(writer.connection, [row.values.get("reference")])
        writer.change(
            "river_camera", row.id, {"reference": files.keep(writer.connection, staged), "site": site}
        )
    files.unlink(old)


def reference(request: Request) -> Response:
    """Answer the picture of the survey, to managers."""
    _manager(request)
    return _file(request, "reference")


def still(request: Request) -> Response:
    """Answer the last picture, in which nobody can be known."""
    where = {"code": request.path_params["code"]}
    found = _town(request).store.records.find("river_camera", Query(where=where, limit=1)).rows
    if not found or not found[0].values["still"]:
        raise NotFound(Text("Il n'y a pas encore d'image.", "There is no picture yet."))
    data, kind = _town(request).store.files.read(found[0].values["still"])
    return Response(data, media_type=kind, headers={"Cache-Control": "public, max-age=60"})


def _file(request: Request, field: str) -> Response:
    name = _camera(request).values.get(field)
    if not name:
        raise NotFound(Text("Il n'y a pas d'image.", "There is no picture."))
    data, kind = _town(request).store.files.read(name)
    return Response(data, media_type=kind, headers={"Cache-Control": "private, no-store"})


ROUTES: list[BaseRoute] = [
    Route("/riviere/cameras", listing),
    Route("/riviere/cameras/{code}/image.jpg", still),
    Route("/riviere/cameras/{code}/releve.jpg", reference),
    Route("/riviere/cameras/{code}/aipd", assessment),
    Route("/riviere/cameras/{code}/releve", survey, methods=["GET"]),
    Route("/riviere/cameras/{code}/releve", change, methods=["POST"]),
]
