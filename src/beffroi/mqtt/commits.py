"""From the store's commits to MQTT: every stored observation, and every changed entity of the catalogue.

The standard's topics (18-088 §14.3): `v1.1/Observations`, `v1.1/Datastreams(5)/Observations`, `v1.1/Observations(9)`,
`v1.1/Things`, `v1.1/Things(1)` … are made for each change; what subscriptions ask beyond that is in `watch.py`.
"""

import asyncio
import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from sqlalchemy import select

from beffroi.model.observation import Observation
from beffroi.model.problem import Problem
from beffroi.mqtt.session import Message, Owner
from beffroi.mqtt.watch import (
    OBSERVATION,
    PUBLIC,
    Standing,
    Watch,
    owners,
    public_ids,
    read_watch,
    reader_of,
    speaks,
)
from beffroi.standards.sensorthings.address import read_options
from beffroi.standards.sensorthings.entities import ENTITIES, Entity
from beffroi.standards.sensorthings.render import Chosen, chosen, encode, entity_json, observation_json
from beffroi.standards.sensorthings.sight import of_type
from beffroi.store import catalogue, tables
from beffroi.town import Town

__all__ = ["Commits", "Listeners", "base_of", "observation_message"]

ROOT = "/sensorthings/v1.1"
BATCH = 5_000
UNHEARD_S = 0.05  # while nobody listens, what is committed in that long is passed over together
BACK_S = 2.0  # how soon it is seen that another's broker is back
FURTHEST = 100_000  # observations that a start goes back for, for sessions that were kept
WHOLE = Chosen()
CATALOGUE = tuple(entity for entity in ENTITIES if entity is not OBSERVATION)


class Listeners(Protocol):
    """Who hears what is committed: a broker of ours, or the way to another."""

    def patterns(self) -> Iterable[str]:
        """Return the subscriptions there are; nothing is made for topics nobody listens to."""

    def send(self, message: Message, *, retain: bool = False) -> bool:
        """Send a message to those who listen."""

    def heard(self, topic: str) -> bool:
        """True when somebody listens to `topic`."""

    def put_off(self, topic: str, make: Callable[[], Message]) -> bool:
        """True when they are behind: `make` is asked when they have caught up, unless a later one of the topic came."""


def base_of(town: Town, address: str = "") -> str:
    """Return the service root for links in messages: at the town's public address, else where it is served."""
    return (town.settings.base_url or address or "http://127.0.0.1:8080").rstrip("/") + ROOT


def observation_message(
    base: str, found: Observation, topic: str, keep: Chosen = WHOLE, *, public: bool = True, owner: Owner | None = None,
    multi: bool = False,
) -> Message:  # fmt: skip
    """Return the message of an observation (`multi`: of a MultiDatastream) at `topic`."""
    body = encode(observation_json(found, base, keep, multi=multi))
    return Message(topic, body, public=public, owner=owner)


