"""Where each value came from: every door leaves a trace that leads back, and nothing pays for it in the observations."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from starlette.testclient import TestClient
from tests.mqtt.test_town import Client, Serving, add_series, digits, free_port

from beffroi.app import create_app
from beffroi.connectors.schedule import run_once
from beffroi.connectors.source import Source
from beffroi.identity import keys
from beffroi.intake.files import import_files
from beffroi.intake.kinds import kind_called
from beffroi.intake.take import Intake
from beffroi.model.observation import Draft
from beffroi.model.principal import SYSTEM
from beffroi.model.result import number_of
from beffroi.store.open import Store
from beffroi.store.provenance import _packed, _runs_of, _unpacked
from beffroi.town import Town, open_town

TTN = {
    "end_device_ids": {"device_id": "lamp-1", "dev_eui": "A1", "application_ids": {"application_id": "eau"}},
    "uplink_message": {
        "f_cnt": 3, "f_port": 2, "frm_payload": "AQID", "decoded_payload": {"t": 1.50, "h": 40}, "received_at": "2026-03-01T10:00:00Z",
        "rx_metadata": [{"gateway_ids": {"gateway_id": "gw-1"}, "rssi": -71, "snr": 9.5}, {"gateway_ids": {"gateway_id": "gw-2"}, "rssi": -99}],
        "settings": {"data_rate": {"lora": {"bandwidth": 125000, "spreading_factor": 7, "coding_rate": "4/5"}}, "frequency": "868300000"},
        "version_ids": {"brand_id": "acme", "model_id": "t1", "firmware_version": "1.2"},
    },
}  # fmt: skip


class Desk:
    def __init__(self, folder: Path) -> None:
        (folder / "beffroi.toml").write_text('name = "Essai"\n', "utf-8")
        self.town: Town = open_town(folder)
        self.store = self.town.store
        self.http = TestClient(create_app(self.town), base_url="http://127.0.0.1", client=("127.0.0.1", 5))
        self.http.__enter__()
        self.keys = {
            role: keys.create(self.store, SYSTEM, role=role, name=f"clé {role}")[1]
            for role in ("device", "agent")
        }
        self.intake = Intake(self.store, self.town.registry.datastream_kind, self.town.registry.service_of)

    def post(self, path: str, body: Any, **headers: str) -> Any:
        return self.http.post(
            path, json=body, headers={"Authorization": f"Bearer {self.keys['device']}", **headers}
        )

    def told(self, number: int, role: str = "agent") -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.keys[role]}"} if role else {}
        answer = self.http.get(f"/sensorthings/v1.1/Observations({number})/Provenance", headers=headers)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def ids(self) -> list[int]:
        return [o.id for o in self.store.observations.after(0, 10_000)]

    def close(self) -> None:
        self.http.__exit__(None, None, None)
        self.town.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    opened = Desk(tmp_path)
    yield opened
    opened.close()


def test_an_uplink_leads_back_to_gateways_radio_decoder_and_bytes(desk: Desk) -> None:
    assert desk.post("/hooks/ttn/v3", TTN).json()["stored"] == 4  # t, h, rssi, snr
    for number in desk.ids():
        told = desk.told(number)
        assert (told["kind"], told["device"], told["application"], told["counter"]) == (
            "lorawan",
            "a1",
            "eau",
            3,
        )
        assert told["gateways"] == [{"id": "gw-1", "rssi": -71, "snr": 9.5}, {"id": "gw-2", "rssi": -99}]
        assert told["radio"] == {
            "frequency": 868300000,
            "spreadingFactor": 7,
            "bandwidth": 125000,
            "codingRate": "4/5",
            "port": 2,
        }
        assert (told["payload"], told["receivedAt"]) == ("AQID", "2026-03-01T10:00:00Z")
        assert told["decoder"]["name"] == "The Things Stack 1.2"
        assert told["decoder"]["profile"] == "acme t1"
    assert desk.store.provenance.of(max(desk.ids()) + 1) is None


def test_a_citizen_reads_neither_keys_nor_gateways_nor_bytes(desk: Desk) -> None:
    desk.post("/hooks/ttn/v3", TTN)
    (number, *_) = desk.ids()
    assert (
        desk.http.get(f"/sensorthings/v1.1/Observations({number})/Provenance").status_code == 404
    )  # not approved yet
    with desk.store.write() as c:
        from beffroi.store.tables import thing

        c.execute(thing.update().values(approved=1))
        from beffroi.store.catalogue import touch

        touch(c)
    told = desk.told(number, "")
    assert told["device"] == "a1"
    assert not {"gateways", "radio", "payload", "key", "name"} & told.keys()


def test_an_uplink_whose_trace_was_lost_gets_it_when_it_comes_again(desk: Desk) -> None:
    desk.post("/hooks/ttn/v3", TTN)
    desk.store.provenance.forget(2**62)  # as if the end had come between the two writings
    assert desk.told(desk.ids()[0])["kind"] is None
    assert desk.post("/hooks/ttn/v3", TTN).json() == {"stored": 0, "unchanged": 4}
    assert [desk.told(number)["device"] for number in desk.ids()] == ["a1"] * 4


def test_posts_and_messages_are_told_apart_whoever_sent_between(desk: Desk) -> None:
    series = add_series(desk.store)
    serving = Serving(desk.town, free_port())
    assert serving.ready.wait(10)
    device = Client(serving.port, desk.keys["device"])
    path = f"/sensorthings/v1.1/Datastreams({series})/Observations"
    for i in range(6):
        if i % 2:
            assert (
                device.publish(f"v1.1/Datastreams({series})/Observations", f'{{"result": {i}}}') == "Success"
            )
        else:
            assert desk.post(path, {"result": i}).status_code == 201
    array = [
        {"Datastream": {"@iot.id": series}, "components": ["result"], "dataArray": [[n] for n in range(50)]}
    ]
    desk.http.post(
        "/sensorthings/v1.1/CreateObservations",
        json=array,
        headers={"Authorization": f"Bearer {desk.keys['agent']}"},
    )
    desk.store.provenance.flush()
    told = [desk.told(number) for number in desk.ids()]
    assert [one["kind"] for one in told] == ["http", "mqtt"] * 3 + ["http"] * 50
    assert [one["name"] for one in told] == ["clé device"] * 6 + ["clé agent"] * 50
    assert {one.get("client") for one in told[1:6:2]} == {device_name(told)}
    device.leave()
    serving.close()


def device_name(told: list[dict[str, Any]]) -> str:
    name = told[1]["client"]
    assert name.startswith("beffroi-")  # a client without a name gets one
    return str(name)


def test_a_file_leads_back_to_its_line(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "mesures.csv"
    file.write_text(
        "date;valeur\n2026-01-01T00:00:00Z;1\nx;2\n2026-01-01T02:00:00Z;3\n2026-01-01T03:00:00Z;4\n", "utf-8"
    )
    kind = kind_called("csv", ())
    report = import_files(desk.intake, kind, [file], {})
    assert (report.stored, report.rejected) == (3, 1)
    import hashlib

    told = [desk.told(number) for number in desk.ids()]
    assert [(one["kind"], one["file"], one["line"]) for one in told] == [
        ("file", "mesures.csv", n) for n in (2, 4, 5)
    ]
    assert {one["sha256"] for one in told} == {hashlib.sha256(file.read_bytes()).hexdigest()}


def test_a_polled_value_leads_back_to_its_source_without_the_secret_of_the_address(desk: Desk) -> None:
    body = b"date;valeur\n2026-01-01T00:00:00Z;7\n"

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/a.csv"
    state = run_once(desk.intake, Source("portail", "csv", url + "?key=secret"))
    server.shutdown()
    server.server_close()
    assert (state.error, state.stored) == (None, 1)
    told = desk.told(desk.ids()[0])
    assert (told["kind"], told["source"], told["url"]) == ("connector", "portail", url)
    assert told["fetchedAt"]


def test_it_is_kept_across_sealing_and_restart_and_goes_after_its_time(store: Store) -> None:
    from beffroi.store.tables import provenance

    series = add_series(store)
    ids = store.observations.append([Draft(series, i, number_of("1")) for i in range(3)]).ids
    store.provenance.gather(("http", "token:1", "a"), ids[:2])
    store.provenance.gather(("mqtt", "token:2", "b", "c", ""), ids[2:])
    store.provenance.close()
    assert [store.provenance.of(i or 0).told for i in ids] == [  # type: ignore[union-attr]
        {"key": "token:1", "name": "a"}] * 2 + [{"key": "token:2", "name": "b", "client": "c"}]  # fmt: skip
    with store.read() as c:
        assert len(c.execute(provenance.select()).all()) == 1
    assert store.provenance.forget(store.clock() + 1) == 1
    assert store.provenance.of(ids[0] or 0) is None


@given(st.lists(st.integers(1, 10**6), unique=True).map(sorted))
def test_runs_read_back(ids: list[int]) -> None:
    runs = _runs_of(ids)
    assert _unpacked(_packed(runs)) == runs
    assert [first + i for first, n, _ in runs for i in range(n)] == ids


def test_the_page_says_it_in_words(desk: Desk) -> None:
    desk.post("/hooks/ttn/v3", TTN)
    page: Callable[..., Any] = lambda **more: desk.http.get(  # noqa: E731
        f"/mesures/{desk.ids()[0]}",
        params=more,
        headers={"Authorization": f"Bearer {desk.keys['agent']}", "Accept": "text/html"},
    )
    french, english = page(), page(lang="en")
    for text, words in ((french.text, ("Message d&#39;un appareil LoRaWAN", "gw-1", "868,3\u00a0MHz", "AQID", "The Things Stack 1.2")),
                        (english.text, ("Message of a LoRaWAN device", "Where this value comes from"))):  # fmt: skip
        assert [w for w in words if w not in text] == []
    assert desk.http.get("/mesures/999").status_code == 404
    assert json.loads(desk.http.get("/mesures/999", headers={"Accept": "application/json"}).text)
    assert digits(desk.town, 1) == ["1.5"]
