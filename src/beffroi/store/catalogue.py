"""The catalogue: Things, Locations, Datastreams and what belongs to them (OGC 18-088 §8.2), kept whole.

An entity is made with all that comes with it in one transaction (`New`, deep insert); moving a Thing writes a
HistoricalLocation; an Observation that names no feature gets the one made from its Thing's Location; deleting
takes along what cannot stand alone. Every change moves the catalogue's version, so that readers can remember.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import shapely
from sqlalchemy import Connection, Table, and_, delete, func, insert, select, text, update

from beffroi.model.observation import Draft
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.store import tables
from beffroi.store.open import Store

__all__ = [
    "Created",
    "Link",
    "New",
    "bounding_box",
    "change",
    "create",
    "default_feature",
    "default_features",
    "known_features",
    "move_things",
    "no_feature",
    "remove",
    "require",
    "touch",
    "version",
]  # fmt: skip
_IN_LIMIT = 500  # values in one condition


class Link(msgspec.Struct, frozen=True):
    """An association: rows of `table` with my id in `near` and the other's in `far`."""

    table: str
    near: str
    far: str


class New(msgspec.Struct):
    """An entity to make: its columns, and what it comes with, each by id or made along.

    `belongs`: own column → what it names. `has`: (column of theirs, entity) for those that name it.
    `linked`: associations. `observations`: drafts whose datastream_id (and feature, if a `New`) is filled in.
    """

    table: str
    values: dict[str, Any]
    belongs: dict[str, "int | New"] = {}
    has: list[tuple[str, "New"]] = []
    linked: list[tuple[Link, "int | New"]] = []
    draft: Draft | None = None  # of an observation, instead of `values`
    place: str = ""  # JSON pointer of where it was written


class Created(msgspec.Struct):
    """What `create` made: the id (0 for an observation, whose id comes with its storing) and the drafts to store."""

    id: int
    drafts: list[Draft] = []


_GEOMETRY = {"location": "location", "feature_of_interest": "feature"}
_THING_LOCATION = Link("thing_location", "thing_id", "location_id")
_NAMES = {
    "thing": "Thing", "location": "Location", "historical_location": "HistoricalLocation", "datastream": "Datastream",
    "sensor": "Sensor", "observed_property": "ObservedProperty", "observation": "Observation",
    "feature_of_interest": "FeatureOfInterest",
}  # fmt: skip


def _table(name: str) -> Table:
    return tables.metadata.tables[name]


def version(c: Connection) -> int:
    """Return a number that changes with every change of the catalogue."""
    found = c.execute(text("SELECT next FROM counter WHERE name = 'catalogue'")).scalar()
    return int(found or 0)


def touch(c: Connection) -> None:
    """Move the catalogue's version: something in it changes in this transaction."""
    c.execute(
        text(
            "INSERT INTO counter (name, next) VALUES ('catalogue', 1)"
            " ON CONFLICT (name) DO UPDATE SET next = counter.next + 1"
        )
    )


def require(c: Connection, table: str, entity_id: int, place: str = "", status: int = 404) -> None:
    """Raise `NotFound` (or a problem of another status) unless the entity exists."""
    t = _table(table)
    if c.execute(select(t.c.id).where(t.c.id == entity_id)).first() is None:
        name = _NAMES[table]
        reason = Text(f"{name} {entity_id} n'existe pas.", f"There is no {name} {entity_id}.")
        mend = Text("Vérifiez l'identifiant.", "Check the id.")
        raise NotFound(reason, mend, place) if status == 404 else Problem(reason, mend, place, status)


def bounding_box(value: str) -> dict[str, float | None]:
    """Return minx … maxy of a GeoJSON text (a Feature gives its geometry's), Nones when it is none."""
    empty: dict[str, float | None] = dict.fromkeys(("minx", "miny", "maxx", "maxy"))
    try:
        decoded = msgspec.json.decode(value)
        if isinstance(decoded, dict) and decoded.get("type") == "Feature":
            decoded = decoded.get("geometry")
        shape = shapely.from_geojson(msgspec.json.encode(decoded))
    except (msgspec.DecodeError, shapely.errors.ShapelyError, TypeError, ValueError):
        return empty
    if shape is None or shape.is_empty:
        return empty
    minx, miny, maxx, maxy = (float(v) for v in shape.bounds)
    return {"minx": minx, "miny": miny, "maxx": maxx, "maxy": maxy}


