"""Tasking over HTTP, MQTT and LoRaWAN: each command to a device that answers, or does not."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.mqtt.test_town import Client, Serving, free_port, until
from tests.sensorthings_town import made, station

from beffroi.app import create_app
from beffroi.connectors.tasking import MOST_TRIES, Ways, send_due
from beffroi.identity import keys
from beffroi.model.principal import SYSTEM
from beffroi.settings import load_settings
from beffroi.store import tables
from beffroi.town import Town, open_town

ROOT = "http://127.0.0.1"
ACTUATOR = {
    "name": "Relais",
    "description": "relais d'éclairage",
    "encodingType": "text/html",
    "metadata": "http://a.test/r",
}
PARAMETERS = {
    "type": "DataRecord",
    "field": [
        {"name": "level", "label": "Niveau", "type": "Count", "uom": {"code": "%"},
         "constraint": {"type": "AllowedValues", "interval": [[0, 100]]}},
        {"name": "mode", "type": "Category", "optional": True, "constraint": {"type": "AllowedTokens", "value": ["fixe", "nuit"]}},
    ],
}  # fmt: skip


class Network:
    """A local replica of a LoRaWAN network server's queue of downlinks."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.status, self.answer = 200, b"{}"
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.asked.append((self.path, dict(self.headers), json.loads(body)))
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(outer.answer)))
                self.end_headers()
                self.wfile.write(outer.answer)

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"


class Desk:
    """A town with two LoRaWAN networks, keys of each role, a clock that can be moved."""

    def __init__(self, folder: Path, network: Network) -> None:
        (folder / "beffroi.toml").write_text(
            f"""name = "Essai"
[[lorawan]]
name = "ttn"
kind = "ttn"
url = "{network.url}"
key = "NNSXS.secret"
application = "eclairage"
[[lorawan]]
name = "chirp"
kind = "chirpstack"
url = "{network.url}"
key = "chirp.secret"
""",
            "utf-8",
        )
        self.late_us = 0
        real = open_town(folder)
        self.town: Town = real
        clock = real.clock
        real.clock = lambda: clock() + self.late_us
        real.store.clock = real.clock
        self.http = TestClient(create_app(real), base_url=ROOT, client=("127.0.0.1", 50_000))
        self.http.__enter__()
        self.keys = {
            role: keys.create(real.store, SYSTEM, role=role, name=role)[1]
            for role in ("device", "agent", "responsable", "elu")
        }
        self.thing = self.make("Things", station(name="Lampadaire 12"))
        self.command: Any = None

    def call(
        self, method: str, path: str, body: Any = None, role: str = "responsable", **headers: str
    ) -> Any:
        sent = {"Authorization": f"Bearer {self.keys[role]}"} if role else {}
        return self.http.request(method, f"/sensorthings/v1.1/{path}", json=body, headers=sent | headers)

    def make(self, path: str, body: Any, role: str = "responsable") -> int:
        return made(self.call("POST", path, body, role))

    def capability(self, **properties: Any) -> int:
        own = properties.pop("own", {})
        body = {
            "name": "Gradation", "description": "niveau de la lampe", "taskingParameters": PARAMETERS, "properties": properties,
            "Actuator": {**ACTUATOR, "properties": own}, "Thing": {"@iot.id": self.thing},
        }  # fmt: skip
        return self.make("TaskingCapabilities", body)

    def task(self, capability: int, level: Any = 40, role: str = "agent", **headers: str) -> int:
        return made(
            self.call(
                "POST",
                f"TaskingCapabilities({capability})/Tasks",
                {"taskingParameters": {"level": level}},
                role,
                **headers,
            )
        )

    def state(self, task: int) -> str:
        return str(self.call("GET", f"Tasks({task})").json()["status"])

    def steps(self, task: int) -> list[str]:
        with self.town.store.read() as c:
            text = c.execute(tables.task.select().where(tables.task.c.id == task)).one().steps
        return [step[0] for step in json.loads(text)]

    def send(self) -> int:
        return send_due(
            self.town.store, Ways(lambda: self.command, load_settings(self.town.settings.data).lorawan)
        )

    def close(self) -> None:
        self.http.__exit__(None, None, None)
        self.town.close()


@pytest.fixture
def network() -> Iterator[Network]:
    opened = Network()
    yield opened
    opened.server.shutdown()
    opened.server.server_close()


@pytest.fixture
def desk(tmp_path: Path, network: Network) -> Iterator[Desk]:
    opened = Desk(tmp_path, network)
    yield opened
    opened.close()


