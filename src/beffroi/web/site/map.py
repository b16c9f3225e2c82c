"""`/carte`: everything that has a place, on the town's own base map, with the same list beside it."""

from typing import Any
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.model.collection import Collection
from beffroi.model.principal import Principal
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.model.value import label_text
from beffroi.store.desk import Desk
from beffroi.store.record import Query, Row
from beffroi.town import Town
from beffroi.web.kit.map import Box, MapView
from beffroi.web.kit.packing import packed
from beffroi.web.kit.page import look_here, principal_of, render, translate, words_of
from beffroi.web.site.base_map import base_map
from beffroi.web.site.catalogue import silent, stations, things_count
from beffroi.web.site.open_alarms import OpenAlarm, open_alarms

__all__ = ["ROUTES", "as_geojson", "layers_of", "page", "view_at"]

FEW = 200  # a layer of more is off until asked for
MOST = 4_000  # features of one layer in one answer; beyond, the map asks again for what it shows
LISTED = 100
DRAWN = 400
THINGS = "capteurs"
_ORDER = {"rouge": 0, "orange": 1, "jaune": 2}


def layers_of(town: Town, who: Principal, language: str) -> dict[str, str]:
    """Return the layers that `who` may see: name and title; things first, then collections with a place."""
    layers = {THINGS: Text("Capteurs", "Sensors").of(language)}
    for name, collection in town.store.records.collections.items():
        if collection.geometry != "none" and collection.readable(who):
            layers[name] = collection.title.of(language)
    return layers


def _box(text: str) -> Box | None:
    if not text:
        return None
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError as error:
        raise Problem(
            Text("Le cadre de la carte n'est pas compris.", "The box of the map is not understood."),
            Text("Écrivez ouest,sud,est,nord en degrés.", "Write west,south,east,north in degrees."),
            place="bbox",
        ) from error
    return west, south, east, north


def _things(
    town: Town, who: Principal, box: Box | None, only: int | None, language: str
) -> tuple[list[dict[str, Any]], bool]:
    by_thing: dict[int, OpenAlarm] = {}
    for alarm in reversed(open_alarms(town, who, language)):
        if alarm.thing_id is not None:
            by_thing[alarm.thing_id] = alarm  # the most severe comes last
    now = town.clock()
    found = stations(
        town, who, box=box, limit=MOST + 1, language=language, ids=None if only is None else [only]
    )
    features = []
    for s in found[:MOST]:
        if s.place is None:
            continue
        ringing = by_thing.get(s.id)
        mute = any(silent(x, now) for x in s.series)
        severity = ringing.severity if ringing else "jaune" if mute else ""
        properties = {"name": s.name, "href": f"/capteurs/{s.id}", "kind": THINGS, "severity": severity,
                      "note": ringing.message if ringing else ""}  # fmt: skip
        features.append(
            _feature(f"{THINGS}/{s.id}", {"type": "Point", "coordinates": list(s.place)}, properties)
        )
    return features, len(found) > MOST


