"""Base map of a town as PMTiles (v3, one file read by HTTP ranges), made from data of its own, without a network.

One layer `base` whose features have `kind` (see `KINDS`) and `name`. GDAL's PMTiles driver, which is in the
wheel of pyogrio (extra `tiles`), makes the vector tiles; without it the same features are written as GeoJSON.
Beside it, `base.json` says the box, the credit, and holds a light drawing for pages without script.
"""

import importlib.util
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import shapely
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from beffroi.model.problem import Problem
from beffroi.model.reference_system import projection
from beffroi.model.text import Text

__all__ = ["KINDS", "OSM_CREDIT", "Ground", "build_base_map", "osm_ways", "read_geojson", "read_osm"]

KINDS = (
    "boundary", "water", "river", "green", "building", "rail", "motorway", "trunk", "primary", "secondary", "tertiary",
    "street", "path", "place",
)  # fmt: skip
DRAWN = (
    "water",
    "river",
    "boundary",
    "rail",
    "motorway",
    "trunk",
    "primary",
    "secondary",
    "tertiary",
    "street",
)
OSM_CREDIT = "© OpenStreetMap"
LEAST_ZOOM, MOST_ZOOM = 9, 15
EARTH_M = 6_378_137.0
DRAWING_POINTS = 2_500
DECIMALS = 5


class Ground(msgspec.Struct, frozen=True):
    """One thing that stands still: its kind, its name, its geometry in longitude and latitude (WGS 84)."""

    kind: str
    geometry: BaseGeometry
    name: str = ""


def build_base_map(layers: Iterable[Ground], folder: Path, credit: str = "") -> Path:
    """Write the base map of `layers` into `folder` and return its file: `base.pmtiles`, or `base.geojson`
    when the extra `tiles` is not installed. Raises `Problem` when there is nothing to draw.
    """
    grounds = [g for g in layers if not g.geometry.is_empty]
    if not grounds:
        raise Problem(
            Text("Il n'y a rien à dessiner sur le fond de carte.", "There is nothing to draw on the base map."),
            Text("Donnez des rues, des bâtiments, des cours d'eau ou des limites.",
                 "Give streets, buildings, rivers or limits."),
        )  # fmt: skip
    tiles = importlib.util.find_spec("pyogrio") is not None
    target = folder / ("base.pmtiles" if tiles else "base.geojson")
    fresh = target.with_name("fresh-" + target.name)
    (_write_tiles if tiles else _write_geojson)(grounds, fresh)
    fresh.replace(target)
    (folder / ("base.geojson" if tiles else "base.pmtiles")).unlink(missing_ok=True)
    box = shapely.total_bounds([g.geometry for g in grounds])
    about = {
        "file": target.name, "credit": credit, "box": [round(float(v), DECIMALS) for v in box],
        "drawing": _drawing(grounds, box),
    }  # fmt: skip
    (folder / "base.json").write_text(json.dumps(about, ensure_ascii=False, separators=(",", ":")), "utf-8")
    return target


def _mercator(degrees: Any) -> Any:
    """Return EPSG:3857 metres of an array of longitudes and latitudes."""
    x = np.radians(degrees[:, 0]) * EARTH_M
    y = np.log(np.tan(math.pi / 4 + np.radians(degrees[:, 1]) / 2)) * EARTH_M
    return np.column_stack((x, y))


def _write_tiles(grounds: Sequence[Ground], path: Path) -> None:
    import pyogrio.raw  # noqa: PLC0415 -- comes with the extra `tiles`

    pyogrio.raw.write(
        str(path),
        np.array([shapely.to_wkb(shapely.transform(shapely.force_2d(g.geometry), _mercator)) for g in grounds], object),
        [np.array([g.kind for g in grounds], object), np.array([g.name for g in grounds], object)],
        ["kind", "name"],
        layer="base", driver="PMTiles", geometry_type="Unknown", crs="EPSG:3857",
        dataset_options={"MINZOOM": str(LEAST_ZOOM), "MAXZOOM": str(MOST_ZOOM), "NAME": "base"},
    )  # fmt: skip


def _write_geojson(grounds: Sequence[Ground], path: Path) -> None:
    features = [
        {"type": "Feature", "properties": {"kind": g.kind, "name": g.name}, "geometry": _rounded(g.geometry)}
        for g in grounds
    ]
    path.write_text(
        json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False), "utf-8"
    )


def _rounded(geometry: BaseGeometry) -> Mapping[str, Any]:
    found: Mapping[str, Any] = mapping(shapely.set_precision(geometry, 10**-DECIMALS, mode="pointwise"))
    return found


def _drawing(grounds: Sequence[Ground], box: Sequence[float]) -> list[dict[str, Any]]:
    """Return the main lines, made coarser until they are light enough to be inside a page."""
    kept = [g for g in grounds if g.kind in DRAWN]
    tolerance = max(float(box[2] - box[0]), float(box[3] - box[1])) / 1000
    for _ in range(8):
        drawn = []
        for ground in kept:
            shape = shapely.simplify(ground.geometry, tolerance)
            if not shape.is_empty and shape.length > 8 * tolerance:
                drawn.append(
                    {"type": "Feature", "properties": {"kind": ground.kind}, "geometry": _rounded(shape)}
                )
        if (
            sum(shapely.get_num_coordinates(shapely.geometry.shape(f["geometry"])) for f in drawn)
            <= DRAWING_POINTS
        ):
            return drawn
        tolerance *= 1.6
    return drawn


