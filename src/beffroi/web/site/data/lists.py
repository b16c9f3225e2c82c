"""`/donnees` and `/donnees/{collection}`: what data there is, and each collection as a table beside its map."""

from collections import Counter
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
from sqlalchemy import func, select
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from beffroi.model.collection import Collection, Field
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.store.desk import Desk
from beffroi.store.record import Page, Query
from beffroi.store.record import Row as Record
from beffroi.store.tables import datastream, thing
from beffroi.store.views import forget_view, save_view, views_of
from beffroi.web.kit.form import Input
from beffroi.web.kit.map import Box, MapView, outline_svg
from beffroi.web.kit.page import language_of, principal_of, render, translate, with_query
from beffroi.web.kit.table import Cell, Column, Pager, Row
from beffroi.web.site.base_map import base_map
from beffroi.web.site.data.asked import PAGE, Asked, asked_of
from beffroi.web.site.data.desk import desk_of, label_of, labels_of, say, territory_names, town_of

__all__ = ["ROUTES"]

MAPPED = 2000
LONG = 5_000
_KEPT = ("after", "n", "done")


def index(request: Request) -> Response:
    """List the collections and the measurements."""
    desk, language = desk_of(request), language_of(request)
    town = town_of(request)
    services = {s.name: s.title.of(language) for s in town.registry.services.values()}
    rows = []
    for collection in desk.collections():
        cells = {
            "title": Cell(collection.title.of(language), note=collection.description.of(language)),
            "service": services.get(collection.service, ""),
            "count": desk.count(collection.name),
        }
        rows.append(Row(cells, f"/donnees/{collection.name}"))
    public = () if principal_of(request).staff else (thing.c.public == 1,)
    counted = select(func.count()).select_from(datastream.join(thing, thing.c.id == datastream.c.thing_id))
    with town.store.read() as c:
        series = c.execute(counted.where(*public)).scalar_one()
    _ = translate(request)
    columns = [Column("title", _("Collection")), Column("service", _("Service")),
               Column("count", _("Enregistrements"), "number", decimals=0)]  # fmt: skip
    return render(request, "data/index.html", rows=rows, columns=columns, series=series)


def _filter_inputs(request: Request, fields: tuple[Field, ...]) -> list[Input]:
    """Return one input for each field that can be filtered."""
    _, language = translate(request), language_of(request)
    anything = ("", _("tout"))
    inputs = []
    for field in fields:
        title = field.title.of(language)
        if field.personal is not None or field.kind in ("json", "reference") or field.long:
            continue
        if field.choices:
            options = (anything, *((c.value, c.title.of(language)) for c in field.choices))
            inputs.append(Input(field.name, title, "select", options=options))
        elif field.kind == "boolean":
            inputs.append(
                Input(field.name, title, "select", options=(anything, ("1", _("oui")), ("0", _("non"))))
            )
        elif field.kind == "text":
            inputs.append(Input(field.name, title, "search"))
        else:
            kind: Any = "text" if field.kind in ("integer", "number") else "date"
            inputs.append(
                Input(f"{field.name}.min", _("{title}, au moins", title=title), kind, unit=field.unit)
            )
            inputs.append(
                Input(f"{field.name}.max", _("{title}, au plus", title=title), kind, unit=field.unit)
            )
    names = territory_names(request)
    if len(names) > 1:
        inputs.append(Input("territory", _("Commune"), "select", options=(anything, *names.items())))
    return inputs


def _column(field: Field, language: str) -> Column:
    kind: Any = {"number": "number", "integer": "number", "instant": "instant", "boolean": "boolean"}.get(
        field.kind, "text"
    )
    if field.reference or field.choices:
        kind = "text"
    whole = 0 if field.kind == "integer" else None
    return Column(
        field.name,
        field.title.of(language),
        kind,
        field.personal is None and field.kind != "json",
        field.unit,
        whole,
    )


def _cell(request: Request, field: Field, row: Record, names: dict[str, dict[int, str]]) -> Any:
    value = row.values.get(field.name)
    if value is None:
        return None
    if field.reference:
        label = names.get(field.reference, {}).get(value)
        return Cell(label or f"n° {value}", f"/donnees/{field.reference}/{value}" if label else "")
    severity = next((c.severity for c in field.choices if c.value == value), None)
    if severity:
        return Cell(say(request, field, value), severity=severity)
    plain = field.kind in ("number", "integer", "instant", "boolean") and not field.choices
    return value if plain else say(request, field, value, row.values.get(f"{field.name}_en"))


