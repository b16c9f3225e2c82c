"""`/services/reports/file`: the triage queue, as an agent reads it at eight in the morning.

Every view is an address; filters, words and order are in it. Deeds on ticked reports are one change set, with undo.
"""

import csv
import io
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.model.instant import format_instant
from beffroi.model.principal import Principal
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.reports.collections import CHANNELS, PRIORITIES
from beffroi.services.reports.desk.acting import REQUEST, Handling
from beffroi.services.reports.desk.deeds import do_many
from beffroi.services.reports.desk.seen import (
    Names,
    Seen,
    late_factor,
    names_of,
    require_staff,
    seen,
    town_of,
)
from beffroi.services.reports.states import OPEN, REASONS
from beffroi.store.desk import Desk
from beffroi.store.record import Page, Query, Row, Where
from beffroi.store.views import forget_view, save_view, views_of
from beffroi.web.kit.ground import base_map
from beffroi.web.kit.map import MapView, outline_svg
from beffroi.web.kit.page import language_of, principal_of, render, translate, with_query
from beffroi.web.kit.table import Pager

__all__ = ["PLACE", "ROUTES", "VIEWS", "done_of", "query_of", "reasons_offered"]

PLACE = "/services/reports/file"
SAVED = "report_queue"  # what saved views of the queue are kept under
PAGE = 60
MAPPED = 500
MOST_COUNTED = 1000
MOST_EXPORTED = 100_000
_FILTERS = ("category", "department", "area", "priority", "channel", "assignee")
_KEPT = ("after", "n", "done", "did", "tous", "lang")


class View(msgspec.Struct, frozen=True):
    """One way to look at the queue: its name in the address, its title, its conditions, its usual order."""

    name: str
    title: Text
    where: Callable[[Principal, int], dict[str, Any]]
    sort: str = "requested"
    about: Text = Text("", "")
    quiet: bool = False  # not offered while it is empty


VIEWS = (
    View("a-trier", Text("À trier", "To triage"), lambda _w, _n: {"state": ("received", "reopened")},
         about=Text("Arrivés ou rouverts, les plus anciens d'abord.", "New or reopened, the oldest first.")),
    View("a-relire", Text("À relire", "To read"), lambda _w, _n: {"moderation": "waiting", "state": OPEN},
         about=Text("Pas encore publics : à publier ou à masquer.", "Not public yet: to publish or to hide.")),
    View("a-moi", Text("À moi", "Mine"), lambda who, _n: {"assignee": who.id, "state": OPEN}, sort="due"),
    View("en-retard", Text("En retard", "Late"), lambda _w, now: {"state": OPEN, "due": Where("<", now)}, sort="due",
         about=Text("Le délai promis est passé.", "The promised delay is over.")),
    View("confies", Text("Chez une entreprise", "With a firm"), lambda _w, _n: {"state": "external"}, sort="due", quiet=True),
    View("questions", Text("Question posée", "Question asked"), lambda _w, _n: {"state": "question"}, quiet=True),
    View("ouverts", Text("Tous les ouverts", "All open"), lambda _w, _n: {"state": OPEN}, sort="-requested"),
    View("clos", Text("Clos", "Closed"), lambda _w, _n: {"state": "closed"}, sort="-closed"),
)  # fmt: skip
SORTS = (
    ("requested", Text("les plus anciens", "oldest first")), ("-requested", Text("les plus récents", "newest first")),
    ("due", Text("le délai", "deadline")), ("-me_too", Text("le plus signalés", "most reported")),
    ("category", Text("la catégorie", "category")), ("area", Text("le quartier", "area")),
)  # fmt: skip


def view_of(request: Request) -> View:
    """Return the view that the address names, the first one by default."""
    wanted = request.query_params.get("vue", "")
    return next((v for v in VIEWS if v.name == wanted), VIEWS[0])


def query_of(request: Request, view: View, who: Principal) -> Query:
    """Return what the address asks for. Raises `Problem` for an order or filter that is not one."""
    asked = request.query_params
    where = view.where(who, town_of(request).clock())
    for name in _FILTERS:
        value = asked.get(name, "").strip()
        if value and name in ("category", "department"):
            where[name] = _number(name, value) if value != "0" else Where("unknown")
        elif value:
            where[name] = who.id if value == "moi" else Where("unknown") if value == "0" else value
    own = Desk(town_of(request).store.records, who).groups("report_department")
    if own and not where.get("department"):
        where["department"] = own
    if where.get("category"):
        where["category"] = _with_children(request, where["category"])
    sort = asked.get("sort") or view.sort
    if sort not in {name for name, _ in SORTS} | {view.sort}:
        raise Problem(Text("Cet ordre n'existe pas.", "There is no such order."), place="sort")
    return Query(where=where, text=asked.get("q", ""), sort=sort, limit=PAGE, after=asked.get("after"))


