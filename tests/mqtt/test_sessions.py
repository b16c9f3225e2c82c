"""What version 5 adds, encryption, and sessions that outlive the broker, by clients that others wrote."""

import json
import signal
import ssl
import subprocess
import textwrap
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions
from tests.forked import Forked, script
from tests.mqtt.test_broker import Client as Plain
from tests.mqtt.test_broker import Running, running  # noqa: F401 -- a fixture
from tests.mqtt.test_town import Client, Serving, add_series, free_port, until

from beffroi.identity import keys
from beffroi.model.observation import Draft
from beffroi.model.principal import SYSTEM
from beffroi.model.result import number_of
from beffroi.town import open_town


def told(kind: int, **values: Any) -> Properties:
    properties = Properties(kind)  # type: ignore[no-untyped-call]
    for name, value in values.items():
        setattr(properties, name, value)
    return properties


def test_user_properties_reach_the_readers_as_they_were(running: Running) -> None:  # noqa: F811
    reader, writer = Plain(running, "r", level=5).subscribe("town/#"), Plain(running, "w", level=5)
    heard: list[Any] = []
    reader.paho.on_message = lambda _c, _u, m: heard.append(m.properties)
    sent = told(PacketTypes.PUBLISH, UserProperty=[("a", "1"), ("a", "é")], ContentType="text/plain", ResponseTopic="back",
                CorrelationData=b"\x01", PayloadFormatIndicator=1, MessageExpiryInterval=60)  # fmt: skip
    writer.paho.publish("town/x", b"hi", 1, properties=sent)
    until(lambda: heard)
    (found,) = heard
    assert (found.UserProperty, found.ContentType, found.ResponseTopic, found.CorrelationData) == (
        [("a", "1"), ("a", "é")], "text/plain", "back", b"\x01",
    )  # fmt: skip
    assert 58 <= found.MessageExpiryInterval <= 60
    reader.leave()
    writer.leave()


def test_a_message_whose_time_is_over_is_not_delivered(running: Running) -> None:  # noqa: F811
    reader = Plain(running, "r", level=5, clean=False, expiry=60).subscribe("town/#")
    reader.vanish()
    until(lambda: all(s.writer is None for s in running.broker.sessions.values()))
    writer = Plain(running, "w", level=5)
    writer.paho.publish(
        "town/x", b"short", 1, properties=told(PacketTypes.PUBLISH, MessageExpiryInterval=1)
    ).wait_for_publish(5)
    writer.publish("town/x", b"long")
    time.sleep(1.1)
    again = Plain(running, "r", level=5, clean=False, expiry=60)
    until(lambda: again.heard)
    assert [payload for _, payload, _ in again.heard] == [b"long"]
    again.leave()
    writer.leave()


def test_topic_aliases(running: Running) -> None:  # noqa: F811
    reader, writer = Plain(running, "r", level=5).subscribe("town/#"), Plain(running, "w", level=5)
    for topic in ("town/long/name", "", ""):
        writer.paho.publish(topic, b"x", 0, properties=told(PacketTypes.PUBLISH, TopicAlias=3))
    until(lambda: len(reader.heard) == 3)
    assert {topic for topic, _, _ in reader.heard} == {"town/long/name"}
    reader.leave()
    writer.leave()


def test_a_shared_subscription_gives_each_message_to_one(running: Running) -> None:  # noqa: F811
    readers = [Plain(running, f"r{i}", level=5).subscribe("$share/g/town/#") for i in range(3)]
    alone = Plain(running, "alone").subscribe("town/#")
    writer = Plain(running, "w")
    for n in range(90):
        writer.paho.publish("town/x", b"%d" % n, 1)
    until(lambda: sum(len(r.heard) for r in readers) == 90 and len(alone.heard) == 90)
    assert [len(r.heard) for r in readers] == [30, 30, 30]
    assert sorted(int(p) for r in readers for _, p, _ in r.heard) == list(range(90))
    for one in (*readers, alone, writer):
        one.leave()


