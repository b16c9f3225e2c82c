"""Read query options: text to syntax tree, with the position of what is wrong."""

import functools
import math
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedInput
from lark.exceptions import VisitError

from beffroi.model.instant import DAY_US, parse_duration, parse_instant
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.standards.sensorthings import syntax
from beffroi.standards.sensorthings.syntax import Expanded, Name, Node, Options, Order, children

__all__ = ["misread", "parse_expand", "parse_filter", "parse_orderby", "parse_select", "whole_number"]

LONGEST = 10_000
DEEPEST = 50
MOST_NODES = 2_000
LONGEST_US = 3_652_500 * DAY_US

# What a person calls each terminal of the grammar, for the mend of an error.
_TERMINALS = {
    "NAME": Text("un nom de propriété ou de fonction", "a property or function name"),
    "NUMBER": Text("un nombre", "a number"),
    "STRING": Text("un texte entre apostrophes", "a text in single quotes"),
    "TIMESTAMP": Text("une date ISO 8601", "an ISO 8601 time"),
    "EQUALITY": Text("eq ou ne", "eq or ne"),
    "RELATION": Text("gt, ge, lt ou le", "gt, ge, lt or le"),
    "AND": Text("and", "and"),
    "OR": Text("or", "or"),
    "LPAR": Text("(", "("),
    "RPAR": Text(")", ")"),
    "COMMA": Text(",", ","),
    "COLON": Text(":", ":"),
    "EQUAL": Text("=", "="),
    "SEMICOLON": Text(";", ";"),
    "DIRECTION": Text("asc ou desc", "asc or desc"),
    "$END": Text("la fin", "the end"),
}


def _quoted(text: str) -> str:
    return text.replace("{", "(").replace("}", ")")


def misread(option: str, at: int, near: str, mend: Text | None = None, reason: Text | None = None) -> Problem:
    """Return the problem of something wrong at character `at` (from 0) of a query option."""
    place = Text(f"{option}, caractère {at + 1} : ", f"{option}, character {at + 1}: ")
    said = reason or Text(
        f"« {_quoted(near)} » n'est pas attendu ici.", f"'{_quoted(near)}' is not expected here."
    )
    return Problem(Text(place.fr + said.fr, place.en + said.en), mend, place=f"{option}:{at + 1}")


class _WrongValueError(Exception):
    def __init__(self, at: int, reason: Text, mend: Text) -> None:
        super().__init__(reason.en)
        self.at, self.reason, self.mend = at, reason, mend


def _at(part: Any) -> int:
    return part.start_pos or 0 if isinstance(part, Token) else part.at


def _step(token: Token) -> str | int:
    if token.type != "NUMBER":
        return str(token)
    if token.isdigit() and len(token) < 10:
        return int(token)
    raise _WrongValueError(
        _at(token), Text("Un rang entier est attendu.", "A whole index is expected."),
        Text("Écrivez par exemple properties/tags[0].", "Write for example properties/tags[0]."),
    )  # fmt: skip


def _unquote(text: str) -> str:
    return text[1:-1].replace("''", "'")


def _duration(text: str) -> int:
    found = parse_duration(text)
    if abs(found) > LONGEST_US:
        raise Problem(
            Text("Cette durée est trop longue.", "This duration is too long."),
            Text("Écrivez au plus 10 000 ans.", "Write ten thousand years at most."),
        )
    return found


def _instant(text: str) -> int:
    # A "+" of an offset that travelled as a space in a query string.
    return parse_instant(text.replace(" ", "+"))


def _day(text: str) -> int:
    return parse_instant(text)


def _time_of_day(text: str) -> int:
    return parse_instant(f"1970-01-01T{text}Z")


def _moment(text: str) -> tuple[int, int]:
    start, _, end = text.partition("/")
    first = _instant(start)
    last = first + _duration(end) if end.startswith("P") else _instant(end)
    if last < first:
        raise Problem(
            Text("L'intervalle finit avant de commencer.", "The interval ends before it starts."),
            Text("Écrivez début/fin dans l'ordre.", "Write start/end in order."),
        )
    return first, last


