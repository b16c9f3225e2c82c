"""Broker: MQTT 3.1.1 and 5 over asyncio, in the town's own process.

It is our own for one reason: PUBACK goes out only when what was published is on disk. What a message means
is not decided here: `Door` (authentication, rights, taking) is given by the caller.
"""

import asyncio
import contextlib
import logging
import ssl
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Protocol, Self

import msgspec

from beffroi.model.principal import Principal
from beffroi.model.problem import Forbidden, Problem, Unavailable
from beffroi.model.text import Text
from beffroi.mqtt import packets
from beffroi.mqtt.packets import (
    Connect,
    Disconnect,
    MalformedError,
    Ping,
    Publish,
    Receipt,
    Subscribe,
    Unsubscribe,
)
from beffroi.mqtt.session import WINDOW, Message, Session, Subscription
from beffroi.mqtt.topics import matches, shared, valid_filter, valid_topic

__all__ = ["Broker", "Door", "Listener"]

log = logging.getLogger("beffroi.mqtt")
CONNECT_S = 10.0
LARGEST = 1 << 18
CONNECTIONS = 5_000
SESSIONS = 20_000
SUBSCRIPTIONS = 1_000
RETAINED = 50_000
EXPIRY_S = 7 * 86_400.0  # a session is kept for a week at most; one of 3.1.1, which cannot say, as long
SWEEP_S = 5.0
WAYS = 100_000  # topics whose subscribers are remembered
UNANSWERED = 2_000  # messages of one client being stored, beyond which its next ones are not read
_V3_REFUSAL = {0x84: 1, 0x85: 2, 0x97: 3, 0x86: 4, 0x87: 5}  # CONNACK codes of 3.1.1

_TOPIC = Text("Ce sujet ne peut pas être publié.", "This topic cannot be published to.")
_RIGHT = Text("Cette clé n'a pas le droit de publier ici.", "This key may not publish here.")


class Door(Protocol):
    """What the broker asks of the town."""

    async def who(self, username: str | None, password: bytes | None, peer: str) -> Principal | None:
        """Return who connects, or None to refuse."""

    def may_publish(self, who: Principal, topic: str) -> bool:
        """Tell whether `who` may publish to `topic`."""

    def may_subscribe(self, who: Principal, pattern: str) -> bool:
        """Tell whether `who` may subscribe to `pattern`."""

    def take(self, who: Principal, packet: Publish) -> Awaitable[bool]:
        """Store what was published; return True when subscribers are to get it as it is.

        Raises `Problem` when it cannot be taken, `Unavailable` when it is to be sent again later.
        """

    def retained(self, pattern: str, who: Principal) -> Awaitable[Iterable[Message]]:
        """Return the last messages of the topics that the town itself publishes and `pattern` matches."""


class Listener(msgspec.Struct, frozen=True):
    """One more port to listen on, encrypted."""

    host: str
    port: int
    tls: ssl.SSLContext


class _Way(msgspec.Struct):
    """Who hears a topic: sessions, each with its best QoS and its subscriptions; groups that share a subscription."""

    plain: list[tuple[Session, int, tuple[Subscription, ...]]] = []
    groups: list[deque[tuple[Session, Subscription]]] = []


