"""`/services/reports/{id}`: one report, as the staff handles it."""

from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.model.instant import to_datetime
from beffroi.model.problem import NotFound
from beffroi.model.text import Text
from beffroi.services.reports.collections import CHANNELS, PRIORITIES
from beffroi.services.reports.desk.acting import REQUEST, Handling
from beffroi.services.reports.desk.context import around, place_of
from beffroi.services.reports.desk.deeds import do_many
from beffroi.services.reports.desk.queue import VIEWS, done_of, reasons_offered
from beffroi.services.reports.desk.replies import fill, suitable
from beffroi.services.reports.desk.seen import Names, names_of, require_staff, seen, town_of, word
from beffroi.services.reports.desk.suggestions import LIKELY, WORTH_SAYING, alike, guess
from beffroi.services.reports.desk.timeline import story
from beffroi.services.reports.states import actions_for
from beffroi.store.record import Query, Row, Where
from beffroi.web.kit.ground import base_map
from beffroi.web.kit.map import MapView, outline_svg
from beffroi.web.kit.page import figures_of, language_of, render, translate

__all__ = ["ROUTES", "report_of"]

HOME = "/services/reports"


def report_of(handling: Handling, number: int) -> Row:
    """Return a report that the staff may see. Raises `NotFound`, `Forbidden` for another department's."""
    row = handling.desk.get(REQUEST, number)
    if handling.desk.own(REQUEST, [number]) != {number}:
        handling.held([number])
    return row


def page(request: Request) -> Response:
    """Answer the page of one report."""
    who, town = require_staff(request), town_of(request)
    handling, names = Handling(town, who), names_of(request)
    row = report_of(handling, request.path_params["id"])
    (item,) = seen(request, [row], names)
    context = around(handling.desk, row, names.categories, town.clock())
    family = _family(handling, row)
    nearby = alike(town, row, context.nearby, names.language)
    guessed = (
        [(names.category(g.category), g) for g in guess(town, row, names.categories)] if item.open else []
    )
    chosen = request.query_params.get("faire", "")
    return render(
        request, "desk/one.html", item=item, row=row, names=names, who=who, done=done_of(request), story=story(request, handling, row, names),
        guessed=guessed, nearby=_listed(request, names, nearby), before=_listed(request, names, context.before), author=_listed(request, names, context.author), assets=context.assets,
        photos=handling.desk.find("report_photo", Query(where={"request": row.id}, limit=20)).rows,
        steps={a.name for a in actions_for(row.values["state"], "agent")}, reasons=reasons_offered(), priorities=PRIORITIES,
        writable=handling.desk.writable(handling.desk.collection(REQUEST), row.territory), chosen=chosen,
        prepared=_prepared(request, handling, row, names, chosen), templates=suitable(town.store.records, row, names.categories),
        map_view=_map(request, row), following=_following(request, handling, row), answers=_answers(row, names),
        due_written=_date(request, row.values["due"]), channel=word(CHANNELS, row.values["channel"], names.language),
        forwards=handling.desk.find("report_forward", Query(where={"request": row.id}, sort="-sent")).rows,
        firms=[(n, d) for n, d in names.department_options() if names.departments[int(n)].values["external"]], **family,
    )  # fmt: skip


def _listed(request: Request, names: Names, near: Any) -> list[Any]:
    return [
        (item, round(n.distance_m), n.why if (n.alike or 0) >= WORTH_SAYING else "", (n.alike or 0) >= LIKELY)
        for n in near
        for item in seen(request, [n.row], names)
    ]


def _family(handling: Handling, row: Row) -> dict[str, Any]:
    """Return the parent, the children, what it was merged into and what was merged into it."""
    records, values = handling.records, row.values
    above = {
        name: records.get(REQUEST, values[name], deleted=None) if values[name] is not None else None
        for name in ("parent", "duplicate_of")
    }
    children = records.find(REQUEST, Query(where={"parent": row.id}, limit=100)).rows
    return {**above, "children": children, "merged": handling.merged_into(row.id)}


def _answers(row: Row, names: Names) -> list[tuple[str, str]]:
    """Return the answers to the category's questions, in words."""
    category = names.categories.get(row.values["category"] or 0)
    questions = {
        q.get("code"): q for q in ((category and category.values["questions"]) or []) if isinstance(q, dict)
    }
    language, told = names.language, []
    for code, answer in (row.values["answers"] or {}).items():
        question = questions.get(code, {})
        options = {o.get("key"): o.get(language) or o.get("fr") for o in question.get("values") or []}
        several = answer if isinstance(answer, list) else [answer]
        told.append(
            (
                str(question.get(language) or question.get("fr") or code),
                ", ".join(str(options.get(a) or a) for a in several),
            )
        )
    return told


