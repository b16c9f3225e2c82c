"""`/signalements/{number}` for everyone, `/suivi/{number}/{key}` for its author: one report, its life, what one can do."""

from collections import defaultdict
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import LANGUAGES, Text
from beffroi.services.reports import erasure, following, receipts
from beffroi.services.reports.abuse import start_mark
from beffroi.services.reports.categories_tree import categories_of
from beffroi.services.reports.citizen.form import ACCEPT, said
from beffroi.services.reports.citizen.reading import TRAP, Sent, post_of, read_form, town_of, visitor
from beffroi.services.reports.citizen.shown import severity_of, shown_of, state_words, word_of
from beffroi.services.reports.devices import public_key
from beffroi.services.reports.keys import plain, written
from beffroi.services.reports.notices import department_of
from beffroi.services.reports.questions import said_answers
from beffroi.services.reports.submission import CITIZEN, reporter_of
from beffroi.store.record import Query, Row
from beffroi.web.kit.ground import base_map
from beffroi.web.kit.map import MapView
from beffroi.web.kit.page import language_of, render, translate

__all__ = ["ROUTES"]

DONE = {
    "aussi": "me_too", "suivi": "follow", "commentaire": "comment", "relecture": "waiting", "rouvert": "reopen", "avis": "satisfied",
    "retire": "withdraw", "reponse": "answer",
}  # fmt: skip


class Event(msgspec.Struct, frozen=True):
    """One line of a report's life."""

    at_us: int
    what: str
    by: str
    text: str
    photos: tuple[str, ...]
    severity: str = ""
    waiting: bool = False


def _whose(request: Request) -> tuple[Row, str]:
    """Return the report of an address, and the key when it was given."""
    number, key = request.path_params["number"], request.path_params.get("key", "")
    return (
        (following.own(town_of(request), number, key), plain(key))
        if key
        else (following.public(town_of(request), number), "")
    )


def page(request: Request) -> Response:
    """Answer a report's page."""
    row, key = _whose(request)
    return _page(request, row, key)


def _page(
    request: Request, row: Row, key: str, problem: Problem | None = None, values: dict[str, str] | None = None
) -> Response:
    town, language, _ = town_of(request), language_of(request), translate(request)
    v = row.values
    category = categories_of(town).get(v["category"])
    photos = _photos(request, row, own=bool(key))
    target = _target(request, row)
    view = None
    if row.geometry:
        lon, lat = row.geometry["coordinates"][:2]
        base = base_map(town)
        view = MapView(_("Lieu du signalement {number}", number=v["number"]), f"/signalements.geojson?etat=tous&lon={lon}&lat={lat}&rayon=150",
                       base.drawing((lon, lat)), (lon - 0.003, lat - 0.002, lon + 0.003, lat + 0.002), base.url, base.credit, small=True)  # fmt: skip
    return render(
        request, "citizen/one.html", 400 if problem else 200, report=v, key=key, key_written=written(key) if key else "",
        title=category.title.of(language) if category else _("Signalement"), state=state_words(v, language), severity=severity_of(v),
        answers=said_answers(category, v["answers"], language) if category and key else [], photos=photos.get(None, []),
        pending=_pending(request, row) if key else 0, life=_life(request, row, photos, own=bool(key)), target=target, view=view,
        department=department_of(town, row, language) if v["department"] or v["kind"] == "saisine" else None, closed=v["state"] == "closed",
        thanks=request.query_params.get("merci", ""), error=said(problem, language) if problem else "", place=problem.place if problem else "",
        values=defaultdict(str, values or {}), start=start_mark(town.settings.secret(), town.clock()), trap=TRAP, accept=ACCEPT, base_url=town.settings.base_url,
        path=f"/suivi/{v['number']}/{key}" if key else f"/signalements/{v['number']}", exact=bool(v["exact_place"]) and bool(key),
        push_key=public_key(town),
    )  # fmt: skip


def _target(request: Request, row: Row) -> Any:
    """Return the report that this one was merged into, when the public may see it."""
    if row.values["duplicate_of"] is None:
        return None
    found = (
        town_of(request)
        .store.records.find(
            "service_request", Query(where={"_id": row.values["duplicate_of"], "shown": True})
        )
        .rows
    )
    return shown_of(request, found)[0] if found else None


def _photos(request: Request, row: Row, *, own: bool) -> dict[int | None, list[tuple[str, str, str]]]:
    """Return the photos by the message they came with: (large, small, what is seen)."""
    where: dict[str, Any] = {"request": row.id, "state": "ready"}
    if not (own and not row.values["shown"]):
        where["shown"] = True
    found: dict[int | None, list[tuple[str, str, str]]] = {}
    for photo in town_of(request).store.records.find("report_photo", Query(where=where, limit=60)).rows:
        p = photo.values
        if own and not p["shown"] and p["taken_by"] != "reporter":
            continue
        prefix = (
            f"/suivi/{row.values['number']}/{request.path_params['key']}/photos"
            if own
            else "/signalements/photos"
        )
        found.setdefault(p["update"], []).append(
            (f"{prefix}/{p['file']}.jpg", f"{prefix}/{p['small']}.jpg", p["alt"] or "")
        )
    return found


