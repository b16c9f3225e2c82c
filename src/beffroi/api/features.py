"""OGC API - Features at `/ogc`: one collection for each declared Collection that the caller may read.

Part 1 (17-069r4: core, GeoJSON, OpenAPI 3.0) and Part 2 (18-058r1: answers and boxes in Lambert-93 too).
`datetime` selects by the last change of a record, the one time that every collection has.
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

import msgspec
import shapely
from shapely.geometry import mapping, shape
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

import beffroi
from beffroi.model.collection import Collection, Field
from beffroi.model.instant import format_instant, parse_instant
from beffroi.model.principal import ANONYMOUS
from beffroi.model.problem import NotFound, Problem
from beffroi.model.reference_system import projection
from beffroi.model.text import Text
from beffroi.model.value import parse_value
from beffroi.standards.feature_documents import (
    CONFORMANCE,
    CRS84,
    LAMBERT93,
    LARGEST,
    collection_document,
    dcat,
    link,
    openapi,
    schema_document,
)
from beffroi.standards.record_files import feature_of
from beffroi.store.desk import Desk
from beffroi.store.record import Query, Where
from beffroi.town import Town

__all__ = ["ROUTES"]

_GEOJSON = "application/geo+json"
_OWN = ("limit", "bbox", "bbox-crs", "crs", "datetime", "after", "f", "lang")
_JSON_NAMES = ("", "json", "geojson", "application/json", _GEOJSON)
Box = tuple[float, float, float, float]


def _town(request: Request) -> Town:
    town: Town = request.app.state.town
    return town


def _desk(request: Request) -> Desk:
    return Desk(_town(request).store.records, getattr(request.state, "who", ANONYMOUS))


def _language(request: Request) -> str:
    return str(getattr(request.state, "language", "fr"))


def _base(request: Request) -> str:
    return (_town(request).settings.base_url or str(request.base_url)).rstrip("/")


def _json(value: Any, media: str = "application/json", **headers: str) -> Response:
    return Response(msgspec.json.encode(value), media_type=media, headers=headers)


def _refuse(place: str, fr: str, en: str, mend: Text | None = None) -> Problem:
    return Problem(Text(fr, en), mend, place)


# --- Descriptions.


def landing(request: Request) -> Response:
    """Answer the landing page."""
    base, town = _base(request), _town(request)
    own = f"{base}/ogc"
    links = [
        link(own, "self", "application/json"), link(f"{base}/donnees", "alternate", "text/html"),
        link(f"{own}/api", "service-desc", "application/vnd.oai.openapi+json;version=3.0"),
        link(f"{base}/donnees", "service-doc", "text/html"), link(f"{own}/conformance", "conformance", "application/json"),
        link(f"{own}/collections", "data", "application/json"), link(f"{own}/dcat", "describedby", "application/ld+json", "DCAT-AP"),
    ]  # fmt: skip
    title = {"fr": f"Données de {town.name}", "en": f"Data of {town.name}"}[_language(request)]
    return _json({"title": title, "description": "OGC API - Features", "links": links})


def conformance(_request: Request) -> Response:
    """Answer the conformance classes."""
    return _json({"conformsTo": list(CONFORMANCE)})


def definition(request: Request) -> Response:
    """Answer the OpenAPI document, for what the caller may read."""
    desk, town = _desk(request), _town(request)
    described = [(c, desk.fields(c)) for c in desk.collections()]
    document = openapi(_base(request), town.name, beffroi.__version__, described, _language(request))
    return _json(document, "application/vnd.oai.openapi+json;version=3.0")


def _extent(request: Request, desk: Desk, collection: Collection) -> Box | None:
    """Return the box of a collection; kept until something changes, since a million records take half a second."""
    kept: dict[Any, Box | None] = request.app.state.__dict__.setdefault("extents", {})
    key = (collection.name, desk.who.territories, desk.who.role, _town(request).store.records.head())
    if key not in kept:
        if len(kept) > 500:
            kept.clear()
        kept[key] = desk.extent(collection.name) if collection.geometry != "none" else None
    return kept[key]


def _span(desk: Desk, collection: Collection) -> tuple[int, int] | None:
    ends = [
        desk.find(collection.name, Query(sort=s, limit=1, fields=())).rows for s in ("_updated", "-_updated")
    ]
    return (ends[0][0].updated_us, ends[1][0].updated_us) if ends[0] and ends[1] else None


def _document(request: Request, desk: Desk, collection: Collection) -> dict[str, Any]:
    box, span = _extent(request, desk, collection), _span(desk, collection)
    return collection_document(_base(request), collection, _language(request), box, span)


def collections(request: Request) -> Response:
    """Answer every collection that the caller may read."""
    desk, base = _desk(request), _base(request)
    described = [_document(request, desk, c) for c in desk.collections()]
    links = [
        link(f"{base}/ogc/collections", "self", "application/json"),
        link(f"{base}/donnees", "alternate", "text/html"),
    ]
    return _json({"links": links, "crs": [CRS84, LAMBERT93], "collections": described})


def one_collection(request: Request) -> Response:
    """Answer one collection."""
    desk = _desk(request)
    return _json(_document(request, desk, desk.collection(request.path_params["name"])))


def schema(request: Request) -> Response:
    """Answer the JSON schema of a collection's properties."""
    desk = _desk(request)
    collection = desk.collection(request.path_params["name"])
    document = schema_document(_base(request), collection, desk.fields(collection), _language(request))
    return _json(document, "application/schema+json")


