"""Who sees what: public Things and Datastreams are everybody's, the others are for staff of their territory."""

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, and_, false, not_, or_, select, true

from beffroi.model.principal import ANONYMOUS, Principal
from beffroi.standards.sensorthings.entities import Entity
from beffroi.store import tables
from beffroi.store.versions import View, now

__all__ = ["EVERYTHING", "Sight", "of_type", "sight_of"]

Sql = ColumnElement[Any]


def of_type(entity: Entity, row: Any) -> list[Sql]:
    """Return what makes a row one of `entity`, whose table may hold two types."""
    if entity.multi is None:
        return []
    return [row.c.multi.is_not(None) if entity.multi else row.c.multi.is_(None)]


class Sight(msgspec.Struct, frozen=True):
    """What a reader sees: everything, or what is public and what is of `territories` or of `service`."""

    everything: bool = False
    territories: tuple[str, ...] = ()
    service: str | None = None
    view: View = now  # of the catalogue: what is hidden now was not shown before either
    device: tuple[str, ...] | None = None  # territories whose commands a device's key reads; (): all

    def of(self, entity: Entity, row: Any) -> list[Sql]:
        """Return the conditions under which a row of `entity` is shown (see `Compiler.seen`)."""
        typed = of_type(entity, row)
        if self.everything:
            return typed
        if entity.name == "Thing":
            return [self._thing(row)]
        if entity.table == "datastream":
            return [*typed, self._datastream(row)]
        if entity.name in ("HistoricalLocation", "TaskingCapability"):
            return [row.c.thing_id.in_(self._things())]
        if entity.name == "Location":
            return [row.c.id.not_in(self._hidden_places())]
        if entity.name == "FeatureOfInterest":
            return [or_(row.c.location_id.is_(None), row.c.location_id.not_in(self._hidden_places()))]
        if entity.name == "Task":
            return [self._task(row)]
        if entity.name == "Observation":
            series = self.view("datastream")
            return [row.c.datastream_id.in_(select(series.c.id).where(self._datastream(series)))]
        return []

    def series(self, row: Any) -> list[Sql]:
        """Return the conditions under which a datastream of either type is shown."""
        return [] if self.everything else [self._datastream(row)]

    def hidden_series(self) -> Select[Any]:
        """Return the statement of the datastreams that are not shown."""
        series = self.view("datastream")
        return select(series.c.id).where(not_(self._datastream(series)))

    def _own(self, row: Any) -> list[Sql]:
        own: list[Sql] = []
        if self.territories:
            own.append(row.c.territory.in_(self.territories))
        if self.service:
            own.append(row.c.service == self.service)
        return own

    def _thing(self, row: Any) -> Sql:
        shown = or_(and_(row.c.public == 1, row.c.approved == 1), *self._own(row))
        if self.view is now:
            return shown
        hidden = select(tables.thing.c.id).where(not_(self._present()._thing(tables.thing)))
        return and_(shown, row.c.id.not_in(hidden))

    def _things(self) -> Select[Any]:
        thing = self.view("thing")
        return select(thing.c.id).where(self._thing(thing))

    def _datastream(self, row: Any) -> Sql:
        thing = self.view("thing")
        shown = and_(row.c.public == 1, row.c.thing_id.in_(self._things()))
        own = self._own(thing)
        if own:
            shown = or_(shown, row.c.thing_id.in_(select(thing.c.id).where(or_(*own))))
        if self.view is now:
            return shown
        return and_(shown, row.c.id.not_in(self._present().hidden_series()))

    def _present(self) -> "Sight":
        return msgspec.structs.replace(self, view=now)

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
        link = self.view("thing_location")
        return select(link.c.location_id).where(link.c.thing_id.not_in(self._things()))


EVERYTHING = Sight(everything=True)


def sight_of(who: Principal = ANONYMOUS) -> Sight:
    """Return what `who` sees."""
    if who.staff:
        return Sight(territories=who.territories) if who.territories else EVERYTHING
    device = who.territories if who.role == "device" else None
    return Sight(service=who.service or None, device=device)