def _pending(request: Request, row: Row) -> int:
    return town_of(request).store.records.count(
        "report_photo", Query(where={"request": row.id, "state": "waiting"})
    )


def _life(
    request: Request, row: Row, photos: dict[int | None, list[tuple[str, str, str]]], *, own: bool
) -> list[Event]:
    town, language, _ = town_of(request), language_of(request), translate(request)
    words = {
        "comment": _("Commentaire"), "reply": _("Réponse de la mairie"), "photo": _("Photo"), "satisfaction": _("Avis de l'auteur"),
        "aee": _("Accusé d'enregistrement"), "are": _("Accusé de réception"),
    }  # fmt: skip
    by = {
        "reporter": _("l'auteur"),
        "neighbour": _("un habitant"),
        "firm": _("l'entreprise"),
        "agent": _("la mairie"),
    }
    events = [Event(row.values["requested"], _("Reçu"), "", "", ())]
    kinds = ["comment", "reply", "state", "photo", *(("satisfaction", "receipt") if own else ())]
    for update in town.store.records.find(
        "report_update", Query(where={"request": row.id, "kind": kinds}, sort="at", limit=500)
    ).rows:
        u = update.values
        waiting = u["moderation"] == "waiting" and own and u["actor"] == "reporter"
        official = own and u["moderation"] == "accepted" and u["kind"] != "comment"
        if not (u["shown"] or waiting or official):
            continue
        what = (
            words.get(u["action"] if u["kind"] == "receipt" else u["kind"])
            or word_of(u["reason"], language)
            or word_of(u["state"], language)
            or _("Étape")
        )
        severity = (
            severity_of({"state": u["state"], "reason": u["reason"]})
            if u["kind"] == "state" and u["state"]
            else ""
        )
        events.append(
            Event(
                u["at"],
                what,
                by.get(u["actor"], ""),
                u["text"] or "",
                tuple(p[1] for p in photos.get(update.id, [])),
                severity,
                waiting,
            )
        )
    return events


# --- What one does.


async def act(request: Request) -> Response:
    """Do what a form of the page asks for."""
    sent = await read_form(request)
    return await run_in_threadpool(_act, request, sent)


def _act(request: Request, sent: Sent) -> Response:
    row, key = _whose(request)
    deed = _DEEDS.get(sent.get("do"))
    here = request.url.path
    if deed is None or (deed in _AUTHOR and not key):
        return RedirectResponse(here, 303)
    try:
        if sent.problem is not None:
            raise sent.problem
        done = deed(request, row, key, sent)
    except NotFound:
        raise
    except Problem as problem:
        return _page(request, row, key, problem, dict(sent.texts))
    return done if isinstance(done, Response) else RedirectResponse(f"{here}?merci={done}", 303)


def _contact(sent: Sent) -> tuple[str, str]:
    return sent.get("mail").strip()[:254], sent.get("phone").strip()[:40]


def _me_too(request: Request, row: Row, _key: str, sent: Sent) -> str:
    following.me_too(town_of(request), row, visitor(request), *_contact(sent), language_of(request))
    return "aussi"


def _follow(request: Request, row: Row, key: str, sent: Sent) -> str:
    mail, phone = _contact(sent)
    following.follow(town_of(request), row, mail, phone, language_of(request), author=bool(key))
    return "suivi"


def _who(request: Request, row: Row, key: str, sent: Sent) -> dict[str, Any]:
    reporter = (
        row.values["reporter"] if key else reporter_of(town_of(request), *_contact(sent)) or visitor(request)
    )
    return {
        "actor": "reporter" if key else "neighbour",
        "reporter": reporter,
        "post": post_of(request, sent, sent.get("text")),
    }


def _comment(request: Request, row: Row, key: str, sent: Sent) -> str:
    made = following.comment(
        town_of(request), row, sent.get("text"), sent.photos, **_who(request, row, key, sent)
    )
    return "commentaire" if made.values["moderation"] == "accepted" else "relecture"


def _reopen(request: Request, row: Row, key: str, sent: Sent) -> str:
    made = following.step(
        town_of(request), row, "reopen", sent.get("text"), sent.photos, **_who(request, row, key, sent)
    )
    return "rouvert" if made.values["kind"] == "state" else "relecture"


def _answer(request: Request, row: Row, key: str, sent: Sent) -> str:
    following.step(
        town_of(request), row, "answer", sent.get("text"), sent.photos, **_who(request, row, key, sent)
    )
    return "reponse"


def _withdraw(request: Request, row: Row, key: str, sent: Sent) -> str:
    following.step(town_of(request), row, "withdraw", "", (), **_who(request, row, key, sent))
    return "retire"


def _satisfied(request: Request, row: Row, _key: str, sent: Sent) -> str:
    following.satisfied(town_of(request), row, sent.get("answer") == "oui", sent.get("text"))
    return "avis"