def test_a_thing_shows_what_it_can_be_told_and_what_it_was_told(desk: Desk) -> None:
    capability = desk.capability()
    task = desk.task(capability, 40)
    expand = "TaskingCapabilities($expand=Actuator($select=name),Tasks($select=taskingParameters,status))"
    thing = desk.call("GET", f"Things({desk.thing})?$expand={expand}").json()
    (shown,) = thing["TaskingCapabilities"]
    assert (shown["taskingParameters"], shown["Actuator"]) == (PARAMETERS, {"name": "Relais"})
    assert shown["Tasks"] == [{"taskingParameters": {"level": 40}, "status": "created"}]
    assert desk.call("GET", f"Tasks({task})/TaskingCapability/Thing").json()["name"] == "Lampadaire 12"
    assert (
        desk.call("GET", "Actuators?$filter=TaskingCapabilities/Thing/name eq 'Lampadaire 12'").json()[
            "value"
        ][0]["name"]
        == "Relais"
    )
    citizen = desk.call("GET", f"Things({desk.thing})?$expand={expand}", role="").json()
    assert citizen["TaskingCapabilities"][0]["Tasks"] == []  # commands are the town's own business
    root = desk.call("GET", "").json()
    assert [one["name"] for one in root["serverSettings"]["tasking"]] == [
        "Actuators",
        "TaskingCapabilities",
        "Tasks",
    ]
    assert (
        "http://www.opengis.net/spec/iot_tasking/1.0/req/create-tasks/task-creation"
        in root["serverSettings"]["conformance"]
    )


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"level": 101}, "/taskingParameters/level"), ({"level": 1.5}, "/taskingParameters/level"), ({"level": "40"}, "/taskingParameters/level"),
        ({"level": True}, "/taskingParameters/level"), ({}, "/taskingParameters/level"), ({"level": 1, "x": 2}, "/taskingParameters/x"),
        ({"level": 1, "mode": "jour"}, "/taskingParameters/mode"), ([], "/taskingParameters"), (None, "/taskingParameters"),
    ],
)  # fmt: skip
def test_what_may_not_be_said_is_refused_where_it_is(desk: Desk, given: Any, place: str) -> None:
    capability = desk.capability()
    answer = desk.call(
        "POST", f"TaskingCapabilities({capability})/Tasks", {"taskingParameters": given}, "agent"
    )
    assert (answer.status_code, answer.json()["place"]) == (400, place)
    assert desk.call("GET", "Tasks").json()["value"] == []


@pytest.mark.parametrize(
    ("told", "place"),
    [
        ({"type": "DataRecord"}, "/taskingParameters/field"), ({"type": "Magic"}, "/taskingParameters/type"),
        ({"type": "DataRecord", "field": [{"name": "a", "type": "Text", "constraint": {"pattern": "("}}]},
         "/taskingParameters/field/0/constraint/pattern"),
        ({"type": "DataRecord", "field": [{"name": "a", "type": "Count"}] * 2}, "/taskingParameters/field"),
    ],
)  # fmt: skip
def test_a_capability_that_says_nothing_is_refused(desk: Desk, told: Any, place: str) -> None:
    body = {
        "name": "n",
        "description": "d",
        "taskingParameters": told,
        "Actuator": ACTUATOR,
        "Thing": {"@iot.id": desk.thing},
    }
    answer = desk.call("POST", "TaskingCapabilities", body)
    assert (answer.status_code, answer.json()["place"]) == (400, place)


def test_each_role_does_what_it_may(desk: Desk) -> None:
    agents, managers = desk.capability(), desk.capability(role="responsable")
    body = {"taskingParameters": {"level": 1}}
    found = {
        (role, number): desk.call("POST", f"TaskingCapabilities({number})/Tasks", body, role).status_code
        for role in ("", "elu", "device", "agent", "responsable") for number in (agents, managers)
    }  # fmt: skip
    assert [code for code in found.values()] == [401, 401, 403, 403, 403, 403, 201, 403, 201, 201]  # noqa: C416
    for role in ("device", "agent"):
        assert desk.call("POST", "Actuators", ACTUATOR, role).status_code == 403
        assert (
            desk.call("PATCH", f"TaskingCapabilities({managers})", {"properties": {}}, role).status_code
            == 403
        )
    assert desk.call("PATCH", f"TaskingCapabilities({managers})", {"properties": {}}).status_code == 200
    assert desk.call("POST", f"TaskingCapabilities({managers})/Tasks", body, "agent").status_code == 201
    assert desk.call("DELETE", f"TaskingCapabilities({managers})", role="agent").status_code == 403
    assert desk.call("DELETE", f"TaskingCapabilities({managers})").status_code == 200


def test_a_command_sent_twice_under_its_key_is_one(desk: Desk) -> None:
    capability = desk.capability()
    numbers = [desk.task(capability, 40, **{"Idempotency-Key": "a"}) for _ in range(2)]
    assert numbers[0] == numbers[1] != desk.task(capability, 40, **{"Idempotency-Key": "b"})