def _prepared(request: Request, handling: Handling, row: Row, names: Names, chosen: str) -> str:
    """Return the reply that a template prepares, "" when none was asked for."""
    number = request.query_params.get("modele", "")
    if not number.isdigit() or len(number) > 18 or not chosen:
        return ""
    found = handling.records.find("report_reply_template", Query(where={"_id": int(number)}, limit=1)).rows
    if not found:
        return ""
    values = found[0].values
    english = row.values["language"] == "en" and values["text_en"]
    return fill(str(english or values["text"]), _fields(request, row, names))


def _fields(request: Request, row: Row, names: Names) -> dict[str, str]:
    values, figures = row.values, figures_of(request)
    department = names.departments.get(values["department"] or 0)
    return {
        "number": values["number"], "category": names.category(values["category"]), "place": values["place"] or values["address"] or "",
        "date": figures.day(values["scheduled"]) if values["scheduled"] else "", "received": figures.day(values["requested"]),
        "department": names.department(values["department"]), "phone": str((department and department.values["phone"]) or ""),
        "town": town_of(request).name, "state": "",
    }  # fmt: skip


def _date(request: Request, instant_us: int | None) -> str:
    if instant_us is None:
        return ""
    zone = ZoneInfo(town_of(request).settings.time_zone)
    return to_datetime(instant_us).astimezone(zone).date().isoformat()


def _following(request: Request, handling: Handling, row: Row) -> str:
    """Return the address of the next report of the view that one comes from, "" when there is none."""
    name = request.query_params.get("vue", "a-trier")
    view = next((v for v in VIEWS if v.name == name), VIEWS[0])
    where = view.where(handling.who, town_of(request).clock())
    later = {**where, "requested": Where(">=", row.values["requested"])}
    for query in (later, where):  # the next one, else the first that is left
        rows = handling.desk.find(REQUEST, Query(where=query, sort="requested", limit=3)).rows
        for other in rows:
            if other.id != row.id and (other.values["requested"], other.id) != (
                row.values["requested"],
                row.id,
            ):
                return f"{HOME}/{other.id}?vue={view.name}"
    return ""


def _map(request: Request, row: Row) -> MapView | None:
    place = place_of(row)
    if place is None:
        return None
    ground, pad = base_map(town_of(request)), 0.0025
    box = (place[0] - pad, place[1] - pad * 0.7, place[0] + pad, place[1] + pad * 0.7)
    title = translate(request)("Le lieu")
    return MapView(title, f"{HOME}/{row.id}.geojson", outline_svg(box, ground.features, [(*place, "orange", row.values["number"])]),
                   box, ground.url, ground.credit, small=True)  # fmt: skip


def features(request: Request) -> Response:
    """Answer a report and its neighbours as GeoJSON, for the map of its page."""
    who, town = require_staff(request), town_of(request)
    handling, names = Handling(town, who), names_of(request)
    row = report_of(handling, request.path_params["id"])
    near = around(handling.desk, row, names.categories, town.clock()).nearby
    found = [
        {"type": "Feature", "id": item.id, "geometry": {"type": "Point", "coordinates": item.place},
         "properties": {"name": f"{item.number} {item.title}", "href": item.href, "severity": "rouge" if item.id == row.id else "jaune", "kind": "report"}}
        for item in seen(request, [row, *(n.row for n in near)], names) if item.place
    ]  # fmt: skip
    return JSONResponse({"type": "FeatureCollection", "features": found}, media_type="application/geo+json")


def photo(request: Request) -> Response:
    """Answer a photo of a report to the staff: the published form, or what came while it is being prepared."""
    who, town = require_staff(request), town_of(request)
    row = Handling(town, who).desk.get("report_photo", request.path_params["id"])
    name = row.values["small"] if "petite" in request.query_params and row.values["small"] else None
    name = name or row.values["file"] or row.values["original"]
    if name is None:
        raise NotFound(Text("Cette photo n'existe plus.", "This photo no longer exists."))
    data, kind = town.store.files.read(name)
    return Response(
        data,
        media_type=kind,
        headers={"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"},
    )


async def act(request: Request) -> Response:
    """Do something with one report, then show it again with its undo."""
    who, number = require_staff(request), request.path_params["id"]
    form = {k: str(v) for k, v in (await request.form()).items()}
    done, did = await run_in_threadpool(
        do_many, Handling(town_of(request), who), [number], form, language_of(request)
    )
    view = {"vue": form["vue"]} if form.get("vue") else {}
    return RedirectResponse(f"{HOME}/{number}?{urlencode({'done': done, 'did': did, **view})}", 303)


ROUTES: list[BaseRoute] = [
    Route(f"{HOME}/{{id:int}}", page),
    Route(f"{HOME}/{{id:int}}", act, methods=["POST"]),
    Route(f"{HOME}/{{id:int}}.geojson", features),
    Route(f"{HOME}/photos/{{id:int}}", photo),
]