def _erase(request: Request, row: Row, _key: str, sent: Sent) -> Response | str:
    if sent.get("sure") != "oui":
        return render(request, "citizen/erase.html", report=row.values, path=request.url.path)
    erasure.erase(town_of(request), row, CITIZEN)
    return render(request, "citizen/erased.html")


_DEEDS = {
    "me_too": _me_too, "follow": _follow, "comment": _comment, "reopen": _reopen, "answer": _answer, "withdraw": _withdraw,
    "satisfied": _satisfied, "erase": _erase,
}  # fmt: skip
_AUTHOR = (_answer, _withdraw, _satisfied, _erase)


# --- The author's own papers.


def find(request: Request) -> Response:
    """Answer the page that asks for a number and, for one's own, the key."""
    return render(request, "citizen/find.html", values=defaultdict(str), error="")


async def look(request: Request) -> Response:
    """Lead to the report of a number and a key. Guessing is slowed by the length of keys, not by a captcha."""
    sent = {name: str(value) for name, value in (await request.form()).items()}
    number, key = sent.get("number", "").strip().upper()[:40], plain(sent.get("key", ""))
    try:
        row = (
            await run_in_threadpool(following.own, town_of(request), number, key)
            if key
            else await run_in_threadpool(following.public, town_of(request), number)
        )
    except NotFound as problem:
        return render(
            request,
            "citizen/find.html",
            404,
            values=defaultdict(str, sent),
            error=said(problem, language_of(request)),
        )
    return RedirectResponse(
        f"/suivi/{row.values['number']}/{key}" if key else f"/signalements/{row.values['number']}", 303
    )


def own_picture(request: Request) -> Response:
    """Answer a photo of one's own report before it is public."""
    row, _key = _whose(request)
    name = request.path_params["file"]
    for photo in (
        town_of(request)
        .store.records.find("report_photo", Query(where={"request": row.id, "state": "ready"}, limit=60))
        .rows
    ):
        p = photo.values
        if name in (p["file"], p["small"]) and (p["shown"] or p["taken_by"] == "reporter"):
            data, media_type = town_of(request).store.files.read(name)
            return Response(data, media_type=media_type, headers={"Cache-Control": "private, no-store"})
    raise following.gone(row.values["number"])


def copy(request: Request) -> Response:
    """Answer everything that the town holds of a report, to its author."""
    row, _key = _whose(request)
    body = msgspec.json.format(msgspec.json.encode(erasure.copy_of(town_of(request), row)), indent=2)
    name = f"signalement-{row.values['number']}.json"
    return Response(
        body,
        media_type="application/json",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "private, no-store",
        },
    )


def receipt(request: Request) -> Response:
    """Answer the receipt to print."""
    row, key = _whose(request)
    town, language = town_of(request), language_of(request)
    told = receipts.told(town, row, department_of(town, row, language), language)
    return render(request, "citizen/receipt.html", path=f"/suivi/{row.values['number']}/{key}", **told)


def receipt_paper(request: Request) -> Response:
    """Answer a receipt as PDF, in the language of its report; the receipts of the law belong to formal requests."""
    row, _key = _whose(request)
    town, name = town_of(request), request.path_params["what"]
    allowed = {"aee": "aee", "are": "are"} if row.values["kind"] == "saisine" else {"signalement": "received"}
    if name not in allowed or (name == "are" and row.values["department"] is None):
        raise NotFound(
            Text("Cet accusé n'existe pas, ou pas encore.", "There is no such receipt, or not yet.")
        )
    language = row.values["language"] if row.values["language"] in LANGUAGES else language_of(request)
    made = receipts.on_paper(town, row, department_of(town, row, language), allowed[name], language)
    headers = {"Content-Disposition": f'inline; filename="{name}-{row.values["number"]}.pdf"', "Content-Language": language, "Cache-Control": "private, no-store"}  # fmt: skip
    return Response(made, media_type="application/pdf", headers=headers)


def unsubscribe(request: Request) -> Response:
    """Answer the page by which one stops following: letters are opened by programs too, so nothing is done yet."""
    return render(request, "citizen/stop.html", done=False)


def unsubscribed(request: Request) -> Response:
    """Stop following."""
    following.stop_following(town_of(request), request.path_params["id"], request.path_params["key"])
    return render(request, "citizen/stop.html", done=True)


ROUTES: list[BaseRoute] = [
    Route("/suivi", find),
    Route("/suivi", look, methods=["POST"]),
    Route("/suivi/abonnement/{id:int}/{key}", unsubscribe),
    Route("/suivi/abonnement/{id:int}/{key}", unsubscribed, methods=["POST"]),
    Route("/suivi/{number}/{key}", page),
    Route("/suivi/{number}/{key}", act, methods=["POST"]),
    Route("/suivi/{number}/{key}/accuse", receipt),
    Route("/suivi/{number}/{key}/accuse/{what}.pdf", receipt_paper),
    Route("/suivi/{number}/{key}/donnees.json", copy),
    Route("/suivi/{number}/{key}/photos/{file}.jpg", own_picture),
    Route("/signalements/{number}", page),
    Route("/signalements/{number}", act, methods=["POST"]),
]
