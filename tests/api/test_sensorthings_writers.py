"""Who may write what through SensorThings, and what a town recognises in what it is given."""

from pathlib import Path

import pytest
from sqlalchemy import select
from tests.sensorthings_town import THING, Clock, client_of, made, station

from beffroi.model.principal import Principal
from beffroi.model.problem import Forbidden, Unauthorised
from beffroi.plugins import load_registry
from beffroi.settings import Settings
from beffroi.standards.sensorthings.address import read_path
from beffroi.standards.sensorthings.writing import EntityWriter
from beffroi.store.open import Store
from beffroi.store.tables import datastream, thing
from beffroi.town import Town

AGENT = Principal("user:1", "Anne", "agent", territories=("35236",))
OTHER = Principal("user:2", "Yves", "agent", territories=("56165",))
DEVICE = Principal("token:1", "sonde", "device", service="water")
STRANGER = Principal("token:2", "autre sonde", "device", service="lighting")


def writer(store: Store, who: Principal) -> EntityWriter:
    return EntityWriter(store, who, 0)


@pytest.fixture
def alone(tmp_path: Path) -> Store:
    store = Store.open(Settings(data=tmp_path), Clock())
    yield store
    store.close()


def test_visitors_and_elected_officials_write_nothing(alone: Store) -> None:
    with pytest.raises(Unauthorised):
        writer(alone, Principal("anonymous", "", "citizen"))
    for role in ("elu", "supplier"):
        with pytest.raises(Forbidden):
            writer(alone, Principal("user:9", "x", role))  # type: ignore[arg-type]


def test_a_new_thing_is_of_its_writers_territory_and_service(alone: Store) -> None:
    for who in (AGENT, DEVICE):
        writer(alone, who).create(read_path("Things"), station())
    with alone.read() as c:
        rows = c.execute(select(thing.c.territory, thing.c.service).order_by(thing.c.id)).fetchall()
    assert [tuple(row) for row in rows] == [("35236", ""), (None, "water")]


def test_each_writes_only_what_is_of_their_territory_or_service(alone: Store) -> None:
    _, of_agent = writer(alone, AGENT).create(read_path("Things"), station())
    _, of_device = writer(alone, DEVICE).create(read_path("Things"), station())
    for who, theirs in ((OTHER, of_agent), (STRANGER, of_device)):
        for act in (
            lambda who=who, theirs=theirs: writer(alone, who).update(read_path(f"Things({theirs})"), {"name": "x"}),
            lambda who=who, theirs=theirs: writer(alone, who).delete(read_path(f"Things({theirs})")),
            lambda who=who, theirs=theirs: writer(alone, who).create(read_path(f"Things({theirs})/Datastreams"), station()["Datastreams"][0]),
            lambda who=who, theirs=theirs: writer(alone, who).create(read_path("Observations"), {"result": 1, "Datastream": {"@iot.id": theirs}}),
        ):  # fmt: skip
            with pytest.raises(Forbidden):
                act()
    with pytest.raises(Forbidden):
        writer(alone, DEVICE).update(read_path("Sensors(1)"), {"name": "x"})
    writer(alone, DEVICE).update(read_path(f"Things({of_device})"), {"name": "renommée"})
    writer(alone, AGENT).create(read_path("Observations"), {"result": 1, "Datastream": {"@iot.id": of_agent}})


def test_a_series_is_recognised_as_a_declared_kind(tmp_path: Path) -> None:
    clock = Clock()
    settings = Settings(data=tmp_path)
    town = Town(settings, Store.open(settings, clock), load_registry(), clock)
    kind = next(k for s in town.registry.services.values() for k in s.datastreams if k.unit_symbol)
    body = station()
    body["Datastreams"][0]["ObservedProperty"]["name"] = kind.code
    body["Datastreams"][0]["unitOfMeasurement"] = {"name": "x", "symbol": kind.unit_symbol, "definition": "y"}
    other = station()
    other["Datastreams"][0]["ObservedProperty"]["name"] = kind.code
    other["Datastreams"][0]["unitOfMeasurement"] = {"name": "x", "symbol": "furlong", "definition": "y"}
    with client_of(town) as client:
        made(client.post("Things", json=body))
        made(client.post("Things", json=other))
        made(client.post("Things", json=THING))
    with town.store.read() as c:
        assert list(c.execute(select(datastream.c.kind).order_by(datastream.c.id)).scalars()) == [
            kind.code,
            "",
        ]
        service = c.execute(select(thing.c.service).where(thing.c.id == 1)).scalar()
    assert kind in town.registry.services[str(service)].datastreams
    town.close()
