"""/health, asked over HTTP."""

import sqlite3
import time

from beffroi.api.health import REMEMBERED_S


def test_health_is_503_when_nothing_can_be_written(browser, town) -> None:
    client = browser()
    assert client.get("/health").status_code == 200
    with sqlite3.connect(town.settings.data / "records.db") as connection:
        connection.execute("ALTER TABLE setting RENAME TO setting_away")
    connection.close()
    assert client.get("/health").status_code == 200  # remembered for a second
    time.sleep(REMEMBERED_S + 0.1)
    answer = client.get("/health")
    assert answer.status_code == 503
    assert answer.json()["status"] == "cannot write"
    assert answer.headers["cache-control"] == "no-store"