def test_an_actuator_takes_so_many_commands_a_minute(desk: Desk) -> None:
    capability = desk.capability(own={"perMinute": 2})
    for _ in range(2):
        desk.task(capability)
    answer = desk.call(
        "POST", f"TaskingCapabilities({capability})/Tasks", {"taskingParameters": {"level": 1}}, "agent"
    )
    assert answer.status_code == 429
    desk.late_us = 61_000_000
    desk.task(capability)


def test_cancel_try_again_and_what_cannot_be(desk: Desk) -> None:
    capability = desk.capability()
    task = desk.task(capability)
    assert desk.call("PATCH", f"Tasks({task})", {"status": "cancelled"}, "device").status_code == 403
    assert (
        desk.call("PATCH", f"Tasks({task})", {"status": "cancelled"}, "agent").json()["status"] == "cancelled"
    )
    assert desk.call("PATCH", f"Tasks({task})", {"status": "done"}, "device").status_code == 409
    assert desk.send() == 0
    late = desk.task(capability)
    desk.late_us = 10 * 60_000_000
    desk.send()
    assert desk.state(late) == "expired"
    assert desk.call("PATCH", f"Tasks({late})", {"status": "created"}, "agent").json()["status"] == "created"
    assert desk.steps(late) == ["created", "expired", "created"]
    for body in ({"status": "odd"}, {"taskingParameters": {"level": 2}}):
        assert desk.call("PATCH", f"Tasks({late})", body, "agent").status_code == 400
    assert desk.call("PATCH", "Tasks(99)", {"status": "done"}, "agent").status_code == 404
    with desk.town.store.read() as c:
        told = [
            row.action
            for row in c.execute(tables.audit.select().order_by(tables.audit.c.number))
            if row.action.startswith("task.")
        ]
    assert told == ["task.create", "task.cancelled", "task.create", "task.expired", "task.created"]


def test_until_when_it_is_worth_sending(desk: Desk) -> None:
    capability = desk.capability()
    body = {"taskingParameters": {"level": 1}, "validUntil": "2001-01-01T00:00:00Z"}
    answer = desk.call("POST", f"TaskingCapabilities({capability})/Tasks", body, "agent")
    assert (answer.status_code, answer.json()["place"]) == (400, "/validUntil")


# --- MQTT


def test_a_device_is_commanded_over_mqtt_and_answers(desk: Desk) -> None:
    holder: list[Any] = []
    serving = Serving(desk.town, free_port(), commander=holder.append)
    assert serving.ready.wait(10)
    until(lambda: holder)
    desk.command = holder[0]
    capability = desk.capability()
    task = desk.task(capability, 40)
    assert desk.send() == 0  # nobody listens: it waits
    desk.late_us = 6_000_000
    device = Client(serving.port, desk.keys["device"]).subscribe(
        f"things/{desk.thing}/commands", f"v1.1/TaskingCapabilities({capability})/Tasks"
    )
    nobody = Client(serving.port).subscribe("things/#", "v1.1/Tasks")
    assert desk.send() == 1
    plain, standard = f"things/{desk.thing}/commands", f"v1.1/TaskingCapabilities({capability})/Tasks"
    until(lambda: {topic for topic, _, _ in device.heard} == {plain, standard})
    message = next(body for topic, body, _ in device.heard if topic == plain)
    assert (message["task"], message["parameters"], message["name"]) == (task, {"level": 40}, "Gradation")

    def statuses() -> list[str]:
        return [b["status"] for t, b, _ in device.heard if t == standard]

    until(lambda: statuses()[-1:] == ["sent"])
    assert statuses() in (["sent"], ["created", "sent"])  # the creation is told late on a busy machine
    assert device.publish(f"tasks/{task}/state", "acknowledged") == "Success"
    assert device.publish(f"tasks/{task}/state", '{"state": "done"}') == "Success"
    assert (
        device.publish(f"tasks/{task}/state", "sent") == "Payload format invalid"
    )  # what is done stays done
    assert desk.steps(task) == ["created", "sent", "acknowledged", "done"]
    agent = Client(serving.port, desk.keys["agent"])
    assert (
        agent.publish(f"v1.1/TaskingCapabilities({capability})/Tasks", '{"taskingParameters": {"level": 5}}')
        == "Success"
    )
    assert agent.publish("v1.1/Tasks", f'{{"taskingParameters": {{"level": 500}}, "TaskingCapability": {{"@iot.id": {capability}}}}}') == (
        "Payload format invalid"
    )  # fmt: skip
    assert (
        device.publish(f"v1.1/TaskingCapabilities({capability})/Tasks", '{"taskingParameters": {"level": 5}}')
        == "Not authorized"
    )
    assert nobody.heard == []
    for one in (device, agent, nobody):
        one.leave()
    serving.close()


# --- LoRaWAN


