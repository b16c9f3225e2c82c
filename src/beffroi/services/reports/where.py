"""Where: the commune and area of a point, the point of words, distances, and the point that the public may see."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
from shapely.geometry import Point, shape
from shapely.prepared import prep

from beffroi.model.instant import MINUTE_US
from beffroi.model.problem import Problem
from beffroi.services.reports.place_codes import point_written
from beffroi.store.record import Query, Row
from beffroi.town import Town

__all__ = [
    "Area",
    "NearAsset",
    "Spot",
    "area_at",
    "area_of",
    "areas_of",
    "around",
    "coarse",
    "distance_m",
    "folded",
    "named_point",
    "near_assets",
    "spot",
    "territory_at",
]

LonLat = tuple[float, float]
_METRES = 111_320.0  # of one degree of latitude
COARSE_M = 100.0
ASSET_M = 40.0  # how far an asset may be the one that is meant
MOST_ASSETS = 5  # that one chooses among
_STREETS = ("lamp", "support", "bin", "cabinet", "building")  # collections whose records have a street
_STREET_WORDS = re.compile(
    r"\b(rue|r|avenue|av|boulevard|bd|place|pl|chemin|che|allee|all|quai|impasse|imp|route|rte|square|cours|passage|mail|venelle|sentier)\b\.?"
)


class NearAsset(msgspec.Struct, frozen=True):
    """An asset near a point: `name` is "lamp/12", `label` what is written on it."""

    name: str
    label: str
    metres: int


class Spot(msgspec.Struct, frozen=True):
    """Where a report is: its exact point, the one shown, its commune and area, and how the point was found."""

    exact: LonLat | None = None
    shown: LonLat | None = None
    territory: str | None = None
    area: str | None = None
    located: str = ""  # map, asset, street, or ""


def folded(words: str) -> str:
    """Return words as they are compared: lower case, without accents, one space between."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", words) if not unicodedata.combining(c)).lower()
    return " ".join(re.findall(r"[a-z0-9]+", plain))


def distance_m(a: LonLat, b: LonLat) -> float:
    """Return the metres between two points close to one another (equirectangular: under 0.1 % within 10 km)."""
    east = (b[0] - a[0]) * math.cos(math.radians((a[1] + b[1]) / 2))
    return math.hypot(east, b[1] - a[1]) * _METRES


def around(at: LonLat, radius_m: float) -> tuple[float, float, float, float]:
    """Return the box that holds the circle of `radius_m` around a point."""
    high = radius_m / _METRES
    wide = high / max(0.01, math.cos(math.radians(at[1])))
    return at[0] - wide, at[1] - high, at[0] + wide, at[1] + high


def coarse(at: LonLat, step_m: float = COARSE_M) -> LonLat:
    """Return the middle of the square of `step_m` that holds a point: the same for all the homes in it."""
    high = step_m / _METRES
    row = math.floor(at[1] / high)
    wide = high / max(0.01, math.cos(math.radians(row * high)))
    return round((math.floor(at[0] / wide) + 0.5) * wide, 6), round((row + 0.5) * high, 6)


def territory_at(town: Town, at: LonLat | None) -> str | None:
    """Return the commune that holds a point; the only one, or the first, when none says where it is."""
    rows = town.store.glance("SELECT code, kind, geometry FROM territory ORDER BY code", {})
    communes = [(code, outline) for code, kind, outline in rows if kind == "commune"] or [
        (code, outline) for code, _, outline in rows
    ]
    if at is not None:
        for code, outline in communes:
            if outline and _outline(outline).covers(Point(at)):
                return str(code)
    return str(communes[0][0]) if communes else None


@lru_cache(maxsize=256)
def _outline(geojson: str) -> Any:
    return shape(msgspec.json.decode(geojson))


class Area(msgspec.Struct, frozen=True):
    """An area as people choose it: `code` names it in an address (with its commune's where two have the same)."""

    code: str
    name: str
    territory: str | None
    middle: LonLat


class _Areas(msgspec.Struct):
    """The areas as prepared polygons, and as they are chosen; read again when one of them changed."""

    stamp: tuple[int, int, int]
    shapes: list[tuple[str, Any]]
    named: dict[str, Area]


_known_areas: WeakKeyDictionary[Town, _Areas] = WeakKeyDictionary()


def area_at(town: Town, at: LonLat | None) -> str | None:
    """Return the name of the area (`report_area`) that holds a point."""
    if at is None:
        return None
    point = Point(at)
    return next((name for name, area in _areas(town).shapes if area.covers(point)), None)


def areas_of(town: Town) -> list[Area]:
    """Return the areas that have an outline, by name."""
    return sorted(_areas(town).named.values(), key=lambda area: folded(area.name))


def area_of(town: Town, code: str) -> Area | None:
    """Return the area that a form or an address names."""
    return _areas(town).named.get(code)


def _areas(town: Town) -> _Areas:
    stamp = town.store.records.stamp("report_area")
    held = _known_areas.get(town)
    if held is None or held.stamp != stamp:
        rows = [r for r in town.store.records.all("report_area", Query(sort="code", limit=500)) if r.geometry]
        held = _Areas(stamp, [(str(r.values["name"]), prep(shape(r.geometry))) for r in rows], _named(rows))
        _known_areas[town] = held
    return held


