"""A town on SQLite served in this process, one a test; what both databases must do alike is in `test_compile.py`."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.sensorthings_town import client_of, town_of

from beffroi.settings import Settings
from beffroi.town import Town


@pytest.fixture
def sta_town(tmp_path: Path) -> Iterator[Town]:
    with town_of(Settings(data=tmp_path)) as town:
        yield town


@pytest.fixture
def sta(sta_town: Town) -> Iterator[TestClient]:
    with client_of(sta_town) as client:
        yield client
