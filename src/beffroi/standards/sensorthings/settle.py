"""Settle conditions that cross between the catalogue and the observations, which live apart.

"Observations whose Datastream …" becomes a list of datastream ids, read from the catalogue first;
"Datastreams that have an Observation …" becomes the ids that those observations name.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from beffroi.model.text import Text
from beffroi.standards.sensorthings import meaning
from beffroi.standards.sensorthings.entities import BY_NAME, Entity
from beffroi.standards.sensorthings.meaning import Bound, fields
from beffroi.standards.sensorthings.parse import misread

__all__ = ["Ids", "Values", "settle"]

MOST_LOOKED = 10_000  # entities whose value an observation may be compared with

Ids = Callable[[Entity, Bound, str], tuple[int, ...]]
"""Returns the values of a column among the entities of a type that fulfil a condition."""

Values = Callable[[Entity, meaning.Field], tuple[tuple[int, Any], ...]]
"""Returns the id and the value of a field, of every entity of a type."""


def settle(entity: Entity, node: Bound, ids: Ids, values: Values | None = None) -> Bound:
    """Return `node` with each crossing replaced by what it comes to. Raises `Problem`."""
    match node:
        case meaning.Join():
            parts = tuple(settle(entity, p, ids, values) for p in node.parts)
            return msgspec.structs.replace(node, parts=parts)
        case meaning.Not():
            return msgspec.structs.replace(node, part=settle(entity, node.part, ids, values))
        case meaning.Some():
            return _some(entity, node, ids, values)
    if entity.name == "Observation" and values is not None:
        node = meaning.changed(node, lambda field: _looked(field, values))
    for field in fields(node):
        names = [entity.name, *(hop.target for hop in field.hops)]
        if "Observation" in names and len(names) > 1:
            raise misread(
                "$filter", field.at, "",
                Text("Comparez chaque relation à une valeur.", "Compare each relation with a value."),
                Text("Une observation ne se compare pas à une autre entité.",
                     "An observation cannot be compared with another entity."),
            )  # fmt: skip
    return node


def _looked(field: meaning.Field, values: Values) -> Bound:
    """Return the value of what an observation belongs to, looked up before, by its id."""
    crosses = any(hop.many or hop.target == "Observation" for hop in field.hops)
    if not field.hops or crosses or field.kind in ("geometry", "moment"):
        return field
    first = field.hops[0]
    inner = msgspec.structs.replace(field, hops=field.hops[1:])
    known = values(BY_NAME[first.target], inner)
    if len(known) > MOST_LOOKED:
        raise misread(
            "$filter", field.at, "",
            Text("Filtrez d'abord les Datastreams.", "Filter the Datastreams first."),
            Text(f"Il y a plus de {MOST_LOOKED} valeurs à comparer.", f"There are more than {MOST_LOOKED} values to compare."),
        )  # fmt: skip
    return meaning.Looked(first.join.here, known, field.kind)


def _some(entity: Entity, node: meaning.Some, ids: Ids, values: Values | None) -> Bound:
    hop, rest = node.hops[0], node.hops[1:]
    target = BY_NAME[hop.target]
    part = meaning.Some(rest, node.part, node.at) if rest else node.part
    inner = settle(target, part, ids, values)
    if "Observation" in (entity.name, target.name) and meaning.asks_outside(inner):
        raise misread(
            "$filter", node.at, "",
            Text("Comparez les observations à une valeur.", "Compare the observations with a value."),
            Text("Une observation ne se compare pas à ce dont on part.",
                 "An observation cannot be compared with where one comes from."),
        )  # fmt: skip
    if "Observation" in (entity.name, target.name):
        return meaning.Among(hop.join.here, ids(target, inner, hop.join.there))
    if isinstance(inner, meaning.Some):
        return meaning.Some((hop, *inner.hops), inner.part, node.at)
    return meaning.Some((hop,), inner, node.at)