class Commits:
    """Follows the commits of a store, from now on or from where `marks` say; a `patient` one waits
    for listeners. A correction is sent again as it is now."""

    def __init__(
        self, town: Town, listeners: Listeners, address: str = "", marks: tuple[int, int] | None = None, *, patient: bool = False
    ) -> None:  # fmt: skip
        self.town = town
        self.base = base_of(town, address)
        self.listeners = listeners
        self._hidden: dict[int, Owner] = {}
        self._multi: set[int] = set()
        self._version = -1
        self._watches: dict[str, Watch] = {}
        self._standing: list[Standing] = []
        self._settled = False
        self._said: dict[str, bytes] = {}  # the last words of topics of properties
        newest, head = self._newest_change(), town.store.observations.head()
        self.patient = patient
        self.position = head if marks is None else max(min(marks[0], head), head - FURTHEST)
        self.changed = newest if marks is None else min(marks[1], newest)

    @property
    def marks(self) -> tuple[int, int]:
        """How far the commits were sent: of the observations, of the catalogue."""
        return self.position, self.changed

    async def run(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Send what is committed until cancelled."""
        loop = asyncio.get_running_loop()
        wake = asyncio.Event()
        wake.set()
        cancel = self.town.store.listen(lambda: _set(loop, wake))
        try:
            while not stop():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(BACK_S if self.patient else None):
                        await wake.wait()
                if not self._patterns():
                    await asyncio.sleep(UNHEARD_S)
                wake.clear()
                await self._send_on()
        finally:
            cancel()

    async def _send_on(self) -> None:
        if self.patient and not self._patterns():
            return  # that broker is away: it gets what it missed when it is back
        while await self._send_lot():
            pass

    async def _send_lot(self) -> bool:
        """Send some of what is committed; True when there may be more."""
        # What is committed is read first and who listens after it: whoever subscribed before a change hears of it.
        asked = bool(self._patterns())
        head, found, changes = await asyncio.to_thread(self._committed, unheard=not asked)
        if changes:
            for message in await asyncio.to_thread(self._of_entities, changes, self._patterns()):
                self.listeners.send(message)
            self.changed = max(int(rows[-1]["seq"]) for _, rows in changes)
        if not self._patterns():
            self.position = head  # passed over unread: thousands a second come in, and nobody listens
            return False
        if not found:
            return not asked
        watched = await asyncio.to_thread(self._watched, found)
        self._send(found, self._patterns())
        for message in watched:
            self.listeners.send(message)
        self.position = found[-1].seq
        return True

    def _committed(self, *, unheard: bool) -> tuple[int, list[Observation], list[tuple[Entity, Any]]]:
        """Return the newest observation's mark, the next ones to send, and the changes of the catalogue.

        The catalogue is read last: it knows each Datastream, and whether it is hidden, before what it measured is sent.
        """
        observations = self.town.store.observations
        head = observations.head()
        found = [] if unheard else observations.after(self.position, BATCH)
        return head, found, self._changes()

    # --- subscriptions
    def _patterns(self) -> list[str]:
        """Return what is subscribed to now, and read what is new in it."""
        patterns = [p for p in dict.fromkeys(self.listeners.patterns()) if speaks(p)]
        if self._watches.keys() != set(patterns):
            self._watches = {pattern: self._watches.get(pattern) or _watch(pattern) for pattern in patterns}
            self._settled = False
            self._said = {topic: body for topic, body in self._said.items() if topic in self._watches}
        return patterns

    def _wanted(self, entity: Entity) -> list[Watch]:
        found = self._watches.values()
        return [one for one in found if one is not NOTHING and one.entity is entity and not one.plain]

    # --- observations
    def _send(self, found: list[Observation], patterns: list[str]) -> None:
        queries = _queries(patterns)
        # each observation has a topic of its own: it is only made when a subscription can be for such a topic
        single = any("Observations(" in p or "#" in p or p.endswith("+") for p in patterns)
        heard, send, put_off = self.listeners.heard, self.listeners.send, self.listeners.put_off
        for one in found:
            owner = self._hidden.get(one.datastream_id)
            message: Message | None = None
            multi = one.datastream_id in self._multi
            of_one: dict[str, Any] = {"public": owner is None, "owner": owner, "multi": multi}
            for topic in _topics(one, single=single, multi=multi):
                make = functools.partial(observation_message, self.base, one, topic, **of_one)
                if heard(topic) and not put_off(topic, make):
                    if message is None:
                        message = make()
                    send(Message(topic, message.payload, public=message.public, owner=owner))
                for query, keep in queries.items():
                    if heard(topic + query):
                        send(observation_message(self.base, one, topic + query, keep, **of_one))

    def _watched(self, found: list[Observation]) -> list[Message]:
        """Return the messages that watches ask for."""
        wanted = self._wanted(OBSERVATION)
        if not wanted:
            return []
        store, messages = self.town.store, []
        with store.read() as c:
            public, every = (reader_of(store, c, self.base, public=which) for which in (True, False))
            if not self._settled:
                self._standing = [s for watch in wanted if (s := Standing.of(watch, every)) is not None]
                self._settled = True
            shown = [one for one in found if one.datastream_id not in self._hidden]
            hidden = [one for one in found if one.datastream_id in self._hidden]
            series = {one.id: one.datastream_id for one in hidden}
            for standing in self._standing:
                topic = standing.watch.topic
                messages += [Message(topic, body) for _, body in standing.observations(public, shown)]
                messages += [
                    Message(topic, body, public=False, owner=self._hidden[series[number]])
                    for number, body in standing.observations(every, hidden)
                ]
        return messages

    # --- catalogue
    def _newest_change(self) -> int:
        with self.town.store.read() as c:
            seqs = [self._newest(c, tables.metadata.tables[entity.table]) for entity in CATALOGUE]
        return max(seqs)

    @staticmethod
    def _newest(c: Any, table: Any) -> int:
        return int(c.execute(select(table.c.seq).order_by(table.c.seq.desc()).limit(1)).scalar() or 0)

    def _changes(self) -> list[tuple[Entity, Any]]:
        """Return the rows changed since, by type; note what is hidden now."""
        changes: list[tuple[Entity, Any]] = []
        with self.town.store.read() as c:
            version = catalogue.version(c)
            if version == self._version:
                return []
            self._version, self._settled = version, False
            series, thing = tables.datastream, tables.thing
            whose = select(series.c.id, thing.c.territory, thing.c.service).join(
                thing, thing.c.id == series.c.thing_id
            )
            hidden = c.execute(whose.where(series.c.id.in_(PUBLIC.hidden_series())))
            self._hidden = {row[0]: Owner(row[1], row[2] or "") for row in hidden}
            self._multi = set(c.execute(select(series.c.id).where(series.c.multi.is_not(None))).scalars())
            for entity in CATALOGUE:
                table = tables.metadata.tables[entity.table]
                rows = (
                    c.execute(
                        select(table)
                        .where(table.c.seq > self.changed, *of_type(entity, table))
                        .order_by(table.c.seq)
                    )
                    .mappings()
                    .all()
                )
                if rows:
                    changes.append((entity, rows))
        return changes

    def _of_entities(self, changes: list[tuple[Entity, Any]], patterns: list[str]) -> list[Message]:
        with self.town.store.read() as c:
            return [
                message for entity, rows in changes if any(_may_be(pattern, entity) for pattern in patterns)
                for message in self._of_type(c, entity, rows)
            ]  # fmt: skip

    def _of_type(self, c: Any, entity: Entity, rows: Any) -> list[Message]:
        ids = [int(row["id"]) for row in rows]
        public, whose = public_ids(c, entity, ids), owners(c, entity, ids)
        stats = self.town.store.observations.stats(ids) if entity.table == "datastream" else {}
        messages: list[Message] = []
        for row in rows:
            number = int(row["id"])
            body = encode(entity_json(entity, dict(row), self.base, WHOLE, stats))
            topics = (f"v1.1/{entity.set_name}", f"v1.1/{entity.set_name}({number})")
            seen, owner = number in public, whose.get(number)
            messages += [Message(topic, body, public=seen, owner=owner) for topic in topics]
        for watch in self._wanted(entity):
            for open_to_all in (True, False):
                reader = reader_of(self.town.store, c, self.base, public=open_to_all)
                standing = Standing.of(watch, reader)
                mine = [i for i in ids if (i in public) == open_to_all]
                for number, body in standing.entities(reader, mine) if standing is not None and mine else []:
                    if watch.resource.property is not None and self._said.get(watch.topic) == body:
                        continue  # another property changed
                    self._said[watch.topic] = body
                    messages.append(Message(watch.topic, body, public=open_to_all, owner=whose.get(number)))
        return messages


def _watch(pattern: str) -> Watch:
    try:
        return read_watch(pattern) or NOTHING
    except Problem:
        return NOTHING


_found = read_watch("v1.1/Observations")
assert _found is not None
NOTHING = _found  # stands for a pattern that asks nothing of its own: it is plain


def _may_be(pattern: str, entity: Entity) -> bool:
    """True when a subscription can be for entities of a type."""
    path = pattern.partition("?")[0]
    return "+" in path or "#" in path or entity.set_name in path or entity.name in path


def _queries(patterns: list[str]) -> dict[str, Chosen]:
    """Return each `?$select=…` that somebody put behind wildcards; one that is wrong selects nothing."""
    found: dict[str, Chosen] = {}
    for pattern in patterns:
        path, mark, query = pattern.partition("?")
        if mark and "+" in path and f"?{query}" not in found:
            try:
                options, _ = read_options(query)
                found[f"?{query}"] = chosen(OBSERVATION, options.select)
            except Problem:
                continue
    return found


def _topics(found: Observation, *, single: bool, multi: bool) -> Iterator[str]:
    yield f"v1.1/{'MultiDatastreams' if multi else 'Datastreams'}({found.datastream_id})/Observations"
    yield "v1.1/Observations"
    if single:
        yield f"v1.1/Observations({found.id})"
    if found.feature_id is not None:
        yield f"v1.1/FeaturesOfInterest({found.feature_id})/Observations"


def _set(loop: asyncio.AbstractEventLoop, wake: asyncio.Event) -> None:
    try:
        loop.call_soon_threadsafe(wake.set)
    except RuntimeError:  # the loop ended: nobody is left to tell
        return