class Share(msgspec.Struct, frozen=True):
    """How many records of a list have one state, and the address that keeps only them."""

    title: str
    severity: str
    count: int
    href: str
    chosen: bool


def _shares(
    request: Request, desk: Desk, collection: Collection, asked: Asked, page: Page
) -> tuple[int, list[Share]]:
    """Return how many records the list has, and how many in each state: the legend that is also the filter."""
    status = collection.field(collection.status)
    if status is None or status not in desk.fields(collection):
        return len(page.rows) if _whole(page) else desk.count(collection.name, asked.query), []
    language, chosen = language_of(request), request.query_params.get(status.name, "")
    tally = (
        Counter(row.values.get(status.name) for row in page.rows)
        if _whole(page)
        else desk.tally(collection.name, status.name, asked.query)
    )
    shares = [
        Share(c.title.of(language), c.severity or "", tally[c.value],
              with_query(request, after=None, n=None, done=None, **{status.name: None if c.value == chosen else c.value}),
              c.value == chosen)
        for c in status.choices if tally.get(c.value)
    ]  # fmt: skip
    return sum(tally.values()), shares


def _whole(page: Page) -> bool:
    """True when a page holds the whole list: its rows are counted and framed without asking for them again."""
    return page.next is None and page.previous is None


def _rows(request: Request, collection: Collection, asked: Asked, page: Page) -> list[Row]:
    wanted: dict[str, set[int]] = {}
    for field in asked.columns:
        if field.reference:
            found = {row.values[field.name] for row in page.rows if row.values.get(field.name) is not None}
            wanted.setdefault(field.reference, set()).update(found)
    names = {name: labels_of(request, name, ids) for name, ids in wanted.items()}
    return [
        Row(
            {f.name: _cell(request, f, row, names) for f in asked.columns},
            f"/donnees/{collection.name}/{row.id}",
            f"{row.id}",
        )
        for row in page.rows
    ]


def _pager(request: Request, asked: Asked, page: Page, total: int) -> Pager:
    first = asked.before + 1 if page.rows else 0
    last = asked.before + len(page.rows)
    before = max(0, asked.before - PAGE)
    previous = with_query(request, after=page.previous, n=before or None, done=None) if page.previous else ""
    following = with_query(request, after=page.next, n=last, done=None) if page.next else ""
    return Pager(first, last, total, previous, following)


def _bulk(request: Request, desk: Desk, collection: Collection) -> list[tuple[str, str]]:
    _, language = translate(request), language_of(request)
    actions = []
    status = collection.field(collection.status)
    if status is not None and desk.writable(collection):
        actions += [(f"state:{c.value}", f"→ {c.title.of(language)}") for c in status.choices]
    if desk.deletable(collection):
        actions.append(("delete", _("Supprimer")))
    return actions


def _query_of(request: Request, *, without: tuple[str, ...] = _KEPT) -> str:
    pairs = [(k, v) for k, v in request.query_params.multi_items() if k not in (*without, "lang") and v != ""]
    return urlencode(pairs)


def _twin(name: str, kind: str, query: str) -> str:
    return f"/donnees/{name}.{kind}" + (f"?{query}" if query else "")


def _box(desk: Desk, collection: Collection, asked: Asked, page: Page, total: int) -> Box | None:
    """Return the box around the list; of a very long list, around the page, which costs nothing."""
    if collection.geometry == "none" or not page.rows:
        return None
    alone = _whole(page) or total > LONG
    around = Query(where={"_id": [row.id for row in page.rows]}, deleted=None) if alone else asked.query
    return desk.extent(collection.name, around)


def _map(request: Request, collection: Collection, page: Page, box: Box | None, query: str) -> MapView | None:
    if box is None:
        return None
    base = base_map(town_of(request))
    status = collection.field(collection.status)
    severities = {c.value: c.severity or "" for c in status.choices} if status is not None else {}
    points = [
        (x, y, severities.get(row.values.get(collection.status, ""), ""), label_of(request, collection, row))
        for row in page.rows
        if row.geometry and row.geometry["type"] == "Point"
        for x, y in [row.geometry["coordinates"][:2]]
    ]
    margin = 0.001
    wide = (box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin)
    features = _twin(collection.name, "geojson", urlencode([*parse_qsl(query), ("map", "1")]))
    title = collection.title.of(language_of(request))
    return MapView(
        title, features, outline_svg(wide, base.features, points), wide, base.url, base.credit, small=True
    )


