"""From the store's commits to MQTT: every stored observation, and every changed Thing and Datastream.

The standard's topics (18-088 §14.3): `v1.1/Observations`, `v1.1/Datastreams(5)/Observations`,
`v1.1/FeaturesOfInterest(7)/Observations`, `v1.1/Observations(9)`, `v1.1/Things(1)` … each also with
`?$select=…` at the end, as the subscriber wrote it.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from sqlalchemy import select

from beffroi.model.observation import Observation
from beffroi.model.principal import ANONYMOUS
from beffroi.model.problem import Problem
from beffroi.mqtt.session import Message
from beffroi.standards.sensorthings.address import read_options
from beffroi.standards.sensorthings.entities import BY_NAME
from beffroi.standards.sensorthings.render import Chosen, chosen, encode, entity_json, observation_json
from beffroi.standards.sensorthings.sight import of_type, sight_of
from beffroi.store import catalogue, tables
from beffroi.town import Town

__all__ = ["Commits", "Listeners", "base_of", "observation_message"]

ROOT = "/sensorthings/v1.1"
BATCH = 5_000
OBSERVATION = BY_NAME["Observation"]
WHOLE = Chosen()


class Listeners(Protocol):
    """Who hears what is committed: a broker of ours, or the way to another."""

    def patterns(self) -> Iterable[str]:
        """Return the subscriptions there are; nothing is made for topics nobody listens to."""

    def send(self, message: Message, *, retain: bool = False) -> None:
        """Send a message to those who listen."""

    def heard(self, topic: str) -> bool:
        """True when somebody listens to `topic`."""


def base_of(town: Town, address: str = "") -> str:
    """Return the service root for links in messages: at the town's public address, else where it is served."""
    return (town.settings.base_url or address or "http://127.0.0.1:8080").rstrip("/") + ROOT


def observation_message(
    base: str, found: Observation, topic: str, keep: Chosen = WHOLE, *, public: bool = True
) -> Message:
    """Return the message of an observation at `topic`."""
    return Message(topic, encode(observation_json(found, base, keep)), public=public)


class Commits:
    """Follows the commits of a store from now on. A correction is sent again as it is now."""

    def __init__(self, town: Town, listeners: Listeners, address: str = "") -> None:
        self.town = town
        self.base = base_of(town, address)
        self.listeners = listeners
        self._hidden: set[int] = set()
        self._version = -1
        self._changed = self._newest_change()

    async def run(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Send what is committed until cancelled."""
        loop = asyncio.get_running_loop()
        wake = asyncio.Event()
        cancel = self.town.store.listen(lambda: _set(loop, wake))
        try:
            position = await asyncio.to_thread(self.town.store.observations.head)
            while not stop():
                await wake.wait()
                wake.clear()
                position = await self._send_from(position)
        finally:
            cancel()

    async def _send_from(self, position: int) -> int:
        changed = await asyncio.to_thread(self._entities)
        if not any(True for _ in self.listeners.patterns()):
            return await asyncio.to_thread(self.town.store.observations.head)
        for message in changed:
            self.listeners.send(message)
        while found := await asyncio.to_thread(self.town.store.observations.after, position, BATCH):
            self._send(found)
            position = found[-1].seq
            await asyncio.sleep(0)
        return position

    def _send(self, found: list[Observation]) -> None:
        queries = self._queries()
        # each observation has a topic of its own: it is only made when a subscription can be for such a topic
        single = any("Observations(" in p or "#" in p or p.endswith("+") for p in self.listeners.patterns())
        for one in found:
            public = one.datastream_id not in self._hidden
            for topic in _topics(one, single=single):
                if self.listeners.heard(topic):
                    self.listeners.send(observation_message(self.base, one, topic, public=public))
                for query, keep in queries.items():
                    if self.listeners.heard(topic + query):
                        message = observation_message(self.base, one, topic + query, keep, public=public)
                        self.listeners.send(message)

    def _queries(self) -> dict[str, Chosen]:
        """Return each `?$select=…` that somebody subscribed with; one that is wrong selects nothing."""
        found: dict[str, Chosen] = {}
        for pattern in self.listeners.patterns():
            _, mark, query = pattern.partition("?")
            if mark and f"?{query}" not in found:
                try:
                    options, _ = read_options(query)
                    found[f"?{query}"] = chosen(OBSERVATION, options.select)
                except Problem:
                    continue
        return found

    def _newest_change(self) -> int:
        with self.town.store.read() as connection:
            seqs = [
                connection.execute(select(t.c.seq).order_by(t.c.seq.desc()).limit(1)).scalar() or 0
                for t in (tables.thing, tables.datastream)
            ]
        return int(max(seqs))

    def _entities(self) -> list[Message]:
        """Return the messages of Things and Datastreams changed since, and note what is hidden now."""
        messages: list[Message] = []
        newest = self._changed
        with self.town.store.read() as connection:
            version = catalogue.version(connection)
            if version == self._version:
                return []
            self._version = version
            seen = sight_of(ANONYMOUS)
            self._hidden = set(connection.execute(seen.hidden_series()).scalars())
            for name in ("Thing", "Datastream", "MultiDatastream"):
                entity = BY_NAME[name]
                table = tables.metadata.tables[entity.table]
                shown = set(connection.execute(select(table.c.id).where(*seen.of(entity, table))).scalars())
                changed = select(table).where(table.c.seq > self._changed, *of_type(entity, table))
                for row in connection.execute(changed).mappings().all():
                    newest = max(newest, int(row["seq"]))
                    body = encode(entity_json(entity, dict(row), self.base, WHOLE, {}))
                    topics = (f"v1.1/{entity.set_name}", f"v1.1/{entity.set_name}({row['id']})")
                    messages.extend(Message(topic, body, public=row["id"] in shown) for topic in topics)
        self._changed = newest
        return messages


def _topics(found: Observation, *, single: bool) -> Iterator[str]:
    yield f"v1.1/Datastreams({found.datastream_id})/Observations"
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
