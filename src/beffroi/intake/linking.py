"""Say what a sensor is: the record that it sits on (a meter, a container, a cabinet), and what each of its series measures.

A file or a device brings series under names of its own; a service reads those of a kind it declares, on a record it keeps.
"""

from collections.abc import Mapping

from sqlalchemy import select, update

from beffroi.intake.devices import may_manage
from beffroi.model.declaration import DatastreamKind
from beffroi.model.principal import Principal
from beffroi.model.problem import Forbidden, NotFound, Problem
from beffroi.model.text import Text
from beffroi.store.catalogue import touch
from beffroi.store.open import Store
from beffroi.store.tables import datastream, thing

__all__ = ["link", "units_of"]


def units_of(store: Store, thing_id: int) -> dict[int, str]:
    """Return the unit (UCUM, "" for none) of each plain series of a thing."""
    c = datastream.c
    mine = select(c.id, c.unit_definition).where(c.thing_id == thing_id, c.multi.is_(None))
    with store.read() as connection:
        return {number: unit or "" for number, unit in connection.execute(mine)}


def link(
    store: Store, who: Principal, thing_id: int, record: tuple[str, int] | None, kinds: Mapping[int, DatastreamKind | None],
    service: str = "",
) -> None:  # fmt: skip
    """Put a thing on a record (None: on none) and give its series their kinds (None: no kind), in one transaction.

    `service` is whose thing it becomes when it is nobody's. Raises `NotFound` for a thing or a series that is not there, `Forbidden`
    outside one's territories, `Problem` for a kind whose unit is not the series' own.
    """
    may_manage(who)
    units = units_of(store, thing_id)
    with store.write() as c:
        held = c.execute(select(thing.c.territory, thing.c.service).where(thing.c.id == thing_id)).first()
        if held is None:
            raise NotFound(Text("Ce capteur n'existe plus.", "This sensor is gone."))
        if not who.covers(held.territory):
            raise Forbidden(
                Text("Ce capteur est d'un autre territoire.", "This sensor is of another territory.")
            )
        for number, kind in kinds.items():
            values = _columns(number, kind, units)
            c.execute(update(datastream).where(datastream.c.id == number).values(**values, seq=store.next(c)))
        collection, record_id = record or (None, None)
        moved = {"collection": collection, "record_id": record_id, "service": held.service or service}
        c.execute(update(thing).where(thing.c.id == thing_id).values(**moved, seq=store.next(c)))
        told = {"record": f"{collection}/{record_id}" if record else "", "kinds": {str(n): k.code if k else "" for n, k in kinds.items()}}  # fmt: skip
        store.audit.note(c, who, "thing.link", f"thing:{thing_id}", told)
        touch(c)


def _columns(number: int, kind: DatastreamKind | None, units: Mapping[int, str]) -> dict[str, str]:
    """Return the columns of a series of a kind; one without a unit takes the kind's. Raises `NotFound`, `Problem`."""
    if number not in units:
        raise NotFound(Text("Cette série n'est pas de ce capteur.", "This series is not of this sensor."))
    if kind is None:
        return {"kind": ""}
    if units[number] not in ("", kind.unit_ucum):
        raise Problem(
            Text(f"Cette grandeur est en {kind.unit_symbol}, la série ne l'est pas.", f"This quantity is in {kind.unit_symbol}, the series is not."),
            Text("Apportez les mesures dans cette unité.", "Bring the measurements in this unit."),
            place=f"kind-{number}",
        )  # fmt: skip
    if units[number]:
        return {"kind": kind.code}
    return {"kind": kind.code, "unit_definition": kind.unit_ucum, "unit_symbol": kind.unit_symbol, "unit_name": kind.unit_name}  # fmt: skip
