"""`/signalements`: the public reports as a list, a map, a feed; filtered the same way in each."""

from typing import Any
from urllib.parse import urlencode
from weakref import WeakKeyDictionary

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.model.instant import MINUTE_US, format_instant
from beffroi.services.reports.categories_tree import Category, categories_of
from beffroi.services.reports.citizen.form import category_of, category_options
from beffroi.services.reports.citizen.reading import point_of, town_of
from beffroi.services.reports.citizen.shown import severity_of, shown_of, state_words
from beffroi.services.reports.states import OPEN
from beffroi.services.reports.where import Area, LonLat, area_of, areas_of, around, distance_m, named_point
from beffroi.standards.atom import Entry, atom
from beffroi.store.record import Query, Row, Where
from beffroi.town import Town
from beffroi.web.kit.ground import base_map
from beffroi.web.kit.map import Box, MapView
from beffroi.web.kit.packing import packed
from beffroi.web.kit.page import language_of, render, translate, with_query
from beffroi.web.kit.table import Pager

__all__ = ["ROUTES"]

PAGE = 20
MOST = 500  # on one map; beyond, the map asks again for what it shows
LOOKED_AT = MOST * 3 // 2  # in one box, those stored last: of a million reports ten thousand may be in it
DRAWN = 300
NEAR_BY = 5000  # around one point, likewise
MOST_COUNTED = 1000
UNCOUNTED_US = MINUTE_US  # how long what could not be counted to its end is not tried again
# what is read of each report, of all that it holds
MAPPED = ("number", "category", "state", "reason", "place")
LISTED = (*MAPPED, "area", "description", "requested", "me_too")
STATES = {"ouverts": "open", "clos": "closed", "tous": "all"}
RADII = (200, 500, 1000, 2000)


class Asked(msgspec.Struct, frozen=True):
    """What a reader wants to see."""

    state: str = "ouverts"
    category: int | None = None
    area: Area | None = None
    words: str = ""
    near: str = ""
    at: LonLat | None = None
    radius_m: int = 500


def asked_of(request: Request) -> Asked:
    """Return the filters of an address; what makes no sense is left out."""
    query = request.query_params
    state, near = query.get("etat", "ouverts"), query.get("pres", "")[:200]
    category = category_of(request, query.get("categorie", ""))
    radius = query.get("rayon", "")
    at = point_of(query) or (named_point(town_of(request), near) if near else None)
    return Asked(state if state in STATES else "ouverts", category.id if category else None,
                 area_of(town_of(request), query.get("quartier", "")), query.get("q", "")[:100], near, at,
                 int(radius) if radius.isdigit() and 50 <= int(radius[:6]) <= 20_000 else 500)  # fmt: skip


def query_of(asked: Asked, box: Box | None = None, **more: Any) -> Query:
    """Return the records that a reader wants; only what is public."""
    where: dict[str, Any] = {"shown": True, "duplicate_of": None}
    if asked.state != "tous":
        where["state"] = Where("!=" if asked.state == "ouverts" else "=", "closed")
    if asked.category is not None:
        where["category"] = asked.category
    if asked.area is not None:
        where["area"] = asked.area.name
        if asked.area.territory:
            more["territories"] = (asked.area.territory,)
    near = around(asked.at, asked.radius_m) if asked.at else None
    public = ("description", "place", "number", "area")
    return Query(
        where=where, text=asked.words, text_fields=public, bbox=box or near, sort="-requested", **more
    )


def _at_large(asked: Asked) -> bool:
    """True when nearly all reports are asked for: in a place, those stored last are looked at."""
    return asked.state != "ouverts" and asked.category is None and asked.area is None and not asked.words


def _within(asked: Asked, rows: list[Row]) -> list[Row]:
    if asked.at is None:
        return rows
    at = asked.at
    return [
        r
        for r in rows
        if r.geometry and distance_m(at, tuple(r.geometry["coordinates"][:2])) <= asked.radius_m
    ]


def page(request: Request) -> Response:
    """Answer the list, or the map with its list."""
    town, asked = town_of(request), asked_of(request)
    if request.query_params.get("vue") == "carte":
        return _map(request, asked)
    found = town.store.records.find(
        "service_request",
        query_of(asked, limit=PAGE, after=request.query_params.get("after"), fields=LISTED, box_most=NEAR_BY if _at_large(asked) else None),
    )  # fmt: skip
    whole = found.next is None and found.previous is None  # the page holds all: there is nothing to count
    total = len(found.rows) if whole and asked.at is None else _total(town, asked)
    rows = _within(asked, found.rows)
    pager = Pager(
        1, len(rows), total, with_query(request, after=found.previous) if found.previous else "",
        with_query(request, after=found.next) if found.next else "",
    ) if found.next or found.previous else None  # fmt: skip
    return render(
        request,
        "citizen/list.html",
        reports=shown_of(request, rows, asked.at),
        pager=pager,
        total=total,
        **_frame(request, asked),
    )


_uncounted: WeakKeyDictionary[Town, dict[Asked, int]] = WeakKeyDictionary()


