"""The broker, driven by clients that others wrote: paho and mosquitto's own."""

import asyncio
import contextlib
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from beffroi.model.principal import ANONYMOUS, Principal
from beffroi.model.problem import Problem, Unavailable
from beffroi.model.text import Text
from beffroi.mqtt.broker import Broker
from beffroi.mqtt.packets import Publish
from beffroi.mqtt.session import Message

DEVICE = Principal("token:1", "d", "device")


class ListDoor:
    """Keeps what is published in a list; slow or full when told."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes]] = []
        self.pause = 0.0
        self.reading = 0.0  # how long last values take
        self.full = False

    async def who(self, username: str | None, password: bytes | None, peer: str) -> Principal | None:
        return {None: ANONYMOUS, b"key": DEVICE}.get(password)

    def may_publish(self, who: Principal, topic: str) -> bool:
        return who.role == "device" and not topic.startswith("v1.1/Things")

    def may_subscribe(self, who: Principal, pattern: str) -> bool:
        return pattern != "secret/#"

    async def take(self, who: Principal, packet: Publish) -> bool:
        await asyncio.sleep(self.pause)
        if self.full:
            raise Unavailable(Text("plein", "full"))
        if packet.payload == b"bad":
            raise Problem(Text("faux", "bad"))
        self.taken.append((packet.topic, packet.payload))
        return not packet.topic.startswith("v1.1/")

    async def retained(self, pattern: str, who: Principal) -> Iterable[Message]:
        await asyncio.sleep(self.reading)
        return [Message("v1.1/Datastreams(1)/Observations", b"last")] if pattern.startswith("v1.1/") else []


class Running:
    """A broker on an event loop of its own thread."""

    def __init__(self) -> None:
        self.door = ListDoor()
        self.loop = asyncio.new_event_loop()
        self.started = threading.Event()
        self.thread = threading.Thread(target=self.loop.run_until_complete, args=(self._main(),))
        self.thread.start()
        assert self.started.wait(10)

    async def _main(self) -> None:
        self.stop = asyncio.Event()
        async with Broker(self.door, "127.0.0.1", 0, largest=100_000) as self.broker:
            self.port = self.broker.port
            self.started.set()
            await self.stop.wait()

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.stop.set)
        self.thread.join(10)
        self.loop.close()

    def send(self, message: Message, *, retain: bool = False) -> None:
        self.loop.call_soon_threadsafe(lambda: self.broker.send(message, retain=retain))


@pytest.fixture
def running() -> Iterator[Running]:
    opened = Running()
    yield opened
    opened.close()


class Client:
    """A paho client that remembers what it hears."""

    def __init__(self, running: Running, name: str = "", *, level: int = 4, clean: bool = True, key: str | None = "key",
                 will: str = "", expiry: int = 0) -> None:  # fmt: skip
        version = MQTTProtocolVersion(level)
        options: dict[str, Any] = {} if level == 5 else {"clean_session": clean if name else True}
        self.paho = paho.Client(CallbackAPIVersion.VERSION2, name, protocol=version, **options)
        self.heard: list[tuple[str, bytes, bool]] = []
        self.codes: list[Any] = []
        self.present: bool | None = None
        self.failed: str = ""
        self._connected, self._subscribed = threading.Event(), threading.Event()
        self.paho.on_connect = self._on_connect
        self.paho.on_message = lambda _c, _u, m: self.heard.append((m.topic, m.payload, m.retain))
        self.paho.on_subscribe = self._on_subscribe
        if key is not None:
            self.paho.username_pw_set("any", key)
        if will:
            self.paho.will_set(will, b"gone", 1)
        properties = Properties(PacketTypes.CONNECT) if level == 5 else None
        if properties is not None and expiry:
            properties.SessionExpiryInterval = expiry
        more: dict[str, Any] = {"clean_start": clean, "properties": properties} if level == 5 else {}
        self.paho.connect("127.0.0.1", running.port, 30, **more)
        self.paho.loop_start()
        assert self._connected.wait(10)

    def _on_connect(self, _c: Any, _u: Any, flags: Any, code: Any, _p: Any) -> None:
        self.present, self.failed = flags.session_present, str(code) if code.is_failure else ""
        self._connected.set()

    def _on_subscribe(self, _c: Any, _u: Any, _m: Any, codes: Any, _p: Any) -> None:
        self.codes = [code.value for code in codes]
        self._subscribed.set()

    def subscribe(self, *patterns: str, qos: int = 1) -> "Client":
        self._subscribed.clear()
        self.paho.subscribe([(pattern, qos) for pattern in patterns])
        assert self._subscribed.wait(10)
        return self

    def publish(
        self, topic: str, payload: bytes, qos: int = 1, *, retain: bool = False, seconds: float = 10
    ) -> bool:
        sent = self.paho.publish(topic, payload, qos, retain)
        with contextlib.suppress(RuntimeError):
            sent.wait_for_publish(seconds)
        return sent.is_published()

    def leave(self) -> None:
        self.paho.disconnect()
        self.paho.loop_stop()

    def vanish(self) -> None:
        """Go without a word, as a device out of reach does."""
        self.paho.loop_stop()
        sock = self.paho.socket()
        assert sock is not None
        sock.close()  # type: ignore[no-untyped-call]


def until(condition: Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture
def client(running: Running) -> Iterator[Callable[..., Client]]:
    opened: list[Client] = []

    def make(*arguments: Any, **options: Any) -> Client:
        opened.append(Client(running, *arguments, **options))
        return opened[-1]

    yield make
    for one in opened:
        one.leave()


Make = Callable[..., Client]


@pytest.mark.parametrize("level", [4, 5])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_what_one_publishes_the_other_hears_in_order(
    running: Running, client: Make, level: int, qos: int
) -> None:
    reader = client("r", level=level).subscribe("town/+/x", "nothing", qos=qos)
    writer = client("w", level=level)
    for n in range(200):
        writer.paho.publish(f"town/{n % 3}/x", b"%d" % n, qos)
    until(lambda: len(reader.heard) == 200)
    assert [int(payload) for _, payload, _ in reader.heard] == list(range(200))
    assert [int(payload) for _, payload in running.door.taken] == list(range(200))


def test_a_message_is_confirmed_only_once_it_is_stored(running: Running, client: Make) -> None:
    running.door.pause = 0.5
    writer = client("w")
    begun = time.monotonic()
    assert writer.publish("v1.1/Observations", b"1")
    assert time.monotonic() - begun >= 0.5
    running.door.full = True
    assert not writer.publish("v1.1/Observations", b"2", seconds=1)
    assert running.door.taken == [("v1.1/Observations", b"1")]
    running.door.full = False
    until(lambda: ("v1.1/Observations", b"2") in running.door.taken)


def test_a_last_message_before_goodbye_is_stored(running: Running) -> None:
    running.door.pause = 0.2
    for qos in "012":
        done = subprocess.run(
            ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(running.port), "-u", "x", "-P", "key", "-q", qos,
             "-t", "v1.1/Observations", "-m", qos], timeout=20, check=False,
        )  # fmt: skip
        assert done.returncode == 0
    until(lambda: [payload for _, payload in running.door.taken] == [b"0", b"1", b"2"])


@pytest.mark.parametrize("version", ["mqttv311", "5"])
def test_mosquitto_sub_hears_retained_messages_first(running: Running, client: Make, version: str) -> None:
    client("w").publish("state/lamp", b"on", retain=True)
    done = subprocess.run(
        ["mosquitto_sub", "-V", version, "-h", "127.0.0.1", "-p", str(running.port), "-u", "x", "-P", "key",
         "-t", "state/#", "-t", "v1.1/+/Observations", "-C", "2", "-W", "10", "-F", "%t %p %r"],
        capture_output=True, text=True, timeout=20, check=True,
    )  # fmt: skip
    assert sorted(done.stdout.split("\n")[:2]) == [
        "state/lamp on 1",
        "v1.1/Datastreams(1)/Observations last 1",
    ]


def test_a_last_value_never_follows_a_newer_one(running: Running, client: Make) -> None:
    topic = "v1.1/Datastreams(1)/Observations"
    reader = client("r")
    running.door.reading = 0.5
    threading.Timer(0.2, running.send, [Message(topic, b"newer")]).start()
    reader.subscribe(topic)
    running.send(Message(topic, b"end"))
    until(lambda: (topic, b"end", False) in reader.heard)
    assert reader.heard == [(topic, b"newer", False), (topic, b"end", False)]


def test_an_empty_retained_message_forgets(running: Running, client: Make) -> None:
    writer = client("w")
    writer.publish("state/a", b"on", retain=True)
    writer.publish("state/a", b"", retain=True)
    reader = client("r").subscribe("state/a")
    writer.publish("state/a", b"end")
    until(lambda: reader.heard)
    assert reader.heard == [("state/a", b"end", False)]


def test_rights(running: Running, client: Make) -> None:
    assert client("x", key="wrong").failed
    nobody = client("n", key=None).subscribe("town/#", "v1.1/#", "secret/#")
    assert nobody.codes == [1, 1, 128]
    writer = client("w", level=5)
    writer.publish("town/a", b"1")
    nobody.publish("town/b", b"2")
    writer.publish("v1.1/Things(1)", b"3")
    running.send(Message("v1.1/Observations", b"public"))
    running.send(Message("v1.1/Observations", b"private", public=False))
    until(lambda: ("v1.1/Observations", b"public", False) in nobody.heard)
    assert running.door.taken == [("town/a", b"1")]
    assert [payload for _, payload, _ in nobody.heard] == [b"last", b"public"]


@pytest.mark.parametrize("level", [4, 5])
def test_a_kept_session_gets_what_it_missed(running: Running, client: Make, level: int) -> None:
    reader = client("r", level=level, clean=False, expiry=60).subscribe("town/#")
    assert reader.present is False
    reader.vanish()
    until(lambda: all(s.writer is None for s in running.broker.sessions.values()))
    writer = client("w")
    for n in range(150):
        writer.publish("town/x", b"%d" % n)
    again = client("r", level=level, clean=False, expiry=60)
    assert again.present is True
    until(lambda: len(again.heard) == 150)
    assert [int(p) for _, p, _ in again.heard] == list(range(150))


def test_the_will_speaks_for_one_who_vanishes_not_for_one_who_leaves(running: Running, client: Make) -> None:
    reader = client("r").subscribe("wills/#")
    Client(running, "a", will="wills/a").leave()
    Client(running, "b", will="wills/b").vanish()
    until(lambda: reader.heard)
    assert reader.heard == [("wills/b", b"gone", False)]


def test_the_newer_connection_of_a_client_takes_over(running: Running, client: Make) -> None:
    first = client("same")
    gone = threading.Event()
    first.paho.on_disconnect = lambda *_: gone.set()
    client("same")
    assert gone.wait(10)


async def exchange(port: int, *sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    heard = b""
    with contextlib.suppress(ConnectionError):
        for data in sent:
            writer.write(data)
            await writer.drain()
        async with asyncio.timeout(15):
            while data := await reader.read(1000):
                heard += data
    writer.close()
    return heard


CONNECT = bytes.fromhex("100f00044d515454040200010003616263")


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        CONNECT + b"\xf0\x00",
        CONNECT + b"\x30\xff\xff\xff\x7f",
        CONNECT + CONNECT,
        CONNECT,
    ],
    ids=["http", "unknown packet", "too large", "twice", "silent beyond its keep-alive"],
)
def test_a_client_that_does_not_follow_the_rules_is_closed(running: Running, sent: bytes) -> None:
    heard = asyncio.run(exchange(running.port, sent))
    assert heard[:4] in (b"", b" \x02\x00\x00")


def test_a_repeat_of_a_stored_message_is_confirmed_and_not_stored_again(running: Running) -> None:
    publish = b"\x32\x08\x00\x03t/a\x00\x07x"
    again = b"\x3a\x08\x00\x03t/a\x00\x07x"
    login = bytes.fromhex("101700044d51545404c2000100036162630001780003") + b"key"

    async def run() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(login + publish)
        heard = await reader.readexactly(8)
        writer.write(again)
        heard += await reader.readexactly(4)
        writer.close()
        return heard

    assert asyncio.run(run()) == b"\x20\x02\x00\x00" + b"\x40\x02\x00\x07" * 2
    assert running.door.taken == [("t/a", b"x")]