class Broker:
    """The broker: an asynchronous context manager; `port` is the one it listens on.

    `keep`, when given, writes what kept sessions wait for to disk, and returns once it is there.
    """

    def __init__(
        self, door: Door, host: str, port: int, *, largest: int = LARGEST, more: Sequence[Listener] = ()
    ) -> None:
        self.door = door
        self.host = host
        self.port = port
        self.largest = largest
        self.more = more
        self.keep: Callable[[], Awaitable[None]] | None = None
        self.sessions: dict[tuple[str, str], Session] = {}
        self.kept: dict[str, Message] = {}  # retained messages of clients
        self.kept_changed: set[str] = set()  # topics, since they were last written to disk
        self._connections: set[_Connection] = set()
        self._ways: dict[str, _Way] = {}
        self._swept = time.monotonic()
        self._servers: list[asyncio.Server] = []

    async def __aenter__(self) -> Self:
        """Listen. Raises `OSError` when a port is taken."""
        first = await asyncio.start_server(self._serve, self.host, self.port, limit=1 << 16)
        self._servers.append(first)
        self.port = first.sockets[0].getsockname()[1]
        try:
            for one in self.more:
                self._servers.append(
                    await asyncio.start_server(self._serve, one.host, one.port, limit=1 << 16, ssl=one.tls)
                )
        except OSError:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening and close every connection."""
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            connection.close(0x8B)
        await asyncio.gather(*(c.ended.wait() for c in list(self._connections)), return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(self, reader, writer)
        self._connections.add(connection)
        try:
            if len(self._connections) <= CONNECTIONS:
                await connection.run()
        finally:
            self._connections.discard(connection)
            connection.ended.set()
            writer.close()
            with contextlib.suppress(Exception):
                await writer.wait_closed()

    def send(self, message: Message, *, retain: bool = False) -> bool:
        """Send a message to those who subscribed; `retain` keeps it for those to come.

        True when it waits for somebody who is not there.
        """
        if retain:
            self._keep(message)
        self._sweep()
        waits = False
        way = self._way(message.topic)
        for session, qos, subscriptions in way.plain:
            if session.sees(message) and not _own(session, message, subscriptions):
                mark = retain and any(one.as_published for one in subscriptions)
                identifiers = tuple(one.identifier for one in subscriptions if one.identifier)
                session.send(message, qos, retain=mark, identifiers=identifiers)
                waits |= session.writer is None and session.kept
        for group in way.groups:
            waits |= _to_one(group, message)
        return waits

    def _way(self, topic: str) -> _Way:
        """Return who subscribed to `topic`, remembered until subscriptions change."""
        known = self._ways.get(topic)
        if known is None:
            if len(self._ways) >= WAYS:
                self._ways.clear()
            known = self._ways[topic] = _Way()
            groups: dict[tuple[str, str], deque[tuple[Session, Subscription]]] = {}
            for session in self.sessions.values():
                if wanted := session.wants(topic):
                    known.plain.append((session, max(one.qos for one in wanted), tuple(wanted)))
                for pattern, one in session.subscriptions.items():
                    group = shared(pattern)
                    if group is not None and matches(group[1], topic):
                        groups.setdefault(group, deque()).append((session, one))
            known.groups = list(groups.values())
        return known

    def changed(self) -> None:
        """Forget the ways: a client came, went, subscribed or unsubscribed."""
        self._ways.clear()

    def patterns(self) -> Iterator[str]:
        """Return the filters that clients subscribed to."""
        for session in list(self.sessions.values()):
            for pattern in list(session.subscriptions):
                group = shared(pattern)
                yield pattern if group is None else group[1]

    def put_off(self, topic: str, make: Callable[[], Message]) -> bool:
        """Never: each connection has a queue of its own."""
        del topic, make
        return False

    def heard(self, topic: str) -> bool:
        """True when somebody subscribed to `topic`."""
        way = self._way(topic)
        return bool(way.plain or way.groups)

    def reaches(self, message: Message) -> bool:
        """True when somebody who may read `message` subscribed to its topic, here or kept."""
        way = self._way(message.topic)
        members = [session for session, _, _ in way.plain] + [
            session for group in way.groups for session, _ in group
        ]
        return any(session.sees(message) for session in members)

    def _keep(self, message: Message) -> None:
        self.kept_changed.add(message.topic)
        if not message.payload:
            self.kept.pop(message.topic, None)
        elif message.topic in self.kept or len(self.kept) < RETAINED:
            self.kept[message.topic] = message

    def open_session(
        self, packet: Connect, who: Principal, writer: asyncio.StreamWriter
    ) -> tuple[Session, bool]:
        """Return the session of a client that connects, and whether it is one that was kept."""
        key = (who.id, packet.client_id)
        old = self.sessions.get(key)
        if old is not None and old.writer is not None:
            old.will = None if packet.clean else old.will
            old.writer.close()
            old.writer = None
        found = old if old is not None and not packet.clean and old.kept else None
        session = found or Session(packet.client_id, who)
        session.who, session.level, session.writer, session.will = who, packet.level, writer, packet.will
        session.kept = packet.expiry > 0 if packet.level == 5 else not packet.clean
        session.seconds = min(float(packet.expiry) if packet.level == 5 else EXPIRY_S, EXPIRY_S)
        session.window, session.largest = min(WINDOW, packet.window), packet.largest
        session.ends_at, session.changed = None, True
        if session.will_timer is not None:
            session.will_timer.cancel()
            session.will_timer = None
        self.sessions[key] = session
        self.changed()
        return session, found is not None

    def leave_session(self, session: Session) -> None:
        """The client went: forget its session, or keep it for its time."""
        session.writer = None
        session.changed = True
        if session.kept and len(self.sessions) <= SESSIONS:
            session.ends_at = time.monotonic() + session.seconds
        elif self.sessions.get((session.who.id, session.client_id)) is session:
            del self.sessions[session.who.id, session.client_id]
            self.changed()

    def _sweep(self) -> None:
        now = time.monotonic()
        if now < self._swept + SWEEP_S:
            return
        self._swept = now
        over = [key for key, one in self.sessions.items() if one.ends_at is not None and one.ends_at < now]
        for key in over:
            del self.sessions[key]
            self.changed()

    async def take(self, who: Principal, packet: Publish, sender: Session | None = None) -> None:
        """Store a client's message, then hand it on when it is not one of ours. Raises `Problem`."""
        if not valid_topic(packet.topic) or packet.topic.startswith("$"):
            raise Forbidden(_TOPIC)
        if not self.door.may_publish(who, packet.topic):
            raise Forbidden(_RIGHT)
        packet.client = "" if sender is None else sender.client_id
        if not await self.door.take(who, packet):
            return
        until = None if packet.expiry_s is None else time.time() + packet.expiry_s
        message = Message(
            packet.topic,
            packet.payload,
            packet.qos,
            public=False,
            told=packet.told,
            until_s=until,
            sender=sender,
        )
        waits = self.send(message, retain=packet.retain)
        if packet.qos and (waits or packet.retain) and self.keep is not None:
            await self.keep()  # what we confirm outlives us


