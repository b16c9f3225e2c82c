"""MQTT of a town: real broker, real store, clients of others."""

import asyncio
import json
import logging
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from sqlalchemy import select, update

from beffroi.identity import keys
from beffroi.model.observation import Draft
from beffroi.model.principal import SYSTEM
from beffroi.model.result import number_of
from beffroi.mqtt.service import serve_mqtt
from beffroi.settings import load_settings
from beffroi.store import catalogue, tables
from beffroi.store.catalogue import Link, New, create
from beffroi.store.open import Store
from beffroi.town import Town, open_town


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], object], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def add_series(store: Store, *, approved: int = 1) -> int:
    place = New("location", {
        "name": "l", "description": "l", "encoding_type": "application/geo+json",
        "location": '{"type": "Point", "coordinates": [-2, 47]}',
    })  # fmt: skip
    series = New(
        "datastream",
        {"name": "s", "description": "s", "observation_type": "x", "unit_symbol": "°C"},
        belongs={
            "sensor_id": New(
                "sensor", {"name": "c", "description": "c", "encoding_type": "x", "metadata": "m"}
            ),
            "observed_property_id": New(
                "observed_property", {"name": "p", "definition": "", "description": ""}
            ),
        },
    )
    owner = New("thing", {"name": "t", "description": "t", "approved": approved}, has=[("thing_id", series)],
                linked=[(Link("thing_location", "thing_id", "location_id"), place)])  # fmt: skip
    with store.write() as connection:
        made = create(store, connection, owner)
        found = select(tables.datastream.c.id).where(tables.datastream.c.thing_id == made.id)
        return int(connection.execute(found).scalar_one())


class Serving:
    """`serve_mqtt` on an event loop of its own thread."""

    def __init__(
        self,
        town: Town,
        port: int,
        *,
        open_writes: bool = False,
        commander: Callable[[Any], None] = lambda _: None,
    ) -> None:
        self.port = port
        self.publish: Any = None
        self.ready = threading.Event()
        self.loop = asyncio.new_event_loop()
        self.task = self.loop.create_task(
            serve_mqtt(
                town, "127.0.0.1", port, open_writes=open_writes, ready=self._ready, commander=commander
            )
        )
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _ready(self, _port: int, publish: Any) -> None:
        self.publish = publish
        self.ready.set()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(self.task)
        except asyncio.CancelledError:
            pass
        finally:
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()

    def close(self) -> None:
        if self.thread.is_alive():
            self.loop.call_soon_threadsafe(self.task.cancel)
        self.thread.join(20)
        assert not self.thread.is_alive()


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    (tmp_path / "beffroi.toml").write_text('name = "Essai"\nbase_url = "https://ville.example"\n', "utf-8")
    opened = open_town(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def serving(town: Town) -> Iterator[Serving]:
    opened = Serving(town, free_port())
    assert opened.ready.wait(10)
    yield opened
    opened.close()


@pytest.fixture
def key(town: Town) -> str:
    return keys.create(town.store, SYSTEM, role="device", name="d")[1]


class Client:
    def __init__(self, port: int, key: str = "", *, level: int = 5) -> None:
        self.paho = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion(level))
        self.heard: list[tuple[str, Any, bool]] = []
        self.codes: list[str] = []
        self._ready, self._subscribed = threading.Event(), threading.Event()
        self.paho.on_connect = lambda *_: self._ready.set()
        self.paho.on_subscribe = lambda *_: self._subscribed.set()
        self.paho.on_message = lambda _c, _u, m: self.heard.append(
            (m.topic, json.loads(m.payload), bool(m.retain))
        )
        self.paho.on_publish = lambda _c, _u, _m, code, _p: self.codes.append(str(code))
        self.paho.max_inflight_messages_set(500)
        if key:
            self.paho.username_pw_set("device", key)
        self.paho.connect("127.0.0.1", port)
        self.paho.loop_start()
        assert self._ready.wait(10)

    def subscribe(self, *topics: str) -> "Client":
        self.paho.subscribe([(topic, 1) for topic in topics])
        assert self._subscribed.wait(10)
        return self

    def publish(self, topic: str, body: str, qos: int = 1) -> str:
        before = len(self.codes)
        self.paho.publish(topic, body, qos)
        until(lambda: len(self.codes) > before)
        return self.codes[-1]

    def leave(self) -> None:
        self.paho.disconnect()
        self.paho.loop_stop()


