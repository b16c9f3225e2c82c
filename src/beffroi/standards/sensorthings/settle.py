"""Settle conditions that cross between the catalogue and the observations, which live apart.

"Observations whose Datastream …" becomes a list of datastream ids, read from the catalogue first;
"Datastreams that have an Observation …" becomes the ids that those observations name.
"""

from collections.abc import Callable

import msgspec

from beffroi.model.text import Text
from beffroi.standards.sensorthings import meaning
from beffroi.standards.sensorthings.entities import BY_NAME, Entity
from beffroi.standards.sensorthings.meaning import Bound, fields
from beffroi.standards.sensorthings.parse import misread

__all__ = ["Ids", "settle"]

Ids = Callable[[Entity, Bound, str], tuple[int, ...]]
"""Returns the values of a column among the entities of a type that fulfil a condition."""


def settle(entity: Entity, node: Bound, ids: Ids) -> Bound:
    """Return `node` with each crossing replaced by the ids that it comes to. Raises `Problem`."""
    match node:
        case meaning.Join():
            return msgspec.structs.replace(node, parts=tuple(settle(entity, p, ids) for p in node.parts))
        case meaning.Not():
            return msgspec.structs.replace(node, part=settle(entity, node.part, ids))
        case meaning.Some():
            return _some(entity, node, ids)
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


def _some(entity: Entity, node: meaning.Some, ids: Ids) -> Bound:
    hop, rest = node.hops[0], node.hops[1:]
    target = BY_NAME[hop.target]
    part = meaning.Some(rest, node.part, node.at) if rest else node.part
    inner = settle(target, part, ids)
    if "Observation" in (entity.name, target.name):
        return meaning.Among(hop.join.here, ids(target, inner, hop.join.there))
    if isinstance(inner, meaning.Some):
        return meaning.Some((hop, *inner.hops), inner.part, node.at)
    return meaning.Some((hop,), inner, node.at)
