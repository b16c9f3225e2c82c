"""Texts in both languages: each `Text(fr, en)`, `field(fr, en)` and `choice(value, fr, en)` says both or nothing."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

# the positions of the French and the English text among a call's arguments
CALLS = {"Text": (0, 1), "field": (0, 1), "choice": (1, 2)}
PLACE = re.compile(r"(?<!\{)\{(\w*)[^{}]*\}(?!\})")


def constant(call: ast.Call, position: int, keyword: str) -> str | None:
    """Return the literal text given at `position` or as `keyword`, None when it is computed."""
    node: ast.expr | None = call.args[position] if position < len(call.args) else None
    node = next((k.value for k in call.keywords if k.arg == keyword), node)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def pairs(tree: ast.AST) -> Iterator[tuple[int, str, str]]:
    """Yield the line, the French and the English of every literal pair in `tree`."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in CALLS:
            continue
        first, second = CALLS[node.func.id]
        french, english = constant(node, first, "fr"), constant(node, second, "en")
        if french is not None and english is not None:
            yield node.lineno, french, english


def fault_of(french: str, english: str) -> str | None:
    """Return what is wrong with a pair, if anything."""
    if bool(french.strip()) != bool(english.strip()):
        return f"only one language is given: {french or english!r}"
    if sorted(set(PLACE.findall(french))) != sorted(set(PLACE.findall(english))):
        return f"the {{places}} differ: {french!r} / {english!r}"
    return None


def faults(root: Path) -> list[str]:
    """Return every text of the sources that one language lacks."""
    found = []
    for path in sorted((root / "src").rglob("*.py")):
        for line, french, english in pairs(ast.parse(path.read_text("utf-8"))):
            fault = fault_of(french, english)
            if fault:
                found.append(f"{path.relative_to(root)}:{line}: {fault}")
    return found
