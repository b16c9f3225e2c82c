"""The syntax tree of query options, before it meets the entity model. `at` is the character it starts at (from 0)."""

from typing import Literal as Choice

import msgspec

from beffroi.standards.sensorthings.entities import Kind

__all__ = [
    "Arithmetic",
    "Call",
    "Comparison",
    "Containment",
    "Exists",
    "Expanded",
    "Junction",
    "Literal",
    "Membership",
    "Name",
    "Negation",
    "Node",
    "Options",
    "Order",
    "children",
]  # fmt: skip


class Name(msgspec.Struct, frozen=True, tag=True):
    """A path such as `Datastream/Thing/properties/owner` or `@iot.id`; a number is an index in an array."""

    steps: tuple[str | int, ...]
    at: int = 0


class Literal(msgspec.Struct, frozen=True, tag=True):
    """A value written in the query. `value`: number, text, boolean, microseconds, `(start, end)` for a moment,
    WKT for a geometry; `digits` are a number's as written."""

    kind: Kind
    value: float | int | str | bool | tuple[int, int] | None
    at: int = 0
    digits: str = ""


class Call(msgspec.Struct, frozen=True, tag=True):
    """A function and its arguments."""

    function: str
    arguments: tuple["Node", ...]
    at: int = 0


class Arithmetic(msgspec.Struct, frozen=True, tag=True):
    """`left` add, sub, mul, div or mod `right`."""

    operator: Choice["add", "sub", "mul", "div", "mod"]
    left: "Node"
    right: "Node"
    at: int = 0


class Comparison(msgspec.Struct, frozen=True, tag=True):
    """`left` eq, ne, gt, ge, lt or le `right`."""

    operator: Choice["eq", "ne", "gt", "ge", "lt", "le"]
    left: "Node"
    right: "Node"
    at: int = 0


class Membership(msgspec.Struct, frozen=True, tag=True):
    """`left` in (items)."""

    left: "Node"
    items: tuple["Node", ...]
    at: int = 0


class Containment(msgspec.Struct, frozen=True, tag=True):
    """`left` in a JSON array."""

    left: "Node"
    array: Name
    at: int = 0


class Junction(msgspec.Struct, frozen=True, tag=True):
    """All (`and`) or some (`or`) of the parts hold."""

    operator: Choice["and", "or"]
    parts: tuple["Node", ...]
    at: int = 0


class Negation(msgspec.Struct, frozen=True, tag=True):
    """`not part`."""

    part: "Node"
    at: int = 0


class Exists(msgspec.Struct, frozen=True, tag=True):
    """`path/any(variable: part)`: some related entity fulfils `part`."""

    path: Name
    variable: str
    part: "Node"
    at: int = 0


Node = (
    Name | Literal | Call | Arithmetic | Comparison | Membership | Containment | Junction | Negation | Exists
)


class Order(msgspec.Struct, frozen=True):
    """One term of `$orderby`."""

    by: Node
    descending: bool = False


class Options(msgspec.Struct, frozen=True):
    """The query options of a request or of one expanded relation; None: not given."""

    select: tuple[Name, ...] = ()
    expand: tuple["Expanded", ...] = ()
    filter: Node | None = None
    orderby: tuple[Order, ...] = ()
    top: int | None = None
    skip: int = 0
    count: bool = False
    skiptoken: str = ""
    result_format: str = ""
    as_of: int | None = None  # an instant in microseconds: everything as it was then
    distinct: bool = False  # each combination of what is selected once
    metadata: str = "full"  # how much control information is shown: full, minimal, none, off


class Expanded(msgspec.Struct, frozen=True):
    """One relation to show inside its entity, with options of its own."""

    name: str
    options: Options
    at: int = 0


def children(node: Node) -> tuple[Node, ...]:
    """Return the parts of `node`."""
    match node:
        case Call():
            return node.arguments
        case Arithmetic() | Comparison():
            return node.left, node.right
        case Membership():
            return node.left, *node.items
        case Containment():
            return node.left, node.array
        case Junction():
            return node.parts
        case Negation() | Exists():
            return (node.part,)
    return ()