@pytest.fixture
def client(serving: Serving) -> Iterator[Callable[..., Client]]:
    opened: list[Client] = []

    def make(key: str = "", **options: Any) -> Client:
        opened.append(Client(serving.port, key, **options))
        return opened[-1]

    yield make
    for one in opened:
        one.leave()


Make = Callable[..., Client]


def digits(town: Town, series: int) -> list[str]:
    return [o.result.json() for o in town.store.observations.series(series)]


def test_an_observation_is_on_disk_when_it_is_confirmed_and_everybody_hears_it(
    town: Town, client: Make, key: str
) -> None:
    series = add_series(town.store)
    topics = (
        f"v1.1/Datastreams({series})/Observations",
        "v1.1/Observations?$select=result",
        "v1.1/+/Observations",
    )
    reader = client().subscribe(*topics)
    writer = client(key)
    assert (
        writer.publish(topics[0], '{"result": 21.50, "phenomenonTime": "2026-11-22T10:00:00+01:00"}')
        == "Success"
    )
    assert digits(town, series) == ["21.50"]
    assert (
        writer.publish("v1.1/Observations", f'{{"result": 22, "Datastream": {{"@iot.id": {series}}}}}')
        == "Success"
    )
    until(lambda: len(reader.heard) == 6)
    first = next(body for topic, body, _ in reader.heard if topic == topics[0])
    assert (first["phenomenonTime"], first["result"]) == ("2026-11-22T09:00:00Z", 21.5)
    assert first["@iot.selfLink"].startswith("https://ville.example/sensorthings/v1.1/Observations(")
    assert [body for topic, body, _ in reader.heard if "select" in topic] == [
        {"result": 21.5},
        {"result": 22},
    ]


def test_a_multidatastream_is_filled_and_heard_by_its_own_name(town: Town, client: Make, key: str) -> None:
    series = add_series(town.store)
    with town.store.write() as connection:
        row = tables.datastream
        thing = connection.execute(row.select().where(row.c.id == series)).mappings().one()
        connection.execute(
            row.update().where(row.c.id == series).values(multi='["a","b"]', multi_units="[{},{}]")
        )
        for rank in range(2):
            link = {
                "datastream_id": series,
                "rank": rank,
                "observed_property_id": thing["observed_property_id"],
            }
            connection.execute(tables.multi_datastream_property.insert().values(**link))
        catalogue.touch(connection)
    topic = f"v1.1/MultiDatastreams({series})/Observations"
    reader = client().subscribe(topic, f"v1.1/Datastreams({series})/Observations", "v1.1/Observations")
    writer = client(key)
    assert writer.publish(topic, '{"result": [3.50, 270]}') == "Success"
    assert (
        writer.publish(
            "v1.1/Observations", f'{{"result": [4, 1], "MultiDatastream": {{"@iot.id": {series}}}}}'
        )
        == "Success"
    )
    until(lambda: len(reader.heard) == 4)
    assert digits(town, series) == ["[3.50,270]", "[4,1]"]
    assert {t for t, _, _ in reader.heard} == {topic, "v1.1/Observations"}
    assert all("MultiDatastream@iot.navigationLink" in body for _, body, _ in reader.heard)
    for wrong in (f"v1.1/Datastreams({series})/Observations", topic):
        assert writer.publish(wrong, '{"result": 5}') != "Success"
    assert len(digits(town, series)) == 2
    late = client().subscribe(topic)
    until(lambda: bool(late.heard))
    assert late.heard[0][1]["result"] == [4, 1]