class _Maker:
    def __init__(self, store: Store, c: Connection) -> None:
        self.store, self.c = store, c
        self.drafts: list[Draft] = []

    def made(self, new: New) -> int:
        owned = {column: self.reached(what, new, column) for column, what in new.belongs.items()}
        if new.draft is not None:
            self._observation(new, owned)
            return 0
        values = {**new.values, **owned}
        entity_id = self.store.number(self.c, new.table)
        table = _table(new.table)
        values["id"] = entity_id
        if "seq" in table.c:
            values["seq"] = self.store.next(self.c)
        if new.table in _GEOMETRY:
            values.update(bounding_box(values[_GEOMETRY[new.table]]))
        self.c.execute(insert(table).values(values))
        self._links(new, entity_id)
        for column, child in new.has:
            child.belongs = {**child.belongs, column: entity_id}
            self.made(child)
        return entity_id

    def reached(self, what: int | New, owner: New, column: str) -> int:
        if isinstance(what, New):
            return self.made(what)
        target = {"feature_id": "feature_of_interest"}.get(column, column.removesuffix("_id"))
        require(self.c, target, what, f"{owner.place}/{_NAMES[target]}", 400)
        return what

    def _links(self, new: New, entity_id: int) -> None:
        if not new.linked:
            return
        by_link: dict[Link, list[int]] = {}
        for link, what in new.linked:
            if isinstance(what, int):
                require(self.c, link.far.removesuffix("_id"), what, new.place, 400)
            by_link.setdefault(link, []).append(self.made(what) if isinstance(what, New) else what)
        for link, ids in by_link.items():
            self._link(new, link, entity_id, list(dict.fromkeys(ids)))

    def _link(self, new: New, link: Link, entity_id: int, ids: list[int]) -> None:
        now_us = self.store.clock()
        if link == _THING_LOCATION:
            move_things(self.store, self.c, [entity_id], ids, now_us)
        elif (link.near, link.far) == ("location_id", "thing_id"):
            move_things(self.store, self.c, ids, [entity_id], now_us)
        else:
            self.c.execute(insert(_table(link.table)), [{link.near: entity_id, link.far: i} for i in ids])
            if new.table == "historical_location":
                _follow_history(self.c, entity_id, ids)

    def _observation(self, new: New, owned: dict[str, int]) -> None:
        assert new.draft is not None
        series = owned["datastream_id"]
        feature = owned.get("feature_id") or default_feature(self.store, self.c, series)
        if feature is None:
            raise no_feature(new.place)
        self.drafts.append(msgspec.structs.replace(new.draft, datastream_id=series, feature_id=feature))


def create(store: Store, c: Connection, new: New) -> Created:
    """Make `new` and all that comes with it; call inside `store.write()`.

    Observations among it are returned as drafts: store them after the transaction, in which their datastream
    appears. Raises `Problem` when a reference leads nowhere.
    """
    touch(c)
    maker = _Maker(store, c)
    return Created(maker.made(new), maker.drafts)


def move_things(
    store: Store, c: Connection, things: Sequence[int], locations: Sequence[int], time_us: int
) -> None:
    """Make `locations` those of each Thing, and write a HistoricalLocation of it (18-088 §8.2.3)."""
    link, past = _table("thing_location"), _table("historical_location")
    for thing_id in things:
        c.execute(delete(link).where(link.c.thing_id == thing_id))
        if not locations:
            continue
        c.execute(insert(link), [{"thing_id": thing_id, "location_id": i} for i in locations])
        history_id = store.number(c, "historical_location")
        c.execute(insert(past).values(id=history_id, time_us=time_us, thing_id=thing_id))
        c.execute(
            insert(_table("historical_location_location")),
            [{"historical_location_id": history_id, "location_id": i} for i in locations],
        )


def _follow_history(c: Connection, history_id: int, locations: Iterable[int]) -> None:
    """Give the Thing the locations of a HistoricalLocation written by hand, when it is the newest."""
    past, link = _table("historical_location"), _table("thing_location")
    thing_id, time_us = c.execute(
        select(past.c.thing_id, past.c.time_us).where(past.c.id == history_id)
    ).one()
    newer = select(past.c.id).where(past.c.thing_id == thing_id, past.c.time_us > time_us).limit(1)
    if c.execute(newer).first() is None:
        c.execute(delete(link).where(link.c.thing_id == thing_id))
        c.execute(insert(link), [{"thing_id": thing_id, "location_id": i} for i in locations])


def no_feature(place: str = "") -> Problem:
    """Return the problem of an observation that names no feature while its Thing has no Location (18-088 §10.2.2)."""
    return Problem(
        Text("Où a-t-on mesuré ? Le Thing n'a pas de Location.", "Where was it measured? The Thing has no Location."),
        Text("Donnez une Location au Thing, ou un FeatureOfInterest à l'observation.",
             "Give the Thing a Location, or the observation a FeatureOfInterest."),
        f"{place}/FeatureOfInterest",
    )  # fmt: skip


def known_features(c: Connection, ids: Sequence[int]) -> dict[int, tuple[int | None, int | None]]:
    """Return, for each datastream, the feature that was made for its observations (None: not yet) and the Location
    that it is (to be) made from (None: its Thing has none)."""
    feature, link, series = _table("feature_of_interest"), _table("thing_location"), _table("datastream")
    places: dict[int, int] = {}
    for part in _parts(ids):
        near = (
            select(series.c.id, func.min(link.c.location_id))
            .join(link, link.c.thing_id == series.c.thing_id)
            .where(series.c.id.in_(part))
            .group_by(series.c.id)
        )
        places.update((row[0], row[1]) for row in c.execute(near))
    made: dict[int, int] = {}
    for part in _parts(sorted(set(places.values()))):
        first = (
            select(feature.c.location_id, func.min(feature.c.id))
            .where(feature.c.location_id.in_(part))
            .group_by(feature.c.location_id)
        )
        made.update((row[0], row[1]) for row in c.execute(first))
    return {i: (made.get(places.get(i, 0)), places.get(i)) for i in ids}