def test_no_local_retain_as_published_and_the_identifier_of_a_subscription(running: Running) -> None:  # noqa: F811
    both = Plain(running, "b", level=5)
    heard: list[Any] = []
    both.paho.on_message = lambda _c, _u, m: heard.append(
        (m.topic, m.retain, m.properties.SubscriptionIdentifier)
    )
    both.paho.subscribe("own", options=SubscribeOptions(1, noLocal=True))
    both.paho.subscribe("town/#", options=SubscribeOptions(1, retainAsPublished=True),
                        properties=told(PacketTypes.SUBSCRIBE, SubscriptionIdentifier=17))  # fmt: skip
    until(lambda: sum(len(s.subscriptions) for s in running.broker.sessions.values()) == 2)
    both.publish("own", b"1")
    both.publish("town/a", b"2", retain=True)
    until(lambda: heard)
    assert heard == [("town/a", True, [17])]
    both.leave()


def test_a_will_waits_for_its_delay_and_is_forgotten_when_the_client_comes_back(running: Running) -> None:  # noqa: F811
    reader = Plain(running, "r").subscribe("wills/#")

    def doomed(name: str) -> Plain:
        client = Plain.__new__(Plain)
        original = paho.Client.will_set
        try:
            paho.Client.will_set = lambda self, topic, payload, qos: original(  # type: ignore[method-assign,misc]
                self, topic, payload, qos, properties=told(PacketTypes.WILLMESSAGE, WillDelayInterval=3)
            )
            Plain.__init__(client, running, name, level=5, clean=False, expiry=60, will=f"wills/{name}")
        finally:
            paho.Client.will_set = original  # type: ignore[method-assign]
        return client

    doomed("gone").vanish()
    doomed("back").vanish()
    again = Plain(running, "back", level=5, clean=False, expiry=60)
    until(lambda: reader.heard)
    time.sleep(0.3)
    assert reader.heard == [("wills/gone", b"gone", False)]
    again.leave()
    reader.leave()


def test_the_reason_of_a_refusal_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "beffroi.toml").write_text('name = "Essai"\n', "utf-8")
    town = open_town(tmp_path)
    serving = Serving(town, free_port())
    assert serving.ready.wait(10)
    client = Client(serving.port, keys.create(town.store, SYSTEM, role="device", name="d")[1])
    said: list[str] = []
    client.paho.on_publish = lambda _c, _u, _m, _code, properties: said.append(properties.ReasonString)
    client.paho.publish("v1.1/Things", '{"description": "x"}', 1)
    until(lambda: said)
    assert said == ["Thing lacks 'name'. Add 'name'. /name"]
    client.leave()
    serving.close()
    town.close()


# --- encrypted


def test_an_encrypted_port_by_settings(tmp_path: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    port = free_port()
    (tmp_path / "beffroi.toml").write_text(
        f'name = "Essai"\n[mqtt]\ntls_port = {port}\ncertificate = "{tmp_path}/cert.pem"\ncertificate_key = "{tmp_path}/key.pem"\n', "utf-8"
    )  # fmt: skip
    town = open_town(tmp_path)
    serving = Serving(town, free_port())
    assert serving.ready.wait(10)
    series = add_series(town.store)
    key = keys.create(town.store, SYSTEM, role="device", name="d")[1]
    subprocess.run(
        ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "--cafile", tmp_path / "cert.pem", "-u", "x", "-P", key, "-q", "1",
         "-t", f"v1.1/Datastreams({series})/Observations", "-m", '{"result": 6.50}'],
        check=True, timeout=20,
    )  # fmt: skip
    assert [o.result.json() for o in town.store.observations.series(series)] == ["6.50"]
    assert town.store.setting("mqtt.endpoints") == [f"mqtt://:{serving.port}", f"mqtts://:{port}"]
    with pytest.raises(ssl.SSLError):
        ssl.create_default_context().wrap_socket(
            __import__("socket").create_connection(("127.0.0.1", port)), server_hostname="127.0.0.1"
        )
    serving.close()
    town.close()


# --- across the broker's end

SERVE = """
    import asyncio, sys
    from pathlib import Path
    from beffroi.mqtt.service import serve_mqtt
    from beffroi.town import open_town

    asyncio.run(serve_mqtt(open_town(Path(sys.argv[1])), "127.0.0.1", int(sys.argv[2]),
                           ready=lambda port, publish: print("ready", flush=True)))
"""