def _total(town: Town, asked: Asked) -> int | None:
    """Return how many reports there are in all, None when there are more than anyone counts, around a
    point, or with words (the page that shows them all has counted them)."""
    uncounted, now = _uncounted.setdefault(town, {}), town.clock()
    if asked.at is not None or asked.words or 0 <= now - uncounted.get(asked, -UNCOUNTED_US) < UNCOUNTED_US:
        return None
    query = query_of(asked)
    if asked.category is None:  # each state by its own index
        states = (
            OPEN if asked.state == "ouverts" else ("closed",) if asked.state == "clos" else (*OPEN, "closed")
        )
        query = msgspec.structs.replace(query, where={**query.where, "state": list(states)})
    found = town.store.records.count(
        "service_request", query, most=MOST_COUNTED, walk=asked.category is not None
    )
    if found < MOST_COUNTED:
        return found
    if len(uncounted) > 1000:
        uncounted.clear()
    uncounted[asked] = now
    return None


def _frame(request: Request, asked: Asked) -> dict[str, Any]:
    """Return what the list and the map have in common: filters and tabs."""
    _ = translate(request)
    states = (("ouverts", _("Ouverts")), ("clos", _("Clos")), ("tous", _("Tous")))
    tabs = [
        (_("Liste"), with_query(request, vue=None, after=None), request.query_params.get("vue") != "carte"),
        (
            _("Carte"),
            with_query(request, vue="carte", after=None),
            request.query_params.get("vue") == "carte",
        ),
    ]
    feed = "/signalements.atom?" + urlencode(
        [(k, v) for k, v in request.query_params.multi_items() if k in _FEED]
    )
    return {"asked": asked, "states": states, "tabs": tabs, "options": category_options(request), "feed": feed.rstrip("?"), "radii": RADII,
            "areas": areas_of(town_of(request)), "lost": bool(asked.near and asked.at is None)}  # fmt: skip


_FEED = ("etat", "categorie", "quartier", "q", "pres", "lon", "lat", "rayon")


def features_of(request: Request, asked: Asked, box: Box | None) -> tuple[list[dict[str, Any]], bool]:
    """Return the reports as GeoJSON features, and whether some were left out."""
    town, language = town_of(request), language_of(request)
    categories = categories_of(town)
    whole = _at_large(asked) and asked.at is None
    query = query_of(asked, box, limit=MOST + 1, fields=MAPPED, box_most=LOOKED_AT if whole else None)
    rows = town.store.records.find("service_request", query).rows
    features = [
        _feature(row, categories.get(row.values["category"]), language)
        for row in _within(asked, rows[:MOST])
        if row.geometry is not None
    ]
    return features, len(rows) > (
        MOST // 2 if whole and box else MOST
    )  # not all were looked at: there may be more


def _feature(row: Row, category: Category | None, language: str) -> dict[str, Any]:
    v = row.values
    number, state, place, severity = v["number"], state_words(v, language), v["place"], severity_of(v)
    properties = {
        "name": category.title.of(language) if category else number, "href": f"/signalements/{number}",
        "kind": "service_request", "severity": "" if severity == "vert" else severity,
        "note": f"{state} · {place}" if state and place else state or place or "",
    }  # fmt: skip
    return {
        "type": "Feature",
        "id": f"service_request/{row.id}",
        "geometry": row.geometry,
        "properties": properties,
    }


def _map(request: Request, asked: Asked) -> Response:
    town, _ = town_of(request), translate(request)
    features, more = features_of(request, asked, None)
    base = base_map(town)
    marks = tuple(
        (*f["geometry"]["coordinates"][:2], f["properties"]["severity"], f["properties"]["name"])
        for f in features[:DRAWN]
    )
    data = "/signalements.geojson?" + urlencode(
        [(k, v) for k, v in request.query_params.multi_items() if k in _FEED]
    )
    view = MapView(
        _("Carte des signalements"),
        data,
        base.drawing(marks=marks[::-1]),
        base.box if not features else None,
        base.url,
        base.credit,
    )
    return render(
        request,
        "citizen/map.html",
        view=view,
        features=features[:100],
        total=len(features),
        more=more,
        **_frame(request, asked),
    )


def as_geojson(request: Request) -> Response:
    """Answer what the map shows."""
    asked = asked_of(request)
    written = request.query_params.get("bbox", "")
    try:
        west, south, east, north = (float(part) for part in written.split(","))
        box: Box | None = (west, south, east, north)
    except ValueError:
        box = None
    features, more = features_of(request, asked, box)
    body = msgspec.json.encode({"type": "FeatureCollection", "features": features, "truncated": more})
    return packed(request, body, "application/geo+json", headers={"Cache-Control": "no-cache"})


def as_feed(request: Request) -> Response:
    """Answer the newest reports as an Atom feed, around a point if one is given."""
    town, _ = town_of(request), translate(request)
    asked = asked_of(request)
    rows = _within(asked, town.store.records.find("service_request", query_of(asked, limit=50)).rows)
    base = (town.settings.base_url or str(request.base_url)).rstrip("/")
    entries = [
        Entry(f"{base}/signalements/{s.number}", s.title, s.at_us, row.updated_us, " – ".join(p for p in (s.state, s.place, s.text) if p), row.geometry)
        for s, row in zip(shown_of(request, rows, asked.at), rows, strict=True)
    ]  # fmt: skip
    title = f"{_('Signalements')} · {town.name}"
    updated = format_instant(max((row.updated_us for row in rows), default=0))
    body = atom(
        f"{base}{with_query(request)}", f"{base}/signalements", title, updated, entries, language_of(request)
    )
    return packed(request, body, "application/atom+xml; charset=utf-8")


ROUTES: list[BaseRoute] = [
    Route("/signalements", page),
    Route("/signalements.geojson", as_geojson),
    Route("/signalements.atom", as_feed),
]
