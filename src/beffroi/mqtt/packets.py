"""MQTT packets as bytes and back: 3.1.1 (OASIS, 2014) and what version 5 (OASIS, 2019) adds to the same packets.

Version 5's properties are read by `_Body.properties`; those that describe a message to its readers (content type,
response topic, user properties …) are kept as bytes and handed on as they came.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec

__all__ = [
    "Connect", "Decoder", "Disconnect", "MalformedError", "Packet", "Ping", "Publish", "Receipt", "Subscribe", "Unsubscribe",
    "connack", "disconnect", "pingresp", "publish", "receipt", "suback", "unsuback",
]  # fmt: skip

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = 1, 2, 3, 4, 5, 6, 7
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = 8, 9, 10, 11, 12, 13, 14
_RECEIPTS = (PUBACK, PUBREC, PUBREL, PUBCOMP)
# Properties of version 5 that are read (5.0, §2.2.2.2).
_MESSAGE_EXPIRY, _SUBSCRIPTION, _EXPIRY, _REQUEST_PROBLEM, _WILL_DELAY = 0x02, 0x0B, 0x11, 0x17, 0x18
_REASON, _RECEIVE, _ALIASES, _ALIAS, _USER, _LARGEST = 0x1F, 0x21, 0x22, 0x23, 0x26, 0x27
_ASSIGNED = 0x12
_HANDED_ON = (0x01, 0x03, 0x08, 0x09, _USER)
ALIASES = 200  # topic aliases that a client may use
# Length of each property of version 5 by its id: a number of bytes, "text", "pair" or "varint" (5.0, §2.2.2.2).
_PROPERTIES: dict[int, int | str] = {
    0x01: 1, 0x02: 4, 0x03: "text", 0x08: "text", 0x09: "text", 0x0B: "varint", 0x11: 4, 0x12: "text", 0x13: 2,
    0x15: "text", 0x16: "text", 0x17: 1, 0x18: 4, 0x19: 1, 0x1A: "text", 0x1C: "text", 0x1F: "text", 0x21: 2,
    0x22: 2, 0x23: 2, 0x24: 1, 0x25: 1, 0x26: "pair", 0x27: 4, 0x28: 1, 0x29: 1, 0x2A: 1,
}  # fmt: skip


class MalformedError(Exception):
    """The bytes are no MQTT packet that we take. `code` is version 5's reason code."""

    def __init__(self, reason: str, code: int = 0x81) -> None:
        super().__init__(reason)
        self.code = code


class Publish(msgspec.Struct):
    """PUBLISH, either way; `id` is 0 at QoS 0."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    dup: bool = False
    id: int = 0
    expiry_s: int | None = None  # version 5: how long it is worth delivering
    told: bytes = b""  # version 5: the properties that go to the readers with it
    user: tuple[tuple[str, str], ...] = ()
    identifiers: tuple[int, ...] = ()  # of the subscriptions that it is sent for
    delay_s: int = 0  # of a will
    client: str = ""  # who sent it, once it is with the broker


class Connect(msgspec.Struct):
    """CONNECT. `expiry` is how many seconds the session outlives the connection (version 5); `window` and
    `largest` are how many unconfirmed messages, and which size of packet, the client takes."""

    level: int
    client_id: str
    clean: bool
    keep_alive: int
    will: Publish | None = None
    username: str | None = None
    password: bytes | None = None
    expiry: int = 0
    window: int = 65_535
    largest: int = 1 << 28
    reasons: bool = True


class Receipt(msgspec.Struct):
    """PUBACK, PUBREC, PUBREL or PUBCOMP."""

    kind: int
    id: int
    code: int = 0


class Subscribe(msgspec.Struct):
    """SUBSCRIBE: (filter, options byte) each; `identifier` is version 5's, 0 for none."""

    id: int
    filters: list[tuple[str, int]]
    identifier: int = 0


class Unsubscribe(msgspec.Struct):
    """UNSUBSCRIBE."""

    id: int
    filters: list[str]


class Ping(msgspec.Struct):
    """PINGREQ."""


class Disconnect(msgspec.Struct):
    """DISCONNECT; version 5's code 4 asks for the will all the same."""

    code: int = 0


Packet = Connect | Publish | Receipt | Subscribe | Unsubscribe | Ping | Disconnect


