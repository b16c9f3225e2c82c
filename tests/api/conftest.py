"""A town served in this process, and a client of its SensorThings; on SQLite and on PostgreSQL."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient
from tests.sensorthings_town import Clock, client_of

from beffroi.plugins import Registry
from beffroi.settings import Settings
from beffroi.store.open import Store
from beffroi.town import Town


@pytest.fixture
def sta_town(settings: Settings) -> Iterator[Town]:
    clock = Clock()
    store = Store.open(settings, clock)
    yield Town(settings, store, Registry(()), clock)
    store.close()


@pytest.fixture
def sta(sta_town: Town) -> Iterator[TestClient]:
    with client_of(sta_town) as client:
        yield client
