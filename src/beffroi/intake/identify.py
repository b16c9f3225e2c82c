"""Find, or make, the Thing, Sensor, ObservedProperty and Datastream of a series, by its outside key."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from sqlalchemy import Connection, ScalarSelect, Table, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from beffroi.model.declaration import DatastreamKind
from beffroi.standards.reading import Series, Station
from beffroi.standards.unit import Unit, unit_of
from beffroi.store.catalogue import default_feature, move_things, touch
from beffroi.store.open import Store
from beffroi.store.tables import (
    datastream,
    feature_of_interest,
    location,
    observed_property,
    sensor,
    thing,
    thing_location,
)

__all__ = ["OPEN", "Entrance", "Identified", "KindOf", "fitting", "identify"]

KindOf = Callable[[str], DatastreamKind | None]
ServiceOf = Callable[[DatastreamKind], str]
_EVERY_DEVICE = ("battery", "rssi", "snr")  # kinds that say nothing of what a thing is for
MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
OBSERVATION = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Observation"
_IN_LIMIT = 500


class Identified(msgspec.Struct, frozen=True):
    """The datastream that a series is, as the catalogue names it, and its kind when a service declares one.

    `kind` is None too when the series has another unit than the kind: its plausible range does not apply.
    """

    id: int
    name: str
    unit: str
    kind: DatastreamKind | None
    feature_id: int | None = None


class Entrance(msgspec.Struct, frozen=True):
    """By which door series come in: a thing that nobody `approved` stays hidden from the public until an agent
    does; a new thing belongs to `territory`."""

    approved: bool = True
    territory: str | None = None


OPEN = Entrance()


def kind_of(code: str, known: KindOf) -> DatastreamKind | None:
    """Return the declared kind of what a source calls `code`: as it is, then by its last parts."""
    parts = code.replace("/", ":").replace(".", ":").split(":")
    for start in range(len(parts)):
        tail = ":".join(parts[start:])
        found = known(tail) or (known(code) if start == 0 else None)
        if found is not None:
            return found
    return None


def identify(
    store: Store, known: KindOf, series: Iterable[Series], *, numeric: Callable[[str], bool], door: Entrance,
    service_of: ServiceOf = lambda _kind: "",
) -> dict[str, Identified]:  # fmt: skip
    """Return the datastream of each series by its key, making what does not exist yet in one transaction.

    `numeric(key)` tells whether the series holds numbers. Raises `Unavailable`.
    """
    wanted = {one.key: one for one in series}
    with store.read() as connection:
        found = _existing(connection, wanted, known)
    missing = [one for key, one in wanted.items() if key not in found]
    if not missing:
        return found

    def make() -> dict[str, Identified]:
        with store.write() as connection:
            return _made(_Maker(store, connection, known, door, service_of), missing, numeric)

    try:
        return found | make()
    except IntegrityError:
        # another process made one of them between our two looks
        return found | make()


def _existing(connection: Connection, wanted: dict[str, Series], known: KindOf) -> dict[str, Identified]:
    c = datastream.c
    found: dict[str, Identified] = {}
    keys = list(wanted)
    for start in range(0, len(keys), _IN_LIMIT):
        part = keys[start : start + _IN_LIMIT]
        columns = (c.key, c.id, c.name, c.unit_symbol, c.unit_definition, c.kind, _feature().label("feature"))
        for key, number, name, symbol, ucum, code, feature in connection.execute(
            select(*columns).where(c.key.in_(part))
        ):
            kind = known(code) if code else kind_of(wanted[key].code, known)
            found[key] = Identified(number, name, symbol or "", fitting(kind, ucum or ""), feature)
    return found


def _feature() -> ScalarSelect[Any]:
    """Return the feature that was made from where the datastream's thing is (see `catalogue.default_feature`)."""
    f, link = feature_of_interest.c, thing_location.c
    here = select(func.min(f.id)).join(thing_location, link.location_id == f.location_id)
    return here.where(link.thing_id == datastream.c.thing_id).correlate(datastream).scalar_subquery()


def fitting(kind: DatastreamKind | None, ucum: str) -> DatastreamKind | None:
    """Return `kind` when the series has its unit: its plausible range means nothing in another."""
    return kind if kind is not None and kind.unit_ucum == ucum else None


def _made(maker: "_Maker", missing: list[Series], numeric: Callable[[str], bool]) -> dict[str, Identified]:
    touch(maker.connection)
    found = _existing(maker.connection, {one.key: one for one in missing}, maker.known)
    for one in missing:
        if one.key not in found:
            found[one.key] = maker.datastream(one, numeric=numeric(one.key))
    return found


