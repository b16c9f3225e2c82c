"""What is around a report: open ones nearby, the same place before, others by its author (a pseudonym: nobody knows who),
the town's asset that it is about.

Assets are read through the store by the names that categories and reports give; the service that declares them is
not known here.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec

from beffroi.model.instant import DAY_US
from beffroi.services.reports.arrival.table import lineage
from beffroi.services.reports.desk.acting import REQUEST
from beffroi.services.reports.states import OPEN
from beffroi.services.reports.where import around as metres_around
from beffroi.services.reports.where import distance_m
from beffroi.store.desk import Desk
from beffroi.store.record import Query, Row, Where

__all__ = ["Asset", "Context", "Near", "around", "place_of"]

NEARBY_M = 100.0
SAME_PLACE_M = 30.0
ASSET_M = 25.0
MEMORY = timedelta(days=730)
MOST = 12
Place = tuple[float, float]


class Near(msgspec.Struct, frozen=True):
    """Another report, and how far it is; `alike` is from 0 to 1 when something judged them alike, else None."""

    row: Row
    distance_m: float
    alike: float | None = None
    why: str = ""


class Asset(msgspec.Struct, frozen=True):
    """An asset of the town: `name` is "lamp/12", `chosen` when the report says that it is about it."""

    name: str
    label: str
    row: Row
    distance_m: float | None
    chosen: bool


class Context(msgspec.Struct, frozen=True):
    """What an agent wants to know before deciding."""

    nearby: tuple[Near, ...]
    before: tuple[Near, ...]
    author: tuple[Near, ...]
    assets: tuple[Asset, ...]


def place_of(row: Row) -> Place | None:
    """Return where a report is, or None."""
    if row.geometry is None or row.geometry["type"] != "Point":
        return None
    return float(row.geometry["coordinates"][0]), float(row.geometry["coordinates"][1])


def around(desk: Desk, row: Row, categories: dict[int, Row], now_us: int) -> Context:
    """Return the context of a report, as far as the reader of `desk` may see it."""
    place = place_of(row)
    author = tuple(_by_author(desk, row, place))
    if place is None:
        return Context((), (), author, tuple(_assets(desk, row, categories, None)))
    since = now_us - int(MEMORY.total_seconds()) * 1_000_000
    recent = Where(">=", min(since, now_us - DAY_US))
    nearby = _near(desk, row, place, NEARBY_M, {"state": OPEN})
    before = _near(desk, row, place, SAME_PLACE_M, {"state": "closed", "closed": recent})
    mine = row.values["duplicate_of"]
    merged = [near for near in before if near.row.values["duplicate_of"] != row.id and near.row.id != mine]
    return Context(tuple(nearby), tuple(merged), author, tuple(_assets(desk, row, categories, place)))


def _by_author(desk: Desk, row: Row, place: Place | None) -> Iterator[Near]:
    """Yield the newest other reports of whoever left the same contact."""
    if row.values.get("reporter") is None:
        return
    query = Query(where={"reporter": row.values["reporter"]}, sort="-_id", limit=MOST + 1)
    for other in desk.find(REQUEST, query).rows:
        spot = place_of(other)
        if other.id != row.id:
            yield Near(other, distance_m(place, spot) if place and spot else 0.0)


def _near(desk: Desk, row: Row, place: Place, radius_m: float, where: dict[str, Any]) -> list[Near]:
    """Return the nearest other reports; a child and its parent are no neighbours."""
    query = Query(where=where, bbox=metres_around(place, radius_m), limit=200, sort="-requested")
    family = {row.id, row.values["parent"]}
    found = []
    for other in desk.find(REQUEST, query).rows:
        spot = place_of(other)
        if spot is None or other.id in family or other.values["parent"] == row.id:
            continue
        away = distance_m(place, spot)
        if away <= radius_m:
            found.append(Near(other, away))
    return sorted(found, key=lambda near: (near.distance_m, -near.row.values["requested"]))[:MOST]


def _assets(desk: Desk, row: Row, categories: dict[int, Row], place: Place | None) -> Iterator[Asset]:
    """Yield the asset that the report names, then those of its category's kind that are near."""
    known = {collection.name: collection for collection in desk.collections()}
    named = row.values["asset"] or ""
    kind, _, number = named.partition("/")
    if kind in known and number.isdigit():
        found = desk.find(kind, Query(where={"_id": int(number)}, limit=1)).rows
        for asset in found:
            yield _asset(known[kind], asset, place, chosen=True)
    wanted = next(
        (r.values["asset"] for r in lineage(categories, row.values["category"]) if r.values["asset"]), ""
    )
    if wanted not in known or place is None or known[wanted].geometry == "none":
        return
    near = desk.find(wanted, Query(bbox=metres_around(place, ASSET_M), limit=50)).rows
    assets = [_asset(known[wanted], asset, place, chosen=False) for asset in near]
    nearest = sorted(assets, key=lambda a: a.distance_m if a.distance_m is not None else ASSET_M)
    yield from [a for a in nearest if a.name != named and (a.distance_m or 0) <= ASSET_M][:5]


def _asset(collection: Any, row: Row, place: Place | None, *, chosen: bool) -> Asset:
    spot = place_of(row)
    label = str(row.values.get(collection.label) or f"n° {row.id}")
    away = distance_m(place, spot) if place and spot else None
    return Asset(f"{collection.name}/{row.id}", label, row, away, chosen)
