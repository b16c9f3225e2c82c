"""`principalName()`: the name of who asks, put in its place before a query is bound."""

from typing import Any

import msgspec

from beffroi.standards.sensorthings import syntax
from beffroi.standards.sensorthings.syntax import Expanded, Node, Options, Order

__all__ = ["with_principal"]

_NAMES = (syntax.Name, syntax.Literal)


def with_principal(options: Options, name: str) -> Options:
    """Return the options with each `principalName()` made the text `name` ("" for who has no key)."""
    return _in(options, name) if _asks(options) else options


def _asks(part: Any) -> bool:
    if isinstance(part, syntax.Call) and _is_it(part):
        return True
    if isinstance(part, tuple):
        return any(_asks(one) for one in part)
    if isinstance(part, msgspec.Struct) and not isinstance(part, _NAMES):
        return any(_asks(getattr(part, field)) for field in part.__struct_fields__)
    return False


def _is_it(call: syntax.Call) -> bool:
    return call.function.lower() == "principalname" and not call.arguments


def _in(part: Any, name: str) -> Any:
    if isinstance(part, tuple):
        return tuple(_in(one, name) for one in part)
    if isinstance(part, syntax.Call) and _is_it(part):
        return syntax.Literal("text", name, part.at)
    if isinstance(part, Node | Order | Expanded | Options) and not isinstance(part, _NAMES):
        changed = {field: _in(getattr(part, field), name) for field in part.__struct_fields__}
        return type(part)(**changed)
    return part
