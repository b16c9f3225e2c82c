"""What a condition or an order means once bound to the entity model: a tree that is compiled to SQL (`compile.py`) or
evaluated in Python (`evaluate.py`) without any more checks.
"""

import itertools
from collections.abc import Callable
from typing import Any
from typing import Literal as Choice

import msgspec

from beffroi.standards.sensorthings.entities import Kind, Navigation, Property
from beffroi.standards.sensorthings.functions import Function

__all__ = [
    "Always",
    "Among",
    "Apply",
    "Binary",
    "Bound",
    "Cast",
    "Compare",
    "Field",
    "Holds",
    "Join",
    "Looked",
    "Not",
    "Nothing",
    "OneOf",
    "Some",
    "Term",
    "Value",
    "asks_outside",
    "changed",
    "fields",
    "shared",
    "without",
]


class Field(msgspec.Struct, frozen=True):
    """A property reached over `hops`; `inside` is a place in its JSON value."""

    hops: tuple[Navigation, ...]
    property: Property
    inside: tuple[str | int, ...]
    kind: Kind
    at: int = 0
    outer: bool = False  # of the entity that is asked for, inside a condition on others


class Value(msgspec.Struct, frozen=True):
    """A value of the query."""

    kind: Kind
    value: Any


class Cast(msgspec.Struct, frozen=True):
    """A JSON value, a result or a moment taken as `kind`: nothing when it is of another."""

    part: "Bound"
    kind: Kind


class Apply(msgspec.Struct, frozen=True):
    """A function applied."""

    function: Function
    arguments: tuple["Bound", ...]
    kind: Kind


class Binary(msgspec.Struct, frozen=True):
    """Arithmetic on numbers, or on microseconds."""

    operator: Choice["add", "sub", "mul", "div", "mod"]
    left: "Bound"
    right: "Bound"
    kind: Kind


class Compare(msgspec.Struct, frozen=True):
    """A comparison of two values of one kind (`of`); moments compare by their starts and ends."""

    operator: Choice["eq", "ne", "gt", "ge", "lt", "le"]
    left: "Bound"
    right: "Bound"
    of: Kind
    kind: Kind = "boolean"


class OneOf(msgspec.Struct, frozen=True):
    """`left` equals one of the values."""

    left: "Bound"
    values: tuple["Bound", ...]
    of: Kind
    kind: Kind = "boolean"


class Holds(msgspec.Struct, frozen=True):
    """The JSON array `array` holds `left`, a number, a text or a boolean."""

    array: Field
    left: "Bound"
    kind: Kind = "boolean"


class Looked(msgspec.Struct, frozen=True):
    """What `column` (an id) leads to: a value of the entity that has that id, read before."""

    column: str
    values: tuple[tuple[int, Any], ...]
    kind: Kind


class Nothing(msgspec.Struct, frozen=True):
    """`part` is nothing (or is something, when `present`)."""

    part: "Bound"
    present: bool
    kind: Kind = "boolean"


class Join(msgspec.Struct, frozen=True):
    """`and` or `or` of conditions."""

    operator: Choice["and", "or"]
    parts: tuple["Bound", ...]
    kind: Kind = "boolean"


class Not(msgspec.Struct, frozen=True):
    """A condition denied."""

    part: "Bound"
    kind: Kind = "boolean"


class Some(msgspec.Struct, frozen=True):
    """Some entity over `hops` fulfils `part`."""

    hops: tuple[Navigation, ...]
    part: "Bound"
    at: int = 0
    kind: Kind = "boolean"


class Among(msgspec.Struct, frozen=True):
    """The entity's own `column` holds one of `ids` (what an `Some` over the observations has come to)."""

    column: str
    ids: tuple[int, ...]
    kind: Kind = "boolean"


class Always(msgspec.Struct, frozen=True):
    """True or false whatever the entity."""

    value: bool
    kind: Kind = "boolean"


Bound = (
    Field | Value | Cast | Apply | Binary | Compare | OneOf | Holds | Looked | Nothing | Join | Not | Some | Among
    | Always
)  # fmt: skip


class Term(msgspec.Struct, frozen=True):
    """A bound term of `$orderby`."""

    by: Bound
    descending: bool


def fields(node: Bound) -> list[Field]:
    """Return the fields that `node` reads, those inside `any` excepted."""
    match node:
        case Field():
            return [node]
        case Cast() | Not() | Nothing():
            return fields(node.part)
        case Apply():
            parts: tuple[Bound, ...] = node.arguments
        case Binary() | Compare():
            parts = (node.left, node.right)
        case OneOf():
            parts = (node.left, *node.values)
        case Holds():
            parts = (node.array, node.left)
        case Join():
            parts = node.parts
        case _:
            return []
    return [field for part in parts for field in fields(part)]


def asks_outside(node: Bound) -> bool:
    """True when a condition on related entities names the entity that is asked for."""
    match node:
        case Join():
            return any(asks_outside(p) for p in node.parts)
        case Not() | Some():
            return asks_outside(node.part)
    return any(field.outer for field in fields(node))


def shared(paths: list[tuple[Navigation, ...]]) -> tuple[Navigation, ...]:
    """Return the longest start that all paths have in common."""
    alike = itertools.takewhile(lambda hops: len(set(hops)) == 1, zip(*paths, strict=False))
    return tuple(hops[0] for hops in alike)


def changed(node: Bound, change: Callable[[Field], Bound]) -> Bound:
    """Return `node` with each field that `fields` gives made another."""
    replace = msgspec.structs.replace
    match node:
        case Field():
            return change(node)
        case Cast() | Nothing() | Not():
            return replace(node, part=changed(node.part, change))
        case Apply():
            return replace(node, arguments=tuple(changed(a, change) for a in node.arguments))
        case Binary() | Compare():
            return replace(node, left=changed(node.left, change), right=changed(node.right, change))
        case OneOf():
            values = tuple(changed(v, change) for v in node.values)
            return replace(node, left=changed(node.left, change), values=values)
        case Holds():
            array = change(node.array)
            assert isinstance(array, Field)
            return replace(node, array=array, left=changed(node.left, change))
        case Join():
            return replace(node, parts=tuple(changed(p, change) for p in node.parts))
    return node


def without(node: Bound, hops: int) -> Bound:
    """Return `node` with the first `hops` relations of each field taken away, those of the outer entity excepted."""
    return changed(node, lambda f: f if f.outer else msgspec.structs.replace(f, hops=f.hops[hops:]))
