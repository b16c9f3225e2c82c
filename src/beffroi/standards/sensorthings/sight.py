"""Who sees what: public Things and Datastreams are everybody's, the others are for staff of their territory."""

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, and_, false, not_, or_, select, true

from beffroi.model.principal import ANONYMOUS, Principal
from beffroi.standards.sensorthings.entities import Entity
from beffroi.store import tables

__all__ = ["EVERYTHING", "Sight", "sight_of"]

Sql = ColumnElement[Any]


class Sight(msgspec.Struct, frozen=True):
    """What a reader sees: everything, or what is public and what is of `territories` or of `service`."""

    everything: bool = False
    territories: tuple[str, ...] = ()
    service: str | None = None
    device: tuple[str, ...] | None = None  # territories whose commands a device's key reads; (): all

    def of(self, entity: Entity, row: Any) -> list[Sql]:
        """Return the conditions under which a row of `entity` is shown (see `Compiler.seen`)."""
        if self.everything:
            return []
        t = tables
        if entity.name == "Thing":
            return [self._thing(row)]
        if entity.name == "Datastream":
            return [self._datastream(row)]
        if entity.name in ("HistoricalLocation", "TaskingCapability"):
            return [row.c.thing_id.in_(self._things())]
        if entity.name == "Location":
            return [row.c.id.not_in(self._hidden_places())]
        if entity.name == "FeatureOfInterest":
            return [or_(row.c.location_id.is_(None), row.c.location_id.not_in(self._hidden_places()))]
        if entity.name == "Task":
            return [self._task(row)]
        if entity.name == "Observation":
            return [row.c.datastream_id.in_(select(t.datastream.c.id).where(self._datastream(t.datastream)))]
        return []

    def hidden_series(self) -> Select[Any]:
        """Return the statement of the datastreams that are not shown."""
        return select(tables.datastream.c.id).where(not_(self._datastream(tables.datastream)))

    def _own(self, row: Any) -> list[Sql]:
        own: list[Sql] = []
        if self.territories:
            own.append(row.c.territory.in_(self.territories))
        if self.service:
            own.append(row.c.service == self.service)
        return own

    def _thing(self, row: Any) -> Sql:
        return or_(and_(row.c.public == 1, row.c.approved == 1), *self._own(row))

    def _things(self) -> Select[Any]:
        return select(tables.thing.c.id).where(self._thing(tables.thing))

    def _datastream(self, row: Any) -> Sql:
        shown = and_(row.c.public == 1, row.c.thing_id.in_(self._things()))
        own = self._own(tables.thing)
        if not own:
            return shown
        return or_(shown, row.c.thing_id.in_(select(tables.thing.c.id).where(or_(*own))))

    def _task(self, row: Any) -> Sql:
        """Commands are for the town's own people, those of the Thing."""
        own = self._own(tables.thing)
        if self.device is not None:
            covered = true() if not self.device else tables.thing.c.territory.in_(self.device)
            own = [and_(or_(covered, tables.thing.c.territory.is_(None)), *own)]
        if not own:
            return false()
        one = tables.tasking_capability
        things = select(tables.thing.c.id).where(or_(*own))
        condition: Sql = row.c.tasking_capability_id.in_(select(one.c.id).where(one.c.thing_id.in_(things)))
        return condition

    def _hidden_places(self) -> Select[Any]:
        link = tables.thing_location
        return select(link.c.location_id).where(link.c.thing_id.not_in(self._things()))


EVERYTHING = Sight(everything=True)


def sight_of(who: Principal = ANONYMOUS) -> Sight:
    """Return what `who` sees."""
    if who.staff:
        return Sight(territories=who.territories) if who.territories else EVERYTHING
    device = who.territories if who.role == "device" else None
    return Sight(service=who.service or None, device=device)
