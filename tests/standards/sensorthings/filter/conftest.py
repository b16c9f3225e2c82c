"""The towns of the tests of `$filter`, each made once a module."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient
from tests.sensorthings_town import Clock, client_of

from beffroi.plugins import Registry
from beffroi.settings import Settings
from beffroi.store.open import Store
from beffroi.town import Town


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Return a client of an empty town, the same for all tests of a module."""
    settings, clock = Settings(data=tmp_path_factory.mktemp("town")), Clock()
    store = Store.open(settings, clock)
    with client_of(Town(settings, store, Registry(()), clock)) as client:
        yield client
    store.close()
