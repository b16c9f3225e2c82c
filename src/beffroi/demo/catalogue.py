"""Stations of the scene as SensorThings entities (OGC 18-088 §8.2): all in one transaction."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, insert, select

from beffroi.model.declaration import DatastreamKind
from beffroi.scene import Scene, Series, Station
from beffroi.scene.plan import wgs84
from beffroi.store.catalogue import touch
from beffroi.store.tables import (
    datastream,
    feature_of_interest,
    historical_location,
    historical_location_location,
    location,
    observed_property,
    sensor,
    thing,
    thing_location,
)
from beffroi.town import Town

__all__ = ["Line", "lines_of", "write_stations"]

MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
_GEOJSON = "application/geo+json"
Assets = Mapping[tuple[str, str], int]


class Line(msgspec.Struct, frozen=True, eq=False):
    """A series of the scene and the datastream that it is in the town."""

    series: Series
    datastream_id: int
    feature_id: int
    kind: DatastreamKind


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def write_stations(town: Town, scene: Scene, stations: Iterable[Station], assets: Assets) -> list[Line]:
    """Write `stations` whose kinds are declared by an installed service; return their series.

    `assets` gives the id of the record that a station sits on, by (collection, code).
    """
    writer = _Writer(town, scene, assets)
    with town.store.write() as connection:
        writer.connection = connection
        lines = [line for station in stations for line in writer.station(station)]
        touch(connection)
        return lines


class _Writer:
    """Writes entities; ids follow one another in the order of the scene, so that they are always the same."""

    connection: Connection

    def __init__(self, town: Town, scene: Scene, assets: Assets) -> None:
        self.town = town
        self.scene = scene
        self.assets = assets
        self.properties: dict[str, int] = {}

    def insert(self, table: Table, **values: Any) -> int:
        number = self.town.store.number(self.connection, table.name)
        values.setdefault("since_us", self.scene.start_us)
        self.connection.execute(insert(table).values(id=number, **values))
        return number

    def station(self, station: Station) -> list[Line]:
        """Write one station and return its series."""
        known = [
            (s, k) for s in station.series if (k := self.town.registry.datastream_kind(s.kind)) is not None
        ]
        if not known:
            return []
        thing_id = self.thing(station)
        feature_id = self.place(thing_id, station)
        sensor_id = self.insert(
            sensor, name=station.model, description=f"{station.model}, {station.name}", encoding_type="text/plain",
            metadata=_json(station.key),
        )  # fmt: skip
        return [
            Line(series, self.datastream(station, series, kind, thing_id, sensor_id), feature_id, kind)
            for series, kind in known
        ]

    def thing(self, station: Station) -> int:
        """Write the thing, tied to the record it sits on."""
        commune = next(c for c in self.scene.communes if c.code == station.commune)
        record = self.assets.get(station.asset) if station.asset else None
        return self.insert(
            thing, name=station.name, description=station.description, service=station.service, key=station.key,
            properties=_json({"category": station.category, "commune": commune.name, "model": station.model}),
            territory=station.commune, approved=1, public=int(station.public),
            collection=station.asset[0] if station.asset and record is not None else None, record_id=record,
            seq=self.town.store.next(self.connection),
        )  # fmt: skip

    def place(self, thing_id: int, station: Station) -> int:
        """Write where the thing stands, and return the feature that its observations are of."""
        point = wgs84(station.place)
        x, y = point
        shape = _json({"type": "Point", "coordinates": point})
        box = {"minx": x, "miny": y, "maxx": x, "maxy": y}
        location_id = self.insert(
            location,
            name=station.name,
            description=station.description,
            encoding_type=_GEOJSON,
            location=shape,
            **box,
        )
        since_us = self.scene.start_us
        self.connection.execute(
            insert(thing_location).values(thing_id=thing_id, location_id=location_id, since_us=since_us)
        )
        past = self.insert(historical_location, time_us=since_us, thing_id=thing_id)
        self.connection.execute(
            insert(historical_location_location).values(
                historical_location_id=past, location_id=location_id, since_us=since_us
            )
        )
        return self.insert(
            feature_of_interest, name=station.name, description=station.description, encoding_type=_GEOJSON,
            feature=shape, location_id=location_id, **box,
        )  # fmt: skip

    def datastream(
        self, station: Station, series: Series, kind: DatastreamKind, thing_id: int, sensor_id: int
    ) -> int:
        """Write one datastream."""
        return self.insert(
            datastream, name=f"{kind.title.fr}, {station.name}", description=f"{kind.title.fr} ({station.name})",
            observation_type=MEASUREMENT, unit_name=kind.unit_name, unit_symbol=kind.unit_symbol,
            unit_definition=kind.unit_ucum, thing_id=thing_id, sensor_id=sensor_id,
            observed_property_id=self.observed_property(kind), key=series.key, kind=kind.code,
            expected_interval_us=series.every_us, public=int(station.public),
            seq=self.town.store.next(self.connection),
        )  # fmt: skip

    def observed_property(self, kind: DatastreamKind) -> int:
        """Write an observed property the first time it is seen."""
        if kind.code not in self.properties:
            self.properties[kind.code] = self.insert(
                observed_property, name=kind.title.fr, definition=kind.definition, description=kind.title.fr
            )
        return self.properties[kind.code]


def lines_of(town: Town, scene: Scene) -> list[Line]:
    """Return the series of a scene that the town has, found again by their keys."""
    columns = select(datastream.c.key, datastream.c.id, feature_of_interest.c.id)
    joined = columns.join(
        thing_location, thing_location.c.thing_id == datastream.c.thing_id, isouter=True
    ).join(
        feature_of_interest, feature_of_interest.c.location_id == thing_location.c.location_id, isouter=True
    )
    with town.store.read() as connection:
        rows = connection.execute(joined.where(datastream.c.key.is_not(None)))
        known = {key: (number, feature) for key, number, feature in rows}
    return [
        Line(series, *known[series.key], kind)
        for station in scene.stations
        for series in station.series
        if series.key in known and (kind := town.registry.datastream_kind(series.kind)) is not None
    ]