_TYPED: dict[str, tuple[str, Callable[[str], Any]]] = {
    "duration": ("duration", _duration),
    "geography": ("geometry", str),
    "geometry": ("geometry", str),
    "datetimeoffset": ("instant", _instant),
    "datetime": ("instant", _instant),
    "date": ("date", _day),
    "time": ("time", _time_of_day),
}


class _Build(Transformer[Token, Any]):
    """Builds the tree while the text is parsed, so that no nesting of the text can exhaust the stack."""

    def _read(self, kind: Any, token: Token, reader: Callable[[str], Any], text: str) -> syntax.Literal:
        try:
            return syntax.Literal(kind, reader(text), _at(token))
        except Problem as problem:
            raise _WrongValueError(_at(token), problem.reason, problem.mend) from problem

    def number(self, parts: list[Token]) -> syntax.Literal:
        token = parts[0]
        value = float(token)
        if math.isinf(value):
            raise _WrongValueError(
                _at(token), Text("Ce nombre est trop grand.", "This number is too large."),
                Text("Écrivez un nombre inférieur à 1e308.", "Write a number below 1e308."),
            )  # fmt: skip
        whole = token.isdigit() and len(token) < 16
        return syntax.Literal("number", int(token) if whole else value, _at(token), str(token))

    def string(self, parts: list[Token]) -> syntax.Literal:
        return syntax.Literal("text", _unquote(parts[0]), _at(parts[0]))

    def typed(self, parts: list[Token]) -> syntax.Literal:
        prefix, _, rest = parts[0].partition("'")
        kind, reader = _TYPED[prefix.lower()]
        return self._read(kind, parts[0], reader, rest[:-1].replace("''", "'"))

    def interval(self, parts: list[Token]) -> syntax.Literal:
        return self._read("moment", parts[0], _moment, str(parts[0]))

    def timestamp(self, parts: list[Token]) -> syntax.Literal:
        return self._read("instant", parts[0], _instant, str(parts[0]))

    def date(self, parts: list[Token]) -> syntax.Literal:
        return self._read("date", parts[0], _day, str(parts[0]))

    def time(self, parts: list[Token]) -> syntax.Literal:
        return self._read("time", parts[0], _time_of_day, str(parts[0]))

    def true(self, parts: list[Token]) -> syntax.Literal:
        return syntax.Literal("boolean", True, _at(parts[0]))

    def false(self, parts: list[Token]) -> syntax.Literal:
        return syntax.Literal("boolean", False, _at(parts[0]))

    def null(self, parts: list[Token]) -> syntax.Literal:
        return syntax.Literal("null", None, _at(parts[0]))

    def step(self, parts: list[Token]) -> Token:
        return parts[0]

    def index(self, parts: list[Token]) -> Token:
        return parts[0]

    def path(self, parts: list[Token]) -> Name:
        return Name(tuple(_step(p) for p in parts), _at(parts[0]))

    def longer(self, parts: list[Any]) -> Name:
        head, *rest = parts
        return Name(head.steps + tuple(_step(p) for p in rest), head.at)

    def call(self, parts: list[Any]) -> syntax.Call:
        return syntax.Call(str(parts[0]), tuple(p for p in parts[1:] if p is not None), _at(parts[0]))

    def exists(self, parts: list[Any]) -> syntax.Exists:
        path, _any, variable, part = parts
        return syntax.Exists(path, str(variable), part, path.at)

    def minus(self, parts: list[Any]) -> Node:
        part = parts[0]
        if isinstance(part, syntax.Literal) and part.kind == "number" and not part.digits.startswith("-"):
            assert isinstance(part.value, int | float)
            return syntax.Literal("number", -part.value, part.at, "-" + part.digits)
        return syntax.Arithmetic("sub", syntax.Literal("number", 0, part.at, "0"), part, part.at)

    def arithmetic(self, parts: list[Any]) -> Node:
        left, operator, right = parts
        return syntax.Arithmetic(str(operator), left, right, _at(operator))  # type: ignore[arg-type]

    def comparison(self, parts: list[Any]) -> Node:
        left, operator, right = parts
        return syntax.Comparison(str(operator), left, right, _at(operator))  # type: ignore[arg-type]

    def membership(self, parts: list[Any]) -> Node:
        left, operator, *items = parts
        return syntax.Membership(left, tuple(items), _at(operator))

    def containment(self, parts: list[Any]) -> Node:
        left, operator, array = parts
        return syntax.Containment(left, array, _at(operator))

    def junction(self, parts: list[Any]) -> Node:
        operands = tuple(parts[0::2])
        if len(operands) == 1:
            return operands[0]  # type: ignore[no-any-return]
        return syntax.Junction(str(parts[1]), operands, operands[0].at)  # type: ignore[arg-type]

    def negated(self, parts: list[Any]) -> Node:
        return syntax.Negation(parts[1], _at(parts[0]))

    def filter(self, parts: list[Any]) -> Node:
        return parts[0]  # type: ignore[no-any-return]

    def order(self, parts: list[Any]) -> Order:
        return Order(parts[0], len(parts) > 1 and parts[1].lower() == "desc")

    def orderby(self, parts: list[Order]) -> tuple[Order, ...]:
        return tuple(parts)

    def everything(self, _parts: list[Any]) -> Name:
        return Name(("*",))

    def selected(self, parts: list[Name]) -> Name:
        return parts[0]

    def select(self, parts: list[Name]) -> tuple[Name, ...]:
        return tuple(parts)

    def option_expand(self, parts: list[Any]) -> tuple[str, Any]:
        return "expand", parts[0]

    def option_filter(self, parts: list[Any]) -> tuple[str, Any]:
        return "filter", parts[0]

    def option_orderby(self, parts: list[Any]) -> tuple[str, Any]:
        return "orderby", parts[0]

    def option_select(self, parts: list[Any]) -> tuple[str, Any]:
        return "select", parts[0]

    def option_top(self, parts: list[Token]) -> tuple[str, Any]:
        return "top", self._whole(parts[0])

    def option_skip(self, parts: list[Token]) -> tuple[str, Any]:
        return "skip", self._whole(parts[0])

    def option_count(self, parts: list[Token]) -> tuple[str, Any]:
        return "count", parts[0] == "true"

    def _whole(self, token: Token) -> int:
        if token.isdigit() and len(token) < 16:
            return int(token)
        raise _WrongValueError(
            _at(token), Text("Un nombre entier est attendu.", "A whole number is expected."),
            Text("Écrivez par exemple $top=10.", "Write for example $top=10."),
        )  # fmt: skip

    def expanded(self, parts: list[Any]) -> Expanded:
        path, *options = parts
        inner = Options(**{k: v for pair in options if pair is not None for k, v in [pair]})
        return _nested(path, inner)

    def expand(self, parts: list[Expanded]) -> tuple[Expanded, ...]:
        return merge_expansions(parts)


