"""What MQTT means to a town: SensorThings topics (18-088 §14), LoRaWAN topics, keys as passwords.

Publish an observation to `v1.1/Observations` or `v1.1/Datastreams(5)/Observations`, any other entity to its set, as
over HTTP; uplinks of The Things Stack and ChirpStack come on the topics of those servers. Any other topic is handed on
to its subscribers.
"""

import asyncio
import logging
import re
import time
from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import Connection, select

from beffroi.identity.gate import Gate
from beffroi.intake.take import Intake
from beffroi.intake.uplinks import take_uplink
from beffroi.model.observation import Draft
from beffroi.model.principal import ANONYMOUS, Principal
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.mqtt.commits import base_of, observation_message
from beffroi.mqtt.packets import Publish
from beffroi.mqtt.session import Message
from beffroi.mqtt.topics import matches
from beffroi.mqtt.watch import PUBLIC, Standing, Watch, owners, public_ids, read_watch, reader_of
from beffroi.standards.lorawan import chirpstack, ttn
from beffroi.standards.lorawan.downlink import event_of
from beffroi.standards.lorawan.uplink import Uplink
from beffroi.standards.sensorthings.address import read_path
from beffroi.standards.sensorthings.arrivals import MultiDraft, read_observation, series_of_topic
from beffroi.standards.sensorthings.body import decode
from beffroi.standards.sensorthings.entities import BY_NAME
from beffroi.standards.sensorthings.parse import parse_orderby
from beffroi.standards.sensorthings.series_cache import Series, SeriesCache, check_writer
from beffroi.standards.sensorthings.sight import sight_of
from beffroi.standards.sensorthings.writing import WRITERS, EntityWriter, with_source_key
from beffroi.standards.tasking.answers import answered_by_word, of_network
from beffroi.store.tables import datastream
from beffroi.town import Town

__all__ = ["TownDoor"]

log = logging.getLogger("beffroi.mqtt")
OPEN_WRITES = Principal("open-writes", "--open-writes", "admin")
_STANDARD = re.compile(r"v1\.[01]/(.*)\Z", re.DOTALL)
_TTN = re.compile(r"v3/[^/]+/devices/[^/]+/up\Z")
_TTN_DOWN = re.compile(r"v3/[^/]+/devices/[^/]+/down/(sent|ack|nack|failed)\Z")
_ANSWER = re.compile(r"tasks/(\d{1,15})/state\Z")
_CHIRPSTACK = re.compile(r"application/[^/]+/device/[^/]+/event/([a-z]+)\Z")
_MANY = re.compile(r"(#|\+/|v1\.1/(#|\+))")  # wildcards that topics of datastreams' observations may match
_NEWEST = parse_orderby("phenomenonTime desc")
KEY = "idempotency-key"  # user property: a message sent again with it is stored once
MOST_RETAINED = 10_000
NEAR_S = 0.02  # a burst of messages asks of a datastream once