def _number(name: str, value: str) -> int:
    if not value.isdigit() or len(value) > 18:
        raise Problem(
            Text("Ce filtre n'est pas compris.", "This filter is not understood."),
            Text("Choisissez dans la liste.", "Choose from the list."), place=name,
        )  # fmt: skip
    return int(value)


def _with_children(request: Request, wanted: Any) -> Any:
    if not isinstance(wanted, int):
        return wanted
    categories, found = names_of(request).categories, [wanted]
    for number in found:
        found += [r.id for r in categories.values() if r.values["parent"] == number and r.id not in found]
    return found


# --- The page.


def index(request: Request) -> Response:
    """Answer one page of the queue."""
    who, town, view = require_staff(request), town_of(request), view_of(request)
    desk, names = Desk(town.store.records, who), names_of(request)
    query = query_of(request, view, who)
    page = desk.find(REQUEST, query)
    total = _counted(desk, query)
    items = seen(request, page.rows, names)
    filtered = bool(query.text) or any(request.query_params.get(f) for f in _FILTERS)
    return render(
        request, "desk/queue.html", view=view, tabs=_tabs(request, desk, who, view), items=items, total=total,
        filtered=filtered, pager=_pager(request, page, total), names=names, query=query, sorts=SORTS, reasons=reasons_offered(),
        priorities=PRIORITIES, channels=CHANNELS, areas=_areas(request), done=done_of(request), here=_address(request),
        ticked=request.query_params.get("tous") == "1", map_view=_map(request, items), most=MOST_COUNTED, saved=_saved(request, who),
        export=f"{PLACE}.csv?{_address_query(request)}", searched=request.query_params,
    )  # fmt: skip


def _counted(desk: Desk, query: Query) -> int | None:
    """Return how many reports there are, None when they are more than anyone counts."""
    found = desk.count(REQUEST, query, most=MOST_COUNTED + 1)
    return None if found > MOST_COUNTED else found


def reasons_offered() -> list[Any]:
    """Return the reasons for which an agent closes a report."""
    return [reason for reason in REASONS if reason.value not in ("duplicate", "withdrawn")]


def _tabs(request: Request, desk: Desk, who: Principal, chosen: View) -> list[tuple[str, str, bool]]:
    """Return the views with how many reports each has; what is over is not counted, it only grows."""
    now, language, found = town_of(request).clock(), language_of(request), []
    for view in VIEWS:
        title = view.title.of(language)
        if view.name != "clos":
            own = desk.groups("report_department")
            mine = {"department": own} if own else {}
            n = _counted(desk, Query(where={**view.where(who, now), **mine}))
            if n == 0 and view.quiet and view is not chosen:
                continue
            title += f" {MOST_COUNTED}+" if n is None else f" {n}"
        found.append((title, f"{PLACE}?vue={view.name}", view.name == chosen.name))
    return found


def _areas(request: Request) -> list[str]:
    rows = town_of(request).store.records.all("report_area", Query(limit=500))
    return sorted(str(row.values["name"]) for row in rows)


def _address_query(request: Request) -> str:
    return urlencode([(k, v) for k, v in request.query_params.multi_items() if k not in _KEPT and v])


def _address(request: Request) -> str:
    """Return the address of this list, to come back to."""
    query = urlencode([(k, v) for k, v in request.query_params.multi_items() if k not in ("done", "did", "tous", "lang") and v])  # fmt: skip
    return PLACE + (f"?{query}" if query else "")


def _pager(request: Request, page: Page, total: int | None) -> Pager | None:
    if not page.next and not page.previous:
        return None
    n = request.query_params.get("n", "0")
    before = int(n) if n.isdigit() and len(n) < 9 else 0
    keep = {"done": None, "did": None, "tous": None}
    previous = (
        with_query(request, after=page.previous, n=max(0, before - PAGE) or None, **keep)
        if page.previous
        else ""
    )
    following = with_query(request, after=page.next, n=before + len(page.rows), **keep) if page.next else ""
    return Pager(before + 1, before + len(page.rows), total, previous, following)


def done_of(request: Request) -> tuple[int, str] | None:
    """Return the deed just done, to offer its undoing: its change set and what it was, in words."""
    number, did = request.query_params.get("done", ""), request.query_params.get("did", "")
    return (int(number), did[:200]) if number.isdigit() and 0 < len(number) < 19 else None


def _map(request: Request, items: list[Seen]) -> MapView | None:
    points = [(*item.place, item.severity, f"{item.number} {item.title}") for item in items if item.place]
    if not points:
        return None
    ground, pad = base_map(town_of(request)), 0.002
    lons, lats = [p[0] for p in points], [p[1] for p in points]
    box = (min(lons) - pad, min(lats) - pad, max(lons) + pad, max(lats) + pad)
    return MapView(
        translate(request)("Les signalements de cette page"), f"{PLACE}.geojson?{_address_query(request)}",
        outline_svg(box, ground.features, points), box, ground.url, ground.credit, small=True,
    )  # fmt: skip


