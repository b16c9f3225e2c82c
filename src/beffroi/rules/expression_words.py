"""An expression said in words: `state == 'open' and euro_year >= 200` as people would put it, in both languages."""

import ast
from collections.abc import Callable, Sequence

from beffroi.model.text import Text

__all__ = ["Words", "expression_words", "listed"]

Words = Callable[[str, object], Text]
"""Given a name of the expression, and a value or None, returns what people call the name, or that value of it."""

_COMPARED = {
    ast.Eq: Text("est", "is"), ast.NotEq: Text("n'est pas", "is not"), ast.Is: Text("est", "is"), ast.IsNot: Text("n'est pas", "is not"),
    ast.Gt: Text("dépasse", "exceeds"), ast.GtE: Text("atteint", "reaches"), ast.Lt: Text("est sous", "is below"),
    ast.LtE: Text("ne dépasse pas", "does not exceed"),
}  # fmt: skip
_CALCULATED = {ast.Add: "+", ast.Sub: "−", ast.Mult: "×", ast.Div: "÷", ast.Mod: "modulo", ast.Pow: "^"}


def listed(words: Sequence[str], link: str) -> str:
    """Return `words` one after the other: commas, and `link` before the last."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {link} {words[-1]}"


def _joined(parts: Sequence[Text], fr: str, en: str) -> Text:
    return Text(listed([p.fr for p in parts], fr), listed([p.en for p in parts], en))


def expression_words(text: str, words: Words, number: Callable[[float, str], str]) -> Text:
    """Return the expression `text` in words; `number(value, language)` writes the numbers."""
    return _Teller(words, number).said(ast.parse(text.strip(), mode="eval").body)


class _Teller:
    def __init__(self, words: Words, number: Callable[[float, str], str]) -> None:
        self.words, self.number = words, number

    def said(self, node: ast.expr) -> Text:
        """Return what must be true."""
        if isinstance(node, ast.BoolOp):
            both = isinstance(node.op, ast.And)
            parts = [self._inner(part) if both else self.said(part) for part in node.values]
            return _joined(parts, "et" if both else "ou", "and" if both else "or")
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            if isinstance(node.operand, ast.Name):
                return self._put("{} est faux", "{} is false", node.operand)
            said = self._inner(node.operand)
            return Text(f"il est faux que {said.fr}", f"it is false that {said.en}")
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            parts = [self._compared(a, op, b) for a, op, b in zip(sides, node.ops, sides[1:], strict=False)]
            return _joined(parts, "et", "and")
        if isinstance(node, ast.Name):
            return self._put("{} est vrai", "{} is true", node)
        return self._value(node)

    def _inner(self, node: ast.expr) -> Text:
        said = self.said(node)
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
            return Text(f"({said.fr})", f"({said.en})")
        return said

    def _put(self, fr: str, en: str, *nodes: ast.expr) -> Text:
        values = [self._value(node) for node in nodes]
        return Text(fr.format(*(v.fr for v in values)), en.format(*(v.en for v in values)))

    def _compared(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Text:
        name = left.id if isinstance(left, ast.Name) else ""
        if isinstance(right, ast.Constant) and right.value is None:
            empty = isinstance(op, ast.Eq | ast.Is)
            return self._put(
                "{} est vide" if empty else "{} est rempli",
                "{} is empty" if empty else "{} is filled in", left,
            )  # fmt: skip
        said = self._value(left)
        if isinstance(op, ast.In | ast.NotIn):
            return self._among(said, name, right, within=isinstance(op, ast.In))
        verb, value = _COMPARED[type(op)], self._value(right, name)
        return Text(f"{said.fr} {verb.fr} {value.fr}", f"{said.en} {verb.en} {value.en}")

    def _among(self, said: Text, name: str, right: ast.expr, *, within: bool) -> Text:
        if not isinstance(right, ast.List | ast.Tuple) or not right.elts:
            value = self._value(right)
            fr, en = ("figure dans", "is in") if within else ("ne figure pas dans", "is not in")
            return Text(f"{said.fr} {fr} {value.fr}", f"{said.en} {en} {value.en}")
        values = [self._value(one, name) for one in right.elts]
        if within:
            told = _joined(values, "ou", "or")
            return Text(f"{said.fr} est {told.fr}", f"{said.en} is {told.en}")
        fr, en = (" ni ".join(v.fr for v in values), " nor ".join(v.en for v in values))
        return Text(f"{said.fr} n'est ni {fr}", f"{said.en} is neither {en}")

    def _value(self, node: ast.expr, of: str = "") -> Text:
        """Return a value; a constant beside the name `of` is said as one of its choices."""
        if isinstance(node, ast.Constant):
            return self._constant(node.value, of)
        if isinstance(node, ast.Name):
            called = self.words(node.id, None)
            return Text(f"« {called.fr} »", f"'{called.en}'")
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return self._put("−{}", "−{}", node.operand)
        if isinstance(node, ast.BinOp):
            sign, sides = _CALCULATED[type(node.op)], [self._operand(node.left), self._operand(node.right)]
            return Text(f" {sign} ".join(s.fr for s in sides), f" {sign} ".join(s.en for s in sides))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            given = [self._value(a) for a in node.args]
            return Text(f"{node.func.id}({' ; '.join(g.fr for g in given)})",
                        f"{node.func.id}({', '.join(g.en for g in given)})")  # fmt: skip
        if isinstance(node, ast.List | ast.Tuple):
            return _joined([self._value(one, of) for one in node.elts], "et", "and")
        if isinstance(node, ast.IfExp):
            body, test, other = self._value(node.body), self.said(node.test), self._value(node.orelse)
            return Text(
                f"{body.fr} si {test.fr}, sinon {other.fr}", f"{body.en} if {test.en}, else {other.en}"
            )
        return self.said(node)

    def _operand(self, node: ast.expr) -> Text:
        said = self._value(node)
        return Text(f"({said.fr})", f"({said.en})") if isinstance(node, ast.BinOp) else said

    def _constant(self, value: object, of: str) -> Text:
        if isinstance(value, bool):
            return Text("vrai", "true") if value else Text("faux", "false")
        if isinstance(value, int | float):
            return Text(self.number(value, "fr"), self.number(value, "en"))
        called = self.words(of, value) if of else Text(str(value), str(value))
        return Text(f"« {called.fr} »", f"'{called.en}'")