class _Maker:
    """Writes entities in one transaction."""

    def __init__(
        self, store: Store, connection: Connection, known: KindOf, door: Entrance, service_of: ServiceOf
    ) -> None:
        self.store = store
        self.connection = connection
        self.known = known
        self.door = door
        self.service_of = service_of

    def insert(self, table: Table, **values: Any) -> int:
        number = self.store.number(self.connection, table.name)
        values.setdefault("seq", self.store.next(self.connection))
        values.setdefault("since_us", self.store.clock())
        self.connection.execute(insert(table).values(id=number, **values))
        return number

    def datastream(self, series: Series, *, numeric: bool) -> Identified:
        kind = kind_of(series.code, self.known)
        unit = _unit(series, kind) if numeric else Unit("", "", "")
        title = series.name or (kind.title.fr if kind is not None else _readable(series.code))
        if series.aggregation:
            title = f"{title} ({series.aggregation})"
        name = f"{title}, {series.station.name}"
        properties = {"code": series.code, "aggregation": series.aggregation}
        thing_id = self.thing(series.station, self._service(kind))
        number = self.insert(
            datastream,
            name=name,
            description=f"{title} ({series.station.name})",
            observation_type=MEASUREMENT if numeric else OBSERVATION,
            unit_name=unit.name or None,
            unit_symbol=unit.symbol,
            unit_definition=unit.ucum or None,
            properties=msgspec.json.encode({k: v for k, v in properties.items() if v}).decode(),
            thing_id=thing_id,
            sensor_id=self.sensor(series),
            observed_property_id=self.observed_property(series, kind),
            key=series.key,
            # in another unit it is not that kind for rules and cards, which know only the kind's own unit
            kind=kind.code if kind is not None and fitting(kind, unit.ucum) else "",
        )
        feature = default_feature(self.store, self.connection, number)
        return Identified(number, name, unit.symbol, fitting(kind, unit.ucum), feature)

    def _service(self, kind: DatastreamKind | None) -> str:
        return "" if kind is None or kind.code in _EVERY_DEVICE else self.service_of(kind)

    def thing(self, station: Station, service: str) -> int:
        """Return the thing of a station; it is of the service that declares the first kind it is known by."""
        known = select(thing.c.id, thing.c.service).where(thing.c.key == station.key)
        row = self.connection.execute(known).first()
        found = row.id if row is not None else self.new_thing(station, service)
        if row is not None and service and not row.service:
            self.connection.execute(update(thing).where(thing.c.id == found).values(service=service))
        self.place(found, station)
        return int(found)

    def new_thing(self, station: Station, service: str) -> int:
        return self.insert(
            thing,
            name=station.name,
            description=station.description or station.name,
            properties=msgspec.json.encode(dict(station.properties)).decode(),
            key=station.key,
            service=service,
            approved=int(self.door.approved),
            territory=self.door.territory,
        )

    def place(self, thing_id: int, station: Station) -> None:
        """Give the thing its location when the source tells it and none is known yet."""
        if station.longitude is None or station.latitude is None:
            return
        placed = select(thing_location.c.location_id).where(thing_location.c.thing_id == thing_id)
        if self.connection.execute(placed).first() is not None:
            return
        x, y = station.longitude, station.latitude
        point = {"type": "Point", "coordinates": [x, y]}
        number = self.insert(
            location, name=station.name, description=station.name, encoding_type="application/geo+json",
            location=msgspec.json.encode(point).decode(), minx=x, miny=y, maxx=x, maxy=y,
        )  # fmt: skip
        move_things(self.store, self.connection, [thing_id], [number], self.store.clock())
        change = update(thing).where(thing.c.id == thing_id).values(seq=self.store.next(self.connection))
        self.connection.execute(change)

    def sensor(self, series: Series) -> int:
        """Return the sensor of the series: one a thing, or one a method when the source names it."""
        name = series.method or series.station.name
        mine = select(datastream.c.sensor_id).join(thing, datastream.c.thing_id == thing.c.id)
        mine = mine.join(sensor, datastream.c.sensor_id == sensor.c.id)
        mine = mine.where(thing.c.key == series.station.key, sensor.c.name == name).limit(1)
        found = self.connection.execute(mine).scalar()
        if found is not None:
            return int(found)
        return self.insert(
            sensor, name=name, description=name, encoding_type="text/html", metadata=series.station.key
        )

    def observed_property(self, series: Series, kind: DatastreamKind | None) -> int:
        c = observed_property.c
        name = kind.title.fr if kind is not None else series.name or _readable(series.code)
        definition = kind.definition if kind is not None else ""
        same = select(c.id).where(c.name == name, c.definition == definition).order_by(c.id).limit(1)
        found = self.connection.execute(same).scalar()
        if found is not None:
            return int(found)
        return self.insert(observed_property, name=name, definition=definition, description=name)


def _unit(series: Series, kind: DatastreamKind | None) -> Unit:
    if series.unit:
        given = unit_of(series.unit)
        if kind is not None and given.ucum == kind.unit_ucum:
            return Unit(kind.unit_symbol, kind.unit_name, kind.unit_ucum)
        return given
    return Unit(kind.unit_symbol, kind.unit_name, kind.unit_ucum) if kind is not None else Unit("", "", "")


def _readable(code: str) -> str:
    """Return a code as a title: `meteo:air:temperature` is "meteo air temperature"."""
    return code.replace(":", " ").replace("_", " ").strip() or "?"
