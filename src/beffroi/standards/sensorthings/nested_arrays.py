"""Observations that are expanded, as data arrays: `Datastreams?$expand=Observations&$resultFormat=dataArray`."""

from collections.abc import Mapping
from typing import Any

import msgspec

from beffroi.standards.sensorthings.entities import Entity, entity_called
from beffroi.standards.sensorthings.syntax import Name, Options

__all__ = ["holds_observations", "observations_spelled_out", "with_arrays"]

_COMPONENTS = ("id", "phenomenonTime", "result", "resultTime")


def _hop_target(entity: Entity, name: str) -> Entity | None:
    hop = entity.navigation(name)
    return None if hop is None else entity_called(hop.target)


def holds_observations(entity: Entity, options: Options) -> bool:
    """True when Observations are shown, or expanded at any depth."""
    inner = ((_hop_target(entity, part.name), part.options) for part in options.expand)
    return entity.name == "Observation" or any(
        target is not None and holds_observations(target, its) for target, its in inner
    )


def observations_spelled_out(entity: Entity, options: Options) -> Options:
    """Return the options with what is shown of expanded Observations selected by name."""
    expand = []
    for part in options.expand:
        target = _hop_target(entity, part.name)
        inner = part.options if target is None else observations_spelled_out(target, part.options)
        if target is not None and target.name == "Observation" and not inner.select:
            names = (Name(("id",)), *(Name((p.name,)) for p in target.properties))
            inner = msgspec.structs.replace(inner, select=names)
        expand.append(msgspec.structs.replace(part, options=inner))
    return msgspec.structs.replace(options, expand=tuple(expand))


def with_arrays(entity: Entity, shown: Any) -> Any:
    """Return an entity, or a page, with every list of Observations in it made a data array."""
    if isinstance(shown, dict) and "value" in shown:
        return {**shown, "value": [with_arrays(entity, one) for one in shown["value"]]}
    if not isinstance(shown, dict):
        return shown
    made = dict(shown)
    for hop in entity.navigations:
        inner, target = shown.get(hop.name), entity_called(hop.target)
        if isinstance(inner, list) and target.name == "Observation":
            made[hop.name] = [_array(inner)]
        elif isinstance(inner, list):
            made[hop.name] = [with_arrays(target, one) for one in inner]
        elif inner is not None:
            made[hop.name] = with_arrays(target, inner)
    return made


def _array(found: list[Mapping[str, Any]]) -> dict[str, Any]:
    named = list(dict.fromkeys(name for one in found for name in one if "@" not in name))
    extra = sorted(set(named) - set(_COMPONENTS))
    shown = ["id"] if any("@iot.id" in one for one in found) else []
    components = [*shown, *(name for name in _COMPONENTS if name in named), *extra]
    rows = [[one.get("@iot.id" if name == "id" else name) for name in components] for one in found]
    return {"components": components, "dataArray@iot.count": len(rows), "dataArray": rows}
