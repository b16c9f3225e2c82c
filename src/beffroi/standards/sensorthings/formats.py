"""Answers as CSV (RFC 4180) and as GeoJSON (RFC 7946), whole sets page by page while they are sent."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from beffroi.model.result import decode_json, encode_exact
from beffroi.standards.sensorthings.entities import Entity
from beffroi.standards.sensorthings.flattening import Column, flat, geometry_in

__all__ = ["FORMATS", "Format", "csv_parts", "geojson_parts"]

Pages = Iterator[Mapping[str, Any]]
"""Pages as JSON shows them: `value`, and perhaps `@iot.count` and, on the last one, `@iot.nextLink`."""
_GUARDED = ("=", "+", "-", "@", "\t", "\r")


class Format(msgspec.Struct, frozen=True):
    """A format of answers: its media type, and the ending of a file of it."""

    media_type: str
    suffix: str


FORMATS = {
    "csv": Format("text/csv; charset=utf-8", "csv"),
    "geojson": Format("application/geo+json", "geojson"),
}


def _at(shown: Any, steps: tuple[str | int, ...]) -> Any:
    for step in steps:
        if type(shown) is msgspec.Raw:
            shown = decode_json(bytes(shown))
        if type(shown) is dict:
            shown = shown.get(step)
        elif type(shown) is list and type(step) is int:
            shown = shown[step] if step < len(shown) else None
        else:
            return None
    return shown


def _cell(value: Any) -> str:
    """Return a value as the text of a cell: numbers with the digits they came with; no text is run as a formula."""
    if type(value) is str:
        return "'" + value if value.startswith(_GUARDED) else value
    if value is None:
        return ""
    if isinstance(value, msgspec.Raw):
        raw = bytes(value)
        if raw[:1] != b'"':
            return "" if raw == b"null" else raw.decode()
        return _cell(msgspec.json.decode(raw))
    return encode_exact(value)


def csv_parts(columns: list[Column], pages: Pages) -> Iterator[bytes]:
    """Yield a table, a part for each page; its first line has the names of the columns."""
    buffer = io.StringIO()
    write = csv.writer(buffer, lineterminator="\r\n").writerow
    write([column.name for column in columns])
    ways = [column.steps for column in columns]
    for page in pages:
        for shown in page["value"]:
            write([_cell(_at(shown, steps)) for steps in ways])
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()


def geojson_parts(entity: Entity, pages: Pages) -> Iterator[bytes]:
    """Yield a FeatureCollection, a part for each page. Count and next link, when there are, come beside the features."""
    encode: Callable[[Any], bytes] = msgspec.json.encode
    yield b'{"type":"FeatureCollection"'
    opened, between, link = False, b"", None
    for page in pages:
        if not opened:
            count = page.get("@iot.count")
            yield (b"" if count is None else b',"@iot.count":%d' % count) + b',"features":['
            opened = True
        features = [encode(_feature(entity, shown)) for shown in page["value"]]
        if features:
            yield between + b",".join(features)
            between = b","
        link = page.get("@iot.nextLink")
    yield (b"]}" if link is None else b'],"@iot.nextLink":' + encode(link) + b"}")


def _feature(entity: Entity, shown: Mapping[str, Any]) -> dict[str, Any]:
    feature: dict[str, Any] = {"type": "Feature"}
    if "@iot.id" in shown:
        feature["id"] = shown["@iot.id"]
    feature["geometry"] = geometry_in(entity, shown)
    feature["properties"] = dict(flat(entity, shown))
    return feature
