"""What MQTT means to a town: SensorThings topics (18-088 §14), LoRaWAN topics, keys as passwords.

Publish an observation to `v1.1/Observations` or `v1.1/Datastreams(5)/Observations`; uplinks of The Things Stack
and ChirpStack come on the topics of those servers. Any other topic is handed on to its subscribers.
"""

import asyncio
import re
import time
from collections.abc import Iterable

from sqlalchemy import select

from beffroi.identity.gate import Gate
from beffroi.intake.identify import Entrance
from beffroi.intake.take import Intake
from beffroi.model.principal import ANONYMOUS, Principal
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.mqtt.commits import base_of, observation_message
from beffroi.mqtt.packets import Publish
from beffroi.mqtt.session import Message
from beffroi.mqtt.topics import matches
from beffroi.standards.lorawan import chirpstack, ttn
from beffroi.standards.lorawan.uplink import Uplink, readings_of
from beffroi.standards.sensorthings.address import read_path
from beffroi.standards.sensorthings.arrivals import MultiDraft, read_observation, series_of_topic
from beffroi.standards.sensorthings.body import decode
from beffroi.standards.sensorthings.series_cache import Series, SeriesCache, check_writer
from beffroi.standards.sensorthings.sight import sight_of
from beffroi.standards.sensorthings.writing import WRITERS, EntityWriter
from beffroi.store.tables import datastream
from beffroi.town import Town

__all__ = ["TownDoor"]

OPEN_WRITES = Principal("open-writes", "--open-writes", "admin")
_STANDARD = re.compile(r"v1\.[01]/(.*)\Z", re.DOTALL)
_TTN = re.compile(r"v3/[^/]+/devices/[^/]+/up\Z")
_CHIRPSTACK = re.compile(r"application/[^/]+/device/[^/]+/event/([a-z]+)\Z")
_RETAINED = re.compile(r"v1\.1/Datastreams\((\d{1,15})\)/Observations\Z")
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
        """Tell whether `who` may publish to `topic`: of the standard's topics, only to observations."""
        del topic
        return who.role in WRITERS and self._still(who)

    def _still(self, who: Principal) -> bool:
        """Tell whether the key that `who` came with is still valid: a connection outlives neither it nor its rights."""
        secret = self._keys.get(who.id)
        return secret is None or self.gate.who("token", secret) == who

    def may_subscribe(self, who: Principal, pattern: str) -> bool:
        """Everybody may subscribe; what is not public is left out message by message."""
        del who, pattern
        return True

    async def take(self, who: Principal, packet: Publish) -> bool:
        """Store what was published; True when the topic is none of ours and the message is handed on."""
        topic = packet.topic
        standard = _STANDARD.match(topic)
        if standard is not None:
            await self._observation(who, topic, standard[1], packet.payload)
            return False
        uplink = self._uplink(topic, packet.payload)
        if uplink is None:
            return True
        territory = who.territories[0] if len(who.territories) == 1 else None
        door = Entrance(approved=False, territory=territory)
        readings = readings_of(uplink, self.town.clock())
        drafts = await asyncio.to_thread(self.intake.drafts, readings, door=door)
        await self.town.store.observations.append_soon(drafts)
        return True

    def _uplink(self, topic: str, body: bytes) -> Uplink | None:
        if _TTN.match(topic):
            return ttn.parse(body, self.town.clock())
        event = _CHIRPSTACK.match(topic)
        return chirpstack.parse(body, self.town.clock(), event[1]) if event is not None else None

    async def _observation(self, who: Principal, topic: str, path: str, body: bytes) -> None:
        """Store an observation published by the standard; on disk when this returns. Raises `Problem`."""
        if not path.rstrip("/").endswith("Observations"):
            raise Problem(
                Text("Par MQTT, on ne publie que des Observations.", "Only Observations are published over MQTT."),
                Text("Publiez vers v1.1/Observations ou v1.1/Datastreams(1)/Observations.",
                     "Publish to v1.1/Observations or v1.1/Datastreams(1)/Observations."),
                place=topic,
            )  # fmt: skip
        named = series_of_topic(topic)
        draft = read_observation(body, self.town.clock()) if named is not None else None
        multi = not named and isinstance(draft, MultiDraft)
        if draft is not None and draft.datastream_id in (0, named or draft.datastream_id):
            number = named or draft.datastream_id
            features = () if draft.feature_id is None else (draft.feature_id,)
            series = await self._series(number, features)
            if series is not None and series.takes(draft.result, multi=multi):
                check_writer(who, series.territory, series.service)
                draft.datastream_id = number
                draft.feature_id = series.feature_id if draft.feature_id is None else draft.feature_id
                await self.intake.flags.judge_soon((draft,))
                await self.town.store.observations.append_soon((draft,))
                return
        await asyncio.to_thread(self._carefully, who, path, body)

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

    def _carefully(self, who: Principal, path: str, body: bytes) -> None:
        """Store an observation of any shape, with the entities it brings along, or say what is wrong with it."""
        EntityWriter(self.town.store, who, self.town.clock()).create(read_path(path), decode(body))

    async def retained(self, pattern: str, who: Principal) -> Iterable[Message]:
        """Return the last observation of each datastream whose topic `pattern` matches."""
        if not pattern.startswith(("v1.1/", "+/", "#")):
            return []
        return await asyncio.to_thread(self._last, pattern, who)

    def _last(self, pattern: str, who: Principal) -> list[Message]:
        one = _RETAINED.match(pattern)
        seen = sight_of(who)
        with self.town.store.read() as connection:
            hidden = set() if seen.everything else set(connection.execute(seen.hidden_series()).scalars())
            every = select(datastream.c.id).order_by(datastream.c.id).limit(MOST_RETAINED)
            numbers = [int(one[1])] if one is not None else list(connection.execute(every).scalars())
        wanted = [
            number for number in numbers
            if number not in hidden and matches(pattern, f"v1.1/Datastreams({number})/Observations")
        ]  # fmt: skip
        last = self.town.store.observations.last(wanted) if wanted else {}
        topics = {number: f"v1.1/Datastreams({number})/Observations" for number in last}
        return [observation_message(self.base, last[number], topic) for number, topic in topics.items()]
