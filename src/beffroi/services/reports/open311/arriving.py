"""Requests of other systems as records of ours: what they said is kept whole in `source_data`."""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from beffroi.model.instant import PARIS, parse_instant
from beffroi.model.problem import Problem
from beffroi.standards.open311.nouns import ServiceRequest
from beffroi.store.record import Entry

__all__ = ["beside", "category_entry", "code_of", "department_entry", "request_entry"]

_CODE = re.compile(r"[A-Za-z0-9_.-]{1,80}\Z")
# What a closing note says, the first that fits; a source that says nothing more was repaired or not, we do not know.
_REASONS: tuple[tuple[str, str], ...] = (
    ("duplicate", "duplicate"), ("doublon", "duplicate"), ("no citation", "not_found"), ("not found", "not_found"),
    ("not responsible", "not_ours"), ("transfer", "not_ours"), ("repaired", "repaired"), ("fixed", "repaired"),
)  # fmt: skip
_CHANNELS = {"phone": "phone", "web": "web", "open311": "open311"}


@lru_cache(4096)
def code_of(code: str | None, name: str | None) -> str:
    """Return the code of a category: the source's own when we can keep it, else one made of its name."""
    if code and _CODE.match(code):
        return code
    plain = unicodedata.normalize("NFKD", code or name or "autre").encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60] or "autre"


def department_entry(name: str, place: str = "") -> Entry:
    """Return a department that a source names."""
    return Entry({"code": code_of(None, name), "name": name}, place=place)


def category_entry(
    code: str, name: str, *, parent: str | None = None, department: str | None = None, place: str = ""
) -> Entry:
    """Return a category that a source names; it is taken in, not offered to citizens until someone says so."""
    values: dict[str, Any] = {"code": code, "name": name, "active": False}
    if parent:
        values["parent"] = parent
    if department:
        values["department"] = department
    return Entry(values, place=place)


def _moment(text: str | None) -> int | None:
    if not text:
        return None
    try:
        return parse_instant(text, PARIS)
    except Problem as problem:
        raise Problem(problem.reason, problem.mend, "datetime") from problem


def _reason(request: ServiceRequest) -> str | None:
    if request.status != "closed":
        return None
    said = " ".join(
        str(w) for w in (request.status_notes, request.extended_attributes.get("closing_reason")) if w
    )
    return next((reason for word, reason in _REASONS if word in said.lower()), None)


def _source_data(request: ServiceRequest) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(request))
    return {name: value for name, value in told.items() if value not in (None, {}, [])}


def request_entry(request: ServiceRequest, source: str, *, number: str = "", place: str = "") -> Entry:
    """Return the record of a request that `source` published. Raises `Problem` at a time that is none."""
    more: Mapping[str, Any] = request.extended_attributes
    point = (
        {"type": "Point", "coordinates": [request.long, request.lat]}
        if request.lat is not None and request.long is not None
        else None
    )
    closed = request.status == "closed"
    requested = _moment(request.requested_datetime)
    values: dict[str, Any] = {
        "number": number or request.service_request_id, "source": source, "source_id": request.service_request_id,
        "category": code_of(request.service_code, request.service_name), "description": request.description,
        "place": request.address, "address": request.address, "channel": _CHANNELS.get(str(more.get("channel", "")), "import"),
        "state": "closed" if closed else "received", "reason": _reason(request),
        "requested": requested, "due": _moment(request.expected_datetime),
        "closed": (_moment(request.updated_datetime) or requested) if closed else None,
        "moderation": "accepted", "shown": True, "source_data": _source_data(request),
    }  # fmt: skip
    if request.agency_responsible:
        values["department"] = code_of(None, request.agency_responsible)
    return Entry({k: v for k, v in values.items() if v is not None}, point, place=place)


def beside(request: ServiceRequest, wanted: str) -> list[Entry]:
    """Return the category or the department that a request names."""
    if wanted == "report_department":
        return [department_entry(request.agency_responsible)] if request.agency_responsible else []
    code = code_of(request.service_code, request.service_name)
    return [category_entry(code, request.service_name or code)]
