"""Session: what a broker remembers of one client, connected or not (MQTT 3.1.1 §4.1, 5.0 §4.1)."""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Iterator

import msgspec

from beffroi.model.principal import Principal
from beffroi.mqtt import packets
from beffroi.mqtt.packets import Publish
from beffroi.mqtt.topics import matches, shared

__all__ = ["WINDOW", "Message", "Owner", "Queued", "Session", "Subscription"]

WINDOW = 100  # messages sent and not confirmed, beyond which the next ones wait
QUEUE = 10_000  # messages waiting for a client, beyond which the oldest go
BUFFER = 4 << 20  # bytes a slow reader may have unread before QoS 0 messages pass it by
RECENT = 2_048  # messages taken at QoS 1 that a repeat is recognised by


class Owner(msgspec.Struct, frozen=True, gc=False):
    """Whose a message that is not public is: the territory and service of its Thing."""

    territory: str | None = None
    service: str = ""


class Message:
    """One message on its way out. `public` False: only for the town's own people, those of its `owner` when it has one.

    `until_s` is when it is not worth delivering any more (seconds since 1970), `told` version 5's properties for its
    readers, `sender` the session that published it.
    """

    __slots__ = ("owner", "payload", "public", "qos", "sender", "told", "topic", "until_s")

    def __init__(
        self, topic: str, payload: bytes, qos: int = 1, *, public: bool = True, owner: Owner | None = None,
        told: bytes = b"", until_s: float | None = None, sender: "Session | None" = None,
    ) -> None:  # fmt: skip
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.public = public
        self.owner = owner
        self.told = told
        self.until_s = until_s
        self.sender = sender


class Subscription(msgspec.Struct, frozen=True, gc=False):
    """What a client asked of one filter; `options` is the byte of SUBSCRIBE."""

    options: int
    identifier: int = 0

    @property
    def qos(self) -> int:
        """The best QoS wanted."""
        return self.options & 3

    @property
    def others_only(self) -> bool:
        """True when one's own messages are not wanted (No Local)."""
        return bool(self.options & 4)

    @property
    def as_published(self) -> bool:
        """True when the retain mark is to stay as the publisher set it."""
        return bool(self.options & 8)


class Queued(msgspec.Struct, frozen=True, gc=False):
    """A message of one client's queue; `number` orders the queue and names it on disk."""

    number: int
    message: Message
    qos: int
    retain: bool
    identifiers: tuple[int, ...] = ()