def _named(rows: list[Row]) -> dict[str, Area]:
    times = Counter(str(row.values["code"]) for row in rows)
    found = {}
    for row in rows:
        code = str(row.values["code"])
        code = code if times[code] == 1 else f"{row.territory or ''}.{code}"
        middle = shape(row.geometry).representative_point()
        found[code] = Area(
            code, str(row.values["name"]), row.territory, (round(middle.x, 6), round(middle.y, 6))
        )
    return found


# --- Words to a point: the streets that the town's own records name.


class _Streets(msgspec.Struct):
    """Streets by their folded names, with a point of each; made again after ten minutes."""

    made_us: int
    points: dict[str, LonLat]


_known_streets: WeakKeyDictionary[Town, _Streets] = WeakKeyDictionary()


def named_point(town: Town, words: str) -> LonLat | None:
    """Return a point of the longest street of the town's records that `words` name, None when they name none."""
    said = f" {_STREET_WORDS.sub(' ', folded(words))} ".replace("  ", " ")
    named = [name for name in _streets(town) if f" {name} " in said]
    return _streets(town)[max(named, key=len)] if named else None


def _streets(town: Town) -> dict[str, LonLat]:
    held = _known_streets.get(town)
    if held is None or not 0 <= town.clock() - held.made_us < 10 * MINUTE_US:
        held = _Streets(town.clock(), dict(_read_streets(town)))
        _known_streets[town] = held
    return held.points


def _read_streets(town: Town) -> Iterable[tuple[str, LonLat]]:
    found: dict[str, list[LonLat]] = {}
    for name in _STREETS:
        collection = town.store.records.collections.get(name)
        if collection is None or collection.field("street") is None:
            continue
        for row in town.store.records.all(name, Query(fields=("street",), limit=1000)):
            street = _STREET_WORDS.sub(" ", folded(str(row.values["street"] or "")))
            if row.geometry and row.geometry["type"] == "Point" and len(street.strip()) > 3:
                found.setdefault(" ".join(street.split()), []).append(tuple(row.geometry["coordinates"][:2]))
    for street, points in found.items():
        yield street, sorted(points)[len(points) // 2]


# --- All of it.


def spot(town: Town, *, point: LonLat | None, asset: str, words: str, private_home: bool) -> Spot:
    """Return where a report is, from the point given, the asset named, or the words."""
    exact, located = point, "map" if point else ""
    if exact is None and asset:
        exact, located = asset_point(town, asset), "asset"
    if exact is None and words:
        exact, located = _written(town, words), "map"
    if exact is None and words:
        exact, located = named_point(town, words), "street"
    if exact is None:
        return Spot(territory=territory_at(town, None))
    hidden = private_home and located == "map"
    return Spot(
        exact if hidden else None, coarse(exact) if hidden else exact, territory_at(town, exact), area_at(town, exact), located
    )  # fmt: skip


def _written(town: Town, words: str) -> LonLat | None:
    """Return the point that words write as coordinates or by a code, when it is in the town."""
    rows = town.store.glance("SELECT geometry FROM territory ORDER BY code", {})
    outlines = [_outline(outline) for (outline,) in rows if outline]
    middle = outlines[0].representative_point() if outlines else None
    at = point_written(words, (middle.x, middle.y) if middle is not None else None)
    if at is None or not outlines:
        return at
    return at if any(outline.covers(Point(at)) for outline in outlines) else None


def asset_point(town: Town, asset: str) -> LonLat | None:
    """Return a point of the public record "lamp/12", None when there is none."""
    row = asset_record(town, asset)
    geometry: Mapping[str, Any] | None = row.geometry if row is not None else None
    if not geometry:
        return None
    middle = shape(geometry).representative_point()
    return round(middle.x, 6), round(middle.y, 6)


def asset_record(town: Town, asset: str) -> Any:
    """Return the record that "lamp/12" names when the public may read it, else None."""
    name, _, number = asset.partition("/")
    collection = town.store.records.collections.get(name)
    if collection is None or collection.read != "citizen" or collection.shown_when or not number.isdigit():
        return None
    try:
        return town.store.records.get(name, int(number[:18]))
    except Problem:
        return None


def near_assets(town: Town, kind: str, at: LonLat | None) -> list[NearAsset]:
    """Return the public records of a collection near a point, the nearest first: which lamp, which bin is meant."""
    collection = town.store.records.collections.get(kind)
    if (
        at is None
        or collection is None
        or collection.geometry != "point"
        or collection.read != "citizen"
        or collection.shown_when
    ):
        return []
    rows = town.store.records.find(kind, Query(bbox=around(at, ASSET_M), limit=100)).rows
    found = [
        (distance_m(at, tuple(row.geometry["coordinates"][:2])), row)
        for row in rows
        if row.geometry is not None and row.geometry["type"] == "Point"
    ]
    return [
        NearAsset(f"{kind}/{row.id}", str(row.values.get(collection.label) or f"n° {row.id}"), round(metres))
        for metres, row in sorted(found, key=lambda one: (one[0], one[1].id))[:MOST_ASSETS]
        if metres <= ASSET_M
    ]