def _own(session: Session, message: Message, subscriptions: Sequence[Subscription]) -> bool:
    return message.sender is session and all(one.others_only for one in subscriptions)


def _to_one(group: deque[tuple[Session, Subscription]], message: Message) -> bool:
    """Send to the next member of a group, rather to one who is there; True when it waits for one who is not."""
    group.rotate(-1)
    able = [(session, one) for session, one in group if session.sees(message)]
    chosen = next((pair for pair in able if pair[0].writer is not None), able[0] if able else None)
    if chosen is None:
        return False
    session, one = chosen
    session.send(message, one.qos, identifiers=(one.identifier,) if one.identifier else ())
    return session.writer is None and session.kept


class _Unanswerable(Exception):  # noqa: N818 - it ends a connection, with the code it carries
    """A message cannot be answered now."""


class _Connection:
    """One client's connection."""

    def __init__(self, broker: Broker, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.broker = broker
        self.reader = reader
        self.writer = writer
        self.decoder = packets.Decoder(broker.largest)
        self.ended = asyncio.Event()
        self.session: Session | None = None
        self.level = 4
        self.polite = False
        self.reasons = True
        self._answers: deque[tuple[Publish, asyncio.Future[None]]] = deque()
        self._more = asyncio.Event()
        self._fewer = asyncio.Event()
        self._acks = bytearray()

    def close(self, code: int) -> None:
        """End the connection, with a reason where the version can tell it."""
        if not self.writer.is_closing():
            self.writer.write(packets.disconnect(code, level=self.level) if self.session else b"")
            self.writer.close()

    async def run(self) -> None:
        """Serve the connection until it ends."""
        opened: Connect | None = None
        answering: asyncio.Task[None] | None = None
        try:
            opened = await self._open()
            if opened is None:
                return
            answering = asyncio.create_task(self._answer())
            await self._read(opened.keep_alive * 1.5 if opened.keep_alive else None)
        except MalformedError as error:
            log.info("an MQTT client was closed: %s", error)
            self.close(error.code)
        except (TimeoutError, ConnectionError, OSError):
            self.writer.close()
        finally:
            if answering is not None:
                answering.cancel()
            # a client may say goodbye right after its last message: that one is stored all the same
            await asyncio.gather(*(task for _, task in self._answers), return_exceptions=True)
            if opened is not None and self.session is not None:
                await self._leave(self.session)

    async def _leave(self, session: Session) -> None:
        if session.writer is not self.writer:
            return  # another connection of the same client took the session over
        self.broker.leave_session(session)
        will, session.will = session.will, None
        if will is None or self.polite:
            return
        delay = min(float(will.delay_s), session.seconds)
        if not delay:
            await self._speak(session, will)
            return
        loop = asyncio.get_running_loop()
        session.will_timer = loop.call_later(delay, lambda: loop.create_task(self._speak(session, will)))

    async def _speak(self, session: Session, will: Publish) -> None:
        try:
            await self.broker.take(session.who, will)
        except Problem as problem:
            log.info("a client's will was not taken: %s", problem.reason.en)

    async def _open(self) -> Connect | None:
        async with asyncio.timeout(CONNECT_S):
            first: list[packets.Packet] = []
            while not first:
                data = await self.reader.read(1 << 16)
                if not data:
                    return None
                first = list(self.decoder.feed(data))
        packet = first[0]
        assert isinstance(packet, Connect)
        self.level = packet.level
        peer = self.writer.get_extra_info("peername")
        who = await self.broker.door.who(packet.username, packet.password, peer[0] if peer else "")
        given = "" if packet.client_id else f"beffroi-{uuid.uuid4().hex[:12]}"
        code = 0x87 if who is None else 0x85 if given and not packet.clean and packet.level < 5 else 0
        if code or who is None:
            self.writer.write(
                packets.connack(code if self.level == 5 else _V3_REFUSAL.get(code, 5), level=self.level)
            )
            await self.writer.drain()
            return None
        packet.client_id = packet.client_id or given
        self.reasons = packet.reasons
        self.session, present = self.broker.open_session(packet, who, self.writer)
        capped = int(EXPIRY_S) if self.level == 5 and packet.expiry > EXPIRY_S else None
        self.writer.write(
            packets.connack(0, level=self.level, session=present, client_id=given, largest=self.broker.largest, expiry=capped)
        )  # fmt: skip
        self.session.resume()
        for one in first[1:]:
            await self._handle(one)
        return packet

    async def _read(self, seconds: float | None) -> None:
        while not self.polite:
            async with asyncio.timeout(seconds):
                data = await self.reader.read(1 << 16)
            if not data:
                return
            for packet in self.decoder.feed(data):
                await self._handle(packet)
            await self.writer.drain()
            if len(self._answers) > UNANSWERED:
                self._fewer.clear()
                await self._fewer.wait()

    async def _handle(self, packet: packets.Packet) -> None:
        session = self.session
        assert session is not None
        match packet:
            case Publish():
                self._published(session, packet)
            case Receipt():
                self.writer.write(self._received(session, packet))
            case Subscribe():
                await self._subscribe(session, packet)
            case Unsubscribe():
                known = [session.subscriptions.pop(pattern, None) for pattern in packet.filters]
                session.changed = True
                self.broker.changed()
                codes = [0x11 if one is None else 0 for one in known]
                self.writer.write(packets.unsuback(packet.id, codes, level=self.level))
            case Ping():
                self.writer.write(packets.pingresp())
            case Disconnect():
                self.polite = packet.code != 4
                session.will = session.will if packet.code == 4 else None
                self.writer.close()
            case Connect():
                raise MalformedError("a second CONNECT", 0x82)

    def _published(self, session: Session, packet: Publish) -> None:
        """Start storing a message; its answer goes out in its turn, when it is on disk."""
        if packet.qos == 2 and packet.id in session.received:
            self.writer.write(packets.receipt(packets.PUBREC, packet.id, level=self.level))
            return
        if packet.qos == 1 and session.is_repeat(packet):
            self.writer.write(packets.receipt(packets.PUBACK, packet.id, level=self.level))
            return
        task = asyncio.ensure_future(self.broker.take(session.who, packet, session))
        self._answers.append((packet, task))
        self._more.set()

    async def _answer(self) -> None:
        """Answer messages in the order they came (§4.6), each once it is stored."""
        try:
            while True:
                while not self._answers:
                    self._flush()
                    self._more.clear()
                    await self._more.wait()
                packet, task = self._answers[0]
                if not task.done():
                    self._flush()  # what one commit stored is confirmed in one piece
                code, reason = await self._outcome(packet, task)
                self._confirm(packet, code, reason)
                self._answers.popleft()
                if len(self._answers) < UNANSWERED // 2:
                    self._fewer.set()
        except _Unanswerable as error:
            self._flush()
            self.close(error.args[0])
        finally:
            self._flush()
            self._fewer.set()

    def _flush(self) -> None:
        if self._acks and not self.writer.is_closing():
            self.writer.write(bytes(self._acks))
        self._acks.clear()

    async def _outcome(self, packet: Publish, task: asyncio.Future[None]) -> tuple[int, str]:
        """Return 0 once a message is stored, or version 5's reason why it never will be, as a code and in words."""
        try:
            await asyncio.shield(task)
        except Unavailable as problem:
            # 3.1.1 cannot say no: without a PUBACK the client sends it again, to a town that can write
            log.warning("an MQTT message could not be stored: %s", problem.reason.en)
            raise _Unanswerable(0x97) from problem
        except Problem as problem:
            log.info(
                "an MQTT message to %r was refused: %s (%s)", packet.topic, problem.reason.en, problem.place
            )
            words = " ".join(part for part in (problem.reason.en, problem.mend.en, problem.place) if part)
            return 0x87 if isinstance(problem, Forbidden) else 0x99, words if self.reasons else ""
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.exception("an MQTT message to %r could not be handled", packet.topic)
            raise _Unanswerable(0x80) from error
        return 0, ""

    def _confirm(self, packet: Publish, code: int, reason: str) -> None:
        session = self.session
        assert session is not None
        if packet.qos == 1:
            if not code:
                session.taken(packet)
            self._acks += packets.receipt(
                packets.PUBACK, packet.id, level=self.level, code=code, reason=reason
            )
        elif packet.qos == 2:
            if not code:
                session.received.add(packet.id)
            self._acks += packets.receipt(
                packets.PUBREC, packet.id, level=self.level, code=code, reason=reason
            )

    def _received(self, session: Session, packet: Receipt) -> bytes:
        if packet.kind == packets.PUBREL:
            session.received.discard(packet.id)
            return packets.receipt(packets.PUBCOMP, packet.id, level=self.level)
        return session.confirmed(packet.kind, packet.id, packet.code)

    async def _subscribe(self, session: Session, packet: Subscribe) -> None:
        codes = []
        fresh: list[tuple[str, Subscription]] = []
        for pattern, options in packet.filters:
            code = self._refusal(session, pattern, options)
            if code:
                codes.append(code if self.level == 5 else 0x80)
                continue
            codes.append(options & 3)
            again = pattern in session.subscriptions
            one = session.subscriptions[pattern] = Subscription(options, packet.identifier)
            handling = options >> 4 & 3  # version 5: 0 send retained, 1 only for a new subscription, 2 never
            if shared(pattern) is None and (handling == 0 or (handling == 1 and not again)):
                fresh.append((pattern, one))
        session.changed = True
        self.broker.changed()
        # Confirmed when the last values are read: what is published from then on comes once, and never before them.
        session.meanwhile = set()
        last = [(await self._kept(session, pattern), one) for pattern, one in fresh]
        newer, session.meanwhile = session.meanwhile, None
        self.writer.write(packets.suback(packet.id, codes, level=self.level))
        for messages, one in last:
            identifiers = (one.identifier,) if one.identifier else ()
            for message in messages:
                if message.topic not in newer:
                    session.send(message, one.qos, retain=True, identifiers=identifiers)

    def _refusal(self, session: Session, pattern: str, options: int) -> int:
        """Return version 5's reason why a subscription is refused, 0 when it is not."""
        group = shared(pattern)
        if not valid_filter(pattern) or (group is not None and options & 4):
            return 0x8F
        if len(session.subscriptions) >= SUBSCRIPTIONS and pattern not in session.subscriptions:
            return 0x97
        allowed = self.broker.door.may_subscribe(session.who, pattern if group is None else group[1])
        return 0 if allowed else 0x87

    async def _kept(self, session: Session, pattern: str) -> list[Message]:
        """Return the last messages of the topics of a filter that the client may read."""
        now = time.time()
        theirs = [
            message for topic, message in list(self.broker.kept.items())
            if matches(pattern, topic) and (message.until_s is None or message.until_s > now)
        ]  # fmt: skip
        ours = await self.broker.door.retained(pattern, session.who)
        return [message for message in (*theirs, *ours) if session.sees(message)]
