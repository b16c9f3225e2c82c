"""What the pages read of the catalogue: things and their series, as one reader may see them, with their newest values.

`language` is the reader's: a series that intake named after its kind, and what it observes, are said in it.
"""

import json
from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Select, func, or_, select

from beffroi.model.observation import Observation, Quality
from beffroi.model.principal import Principal
from beffroi.model.problem import NotFound
from beffroi.model.result import decode_json, encode_exact
from beffroi.model.sayings import named_after
from beffroi.model.text import Text
from beffroi.store.cadence import expected_us
from beffroi.store.tables import (
    datastream,
    location,
    multi_datastream_property,
    observed_property,
    sensor,
    thing,
    thing_location,
)
from beffroi.town import Town
from beffroi.web.kit.page import pages_for

__all__ = [
    "Component",
    "Series",
    "Station",
    "find_series",
    "find_station",
    "name_in",
    "series_of",
    "silent",
    "stations",
    "things_count",
    "values_of",
]

SILENCE_STEPS = 3  # a series is silent after that many of its usual steps without a value
SILENCE_LEAST_US = 3_600_000_000


class Component(msgspec.Struct, frozen=True):
    """One of the values that each observation of a MultiDatastream holds."""

    name: str
    unit: str


class Series(msgspec.Struct, frozen=True):
    """One datastream with its newest observation; `components` are those of a MultiDatastream, in order."""

    id: int
    name: str
    description: str
    unit: str
    kind: str
    observed: str
    definition: str
    sensor: str
    thing_id: int
    thing: str
    service: str
    decimals: int | None
    expected_us: int | None
    public: bool
    properties: dict[str, Any] = {}
    last: Observation | None = None
    received_us: int | None = None
    components: tuple[Component, ...] = ()

    def said(self, language: str) -> str:
        """Return the newest value of a MultiDatastream in words: `3,5 m/s · 270 °`, its digits as received."""
        if self.last is None:
            return ""
        parts = [
            ("–" if one is None else _digits(one, language)) + (f"\xa0{part.unit}" if part.unit else "")
            for part, one in zip(self.components, values_of(self.last), strict=False)
        ]
        return " · ".join(parts)

    @property
    def value(self) -> float | str | None:
        """The newest value: a number, or the text of what is no number."""
        if self.last is None:
            return None
        return (
            self.last.result.value
            if self.last.result.value is not None
            else self.last.result.json().strip('"')
        )

    @property
    def at_us(self) -> int | None:
        """The time of the newest value (the end of its interval, if it has one)."""
        return None if self.last is None else self.last.end_us or self.last.start_us

    @property
    def short(self) -> str:
        """The name without that of the thing, where the page says the thing already."""
        rest = self.name.replace(self.thing, "").strip(" ,-–:()")
        return rest if self.thing and rest else self.name

    @property
    def doubtful(self) -> bool:
        """True when the newest value is suspect, bad or estimated."""
        return self.last is not None and self.last.quality >= Quality.SUSPECT


class Station(msgspec.Struct, frozen=True):
    """One thing, where it is, and its series."""

    id: int
    name: str
    description: str
    service: str
    territory: str | None
    approved: bool
    public: bool
    key: str | None
    properties: dict[str, Any]
    place: tuple[float, float] | None = None  # longitude, latitude
    place_name: str = ""
    collection: str | None = None
    record_id: int | None = None
    series: tuple[Series, ...] = ()


def values_of(found: Observation) -> list[Any]:
    """Return the values that an array result holds, numbers with their digits; [] for any other result."""
    text = found.result.literal
    return decode_json(text) if text is not None and text[:1] == "[" else []


def _digits(value: Any, language: str) -> str:
    text = value if isinstance(value, str) else encode_exact(value)
    return text.replace(".", ",") if language == "fr" and isinstance(value, int | float) else text


def _mine(statement: Select[Any], who: Principal) -> Select[Any]:
    """Keep what `who` may see: the public and approved, or everything of their territories for staff."""
    if not who.staff:
        statement = statement.where(thing.c.public == 1, thing.c.approved == 1)
        if who.service:
            statement = statement.where(thing.c.service == who.service)
    if who.territories:
        statement = statement.where(or_(thing.c.territory.is_(None), thing.c.territory.in_(who.territories)))
    return statement


