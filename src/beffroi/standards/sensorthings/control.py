"""How much control information answers carry (OData JSON 4.01 §3.1; FROST's `$resultMetadata`)."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from beffroi.standards.sensorthings.entities import Entity, entity_called

__all__ = ["level_of", "without_control"]

_ASKED = re.compile(r"odata\.metadata\s*=\s*(none|minimal|full)", re.IGNORECASE)
# How `render.observation_raw` begins and ends.
_FIRST = re.compile(rb'\A(\{"@iot\.id":\d+),"@iot\.selfLink":"[^"]*"')
_LAST = re.compile(rb'(?:,"\w+@iot\.navigationLink":"[^"]*")+\}\Z')


def level_of(accept: str) -> str:
    """Return the level that an Accept header asks for: `application/json;odata.metadata=none`; "" for none."""
    match = _ASKED.search(accept)
    return match[1].lower() if match else ""


def without_control(entity: Entity, shown: Any, level: str) -> Any:
    """Return an entity, or a page of them, without links to itself and to what is related; `off`: without next links.

    Ids and counts stay. What a property holds is never touched.
    """
    if level == "full":
        return shown
    if isinstance(shown, dict) and "value" in shown:
        page = {name: value for name, value in shown.items() if level != "off" or name != "@iot.nextLink"}
        page["value"] = [_bare(entity, one, level) for one in shown["value"]]
        return page
    return _bare(entity, shown, level)


def _bare(entity: Entity, shown: Any, level: str) -> Any:
    if isinstance(shown, msgspec.Raw):
        return msgspec.Raw(_LAST.sub(b"}", _FIRST.sub(rb"\1", bytes(shown))))
    if not isinstance(shown, Mapping):
        return shown
    kept: dict[str, Any] = {}
    for name, value in shown.items():
        if name.endswith(("@iot.selfLink", "@iot.navigationLink")) or (
            level == "off" and name.endswith("@iot.nextLink")
        ):
            continue
        hop = entity.navigation(name)
        if hop is None:
            kept[name] = value
        elif isinstance(value, list):
            kept[name] = [_bare(entity_called(hop.target), one, level) for one in value]
        else:
            kept[name] = _bare(entity_called(hop.target), value, level)
    return kept
