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
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, Self

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from beffroi.model.observation import Draft
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
BUSY = 100  # messages from that broker not yet stored, beyond which the same holds: storing comes first
_AT_ONCE = 20
BROKER = Principal("mqtt", "MQTT", "device")


_Came = tuple[paho.MQTTMessage, Publish]
"""A message as paho and as the town's door know it."""


def _refused(packet: Publish, problem: Problem) -> None:
    log.info("an MQTT message to %r was refused: %s (%s)", packet.topic, problem.reason.en, problem.place)


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
        self._taking = False
        self._unstored = 0  # messages that were taken from there and are not on disk yet
        self._under_way = 0  # messages that broker has not confirmed
        self._later: dict[str, Callable[[], Message]] = {}  # the last values for when it has
        self._catching = False  # the loop was told to
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
        if not self._taking:
            self._taking = True
            self._begin(self._take_all())

    async def _take_all(self) -> None:
        """Handle what came, and what comes meanwhile: one lot after the other, so that values stay in their order."""
        try:
            while self._came:
                await self._take_lot(self._lot())
        finally:
            self._taking = False

    def _lot(self) -> list[_Came]:
        came: list[_Came] = []
        while self._came:
            message = self._came[0]
            packet = Publish(message.topic, bytes(message.payload), message.qos)
            told = getattr(message.properties, "UserProperty", None)
            packet.user = tuple(told or ())
            came.append((message, packet))
            self._came.popleft()
        self._unstored += len(came)
        return came

    async def _take_lot(self, came: list[_Came]) -> None:
        """Store plain observations together, and leave any other message to a task of its own."""
        plain: list[tuple[_Came, Draft]] = []
        try:
            drafts = await self.door.plain(BROKER, [packet for _, packet in came])
        except Exception:
            log.exception("%s MQTT messages need a careful look", len(came))
            drafts = [None] * len(came)
        for one, draft in zip(came, drafts, strict=True):
            if isinstance(draft, Draft):
                plain.append((one, draft))
            elif isinstance(draft, Problem):
                _refused(one[1], draft)
                self._done([one[0]])
            else:
                self._begin(self._take(*one))
        if plain:
            await self._take_plain([one for one, _ in plain], [draft for _, draft in plain])

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take_plain(self, came: list[_Came], drafts: list[Draft]) -> None:
        packets = [packet for _, packet in came]
        try:
            await self.door.judge(drafts)
            await self._kept_trying(lambda: self.door.keep(BROKER, packets, drafts))
        except Exception:
            log.exception("%s MQTT messages could not be handled", len(came))
        self._done([message for message, _ in came])

    async def _take(self, message: paho.MQTTMessage, packet: Publish) -> None:
        try:
            await self._kept_trying(lambda: self.door.take(BROKER, packet))
        except Problem as problem:
            _refused(packet, problem)
        except Exception:
            log.exception("an MQTT message to %r could not be handled", packet.topic)
        self._done([message])

    async def _kept_trying(self, store: Callable[[], Awaitable[object]]) -> None:
        while True:
            try:
                await store()
            except Unavailable as problem:
                log.warning("MQTT messages wait, the town cannot write: %s", problem.reason.en)
                await asyncio.sleep(RETRY_S)
            else:
                return

    def _done(self, messages: Sequence[paho.MQTTMessage]) -> None:
        for message in messages:
            self.paho.ack(message.mid, message.qos)
        self._unstored -= len(messages)
        if self._later:
            self._catch_up()

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
        if retain and self._behind():
            self._later[message.topic] = lambda: message
        if self.put_off(message.topic, lambda: message):
            return False
        kept = retain or _ENTITY.match(message.topic) is not None
        self._later.pop(message.topic, None)  # an older value of it
        with self._turn:
            self._under_way += 1
        self.paho.publish(message.topic, message.payload, 1 if kept else 0, kept)
        return False

    def _behind(self) -> bool:
        return self._under_way >= BEHIND or self._unstored + len(self._came) >= BUSY

    def put_off(self, topic: str, make: Callable[[], Message]) -> bool:
        """While that broker is slower than the town, or sends more than the town can store and tell, it gets the last
        value of each topic, not all of them."""
        if not self._behind():
            return False
        if _ENTITY.match(topic) is not None:
            self._later[topic] = make
        return True

    def _on_publish(self, _client: Any, _data: Any, _number: Any, _code: Any, _properties: Any) -> None:
        with self._turn:
            self._under_way = max(0, self._under_way - 1)
            soon = self._later and not self._catching and self._under_way < BEHIND // 2
            self._catching = self._catching or bool(soon)
        if soon and self._loop is not None:
            self._loop.call_soon_threadsafe(self._catch_up)

    def _catch_up(self) -> None:
        """Publish some of the last values that were put off: on the loop, as `send` is, so that none overtakes another."""
        self._catching = False
        published = 0
        while published < _AT_ONCE and self._later and self._under_way < BEHIND // 2 and not self._behind():
            message = self._later.pop(next(iter(self._later)))()
            if message.public:
                published += 1
                with self._turn:
                    self._under_way += 1
                self.paho.publish(message.topic, message.payload, 1, True)

    def command(self, topic: str, payload: bytes, _territory: str | None, _service: str) -> bool:
        """Publish a command, from any thread; False while that broker is away. Who may read it there is its business."""
        return self.connected.is_set() and self.paho.publish(topic, payload, 1).rc == 0

    def publish(self, topic: str, payload: bytes, retain: bool) -> None:
        """Publish any message, from any thread."""
        self.paho.publish(topic, payload, 1, retain)