def _parts(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _IN_LIMIT):
        yield ids[start : start + _IN_LIMIT]


def default_feature(store: Store, c: Connection, datastream_id: int) -> int | None:
    """Return the feature of an Observation that names none (see `default_features`)."""
    return default_features(store, c, [datastream_id])[datastream_id]


def default_features(store: Store, c: Connection, ids: Sequence[int]) -> dict[int, int | None]:
    """Return the feature of Observations that name none, for each datastream: made once from its Thing's Location,
    then reused; None when the Thing has no Location. Call inside `store.write()`."""
    known = known_features(c, ids)
    wanted = sorted({place for made, place in known.values() if made is None and place is not None})
    if not wanted:
        return {i: made for i, (made, _place) in known.items()}
    feature, place = _table("feature_of_interest"), _table("location")
    touch(c)
    first = store.number(c, "feature_of_interest", len(wanted))
    fresh = dict(zip(wanted, range(first, first + len(wanted)), strict=True))
    copied = ("name", "description", "encoding_type", "properties", "minx", "miny", "maxx", "maxy")
    for part in _parts(wanted):
        rows = [
            {
                "id": fresh[here["id"]],
                "location_id": here["id"],
                "feature": here["location"],
                **{n: here[n] for n in copied},
            }
            for here in c.execute(select(place).where(place.c.id.in_(part))).mappings()
        ]
        c.execute(insert(feature), rows)
    return {i: made if made is not None or at is None else fresh[at] for i, (made, at) in known.items()}


def change(
    store: Store, c: Connection, table: str, entity_id: int, values: dict[str, Any],
    linked: dict[Link, list[int]] | None = None,
) -> None:  # fmt: skip
    """Change columns and associations of an entity; call inside `store.write()`. Raises `NotFound`, `Problem`."""
    require(c, table, entity_id)
    touch(c)
    t = _table(table)
    values = dict(values)
    for column, target in values.items():
        if column.endswith("_id") and target is not None and column != "location_id":
            require(c, column.removesuffix("_id"), target, f"/{_NAMES[column.removesuffix('_id')]}", 400)
    shape = _GEOMETRY.get(table)
    if shape in values:
        values.update(bounding_box(values[shape]))
    if table == "location" and "location" in values:
        # what was measured there stays at the old place; the next observation gets a new feature
        feature = _table("feature_of_interest")
        c.execute(update(feature).where(feature.c.location_id == entity_id).values(location_id=None))
    if "seq" in t.c:
        values["seq"] = store.next(c)
    if values:
        c.execute(update(t).where(t.c.id == entity_id).values(values))
    for link, ids in (linked or {}).items():
        _relink(store, c, link, entity_id, ids)


def _relink(store: Store, c: Connection, link: Link, entity_id: int, ids: list[int]) -> None:
    for other in ids:
        require(c, link.far.removesuffix("_id"), other, "", 400)
    if link == _THING_LOCATION:
        move_things(store, c, [entity_id], ids, store.clock())
    elif link.table == "thing_location":
        move_things(store, c, ids, [entity_id], store.clock())
    else:
        table = _table(link.table)
        c.execute(delete(table).where(table.c[link.near] == entity_id))
        if ids:
            c.execute(insert(table), [{link.near: entity_id, link.far: i} for i in ids])


_OWNER = {
    "thing": "thing_id",
    "sensor": "sensor_id",
    "observed_property": "observed_property_id",
    "datastream": "id",
}


def remove(store: Store, c: Connection, table: str, entity_id: int) -> list[int]:
    """Delete an entity and what cannot stand without it (18-088 §10.5); call inside `store.write()`.

    Returns the datastreams that went: `store.observations.delete_series` each of them after the transaction.
    Raises `NotFound`.
    """
    require(c, table, entity_id)
    touch(c)
    t, series = _table(table), _table("datastream")
    gone: list[int] = []
    if table in _OWNER:
        gone = list(c.execute(select(series.c.id).where(series.c[_OWNER[table]] == entity_id)).scalars())
    if table == "location":
        _forget_stays(c, entity_id)
    c.execute(delete(t).where(t.c.id == entity_id))
    if table == "location":
        feature = _table("feature_of_interest")
        c.execute(update(feature).where(feature.c.location_id == entity_id).values(location_id=None))
    store.next(c)
    return gone


def _forget_stays(c: Connection, location_id: int) -> None:
    """Delete the HistoricalLocations that name this Location and no other."""
    past, link = _table("historical_location"), _table("historical_location_location")
    here = select(link.c.historical_location_id).where(link.c.location_id == location_id)
    elsewhere = select(link.c.historical_location_id).where(link.c.location_id != location_id)
    c.execute(delete(past).where(and_(past.c.id.in_(here), past.c.id.not_in(elsewhere))))