def _feature(name: str, geometry: dict[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "id": name, "geometry": geometry, "properties": properties}


def _records(
    town: Town, who: Principal, collection: Collection, box: Box | None, language: str
) -> tuple[list[dict[str, Any]], bool]:
    seen = {f.name for f in collection.visible_fields(who)}
    shown = (collection.label, f"{collection.label}_en", collection.status)
    wanted = tuple(n for n in dict.fromkeys(shown) if n in seen)
    query = Query(bbox=box, limit=MOST + 1, fields=wanted, territories=who.territories or None)
    rows = Desk(town.store.records, who).find(collection.name, query).rows
    features = [_record(collection, row, language) for row in rows[:MOST] if row.geometry]
    return features, len(rows) > MOST


def _record(collection: Collection, row: Row, language: str) -> dict[str, Any]:
    status = collection.field(collection.status) if collection.status else None
    value = row.values.get(collection.status) if status else None
    severity = next((c.severity for c in status.choices if c.value == value), None) if status else None
    name = label_text(collection, row.values).of(language) or f"{collection.name} {row.id}"
    properties = {
        "name": name, "href": f"/donnees/{collection.name}/{row.id}", "kind": collection.name,
        "severity": severity if severity not in (None, "vert") else "", "note": "",
    }  # fmt: skip
    return _feature(f"{collection.name}/{row.id}", row.geometry or {}, properties)


def features_of(
    town: Town,
    who: Principal,
    layers: list[str],
    box: Box | None,
    only: int | None = None,
    language: str = "fr",
) -> tuple[list[dict[str, Any]], bool]:
    """Return the features of `layers` inside `box`, and whether some were left out."""
    features, more = [], False
    for name in layers:
        found, cut = (
            _things(town, who, box, only, language)
            if name == THINGS
            else _records(town, who, town.store.records.collections[name], box, language)
        )
        features += found
        more = more or cut
    return features, more


def _asked(request: Request) -> tuple[list[str], dict[str, str]]:
    known = layers_of(request.app.state.town, principal_of(request), words_of(request).language)
    asked = [name for name in request.query_params.getlist("couche") if name in known]
    return asked or _usual(request.app.state.town, principal_of(request), known), known


def _usual(town: Town, who: Principal, known: dict[str, str]) -> list[str]:
    """Return the layers shown at first: the things, and collections of few records that do not cover the others."""
    collections = town.store.records.collections
    return [
        name for name in known
        if name == THINGS or (collections[name].geometry != "polygon" and _count(town, who, name) <= FEW)
    ]  # fmt: skip


def _count(town: Town, who: Principal, name: str) -> int:
    """Return how much a layer holds of what `who` sees on the map: of their territories, when they have some."""
    return things_count(town, who) if name == THINGS else Desk(town.store.records, who).count(name, Query(territories=who.territories or None))  # fmt: skip


def as_geojson(request: Request) -> Response:
    """Answer what the map shows as GeoJSON; `truncated` says that a smaller box would show more."""
    town: Town = request.app.state.town
    layers, _ = _asked(request)
    only = request.query_params.get("objet", "")
    box = _box(request.query_params.get("bbox", ""))
    one = int(only) if only.isdigit() and len(only) < 16 else None
    features, more = features_of(
        town,
        principal_of(request),
        [THINGS] if one is not None else layers,
        box,
        one,
        words_of(request).language,
    )
    body = {"type": "FeatureCollection", "truncated": more, "features": features}
    return packed(
        request, msgspec.json.encode(body), "application/geo+json", 200, {"Cache-Control": "no-cache"}
    )


def _middle(geometry: dict[str, Any]) -> tuple[float, float] | None:
    at = geometry.get("coordinates")
    while at and isinstance(at[0], list | tuple):
        at = at[0]
    return (float(at[0]), float(at[1])) if at else None


def page(request: Request) -> Response:
    """Answer the map with its legend (which is the filter) and its list."""
    town: Town = request.app.state.town
    who, _ = principal_of(request), translate(request)
    shown, known = _asked(request)
    features, more = features_of(town, who, shown, None, None, words_of(request).language)
    counts = {name: _count(town, who, name) for name in known}
    known = {name: title for name, title in known.items() if counts[name]}
    features.sort(key=lambda f: (_ORDER.get(f["properties"]["severity"], 3), f["properties"]["name"]))
    address = f"{request.url.path}.geojson"
    return render(
        request, "site/map.html", view=_view(request, features, f"{address}?{urlencode([('couche', name) for name in shown])}"),
        layers=known, shown=shown, counts=counts, features=features[:LISTED], total=len(features), more=more,
        exports=[("GeoJSON", address), ("OGC API", "/ogc/collections")],
    )  # fmt: skip


def view_at(request: Request, address: str) -> MapView | None:
    """Return the small map of what the reader sees at first, whose features come from `address`; None when there is nothing."""
    town, who = request.app.state.town, principal_of(request)
    shown, _known = _asked(request)
    features, _more = features_of(town, who, shown, None, None, words_of(request).language)
    return msgspec.structs.replace(_view(request, features, address), small=True) if features else None


def _view(request: Request, features: list[dict[str, Any]], address: str) -> MapView:
    town, _ = request.app.state.town, translate(request)
    look, base = look_here(request), base_map(town)
    marks = []
    for f in features[:DRAWN]:
        at = _middle(f["geometry"])
        if at is not None:
            marks.append((*at, f["properties"]["severity"], f["properties"]["name"]))
    return MapView(
        _("Carte de {town}", town=look.name if look else town.name), address,
        base.drawing(marks=tuple(marks[::-1])), base.box if not features else None, base.url, base.credit,
    )  # fmt: skip


ROUTES: list[BaseRoute] = [Route("/carte", page), Route("/carte.geojson", as_geojson)]
