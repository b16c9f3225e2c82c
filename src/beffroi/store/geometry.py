"""Geometry of records: GeoJSON in and out, WKB and a box inside, always WGS 84 longitude and latitude."""

import math
import struct
from collections.abc import Mapping
from typing import Any

import shapely
from shapely.errors import ShapelyError
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from beffroi.model.collection import Geometry
from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["Box", "Placed", "geojson_of", "intersects", "place"]

Box = tuple[float, float, float, float]
"""minx, miny, maxx, maxy in degrees."""

Placed = tuple[bytes, Box]
_POINT = struct.Struct("<BIdd")
_ALLOWED: dict[str, tuple[str, ...]] = {
    "point": ("Point", "MultiPoint"),
    "line": ("LineString", "MultiLineString"),
    "polygon": ("Polygon", "MultiPolygon"),
    "any": (
        "Point",
        "MultiPoint",
        "LineString",
        "MultiLineString",
        "Polygon",
        "MultiPolygon",
        "GeometryCollection",
    ),
}
_WORDS = {
    "point": Text("un point", "a point"), "line": Text("une ligne", "a line"),
    "polygon": Text("une surface", "an area"), "any": Text("une géométrie", "a geometry"),
}  # fmt: skip


_REDRAW = Text("Redessinez-le, ou corrigez-le dans QGIS (Vecteur, Réparer les géométries).", "Draw it again, or mend it in QGIS (Vector, Fix geometries).")  # fmt: skip
_CROSSES = ("le contour se recoupe", "the outline crosses itself", _REDRAW)
_REASONS = {
    "Self-intersection": _CROSSES, "Ring Self-intersection": _CROSSES,
    "Too few points in geometry component": ("le contour n'a pas assez de points", "the outline has too few points",
                                             Text("Une surface en a trois au moins, et revient à son début.", "An area has three at least, and comes back to its start.")),
    "Hole lies outside shell": ("un trou est hors du contour", "a hole lies outside the outline", _REDRAW),
    "Holes are nested": ("un trou est dans un autre", "a hole lies inside another", _REDRAW),
    "Interior is disconnected": ("les trous coupent la surface en deux", "the holes cut the area in two", _REDRAW),
    "Nested shells": ("un contour est dans un autre", "an outline lies inside another", _REDRAW),
    "Duplicate Rings": ("un contour est dessiné deux fois", "an outline is drawn twice", _REDRAW),
}  # fmt: skip


def _refuse(fr: str, en: str, mend: Text | None = None) -> Problem:
    return Problem(Text(f"Géométrie : {fr}", f"Geometry: {en}"), mend, place="geometry")


def _check_bounds(box: Box) -> None:
    if not all(math.isfinite(v) for v in box):
        raise _refuse("une coordonnée manque ou n'est pas finie.", "a coordinate is missing or not finite.")
    if box[0] < -180 or box[2] > 180 or box[1] < -90 or box[3] > 90:
        raise _refuse(
            "les coordonnées sortent du globe.", "the coordinates are off the globe.",
            Text("Donnez longitude puis latitude en degrés (WGS 84), pas des mètres Lambert.",
                 "Give longitude then latitude in degrees (WGS 84), not Lambert metres."),
        )  # fmt: skip


def place(value: Mapping[str, Any] | None, kind: Geometry) -> Placed | None:
    """Return WKB and box of a GeoJSON geometry, checked against the collection's `kind`. Raises `Problem`."""
    if value is None:
        return None
    if kind == "none":
        raise _refuse("cette collection n'a pas de lieu.", "this collection has no place.")
    name = value.get("type") if isinstance(value, Mapping) else None
    if name not in _ALLOWED[kind]:
        words = _WORDS[kind]
        raise _refuse(f"« {name} » reçu, {words.fr} attendu.", f"got '{name}', expected {words.en}.")
    flat = _flat_point(value)
    if flat is not None:
        box = (flat[0], flat[1], flat[0], flat[1])
        _check_bounds(box)
        return _POINT.pack(1, 1, *flat), box
    return _place_shape(value)


def _flat_point(value: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return x and y of a plain two-dimensional point: the common case, spared the geometry engine."""
    where = value.get("coordinates")
    if value["type"] != "Point" or not isinstance(where, list | tuple) or len(where) != 2:
        return None
    x, y = where
    plain = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (x, y))
    return (float(x), float(y)) if plain and max(abs(x), abs(y)) < 1e15 else None


def _place_shape(value: Mapping[str, Any]) -> Placed:
    try:
        geometry: BaseGeometry = shape(dict(value))
    except (ShapelyError, TypeError, ValueError, IndexError, AttributeError, KeyError) as error:
        raise _refuse("ce GeoJSON n'est pas lisible.", "this GeoJSON cannot be read.") from error
    if geometry.is_empty:
        raise _refuse("elle est vide.", "it is empty.")
    minx, miny, maxx, maxy = geometry.bounds
    _check_bounds((minx, miny, maxx, maxy))
    if not geometry.is_valid:
        raise _invalid(shapely.is_valid_reason(geometry))
    return shapely.to_wkb(geometry), (minx, miny, maxx, maxy)


def _invalid(told: str) -> Problem:
    """Return the problem of an outline that GEOS finds wrong, and where: `Self-intersection[-2.08 47.65]`."""
    why, _, where = told.rstrip("]").partition("[")
    fr, en, mend = _REASONS.get(
        why, (f"le contour n'est pas valide ({why})", f"the outline is not valid ({why})", _REDRAW)
    )
    at = " ".join(where.split()[:2])
    place_fr, place_en = (f", à {at}", f", at {at}") if at else ("", "")
    return _refuse(f"{fr}{place_fr}.", f"{en}{place_en}.", mend)


def geojson_of(wkb: bytes | None) -> dict[str, Any] | None:
    """Return the GeoJSON geometry of stored WKB."""
    if wkb is None:
        return None
    if len(wkb) == _POINT.size and wkb[:5] == b"\x01\x01\x00\x00\x00":
        _, _, x, y = _POINT.unpack(wkb)
        return {"type": "Point", "coordinates": [x, y]}
    return dict(mapping(shapely.from_wkb(bytes(wkb))))


def intersects(wkb: bytes | None, minx: float, miny: float, maxx: float, maxy: float) -> int:
    """Return 1 when the geometry touches the box: the exact test, registered as an SQL function on SQLite."""
    if wkb is None:
        return 0
    return int(shapely.box(minx, miny, maxx, maxy).intersects(shapely.from_wkb(bytes(wkb))))
