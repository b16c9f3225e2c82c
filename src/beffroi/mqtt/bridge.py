"""Bridge: the town behind somebody else's broker (`settings.mqtt.url`), through paho-mqtt.

A message is acknowledged to that broker only once it is on disk here; while the town cannot write, or that
broker is away, messages wait there (persistent session) and the connection is tried again.
"""

import asyncio
import logging
import re
import threading
import urllib.parse
from collections import deque
from collections.abc import Iterable
from typing import Any, Self

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from beffroi.model.principal import Principal
from beffroi.model.problem import Problem, Unavailable
from beffroi.model.text import Text
from beffroi.mqtt.packets import Publish
from beffroi.mqtt.session import Message
from beffroi.mqtt.topics import valid_topic
from beffroi.mqtt.town_door import TownDoor
from beffroi.settings import MqttSettings

__all__ = ["Bridge"]

log = logging.getLogger("beffroi.mqtt")
OURS = (
    "v1.1/+",
    "v1.1/+/+",
    "v3/+/devices/+/up",
    "v3/+/devices/+/down/+",
    "application/+/device/+/event/+",
    "tasks/+/state",
)
OF_311 = ("v1.1/Observations", "v1.1/+/Observations", *OURS[2:])  # without No Local we would hear ourselves
_ENTITY = re.compile(r"v1\.1/\w+\(\d+\)(/Observations)?\Z")
SESSION_S = 7 * 86_400
FIRST_S, LONGEST_S = 1, 60
RETRY_S = 2.0
IN_FLIGHT = 1_000
BEHIND = 500  # messages under way to that broker, beyond which only last values follow
BROKER = Principal("mqtt", "MQTT", "device")


