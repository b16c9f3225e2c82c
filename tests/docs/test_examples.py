"""Every request that the guide "Query with SensorThings" shows is sent, and answered."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.sensorthings_town import Clock, client_of, made, series_of, station

from beffroi.plugins import Registry
from beffroi.settings import Settings
from beffroi.store.open import Store
from beffroi.town import Town

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "query-with-sensorthings.md"
BLOCKS = re.findall(r"```http\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
READINGS = [line for block in BLOCKS for line in block.splitlines() if line.startswith("GET ")]
OTHERS = [block for block in BLOCKS if not block.startswith("GET ")]
HOLDING = ("Things?$filter=substringof", "Datastreams?", "Things?$filter=Datastreams/any", "Things?$filter='crue'", "Locations", "Things?$expand",
           "Datastreams(1)/Observations?$orderby", "Observations?$filter=overlaps", "Observations?$orderby", "Things?$select", "Things?$resultMetadata")  # fmt: skip


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    settings, clock = Settings(data=tmp_path_factory.mktemp("town")), Clock()
    store = Store.open(settings, clock)
    with client_of(Town(settings, store, Registry(()), clock)) as client:
        body = station(name="Pont du moulin", properties={"commune": "Redon", "tags": ["crue"]})
        body["Locations"][0]["location"]["coordinates"] = [-2.08, 47.65]
        series = body["Datastreams"][0]
        series.update(
            name="Hauteur",
            unitOfMeasurement={"name": "centimètre", "symbol": "cm", "definition": "ucum:cm"},
            properties={"seuil": 90},
        )
        series["ObservedProperty"]["name"] = "Hauteur"
        number = series_of(client, made(client.post("Things", json=body)))
        for hour, level in enumerate([84, 91, 95]):
            made(
                client.post(
                    f"Datastreams({number})/Observations",
                    json={"result": level, "phenomenonTime": f"2026-11-22T{hour:02}:00:00Z"},
                )
            )
        made(client.post("Things", json={"name": "Nu", "description": "sans série"}))
        yield client
    store.close()


@pytest.mark.parametrize("line", READINGS)
def test_a_reading_of_the_guide_is_answered(town: TestClient, line: str) -> None:
    address = line.removeprefix("GET /sensorthings/v1.1/")
    answer = town.get(address)
    assert answer.status_code == 200, answer.text
    if answer.headers["content-type"] == "application/json" and address.startswith(HOLDING):
        assert answer.json()["value"]


def test_the_guide_shows_readings_and_more() -> None:
    assert len(READINGS) > 15
    assert len(OTHERS) == 2


def test_the_batch_and_the_deletion_of_the_guide_are_done(town: TestClient) -> None:
    batch, deletion = OTHERS
    head, _, body = batch.partition("\n\n")
    answer = town.post(head.removeprefix("POST /sensorthings/v1.1/"), json=json.loads(body))
    replies = answer.json()["responses"]
    assert [r["status"] for r in replies] == [201, 201, 200]
    assert town.get(replies[0]["location"] + "/Locations").json()["value"][0]["name"] == "Pont neuf"
    assert town.delete(deletion.strip().removeprefix("DELETE /sensorthings/v1.1/")).json() == {"deleted": 0}
