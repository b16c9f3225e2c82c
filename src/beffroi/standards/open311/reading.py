"""What other GeoReport servers answer, in XML and in JSON, as they really write it.

Met in the field: numbers as text, `"true"`, empty elements for what is not known, one item where a list is
due, members missing, lists under a name or bare, several roots. A row that has no id or status is a reject.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree import ElementTree as ET

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.standards.open311.nouns import (
    Attribute,
    Fault,
    Note,
    RequestUpdate,
    Service,
    ServiceDefinition,
    ServiceRequest,
    Value,
)

__all__ = [
    "read_definition",
    "read_faults",
    "read_requests",
    "read_services",
    "read_updates",
    "request_of",
    "tree_of",
]

_LISTS = {"services", "service_requests", "attributes", "values", "errors", "notes", "service_request_updates",
          "service_requests_updates", "requests"}  # fmt: skip
_TEXTS = tuple(
    f.name for f in msgspec.structs.fields(ServiceRequest)
    if f.name not in ("lat", "long", "attributes", "extended_attributes", "notes", "status", "service_request_id")
)  # fmt: skip


def tree_of(body: bytes) -> Any:
    """Return the tree of a body, XML or JSON by its first character. Raises `Problem` with the place."""
    start = body.lstrip()[:1]
    return _xml_tree(body) if start == b"<" else _json_tree(body)


def _json_tree(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _unreadable(str(error)) from error


def _xml_tree(body: bytes) -> Any:
    if b"<!doctype" in body[:4096].lower() or b"<!entity" in body.lower():
        raise _unreadable("DTD")
    try:
        root = ET.fromstring(body)  # noqa: S314 -- no DTD passes the line above, and expat bounds what is left
    except (ET.ParseError, ValueError, LookupError) as error:
        raise _unreadable(str(error)) from error
    return _value(root)


def _unreadable(why: str) -> Problem:
    return Problem(
        Text(f"Cette réponse n'est ni du XML ni du JSON lisible ({why[:120]}).", f"This answer is neither readable XML nor JSON ({why[:120]})."),
        Text("Vérifiez l'adresse : elle doit finir par la racine GeoReport v2.", "Check the address: it must be the GeoReport v2 root."),
    )  # fmt: skip


def _value(element: ET.Element) -> Any:
    name = element.tag.rpartition("}")[2]
    children = list(element)
    if name in _LISTS:
        return [_value(child) for child in children]
    if not children:
        text = (element.text or "").strip()
        return text or None
    return {child.tag.rpartition("}")[2]: _value(child) for child in children}


def _rows(tree: Any, *names: str) -> list[Mapping[str, Any]]:
    """Return the items of a document: a bare list, a list under a name, or one item alone."""
    if isinstance(tree, Mapping):
        held = next((tree[n] for n in names if n in tree), tree)
        tree = held if isinstance(held, list) else [held]
    if not isinstance(tree, list):
        return []
    return [row for row in tree if isinstance(row, Mapping)]


def _text(row: Mapping[str, Any], name: str) -> str | None:
    value = row.get(name)
    if value is None or value == "" or isinstance(value, Mapping | list):
        return None
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _truth(row: Mapping[str, Any], name: str) -> bool:
    return str(row.get(name, "")).strip().lower() in ("true", "1", "yes")


def _number(row: Mapping[str, Any], name: str) -> float | None:
    value = row.get(name)
    if isinstance(value, bool) or value in (None, ""):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _degrees(row: Mapping[str, Any], name: str, most: int) -> float | None:
    number = _number(row, name)
    return number if number is not None and abs(number) <= most else None


def _dict(row: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = row.get(name)
    return dict(value) if isinstance(value, Mapping) else {}


def read_services(body: bytes) -> list[Service]:
    """Return the services of an answer to GET services; what has no code is left out."""
    found = []
    for row in _rows(tree_of(body), "services"):
        code = _text(row, "service_code")
        if code is None:
            continue
        words = (_text(row, "keywords") or "").split(",")
        found.append(Service(
            code, _text(row, "service_name") or code, _text(row, "description") or "", _truth(row, "metadata"),
            _text(row, "type") or "realtime", tuple(w.strip() for w in words if w.strip()), _text(row, "group") or "",
        ))  # fmt: skip
    return found


def read_definition(body: bytes) -> ServiceDefinition:
    """Return the questions of an answer to GET services/CODE."""
    rows = _rows(tree_of(body), "service_definition")
    row = rows[0] if rows else {}
    attributes = [_attribute(one) for one in _rows(row.get("attributes"), "attribute")]
    return ServiceDefinition(_text(row, "service_code") or "", tuple(a for a in attributes if a.code))


def _attribute(row: Mapping[str, Any]) -> Attribute:
    values = [Value(_text(v, "key") or "", _text(v, "name") or "") for v in _rows(row.get("values"), "value")]
    order = _number(row, "order")
    return Attribute(
        _text(row, "code") or "", _text(row, "description") or "", _text(row, "datatype") or "string",
        _truth(row, "required"), "variable" not in row or _truth(row, "variable"),
        _text(row, "datatype_description") or "", int(order or 0), tuple(values),
    )  # fmt: skip


def request_of(row: Mapping[str, Any]) -> ServiceRequest:
    """Return the request of one item. Raises `Problem` at the member that is missing or wrong."""
    number = _text(row, "service_request_id")
    if number is None:
        raise Problem(Text("Cette demande n'a pas de numéro.", "This request has no number."),
                      Text("Il faut service_request_id.", "It needs service_request_id."), "service_request_id")  # fmt: skip
    status = (_text(row, "status") or "").lower()
    if status not in ("open", "closed"):
        raise Problem(Text("L'état n'est ni open ni closed.", "The status is neither open nor closed."),
                      Text("Écrivez open ou closed.", "Write open or closed."), "status")  # fmt: skip
    return ServiceRequest(
        service_request_id=number, status=status, **{name: _text(row, name) for name in _TEXTS},
        lat=_degrees(row, "lat", 90), long=_degrees(row, "long", 180), attributes=_dict(row, "attributes"),
        extended_attributes=_dict(row, "extended_attributes"),
        notes=tuple(_note(n) for n in _rows(row.get("notes"), "note")),
    )  # fmt: skip


def _note(row: Mapping[str, Any]) -> Note:
    more = row.get("extended_attributes")
    return Note(_text(row, "datetime") or "", _text(row, "summary") or "", _text(row, "description"),
                _text(row, "type"), dict(more) if isinstance(more, Mapping) else None)  # fmt: skip


def read_requests(body: bytes) -> Iterable[ServiceRequest | Problem]:
    """Yield each request of an answer to GET requests, or the problem that it has."""
    for i, row in enumerate(_rows(tree_of(body), "service_requests", "requests")):
        try:
            yield request_of(row)
        except Problem as problem:
            yield problem.at(f"/{i}/")


def read_updates(body: bytes) -> list[RequestUpdate]:
    """Return the updates of an answer to GET servicerequestupdates; what has no id is left out."""
    found = []
    for row in _rows(tree_of(body), "service_request_updates", "service_requests_updates"):
        ids = [_text(row, "update_id"), _text(row, "service_request_id")]
        if ids[0] is None or ids[1] is None:
            continue
        found.append(RequestUpdate(ids[0], ids[1], (_text(row, "status") or "").lower(), _text(row, "updated_datetime") or "",
                                   _text(row, "description") or "", _text(row, "media_url")))  # fmt: skip
    return found


def read_faults(body: bytes) -> list[Fault]:
    """Return what a server says went wrong; nothing when its answer is not of the standard."""
    try:
        rows = _rows(tree_of(body), "errors")
    except Problem:
        return []
    return [
        Fault(int(_number(r, "code") or 0), _text(r, "description") or "") for r in rows if "description" in r
    ]
