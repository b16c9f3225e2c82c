"""The catalogue: Things, Locations, Datastreams and what belongs to them (OGC 18-088 §8.2), kept whole.

An entity is made with all that comes with it in one transaction (`New`, deep insert); moving a Thing writes a
HistoricalLocation; an Observation that names no feature gets the one made from its Thing's Location; deleting
takes along what cannot stand alone. Every change moves the catalogue's version, so that readers can remember.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import shapely
from sqlalchemy import ColumnElement, Connection, Table, and_, delete, func, insert, or_, select, text, update

from beffroi.model.observation import Draft
from beffroi.model.problem import NotFound, Problem
from beffroi.model.result import Result
from beffroi.model.text import Text
from beffroi.store import tables
from beffroi.store.open import Store
from beffroi.store.versions import NOBODY, By, keep

__all__ = [
    "COMPONENTS",
    "Created",
    "Link",
    "New",
    "bounding_box",
    "change",
    "component_count",
    "components",
    "create",
    "default_feature",
    "default_features",
    "fits",
    "fitting",
    "known_features",
    "linked_to",
    "move_things",
    "no_feature",
    "no_fit",
    "remove",
    "require",
    "touch",
    "version",
]  # fmt: skip
_IN_LIMIT = 500  # values in one condition


class Link(msgspec.Struct, frozen=True):
    """An association: rows of `table` with my id in `near` and the other's in `far`, in order when there is a `rank`."""

    table: str
    near: str
    far: str
    rank: str = ""


class New(msgspec.Struct):
    """An entity to make: its columns, and what it comes with, each by id or made along.

    `belongs`: own column → what it names. `has`: (column of theirs, entity) for those that name it.
    `linked`: associations. `draft`: of an observation, instead of `values`; `multi` says that it names a MultiDatastream.
    """

    table: str
    values: dict[str, Any]
    belongs: dict[str, "int | New"] = {}
    has: list[tuple[str, "New"]] = []
    linked: list[tuple[Link, "int | New"]] = []
    draft: Draft | None = None
    multi: bool = False
    place: str = ""  # JSON pointer of where it was written


class Created(msgspec.Struct):
    """What `create` made: the id (0 for an observation, whose id comes with its storing) and the drafts to store."""

    id: int
    drafts: list[Draft] = []


