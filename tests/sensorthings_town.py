"""Bodies, shortcuts and a served town that the tests of SensorThings share."""

import contextlib
import copy
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.testclient import TestClient

from beffroi.api.sensorthings import routes
from beffroi.identity.gate import Gate
from beffroi.plugins import Registry
from beffroi.settings import Settings
from beffroi.store.open import Store
from beffroi.town import Town
from beffroi.web.kit.doors import middleware
from beffroi.web.kit.errors import HANDLERS

POINT = {"type": "Point", "coordinates": [2.35, 48.85]}
LOCATION = {
    "name": "Pont neuf",
    "description": "culée",
    "encodingType": "application/geo+json",
    "location": POINT,
}
SENSOR = {
    "name": "sonde",
    "description": "pt100",
    "encodingType": "application/pdf",
    "metadata": "http://a.test/n.pdf",
}
PROPERTY = {"name": "Température", "definition": "http://a.test/t", "description": "de l'air"}
UNIT = {"name": "degree Celsius", "symbol": "°C", "definition": "ucum:Cel"}
MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
DATASTREAM = {
    "name": "air", "description": "air à 2 m", "observationType": MEASUREMENT, "unitOfMeasurement": UNIT,
    "Sensor": SENSOR, "ObservedProperty": PROPERTY,
}  # fmt: skip
THING = {"name": "station", "description": "météo", "properties": {"rang": 1, "où": {"rive": "gauche"}}}
STATION = {**THING, "Locations": [LOCATION], "Datastreams": [DATASTREAM]}


MULTI = {
    "name": "vent", "description": "à 10 m", "multiObservationDataTypes": [MEASUREMENT, MEASUREMENT],
    "unitOfMeasurements": [
        {"name": "mètre par seconde", "symbol": "m/s", "definition": "ucum:m/s"},
        {"name": "degré", "symbol": "°", "definition": "ucum:deg"},
    ],
    "Sensor": SENSOR, "ObservedProperties": [{**PROPERTY, "name": "Force"}, {**PROPERTY, "name": "Direction"}],
}  # fmt: skip


def station(**changes: Any) -> dict[str, Any]:
    """Return the body of a Thing with a Location and a Datastream."""
    return {**copy.deepcopy(STATION), **changes}


def made(answer: Any) -> int:
    """Return the id of what a POST made."""
    assert answer.status_code == 201, answer.text
    link = answer.headers["location"]
    assert answer.json()["@iot.selfLink"] == link
    return int(link.rpartition("(")[2].rstrip(")"))


def values(client: TestClient, address: str) -> list[dict[str, Any]]:
    """Return the entities that a GET answers."""
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["value"]
    return found


def ids(client: TestClient, address: str) -> list[int]:
    """Return the ids of the entities of a GET."""
    return [one["@iot.id"] for one in values(client, address)]


def series_of(client: TestClient, thing: int) -> int:
    """Return the id of a Thing's first Datastream."""
    return ids(client, f"Things({thing})/Datastreams")[0]


NOW_US = 1_700_000_000_000_000
ROOT = "http://127.0.0.1/sensorthings/v1.1/"


class Clock:
    """A clock that moves a millisecond at each look."""

    def __init__(self) -> None:
        self.now_us = NOW_US

    def __call__(self) -> int:
        self.now_us += 1_000
        return self.now_us


def app_of(town: Town, *, open_writes: bool = True) -> Starlette:
    """Return an application that serves SensorThings alone, behind the real doors."""
    gate = Gate(town.store)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        gate.close()

    doors_of = middleware(gate, town.settings, open_writes=open_writes)
    app = Starlette(routes=routes(town), middleware=doors_of, lifespan=lifespan, exception_handlers=HANDLERS)
    app.state.town = town
    return app


@contextlib.contextmanager
def served_town(data: Path) -> Iterator[TestClient]:
    """Serve an empty town kept in `data`, on SQLite, with writes open to this machine."""
    settings = Settings(data=data)
    town = Town(settings, Store.open(settings), Registry(()), Clock())
    with client_of(town) as client:
        yield client
    town.close()


@contextlib.contextmanager
def town_of(settings: Settings) -> Iterator[Town]:
    """Give an empty town without services, whose clock moves at each look."""
    clock = Clock()
    store = Store.open(settings, clock)
    yield Town(settings, store, Registry(()), clock)
    store.close()


def client_of(town: Town, *, open_writes: bool = True) -> TestClient:
    """Return a client, on this machine, of the SensorThings of `town`."""
    return TestClient(app_of(town, open_writes=open_writes), base_url=ROOT, client=("127.0.0.1", 50_000))