def listing(request: Request) -> Response:
    """Answer one page of a collection."""
    desk, language, _ = desk_of(request), language_of(request), translate(request)
    collection = desk.collection(request.path_params["name"])
    fields = desk.fields(collection)
    asked = asked_of(collection, fields, request.query_params, desk.who)
    page = desk.find(collection.name, asked.query)
    total, shares = _shares(request, desk, collection, asked, page)
    query = _query_of(request)
    done = request.query_params.get("done", "")
    inputs = _filter_inputs(request, fields)
    values = {i.name: request.query_params.get(i.name, "") for i in inputs}
    kinds = [("CSV", "csv"), ("JSON", "json"), *([("GeoJSON", "geojson")] if collection.geometry != "none" else []),
             ("GeoParquet" if collection.geometry != "none" else "Parquet", "parquet")]  # fmt: skip
    seen = urlencode(
        [*parse_qsl(_query_of(request, without=(*_KEPT, "col"))), *(("col", f.name) for f in asked.columns)]
    )
    return render(
        request, "data/list.html", collection=collection, title=collection.title.of(language), total=total,
        asked=asked, inputs=inputs, values=values, open_filters=any(values.values()),
        columns=[_column(f, language) for f in asked.columns], rows=_rows(request, collection, asked, page),
        pager=_pager(request, asked, page, total), exports=[(n, _twin(collection.name, k, seen)) for n, k in kinds],
        bulk=_bulk(request, desk, collection) if page.rows and not asked.query.deleted else [], query=query,
        views=views_of(town_of(request).store, collection.name, desk.who) if desk.who.id.startswith("user:") else [],
        choosable=[(f.name, f.title.of(language), f in asked.columns) for f in fields], map_view=_map(
            request, collection, page, _box(desk, collection, asked, page, total), query), mapped=MAPPED, sort=request.query_params.get("sort", asked.query.sort),
        done=int(done) if done.isdigit() else 0, writable=desk.writable(collection), staff=desk.who.staff, shares=shares,
    )  # fmt: skip


def _act(request: Request, name: str, action: str, ids: list[int]) -> int:
    """Do a bulk action within the reader's rights, all or nothing; return its change set."""
    desk = desk_of(request)
    collection = desk.collection(name)
    kind, _, value = action.partition(":")
    if kind == "state" and collection.status:
        return desk.change_many(name, ids, {collection.status: value})
    if kind == "delete":
        return desk.delete_many(name, ids)
    raise Problem(Text("Cette action n'existe pas.", "There is no such action."), place="action")


async def act(request: Request) -> Response:
    """Take a bulk action on the chosen rows, then show the list again with its undo."""
    form = await request.form()
    ids = [int(str(v)) for v in form.getlist("row") if str(v).isdigit() and len(str(v)) < 19]
    query = [(k, v) for k, v in request.query_params.multi_items() if k != "done"]
    if ids:
        done = await run_in_threadpool(
            _act, request, request.path_params["name"], str(form.get("action", "")), ids
        )
        query.append(("done", str(done)))
    return RedirectResponse(f"/donnees/{request.path_params['name']}?{urlencode(query)}", 303)


def _view(request: Request, values: dict[str, str]) -> str:
    town, name = town_of(request), desk_of(request).collection(request.path_params["name"]).name
    who = principal_of(request)
    if values.get("forget", "").isdigit():
        forget_view(town.store, int(values["forget"]), who)
        return f"/donnees/{name}"
    query = values.get("query", "")
    save_view(town.store, name, values.get("name", ""), query, who, shared=values.get("shared") == "1")
    return f"/donnees/{name}?{query}"


async def views(request: Request) -> Response:
    """Save or forget a view of the list."""
    form = await request.form()
    values = {k: str(v) for k, v in form.items()}
    return RedirectResponse(await run_in_threadpool(_view, request, values), 303)


ROUTES = [
    Route("/donnees", index),
    Route("/donnees/{name}/vues", views, methods=["POST"]),
    Route("/donnees/{name}", listing),
    Route("/donnees/{name}", act, methods=["POST"]),
]
