"""Editing: a case's document changed one hypothesis or one line at a time, as the forms of the editor do."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

__all__ = [
    "normal",
    "slug",
    "with_hypothesis",
    "with_line",
    "without_hypothesis",
    "without_line",
]

Document = dict[str, Any]


def slug(title: str, taken: Mapping[str, Any]) -> str:
    """Return a name for a hypothesis from its title, one that is not taken."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:32]
    base = words if words and not words[0].isdigit() else f"h_{words}".rstrip("_")
    name, n = base, 2
    while name in taken or name in {"t", "year", "min", "max", "carbon"}:
        name, n = f"{base}_{n}", n + 1
    return name


def normal(document: Mapping[str, Any]) -> Document:
    """Return the document with its hypotheses by name and its lines as a list, whichever way they were written."""
    hypotheses = document.get("hypotheses") or {}
    if isinstance(hypotheses, list):
        hypotheses = {
            str(h.get("name")): {k: v for k, v in h.items() if k != "name"}
            for h in hypotheses
            if isinstance(h, Mapping)
        }
    lines = document.get("lines") or []
    return {
        **document, "hypotheses": dict(hypotheses), "lines": list(lines.values() if isinstance(lines, Mapping) else lines),
    }  # fmt: skip


def with_hypothesis(document: Mapping[str, Any], name: str, values: Mapping[str, Any]) -> Document:
    """Return the document with one hypothesis written (its members that are None are left out)."""
    found = normal(document)
    kept = {k: v for k, v in values.items() if v is not None and v != ""}
    return {**found, "hypotheses": {**found["hypotheses"], name: kept}}


def without_hypothesis(document: Mapping[str, Any], name: str) -> Document:
    """Return the document without one hypothesis."""
    found = normal(document)
    return {**found, "hypotheses": {k: v for k, v in found["hypotheses"].items() if k != name}}


def with_line(document: Mapping[str, Any], place: int | None, values: Mapping[str, Any]) -> Document:
    """Return the document with one line written at its place, or at the end (None)."""
    found = normal(document)
    lines = list(found["lines"])
    kept = {k: v for k, v in values.items() if v is not None and v != ""}
    if place is None:
        lines.append(kept)
    else:
        lines[place] = kept
    return {**found, "lines": lines}


def without_line(document: Mapping[str, Any], place: int) -> Document:
    """Return the document without one line."""
    found = normal(document)
    return {**found, "lines": [line for n, line in enumerate(found["lines"]) if n != place]}
