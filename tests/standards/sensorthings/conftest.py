"""A town on SQLite served in this process, one a test; what both databases must do alike is in `test_compile.py`."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.sensorthings_town import Clock, client_of

from beffroi.plugins import Registry
from beffroi.settings import Settings
from beffroi.store.open import Store
from beffroi.town import Town


@pytest.fixture
def sta_town(tmp_path: Path) -> Iterator[Town]:
    clock = Clock()
    settings = Settings(data=tmp_path)
    store = Store.open(settings, clock)
    yield Town(settings, store, Registry(()), clock)
    store.close()


@pytest.fixture
def sta(sta_town: Town) -> Iterator[TestClient]:
    with client_of(sta_town) as client:
        yield client