_GEOMETRY = {"location": "location", "feature_of_interest": "feature"}
_THING_LOCATION = Link("thing_location", "thing_id", "location_id")
_STAY = Link("historical_location_location", "historical_location_id", "location_id")
_DATASTREAM = tables.datastream
COMPONENTS = Link("multi_datastream_property", "datastream_id", "observed_property_id", "rank")
_NAMES = {
    "thing": "Thing", "location": "Location", "historical_location": "HistoricalLocation", "datastream": "Datastream",
    "sensor": "Sensor", "observed_property": "ObservedProperty", "observation": "Observation",
    "feature_of_interest": "FeatureOfInterest", "actuator": "Actuator", "tasking_capability": "TaskingCapability",
    "task": "Task",
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
        self.now_us = store.clock()
        self.drafts: list[Draft] = []

    def made(self, new: New) -> int:
        owned = {column: self.reached(what, new, column) for column, what in new.belongs.items()}
        if new.draft is not None:
            self._observation(new, owned)
            return 0
        by_link = self._linked(new)
        values = {**new.values, **owned}
        if new.table in tables.past:
            values["since_us"] = self.now_us
        if COMPONENTS in by_link:
            values["observed_property_id"] = by_link[COMPONENTS][0]
        entity_id = self.store.number(self.c, new.table)
        table = _table(new.table)
        values["id"] = entity_id
        if "seq" in table.c:
            values["seq"] = self.store.next(self.c)
        if new.table in _GEOMETRY:
            values.update(bounding_box(values[_GEOMETRY[new.table]]))
        self.c.execute(insert(table).values(values))
        for link, ids in by_link.items():
            self._link(new, link, entity_id, ids)
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

    def _linked(self, new: New) -> dict[Link, list[int]]:
        """Return the ids of what a new entity is associated with, made if need be."""
        by_link: dict[Link, list[int]] = {}
        for link, what in new.linked:
            if isinstance(what, int):
                require(self.c, link.far.removesuffix("_id"), what, new.place, 400)
            by_link.setdefault(link, []).append(self.made(what) if isinstance(what, New) else what)
        return {link: ids if link.rank else list(dict.fromkeys(ids)) for link, ids in by_link.items()}

    def _link(self, new: New, link: Link, entity_id: int, ids: list[int]) -> None:
        now_us = self.store.clock()
        if link == _THING_LOCATION:
            move_things(self.store, self.c, [entity_id], ids, now_us)
        elif (link.near, link.far) == ("location_id", "thing_id"):
            move_things(self.store, self.c, ids, [entity_id], now_us)
        else:
            _associate(self.c, link, entity_id, ids, now_us)
            if new.table == "historical_location":
                _follow_history(self.c, entity_id, ids, now_us)

    def _observation(self, new: New, owned: dict[str, int]) -> None:
        assert new.draft is not None
        series = owned["datastream_id"]
        fitting(self.c, series, new.draft.result, multi=new.multi, place=new.place)
        feature = owned.get("feature_id") or default_feature(self.store, self.c, series)
        if feature is None:
            raise no_feature(new.place)
        self.drafts.append(msgspec.structs.replace(new.draft, datastream_id=series, feature_id=feature))


def components(c: Connection, datastream_id: int) -> int | None:
    """Return how many components a result of a datastream has: 0 for a plain one, None when it does not exist."""
    row = c.execute(select(_DATASTREAM.c.multi).where(_DATASTREAM.c.id == datastream_id)).first()
    return None if row is None else component_count(row[0])


def component_count(types: str | None) -> int:
    """Return how many components the column `multi` of a datastream states (0: it is a plain one)."""
    return 0 if types is None else len(msgspec.json.decode(types))


def fits(result: Result, size: int) -> bool:
    """True when a result has the shape of a datastream of `size` components (18-088 §10: an array of that length)."""
    if not size:
        return True
    text = result.literal
    return text is not None and text.startswith("[") and len(msgspec.json.decode(text)) == size


def fitting(c: Connection, datastream_id: int, result: Result, *, multi: bool, place: str = "") -> None:
    """Raise `Problem` unless the datastream is of the type that the observation names, and its result is of its shape."""
    size = components(c, datastream_id)
    name = "MultiDatastream" if multi else "Datastream"
    if size is None or bool(size) is not multi:
        raise Problem(
            Text(f"{name} {datastream_id} n'existe pas.", f"There is no {name} {datastream_id}."),
            Text("Vérifiez l'identifiant, et s'il est d'un Datastream ou d'un MultiDatastream.",
                 "Check the id, and whether it is of a Datastream or of a MultiDatastream."), f"{place}/{name}",
        )  # fmt: skip
    if not fits(result, size):
        raise no_fit(size, place)


def no_fit(size: int, place: str = "") -> Problem:
    """Return the problem of a result that is no array of one value a component."""
    return Problem(
        Text(f"Ce résultat n'est pas une liste de {size} valeurs.", f"This result is not an array of {size} values."),
        Text("Donnez une valeur par ObservedProperty du MultiDatastream, dans leur ordre.",
             "Give one value for each ObservedProperty of the MultiDatastream, in their order."), f"{place}/result",
    )  # fmt: skip


def _consistent(c: Connection, datastream_id: int) -> None:
    """Raise `Problem` unless a MultiDatastream has as many types, units and observed properties (18-088 §10.2)."""
    row = c.execute(
        select(_DATASTREAM.c.multi, _DATASTREAM.c.multi_units).where(_DATASTREAM.c.id == datastream_id)
    ).one()
    if row.multi is None:
        return
    link = _table(COMPONENTS.table)
    n = c.execute(select(func.count()).where(link.c.datastream_id == datastream_id)).scalar_one()
    types, units = len(msgspec.json.decode(row.multi)), len(msgspec.json.decode(row.multi_units))
    if not types == units == n:
        raise Problem(
            Text(f"{types} types, {units} unités et {n} ObservedProperties : il en faut autant.",
                 f"{types} types, {units} units and {n} ObservedProperties: there must be as many of each."),
            Text("Donnez multiObservationDataTypes, unitOfMeasurements et ObservedProperties de même longueur.",
                 "Give multiObservationDataTypes, unitOfMeasurements and ObservedProperties of the same length."),
            "/multiObservationDataTypes",
        )  # fmt: skip


def create(store: Store, c: Connection, new: New) -> Created:
    """Make `new` and all that comes with it; call inside `store.write()`.

    Observations among it are returned as drafts: store them after the transaction, in which their datastream
    appears. Raises `Problem` when a reference leads nowhere.
    """
    touch(c)
    maker = _Maker(store, c)
    return Created(maker.made(new), maker.drafts)


def _associate(c: Connection, link: Link, entity_id: int, ids: Sequence[int], now_us: int) -> None:
    """Add rows to an association; a MultiDatastream's components are numbered and counted."""
    rows = [{link.near: entity_id, link.far: i, "since_us": now_us} for i in ids]
    if link.rank:
        rows = [{**row, link.rank: rank} for rank, row in enumerate(rows)]
    if rows:
        c.execute(insert(_table(link.table)), rows)
    if link == COMPONENTS:
        _consistent(c, entity_id)


def move_things(
    store: Store,
    c: Connection,
    things: Sequence[int],
    locations: Sequence[int],
    time_us: int,
    by: By = NOBODY,
) -> None:
    """Make `locations` those of each Thing, and write a HistoricalLocation of it (18-088 §8.2.3)."""
    past, now_us = _table("historical_location"), store.clock()
    for thing_id in things:
        _stay(c, thing_id, locations, now_us, by)
        if not locations:
            continue
        history_id = store.number(c, "historical_location")
        whole = {
            "id": history_id,
            "time_us": time_us,
            "thing_id": thing_id,
            "since_us": now_us,
            "seq": store.next(c),
        }
        c.execute(insert(past).values(**whole))
        _associate(c, _STAY, history_id, locations, now_us)


def _stay(c: Connection, thing_id: int, locations: Iterable[int], now_us: int, by: By) -> None:
    """Make `locations` those of a Thing."""
    link = _table("thing_location")
    keep(c, "thing_location", link.c.thing_id == thing_id, now_us, "change", by)
    c.execute(delete(link).where(link.c.thing_id == thing_id))
    _associate(c, _THING_LOCATION, thing_id, list(locations), now_us)


def _follow_history(
    c: Connection, history_id: int, locations: Iterable[int], now_us: int, by: By = NOBODY
) -> None:
    """Give the Thing the locations of a HistoricalLocation written by hand, when it is the newest."""
    past = _table("historical_location")
    thing_id, time_us = c.execute(
        select(past.c.thing_id, past.c.time_us).where(past.c.id == history_id)
    ).one()
    newer = select(past.c.id).where(past.c.thing_id == thing_id, past.c.time_us > time_us).limit(1)
    if c.execute(newer).first() is None:
        _stay(c, thing_id, locations, now_us, by)


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
    location = _table("location")
    places: dict[int, int] = {}
    for part in _parts(ids):
        near = (
            select(series.c.id, link.c.location_id)
            .join(link, link.c.thing_id == series.c.thing_id)
            .join(location, location.c.id == link.c.location_id)
            .where(series.c.id.in_(part))
            .order_by(
                location.c.minx.is_(None), link.c.location_id
            )  # an address in words is no place to measure at
        )
        for one, place in c.execute(near):
            places.setdefault(one, place)
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
    seq = store.next(c)
    first = store.number(c, "feature_of_interest", len(wanted))
    fresh = dict(zip(wanted, range(first, first + len(wanted)), strict=True))
    copied = ("name", "description", "encoding_type", "properties", "minx", "miny", "maxx", "maxy")
    for part in _parts(wanted):
        rows = [
            {
                "id": fresh[here["id"]],
                "location_id": here["id"],
                "feature": here["location"],
                "since_us": store.clock(),
                "seq": seq,
                **{n: here[n] for n in copied},
            }
            for here in c.execute(select(place).where(place.c.id.in_(part))).mappings()
        ]
        c.execute(insert(feature), rows)
    return {i: made if made is not None or at is None else fresh[at] for i, (made, at) in known.items()}


def change(
    store: Store, c: Connection, table: str, entity_id: int, values: dict[str, Any],
    linked: dict[Link, list[int]] | None = None, by: By = NOBODY,
) -> None:  # fmt: skip
    """Change columns and associations of an entity; call inside `store.write()`. Raises `NotFound`, `Problem`."""
    require(c, table, entity_id)
    touch(c)
    t, now_us = _table(table), store.clock()
    values = dict(values)
    for column, target in values.items():
        if column.endswith("_id") and target is not None and column != "location_id":
            require(c, column.removesuffix("_id"), target, f"/{_NAMES[column.removesuffix('_id')]}", 400)
    shape = _GEOMETRY.get(table)
    if shape in values:
        values.update(bounding_box(values[shape]))
    if table == "location" and "location" in values:
        # what was measured there stays at the old place; the next observation gets a new feature
        _let_go(c, entity_id)
    if values and table in tables.past:
        keep(c, table, t.c.id == entity_id, now_us, "change", by)
        values["since_us"] = now_us
    if "seq" in t.c:
        values["seq"] = store.next(c)
    if values:
        c.execute(update(t).where(t.c.id == entity_id).values(values))
    for link, ids in (linked or {}).items():
        _relink(store, c, link, entity_id, ids, by)
    if table == "datastream":
        _consistent(c, entity_id)


def _relink(store: Store, c: Connection, link: Link, entity_id: int, ids: list[int], by: By) -> None:
    for other in ids:
        require(c, link.far.removesuffix("_id"), other, "", 400)
    if link == _THING_LOCATION:
        move_things(store, c, [entity_id], ids, store.clock(), by)
        return
    if link.table == "thing_location":
        move_things(store, c, ids, [entity_id], store.clock(), by)
        return
    table, now_us = _table(link.table), store.clock()
    keep(c, link.table, table.c[link.near] == entity_id, now_us, "change", by)
    c.execute(delete(table).where(table.c[link.near] == entity_id))
    if link == COMPONENTS and ids:
        c.execute(
            update(_DATASTREAM).where(_DATASTREAM.c.id == entity_id).values(observed_property_id=ids[0])
        )
    _associate(c, link, entity_id, ids, now_us)


def linked_to(c: Connection, link: Link, entity_id: int) -> list[int]:
    """Return the ids that an association ties to an entity, in order."""
    table = _table(link.table)
    order = table.c[link.rank or link.far]
    return list(
        c.execute(select(table.c[link.far]).where(table.c[link.near] == entity_id).order_by(order)).scalars()
    )


def _let_go(c: Connection, location_id: int) -> None:
    """Untie the feature that was made from a Location."""
    feature = _table("feature_of_interest")
    c.execute(update(feature).where(feature.c.location_id == location_id).values(location_id=None))


_OWNER = {
    "thing": "thing_id",
    "sensor": "sensor_id",
    "observed_property": "observed_property_id",
    "datastream": "id",
}


def remove(store: Store, c: Connection, table: str, entity_id: int, by: By = NOBODY) -> list[int]:
    """Delete an entity and what cannot stand without it (18-088 §10.5); call inside `store.write()`.

    Returns the datastreams that went: `store.observations.delete_series` each of them after the transaction.
    Raises `NotFound`.
    """
    require(c, table, entity_id)
    touch(c)
    now_us = store.clock()
    going: list[tuple[str, Any]] = [(table, _table(table).c.id == entity_id)]
    gone: list[int] = []
    if table in _OWNER:
        mine = _series_of(table, entity_id)
        of_them = select(_DATASTREAM.c.id).where(mine)
        gone = list(c.execute(of_them).scalars())
        going += [(COMPONENTS.table, _table(COMPONENTS.table).c.datastream_id.in_(of_them))]
        going += [("datastream", mine)] if table != "datastream" else []
    going += _places_of(table, entity_id)
    for name, condition in [one for one in going if one[0] in tables.past]:
        keep(c, name, condition, now_us, "delete", by)
    for name, condition in reversed(going):  # what is named goes after what names it
        c.execute(delete(_table(name)).where(condition))
    if table == "location":
        _let_go(c, entity_id)
    store.next(c)
    return gone


def _series_of(table: str, entity_id: int) -> ColumnElement[bool]:
    """Return the condition of a datastream that cannot stand without an entity."""
    owned = _DATASTREAM.c[_OWNER[table]] == entity_id
    if table != "observed_property":
        return owned
    link = _table(COMPONENTS.table)
    return or_(
        owned,
        _DATASTREAM.c.id.in_(select(link.c.datastream_id).where(link.c.observed_property_id == entity_id)),
    )


def _places_of(table: str, entity_id: int) -> list[tuple[str, Any]]:
    """Return what goes, with an entity, of where things are and were: names of tables and conditions, the last first."""
    here, past, stay = _table("thing_location"), _table("historical_location"), _table(_STAY.table)
    if table == "thing":
        mine = past.c.thing_id == entity_id
        named = stay.c.historical_location_id.in_(select(past.c.id).where(mine))
        return [
            ("thing_location", here.c.thing_id == entity_id),
            ("historical_location", mine),
            (_STAY.table, named),
        ]
    if table == "location":
        this = select(stay.c.historical_location_id).where(stay.c.location_id == entity_id)
        others = select(stay.c.historical_location_id).where(stay.c.location_id != entity_id)
        # a HistoricalLocation that names this Location and no other says nothing any more
        only = and_(past.c.id.in_(this), past.c.id.not_in(others))
        named_here = stay.c.location_id == entity_id
        return [
            ("thing_location", here.c.location_id == entity_id),
            (_STAY.table, named_here),
            ("historical_location", only),
        ]
    if table == "historical_location":
        return [(_STAY.table, stay.c.historical_location_id == entity_id)]
    return []
