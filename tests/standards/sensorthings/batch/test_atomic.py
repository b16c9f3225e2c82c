"""A change set happens all or not at all, across entities and observations, on both databases, killed or not."""

import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.faults.serving import Town as Served
from tests.faults.serving import command
from tests.sensorthings_town import Clock, client_of, ids, made, series_of, station, values
from tests.standards.sensorthings.batch.requests import (
    change_set,
    counts,
    post,
    request,
    town_in_a_change_set,
)

from beffroi.plugins import Registry
from beffroi.settings import Settings, load_settings
from beffroi.store.change_set import ChangeSet, finish_left
from beffroi.store.open import Store
from beffroi.town import Town


@pytest.fixture
def town(settings: Settings) -> Iterator[Town]:
    clock = Clock()
    store = Store.open(settings, clock)
    yield Town(settings, store, Registry(()), clock)
    store.close()


@pytest.fixture
def sta(town: Town) -> Iterator[TestClient]:
    with client_of(town) as client:
        yield client


def test_a_change_set_makes_entities_and_their_observations_together(sta: TestClient) -> None:
    (reply,) = post(sta, town_in_a_change_set())
    assert [r["status"] for r in reply] == [201] * 4
    shown = [sta.get(r["headers"]["location"]).json() for r in reply]
    assert shown[0]["name"] == "station"
    assert [one["result"] for one in shown[2:]] == [1, 2]
    assert (
        sta.get(reply[3]["headers"]["location"] + "/Datastream/Thing").json()["@iot.id"]
        == shown[0]["@iot.id"]
    )
    assert counts(sta)["FeatureOfInterest"] == 1


def test_a_change_set_reads_what_it_wrote_and_nobody_else_does_before_its_end(town: Town) -> None:
    with ChangeSet.begin(town.store) as changes:
        changes.set_setting("essai", 1)
        assert (changes.setting("essai"), town.store.setting("essai")) == (1, None)
    assert town.store.setting("essai") == 1


def test_a_change_set_with_one_wrong_request_does_nothing(sta: TestClient) -> None:
    before = made(sta.post("Things", json=station()))
    series = series_of(sta, before)
    kept = made(sta.post("Observations", json={"result": 5, "Datastream": {"@iot.id": series}}))
    known = counts(sta)
    (reply,) = post(
        sta,
        town_in_a_change_set(
            request("PATCH", f"Things({before})", {"name": "changée"}, "p"),
            request("PATCH", f"Observations({kept})", {"result": 6}, "c"),
            request("POST", f"Datastreams({series})/Observations", {"result": 7}, "n"),
            request("DELETE", f"Observations({kept})", name="d"),
            request("POST", "Things", {"name": "sans description"}, "wrong"),
        ),
    )
    assert (reply["status"], reply["id"], reply["body"]["place"]) == (400, "wrong", "/description")
    assert counts(sta) == known
    assert sta.get(f"Things({before})/name/$value").text == "station"
    assert sta.get(f"Observations({kept})/result/$value").text == "5"
    assert [e.action for e in audited(sta)].count("thing.create") == 1


def audited(sta: TestClient) -> list[Any]:
    town: Town = sta.app.state.town  # type: ignore[attr-defined]
    with town.store.read() as c:
        return town.store.audit.entries(c)


def test_a_change_set_changes_corrects_and_deletes_observations(sta: TestClient) -> None:
    series = series_of(sta, made(sta.post("Things", json=station())))
    one, two = (
        made(sta.post("Observations", json={"result": r, "Datastream": {"@iot.id": series}})) for r in (1, 2)
    )
    (reply,) = post(
        sta,
        change_set(
            request("PATCH", f"Observations({one})", {"result": 10}, "a"),
            request("PATCH", f"Observations({one})", {"resultQuality": "bon"}, "b"),
            request("DELETE", f"Observations({two})", name="c"),
            request("POST", f"Datastreams({series})/Observations", {"result": 3}, "d"),
        ),
    )
    assert [r["status"] for r in reply] == [200, 200, 200, 201]
    assert sorted(o["result"] for o in values(sta, "Observations")) == [3, 10]
    assert sta.get(f"Observations({one})/resultQuality").json() == {"resultQuality": "bon"}


def test_deleting_in_a_change_set_takes_along_what_cannot_stand_alone(sta: TestClient) -> None:
    thing = made(sta.post("Things", json=station()))
    series = series_of(sta, thing)
    for result in range(3):
        made(sta.post("Observations", json={"result": result, "Datastream": {"@iot.id": series}}))
    feature = ids(sta, "FeaturesOfInterest")[0]
    (reply,) = post(sta, change_set(request("DELETE", f"FeaturesOfInterest({feature})", name="1")))
    assert [r["status"] for r in reply] == [200]
    assert (counts(sta)["Observation"], counts(sta)["Datastream"]) == (0, 1)
    made(sta.post("Observations", json={"result": 9, "Datastream": {"@iot.id": series}}))
    reply = post(
        sta,
        change_set(
            request("DELETE", f"Things({thing})", name="1"),
            request("POST", f"Datastreams({series})/Observations", {"result": 1}, "2"),
        ),
    )
    assert reply[0]["status"] == 404
    assert (counts(sta)["Observation"], counts(sta)["Datastream"]) == (1, 1)
    post(sta, change_set(request("DELETE", f"Things({thing})", name="1")))
    assert (counts(sta)["Observation"], counts(sta)["Datastream"], counts(sta)["Thing"]) == (0, 0, 0)


