"""Which of the town's networks a declaration concerns: what is within its surface and 5 m more.

Assets are read through the platform's records, whatever service keeps them. The class of precision (order of 15 February
2012) of a lamp is that of its support. What the register holds without a place cannot be found: it is counted, never hidden.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from shapely import STRtree
from shapely import transform as moved
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from beffroi.model.collection import Collection
from beffroi.model.reference_system import projection
from beffroi.services.works.networks import NETWORKS, Kind, looked_at, network_of
from beffroi.store.record import Query, Row
from beffroi.town import Town

__all__ = ["MARGIN_M", "Concerned", "Group", "Looked", "concerned_by", "groups_of", "kind_of", "precision_of"]

MARGIN_M = 5.0
_GONE = ("abandoned", "removed")
_ENDS = "junction"  # a node where pipes meet: the pipes are the assets
_DEGREES = 0.001
_WORLD = (-180.0, -90.0, 180.0, 90.0)
_PRECISION = ("precision", "precision_xy", "classe_precision", "classe")  # ours, StaR-Eau's, others'


class Looked(msgspec.Struct, frozen=True, eq=False):
    """A collection that was looked at: how many of its records have a place, and how many have none."""

    collection: Collection
    placed: int
    unplaced: int


class Concerned(msgspec.Struct, frozen=True, eq=False):
    """The assets within a declaration's surface and its margin, all in metres; `legal`: these are Lambert-93.

    `looked`: where they were looked for, network by network; `forth` brings degrees to metres, `back` metres to degrees.
    """

    surface: BaseGeometry
    assets: tuple[tuple[Row, BaseGeometry], ...]
    looked: tuple[Looked, ...]
    forth: Any
    back: Any
    legal: bool = True

    @property
    def kinds(self) -> dict[str, Kind]:
        """The kind of network of each collection that was looked at, by its name."""
        return {one.collection.name: NETWORKS[network_of(one.collection)] for one in self.looked}

    @property
    def sensitive(self) -> list[Kind]:
        """The sensitive networks that one of the assets is of."""
        names = {row.collection for row, _ in self.assets}
        found = [kind for name, kind in self.kinds.items() if name in names and kind.sensitive]
        return list({kind.title.fr: kind for kind in found}.values())

    @property
    def sure(self) -> bool:
        """True when the register knows a network, and where all of it is: then nothing found is nothing there."""
        return bool(self.looked) and not any(one.unplaced for one in self.looked)


class Group(msgspec.Struct, frozen=True, eq=False):
    """Assets of one collection and one class of precision."""

    collection: str
    precision: str | None
    rows: tuple[Row, ...]


def groups_of(found: Concerned) -> list[Group]:
    """Return the assets by collection and class of precision; a lamp has that of its support."""
    supports = {row.id: row for row, _ in found.assets if row.collection == "support"}
    held: dict[tuple[str, str | None], list[Row]] = {}
    for row, _ in found.assets:
        held.setdefault((row.collection, precision_of(row, supports)), []).append(row)
    order = list(found.kinds)
    ranked = sorted(held, key=lambda key: (order.index(key[0]), key[1] or "~"))
    return [Group(*key, tuple(held[key])) for key in ranked]


def precision_of(row: Row, supports: Mapping[int, Row]) -> str | None:
    """Return the class of precision of an asset as the register tells it, None when it does not."""
    if row.collection == "lamp":
        support = supports.get(row.values.get("support") or -1)
        return None if support is None else support.values.get("precision")
    beside = row.values.get("starred") or {}  # what a StaR-Eau file said of a pipe
    told = next((v for v in (*map(row.values.get, _PRECISION), beside.get("precision_xy")) if v), None)
    return None if told is None else str(told)


def _metres(geometry: BaseGeometry) -> tuple[Any, Any, bool]:
    """Return what brings degrees to metres and back: Lambert-93 in mainland France (True), a transverse Mercator elsewhere."""
    x, y = geometry.centroid.x, geometry.centroid.y
    mainland = -5.5 <= x <= 10 and 41 <= y <= 51.5
    crs = "EPSG:2154" if mainland else f"+proj=tmerc +lat_0={y:.4f} +lon_0={x:.4f} +ellps=GRS80"
    return projection(4326, crs).transform, projection(crs).transform, mainland


def concerned_by(town: Town, geometry: Mapping[str, Any]) -> Concerned:
    """Return the assets that a declaration's surface concerns, and where they were looked for."""
    drawn = shape(geometry)
    move, back, legal = _metres(drawn)
    surface = moved(drawn, move, interleaved=False)
    around = surface.buffer(MARGIN_M)
    west, south, east, north = drawn.bounds
    box = (west - _DEGREES, south - _DEGREES, east + _DEGREES, north + _DEGREES)
    looked = tuple(one for one in map(_tally(town), looked_at(town)) if one.placed or one.unplaced)
    rows = [
        row
        for one in looked
        for row in town.store.records.all(one.collection.name, Query(bbox=box))
        if row.geometry is not None
        and row.values.get("state") not in _GONE
        and row.values.get("kind") != _ENDS
    ]
    placed = [moved(shape(row.geometry), move, interleaved=False) for row in rows]
    inside = sorted(STRtree(placed).query(around, "intersects")) if placed else []
    return Concerned(surface, tuple((rows[i], placed[i]) for i in inside), looked, move, back, legal)


def _tally(town: Town) -> Any:
    count = town.store.records.count

    def tallied(collection: Collection) -> Looked:
        placed = count(collection.name, Query(bbox=_WORLD))
        return Looked(collection, placed, count(collection.name) - placed)

    return tallied


def kind_of(found: Concerned, row: Row) -> Kind:
    """Return the kind of network that an asset is of."""
    return found.kinds[row.collection]
