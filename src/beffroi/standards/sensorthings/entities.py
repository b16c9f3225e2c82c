"""The entity model of SensorThings 1.1 as one table (OGC 18-088 §8.2): what each entity has and how it is joined."""

from typing import Literal

import msgspec

__all__ = [
    "BY_NAME",
    "BY_SET",
    "ENTITIES",
    "TASKING",
    "Entity",
    "Join",
    "Kind",
    "Navigation",
    "Property",
    "entity_called",
]

Kind = Literal[
    "number",
    "text",
    "boolean",
    "instant",
    "moment",
    "date",
    "time",
    "duration",
    "geometry",
    "json",
    "result",
    "null",
]
"""Kinds of values in the query language: `moment` is a time that may be an interval, `json` any JSON value."""


class Property(msgspec.Struct, frozen=True):
    """A property: `columns` of the entity's table hold it; `inside` is the place in a JSON column."""

    name: str
    kind: Kind
    columns: tuple[str, ...]
    required: bool = False
    inside: tuple[str, ...] = ()
    parts: tuple["Property", ...] = ()  # a complex property, such as unitOfMeasurement
    derived: bool = False  # computed by the server, ignored when written
    default: str = ""  # of a text that was not given


class Join(msgspec.Struct, frozen=True):
    """How rows meet: own `here` = target's `there`, or through the association `table` (near, far)."""

    here: str
    there: str
    table: str = ""
    near: str = ""
    far: str = ""
    rank: str = (
        ""  # column of `table` with the place of the far one: they are in order, and one may come twice
    )


class Navigation(msgspec.Struct, frozen=True):
    """A relation of one entity to one (`many` False) or several others."""

    name: str
    target: str
    join: Join
    many: bool
    required: bool = False


class Entity(msgspec.Struct, frozen=True):
    """One of the entity types."""

    name: str
    set_name: str
    table: str
    properties: tuple[Property, ...]
    navigations: tuple[Navigation, ...]
    multi: bool | None = None  # of the two types in table `datastream`: whether column `multi` is filled

    def property(self, name: str) -> Property | None:
        """Return the property called `name`."""
        return next((p for p in self.properties if p.name == name), None)

    def navigation(self, name: str) -> Navigation | None:
        """Return the relation called `name`."""
        return next((n for n in self.navigations if n.name == name), None)


def _text(name: str, column: str = "", *, required: bool = True) -> Property:
    return Property(name, "text", (column or name,), required)


_NAME, _DESCRIPTION = _text("name"), _text("description")
_PROPERTIES = Property("properties", "json", ("properties",))
_ENCODING = _text("encodingType", "encoding_type")


def _one(name: str, column: str, *, required: bool = True) -> Navigation:
    return Navigation(name, name, Join(column, "id"), many=False, required=required)


def _many(name: str, target: str, column: str) -> Navigation:
    return Navigation(name, target, Join("id", column), many=True)


def _linked(name: str, target: str, table: str, near: str, far: str, rank: str = "") -> Navigation:
    return Navigation(name, target, Join("id", "id", table, near, far, rank), many=True)


_UNIT = Property(
    "unitOfMeasurement", "json", ("unit_name", "unit_symbol", "unit_definition"), required=True,
    parts=(_text("name", "unit_name"), _text("symbol", "unit_symbol"), _text("definition", "unit_definition")),
)  # fmt: skip

_COMPLEX = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_ComplexObservation"

