"""Evaluate a bound condition on an entity in Python: a plain predicate, and the oracle of the SQL that is compiled.

Nothing (None) follows SQL: a comparison with it is neither true nor false, `and`/`or`/`not` are three-valued.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from functools import singledispatch
from typing import Any

from beffroi.model.result import Numeral
from beffroi.standards.sensorthings import meaning
from beffroi.standards.sensorthings.entities import Navigation
from beffroi.standards.sensorthings.functions import ARITHMETIC, moment_of
from beffroi.standards.sensorthings.meaning import Bound

__all__ = ["COMPARE_MOMENTS", "Follow", "evaluate", "holds"]

Row = Mapping[str, Any]
Follow = Callable[[Row, Navigation], Iterable[Row]]
"""Returns the entities that a relation leads to. An entity maps "@iot.id" and property names to plain values;
times are microseconds, a moment is `(start, end)`, JSON is decoded, a geometry is WKT or GeoJSON text."""


def holds(condition: Bound, entity: Row, follow: Follow) -> bool:
    """Return True when `condition` is true of `entity` (not when it is nothing)."""
    return evaluate(condition, entity, follow) is True


@singledispatch
def evaluate(node: Bound, entity: Row, follow: Follow) -> Any:  # noqa: ARG001
    """Return the value of `node` for `entity`; a path over several entities is true for any of them."""
    raise AssertionError(node)


def _reach(entity: Row, hops: tuple[Navigation, ...], follow: Follow) -> list[Row]:
    here = [entity]
    for hop in hops:
        here = [far for near in here for far in follow(near, hop)]
    return here


def _inside(value: Any, steps: tuple[str | int, ...]) -> Any:
    for step in steps:
        if isinstance(step, int) and isinstance(value, list):
            value = value[step] if step < len(value) else None
        elif isinstance(value, dict):
            value = value.get(str(step))
        else:
            return None
    return value


@evaluate.register
def _field(node: meaning.Field, entity: Row, follow: Follow) -> Any:
    if node.outer:
        entity = entity.get("_asked", entity)
    for found in _reach(entity, node.hops, follow):
        return _inside(found.get(node.property.name), node.inside)
    return None


@evaluate.register
def _value(node: meaning.Value, entity: Row, follow: Follow) -> Any:  # noqa: ARG001
    return node.value


@evaluate.register
def _always(node: meaning.Always, entity: Row, follow: Follow) -> Any:  # noqa: ARG001
    return node.value


_TAKEN: dict[str, Callable[[Any], Any]] = {
    "number": lambda v: v if isinstance(v, int | float) and not isinstance(v, bool) else None,
    "text": lambda v: v if isinstance(v, str) else v.text if isinstance(v, Numeral) else None,
    "boolean": lambda v: v if isinstance(v, bool) else None,
    "instant": lambda v: (
        v[0] if isinstance(v, tuple) else v if isinstance(v, int) else (moment_of(v) or (None,))[0]
    ),
    "moment": lambda v: v if isinstance(v, tuple) else (v, v) if isinstance(v, int) else moment_of(v),
}


@evaluate.register
def _cast(node: meaning.Cast, entity: Row, follow: Follow) -> Any:
    value = evaluate(node.part, entity, follow)
    if (
        node.kind == "text"
        and isinstance(node.part, meaning.Field)
        and node.part.kind == "result"
        and isinstance(value, bool)
    ):
        return "true" if value else "false"
    taken = _TAKEN.get(node.kind)
    return None if value is None or taken is None else taken(value)


@evaluate.register
def _apply(node: meaning.Apply, entity: Row, follow: Follow) -> Any:
    flat: list[Any] = []
    for kind, argument in zip(node.function.parameters, node.arguments, strict=False):
        value = evaluate(argument, entity, follow)
        flat.extend((value or (None, None)) if kind == "moment" else (value,))
    return node.function.python(*flat)


@evaluate.register
def _binary(node: meaning.Binary, entity: Row, follow: Follow) -> Any:
    left, right = evaluate(node.left, entity, follow), evaluate(node.right, entity, follow)
    if node.kind == "moment":
        moved = [ARITHMETIC[node.operator](one, right) for one in left or (None, None)]
        return None if None in moved else tuple(moved)
    value = ARITHMETIC[node.operator](left, right)
    return value if value is None or math.isfinite(value) else None


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
}
COMPARE_MOMENTS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "gt": lambda a, b: a[0] >= b[1] and a[0] > b[0],
    "ge": lambda a, b: a[0] >= b[0] and a[1] >= b[1],
    "lt": lambda a, b: a[0] < b[0] and a[1] <= b[0],
    "le": lambda a, b: a[0] <= b[0] and a[1] <= b[1],
}


@evaluate.register
def _compare(node: meaning.Compare, entity: Row, follow: Follow) -> Any:
    left, right = evaluate(node.left, entity, follow), evaluate(node.right, entity, follow)
    if left is None or right is None:
        return None
    if node.of == "json":
        left, right = _written(left), _written(right)
    try:
        return (COMPARE_MOMENTS if node.of == "moment" else _COMPARE)[node.operator](left, right)
    except TypeError:
        return None


def _written(value: Any) -> Any:
    """Return a JSON scalar as the text that the databases compare it by."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Numeral):
        return value.text
    return repr(value) if isinstance(value, int | float) else value


@evaluate.register
def _holds(node: meaning.Holds, entity: Row, follow: Follow) -> Any:
    array, left = evaluate(node.array, entity, follow), evaluate(node.left, entity, follow)
    if not isinstance(array, list) or left is None:
        return None
    return any(_kind(one) == node.left.kind and one == left for one in array)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else "text"


@evaluate.register
def _looked(node: meaning.Looked, entity: Row, follow: Follow) -> Any:  # noqa: ARG001
    return dict(node.values).get(entity[node.column])


@evaluate.register
def _one_of(node: meaning.OneOf, entity: Row, follow: Follow) -> Any:
    left = evaluate(node.left, entity, follow)
    return None if left is None else left in [evaluate(v, entity, follow) for v in node.values]


@evaluate.register
def _nothing(node: meaning.Nothing, entity: Row, follow: Follow) -> Any:
    return (evaluate(node.part, entity, follow) is not None) == node.present


@evaluate.register
def _not(node: meaning.Not, entity: Row, follow: Follow) -> Any:
    value = evaluate(node.part, entity, follow)
    return None if value is None else not value


@evaluate.register
def _any(node: meaning.Some, entity: Row, follow: Follow) -> Any:
    asked = entity.get("_asked", entity)
    return any(
        holds(node.part, {**found, "_asked": asked}, follow) for found in _reach(entity, node.hops, follow)
    )


@evaluate.register
def _among(node: meaning.Among, entity: Row, follow: Follow) -> Any:  # noqa: ARG001
    return entity.get(node.column) in node.ids


@evaluate.register
def _join(node: meaning.Join, entity: Row, follow: Follow) -> Any:
    values = [evaluate(part, entity, follow) for part in node.parts]
    decisive = node.operator == "or"
    if decisive in values:
        return decisive
    return None if None in values else not decisive