def _nested(path: Name, inner: Options) -> Expanded:
    """`A/B(options)` is `A($expand=B(options))`."""
    *outer, last = path.steps
    found = Expanded(str(last), inner, path.at)
    for step in reversed(outer):
        found = Expanded(str(step), Options(expand=(found,)), path.at)
    return found


def merge_expansions(parts: list[Expanded] | tuple[Expanded, ...]) -> tuple[Expanded, ...]:
    """Return the expansions with those of one name made one: `A,A/B` shows A once, with B inside."""
    merged: dict[str, Expanded] = {}
    for part in parts:
        seen = merged.get(part.name)
        if seen is None:
            merged[part.name] = part
            continue
        inner = merge_expansions(seen.options.expand + part.options.expand)
        plain = Options(expand=part.options.expand)
        chosen = seen.options if part.options == plain else part.options
        fields = {name: getattr(chosen, name) for name in Options.__struct_fields__} | {"expand": inner}
        merged[part.name] = Expanded(part.name, Options(**fields), seen.at)
    return tuple(merged.values())


@functools.cache
def _lark() -> Lark:
    """Return the parser; building it takes a while, which a start should not wait for."""
    return Lark(
        (Path(__file__).with_name("grammar.lark")).read_text("utf-8"),
        parser="lalr", start=["filter", "orderby", "select", "expand"], transformer=_Build(), maybe_placeholders=True,
    )  # fmt: skip


def _expected(error: UnexpectedInput) -> Text | None:
    names = set(
        getattr(error, "accepts", None)
        or getattr(error, "expected", None)
        or getattr(error, "allowed", ())
        or ()
    )
    words = [text for name, text in _TERMINALS.items() if name in names]
    if not words:
        return None
    return Text(
        "Attendu : " + " · ".join(w.fr for w in words), "Expected: " + " · ".join(w.en for w in words)
    )