ENTITIES: tuple[Entity, ...] = (
    Entity(
        "Thing", "Things", "thing", (_NAME, _DESCRIPTION, _PROPERTIES),
        (
            _many("Datastreams", "Datastream", "thing_id"),
            _many("MultiDatastreams", "MultiDatastream", "thing_id"),
            _linked("Locations", "Location", "thing_location", "thing_id", "location_id"),
            _many("HistoricalLocations", "HistoricalLocation", "thing_id"),
            _many("TaskingCapabilities", "TaskingCapability", "thing_id"),
        ),
    ),
    Entity(
        "Location", "Locations", "location",
        (_NAME, _DESCRIPTION, _ENCODING, Property("location", "geometry", ("location",), required=True), _PROPERTIES),
        (
            _linked("Things", "Thing", "thing_location", "location_id", "thing_id"),
            _linked("HistoricalLocations", "HistoricalLocation", "historical_location_location",
                    "location_id", "historical_location_id"),
        ),
    ),
    Entity(
        "HistoricalLocation", "HistoricalLocations", "historical_location",
        (Property("time", "instant", ("time_us",), required=True),),
        (
            _one("Thing", "thing_id"),
            _linked("Locations", "Location", "historical_location_location", "historical_location_id", "location_id"),
        ),
    ),
    Entity(
        "Datastream", "Datastreams", "datastream",
        (
            _NAME, _DESCRIPTION, _text("observationType", "observation_type"), _UNIT,
            Property("observedArea", "geometry", ("observed_area",)),
            Property("phenomenonTime", "moment", ("first_us", "last_us"), derived=True),
            _PROPERTIES,
        ),
        (
            _one("Thing", "thing_id"), _one("Sensor", "sensor_id"), _one("ObservedProperty", "observed_property_id"),
            _many("Observations", "Observation", "datastream_id"),
        ),
        multi=False,
    ),
    Entity(
        "MultiDatastream", "MultiDatastreams", "datastream",
        (
            _NAME, _DESCRIPTION, Property("observationType", "text", ("observation_type",), default=_COMPLEX),
            Property("multiObservationDataTypes", "json", ("multi",), required=True),
            Property("unitOfMeasurements", "json", ("multi_units",), required=True),
            Property("observedArea", "geometry", ("observed_area",)),
            Property("phenomenonTime", "moment", ("first_us", "last_us"), derived=True),
            _PROPERTIES,
        ),
        (
            _one("Thing", "thing_id"), _one("Sensor", "sensor_id"),
            _linked("ObservedProperties", "ObservedProperty", "multi_datastream_property",
                    "datastream_id", "observed_property_id", "rank"),
            _many("Observations", "Observation", "datastream_id"),
        ),
        multi=True,
    ),
    Entity(
        "Sensor", "Sensors", "sensor",
        (_NAME, _DESCRIPTION, _ENCODING, Property("metadata", "json", ("metadata",), required=True), _PROPERTIES),
        (_many("Datastreams", "Datastream", "sensor_id"), _many("MultiDatastreams", "MultiDatastream", "sensor_id")),
    ),
    Entity(
        "ObservedProperty", "ObservedProperties", "observed_property",
        (_NAME, _text("definition"), _DESCRIPTION, _PROPERTIES),
        (
            _many("Datastreams", "Datastream", "observed_property_id"),
            _linked("MultiDatastreams", "MultiDatastream", "multi_datastream_property",
                    "observed_property_id", "datastream_id"),
        ),
    ),
    Entity(
        "Observation", "Observations", "observation",
        (
            Property("phenomenonTime", "moment", ("start_us", "end_us")),
            Property("resultTime", "instant", ("result_time_us",)),
            Property("result", "result", ("value", "decimals", "literal"), required=True),
            Property("resultQuality", "json", ("extra",), inside=("resultQuality",)),
            Property("validTime", "json", ("extra",), inside=("validTime",)),
            Property("parameters", "json", ("extra",), inside=("parameters",)),
        ),
        (
            _one("Datastream", "datastream_id", required=False),  # one or the other: see `body.py`
            _one("MultiDatastream", "datastream_id", required=False),
            _one("FeatureOfInterest", "feature_id", required=False),
        ),
    ),
    Entity(
        "FeatureOfInterest", "FeaturesOfInterest", "feature_of_interest",
        (_NAME, _DESCRIPTION, _ENCODING, Property("feature", "geometry", ("feature",), required=True), _PROPERTIES),
        (_many("Observations", "Observation", "feature_id"),),
    ),
    # Tasking (17-079r1); what a Task adds to the standard's: how long it is worth sending, and what became of it
    Entity(
        "Actuator", "Actuators", "actuator",
        (_NAME, _DESCRIPTION, _ENCODING, Property("metadata", "json", ("metadata",), required=True), _PROPERTIES),
        (_many("TaskingCapabilities", "TaskingCapability", "actuator_id"),),
    ),
    Entity(
        "TaskingCapability", "TaskingCapabilities", "tasking_capability",
        (_NAME, _DESCRIPTION, Property("taskingParameters", "json", ("tasking_parameters",), required=True), _PROPERTIES),
        (_one("Thing", "thing_id"), _one("Actuator", "actuator_id"), _many("Tasks", "Task", "tasking_capability_id")),
    ),
    Entity(
        "Task", "Tasks", "task",
        (
            Property("taskingParameters", "json", ("tasking_parameters",), required=True),
            Property("creationTime", "instant", ("created_us",)), Property("validUntil", "instant", ("expires_us",)),
            _text("status", "state", required=False), Property("statusTime", "instant", ("changed_us",)),
            _text("statusMessage", "error", required=False), _PROPERTIES,
        ),
        (_one("TaskingCapability", "tasking_capability_id"),),
    ),
)  # fmt: skip
TASKING = ("Actuator", "TaskingCapability", "Task")

BY_NAME = {e.name: e for e in ENTITIES}
BY_SET = {e.set_name: e for e in ENTITIES}


def entity_called(name: str) -> Entity:
    """Return the entity type called `name` (singular). Raises `KeyError`."""
    return BY_NAME[name]
