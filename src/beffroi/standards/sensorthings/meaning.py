"""What a condition or an order means once bound to the entity model: a tree that is compiled to SQL (`compile.py`) or
evaluated in Python (`evaluate.py`) without any more checks.
"""

import itertools
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
    "Join",
    "Not",
    "Nothing",
    "OneOf",
    "Some",
    "Term",
    "Value",
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


Bound = Field | Value | Cast | Apply | Binary | Compare | OneOf | Nothing | Join | Not | Some | Among | Always


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
        case Join():
            parts = node.parts
        case _:
            return []
    return [field for part in parts for field in fields(part)]


def shared(paths: list[tuple[Navigation, ...]]) -> tuple[Navigation, ...]:
    """Return the longest start that all paths have in common."""
    alike = itertools.takewhile(lambda hops: len(set(hops)) == 1, zip(*paths, strict=False))
    return tuple(hops[0] for hops in alike)


def without(node: Bound, hops: int) -> Bound:
    """Return `node` with the first `hops` relations of each field taken away."""
    match node:
        case Field():
            return msgspec.structs.replace(node, hops=node.hops[hops:])
        case Cast() | Nothing() | Not():
            return msgspec.structs.replace(node, part=without(node.part, hops))
        case Apply():
            return msgspec.structs.replace(node, arguments=tuple(without(a, hops) for a in node.arguments))
        case Binary() | Compare():
            return msgspec.structs.replace(
                node, left=without(node.left, hops), right=without(node.right, hops)
            )
        case OneOf():
            values = tuple(without(v, hops) for v in node.values)
            return msgspec.structs.replace(node, left=without(node.left, hops), values=values)
        case Join():
            return msgspec.structs.replace(node, parts=tuple(without(p, hops) for p in node.parts))
    return node
