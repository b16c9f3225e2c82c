"""Formula: the arithmetic that an amount is written in, `lamps * (power_before - power_after) / 1000 * hours`.

Numbers, names, `+ - * / **`, brackets, `min` and `max`: nothing else. It computes whole arrays at once (years, draws),
and is written again as a formula of a spreadsheet.
"""

import ast
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["Formula", "parse_formula"]

Values = Mapping[str, Any]
_OPERATORS: dict[type[ast.operator], tuple[Callable[[Any, Any], Any], str]] = {
    ast.Add: (np.add, "+"), ast.Sub: (np.subtract, "-"), ast.Mult: (np.multiply, "*"), ast.Div: (np.divide, "/"),
    ast.Pow: (np.power, "^"),
}  # fmt: skip
_FUNCTIONS = {"min": np.minimum, "max": np.maximum}
_LONGEST = 500
_MEND = Text(
    "Écrivez un calcul avec des nombres, des noms d'hypothèses, + - * / ** ( ) min max, par exemple lamps * 450.",
    "Write a calculation with numbers, names of hypotheses, + - * / ** ( ) min max, such as lamps * 450.",
)


class Formula:
    """One formula, read once. `names` are the quantities that it asks for."""

    def __init__(self, text: str, body: ast.expr) -> None:
        self.text = text
        self._body = body
        self.names = frozenset(
            n.id for n in ast.walk(body) if isinstance(n, ast.Name) and n.id not in _FUNCTIONS
        )

    def value(self, values: Values) -> Any:
        """Return the result with those quantities (numbers or arrays that broadcast)."""
        with np.errstate(all="ignore"):
            return _value(self._body, values)

    def sheet(self, cell: Callable[[str], str]) -> str:
        """Return the formula as a spreadsheet writes it; `cell(name)` is where a quantity stands."""
        return _sheet(self._body, cell)


def parse_formula(text: str, place: str) -> Formula:
    """Return the formula in `text`; a decimal comma is understood. Raises `Problem` at `place`."""
    plain = re.sub(r"(?<=\d)[\s\u00a0\u202f](?=\d{3}(\D|$))", "", text.strip())
    # a comma between digits is a decimal one, outside the arguments of min and max
    if "min" not in plain and "max" not in plain:
        plain = re.sub(r"(?<=\d),(?=\d)", ".", plain)
    plain = plain.replace("×", "*").replace("−", "-").replace("^", "**")
    if not plain or len(plain) > _LONGEST:
        raise Problem(Text("Il manque un montant.", "An amount is missing."), _MEND, place)
    try:
        body = ast.parse(plain, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Problem(
            Text(f"« {text[:80]} » n'est pas un calcul.", f"'{text[:80]}' is not a calculation."),
            _MEND,
            place,
        ) from error
    _check(body, text, place)
    return Formula(text, body)


def _check(node: ast.expr, text: str, place: str) -> None:
    match node:
        case ast.Constant(value=bool() | None):
            pass
        case ast.Constant(value=int() | float()) | ast.Name():
            return None
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=inner):
            return _check(inner, text, place)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            _check(left, text, place)
            return _check(right, text, place)
        case ast.Call(func=ast.Name(id=name), args=[first, second], keywords=[]) if name in _FUNCTIONS:
            _check(first, text, place)
            return _check(second, text, place)
    said = ast.unparse(node)[:60]
    raise Problem(
        Text(
            f"« {said} » n'a pas sa place dans un calcul ({text[:60]}).",
            f"'{said}' has no place in a calculation ({text[:60]}).",
        ),
        _MEND,
        place,
    )


def _value(node: ast.expr, values: Values) -> Any:
    match node:
        case ast.Constant(value=number):
            return float(number)  # type: ignore[arg-type]
        case ast.Name(id=name):
            return values[name]
        case ast.UnaryOp(op=op, operand=inner):
            found = _value(inner, values)
            return np.negative(found) if isinstance(op, ast.USub) else found
        case ast.BinOp(left=left, op=op, right=right):
            return _OPERATORS[type(op)][0](_value(left, values), _value(right, values))
        case ast.Call(func=ast.Name(id=name), args=[first, second]):
            return _FUNCTIONS[name](_value(first, values), _value(second, values))
    raise AssertionError("checked when it was read")


def _sheet(node: ast.expr, cell: Callable[[str], str]) -> str:
    match node:
        case ast.Constant(value=number):
            return repr(number)
        case ast.Name(id=name):
            return cell(name)
        case ast.UnaryOp(op=op, operand=inner):
            # a spreadsheet binds the sign tighter than the power, Python does not
            return f"(0-{_sheet(inner, cell)})" if isinstance(op, ast.USub) else _sheet(inner, cell)
        case ast.BinOp(left=left, op=op, right=right):
            return f"({_sheet(left, cell)}{_OPERATORS[type(op)][1]}{_sheet(right, cell)})"
        case ast.Call(func=ast.Name(id=name), args=[first, second]):
            return f"{name.upper()}({_sheet(first, cell)},{_sheet(second, cell)})"
    raise AssertionError("checked when it was read")