def name_in(town: Town, kind_code: str, name: str, language: str) -> str:
    """Return the name of a series, or of what it observes, in a language: intake gives the French name of its kind."""
    if language == "fr":
        return name
    kind = town.registry.datastream_kind(kind_code) if kind_code else None
    kinds = (
        (kind,) if kind is not None else (k for s in town.registry.services.values() for k in s.datastreams)
    )
    said = next((one for k in kinds if (one := named_after(name, k.title).of(language)) != name), "")
    words = pages_for(town).words[language]
    head, comma, place = name.partition(", ")  # "Débit prévu à 6 h, Le Pont": its own name, then its thing's
    own = kind_code and comma and words.kept(name) == name
    return said or (words.kept(head) + comma + place if own else words.kept(name))


def _series(town: Town, who: Principal, *conditions: Any, language: str) -> list[Series]:
    statement = (
        select(
            datastream.c.id, datastream.c.name, datastream.c.description, datastream.c.unit_symbol,
            datastream.c.kind, datastream.c.expected_interval_us, datastream.c.public, datastream.c.properties,
            datastream.c.multi_units, datastream.c.thing_id, thing.c.name.label("thing"), thing.c.service, observed_property.c.name.label("observed"),
            observed_property.c.definition, sensor.c.name.label("sensor"),
        )
        .join(thing, thing.c.id == datastream.c.thing_id)
        .join(observed_property, observed_property.c.id == datastream.c.observed_property_id)
        .join(sensor, sensor.c.id == datastream.c.sensor_id)
        .where(*conditions)
        .order_by(datastream.c.thing_id, datastream.c.id)
    )  # fmt: skip
    if not who.staff:
        statement = statement.where(datastream.c.public == 1)
    with town.store.read() as connection:
        rows = connection.execute(_mine(statement, who)).all()
    ids = [row.id for row in rows]
    parts = _components(town, [row for row in rows if row.multi_units is not None])
    last = town.store.observations.last(ids)
    received = town.store.observations.received(ids)
    return [
        _one(town, row, last.get(row.id), received.get(row.id), parts.get(row.id, ()), language)
        for row in rows
    ]


def _components(town: Town, rows: list[Any]) -> dict[int, tuple[Component, ...]]:
    """Return the components of MultiDatastreams."""
    if not rows:
        return {}
    link = multi_datastream_property
    statement = (
        select(link.c.datastream_id, observed_property.c.name)
        .join(observed_property, observed_property.c.id == link.c.observed_property_id)
        .where(link.c.datastream_id.in_([row.id for row in rows]))
        .order_by(link.c.datastream_id, link.c.rank)
    )
    names: dict[int, list[str]] = {}
    with town.store.read() as connection:
        for series_id, name in connection.execute(statement):
            names.setdefault(series_id, []).append(name)
    return {
        row.id: tuple(
            Component(name, unit.get("symbol") or "")
            for name, unit in zip(names.get(row.id, []), json.loads(row.multi_units), strict=False)
        )
        for row in rows
    }


def _one(
    town: Town, row: Any, last: Observation | None, received_us: int | None, parts: tuple[Component, ...], language: str
) -> Series:  # fmt: skip
    kind = town.registry.datastream_kind(row.kind) if row.kind else None
    decimals = kind.decimals if kind is not None else None
    if decimals is None and last is not None and last.result.decimals is not None:
        decimals = min(last.result.decimals, 3)
    return Series(
        id=row.id, name=name_in(town, row.kind, row.name, language), description=name_in(town, row.kind, row.description, language), unit=row.unit_symbol or "", kind=row.kind,
        observed=", ".join(part.name for part in parts) or name_in(town, row.kind, row.observed, language), components=parts, definition=row.definition, sensor=name_in(town, "", row.sensor, language), thing_id=row.thing_id, thing=name_in(town, "", row.thing, language), service=row.service,
        decimals=decimals, expected_us=expected_us(row.properties, row.expected_interval_us), public=bool(row.public),
        properties=_object(row.properties), last=last, received_us=received_us,
    )  # fmt: skip


def _object(text: str | None) -> dict[str, Any]:
    found = json.loads(text) if text else {}
    return found if isinstance(found, dict) else {}


def series_of(
    town: Town, who: Principal, thing_ids: list[int] | None = None, *, language: str = "fr"
) -> list[Series]:
    """Return the series that `who` may see, of all things or of some, with their newest values."""
    wanted = [] if thing_ids is None else [datastream.c.thing_id.in_(thing_ids)]
    return _series(town, who, *wanted, language=language)