def test_the_things_stack_is_asked_and_tells_what_became_of_it(desk: Desk, network: Network) -> None:
    told = {"network": "ttn", "device": "lamp-12", "port": 15, "frame": "07{level:2x}"}
    task = desk.task(desk.capability(lorawan=told), 40)
    assert desk.send() == 1
    ((path, headers, body),) = network.asked
    assert (path, headers["Authorization"]) == (
        "/api/v3/as/applications/eclairage/devices/lamp-12/down/push",
        "Bearer NNSXS.secret",
    )
    assert body == {"downlinks": [{"f_port": 15, "confirmed": True, "priority": "NORMAL", "frm_payload": "Byg=",
                                   "correlation_ids": [f"beffroi:task:{task}"]}]}  # fmt: skip
    event = {
        "end_device_ids": {"device_id": "lamp-12", "dev_eui": "A1"},
        "correlation_ids": [f"beffroi:task:{task}", "as:x"],
    }
    for name in ("downlink_sent", "downlink_ack"):
        answer = desk.http.post(
            "/hooks/ttn/v3",
            json={**event, name: {"f_port": 15}},
            headers={"Authorization": f"Bearer {desk.keys['device']}"},
        )
        assert answer.json() == {"stored": 0, "unchanged": 0, "ignored": False}
    assert desk.steps(task) == ["created", "sent", "acknowledged"]


def test_an_uplink_that_repeats_what_was_said_is_the_answer(desk: Desk, network: Network) -> None:
    device = {"Authorization": f"Bearer {desk.keys['device']}"}

    def uplink(counter: int, level: int) -> None:
        body = {
            "deviceInfo": {"devEui": "a1b2", "deviceName": "lampe"},
            "fCnt": counter,
            "object": {"dim": level},
        }
        assert desk.http.post("/hooks/chirpstack/v4?event=up", json=body, headers=device).status_code == 200

    uplink(1, 100)
    with desk.town.store.read() as c:
        desk.thing = c.execute(tables.thing.select().where(tables.thing.c.key == "lora/a1b2")).one().id
    network.answer = b'{"id": "8fca"}'
    told = {"network": "chirp", "port": 10, "done": {"level": "dim"}}
    task = desk.task(desk.capability(lorawan=told), 40)
    desk.send()
    path, headers, body = network.asked[0]
    assert (path, headers["Grpc-Metadata-Authorization"]) == (
        "/api/devices/a1b2/queue",
        "Bearer chirp.secret",
    )
    assert body == {"queueItem": {"confirmed": True, "fPort": 10, "object": {"level": 40}}}
    ack = {"deviceInfo": {"devEui": "a1b2"}, "queueItemId": "8fca", "acknowledged": True}
    assert (
        desk.http.post("/hooks/chirpstack/v4?event=ack", json=ack, headers=device).json()["ignored"] is False
    )
    uplink(2, 100)
    assert desk.state(task) == "acknowledged"
    uplink(3, 40)
    assert desk.steps(task) == ["created", "sent", "acknowledged", "done"]


def test_a_network_that_is_away_is_asked_again_and_one_that_refuses_is_not(
    desk: Desk, network: Network
) -> None:
    capability = desk.capability(lorawan={"network": "ttn"}, timeout=86_400)
    away, refused = desk.task(capability), 0
    network.status = 503
    for tries in range(1, MOST_TRIES + 1):
        desk.send()
        assert len(network.asked) == tries
        desk.send()
        assert len(network.asked) == tries  # not before its time
        desk.late_us += 5_000_000 * 2**tries
    assert desk.state(away) == "failed"
    assert len({json.dumps(body) for _, _, body in network.asked}) == 1
    network.status = 404
    refused = desk.task(capability)
    desk.send()
    assert desk.state(refused) == "failed"
    assert (
        desk.call("GET", f"Tasks({refused})")
        .json()["statusMessage"]
        .startswith("the LoRaWAN server answers 404")
    )
    network.status = 200
    assert desk.call("PATCH", f"Tasks({refused})", {"status": "created"}, "agent").status_code == 200
    desk.send()
    assert desk.state(refused) == "sent"


@pytest.mark.parametrize(
    "told",
    [{"network": "nowhere"}, {"network": "ttn", "frame": "zz"}, {"network": "ttn", "frame": "{level:1x}"}],
)
def test_a_capability_that_cannot_be_sent_fails_with_its_reason(desk: Desk, told: Any) -> None:
    task = desk.task(desk.capability(lorawan=told), 40)
    desk.send()
    assert desk.state(task) == "failed"
    assert desk.call("GET", f"Tasks({task})").json()["statusMessage"]


def test_a_device_that_never_answers_is_done_once_told(desk: Desk, network: Network) -> None:
    task = desk.task(desk.capability(lorawan={"network": "ttn"}, acknowledged=False))
    desk.send()
    assert desk.steps(task) == ["created", "sent", "done"]