@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
def test_mosquitto_pub_and_sub(town: Town, serving: Serving, key: str, version: str) -> None:
    series = add_series(town.store)
    common = ["-V", version, "-h", "127.0.0.1", "-p", str(serving.port)]
    topic = f"v1.1/Datastreams({series})/Observations"
    with subprocess.Popen(
        ["mosquitto_sub", *common, "-t", topic, "-C", "1", "-W", "20"], stdout=subprocess.PIPE, text=True
    ) as hearing:
        time.sleep(1)
        subprocess.run(["mosquitto_pub", *common, "-u", "x", "-P", key, "-q", "1", "-t", topic, "-m", '{"result": 3.10}'],
                       check=True, timeout=20)  # fmt: skip
        out, _ = hearing.communicate(timeout=25)
    assert '"result":3.10' in out
    assert digits(town, series) == ["3.10"]


def test_a_value_that_cannot_be_is_flagged_and_kept(town: Town, client: Make, key: str) -> None:
    series = add_series(town.store)
    with town.store.write() as connection:
        connection.execute(update(tables.datastream).values(kind="temperature", unit_definition="Cel"))
    for text in ("21.50", "999", "21.4"):
        client(key).publish(f"v1.1/Datastreams({series})/Observations", f'{{"result": {text}}}')
    found = town.store.observations.series(series)
    assert [(o.result.json(), o.quality, o.extra) for o in found] == [
        ("21.50", 0, None), ("999", 2, '{"parameters":{"qualityFlag":"range"}}'), ("21.4", 0, None),
    ]  # fmt: skip


def test_an_observation_that_brings_its_feature_along(town: Town, client: Make, key: str) -> None:
    series = add_series(town.store)
    feature = {
        "name": "f",
        "description": "f",
        "encodingType": "application/geo+json",
        "feature": {"type": "Point", "coordinates": [0, 0]},
    }
    body = json.dumps({"result": [1, 2], "FeatureOfInterest": feature, "parameters": {"a": 1}})
    assert client(key).publish(f"v1.1/Datastreams({series})/Observations", body) == "Success"
    assert digits(town, series) == ["[1,2]"]


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("v1.1/Datastreams(1)/Observations", "not json"),
        ("v1.1/Datastreams(999999)/Observations", '{"result": 1}'),
        ("v1.1/Observations", '{"result": 1}'),
        ("v1.1/Things", '{"description": "x"}'),
        ("v1.1/Things(1)", '{"name": "x", "description": "x"}'),
        ("v3/app/devices/d/up", "[]"),
    ],
)
def test_what_cannot_be_taken_is_refused_and_the_next_message_is_taken(
    town: Town, client: Make, key: str, topic: str, body: str
) -> None:
    series = add_series(town.store)
    writer = client(key)
    assert writer.publish(topic, body) in ("Payload format invalid", "Not authorized")
    assert writer.publish(f"v1.1/Datastreams({series})/Observations", '{"result": 1}') == "Success"


def test_without_a_key_one_may_hear_what_is_public_and_write_nothing(
    town: Town, client: Make, key: str
) -> None:
    public, hidden = add_series(town.store), add_series(town.store, approved=0)
    nobody, device = client().subscribe("v1.1/#"), client(key).subscribe("v1.1/#")
    assert nobody.publish(f"v1.1/Datastreams({public})/Observations", '{"result": 1}') == "Not authorized"
    for series in (hidden, public):
        device.publish(f"v1.1/Datastreams({series})/Observations", '{"result": 2}')
    until(lambda: any(f"Datastreams({public})" in topic for topic, _, _ in nobody.heard))
    assert not [topic for topic, _, _ in nobody.heard if f"Datastreams({hidden})" in topic]
    until(lambda: any(f"Datastreams({hidden})" in topic for topic, _, _ in device.heard))
    assert client().subscribe("v1.1/+/Observations").heard == [] or digits(town, public) == ["2"]


def test_the_last_value_is_there_on_subscribing(town: Town, client: Make) -> None:
    public, hidden = add_series(town.store), add_series(town.store, approved=0)
    town.store.observations.append(
        [Draft(s, i, number_of(f"{i}.0")) for i in (1, 2) for s in (public, hidden)]
    )
    time.sleep(0.5)  # until the commit went by: what is new is heard as such, not as retained
    reader = client().subscribe("v1.1/+/Observations")
    until(lambda: reader.heard)
    assert [(topic, body["result"], kept) for topic, body, kept in reader.heard] == [
        (f"v1.1/Datastreams({public})/Observations", 2.0, True)
    ]


