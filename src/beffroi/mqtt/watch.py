"""Watch: what one subscription of the standard asks to hear (18-088 §14.3, and FROST's `$filter` and `$expand` topics).

`v1.1/Things(1)/Datastreams`, `v1.1/Datastreams(5)/name`, `v1.1/Observations?$filter=result gt 30&$expand=Datastream` …
are read as the addresses they are. Topics that every change has anyway (`v1.1/Things`, `v1.1/Things(1)`,
`v1.1/Datastreams(5)/Observations` …) are `plain`: they need no watch.
"""

import re
from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import select

from beffroi.model.observation import Observation
from beffroi.model.principal import ANONYMOUS
from beffroi.model.problem import Problem
from beffroi.mqtt.session import Owner
from beffroi.standards.sensorthings.address import Resource, read_options, read_path
from beffroi.standards.sensorthings.answering import property_json
from beffroi.standards.sensorthings.bind import bind_filter
from beffroi.standards.sensorthings.entities import BY_NAME, Entity
from beffroi.standards.sensorthings.evaluate import holds
from beffroi.standards.sensorthings.meaning import Bound
from beffroi.standards.sensorthings.observing import plain_row
from beffroi.standards.sensorthings.reading import Here, Reader
from beffroi.standards.sensorthings.render import encode
from beffroi.standards.sensorthings.settle import settle
from beffroi.standards.sensorthings.sight import EVERYTHING, Sight, sight_of
from beffroi.standards.sensorthings.syntax import Options
from beffroi.store import tables
from beffroi.store.open import Store

__all__ = ["Standing", "Watch", "owners", "public_ids", "read_watch", "speaks"]

OBSERVATION = BY_NAME["Observation"]
PUBLIC = sight_of(ANONYMOUS)
_TOPIC = re.compile(r"v1\.[01]/([^?]*)(?:\?(.*))?\Z", re.DOTALL)


class Watch(msgspec.Struct, frozen=True):
    """A subscription: its topic, the address and the options in it."""

    topic: str
    resource: Resource
    options: Options

    @property
    def entity(self) -> Entity:
        """The type of what is heard."""
        return self.resource.entity

    @property
    def plain(self) -> bool:
        """True when every change is sent to that topic in any case."""
        if "?" in self.topic or self.resource.property is not None or self.topic.startswith("v1.0"):
            return False
        hops = self.resource.hops
        if len(hops) == 1:
            return True
        return len(hops) == 2 and hops[1].entity is OBSERVATION and not self.resource.single


def speaks(pattern: str) -> bool:
    """True for a pattern of the standard's topics, wildcards or not."""
    return pattern.startswith(("v1.1/", "v1.0/", "+/", "#"))


def read_watch(pattern: str) -> Watch | None:
    """Return what a pattern without wildcards asks, None for other topics. Raises `Problem` when it cannot be read."""
    found = _TOPIC.match(pattern)
    path, query = (found[1], found[2] or "") if found is not None else ("", "")
    if found is None or not path or "+" in path or "#" in pattern:
        return None
    resource = read_path(path)
    options, _ = read_options(query)
    return Watch(pattern, resource, options)


class Standing(msgspec.Struct):
    """A watch as it stands now: where its address leads, its condition with the catalogue's ids in it."""

    watch: Watch
    here: Here
    condition: Bound | None = None

    @classmethod
    def of(cls, watch: Watch, reader: Reader) -> "Standing | None":
        """Return it, or None while its address leads nowhere or its condition means nothing."""
        try:
            here = reader.find(watch.resource)
            if watch.options.filter is None:
                return cls(watch, here)
            bound = bind_filter(watch.entity, watch.options.filter, reader.now_us)
            return cls(watch, here, settle(watch.entity, bound, reader.observing.ids))
        except Problem:
            return None

    def takes(self, found: Observation) -> bool:
        """True when an observation is in the set and fulfils the condition."""
        if self.here.key is not None:
            inside = found.id == self.here.key
        else:
            inside = self.here.by is None or getattr(found, self.here.by.join.there) == self.here.owner
        if not inside or self.condition is None:
            return inside
        row = plain_row(found) | {
            "id": found.id, "datastream_id": found.datastream_id, "feature_id": found.feature_id,
        }  # fmt: skip
        return holds(self.condition, row, lambda _row, _hop: [])

    def observations(self, reader: Reader, found: Iterable[Observation]) -> list[tuple[int, bytes]]:
        """Return the observations that are heard, each by its id and as it is written."""
        mine = [one for one in found if self.takes(one)]
        if not mine:
            return []
        if self.watch.resource.property is not None:
            here = [
                (one.id, property_json(reader, Here(OBSERVATION, one.id), self.watch.resource))
                for one in mine
            ]
            return [(number, encode(shown)) for number, shown in here if shown is not None]
        shown = reader.written(OBSERVATION, mine, self.watch.options)
        return [(one.id, encode(written)) for one, written in zip(mine, shown, strict=True)]

    def entities(self, reader: Reader, ids: Iterable[int]) -> list[tuple[int, bytes]]:
        """Return the changed entities of the catalogue that are heard, each by its id and as it is written."""
        entity = self.watch.entity
        wanted = [i for i in ids if self.here.key in (None, i)]
        rows = reader.changed(self.here, wanted, self.watch.options) if wanted else []
        if self.watch.resource.property is None:
            shown = reader.written(entity, rows, self.watch.options)
            return [(row["id"], encode(written)) for row, written in zip(rows, shown, strict=True)]
        found = [
            (row["id"], property_json(reader, Here(entity, row["id"]), self.watch.resource)) for row in rows
        ]
        return [(number, encode(value)) for number, value in found if value is not None]


def public_ids(c: Any, entity: Entity, ids: list[int]) -> set[int]:
    """Return which of some entities of the catalogue everybody may see."""
    table = tables.metadata.tables[entity.table]
    return set(c.execute(select(table.c.id).where(table.c.id.in_(ids), *PUBLIC.of(entity, table))).scalars())


def owners(c: Any, entity: Entity, ids: list[int]) -> dict[int, Owner]:
    """Return whose entities are, where they are a Thing's."""
    thing = tables.thing
    if entity.name == "Thing":
        found = c.execute(select(thing.c.id, thing.c.territory, thing.c.service).where(thing.c.id.in_(ids)))
        return {row[0]: Owner(row[1], row[2]) for row in found}
    table = tables.metadata.tables[entity.table]
    if entity.name == "Task":
        one = tables.tasking_capability
        whose = select(table.c.id, thing.c.territory, thing.c.service).join(
            one, one.c.id == table.c.tasking_capability_id
        )
        found = c.execute(whose.join(thing, thing.c.id == one.c.thing_id).where(table.c.id.in_(ids)))
        return {row[0]: Owner(row[1], row[2]) for row in found}
    if "thing_id" not in table.c:
        return {}
    statement = select(table.c.id, thing.c.territory, thing.c.service).join(
        thing, thing.c.id == table.c.thing_id
    )
    return {row[0]: Owner(row[1], row[2]) for row in c.execute(statement.where(table.c.id.in_(ids)))}


def reader_of(store: Store, c: Any, base: str, *, public: bool) -> Reader:
    """Return who writes messages: what everybody hears holds, expanded, only what everybody may see."""
    sight: Sight = PUBLIC if public else EVERYTHING
    return Reader(store, c, base, sight, store.clock())
