"""Expressions that people write in rules: `pluie > 5 and niveau - aval > 0.4`.

Evaluated by simpleeval over named values only: no attributes, no calls but a few numeric functions, no
comprehension; length, nesting, text and powers are bounded, so an expression can neither reach the machine
nor keep it busy.
"""

import ast
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import simpleeval

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["Expression"]

MAX_LENGTH = 500
MAX_NODES = 120
MAX_TEXT = 1_000


def _power(base: float, exponent: float) -> float:
    return math.pow(base, exponent)


def _times(left: Any, right: Any) -> Any:
    return float(left) * float(right)


def _plus(left: Any, right: Any) -> Any:
    total = left + right
    if isinstance(total, str) and len(total) > MAX_TEXT:
        raise ValueError("text too long")
    return total


_OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: _plus, ast.Sub: operator.sub, ast.Mult: _times, ast.Div: operator.truediv, ast.Mod: operator.mod,
    ast.Pow: _power, ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_,
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Gt: operator.gt, ast.Lt: operator.lt,
    ast.GtE: operator.ge, ast.LtE: operator.le, ast.In: lambda x, y: x in y, ast.NotIn: lambda x, y: x not in y,
    ast.Is: operator.is_, ast.IsNot: operator.is_not,
}  # fmt: skip
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs, "min": min, "max": max, "round": round, "lower": lambda text: str(text).lower(),
}  # fmt: skip
_ALLOWED = (
    ast.Expression, ast.Expr, ast.BoolOp, ast.And, ast.Or, ast.BinOp, ast.UnaryOp, ast.Compare, ast.IfExp,
    ast.Call, ast.Name, ast.Load, ast.Constant, ast.List, ast.Tuple, ast.operator, ast.unaryop, ast.cmpop,
)  # fmt: skip


def _refuse(fr: str, en: str, **values: object) -> Problem:
    shown = {key: str(value).replace("{", "(").replace("}", ")") for key, value in values.items()}
    return Problem(
        Text(fr, en).filled(**shown) if shown else Text(fr, en),
        Text(
            "Écrivez par exemple : pluie > 5 and niveau > 100.",
            "Write for example: rain > 5 and level > 100.",
        ),
    )


class Expression:
    """A checked expression and the names it uses."""

    __slots__ = ("_evaluator", "_parsed", "names", "text")

    def __init__(self, text: str, known: Iterable[str] | None = None) -> None:
        """Parse and check `text`; `known`, when given, are the only names allowed. Raises `Problem`."""
        self.text = text
        tree = _parse(text)
        names = _check(tree)
        if known is not None:
            unknown = sorted(names - set(known))
            if unknown:
                raise _refuse(
                    "L'expression parle de « {name} », que la règle ne connaît pas (connus : {known}).",
                    "The expression mentions '{name}', which the rule does not know (known: {known}).",
                    name=unknown[0], known=", ".join(sorted(known)) or "—",
                )  # fmt: skip
        self.names = frozenset(names)
        self._evaluator = simpleeval.EvalWithCompoundTypes(operators=_OPERATORS, functions=_FUNCTIONS)
        self._parsed = tree.body

    def __call__(self, values: Mapping[str, Any]) -> Any:
        """Return the expression's value; None when a value is missing or of a kind it cannot compute with."""
        self._evaluator.names = values
        try:
            return self._evaluator.eval(self.text, previously_parsed=self._parsed)
        except (ArithmeticError, TypeError, ValueError, KeyError, simpleeval.InvalidExpression):
            return None


def _parse(text: str) -> ast.Expression:
    if len(text) > MAX_LENGTH:
        raise _refuse("L'expression dépasse 500 caractères.", "The expression is longer than 500 characters.")
    try:
        return ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        column = getattr(error, "offset", None) or 0
        raise _refuse(
            "L'expression n'est pas comprise (caractère {column}).",
            "The expression is not understood (character {column}).", column=column,
        ).at(f"position {column}") from error  # fmt: skip


def _check(tree: ast.Expression) -> set[str]:
    """Return the names that `tree` reads. Raises `Problem` on anything but plain computing."""
    nodes = list(ast.walk(tree))
    if len(nodes) > MAX_NODES:
        raise _refuse("L'expression est trop compliquée.", "The expression is too complicated.")
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    names: set[str] = set()
    for node in nodes:
        _check_node(node)
        if isinstance(node, ast.Name) and id(node) not in called:
            names.add(node.id)
    return names


def _check_node(node: ast.AST) -> None:
    if not isinstance(node, _ALLOWED):
        raise _refuse(
            "L'expression contient « {kind} », qui n'est pas permis.",
            "The expression contains '{kind}', which is not allowed.", kind=type(node).__name__,
        )  # fmt: skip
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) > MAX_TEXT:
        raise _refuse("Un texte de l'expression est trop long.", "A text in the expression is too long.")
    if isinstance(node, ast.operator | ast.unaryop | ast.cmpop) and type(node) not in _OPERATORS:
        raise _refuse(
            "L'opérateur {kind} n'est pas permis.",
            "The operator {kind} is not allowed.",
            kind=type(node).__name__,
        )
    if isinstance(node, ast.Call) and (
        not isinstance(node.func, ast.Name) or node.func.id not in _FUNCTIONS or node.keywords
    ):
        raise _refuse(
            "Seules ces fonctions sont permises : {names}.",
            "Only these functions are allowed: {names}.", names=", ".join(_FUNCTIONS),
        )  # fmt: skip
