"""The service root (18-088 §9.2.1): the entity sets, and the requirements that this server declares (each one tested)."""

from typing import Any

from beffroi.standards.sensorthings.entities import ENTITIES

__all__ = ["CONFORMANCE", "service_root"]

_REQ = "http://www.opengis.net/spec/iot_sensing/1.1/req"
_MODEL = (
    "thing", "location", "historical-location", "datastream", "sensor", "observed-property", "observation",
    "feature-of-interest",
)  # fmt: skip

CONFORMANCE: tuple[str, ...] = (
    *(f"{_REQ}/datamodel/{name}/{part}" for name in _MODEL for part in ("properties", "relations")),
    f"{_REQ}/datamodel/entity-control-information/common-control-information",
    f"{_REQ}/resource-path/resource-path-to-entities",
    *(
        f"{_REQ}/request-data/{name}"
        for name in (
            "order", "expand", "select", "status-code", "query-status-code", "orderby", "top", "skip", "count", "filter",
            "built-in-filter-operations", "built-in-query-functions", "pagination",
        )
    ),
    *(
        f"{_REQ}/create-update-delete/{name}"
        for name in (
            "create-entity", "link-to-existing-entities", "deep-insert", "deep-insert-status-code", "update-entity",
            "update-entity-put", "update-entity-jsonpatch", "delete-entity", "historical-location-auto-creation",
            "historical-location-manual-creation",
        )
    ),
    f"{_REQ}/batch-request/batch-request",
    *(f"{_REQ}/multi-datastream/{part}" for part in ("properties", "relations", "constraints")),
    f"{_REQ}/data-array/data-array",
    f"{_REQ}/create-observations-via-mqtt/observations-creation",
    f"{_REQ}/receive-updates-via-mqtt/receive-updates",
    "https://github.com/INSIDE-information-systems/SensorThingsAPI/blob/master/CSV-ResultFormat/CSV-ResultFormat.md",
    *(
        f"https://fraunhoferiosb.github.io/FROST-Server/extensions/{name}.html"
        for name in (
            "GeoJSON-ResultFormat", "DeepSelect", "SelectDistinct", "FilteredDelete", "JsonBatchRequest", "ResponseMetadata", "OpenAPI",
        )
    ),
)  # fmt: skip


def service_root(base: str) -> dict[str, Any]:
    """Return the document of the service root at `base` (no final slash)."""
    sets = [{"name": e.set_name, "url": f"{base}/{e.set_name}"} for e in ENTITIES]
    return {"value": sets, "serverSettings": {"conformance": list(CONFORMANCE)}}
