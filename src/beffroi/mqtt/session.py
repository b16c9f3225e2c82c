"""Session: what a broker remembers of one client, connected or not (MQTT 3.1.1 §4.1)."""

import asyncio
from collections import OrderedDict, deque

from beffroi.model.principal import Principal
from beffroi.mqtt import packets
from beffroi.mqtt.packets import Publish
from beffroi.mqtt.topics import matches

__all__ = ["Message", "Session"]

WINDOW = 100  # messages sent and not confirmed, beyond which the next ones wait
QUEUE = 10_000  # messages waiting for a client, beyond which the oldest go
BUFFER = 4 << 20  # bytes a slow reader may have unread before QoS 0 messages pass it by
RECENT = 2_048  # messages taken at QoS 1 that a repeat is recognised by


class Message:
    """One message on its way out. `public` False: only for the town's own people."""

    __slots__ = ("payload", "public", "qos", "topic")

    def __init__(self, topic: str, payload: bytes, qos: int = 1, *, public: bool = True) -> None:
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.public = public


class Session:
    """One client's subscriptions and unfinished messages."""

    def __init__(self, client_id: str, who: Principal) -> None:
        self.client_id = client_id
        self.who = who
        self.level = 4
        self.subscriptions: dict[str, int] = {}
        self.writer: asyncio.StreamWriter | None = None
        self.will: Publish | None = None
        self.kept = False  # outlives its connection
        self.ends_at: float | None = None
        self.received: set[int] = set()  # QoS 2 messages taken, PUBREL still to come
        self.dropped = 0
        self._waiting: deque[tuple[Message, int, bool]] = deque()
        self._unconfirmed: OrderedDict[int, Publish] = OrderedDict()
        self._released: set[int] = set()
        self._next = 0
        self._recent: OrderedDict[tuple[int, bytes], None] = OrderedDict()

    def sees(self, message: Message) -> bool:
        """True when this client may read `message`."""
        return message.public or self.who.staff or self.who.role == "device"

    def wants(self, topic: str) -> int | None:
        """Return the best QoS that a subscription gives for `topic`, None when there is none."""
        found = [qos for pattern, qos in self.subscriptions.items() if matches(pattern, topic)]
        return max(found) if found else None

    # --- out
    def send(self, message: Message, qos: int, *, retain: bool = False) -> None:
        """Send a message, or keep it until the client is there or has confirmed others."""
        qos = min(qos, message.qos)
        if qos == 0:
            self._send_once(message, retain)
            return
        self._waiting.append((message, qos, retain))
        if len(self._waiting) > QUEUE:
            self._waiting.popleft()
            self.dropped += 1
        self.flush()

    def _send_once(self, message: Message, retain: bool) -> None:
        writer = self.writer
        if writer is None or writer.is_closing() or writer.transport.get_write_buffer_size() > BUFFER:
            self.dropped += 1
            return
        writer.write(packets.publish(Publish(message.topic, message.payload, 0, retain), level=self.level))

    def flush(self) -> None:
        """Send what waits, as far as the window goes."""
        writer = self.writer
        while (
            self._waiting
            and writer is not None
            and not writer.is_closing()
            and len(self._unconfirmed) < WINDOW
        ):
            message, qos, retain = self._waiting.popleft()
            packet = Publish(message.topic, message.payload, qos, retain, id=self._number())
            self._unconfirmed[packet.id] = packet
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
        for packet in self._unconfirmed.values():
            packet.dup = True
            self.writer.write(packets.publish(packet, level=self.level))
        self.flush()

    def confirmed(self, kind: int, number: int) -> bytes:
        """Note a receipt of the client; return the answer to send, or b""."""
        if kind == packets.PUBREC:
            self._unconfirmed.pop(number, None)
            self._released.add(number)
            return packets.receipt(packets.PUBREL, number, level=self.level)
        if kind == packets.PUBACK:
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