def read_geojson(path: Path, kind: str = "") -> list[Ground]:
    """Return the features of a GeoJSON for a base map; `kind` is theirs when they have no property `kind`.

    RFC 7946 wants longitude and latitude, but older files name another system in `crs` (Lambert-93, UTM):
    it is honoured. Raises `Problem`.
    """
    try:
        collection = json.loads(path.read_text("utf-8-sig"))
        features = collection["features"]
        shapes = [shapely.geometry.shape(f["geometry"]) for f in features if f.get("geometry")]
        values = [f.get("properties") or {} for f in features if f.get("geometry")]
        to_degrees = _degrees((collection.get("crs") or {}).get("properties", {}).get("name", ""))
    except (ValueError, KeyError, TypeError, AttributeError, shapely.errors.ShapelyError) as error:
        raise Problem(
            Text("Ce fichier n'est pas un GeoJSON d'entités.", "This file is no GeoJSON of features."),
            place=str(path),
        ) from error
    found = []
    for shape, properties in zip(shapes, values, strict=True):
        own = str(properties.get("kind") or kind)
        if own not in KINDS:
            raise Problem(
                Text("Chaque entité doit dire sa sorte (« kind »).", "Each feature must say its kind."),
                Text("Donnez --kind : {kinds}.", "Give --kind: {kinds}.").filled(kinds=", ".join(KINDS)),
                place=str(path),
            )
        name = str(properties.get("name") or properties.get("nom") or "")
        found.append(Ground(own, shapely.transform(shapely.force_2d(shape), to_degrees), name))
    return found


def _degrees(named: str) -> Callable[[Any], Any]:
    if not named or named.upper().endswith(("CRS84", ":4326")):
        return lambda points: points
    change = projection(named)
    return lambda points: np.column_stack(change.transform(points[:, 0], points[:, 1]))


_HIGHWAYS = {
    "motorway": "motorway", "trunk": "trunk", "primary": "primary", "secondary": "secondary", "tertiary": "tertiary",
    "residential": "street", "unclassified": "street", "living_street": "street", "service": "street",
    "pedestrian": "street", "footway": "path", "path": "path", "cycleway": "path", "track": "path", "steps": "path",
}  # fmt: skip
_GREEN = {
    "landuse": ("forest", "grass", "meadow", "cemetery", "recreation_ground"),
    "leisure": ("park", "garden", "pitch", "golf_course"),
    "natural": ("wood", "scrub", "grassland"),
}


def _line_kind(tags: Mapping[str, str]) -> str:
    if tags.get("highway"):
        return _HIGHWAYS.get(tags["highway"].removesuffix("_link"), "")
    if tags.get("waterway"):
        return "river"
    return "rail" if tags.get("railway") == "rail" else ""


def _area_kind(tags: Mapping[str, str]) -> str:
    if tags.get("building"):
        return "building"
    if tags.get("natural") == "water" or tags.get("waterway") or tags.get("landuse") == "reservoir":
        return "water"
    if tags.get("boundary") == "administrative" and tags.get("admin_level") == "8":
        return "boundary"
    return "green" if any(tags.get(key) in values for key, values in _GREEN.items()) else ""


def read_osm(path: Path) -> list[Ground]:
    """Return what an OpenStreetMap extract (XML or PBF) has for a base map. Raises `Problem` as `osm_ways` does."""
    return [ground for _, ground in osm_ways(path)]


def osm_ways(path: Path) -> Iterator[tuple[str, Ground]]:
    """Yield what an OpenStreetMap extract (XML or PBF) has for a base map, each with its number there.

    Raises `Problem` when the extra `tiles` is missing or the file is no extract.
    """
    try:
        import pyogrio.raw  # noqa: PLC0415 -- comes with the extra `tiles`
    except ImportError as error:
        raise Problem(
            Text(
                "La lecture d'OpenStreetMap demande l'extra « tiles ».",
                "Reading OpenStreetMap needs the extra 'tiles'.",
            ),
            Text('Installez-le : pip install "beffroi[tiles]".', 'Install it: pip install "beffroi[tiles]".'),
        ) from error
    for layer, kind_of in (("lines", _line_kind), ("multipolygons", _area_kind)):
        try:
            meta, _, geometries, columns = pyogrio.raw.read(str(path), layer=layer)
        except pyogrio.errors.DataSourceError as error:
            raise Problem(
                Text(
                    "Ce fichier n'est pas un extrait OpenStreetMap.", "This file is no OpenStreetMap extract."
                ),
                place=str(path),
            ) from error
        fields = list(meta["fields"])
        for index, wkb in enumerate(geometries):
            tags = {name: columns[i][index] for i, name in enumerate(fields) if columns[i][index]}
            kind = kind_of(_with_other(tags))
            shape = shapely.from_wkb(wkb, on_invalid="ignore") if kind and wkb is not None else None
            if shape is not None:
                number = str(tags.get("osm_way_id") or tags.get("osm_id") or index)
                yield number, Ground(kind, shape, str(tags.get("name", "")))


def _with_other(tags: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags with those that GDAL keeps together in `other_tags` (hstore text)."""
    known = {str(k): str(v) for k, v in tags.items()}
    for pair in known.get("other_tags", "").split('","'):
        key, arrow, value = pair.strip('"').partition('"=>"')
        if arrow:
            known.setdefault(key, value)
    return known