def test_what_another_process_stores_is_heard(town: Town, client: Make) -> None:
    series = add_series(town.store)
    reader = client().subscribe("v1.1/Observations", "v1.1/Things")
    time.sleep(0.3)
    other = Store.open(load_settings(town.settings.data))
    other.observations.append([Draft(series, 5, number_of("5"))])
    with other.write() as connection:
        create(
            other,
            connection,
            New("thing", {"name": "new", "description": "n", "seq": other.next(connection)}),
        )
    other.observations.append([Draft(series, 6, number_of("6"))])
    other.close()
    until(
        lambda: (
            {"5", "6", "new"} <= {str(body.get("result", body.get("name"))) for _, body, _ in reader.heard}
        )
    )


def test_uplinks_by_mqtt_are_the_same_device_as_by_webhook(town: Town, client: Make, key: str) -> None:
    body = {
        "end_device_ids": {"device_id": "d", "dev_eui": "A1"},
        "uplink_message": {"f_cnt": 3, "decoded_payload": {"t": 1.50}},
    }
    writer = client(key)
    for _ in range(2):
        assert writer.publish("v3/app@ttn/devices/d/up", json.dumps(body).replace("1.5", "1.50")) == "Success"
    other = {"deviceInfo": {"devEui": "a1", "deviceName": "d"}, "fCnt": 4, "object": {"t": 2}}
    assert writer.publish("application/7/device/a1/event/up", json.dumps(other)) == "Success"
    with town.store.read() as connection:
        rows = connection.execute(select(tables.datastream.c.key, tables.datastream.c.id)).all()
        approved = connection.execute(select(tables.thing.c.approved)).scalars().all()
    assert [(k, digits(town, i)) for k, i in rows] == [("lora/a1/t", ["1.50", "2"])]
    assert approved == [0]


def test_a_key_of_another_territory_may_not_write_here(town: Town, client: Make) -> None:
    series = add_series(town.store)
    with town.store.write() as connection:
        for code in ("35236", "35001"):
            connection.execute(tables.territory.insert().values(code=code, name=code))
        connection.execute(update(tables.thing).values(territory="35236"))
    topic = f"v1.1/Datastreams({series})/Observations"
    outcomes = []
    for code in ("35001", "35236"):
        _, secret = keys.create(town.store, SYSTEM, role="device", name=code, territories=[code])
        outcomes.append(client(secret).publish(topic, '{"result": 1}'))
    assert outcomes == ["Not authorized", "Success"]


def test_a_key_revoked_while_connected_writes_no_more(town: Town, client: Make) -> None:
    topic = f"v1.1/Datastreams({add_series(town.store)})/Observations"
    key, secret = keys.create(town.store, SYSTEM, role="device", name="d")
    device = client(secret)
    assert [device.publish(topic, '{"result": 1}') for _ in range(2)] == ["Success", "Success"]
    keys.revoke(town.store, SYSTEM, key.id)
    assert device.publish(topic, '{"result": 2}') == "Not authorized"


def test_thousands_of_messages_are_all_stored(town: Town, client: Make, key: str) -> None:
    series = add_series(town.store)
    writer = client(key)
    begun = time.monotonic()
    for n in range(5_000):
        writer.paho.publish(f"v1.1/Datastreams({series})/Observations", f'{{"result": {n}}}', 1)
    until(lambda: len(writer.codes) == 5_000, 60)
    logging.getLogger(__name__).info("%.0f messages/s", 5_000 / (time.monotonic() - begun))
    assert sorted(int(d) for d in digits(town, series)) == list(range(5_000))


def test_a_busy_port_is_a_warning_not_an_end(
    town: Town, serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    asyncio.run(serve_mqtt(town, "127.0.0.1", serving.port))
    assert "MQTT is off" in caplog.text


def test_the_rules_publish_through_it(town: Town, serving: Serving, client: Make) -> None:
    reader = client().subscribe("town/alarm")
    serving.publish("town/alarm", b'"rouge"', True)
    until(lambda: reader.heard)
    later = client().subscribe("town/alarm")
    until(lambda: later.heard)
    assert later.heard == [("town/alarm", "rouge", True)]


# --- behind another broker
