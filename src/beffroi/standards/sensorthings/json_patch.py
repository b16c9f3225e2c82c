"""JSON Patch (RFC 6902), as SensorThings takes it for an update (18-088 §10.3.4)."""

import copy
from collections.abc import Callable
from typing import Any

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["apply_patch"]


def _refuse(index: int, fr: str, en: str) -> Problem:
    mend = Text('Écrivez [{"op": "replace", "path": "/name", "value": …}].',
                'Write [{"op": "replace", "path": "/name", "value": …}].')  # fmt: skip
    return Problem(Text(fr, en), mend, place=f"/{index}")


def _tokens(pointer: Any, index: int) -> list[str]:
    if not isinstance(pointer, str) or (pointer and not pointer.startswith("/")):
        raise _refuse(index, "Ce chemin n'est pas un pointeur JSON.", "This path is no JSON pointer.")
    return [t.replace("~1", "/").replace("~0", "~") for t in pointer.split("/")[1:]]


def _step(value: Any, token: str, index: int) -> Any:
    if isinstance(value, dict) and token in value:
        return value[token]
    if (
        isinstance(value, list)
        and token.isascii()
        and token.isdigit()
        and len(token) < 9
        and int(token) < len(value)
    ):
        return value[int(token)]
    raise _refuse(index, "Ce chemin n'existe pas.", "This path does not exist.")


def _find(document: Any, tokens: list[str], index: int) -> Any:
    for token in tokens:
        document = _step(document, token, index)
    return document


def _add(document: Any, tokens: list[str], value: Any, index: int) -> Any:
    if not tokens:
        return value
    holder, last = _find(document, tokens[:-1], index), tokens[-1]
    if isinstance(holder, dict):
        holder[last] = value
        return document
    if isinstance(holder, list):
        at = (
            len(holder)
            if last == "-"
            else int(last)
            if last.isascii() and last.isdigit() and len(last) < 9
            else -1
        )
        if 0 <= at <= len(holder):
            holder.insert(at, value)
            return document
    raise _refuse(index, "Ce chemin n'existe pas.", "This path does not exist.")


def _remove(document: Any, tokens: list[str], index: int) -> Any:
    if not tokens:
        raise _refuse(
            index, "L'entité entière ne se retire pas ainsi.", "The whole entity cannot be removed so."
        )
    holder = _find(document, tokens[:-1], index)
    _step(holder, tokens[-1], index)
    holder.pop(tokens[-1] if isinstance(holder, dict) else int(tokens[-1]))
    return document


def _replace(document: Any, tokens: list[str], value: Any, index: int) -> Any:
    _find(document, tokens, index)
    return _add(_remove(document, tokens, index) if tokens else document, tokens, value, index)


def _test(document: Any, tokens: list[str], value: Any, index: int) -> Any:
    if _find(document, tokens, index) != value:
        raise _refuse(index, "La valeur n'est pas celle attendue.", "The value is not the expected one.")
    return document


_WITH_VALUE: dict[str, Callable[[Any, list[str], Any, int], Any]] = {
    "add": _add,
    "replace": _replace,
    "test": _test,
}


def _apply(document: Any, operation: Any, index: int) -> Any:
    if not isinstance(operation, dict):
        raise _refuse(index, "Une opération est un objet.", "An operation is an object.")
    tokens, kind = _tokens(operation.get("path"), index), operation.get("op")
    if kind in _WITH_VALUE:
        if "value" not in operation:
            raise _refuse(index, "La valeur manque.", "The value is missing.")
        return _WITH_VALUE[kind](document, tokens, copy.deepcopy(operation["value"]), index)
    if kind == "remove":
        return _remove(document, tokens, index)
    if kind in ("move", "copy"):
        source = _tokens(operation.get("from"), index)
        value = copy.deepcopy(_find(document, source, index))
        if kind == "move":
            document = _remove(document, source, index)
        return _add(document, tokens, value, index)
    raise _refuse(index, "Cette opération n'existe pas.", "There is no such operation.")


def apply_patch(document: dict[str, Any], patch: Any) -> Any:
    """Return `document` with the operations of `patch` applied, all or none. Raises `Problem` with the operation."""
    if not isinstance(patch, list) or len(patch) > 1_000:
        raise _refuse(0, "Une liste d'opérations est attendue.", "A list of operations is expected.")
    changed: Any = copy.deepcopy(document)
    for index, operation in enumerate(patch):
        changed = _apply(changed, operation, index)
    return changed
