"""YAML that people write (rules, business cases), read with the line of every field, in the plain subset that people write.

No anchors, no tags, no second meaning for `on`, `yes` or `22:00`: a scalar is a number when it looks like
one, `true`/`false`, `null`, or text.
"""

import re
from typing import Any

import yaml

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["read_yaml", "write_yaml"]

MAX_BYTES = 64_000
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}\Z")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]+)?\Z")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}


def _refuse(line: int | None, fr: str, en: str, mend: Text | None = None) -> Problem:
    return Problem(Text(fr, en), mend, "" if line is None else f"line {line}")


def read_yaml(text: str) -> tuple[Any, dict[str, int]]:
    """Return the value of `text` and the line (from 1) of every JSON pointer in it. Raises `Problem`."""
    if len(text) > MAX_BYTES:
        raise _refuse(
            None, "Le texte dépasse 64 000 caractères.", "The text is longer than 64,000 characters."
        )
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if getattr(event, "anchor", None):
                line = event.start_mark.line + 1 if event.start_mark else None
                raise _refuse(line, "Les ancres YAML ne sont pas permises.",
                              "YAML anchors are not allowed.",
                              Text("Recopiez la valeur.", "Write the value again."))  # fmt: skip
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _refuse(mark.line + 1 if mark else None, "Ce n'est pas du YAML lisible.", "This is not readable YAML.",
                      Text("Vérifiez l'alignement et les deux-points de cette ligne.",
                           "Check the alignment and the colons of that line."))from error  # fmt: skip
    except (yaml.YAMLError, RecursionError) as error:
        raise _refuse(None, "Ce n'est pas du YAML lisible.", "This is not readable YAML.") from error
    lines: dict[str, int] = {}
    return (None if node is None else _value(node, "", lines, 0)), lines


def _value(node: yaml.Node, pointer: str, lines: dict[str, int], depth: int) -> Any:
    lines[pointer] = node.start_mark.line + 1
    if depth > 20:
        raise _refuse(lines[pointer], "Le texte est trop imbriqué.", "The text is nested too deeply.")
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, pointer, lines, depth)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, f"{pointer}/{i}", lines, depth + 1) for i, item in enumerate(node.value)]
    return _scalar(node)


def _mapping(node: yaml.MappingNode, pointer: str, lines: dict[str, int], depth: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key, line = str(key_node.value), key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise _refuse(line, "Une clé doit être un mot.", "A key must be a word.")
        if key in values:
            raise _refuse(line, f"« {key} » est écrit deux fois.", f"'{key}' is written twice.",
                          Text("Gardez-en un.", "Keep one of them."))  # fmt: skip
        values[key] = _value(value_node, f"{pointer}/{key}", lines, depth + 1)
        lines[f"{pointer}/{key}"] = line
    return values


def _scalar(node: yaml.Node) -> Any:
    text = str(node.value)
    if getattr(node, "style", None) in ("'", '"', "|", ">"):
        return text
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INTEGER.match(text):
        return int(text)
    return float(text) if _NUMBER.match(text) else text


def write_yaml(value: dict[str, Any]) -> str:
    """Return `value` as the YAML a person would write: keys in their order, accents kept."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100, default_flow_style=False)