def _parse(option: str, start: str, text: str) -> Any:
    if len(text) > LONGEST:
        raise misread(
            option, LONGEST, "", Text("Raccourcissez la requête.", "Shorten the query."),
            Text(f"La requête dépasse {LONGEST} caractères.", f"The query is longer than {LONGEST} characters."),
        )  # fmt: skip
    try:
        return _lark().parse(text, start=start)
    except UnexpectedInput as error:
        at = _position(error, text)
        near = text[at : at + 20].partition(" ")[0] if at < len(text) else ""
        reason = (
            None if near else Text("il manque quelque chose à la fin.", "something is missing at the end.")
        )
        raise misread(option, at, near, _expected(error), reason) from error
    except VisitError as error:
        raise _of_wrong(option, error.orig_exc) from error
    except _WrongValueError as error:
        raise _of_wrong(option, error) from error


def _position(error: UnexpectedInput, text: str) -> int:
    token = getattr(error, "token", None)
    if token is not None and token.type == "$END":
        return len(text.rstrip())
    return max(error.pos_in_stream or 0, 0)


def _of_wrong(option: str, error: Exception) -> Problem:
    if not isinstance(error, _WrongValueError):
        raise error
    return misread(option, error.at, "", error.mend, error.reason)


def _measured(option: str, node: Node) -> Node:
    """Return `node`; refuse a tree that is too deep or too wide to be compiled in bounded time."""
    level, total = [node], 0
    for _depth in range(DEEPEST):
        total += len(level)
        level = [child for parent in level for child in children(parent)]
        if not level:
            break
    if level or total > MOST_NODES:
        at = level[0].at if level else 0
        raise misread(
            option, at, "", Text("Simplifiez-la, ou découpez-la en plusieurs.", "Simplify it, or cut it into several."),
            Text("L'expression est trop longue ou trop imbriquée.", "The expression is too long or too deeply nested."),
        )  # fmt: skip
    return node


@lru_cache(maxsize=2048)
def parse_filter(text: str) -> Node:
    """Return the tree of a `$filter`. Raises `Problem` with the position."""
    return _measured("$filter", _parse("$filter", "filter", text))


@lru_cache(maxsize=1024)
def parse_orderby(text: str) -> tuple[Order, ...]:
    """Return the terms of an `$orderby`. Raises `Problem` with the position."""
    orders: tuple[Order, ...] = _parse("$orderby", "orderby", text)
    for order in orders:
        _measured("$orderby", order.by)
    return orders


@lru_cache(maxsize=1024)
def parse_select(text: str) -> tuple[Name, ...]:
    """Return the paths of a `$select`. Raises `Problem` with the position."""
    chosen: tuple[Name, ...] = _parse("$select", "select", text)
    return chosen


@lru_cache(maxsize=1024)
def parse_expand(text: str) -> tuple[Expanded, ...]:
    """Return the relations of an `$expand`. Raises `Problem` with the position."""
    found: tuple[Expanded, ...] = _parse("$expand", "expand", text)
    _check_expansions(found, 0)
    return found


def _check_expansions(found: tuple[Expanded, ...], depth: int) -> None:
    if depth > 8:
        raise misread(
            "$expand", found[0].at, "", Text("Huit niveaux suffisent.", "Eight levels are enough."),
            Text("L'expansion est trop profonde.", "The expansion is too deep."),
        )  # fmt: skip
    measure = partial(_measured, "$expand")
    for part in found:
        if part.options.filter is not None:
            measure(part.options.filter)
        for order in part.options.orderby:
            measure(order.by)
        if part.options.expand:
            _check_expansions(part.options.expand, depth + 1)


def whole_number(option: str, text: str) -> int:
    """Return the whole number of `$top`, `$skip`. Raises `Problem`."""
    if text.isascii() and text.isdigit() and len(text) < 16:
        return int(text)
    raise misread(
        option, 0, text[:20], Text(f"Écrivez par exemple {option}=10.", f"Write for example {option}=10."),
        Text("Un nombre entier positif est attendu.", "A whole number, zero or more, is expected."),
    )  # fmt: skip
