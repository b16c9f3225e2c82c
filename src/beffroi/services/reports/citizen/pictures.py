"""`/signalements/photos/{file}.jpg`: a published photo, its name its content; staff may see what waits."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.model.problem import NotFound
from beffroi.model.text import Text
from beffroi.services.reports.citizen.reading import town_of
from beffroi.services.reports.preparing import prepare, publish
from beffroi.store.desk import Desk
from beffroi.store.record import Query
from beffroi.web.kit.page import principal_of

__all__ = ["ROUTES"]


async def picture(request: Request) -> Response:
    """Answer a photo to whoever may see its record and its report."""
    return await run_in_threadpool(_picture, request)


def _picture(request: Request) -> Response:
    town, name = town_of(request), request.path_params["file"]
    desk = Desk(town.store.records, principal_of(request))
    seen = any(
        desk.find("service_request", Query(where={"_id": photo.values["request"]}, limit=1)).rows
        for field in ("file", "small")
        for photo in desk.find("report_photo", Query(where={field: name}, limit=20)).rows
    )
    if not seen:
        raise NotFound(
            Text(
                "Cette photo n'existe pas, ou n'est pas publique.",
                "There is no such photo, or it is not public.",
            )
        )
    data, media_type = town.store.files.read(name)
    public = not principal_of(request).staff
    kept = "public, max-age=3600" if public else "private, no-store"
    return Response(
        data, media_type=media_type, headers={"Cache-Control": kept, "Content-Disposition": "inline"}
    )


async def change(request: Request) -> Response:
    """Let staff hide or show a photo, undo or redo its blurring."""
    sent = {name: str(value) for name, value in (await request.form()).items()}
    return await run_in_threadpool(_change, request, sent)


def _change(request: Request, sent: dict[str, str]) -> Response:
    town, who, number = town_of(request), principal_of(request), request.path_params["id"]
    desk = Desk(town.store.records, who)
    if not who.staff:
        desk.refuse(desk.collection("report_photo"))
    photo = desk.get("report_photo", number)
    deed = sent.get("do", "")
    if deed in ("hide", "show"):
        desk.put("report_photo", {"moderation": "hidden" if deed == "hide" else "accepted"}, id=photo.id)
        with town.store.records.writer(who, deed) as writer:
            publish(town, writer, photo.values["request"])
    elif deed in ("blur", "unblur") and photo.values["original"]:
        prepare(town, photo, blur=deed == "blur", who=who)
    back = sent.get("back", "")
    return RedirectResponse(
        back if back.startswith("/") and not back.startswith("//") else f"/donnees/report_photo/{photo.id}",
        303,
    )


ROUTES: list[BaseRoute] = [
    Route("/signalements/photo/{id:int}", change, methods=["POST"]),
    Route("/signalements/photos/{file:str}.jpg", picture),
]