# --- What is asked.


def _crs(request: Request, name: str) -> str:
    asked = request.query_params.get(name, CRS84).strip("<>")
    if asked not in (CRS84, LAMBERT93):
        raise _refuse(name, "Ce système de coordonnées n'est pas servi.", "This reference system is not served.",
                      Text(f"Demandez {CRS84} ou {LAMBERT93}.", f"Ask for {CRS84} or {LAMBERT93}."))  # fmt: skip
    return asked


def _box(request: Request) -> Box | None:
    written = request.query_params.get("bbox")
    crs = _crs(request, "bbox-crs")
    if written is None:
        return None
    mend = Text("Écrivez ouest,sud,est,nord.", "Write west,south,east,north.")
    try:
        numbers = [float(n) for n in written.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) == 6:
        numbers = [*numbers[:2], *numbers[3:5]]
    if len(numbers) != 4 or not all(abs(n) < 1e8 for n in numbers) or numbers[1] > numbers[3]:
        raise _refuse("bbox", "Le cadre n'est pas compris.", "The box is not understood.", mend)
    if crs == LAMBERT93:
        west, south, east, north = numbers
        west, south, east, north = projection(2154, 4326).transform_bounds(west, south, east, north)
        return west, south, east, north
    return numbers[0], numbers[1], numbers[2], numbers[3]


def _moments(written: str) -> tuple[Where, ...]:
    """Return the conditions of a `datetime` parameter: an instant, or an interval with open ends."""
    start, slash, end = written.partition("/")
    try:
        if not slash:
            return (Where("=", parse_instant(start)),)
        first, last = (None if part in ("", "..") else parse_instant(part) for part in (start, end))
    except Problem as problem:
        raise problem.at("datetime") from problem
    if first is not None and last is not None and first > last:
        raise _refuse(
            "datetime", "L'intervalle finit avant de commencer.", "The interval ends before it starts."
        )
    return tuple(Where(sign, us) for sign, us in ((">=", first), ("<=", last)) if us is not None)  # type: ignore[arg-type]


def _limit(request: Request) -> int:
    written = request.query_params.get("limit", "100")
    if not written.isascii() or not written.isdigit() or int(written[:9]) < 1:
        raise _refuse("limit", "« limit » est un entier d'au moins 1.", "'limit' is a whole number of at least 1.",
                      Text("Écrivez par exemple limit=100.", "Write for example limit=100."))  # fmt: skip
    return min(int(written[:9]), LARGEST)


def _where(request: Request, fields: Iterable[Field]) -> dict[str, Any]:
    known = {f.name: f for f in fields if f.personal is None and f.kind != "json"}
    where: dict[str, Any] = {}
    for name, written in request.query_params.items():
        if name in _OWN:
            continue
        field = known.get(name)
        if field is None:
            listed = ", ".join((*_OWN[:6], *known))
            raise _refuse(name[:60], f"« {name[:60]} » n'est pas un paramètre.", f"'{name[:60]}' is not a parameter.",
                          Text(f"Les paramètres sont : {listed}.", f"The parameters are: {listed}."))  # fmt: skip
        where[name] = parse_value(msgspec.structs.replace(field, choices=()), written)
    moment = request.query_params.get("datetime")
    if moment is not None and (tests := _moments(moment)):
        where["_updated"] = tests
    return where


def _format(request: Request) -> None:
    if request.query_params.get("f", "") not in _JSON_NAMES:
        raise _refuse(
            "f",
            "Ce format n'est pas servi ici.",
            "This format is not served here.",
            Text("Demandez f=json.", "Ask for f=json."),
        )


