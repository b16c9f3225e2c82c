"""Webhooks of LoRaWAN servers: devices announce themselves, gateways and redeliveries fold, bad bodies are told."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from starlette.testclient import TestClient
from tests.towns import town_at

from beffroi.app import create_app
from beffroi.identity import keys
from beffroi.model.principal import SYSTEM
from beffroi.store.tables import datastream, thing
from beffroi.town import Town, open_town

TTN, CHIRPSTACK = "/hooks/ttn/v3", "/hooks/chirpstack/v4"


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    town_at(tmp_path, "Essai", email="")
    opened = open_town(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def client(town: Town) -> Iterator[TestClient]:
    _, secret = keys.create(town.store, SYSTEM, role="device", name="ttn")
    with TestClient(create_app(town), headers={"Authorization": f"Bearer {secret}"}) as opened:
        yield opened


def ttn(decoded: Any, eui: str = "24E124136B502217", count: int = 1, gateway: str = "gw-1") -> dict[str, Any]:
    return {
        "end_device_ids": {"device_id": "salle-3", "dev_eui": eui, "application_ids": {"application_id": "ecole"}},
        "uplink_message": {
            "session_key_id": "AY", "f_cnt": count, "frm_payload": "AQ==", "decoded_payload": decoded,
            "received_at": "2026-11-22T09:00:00.5Z",
            "rx_metadata": [{"gateway_ids": {"gateway_id": gateway}, "rssi": -97, "snr": 7.5}],
        },
    }  # fmt: skip


def chirpstack(decoded: Any, count: int = 1) -> dict[str, Any]:
    return {
        "deviceInfo": {"deviceName": "salle-3", "devEui": "24e124136b502217"}, "devAddr": "0189", "fCnt": count,
        "time": "2026-11-22T09:00:00.5+00:00", "data": "AQ==", "object": decoded, "rxInfo": [{"rssi": -97, "snr": 7.5}],
    }  # fmt: skip


def series(town: Town) -> dict[str, list[str]]:
    with town.store.read() as connection:
        known = connection.execute(select(datastream.c.key, datastream.c.id)).all()
    return {key: [o.result.json() for o in town.store.observations.series(number)] for key, number in known}


def test_an_unknown_device_becomes_a_thing_awaiting_approval(client: TestClient, town: Town) -> None:
    answer = client.post(TTN, json=ttn({"temperature": 27.5, "door": "open", "deep": {"on": True}}))
    assert (answer.status_code, answer.json()) == (200, {"stored": 5, "unchanged": 0})
    key = "lora/24e124136b502217"
    assert series(town) == {
        f"{key}/temperature": ["27.5"], f"{key}/door": ['"open"'], f"{key}/deep.on": ["true"],
        f"{key}/rssi": ["-97"], f"{key}/snr": ["7.5"],
    }  # fmt: skip
    with town.store.read() as connection:
        made = connection.execute(select(thing.c.name, thing.c.approved, thing.c.key)).all()
    assert made == [("salle-3", 0, key)]


def test_gateways_and_redeliveries_fold_and_the_next_uplink_does_not(client: TestClient, town: Town) -> None:
    for delivery in (ttn({"t": 1}), ttn({"t": 1}), ttn({"t": 1}, gateway="gw-2")):
        answer = client.post(TTN, json=delivery)
    assert answer.json() == {"stored": 0, "unchanged": 3}
    assert client.post(TTN, json=ttn({"t": 1}, count=2)).json()["stored"] == 3
    assert series(town)["lora/24e124136b502217/t"] == ["1", "1"]


def test_both_servers_feed_the_same_thing(client: TestClient, town: Town) -> None:
    client.post(TTN, json=ttn({"t": 1}))
    client.post(CHIRPSTACK, params={"event": "up"}, json=chirpstack({"t": 2}))
    status = {**chirpstack(None), "batteryLevel": 88.5, "margin": 12}
    assert client.post(CHIRPSTACK, params={"event": "status"}, json=status).json()["stored"] == 4
    assert client.post(CHIRPSTACK, params={"event": "join"}, json=chirpstack(None)).json()["ignored"]
    found = series(town)
    assert found["lora/24e124136b502217/t"] == ["1", "2"]
    assert found["lora/24e124136b502217/battery"] == ["88.5"]


@pytest.mark.parametrize("path", [TTN, CHIRPSTACK])
def test_every_real_payload_comes_in_by_webhook(
    client: TestClient, town: Town, shared: Path, path: str
) -> None:
    lines = (shared / "data/sensors/lorawan_milesight_payloads.jsonl").read_text().splitlines()
    wanted: dict[str, list[str]] = {}
    for count, line in enumerate(lines):
        example = json.loads(line)
        eui = example["device"].replace("-", "")
        body = ttn(example["decoded"], eui, count) if path == TTN else chirpstack(example["decoded"], count)
        if path == CHIRPSTACK:
            body["deviceInfo"]["devEui"] = eui
        answer = client.post(path, json=body)
        assert (answer.status_code, answer.json()["unchanged"]) == (200, 0), line
        for key, value in example["decoded"].items():
            if not isinstance(value, dict | list):
                wanted.setdefault(f"lora/{eui}/{key}", []).append(json.dumps(value))
    found = series(town)
    for key, values in wanted.items():
        assert all(found[key].count(v) >= values.count(v) for v in values), key


def test_without_a_key_nothing_comes_in(town: Town) -> None:
    with TestClient(create_app(town)) as open_client:
        assert open_client.post(TTN, json=ttn({"t": 1})).status_code == 401
        wrong = open_client.post(TTN, json=ttn({"t": 1}), headers={"Authorization": "Bearer nothing"})
        assert wrong.status_code == 401
    _, secret = keys.create(town.store, SYSTEM, role="elu", name="élue")
    with TestClient(create_app(town), headers={"Authorization": f"Bearer {secret}"}) as reader:
        assert reader.post(TTN, json=ttn({"t": 1})).status_code == 403
    assert series(town) == {}


@pytest.mark.parametrize(
    ("body", "status", "place"),
    [
        (b"", 400, "/"),
        (b"{", 400, "/"),
        (b'{"end_device_ids": {"dev_eui": "a"}, "uplink_message": {"decoded_payload": [1]}}', 400, "/uplink_message/decoded_payload"),
        (b'{"end_device_ids": {"dev_eui": ["a"]}}', 400, "/end_device_ids/dev_eui"),
        (b"x" * (1 << 20) + b"x", 413, ""),
    ],
)  # fmt: skip
def test_a_wrong_body_is_told_with_its_place(
    client: TestClient, body: bytes, status: int, place: str
) -> None:
    answer = client.post(TTN, content=body)
    assert (answer.status_code, answer.json()["place"]) == (status, place)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ANY, st.sampled_from(["decoded", "body"]))
def test_no_body_is_a_fault_of_ours(client: TestClient, value: Any, where: str) -> None:
    body = json.dumps(ttn(value) if where == "decoded" else value).encode()
    for path in (TTN, CHIRPSTACK):
        assert client.post(path, content=body).status_code in (200, 400)
