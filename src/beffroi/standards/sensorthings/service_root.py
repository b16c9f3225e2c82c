"""The service root (18-088 §9.2.1): the entity sets, and the requirements that this server declares (each one tested)."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from beffroi.standards.sensorthings.entities import ENTITIES, TASKING

__all__ = ["CONFORMANCE", "ENDPOINTS", "MQTT", "service_root"]

_REQ = "http://www.opengis.net/spec/iot_sensing/1.1/req"
_TASKING = "http://www.opengis.net/spec/iot_tasking/1.0/req"
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
    "https://github.com/INSIDE-information-systems/SensorThingsAPI/blob/master/CSV-ResultFormat/CSV-ResultFormat.md",
    *(
        f"https://fraunhoferiosb.github.io/FROST-Server/extensions/{name}.html"
        for name in (
            "GeoJSON-ResultFormat", "DeepSelect", "SelectDistinct", "FilteredDelete", "JsonBatchRequest", "ResponseMetadata", "OpenAPI",
        )
    ),
    *(f"{_TASKING}/{name}/{part}" for name in ("tasking-capability", "task", "actuator") for part in ("properties", "relations")),
    f"{_TASKING}/create-tasks/task-creation",
)  # fmt: skip


ENDPOINTS = (
    "mqtt.endpoints"  # the setting that says where MQTT is served; "" as a host is the one of the pages
)
MQTT: tuple[str, ...] = (
    f"{_REQ}/create-observations-via-mqtt/observations-creation",
    f"{_REQ}/receive-updates-via-mqtt/receive-updates",
    f"{_TASKING}/create-tasks-via-mqtt/task-creation",
    f"{_TASKING}/receive-updates-via-mqtt/receive-updates",
)


def service_root(base: str, mqtt: Sequence[str] = ()) -> dict[str, Any]:
    """Return the document of the service root at `base` (no final slash); `mqtt` is where MQTT is served, if it is."""
    # OGC's suite refuses a root with sets that Part 1 does not have: those of Part 2 are told beside
    sets = [{"name": e.set_name, "url": f"{base}/{e.set_name}"} for e in ENTITIES if e.name not in TASKING]
    tasking = [{"name": e.set_name, "url": f"{base}/{e.set_name}"} for e in ENTITIES if e.name in TASKING]
    if not mqtt:
        return {"value": sets, "serverSettings": {"conformance": list(CONFORMANCE), "tasking": tasking}}
    host = urlsplit(base).hostname or "localhost"
    endpoints = [one.replace("://:", f"://[{host}]:" if ":" in host else f"://{host}:") for one in mqtt]
    told: dict[str, Any] = {name: {"endpoints": endpoints} for name in MQTT}
    return {
        "value": sets,
        "serverSettings": {"conformance": [*CONFORMANCE, *MQTT], "tasking": tasking, **told},
    }
