"""The nouns of GeoReport written as XML and as JSON.

XML and JSON hold the same tree: a list is an element around elements of one name (`_ITEMS`), a text that is
not known is an empty element or `null`, a boolean is `true` or `false`.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any
from xml.sax.saxutils import escape

import msgspec

from beffroi.standards.open311.nouns import (
    Discovery,
    Fault,
    RequestUpdate,
    Service,
    ServiceDefinition,
    ServiceRequest,
)

__all__ = [
    "FORMATS",
    "definition",
    "discovery",
    "faults",
    "requests",
    "services",
    "submitted",
    "updates",
    "write",
]

FORMATS = ("xml", "json")
_ITEMS = {
    "services": "service", "attributes": "attribute", "values": "value", "service_requests": "request",
    "notes": "note", "endpoints": "endpoint", "formats": "format", "errors": "error",
    "service_request_updates": "request_update",
}  # fmt: skip
_EXTENSIONS = ("attributes", "extended_attributes", "notes")
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.\-]")
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
Document = tuple[str, Any]
"""A root element's name, and the tree of what it holds."""


def services(found: Sequence[Service]) -> Document:
    """Return the document of GET services."""
    return "services", [{**msgspec.to_builtins(s), "keywords": ",".join(s.keywords)} for s in found]


def definition(found: ServiceDefinition) -> Document:
    """Return the document of GET services/CODE."""
    return "service_definition", msgspec.to_builtins(found)


def requests(found: Sequence[ServiceRequest], *, extensions: bool = False) -> Document:
    """Return the document of GET requests."""
    rows = [msgspec.to_builtins(r) for r in found]
    if not extensions:
        rows = [{k: v for k, v in row.items() if k not in _EXTENSIONS} for row in rows]
    return "service_requests", rows


def submitted(rows: Sequence[dict[str, Any]]) -> Document:
    """Return the document of POST requests and of GET tokens: ids, tokens, notices."""
    return "service_requests", list(rows)


def updates(found: Sequence[RequestUpdate] | Sequence[dict[str, Any]]) -> Document:
    """Return the document of servicerequestupdates, read or just posted."""
    return "service_request_updates", msgspec.to_builtins(list(found))


def discovery(found: Discovery) -> Document:
    """Return the document of service discovery."""
    return "discovery", msgspec.to_builtins(found)


def faults(found: Sequence[Fault]) -> Document:
    """Return the document of what went wrong."""
    return "errors", msgspec.to_builtins(list(found))


def write(document: Document, form: str) -> bytes:
    """Return a document in `form` (xml or json)."""
    return _WRITERS[form](document)


def _json(document: Document) -> bytes:
    return msgspec.json.encode(document[1])


def _xml(document: Document) -> bytes:
    name, tree = document
    parts: list[str] = ['<?xml version="1.0" encoding="utf-8"?>\n']
    _element(parts, name, tree)
    return "".join(parts).encode()


def _element(parts: list[str], name: str, value: Any) -> None:
    if value is None or value in ("", [], {}, ()):
        parts.append(f"<{name}/>")
        return
    parts.append(f"<{name}>")
    if isinstance(value, dict):
        for key, inner in value.items():
            _element(parts, _name(key), inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _element(parts, _ITEMS.get(name, "item"), inner)
    elif isinstance(value, bool):
        parts.append("true" if value else "false")
    elif isinstance(value, float):
        parts.append(repr(value))
    else:
        parts.append(escape(_NOT_IN_XML.sub("�", str(value))))
    parts.append(f"</{name}>")


def _name(key: str) -> str:
    """Return a key as an element's name: a question may be called anything."""
    name = _NOT_IN_A_NAME.sub("_", key)
    return name if name[:1].isalpha() or name[:1] == "_" else f"_{name}"


_WRITERS: dict[str, Callable[[Document], bytes]] = {"xml": _xml, "json": _json}