def test_a_change_set_that_is_decided_waits_for_an_overloaded_store(sta: TestClient, town: Town) -> None:
    appender = town.store.observations._appender
    appender._count += 1_000_000  # as many wait as the queue takes
    (reply,) = post(sta, town_in_a_change_set())
    appender._count -= 1_000_000
    assert [r["status"] for r in reply] == [201, 201, 202, 202]
    assert counts(sta)["Observation"] == 0
    assert finish_left(town.store, town.clock()) == 1
    assert finish_left(town.store, town.clock()) == 0
    assert sorted(o["result"] for o in values(sta, "Observations")) == [1, 2]


DIES = """
import os, sys
from pathlib import Path
from typing import Any
from tests.sensorthings_town import client_of
from tests.standards.sensorthings.batch.requests import post, town_in_a_change_set
from beffroi.plugins import Registry
from beffroi.settings import load_settings
from beffroi.store.observations import Observations
from beffroi.store.open import Store
from beffroi.town import Town
from beffroi.model.instant import system_clock

when, settings = sys.argv[2], load_settings(Path(sys.argv[1]))
real = Observations.append

def append(self, drafts):
    if when == "after":
        real(self, drafts)
    os._exit(9)

store = Store.open(settings)
Observations.append = append
with client_of(Town(settings, store, Registry(()), system_clock)) as client:
    post(client, town_in_a_change_set())
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_that_dies_while_it_finishes_a_change_set_leaves_it_to_others(
    tmp_path: Path, when: str
) -> None:
    data = tmp_path / "town"
    command("init", "--data", str(data), "--name", "Essai")
    tree = Path(__file__).parents[4]
    environment = {**os.environ, "PYTHONPATH": f"{tree / 'src'}:{tree}"}
    died = subprocess.run(
        [sys.executable, "-c", DIES, str(data), when], check=False, cwd=tree, env=environment
    )
    assert died.returncode == 9
    store = Store.open(load_settings(data))
    try:
        late = store.clock() + 1
        assert finish_left(store, late) == 1
        assert finish_left(store, late) == 0
        (series,) = store.observations.stats()
        assert [o.result.json() for o in store.observations.series(series)] == ["1", "2"]
        assert store.verify() == []
    finally:
        store.close()


ROUNDS = 4
SERIES = {"observationType": "x", "unitOfMeasurement": {"name": "m", "symbol": "m", "definition": "m"}}


def write_groups(served: Served, mark: str, acknowledged: list[str]) -> None:
    """Send change sets that make a Thing, a series and three observations, until the server is silent."""
    n = 0
    while True:
        n += 1
        name = f"{mark}-{n}"
        series = station()["Datastreams"][0]
        requests = [
            {"id": "t", "method": "post", "url": "Things", "body": station(name=name, Datastreams=[])},
            {"id": "d", "method": "post", "url": "$t/Datastreams", "body": series},
            *(
                {"id": f"o{i}", "method": "post", "url": "$d/Observations", "body": {"result": i}}
                for i in range(3)
            ),
        ]
        body = {"requests": [{**one, "atomicityGroup": "g"} for one in requests]}
        status, answer = served.call("/sensorthings/v1.1/$batch", body)
        if status != 200:
            return
        assert {r["status"] for r in answer["responses"]} == {201}, answer
        acknowledged.append(name)


def test_killed_at_random_moments_no_change_set_is_half_done(tmp_path: Path) -> None:
    data = tmp_path / "town"
    command("init", "--data", str(data), "--name", "Essai")
    chance, acknowledged = random.Random(11), []  # type: ignore[var-annotated]
    for round_ in range(ROUNDS):
        served = Served(data, "--workers", "2")
        clients = [
            threading.Thread(target=write_groups, args=(served, f"{round_}-{c}", acknowledged))
            for c in range(3)
        ]
        for client in clients:
            client.start()
        clients[0].join(timeout=chance.uniform(0.2, 0.9))
        served.kill()
        for client in clients:
            client.join()
    store = Store.open(load_settings(data))
    try:
        finish_left(store, store.clock() + 1)
        town = Town(load_settings(data), store, Registry(()), store.clock)
        with client_of(town) as sta:
            expand = (
                "$select=name&$expand=Datastreams($select=id;$expand=Observations($select=result))&$top=10000"
            )
            things = {t["name"]: t["Datastreams"] for t in values(sta, f"Things?{expand}")}
        assert len(acknowledged) > 20
        assert set(acknowledged) <= things.keys()
        assert {json.dumps(sorted(o["result"] for o in d[0]["Observations"])) for d in things.values()} == {
            "[0, 1, 2]"
        }
        assert store.verify() == []
    finally:
        store.close()
