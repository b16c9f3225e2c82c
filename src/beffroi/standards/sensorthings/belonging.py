"""Which entities are in a set: those of a relation of an owner, among those that the reader sees."""

import functools
from typing import Any

from sqlalchemy import BigInteger, bindparam, select

from beffroi.standards.sensorthings.compile import table_of
from beffroi.standards.sensorthings.entities import BY_NAME, Entity, Join
from beffroi.standards.sensorthings.sight import Sight
from beffroi.store.prepared import Prepared

__all__ = ["belongs", "within"]


def within(sight: Sight, entity: Entity, join: Join | None, owner: Any, row: Any) -> list[Any]:
    """Return the conditions of the entities that a reader sees, of those that `join` makes belong to `owner`."""
    conditions = sight.of(entity, row)
    if join is None:
        return conditions
    if join.table:
        link = sight.view(join.table)
        inside = select(link.c[join.far]).where(link.c[join.near] == owner)
        conditions.append(row.c[join.there].in_(inside))
    else:
        conditions.append(row.c[join.there] == owner)
    return conditions


@functools.lru_cache(maxsize=512)
def belongs(entity_name: str, join: Join | None, sight: Sight) -> Prepared:
    """Return the statement that finds the entity `key` in the set of `owner`, if the reader sees it there."""
    entity = BY_NAME[entity_name]
    row = table_of(entity, sight.view)
    key, owner = (bindparam(name, type_=BigInteger, required=False) for name in ("key", "owner"))
    return Prepared(select(row.c.id).where(row.c.id == key, *within(sight, entity, join, owner, row)))