class Process:
    """The broker of a town in a process of its own, to be killed."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.start()

    def start(self) -> None:
        self.process = Forked(script, textwrap.dedent(SERVE), str(self.folder), str(self.port))
        assert self.process.stdout.readline() == b"ready\n"

    def kill(self) -> None:
        self.process.signal(signal.SIGKILL)
        self.process.wait(20)
        self.process.stdout.close()


class Kept:
    """A paho client with a session that is kept."""

    def __init__(self, port: int, key: str) -> None:
        self.paho = paho.Client(paho.CallbackAPIVersion.VERSION2, "reader", clean_session=False)
        self.paho.username_pw_set("x", key)
        self.heard: list[Any] = []
        self.present: list[bool] = []
        self.paho.on_connect = lambda _c, _u, flags, _r, _p: self.present.append(flags.session_present)
        self.paho.on_message = lambda _c, _u, m: self.heard.append(json.loads(m.payload))
        self.paho.connect("127.0.0.1", port)
        self.paho.loop_start()
        until(lambda: self.present)

    def leave(self) -> None:
        self.paho.disconnect()
        self.paho.loop_stop()


@pytest.fixture
def served(tmp_path: Path) -> Any:
    (tmp_path / "beffroi.toml").write_text('name = "Essai"\n', "utf-8")
    town = open_town(tmp_path)
    series = add_series(town.store)
    process = Process(tmp_path, free_port())
    yield town, series, process, keys.create(town.store, SYSTEM, role="device", name="d")[1]
    process.kill()
    town.close()


def test_a_kept_session_survives_a_killed_broker_and_misses_nothing(served: Any) -> None:
    town, series, process, key = served
    reader = Kept(process.port, key)
    reader.paho.subscribe([(f"v1.1/Datastreams({series})/Observations", 1), ("town/#", 1)])
    town.store.observations.append([Draft(series, 0, number_of("0"))])
    until(lambda: reader.heard)
    time.sleep(1)  # written behind the messages, half a second at most
    reader.leave()
    writer = Client(process.port, key)
    for n in range(1, 4):
        writer.publish(f"v1.1/Datastreams({series})/Observations", f'{{"result": {n}}}')
    writer.publish("town/x", '{"result": "relayed"}')  # confirmed: it is on disk for the reader
    process.kill()  # at once: the observations are not in the queue yet, but in the town
    town.store.observations.append([Draft(series, 4, number_of("4"))])  # while there is no broker
    process.start()
    again = Kept(process.port, key)
    assert again.present == [True]
    until(lambda: {str(one["result"]) for one in again.heard} >= {"1", "2", "3", "4", "relayed"})
    again.leave()
    writer.leave()


def test_messages_sent_again_to_a_killed_broker_lose_nothing_and_keyed_ones_are_stored_once(
    served: Any,
) -> None:
    town, series, process, key = served
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, "writer", protocol=paho.MQTTv5)
    client.username_pw_set("x", key)
    client.reconnect_delay_set(1, 1)
    client.connect(
        "127.0.0.1",
        process.port,
        clean_start=False,
        properties=told(PacketTypes.CONNECT, SessionExpiryInterval=600),
    )
    client.loop_start()
    confirmed: list[int] = []
    client.on_publish = lambda _c, _u, number, *_: confirmed.append(number)
    for n in range(600):
        properties = told(PacketTypes.PUBLISH, UserProperty=[("Idempotency-Key", f"frame-{n}")])
        client.publish(
            f"v1.1/Datastreams({series})/Observations", f'{{"result": {n}}}', 1, properties=properties
        )
        if n in (200, 400):
            process.kill()
            process.start()
    until(lambda: len(set(confirmed)) == 600, 60)
    client.disconnect()
    client.loop_stop()
    assert sorted(int(o.result.json()) for o in town.store.observations.series(series)) == list(range(600))


def test_a_retained_message_survives_a_killed_broker(served: Any) -> None:
    _, _, process, key = served
    writer = Client(process.port, key)
    writer.paho.publish("state/lamp", '"on"', 1, retain=True)
    until(lambda: writer.codes)
    process.kill()
    process.start()
    later = Client(process.port, key).subscribe("state/#")
    until(lambda: later.heard)
    assert later.heard == [("state/lamp", "on", True)]
    later.leave()
    writer.leave()