def find_series(town: Town, who: Principal, series_id: int, *, language: str = "fr") -> Series:
    """Return one series. Raises `NotFound`."""
    found = _series(town, who, datastream.c.id == series_id, language=language)
    if not found:
        raise NotFound(
            Text("Cette série n'existe pas.", "There is no such series."),
            Text("La page des capteurs les liste toutes.", "The page of sensors lists them all."),
        )
    return found[0]


_COLUMNS = (
    thing.c.id, thing.c.name, thing.c.description, thing.c.service, thing.c.territory, thing.c.approved, thing.c.public,
    thing.c.key, thing.c.properties, thing.c.collection, thing.c.record_id,
)  # fmt: skip


def _search(words: str, service: str) -> list[Any]:
    conditions: list[Any] = []
    if words:
        pattern = "%" + words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        conditions.append(
            or_(thing.c.name.ilike(pattern, escape="\\"), thing.c.description.ilike(pattern, escape="\\"))
        )
    if service:
        conditions.append(thing.c.service == service)
    return conditions


def things_count(town: Town, who: Principal, words: str = "", service: str = "") -> int:
    """Return how many things `who` may see."""
    statement = select(func.count()).select_from(thing).where(*_search(words, service))
    with town.store.read() as connection:
        return int(connection.execute(_mine(statement, who)).scalar_one())


def stations(
    town: Town, who: Principal, *, words: str = "", service: str = "", limit: int | None = None, offset: int = 0,
    box: tuple[float, float, float, float] | None = None, ids: list[int] | None = None, language: str = "fr",
) -> list[Station]:  # fmt: skip
    """Return the things that `who` may see, by name, with their places and series; `box` keeps those inside it."""
    statement = select(*_COLUMNS).where(*_search(words, service)).order_by(thing.c.name, thing.c.id)
    if ids is not None:
        statement = statement.where(thing.c.id.in_(ids))
    if box is not None:
        inside = (
            select(thing_location.c.thing_id)
            .join(location, location.c.id == thing_location.c.location_id)
            .where(location.c.minx <= box[2], location.c.maxx >= box[0], location.c.miny <= box[3], location.c.maxy >= box[1])
        )  # fmt: skip
        statement = statement.where(thing.c.id.in_(inside))
    with town.store.read() as connection:
        rows = connection.execute(_mine(statement, who).limit(limit).offset(offset or None)).all()
    wanted = [row.id for row in rows]
    places = _places(town, wanted)
    by_thing: dict[int, list[Series]] = {}
    for one in series_of(town, who, wanted, language=language):
        by_thing.setdefault(one.thing_id, []).append(one)
    return [
        Station(
            id=row.id, name=name_in(town, "", row.name, language), description=row.description, service=row.service, territory=row.territory,
            approved=bool(row.approved), public=bool(row.public), key=row.key, properties=_object(row.properties),
            place=places.get(row.id, (None, ""))[0], place_name=places.get(row.id, (None, ""))[1],
            collection=row.collection, record_id=row.record_id, series=tuple(by_thing.get(row.id, ())),
        )
        for row in rows
    ]  # fmt: skip


def find_station(town: Town, who: Principal, thing_id: int, *, language: str = "fr") -> Station:
    """Return one thing. Raises `NotFound`."""
    found = stations(town, who, ids=[thing_id], language=language)
    if not found:
        raise NotFound(
            Text(
                "Cet objet n'existe pas, ou n'est pas public.", "There is no such thing, or it is not public."
            ),
            Text(
                "La page des capteurs liste ceux que vous pouvez voir.",
                "The page of sensors lists those you may see.",
            ),
        )
    return found[0]


def _places(town: Town, thing_ids: list[int]) -> Mapping[int, tuple[tuple[float, float], str]]:
    """Return the middle of each thing's place and its name."""
    statement = (
        select(thing_location.c.thing_id, location.c.name, location.c.minx, location.c.miny, location.c.maxx, location.c.maxy)
        .join(location, location.c.id == thing_location.c.location_id)
        .where(thing_location.c.thing_id.in_(thing_ids), location.c.minx.is_not(None))
    )  # fmt: skip
    with town.store.read() as connection:
        rows = connection.execute(statement).all()
    return {r.thing_id: (((r.minx + r.maxx) / 2, (r.miny + r.maxy) / 2), r.name) for r in rows}


def silent(series: Series, now_us: int) -> bool:
    """True when nothing arrived for three usual steps (and at least an hour) of a series that has a usual step."""
    if series.at_us is None or not series.expected_us:
        return False
    return now_us - series.at_us > max(SILENCE_STEPS * series.expected_us, SILENCE_LEAST_US)