# --- Features.


def _moved(geometry: dict[str, Any] | None, crs: str) -> dict[str, Any] | None:
    if geometry is None or crs == CRS84:
        return geometry
    to_lambert = projection(4326, 2154)
    if geometry["type"] == "Point":
        x, y = to_lambert.transform(*geometry["coordinates"][:2])
        return {"type": "Point", "coordinates": [round(x, 4), round(y, 4)]}
    return dict(mapping(shapely.transform(shape(geometry), to_lambert.transform, interleaved=False)))


def items(request: Request) -> Response:
    """Answer one page of features."""
    if request.query_params.get("f") == "html":
        return RedirectResponse(f"/donnees/{request.path_params['name']}")
    _format(request)
    desk = _desk(request)
    collection = desk.collection(request.path_params["name"])
    fields, crs = desk.fields(collection), _crs(request, "crs")
    after = request.query_params.get("after")
    query = Query(where=_where(request, fields), bbox=_box(request), limit=_limit(request), after=after)
    page = desk.find(collection.name, query)
    features = [feature_of(fields, row) for row in page.rows]
    for feature in features:
        feature["geometry"] = _moved(feature["geometry"], crs)
    body: dict[str, Any] = {
        "type": "FeatureCollection",
        "features": features,
        "links": _links(request, collection, page.next),
    }
    if after is None:  # counted once, not on every page
        body["numberMatched"] = desk.count(collection.name, query)
    body |= {"numberReturned": len(features), "timeStamp": _now(request)}
    return _json(body, _GEOJSON, **{"Content-Crs": f"<{crs}>"})


def _now(request: Request) -> str:
    return format_instant(_town(request).clock() // 1_000_000 * 1_000_000)


def _links(request: Request, collection: Collection, following: str | None) -> list[dict[str, str]]:
    base = _base(request)
    own = f"{base}/ogc/collections/{collection.name}"
    kept = [(k, v) for k, v in request.query_params.multi_items() if k != "after"]
    here = f"{own}/items" + (f"?{request.url.query}" if request.url.query else "")
    links = [
        link(here, "self", _GEOJSON), link(f"{base}/donnees/{collection.name}", "alternate", "text/html"),
        link(own, "collection", "application/json"),
    ]  # fmt: skip
    if following is not None:
        links.append(link(f"{own}/items?{urlencode([*kept, ('after', following)])}", "next", _GEOJSON))
    return links


def item(request: Request) -> Response:
    """Answer one feature."""
    _format(request)
    desk, base = _desk(request), _base(request)
    collection = desk.collection(request.path_params["name"])
    crs, written = _crs(request, "crs"), request.path_params["id"]
    if not written.isascii() or not written.isdigit():
        raise NotFound(Text("Cet objet n'existe pas.", "There is no such feature."), place=written[:60])
    row = desk.get(collection.name, int(written[:20]))
    feature = feature_of(desk.fields(collection), row)
    feature["geometry"] = _moved(feature["geometry"], crs)
    own = f"{base}/ogc/collections/{collection.name}"
    feature["links"] = [
        link(f"{own}/items/{row.id}", "self", _GEOJSON), link(own, "collection", "application/json"),
        link(f"{base}/donnees/{collection.name}/{row.id}", "alternate", "text/html"),
    ]  # fmt: skip
    return _json(feature, _GEOJSON, **{"Content-Crs": f"<{crs}>"})


def catalogue(request: Request) -> Response:
    """Answer the DCAT-AP catalogue of what is public."""
    desk = Desk(_town(request).store.records, ANONYMOUS)
    datasets = []
    for collection in desk.collections():
        span = _span(desk, collection)
        datasets.append((collection, _extent(request, desk, collection), span[1] if span else None))
    return _json(dcat(_base(request), _town(request).name, datasets), "application/ld+json")


ROUTES = [
    Route("/ogc", landing),
    Route("/ogc/", landing),
    Route("/ogc/conformance", conformance),
    Route("/ogc/api", definition),
    Route("/ogc/dcat", catalogue),
    Route("/catalogue.jsonld", catalogue),
    Route("/ogc/collections", collections),
    Route("/ogc/collections/{name}", one_collection),
    Route("/ogc/collections/{name}/schema", schema),
    Route("/ogc/collections/{name}/items", items),
    Route("/ogc/collections/{name}/items/{id}", item),
]
