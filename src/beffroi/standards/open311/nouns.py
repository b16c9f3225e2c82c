"""The nouns of GeoReport v2, as they travel: times are W3C texts kept as they were written, degrees are WGS 84."""

from typing import Any

import msgspec

__all__ = [
    "Attribute", "Discovery", "Endpoint", "Fault", "Note", "RequestUpdate", "Service", "ServiceDefinition",
    "ServiceRequest", "Value",
]  # fmt: skip


class Service(msgspec.Struct, frozen=True):
    """One kind of request that a town takes. `metadata`: it has a definition with questions."""

    service_code: str
    service_name: str
    description: str = ""
    metadata: bool = False
    type: str = "realtime"  # realtime, batch (a token first), blackbox (neither)
    keywords: tuple[str, ...] = ()
    group: str = ""


class Value(msgspec.Struct, frozen=True):
    """One answer that a list allows."""

    key: str
    name: str


class Attribute(msgspec.Struct, frozen=True):
    """One question of a service. `variable` False: a text to show, not to answer."""

    code: str
    description: str
    datatype: str = "string"  # string, number, datetime, text, singlevaluelist, multivaluelist
    required: bool = False
    variable: bool = True
    datatype_description: str = ""
    order: int = 0
    values: tuple[Value, ...] = ()


class ServiceDefinition(msgspec.Struct, frozen=True):
    """The questions of one service."""

    service_code: str
    attributes: tuple[Attribute, ...] = ()


class Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event of a request's life (`extensions=true`)."""

    datetime: str
    summary: str
    description: str | None = None
    type: str | None = None
    extended_attributes: dict[str, Any] | None = None


class ServiceRequest(msgspec.Struct, frozen=True):
    """One request. What is not known is None; the last three travel only with `extensions=true`."""

    service_request_id: str
    status: str  # open or closed, nothing finer: the rest is in status_notes
    status_notes: str | None = None
    service_name: str | None = None
    service_code: str | None = None
    description: str | None = None
    agency_responsible: str | None = None
    service_notice: str | None = None
    requested_datetime: str | None = None
    updated_datetime: str | None = None
    expected_datetime: str | None = None
    address: str | None = None
    address_id: str | None = None
    zipcode: str | None = None
    lat: float | None = None
    long: float | None = None
    media_url: str | None = None
    attributes: dict[str, Any] = {}
    extended_attributes: dict[str, Any] = {}
    notes: tuple[Note, ...] = ()


class RequestUpdate(msgspec.Struct, frozen=True):
    """One public word on a request, in either direction (servicerequestupdates)."""

    update_id: str
    service_request_id: str
    status: str
    updated_datetime: str
    description: str = ""
    media_url: str | None = None


class Endpoint(msgspec.Struct, frozen=True):
    """One address where GeoReport is spoken."""

    url: str
    changeset: str
    type: str  # production, test
    specification: str = "http://wiki.open311.org/GeoReport_v2"
    formats: tuple[str, ...] = ("text/xml", "application/json")


class Discovery(msgspec.Struct, frozen=True):
    """What service discovery says of a town."""

    changeset: str
    contact: str
    key_service: str
    endpoints: tuple[Endpoint, ...]


class Fault(msgspec.Struct, frozen=True):
    """One error: the HTTP status, and what to mend."""

    code: int
    description: str
