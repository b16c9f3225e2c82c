"""A list, or one record, as a file: exactly what the page with the same address shows, all its rows."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from beffroi.model.collection import Collection
from beffroi.model.value import json_value
from beffroi.standards.record_files import csv_parts, feature_of, geojson_parts, json_parts, write_parquet
from beffroi.store.record import Row
from beffroi.web.kit.page import language_of
from beffroi.web.site.data.asked import Asked, asked_of
from beffroi.web.site.data.desk import desk_of, label_of, town_of

__all__ = ["ROUTES"]

_KINDS = {
    "csv": "text/csv; charset=utf-8; header=present", "json": "application/json",
    "geojson": "application/geo+json", "parquet": "application/vnd.apache.parquet",
}  # fmt: skip
_STEP = 2000
_MAPPED = 2000


def _asked(request: Request) -> tuple[Collection, Asked]:
    desk = desk_of(request)
    collection = desk.collection(request.path_params["name"])
    fields = desk.fields(collection)
    asked = asked_of(collection, fields, request.query_params, desk.who)
    if not request.query_params.getlist(
        "col"
    ):  # the page's own links name its columns; the bare address gives all
        asked = msgspec.structs.replace(asked, columns=fields)
    return collection, msgspec.structs.replace(
        asked, query=msgspec.structs.replace(asked.query, limit=_STEP, after=None)
    )


def _named(collection: Collection, kind: str) -> dict[str, str]:
    return {
        "Content-Disposition": f'attachment; filename="{collection.name}.{kind}"',
        "Cache-Control": "no-cache",
    }


def export(request: Request) -> Response:
    """Stream a list in the format that the address ends with."""
    kind = request.path_params["kind"]
    if kind == "geojson" and request.query_params.get("map"):
        return _for_map(request)
    collection, asked = _asked(request)
    rows = desk_of(request).all(collection.name, asked.query)
    if kind == "parquet":
        return _parquet(request, collection, asked, rows)
    parts: Iterator[bytes]
    if kind == "csv":
        delimiter = ";" if request.query_params.get("sep") == ";" else ","
        parts = csv_parts(asked.columns, rows, delimiter=delimiter, place_of=collection.geometry != "none")
    else:
        parts = (geojson_parts if kind == "geojson" else json_parts)(asked.columns, rows)
    return StreamingResponse(parts, media_type=_KINDS[kind], headers=_named(collection, kind))


def _parquet(request: Request, collection: Collection, asked: Asked, rows: Iterator[Row]) -> Response:
    """Answer GeoParquet: made in a file first, which goes when it has been sent."""
    folder = tempfile.TemporaryDirectory(dir=town_of(request).settings.data, prefix="export-")
    target = Path(folder.name) / "rows.parquet"
    try:
        write_parquet(collection, asked.columns, rows, target)
    except BaseException:
        folder.cleanup()
        raise

    def parts() -> Iterator[bytes]:
        with folder, target.open("rb") as file:
            while block := file.read(1 << 20):
                yield block

    return StreamingResponse(parts(), media_type=_KINDS["parquet"], headers=_named(collection, "parquet"))


def _for_map(request: Request) -> Response:
    """Answer the first records of a list as the map draws them: name, link, severity."""
    collection, asked = _asked(request)
    page = desk_of(request).find(collection.name, msgspec.structs.replace(asked.query, limit=_MAPPED))
    status = collection.field(collection.status)
    severities = {c.value: c.severity for c in status.choices} if status is not None else {}
    features = [
        {
            "type": "Feature", "id": row.id, "geometry": row.geometry,
            "properties": {
                "name": label_of(request, collection, row), "href": f"/donnees/{collection.name}/{row.id}",
                "severity": severities.get(row.values.get(collection.status, "")) or "", "kind": collection.name,
            },
        }
        for row in page.rows if row.geometry is not None
    ]  # fmt: skip
    body = msgspec.json.encode({"type": "FeatureCollection", "features": features})
    return Response(body, media_type=_KINDS["geojson"], headers={"Cache-Control": "no-cache"})


def one(request: Request) -> Response:
    """Answer one record as JSON or GeoJSON."""
    desk, kind = desk_of(request), request.path_params["kind"]
    collection = desk.collection(request.path_params["name"])
    row = desk.get(collection.name, request.path_params["id"])
    fields = desk.fields(collection)
    if kind == "geojson":
        feature = feature_of(fields, row)
        status = collection.field(collection.status)
        value = row.values.get(collection.status, "")
        severity = (
            next((c.severity for c in status.choices if c.value == value), None)
            if status is not None
            else None
        )
        feature["properties"] |= {"name": label_of(request, collection, row), "severity": severity or ""}
        return Response(msgspec.json.encode(feature), media_type=_KINDS["geojson"])
    said: dict[str, Any] = {f.name: json_value(f, row.values[f.name]) for f in fields if f.name in row.values}
    own = {
        "_id": row.id,
        "_version": row.version,
        "_territory": row.territory,
        "_title": collection.title.of(language_of(request)),
    }
    return Response(msgspec.json.encode({**own, **said, "geometry": row.geometry}), media_type=_KINDS["json"])


def _route(kind: str) -> list[Route]:
    def list_of(request: Request) -> Response:
        request.path_params["kind"] = kind
        return export(request)

    def one_of(request: Request) -> Response:
        request.path_params["kind"] = kind
        return one(request)

    routes = [Route(f"/donnees/{{name}}.{kind}", list_of)]
    return (
        [*routes, Route(f"/donnees/{{name}}/{{id:int}}.{kind}", one_of)]
        if kind in ("json", "geojson")
        else routes
    )


ROUTES = [route for kind in _KINDS for route in _route(kind)]
