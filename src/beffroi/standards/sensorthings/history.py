"""What an entity was: `Things(1)/Versions`, oldest first, the present state last."""

from typing import Any

from sqlalchemy import select

from beffroi.model.instant import format_instant
from beffroi.model.problem import NotFound
from beffroi.standards.sensorthings.address import Resource
from beffroi.standards.sensorthings.entities import Entity
from beffroi.standards.sensorthings.reading import DEFAULT_TOP, LARGEST_TOP, Here, Reader, absent
from beffroi.standards.sensorthings.render import chosen, entity_json, observation_json
from beffroi.standards.sensorthings.syntax import Options
from beffroi.store.observations import observation_of
from beffroi.store.tables import observation, past

__all__ = ["versions"]


def versions(
    reader: Reader, resource: Resource, options: Options, texts: list[tuple[str, str]], path: str
) -> dict[str, Any]:
    """Return the states of an entity, each with `version`: from when until when, what was done, by whom and why.

    Staff see those of an entity that was deleted, and the names; others see the states that were public of an entity
    that they may see now. Raises `NotFound`.
    """
    staff = reader.sight.everything or bool(reader.sight.territories)
    here, there = _found(reader, resource, staff=staff)
    rows = [_shown(reader, here.entity, row, options, staff=staff) for row in _before(reader, here)]
    if there:
        rows.append(_present(reader, here, options))
    if not rows:
        raise absent(here.entity, here.key or 0)
    top = DEFAULT_TOP if options.top is None else min(options.top, LARGEST_TOP)
    answer: dict[str, Any] = {"@iot.count": len(rows)} if options.count else {}
    end = options.skip + top
    if end < len(rows) and top:
        kept = [(n, t) for n, t in texts if n.lower() != "$skip"]
        answer["@iot.nextLink"] = reader.next_link(path, kept, "").replace("$skiptoken=", f"$skip={end}")
    answer["value"] = rows[options.skip : end]
    return answer


def _found(reader: Reader, resource: Resource, *, staff: bool) -> tuple[Here, bool]:
    """Return the entity, and whether it is still there."""
    try:
        return reader.find(resource), True
    except NotFound:
        if not staff or len(resource.hops) > 1:
            raise
        return Here(resource.entity, resource.hops[-1].key), False


def _before(reader: Reader, here: Here) -> list[Any]:
    table = past[here.entity.table]
    seen = reader.sight.of(here.entity, table)
    wanted = select(table).where(table.c.id == here.key, *seen).order_by(table.c.since_us, table.c.until_us)
    return list(reader.c.execute(wanted).mappings())


def _shown(reader: Reader, entity: Entity, row: Any, options: Options, *, staff: bool) -> dict[str, Any]:
    keep = chosen(entity, options.select)
    if entity.name == "Observation":
        found = observation_of([row[c.name] for c in observation.c])
        state = observation_json(found, reader.base, keep, multi=bool(reader.multis([found])))
    else:
        state = entity_json(entity, row, reader.base, keep, {})
    version = {"since": _when(row["since_us"]), "until": _when(row["until_us"]), "action": row["action"]}
    if staff:
        version |= {"author": row["author"], "reason": row["reason"]}
    return {**state, "version": version}


def _present(reader: Reader, here: Here, options: Options) -> dict[str, Any]:
    """Return the state that holds now: its version has no end."""
    (since,) = [row["until_us"] for row in _before(reader, here)[-1:]] or [0]
    keep = chosen(here.entity, options.select)
    if here.entity.name == "Observation":
        found = reader.store.observations.get(here.key or 0)
        if found is None:
            raise absent(here.entity, here.key or 0)
        state = observation_json(found, reader.base, keep, multi=bool(reader.multis([found])))
    else:
        row = reader.row(here)
        since = row["since_us"]
        state = entity_json(here.entity, row, reader.base, keep, {})
    return {**state, "version": {"since": _when(since), "until": None, "action": None}}


def _when(instant_us: int) -> str | None:
    return format_instant(instant_us) if instant_us else None
