"""Constants of a query: what depends on no entity is computed once, and texts are taken as the numbers or times they say."""

import re
from collections.abc import Callable
from typing import Any

import msgspec

from beffroi.model.text import Text
from beffroi.standards.sensorthings.functions import ARITHMETIC, geometry_of, instant_of
from beffroi.standards.sensorthings.meaning import Apply, Binary, Bound, Value

__all__ = ["CHANGES", "DIGITS", "KINDS", "folded", "number"]


def folded(node: Bound) -> Bound:
    """Return what does not depend on the entity as the value that it is."""
    parts = (
        node.arguments
        if isinstance(node, Apply)
        else (node.left, node.right)
        if isinstance(node, Binary)
        else ()
    )
    values = [part.value for part in parts if isinstance(part, Value)]
    if not parts or len(values) < len(parts):
        return node
    if isinstance(node, Apply):
        flat: list[Any] = []
        for kind, value in zip(node.function.parameters, values, strict=False):
            flat.extend((value or (None, None)) if kind == "moment" else (value,))
        return Value(node.kind, _storable(node.function.python(*flat)))
    assert isinstance(node, Binary)
    if node.kind == "moment":
        start, end = values[0] or (None, None)
        moved = tuple(_storable(ARITHMETIC[node.operator](one, values[1])) for one in (start, end))
        return Value("moment", None if None in moved else moved)
    return Value(node.kind, _storable(ARITHMETIC[node.operator](*values)))


DIGITS = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,9})?")


def _storable(value: Any) -> Any:
    """Return `value`, or nothing when it is a number that no database holds."""
    if isinstance(value, float) and value - value != 0.0:
        return None
    return None if isinstance(value, int) and abs(value) > 2**62 else value


def number(value: str) -> Value:
    """Return the number that a text says. Raises `ValueError`."""
    return Value(
        "number", int(value) if value.lstrip("-").isdigit() and len(value) < 17 else _finite(float(value))
    )


def _finite(value: float) -> float:
    if value - value != 0.0:
        raise ValueError(value)
    return value


def _instant(value: str) -> Value:
    found = instant_of(value)
    if found is None:
        raise ValueError(value)
    return Value("instant", found)


def _geometry(value: str) -> Value:
    try:
        geometry_of(value)
    except (msgspec.DecodeError, AttributeError) as error:
        raise ValueError(value) from error
    return Value("geometry", value)


def _both(value: int) -> Value:
    return Value("moment", (value, value))


CHANGES: dict[tuple[str, str], Callable[[Any], Value]] = {
    ("text", "number"): number,
    ("text", "instant"): _instant,
    ("text", "moment"): lambda text: _both(_instant(text).value),
    ("text", "geometry"): _geometry,
    ("instant", "moment"): _both,
    ("date", "moment"): _both,
    ("date", "instant"): lambda day: Value("instant", day),
    ("moment", "instant"): lambda pair: Value("instant", pair[0]),
}

KINDS: dict[str, Text] = {  # what a person calls each
    "number": Text("un nombre", "a number"),
    "text": Text("un texte", "a text"),
    "boolean": Text("une condition", "a condition"),
    "instant": Text("une date", "a time"),
    "moment": Text("une date ou un intervalle", "a time or an interval"),
    "date": Text("un jour", "a date"),
    "time": Text("une heure", "a time of day"),
    "duration": Text("une durée", "a duration"),
    "geometry": Text("une géométrie", "a geometry"),
    "json": Text("une valeur JSON", "a JSON value"),
    "result": Text("un résultat", "a result"),
    "null": Text("null", "null"),
}
