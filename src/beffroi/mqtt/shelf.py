"""Shelf: what the embedded broker owes its clients, on disk: kept sessions, their queues, retained messages.

It is written behind the messages, in one transaction with how far the commits of the town were sent (`marks`): after
a sudden end the broker goes on from there, so that a kept session misses nothing, and hears at worst a few twice.
A session that is not kept, and one whose client confirms at once, cost nothing.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert, select, text

from beffroi.model.principal import Principal
from beffroi.mqtt.broker import Broker
from beffroi.mqtt.session import Message, Owner, Queued, Session, Subscription
from beffroi.store.open import Store
from beffroi.store.tables import cursor, mqtt_message, mqtt_retained, mqtt_session

__all__ = ["Shelf"]

PACE_S = 0.5
MARKS = "mqtt.marks"
_MOST = 500  # rows in one statement


class _Told(msgspec.Struct):
    """What is kept of a session."""

    who: Principal
    subscriptions: dict[str, Subscription]
    level: int
    seconds: float


class _Kept(msgspec.Struct):
    """What is kept of a message, its payload aside."""

    topic: str
    qos: int
    public: bool
    owner: Owner | None = None
    told: bytes = b""
    until_s: float | None = None
    retain: bool = False
    identifiers: tuple[int, ...] = ()


class _Work(msgspec.Struct):
    """One writing: rows to add, and what goes."""

    sessions: list[dict[str, Any]] = []
    gone: list[tuple[str, str]] = []
    messages: list[dict[str, Any]] = []
    confirmed: list[tuple[str, str, list[int]]] = []
    retained: list[dict[str, Any]] = []
    forgotten: list[str] = []
    marks: tuple[int, int] | None = None


Key = tuple[str, str]


class Shelf:
    """The queue of one broker on disk. Its methods belong to the broker's event loop."""

    def __init__(self, store: Store, broker: Broker) -> None:
        self.store = store
        self.broker = broker
        self.marks: Callable[[], tuple[int, int]] = lambda: (0, 0)
        self._written: dict[Key, set[int]] = {}  # numbers of the messages of each session that are on disk
        self._marked: tuple[int, int] | None = None
        self._turn = asyncio.Lock()

    def load(self) -> tuple[int, int] | None:
        """Give the broker its sessions and retained messages back; return how far the commits had been sent."""
        now = self.store.clock()
        with self.store.read() as c:
            rows = c.execute(select(mqtt_session)).all()
            queued = c.execute(select(mqtt_message).order_by(mqtt_message.c.number)).all()
            kept = c.execute(select(mqtt_retained)).all()
            marks = c.execute(select(cursor.c.position).where(cursor.c.name == MARKS)).scalar()
        for row in rows:
            told = msgspec.json.decode(row.told, type=_Told)
            session = Session(row.client, told.who)
            session.subscriptions, session.level, session.kept = told.subscriptions, told.level, True
            session.seconds = told.seconds
            left = told.seconds if row.ends_us is None else (row.ends_us - now) / 1e6
            session.ends_at = time.monotonic() + left
            self._written[row.who, row.client] = set()
            self.broker.sessions[row.who, row.client] = session
        for row in queued:
            owner = self.broker.sessions.get((row.who, row.client))
            if owner is not None:
                one = msgspec.json.decode(row.told, type=_Kept)
                owner.put(
                    Queued(row.number, _message(one, row.payload), one.qos, one.retain, one.identifiers)
                )
                self._written[row.who, row.client].add(row.number)
        for row in kept:
            self.broker.kept[row.topic] = _message(msgspec.json.decode(row.told, type=_Kept), row.payload)
        self.broker.changed()
        known = None if marks is None else msgspec.json.decode(marks, type=tuple[int, int])
        return known if rows else None

    async def run(self) -> None:
        """Write what changed, again and again, until cancelled."""
        while True:
            await asyncio.sleep(PACE_S)
            await self.write()

    async def write(self) -> None:
        """Write what changed; it is on disk when this returns."""
        async with self._turn:
            work = self._collect()
            if work is not None:
                await asyncio.to_thread(self._store, work)

    def close(self) -> None:
        """Write the last changes."""
        work = self._collect()
        if work is not None:
            with contextlib.suppress(
                Exception
            ):  # the store may be closing too; it is then written at worst half a second old
                self._store(work)

    def _collect(self) -> _Work | None:
        work = _Work([], [], [], [], [], [])
        kept = {key: one for key, one in self.broker.sessions.items() if one.kept}
        for key in [key for key in self._written if key not in kept]:
            del self._written[key]
            work.gone.append(key)
        for key, session in kept.items():
            if session.changed or key not in self._written:
                session.changed = False
                self._queue(work, key, session)
        for topic in self.broker.kept_changed:
            message = self.broker.kept.get(topic)
            work.forgotten.append(topic)
            if message is not None:
                work.retained.append({"topic": topic, "told": _told(message), "payload": message.payload})
        self.broker.kept_changed.clear()
        if kept and self.marks() != self._marked:
            work.marks = self._marked = self.marks()
        empty = work == _Work([], [], [], [], [], [])
        return None if empty else work

    def _queue(self, work: _Work, key: Key, session: Session) -> None:
        who, client = key
        told = _Told(session.who, session.subscriptions, session.level, session.seconds)
        ends = (
            None
            if session.ends_at is None
            else self.store.clock() + int((session.ends_at - time.monotonic()) * 1e6)
        )
        row = {"who": who, "client": client, "told": msgspec.json.encode(told).decode(), "ends_us": ends}
        work.sessions.append(row)
        written = self._written.setdefault(key, set())
        pending = {one.number: one for one in session.pending()}
        if gone := sorted(written - pending.keys()):
            work.confirmed.append((who, client, gone))
        for number in sorted(pending.keys() - written):
            one = pending[number]
            told_of = _told(one.message, one)
            work.messages.append(
                {
                    "who": who,
                    "client": client,
                    "number": number,
                    "told": told_of,
                    "payload": one.message.payload,
                }
            )
        self._written[key] = set(pending)

    def _store(self, work: _Work) -> None:
        s, m = mqtt_session.c, mqtt_message.c
        with self.store.write() as c:
            for who, client in work.gone:
                for table in (mqtt_session, mqtt_message):
                    c.execute(delete(table).where(table.c.who == who, table.c.client == client))
            for row in work.sessions:
                c.execute(delete(mqtt_session).where(s.who == row["who"], s.client == row["client"]))
            if work.sessions:
                c.execute(insert(mqtt_session), work.sessions)
            for who, client, numbers in work.confirmed:
                for start in range(0, len(numbers), _MOST):
                    some = numbers[start : start + _MOST]
                    c.execute(
                        delete(mqtt_message).where(m.who == who, m.client == client, m.number.in_(some))
                    )
            if work.messages:
                c.execute(insert(mqtt_message), work.messages)
            for topic in work.forgotten:
                c.execute(delete(mqtt_retained).where(mqtt_retained.c.topic == topic))
            if work.retained:
                c.execute(insert(mqtt_retained), work.retained)
            self._mark(c, work.marks)

    @staticmethod
    def _mark(c: Connection, marks: tuple[int, int] | None) -> None:
        if marks is not None:
            c.execute(
                text(
                    "INSERT INTO cursor (name, position) VALUES (:name, :position)"
                    " ON CONFLICT (name) DO UPDATE SET position = excluded.position"
                ),
                {"name": MARKS, "position": msgspec.json.encode(marks).decode()},
            )


def _told(message: Message, queued: Queued | None = None) -> str:
    one = _Kept(
        message.topic, message.qos if queued is None else queued.qos, message.public, message.owner, message.told,
        message.until_s,
    )  # fmt: skip
    if queued is not None:
        one.retain, one.identifiers = queued.retain, queued.identifiers
    return msgspec.json.encode(one).decode()


def _message(kept: _Kept, payload: bytes) -> Message:
    return Message(
        kept.topic,
        bytes(payload),
        kept.qos,
        public=kept.public,
        owner=kept.owner,
        told=kept.told,
        until_s=kept.until_s,
    )
