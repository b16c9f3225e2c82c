"""Write a syntax tree as the text of query options again, for the links to the next page of an expanded relation."""

from functools import singledispatch

from beffroi.model.instant import SECOND_US, format_instant, format_interval
from beffroi.standards.sensorthings import syntax
from beffroi.standards.sensorthings.syntax import Expanded, Node, Options, Order

__all__ = ["unparse", "unparse_options"]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _duration(us: int) -> str:
    seconds, rest = divmod(abs(us), SECOND_US)
    return f"duration'{'-' if us < 0 else ''}PT{seconds}{f'.{rest:06d}' if rest else ''}S'"


@singledispatch
def unparse(node: Node) -> str:
    """Return the text of `node`; parsing it gives an equal tree (positions apart)."""
    raise AssertionError(node)


@unparse.register
def _name(node: syntax.Name) -> str:
    text = ""
    for step in node.steps:
        text += f"[{step}]" if isinstance(step, int) else f"/{step}"
    return text[1:]


@unparse.register
def _literal(node: syntax.Literal) -> str:
    value = node.value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return format_interval(*value)
    if isinstance(value, str):
        return ("geography" if node.kind == "geometry" else "") + _quoted(value)
    if not isinstance(value, int) or node.kind == "number":
        return "null" if value is None else node.digits
    if node.kind == "duration":
        return _duration(value)
    text = format_instant(value)
    if node.kind == "instant":
        return text
    return text[:10] if node.kind == "date" else text[11:].removesuffix("Z")


@unparse.register
def _call(node: syntax.Call) -> str:
    return f"{node.function}({','.join(unparse(a) for a in node.arguments)})"


def _operand(node: Node) -> str:
    text = unparse(node)
    return (
        text if isinstance(node, syntax.Name | syntax.Literal | syntax.Call | syntax.Exists) else f"({text})"
    )


@unparse.register
def _infix(node: syntax.Arithmetic | syntax.Comparison) -> str:
    return f"{_operand(node.left)} {node.operator} {_operand(node.right)}"


@unparse.register
def _membership(node: syntax.Membership) -> str:
    return f"{_operand(node.left)} in ({','.join(unparse(i) for i in node.items)})"


@unparse.register
def _containment(node: syntax.Containment) -> str:
    return f"{_operand(node.left)} in {unparse(node.array)}"


@unparse.register
def _junction(node: syntax.Junction) -> str:
    return f" {node.operator} ".join(_operand(p) for p in node.parts)


@unparse.register
def _negation(node: syntax.Negation) -> str:
    return f"not ({unparse(node.part)})"


@unparse.register
def _exists(node: syntax.Exists) -> str:
    return f"{unparse(node.path)}/any({node.variable}: {unparse(node.part)})"


def _order(order: Order) -> str:
    return unparse(order.by) + (" desc" if order.descending else "")


def _expanded(part: Expanded) -> str:
    inner = ";".join(f"{name}={text}" for name, text in unparse_options(part.options))
    return f"{part.name}({inner})" if inner else part.name


def unparse_options(options: Options) -> list[tuple[str, str]]:
    """Return the options as names and texts; $skip and $skiptoken are left out."""
    found = []
    if options.select:
        found.append(("$select", ",".join(unparse(name) for name in options.select)))
    if options.expand:
        found.append(("$expand", ",".join(_expanded(part) for part in options.expand)))
    if options.filter is not None:
        found.append(("$filter", unparse(options.filter)))
    if options.orderby:
        found.append(("$orderby", ",".join(_order(order) for order in options.orderby)))
    if options.top is not None:
        found.append(("$top", str(options.top)))
    if options.count:
        found.append(("$count", "true"))
    return found
