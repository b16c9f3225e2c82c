"""/health, asked over HTTP."""

import sqlite3
import time

import pytest

from beffroi.api.health import REMEMBERED_S


@pytest.mark.parametrize(("file", "table"), [("records.db", "setting"), ("observations.db", "counter")])
def test_health_is_503_when_one_of_the_files_cannot_be_written(browser, town, file: str, table: str) -> None:
    client = browser()
    assert client.get("/health").status_code == 200
    with sqlite3.connect(town.settings.data / file) as connection:
        connection.execute(f"ALTER TABLE {table} RENAME TO away")
    connection.close()
    assert client.get("/health").status_code == 200  # remembered for a second
    time.sleep(REMEMBERED_S + 0.1)
    answer = client.get("/health")
    assert answer.status_code == 503
    assert answer.json()["status"] == "cannot write"
    assert answer.headers["cache-control"] == "no-store"
