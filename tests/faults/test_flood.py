"""A flood: what cannot be taken is refused with 429 and when to come back; all that was accepted is stored."""

import sqlite3
import threading
from pathlib import Path

import httpx2
from tests.faults.assault import first_series
from tests.faults.serving import Town, command

from beffroi.store.appender import QUEUE

ROWS = 20_000


def test_flood_is_refused_with_429_and_loses_nothing_accepted(tmp_path: Path) -> None:
    data = tmp_path / "town"
    command("init", "--data", str(data), "--name", "Essai")
    town = Town(data)
    series = first_series(town)
    post = f"{town.url}/sensorthings/v1.1/CreateObservations"
    rows = [["2026-03-01T12:00:00Z", i] for i in range(ROWS)]
    body = [
        {"Datastream": {"@iot.id": series}, "components": ["phenomenonTime", "result"], "dataArray": rows}
    ]
    assert httpx2.post(post, json=[{**body[0], "dataArray": rows[:1]}]).status_code == 201
    # the disk stands still: another program holds the file
    other = sqlite3.connect(data / "observations.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answers: list[httpx2.Response] = []
    clients = [
        threading.Thread(target=lambda: answers.append(httpx2.post(post, json=body, timeout=60)))
        for _ in range(QUEUE // ROWS + 8)
    ]
    for client in clients:
        client.start()
    for _ in range(600):
        if any(answer.status_code == 429 for answer in answers):
            break
        threading.Event().wait(0.05)
    assert httpx2.get(f"{town.url}/sensorthings/v1.1/Datastreams({series})").status_code == 200
    other.execute("ROLLBACK")
    other.close()
    for client in clients:
        client.join()
    refused = [answer for answer in answers if answer.status_code != 201]
    assert refused and {answer.status_code for answer in refused} == {429}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in refused)
    assert "Too many observations" in refused[0].json()["message"]
    accepted = len(answers) - len(refused)
    assert accepted > QUEUE // ROWS
    counted = town.call(f"/sensorthings/v1.1/Datastreams({series})/Observations?$count=true&$top=0")[1]
    assert counted["@iot.count"] == 1 + accepted * ROWS
    town.stop()
    command("verify", "--data", str(data))