def _saved(request: Request, who: Principal) -> list[Any]:
    return views_of(town_of(request).store, SAVED, who) if who.id.startswith("user:") else []


# --- The same list as files.


def features(request: Request) -> Response:
    """Answer the list as GeoJSON, for the map beside it."""
    who = require_staff(request)
    query = msgspec.structs.replace(query_of(request, view_of(request), who), limit=MAPPED)
    rows = Desk(town_of(request).store.records, who).find(REQUEST, query).rows
    found = [
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": item.place}, "id": item.id,
         "properties": {"name": f"{item.number} {item.title}", "href": item.href, "severity": item.severity, "kind": "report"}}
        for item in seen(request, rows, names_of(request)) if item.place
    ]  # fmt: skip
    return JSONResponse({"type": "FeatureCollection", "features": found}, media_type="application/geo+json")


_COLUMNS = ("number", "requested", "state", "reason", "category", "description", "place", "area", "longitude", "latitude",
            "department", "assignee", "priority", "due", "late", "first_answered", "closed", "me_too", "channel")  # fmt: skip


def export(request: Request) -> Response:
    """Answer exactly what the list shows, every page of it, as CSV; nobody's name or mail is in it."""
    who = require_staff(request)
    query = msgspec.structs.replace(query_of(request, view_of(request), who), limit=1000, after=None)
    names, now = names_of(request), town_of(request).clock()
    text = io.StringIO()
    written = csv.writer(text)
    written.writerow(_COLUMNS)
    for n, row in enumerate(Desk(town_of(request).store.records, who).all(REQUEST, query)):
        if n >= MOST_EXPORTED:
            break
        written.writerow(_line(row, names, now))
    headers = {"Content-Disposition": 'attachment; filename="signalements.csv"'}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _line(row: Row, names: Names, now: int) -> list[Any]:
    values = row.values
    place = row.geometry["coordinates"] if row.geometry and row.geometry["type"] == "Point" else ("", "")
    said = dict(values) | {
        "category": names.category(values["category"]), "department": names.department(values["department"]),
        "assignee": names.person(values["assignee"]), "longitude": place[0], "latitude": place[1],
        "late": late_factor(values, now),
    }  # fmt: skip
    for name in ("requested", "due", "first_answered", "closed"):
        said[name] = "" if values[name] is None else format_instant(values[name])
    # a spreadsheet would run what begins like a formula
    cells = ["" if said[name] is None else said[name] for name in _COLUMNS]
    return [
        "'" + cell if isinstance(cell, str) and cell[:1] in "=+-@\t\r" and cell else cell for cell in cells
    ]


# --- Deeds.


async def act(request: Request) -> Response:
    """Do something with the ticked reports, then show the list again with its undo."""
    who = require_staff(request)
    form = await request.form()
    ids = [int(str(v)) for v in form.getlist("row") if str(v).isdigit() and len(str(v)) < 19]
    values = {k: str(v) for k, v in form.items() if k != "row"}
    if values.get("do") == "round":
        return RedirectResponse(
            f"/services/reports/tournees/nouvelle?{urlencode([('row', n) for n in ids])}", 303
        )
    number, did = await run_in_threadpool(
        do_many, Handling(town_of(request), who), ids, values, language_of(request)
    )
    back = values.get("back", "")
    back = back if back.startswith(PLACE) else PLACE
    return RedirectResponse(
        f"{back}{'&' if '?' in back else '?'}{urlencode({'done': number, 'did': did})}", 303
    )


async def undo(request: Request) -> Response:
    """Take a deed back."""
    who = require_staff(request)
    form = await request.form()
    number, back = str(form.get("change_set", "")), str(form.get("back", ""))
    if not number.isdigit() or len(number) > 18:
        raise Problem(Text("Il n'y a rien à défaire.", "There is nothing to undo."), place="change_set")
    await run_in_threadpool(Handling(town_of(request), who).undo, int(number))
    return RedirectResponse(back if back.startswith("/services/reports/") else PLACE, 303)


async def views(request: Request) -> Response:
    """Keep or forget a view of the queue."""
    require_staff(request)
    form = {k: str(v) for k, v in (await request.form()).items()}
    return RedirectResponse(await run_in_threadpool(_views, request, form), 303)


def _views(request: Request, form: dict[str, str]) -> str:
    store, who = town_of(request).store, principal_of(request)
    if form.get("forget", "").isdigit():
        forget_view(store, int(form["forget"]), who)
        return PLACE
    query = form.get("query", "")
    save_view(store, SAVED, form.get("name", ""), query, who, shared=form.get("shared") == "1")
    return f"{PLACE}?{query}"


ROUTES: list[BaseRoute] = [
    Route(PLACE, index),
    Route(PLACE, act, methods=["POST"]),
    Route(f"{PLACE}/vues", views, methods=["POST"]),
    Route(f"{PLACE}.csv", export),
    Route(f"{PLACE}.geojson", features),
    Route("/services/reports/defaire", undo, methods=["POST"]),
]
