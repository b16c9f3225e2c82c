"""A town served in this process, and a client of its SensorThings; on SQLite and on PostgreSQL."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient
from tests.sensorthings_town import client_of, town_of

from beffroi.settings import Settings
from beffroi.town import Town


@pytest.fixture
def sta_town(settings: Settings) -> Iterator[Town]:
    with town_of(settings) as town:
        yield town


@pytest.fixture
def sta(sta_town: Town) -> Iterator[TestClient]:
    with client_of(sta_town) as client:
        yield client