class Session:
    """One client's subscriptions and unfinished messages."""

    def __init__(self, client_id: str, who: Principal) -> None:
        self.client_id = client_id
        self.who = who
        self.level = 4
        self.subscriptions: dict[str, Subscription] = {}
        self.writer: asyncio.StreamWriter | None = None
        self.will: Publish | None = None
        self.will_timer: asyncio.TimerHandle | None = None
        self.kept = False  # outlives its connection
        self.seconds = 0.0  # for how long
        self.ends_at: float | None = None
        self.window = WINDOW
        self.largest = 1 << 28
        self.received: set[int] = set()  # QoS 2 messages taken, PUBREL still to come
        self.dropped = 0
        self.changed = False  # since it was last written to disk
        self.meanwhile: set[str] | None = (
            None  # the topics sent while last values are read for a subscription
        )
        self._waiting: deque[Queued] = deque()
        self._unconfirmed: OrderedDict[int, tuple[Publish, Queued]] = OrderedDict()
        self._released: set[int] = set()
        self._next = 0
        self._count = 0
        self._recent: OrderedDict[tuple[int, bytes], None] = OrderedDict()

    def sees(self, message: Message) -> bool:
        """True when this client may read `message`."""
        if message.public:
            return True
        who, owner = self.who, message.owner
        if not who.staff and who.role != "device":
            return False
        if owner is None:
            return True
        return who.covers(owner.territory) and (who.service is None or who.service == owner.service)

    def wants(self, topic: str) -> list[Subscription]:
        """Return the subscriptions that `topic` is for, the shared ones aside."""
        return [
            one
            for pattern, one in self.subscriptions.items()
            if matches(pattern, topic) and shared(pattern) is None
        ]

    # --- out
    def send(
        self, message: Message, qos: int, *, retain: bool = False, identifiers: tuple[int, ...] = ()
    ) -> None:
        """Send a message, or keep it until the client is there or has confirmed others."""
        if self.meanwhile is not None:
            self.meanwhile.add(message.topic)
        qos = min(qos, message.qos)
        if len(message.payload) + len(message.topic) + 100 > self.largest:
            self.dropped += 1
            return
        self._count += 1
        queued = Queued(self._count, message, qos, retain, identifiers)
        if qos == 0:
            self._send_once(queued)
            return
        self.put(queued)
        self.flush()

    def put(self, queued: Queued) -> None:
        """Add to the queue; the oldest goes when it is full."""
        self._count = max(self._count, queued.number)
        self._waiting.append(queued)
        self.changed = True
        if len(self._waiting) > QUEUE:
            self._waiting.popleft()
            self.dropped += 1

    def pending(self) -> Iterator[Queued]:
        """Yield what the client has not confirmed, in order."""
        for _, queued in self._unconfirmed.values():
            yield queued
        yield from self._waiting

    def _send_once(self, queued: Queued) -> None:
        writer = self.writer
        if writer is None or writer.is_closing() or writer.transport.get_write_buffer_size() > BUFFER:
            self.dropped += 1
            return
        writer.write(packets.publish(_packet(queued), level=self.level))

    def flush(self) -> None:
        """Send what waits, as far as the window goes."""
        writer = self.writer
        while (
            self._waiting
            and writer is not None
            and not writer.is_closing()
            and len(self._unconfirmed) < self.window
        ):
            queued = self._waiting.popleft()
            self.changed = True
            until = queued.message.until_s
            if until is not None and until <= time.time():
                continue
            packet = _packet(queued)
            packet.id = self._number()
            self._unconfirmed[packet.id] = packet, queued
            writer.write(packets.publish(packet, level=self.level))

    def _number(self) -> int:
        while True:
            self._next = self._next % 65_535 + 1
            if self._next not in self._unconfirmed and self._next not in self._released:
                return self._next

    def resume(self) -> None:
        """Send again what the client had not confirmed when it went (§4.4)."""
        assert self.writer is not None
        for number in self._released:
            self.writer.write(packets.receipt(packets.PUBREL, number, level=self.level))
        for packet, _ in self._unconfirmed.values():
            packet.dup = True
            self.writer.write(packets.publish(packet, level=self.level))
        self.flush()

    def confirmed(self, kind: int, number: int, code: int = 0) -> bytes:
        """Note a receipt of the client; return the answer to send, or b""."""
        self.changed = True
        if kind == packets.PUBREC and code < 0x80:
            self._unconfirmed.pop(number, None)
            self._released.add(number)
            return packets.receipt(packets.PUBREL, number, level=self.level)
        if kind in (packets.PUBACK, packets.PUBREC):
            self._unconfirmed.pop(number, None)
        elif kind == packets.PUBCOMP:
            self._released.discard(number)
        self.flush()
        return b""

    # --- in
    def is_repeat(self, packet: Publish) -> bool:
        """True for a message that says it is sent again and was taken before, under its number."""
        return packet.dup and (packet.id, packet.payload) in self._recent

    def taken(self, packet: Publish) -> None:
        """Remember a message that is on disk, so that its repeat is only confirmed."""
        self._recent[packet.id, packet.payload] = None
        if len(self._recent) > RECENT:
            self._recent.popitem(last=False)


def _packet(queued: Queued) -> Publish:
    """Return the packet of a queued message, with what is left of its time."""
    message = queued.message
    left = None if message.until_s is None else max(0, round(message.until_s - time.time()))
    return Publish(
        message.topic, message.payload, queued.qos, queued.retain, expiry_s=left, told=message.told,
        identifiers=queued.identifiers,
    )  # fmt: skip