class _Body:
    """A cursor over one packet's bytes."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        end = self.at + count
        if end > len(self.data):
            raise MalformedError("the packet is too short")
        found = self.data[self.at : end]
        self.at = end
        return found

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def identifier(self) -> int:
        found = self.number()
        if found == 0:
            raise MalformedError("a packet identifier is 0")
        return found

    def binary(self) -> bytes:
        return self.take(self.number())

    def text(self) -> str:
        try:
            found = self.binary().decode("utf-8")
        except UnicodeDecodeError as error:
            raise MalformedError("a text is not UTF-8") from error
        if "\x00" in found:
            raise MalformedError("a text holds a NUL")
        return found

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return value
            shift += 7
            if shift > 21:
                raise MalformedError("a length is too long")

    def properties(self) -> dict[int, Any]:
        """Return the properties by their ids: numbers and texts as they are, `_USER` a list of pairs.

        What goes to the readers of a message comes as bytes under the id 0. Raises `MalformedError` also for one
        that is there twice.
        """
        size = self.varint()
        if not size:
            return {}
        inner = _Body(self.take(size))
        found: dict[int, Any] = {}
        handed = bytearray()
        while inner.at < len(inner.data):
            begin = inner.at
            kind = inner.varint()
            value = inner.one(_PROPERTIES.get(kind))
            if kind == _USER:
                found.setdefault(kind, []).append(value)
            elif kind in found and kind != _SUBSCRIPTION:
                raise MalformedError("a property is there twice", 0x82)
            else:
                found[kind] = value
            if kind in _HANDED_ON:
                handed += inner.data[begin : inner.at]
        if handed:
            found[0] = bytes(handed)
        return found

    def one(self, size: int | str | None) -> Any:
        if size == "text":
            return self.binary()
        if size == "pair":
            return self.text(), self.text()
        if size == "varint":
            return self.varint()
        if isinstance(size, int):
            return int.from_bytes(self.take(size), "big")
        raise MalformedError("a property is not known", 0x82)

    def rest(self) -> bytes:
        return self.take(len(self.data) - self.at)

    @property
    def left(self) -> bool:
        return self.at < len(self.data)


class Decoder:
    """Cuts a stream of bytes into packets; `level` is that of the CONNECT it saw (3, 4 or 5)."""

    def __init__(self, largest: int = 1 << 18) -> None:
        self.largest = largest
        self.level = 4
        self._buffer = bytearray()
        self._connected = False
        self._topics: dict[int, str] = {}  # by alias

    def feed(self, data: bytes) -> Iterator[Packet]:
        """Yield the packets that are whole now. Raises `MalformedError`; nothing can be read after that."""
        self._buffer += data
        at = 0
        while True:
            whole = self._whole(at)
            if whole is None:
                break
            body_at, end = whole
            first = self._buffer[at]
            body = bytes(self._buffer[body_at:end])
            at = end
            yield self._packet(first >> 4, first & 0x0F, _Body(body))
        del self._buffer[:at]

    def _whole(self, at: int) -> tuple[int, int] | None:
        """Return where the body of the packet at `at` begins and ends, None while it is not all there."""
        length = 0
        for place in range(4):
            if at + 1 + place >= len(self._buffer):
                return None
            byte = self._buffer[at + 1 + place]
            length |= (byte & 0x7F) << (7 * place)
            if not byte & 0x80:
                if length > self.largest:
                    raise MalformedError("the packet is too large", 0x95)
                begin = at + 2 + place
                return (begin, begin + length) if begin + length <= len(self._buffer) else None
        raise MalformedError("a length is too long")

    def _packet(self, kind: int, flags: int, body: _Body) -> Packet:
        if not self._connected:
            if kind != CONNECT:
                raise MalformedError("the first packet is not CONNECT", 0x82)
            self._connected = True
            return self._connect(flags, body)
        if kind == PUBLISH:
            return self._publish(flags, body)
        read = _READERS.get(kind)
        if read is None or flags != (2 if kind in (PUBREL, SUBSCRIBE, UNSUBSCRIBE) else 0):
            raise MalformedError("a packet of that kind is not expected here", 0x82)
        return read(kind, body, self.level == 5)

    def _connect(self, flags: int, body: _Body) -> Connect:
        name, level = body.text(), body.byte()
        if flags or name not in ("MQTT", "MQIsdp"):
            raise MalformedError("it is not MQTT", 0x84)
        if level not in (3, 4, 5):
            raise MalformedError("the version is not spoken here", 0x84)
        self.level = level
        marks, keep_alive = body.byte(), body.number()
        if marks & 1:
            raise MalformedError("a reserved bit is set")
        told = body.properties() if level == 5 else {}
        packet = Connect(
            level, body.text(), bool(marks & 2), keep_alive, expiry=told.get(_EXPIRY, 0),
            window=told.get(_RECEIVE, 65_535), largest=told.get(_LARGEST, 1 << 28), reasons=told.get(_REQUEST_PROBLEM, 1) != 0,
        )  # fmt: skip
        if not packet.window or not packet.largest:
            raise MalformedError("a limit is 0", 0x82)
        if marks & 4:
            packet.will = self._will(marks, body)
        elif marks & 0x38:
            raise MalformedError("a will is half given")
        if marks & 0x80:
            packet.username = body.text()
        if marks & 0x40:
            packet.password = body.binary()
        if body.left:
            raise MalformedError("the packet is too long")
        return packet

    def _will(self, marks: int, body: _Body) -> Publish:
        qos = marks >> 3 & 3
        if qos == 3:
            raise MalformedError("there is no QoS 3")
        told = body.properties() if self.level == 5 else {}
        return Publish(
            body.text(), body.binary(), qos, bool(marks & 0x20), expiry_s=told.get(_MESSAGE_EXPIRY), told=told.get(0, b""),
            user=tuple(told.get(_USER, ())), delay_s=told.get(_WILL_DELAY, 0),
        )  # fmt: skip

    def _publish(self, flags: int, body: _Body) -> Publish:
        qos = flags >> 1 & 3
        if qos == 3:
            raise MalformedError("there is no QoS 3")
        topic = body.text()
        number = body.identifier() if qos else 0
        told = body.properties() if self.level == 5 else {}
        if _ALIAS in told or not topic:
            topic = self._aliased(topic, told.get(_ALIAS))
        packet = Publish(topic, body.rest(), qos, bool(flags & 1), bool(flags & 8), number)
        if told:
            packet.expiry_s, packet.told = told.get(_MESSAGE_EXPIRY), told.get(0, b"")
            packet.user = tuple(told.get(_USER, ()))
        return packet

    def _aliased(self, topic: str, alias: int | None) -> str:
        """Return the topic of a message that has an alias for it (5.0, §3.3.2.3.4); "" is refused as a topic later."""
        if alias is None:
            return topic
        if not 0 < alias <= ALIASES:
            raise MalformedError("a topic alias is too large", 0x94)
        if topic:
            self._topics[alias] = topic
        elif alias not in self._topics:
            raise MalformedError("a topic alias is not known", 0x82)
        return self._topics[alias]


def _read_receipt(kind: int, body: _Body, five: bool) -> Receipt:
    number = body.identifier()
    code = body.byte() if five and body.left else 0
    if five and body.left:
        body.properties()
    return _done(Receipt(kind, number, code), body)


def _read_subscribe(_kind: int, body: _Body, five: bool) -> Subscribe:
    packet = Subscribe(body.identifier(), [])
    if five:
        packet.identifier = body.properties().get(_SUBSCRIPTION, 0)
    while body.left:
        packet.filters.append((body.text(), body.byte()))
    if not packet.filters or any(options & 3 == 3 for _, options in packet.filters):
        raise MalformedError("a subscription is empty or has QoS 3")
    return packet


def _read_unsubscribe(_kind: int, body: _Body, five: bool) -> Unsubscribe:
    packet = Unsubscribe(body.identifier(), [])
    if five:
        body.properties()
    while body.left:
        packet.filters.append(body.text())
    if not packet.filters:
        raise MalformedError("nothing to unsubscribe from")
    return packet


def _read_ping(_kind: int, body: _Body, _five: bool) -> Ping:
    return _done(Ping(), body)


def _read_disconnect(_kind: int, body: _Body, five: bool) -> Disconnect:
    code = body.byte() if five and body.left else 0
    if five and body.left:
        body.properties()
    return _done(Disconnect(code), body)


P = TypeVar("P", Receipt, Ping, Disconnect)


def _done(packet: P, body: _Body) -> P:
    if body.left:
        raise MalformedError("the packet is too long")
    return packet


_READERS: dict[int, Callable[[int, _Body, bool], Packet]] = {
    **dict.fromkeys(_RECEIPTS, _read_receipt), SUBSCRIBE: _read_subscribe, UNSUBSCRIBE: _read_unsubscribe,
    PINGREQ: _read_ping, DISCONNECT: _read_disconnect,
}  # fmt: skip


def _framed(first: int, body: bytes) -> bytes:
    length, head = len(body), bytearray((first,))
    while True:
        byte, length = length & 0x7F, length >> 7
        head.append(byte | 0x80 if length else byte)
        if not length:
            return bytes(head) + body


def _text(value: str) -> bytes:
    data = value.encode("utf-8")
    return len(data).to_bytes(2, "big") + data


def _varint(value: int) -> bytes:
    out = bytearray()
    while True:
        byte, value = value & 0x7F, value >> 7
        out.append(byte | 0x80 if value else byte)
        if not value:
            return bytes(out)


def connack(
    code: int, *, level: int, session: bool = False, client_id: str = "", largest: int = 0, expiry: int | None = None
) -> bytes:  # fmt: skip
    """Return CONNACK; version 5 is told the name given to a client that had none, and our limits."""
    if level != 5:
        return _framed(CONNACK << 4, bytes((int(session), code)))
    told = bytes((_ASSIGNED,)) + _text(client_id) if client_id else b""
    if not code:
        told += bytes((_ALIASES,)) + ALIASES.to_bytes(2, "big")
        told += bytes((_LARGEST,)) + largest.to_bytes(4, "big") if largest else b""
        told += bytes((_EXPIRY,)) + expiry.to_bytes(4, "big") if expiry is not None else b""
    return _framed(CONNACK << 4, bytes((int(session), code)) + _varint(len(told)) + told)


def publish(packet: Publish, *, level: int) -> bytes:
    """Return PUBLISH."""
    first = PUBLISH << 4 | (8 if packet.dup else 0) | packet.qos << 1 | int(packet.retain)
    number = packet.id.to_bytes(2, "big") if packet.qos else b""
    told = _told(packet) if level == 5 else b""
    return _framed(first, _text(packet.topic) + number + told + packet.payload)


def _told(packet: Publish) -> bytes:
    told = packet.told
    if packet.expiry_s is not None:
        told += bytes((_MESSAGE_EXPIRY,)) + packet.expiry_s.to_bytes(4, "big")
    for identifier in packet.identifiers:
        told += bytes((_SUBSCRIPTION,)) + _varint(identifier)
    return _varint(len(told)) + told


def receipt(kind: int, number: int, *, level: int, code: int = 0, reason: str = "") -> bytes:
    """Return PUBACK, PUBREC, PUBREL or PUBCOMP; version 5 may say the `reason` of a refusal in words."""
    told = bytes((code,)) if level == 5 and code else b""
    if told and reason:
        words = bytes((_REASON,)) + _text(reason[:500])
        told += _varint(len(words)) + words
    return _framed(kind << 4 | (2 if kind == PUBREL else 0), number.to_bytes(2, "big") + told)


def suback(number: int, codes: list[int], *, level: int) -> bytes:
    """Return SUBACK."""
    return _framed(SUBACK << 4, number.to_bytes(2, "big") + (b"\x00" if level == 5 else b"") + bytes(codes))


def unsuback(number: int, codes: list[int], *, level: int) -> bytes:
    """Return UNSUBACK (version 5 says for each filter whether there was one)."""
    told = b"\x00" + bytes(codes) if level == 5 else b""
    return _framed(UNSUBACK << 4, number.to_bytes(2, "big") + told)


def pingresp() -> bytes:
    """Return PINGRESP."""
    return _framed(PINGRESP << 4, b"")


def disconnect(code: int, *, level: int) -> bytes:
    """Return DISCONNECT, which only version 5 lets a server send (b"" otherwise)."""
    return _framed(DISCONNECT << 4, bytes((code,))) if level == 5 else b""