class Bridge:
    """An asynchronous context manager; messages are handled on its event loop, paho's runs in its own thread."""

    def __init__(self, settings: MqttSettings, door: TownDoor, client_id: str = "beffroi") -> None:
        self.door = door
        url = urllib.parse.urlsplit(settings.url)
        if url.scheme not in ("mqtt", "mqtts") or not url.hostname:
            raise Problem(
                Text("L'adresse du courtier MQTT n'est pas comprise.", "The address of the MQTT broker is not understood."),
                Text("Écrivez mqtt://utilisateur:motdepasse@hote:1883.", "Write mqtt://user:password@host:1883."),
                place="mqtt.url",
            )  # fmt: skip
        self._host, self._port = url.hostname, url.port or (8883 if url.scheme == "mqtts" else 1883)
        query = urllib.parse.parse_qs(url.query)
        # version 5 lets us not hear what we publish ourselves; with 3.1.1 nothing of the town goes out
        self.five = query.get("version", ["5"])[0] != "3"
        self.topics = (*(OURS if self.five else OF_311), *settings.topics)
        name = query.get("client_id", [client_id])[0]
        version = MQTTProtocolVersion.MQTTv5 if self.five else MQTTProtocolVersion.MQTTv311
        options: dict[str, Any] = {} if self.five else {"clean_session": False}
        self.paho = paho.Client(
            CallbackAPIVersion.VERSION2, name, protocol=version, manual_ack=True, **options
        )
        if url.username:
            self.paho.username_pw_set(
                urllib.parse.unquote(url.username), urllib.parse.unquote(url.password or "")
            )
        if url.scheme == "mqtts":
            self.paho.tls_set()
        self.paho.reconnect_delay_set(FIRST_S, LONGEST_S)
        self.paho.max_inflight_messages_set(IN_FLIGHT)
        self.paho.max_queued_messages_set(100_000)
        self.paho.on_connect = self._on_connect
        self.paho.on_disconnect = self._on_disconnect
        self.paho.on_message = self._on_message
        self.paho.on_publish = self._on_publish
        self.connected = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._came: deque[paho.MQTTMessage] = deque()
        self._under_way = 0  # messages that broker has not confirmed
        self._later: dict[str, Message] = {}  # the last values for when it has
        self._turn = threading.Lock()

    async def __aenter__(self) -> Self:
        """Start to connect, and to try again for as long as it takes."""
        self._loop = asyncio.get_running_loop()
        more: dict[str, Any] = {}
        if self.five:
            properties: Any = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = SESSION_S
            properties.ReceiveMaximum = IN_FLIGHT
            more = {"clean_start": False, "properties": properties}
        self.paho.connect_async(self._host, self._port, 30, **more)
        self.paho.loop_start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Store what came, then leave."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.paho.disconnect()
        await asyncio.to_thread(self.paho.loop_stop)

    # --- paho's thread
    def _on_connect(self, client: paho.Client, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        if code.is_failure:
            log.warning("the MQTT broker %s:%s refuses: %s", self._host, self._port, code)
            return
        for topic in self.topics:
            if self.five:
                client.subscribe(topic, options=SubscribeOptions(1, noLocal=True, retainHandling=2))
            else:
                client.subscribe(topic, 1)
        self.connected.set()
        log.info("connected to the MQTT broker %s:%s", self._host, self._port)

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        self.connected.clear()
        with self._turn:
            self._under_way = 0
        log.warning("the MQTT broker %s:%s went away (%s); trying again", self._host, self._port, code)

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        assert self._loop is not None
        if message.retain and message.topic.startswith(("v1.", "tasks/")):
            self.paho.ack(message.mid, message.qos)  # a retained observation was taken when it was new
            return
        self._came.append(message)
        if len(self._came) == 1:  # one wake-up takes all that came meanwhile
            self._loop.call_soon_threadsafe(self._start)

    # --- the loop
    def _start(self) -> None:
        while self._came:
            task = asyncio.ensure_future(self._take(self._came[0]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            self._came.popleft()

    async def _take(self, message: paho.MQTTMessage) -> None:
        packet = Publish(message.topic, bytes(message.payload), message.qos)
        told = getattr(message.properties, "UserProperty", None)
        packet.user = tuple(told or ())
        while True:
            try:
                await self.door.take(BROKER, packet)
            except Unavailable as problem:
                log.warning("an MQTT message waits, the town cannot write: %s", problem.reason.en)
                await asyncio.sleep(RETRY_S)
                continue
            except Problem as problem:
                log.info(
                    "an MQTT message to %r was refused: %s (%s)",
                    packet.topic,
                    problem.reason.en,
                    problem.place,
                )
            except Exception:
                log.exception("an MQTT message to %r could not be handled", packet.topic)
            break
        self.paho.ack(message.mid, message.qos)

    # --- out
    def patterns(self) -> Iterable[str]:
        """All commits go out when that broker can leave us out of our own."""
        return ("#",) if self.five and self.connected.is_set() else ()

    def heard(self, topic: str) -> bool:
        """Entity sets, entities and the observations of datastreams go out; an observation alone and those of a
        feature say the same again."""
        of_feature = topic.startswith("v1.1/FeaturesOfInterest(") and topic.endswith("/Observations")
        return not of_feature and not topic.startswith("v1.1/Observations(")

    def send(self, message: Message, *, retain: bool = False) -> bool:
        """Publish an entity of the town, kept there as its last value; what is not public stays here."""
        if not message.public or not valid_topic(message.topic) or not self.heard(message.topic):
            return False
        kept = retain or _ENTITY.match(message.topic) is not None
        with self._turn:
            if self._under_way >= BEHIND:
                # that broker is slower than the town: it gets the last value of each topic, not all of them
                if kept:
                    self._later[message.topic] = message
                return False
            self._under_way += 1
        self.paho.publish(message.topic, message.payload, 1 if kept else 0, kept)
        return False

    def _on_publish(self, _client: Any, _data: Any, _number: Any, _code: Any, _properties: Any) -> None:
        with self._turn:
            self._under_way = max(0, self._under_way - 1)
            more = None
            if self._later and self._under_way < BEHIND // 2:
                more = self._later.pop(next(iter(self._later)))
                self._under_way += 1
        if more is not None:
            self.paho.publish(more.topic, more.payload, 1, True)

    def command(self, topic: str, payload: bytes, _territory: str | None, _service: str) -> bool:
        """Publish a command, from any thread; False while that broker is away. Who may read it there is its business."""
        return self.connected.is_set() and self.paho.publish(topic, payload, 1).rc == 0

    def publish(self, topic: str, payload: bytes, retain: bool) -> None:
        """Publish any message, from any thread."""
        self.paho.publish(topic, payload, 1, retain)