class TownDoor:
    """The town behind the broker (see `broker.Door`)."""

    def __init__(self, town: Town, *, open_writes: bool = False, address: str = "") -> None:
        self.town = town
        self.base = base_of(town, address)
        self.open_writes = open_writes
        self.gate = Gate(town.store)
        self._keys: dict[str, str] = {}  # of those who came with one, by their principal's id
        self.cache = SeriesCache(town.store)
        self._near: dict[int, Series | None] = {}
        self._near_until = 0.0
        self.intake = Intake(town.store, town.registry.datastream_kind, town.registry.service_of)

    def close(self) -> None:
        """Let go of what was opened."""
        self.gate.close()
        self.cache.close()

    async def who(self, username: str | None, password: bytes | None, peer: str) -> Principal | None:
        """Return who holds the key given as password (or as user name, without one); nobody in particular
        may read what is public."""
        secret = password.decode("utf-8", "replace") if password else username or ""
        if not secret:
            return OPEN_WRITES if self.open_writes and peer in ("127.0.0.1", "::1") else ANONYMOUS
        known = self.gate.recall("token", secret)
        known = known or await asyncio.to_thread(self.gate.look_up, "token", secret)
        if known is not None:
            self._keys[known.who.id] = secret
            return known.who
        return OPEN_WRITES if self.open_writes and peer in ("127.0.0.1", "::1") else None

    def may_publish(self, who: Principal, topic: str) -> bool:
        """Tell whether `who` may publish at all; of what, the writing of it says."""
        del topic
        return who.role in WRITERS and self._still(who)

    def _still(self, who: Principal) -> bool:
        """Tell whether the key that `who` came with is still valid: a connection outlives neither it nor its rights."""
        secret = self._keys.get(who.id)
        return secret is None or self.gate.who("token", secret) == who

    def may_subscribe(self, who: Principal, pattern: str) -> bool:
        """Everybody may subscribe to what can be read; what is not public is left out message by message."""
        del who
        try:
            read_watch(pattern)
        except Problem as problem:
            log.info("a subscription to %r was refused: %s", pattern, problem.reason.en)
            return False
        return True

    async def take(self, who: Principal, packet: Publish) -> bool:
        """Store what was published; True when the topic is none of ours and the message is handed on."""
        topic = packet.topic
        standard = _STANDARD.match(topic)
        if standard is not None:
            await self._entity(who, standard[1], packet)
            return False
        now = self.town.clock()
        answer = _ANSWER.match(topic)
        if answer is not None:
            await asyncio.to_thread(
                answered_by_word, self.town.store, who, int(answer[1]), packet.payload, now
            )
            return False
        uplink = self._uplink(topic, packet.payload)
        if uplink is None:
            await self._downlink(topic, packet.payload)
            return True
        network = "ttn" if topic.startswith("v3/") else "chirpstack"
        await asyncio.to_thread(take_uplink, self.intake, uplink, who, network, now)
        return True

    async def _downlink(self, topic: str, body: bytes) -> None:
        """Take what a LoRaWAN network says of a command on its way."""
        chirpstack_event = _CHIRPSTACK.match(topic)
        if chirpstack_event is None and _TTN_DOWN.match(topic) is None:
            return
        event = event_of(body, chirpstack_event[1] if chirpstack_event is not None else "")
        if event is not None:
            await asyncio.to_thread(of_network, self.town.store, event, self.town.clock())

    def _uplink(self, topic: str, body: bytes) -> Uplink | None:
        if _TTN.match(topic):
            return ttn.parse(body, self.town.clock())
        event = _CHIRPSTACK.match(topic)
        return chirpstack.parse(body, self.town.clock(), event[1]) if event is not None else None

    async def plain(self, who: Principal, packets: Sequence[Publish]) -> list[Draft | Problem | None]:
        """Return the observation that each packet publishes as it is stored, or what is wrong with it.

        None: it is anything else, or needs a careful look: `take` must see to it.
        """
        drafts = [self._draft(packet) for packet in packets]
        numbers = tuple({draft.datastream_id for draft in drafts if isinstance(draft, Draft)})
        known = self.cache.recall(numbers)
        if known is None:
            known = await asyncio.to_thread(self.cache.look_up, numbers)
        return [_fitted(who, d, known[d.datastream_id]) if isinstance(d, Draft) else d for d in drafts]

    def _draft(self, packet: Publish) -> Draft | Problem | None:
        """Return the observation that a packet is, if it names a Datastream and nothing else."""
        named = series_of_topic(packet.topic) if packet.topic.startswith("v1.") and not packet.user else None
        try:
            draft = None if named is None else read_observation(packet.payload, self.town.clock())
        except Problem as problem:
            return problem
        if draft is None or draft.feature_id is not None or isinstance(draft, MultiDraft):
            return None
        series = named or draft.datastream_id
        if not series or draft.datastream_id not in (0, series):
            return None
        draft.datastream_id = series
        return draft

    async def judge(self, drafts: Sequence[Draft]) -> None:
        """Flag observations that `plain` returned."""
        await self.intake.flags.judge_soon(drafts)

    async def keep(self, who: Principal, packets: Sequence[Publish], drafts: Sequence[Draft]) -> None:
        """Store observations that `plain` returned; on disk when this returns. Raises `Unavailable`."""
        ack = await self.town.store.observations.append_soon(drafts)
        told: dict[str, tuple[Publish, list[int | None]]] = {}
        for packet, number in zip(packets, ack.ids, strict=True):
            told.setdefault("" if series_of_topic(packet.topic) else packet.topic, (packet, []))[1].append(
                number
            )
        for topic, (packet, ids) in told.items():
            self._trace(who, packet, 0 if topic else 1, ids)

    async def _entity(self, who: Principal, path: str, packet: Publish) -> None:
        """Store an observation, or another entity, published by the standard; on disk when this returns.

        Raises `Problem`.
        """
        key = next((value for name, value in packet.user if name.lower() == KEY), "")
        named = series_of_topic(packet.topic)
        draft = read_observation(packet.payload, self.town.clock()) if named is not None else None
        multi = not named and isinstance(draft, MultiDraft)
        if draft is not None and draft.datastream_id in (0, named or draft.datastream_id):
            number = named or draft.datastream_id
            features = () if draft.feature_id is None else (draft.feature_id,)
            series = await self._series(number, features)
            if series is not None and series.takes(draft.result, multi=multi):
                check_writer(who, series.territory, series.service)
                draft.datastream_id = number
                draft.feature_id = series.feature_id if draft.feature_id is None else draft.feature_id
                if key:
                    with_source_key((draft,), who, key)
                await self.intake.flags.judge_soon((draft,))
                ack = await self.town.store.observations.append_soon((draft,))
                self._trace(who, packet, named, ack.ids)
                return
        await asyncio.to_thread(self._carefully, who, path, packet, key)

    async def _series(self, number: int, features: tuple[int, ...]) -> Series | None:
        """Return what an observation must know of its datastream; what was just asked is not asked again."""
        now = time.monotonic()
        if now >= self._near_until:
            self._near, self._near_until = {}, now + NEAR_S
        if not features and number in self._near:
            return self._near[number]
        known = self.cache.recall((number,), features)
        if known is None:
            known = await asyncio.to_thread(self.cache.look_up, (number,), features)
        self._near[number] = known[number]
        return known[number]

    def _trace(self, who: Principal, packet: Publish, named: int | None, ids: Sequence[int | None]) -> None:
        """Note who published observations; the topic of a datastream says nothing that its observation does not."""
        topic = "" if named else packet.topic
        self.town.store.provenance.gather(("mqtt", who.id, who.name, packet.client, topic), ids)

    def _carefully(self, who: Principal, path: str, packet: Publish, key: str) -> None:
        """Store an entity of any shape, with those it brings along, or say what is wrong with it."""
        resource = read_path(path)
        if not resource.hops:
            raise NotFound(
                Text("Ce sujet n'est pas un ensemble.", "This topic is no entity set."), place=path
            )
        writer = EntityWriter(self.town.store, who, self.town.clock(), self.town.registry.recognise)
        entity, made = writer.create(resource, decode(packet.payload), key)
        if entity.name == "Observation":
            self._trace(who, packet, None, (made,))

    async def retained(self, pattern: str, who: Principal) -> Iterable[Message]:
        """Return the last observation of each datastream whose topic `pattern` matches, or what the address that
        `pattern` is leads to now: an entity, a property, the last of a set of observations."""
        if not pattern.startswith(("v1.1/", "v1.0/", "+/", "#")):
            return []
        watch = read_watch(pattern)
        if watch is None:
            return await asyncio.to_thread(self._last, pattern, who)
        return await asyncio.to_thread(self._now, watch)

    def _last(self, pattern: str, who: Principal) -> list[Message]:
        if not _MANY.match(pattern):
            return []
        seen = sight_of(who)
        with self.town.store.read() as connection:
            hidden = set() if seen.everything else set(connection.execute(seen.hidden_series()).scalars())
            every = select(datastream.c.id).order_by(datastream.c.id).limit(MOST_RETAINED)
            numbers = list(connection.execute(every).scalars())
            multi = set(connection.execute(every.where(datastream.c.multi.is_not(None))).scalars())
        topics = {n: f"v1.1/{'Multi' if n in multi else ''}Datastreams({n})/Observations" for n in numbers}
        wanted = [n for n in numbers if n not in hidden and matches(pattern, topics[n])]
        last = self.town.store.observations.last(wanted) if wanted else {}
        return [observation_message(self.base, one, topics[n], multi=n in multi) for n, one in last.items()]

    def _now(self, watch: Watch) -> list[Message]:
        """Return what a watch would be told if it changed now; nothing for whole sets, which have no last value."""
        store = self.town.store
        with store.read() as c:
            standing = Standing.of(watch, reader_of(store, c, self.base, public=False))
            if standing is None:
                return []
            here = standing.here
            if watch.entity.name == "Observation":
                return self._last_observation(standing, c)
            if here.key is None:
                return []
            public = bool(public_ids(c, watch.entity, [here.key]))
            found = standing.entities(reader_of(store, c, self.base, public=public), [here.key])
            owner = owners(c, watch.entity, [here.key]).get(here.key)
        return [Message(watch.topic, body, public=public, owner=owner) for _, body in found]

    def _last_observation(self, standing: Standing, c: Connection) -> list[Message]:
        store, here = self.town.store, standing.here
        if here.key is None and here.by is None:
            return []
        if here.key is not None:
            known = store.observations.get(here.key)
            found = [] if known is None else [known]
        elif here.by is not None and here.by.join.there == "datastream_id" and standing.condition is None:
            found = list(store.observations.last([here.owner or 0]).values())
        else:
            newest = msgspec.structs.replace(standing.watch.options, orderby=_NEWEST, top=1)
            reader = reader_of(store, c, self.base, public=False)
            found = list(reader.observed(here, newest).found)
        if not found:
            return []
        series = found[0].datastream_id
        hidden = c.execute(PUBLIC.hidden_series().where(datastream.c.id == series)).first() is not None
        reader = reader_of(store, c, self.base, public=not hidden)
        owner = owners(c, BY_NAME["Datastream"], [series]).get(series)
        return [
            Message(standing.watch.topic, body, public=not hidden, owner=owner)
            for _, body in standing.observations(reader, found)
        ]


def _fitted(who: Principal, draft: Draft, series: Series | None) -> Draft | Problem | None:
    if series is None or not series.takes(draft.result, multi=False):
        return None
    try:
        check_writer(who, series.territory, series.service)
    except Problem as problem:
        return problem
    draft.feature_id = series.feature_id
    return draft
