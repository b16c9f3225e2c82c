"""Write entities as JSON (18-088 §9.1): properties as they were received, links, control information."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from beffroi.model.instant import DAY_US, SECOND_US, format_instant, format_interval
from beffroi.model.observation import Observation
from beffroi.model.text import Text
from beffroi.standards.sensorthings.bind import bind_path
from beffroi.standards.sensorthings.entities import Entity, Property
from beffroi.standards.sensorthings.parse import misread
from beffroi.standards.sensorthings.syntax import Name
from beffroi.store.observations import Stat

__all__ = [
    "Chosen",
    "chosen",
    "encode",
    "entity_json",
    "observation_json",
    "observation_raw",
    "observation_row",
    "observation_values",
    "raw",
    "value_json",
]

encode = msgspec.json.encode


class Chosen(msgspec.Struct, frozen=True):
    """What `$select` keeps: `names` None is all; `deep` are places inside JSON properties."""

    names: frozenset[str] | None = None
    deep: dict[str, tuple[tuple[str | int, ...], ...]] = {}

    def has(self, name: str) -> bool:
        """True when `name` is shown."""
        return self.names is None or name in self.names


def chosen(entity: Entity, select: Sequence[Name]) -> Chosen:
    """Return what a `$select` keeps of `entity`. Raises `Problem` for an unknown name."""
    if not select or any(name.steps == ("*",) for name in select):
        return Chosen()
    names: set[str] = set()
    deep: dict[str, list[tuple[str | int, ...]]] = {}
    whole: set[str] = set()
    for name in select:
        first = str(name.steps[0])
        if first in ("id", "@iot.id"):
            names.add("@iot.id")
        elif first == "@iot.selfLink" or (entity.navigation(first) and len(name.steps) == 1):
            names.add(first)
        else:
            bound = bind_path(entity, name, "$select")
            if bound.hops:
                raise misread(
                    "$select",
                    name.at,
                    first,
                    Text("Mettez ce $select dans $expand.", "Put that $select inside $expand."),
                )
            names.add(first)
            if len(name.steps) == 1:
                whole.add(first)
            deep.setdefault(first, []).append(name.steps[1:])
    inner = {name: tuple(paths) for name, paths in deep.items() if name not in whole}
    return Chosen(frozenset(names), inner)


def raw(text: str) -> msgspec.Raw:
    """Return stored JSON to be written as it is; a text that is none is written as a JSON text."""
    start = text[:1]
    if start in '{["' or text in ("true", "false", "null") or _numeric(text):
        return msgspec.Raw(text.encode())
    return msgspec.Raw(encode(text))


def _numeric(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError:
        return False
    return True


def value_json(found: Property, row: Mapping[str, Any], stats: Mapping[int, Stat]) -> Any:
    """Return what is written for a property of a catalogue row; None: nothing to show."""
    if found.derived:
        known = stats.get(row["id"])
        if known is None or known.first_us is None or known.last_us is None:
            return None
        return f"{_stamp(known.first_us)}/{_stamp(known.last_us)}"
    if found.parts:
        return {part.name: row[part.columns[0]] for part in found.parts}
    value = row[found.columns[0]]
    if value is None or found.kind == "text":
        return value
    return _stamp(value) if found.kind == "instant" else raw(value)


def entity_json(
    entity: Entity, row: Mapping[str, Any], base: str, keep: Chosen, stats: Mapping[int, Stat]
) -> dict[str, Any]:
    """Return a catalogue entity as it is shown, relations as links."""
    link = f"{base}/{entity.set_name}({row['id']})"
    shown = _control(row["id"], link, keep)
    for found in entity.properties:
        if keep.has(found.name):
            value = value_json(found, row, stats)
            if value is not None:
                shown[found.name] = _deep(value, keep.deep[found.name]) if found.name in keep.deep else value
    return _links(entity, link, keep, shown)


def _control(entity_id: int, link: str, keep: Chosen) -> dict[str, Any]:
    if keep.names is None:
        return {"@iot.id": entity_id, "@iot.selfLink": link}
    shown: dict[str, Any] = {"@iot.id": entity_id} if "@iot.id" in keep.names else {}
    if "@iot.selfLink" in keep.names:
        shown["@iot.selfLink"] = link
    return shown


def _links(entity: Entity, link: str, keep: Chosen, shown: dict[str, Any]) -> dict[str, Any]:
    for hop in entity.navigations:
        if keep.has(hop.name):
            shown[f"{hop.name}@iot.navigationLink"] = f"{link}/{hop.name}"
    return shown


def _deep(value: Any, paths: Sequence[tuple[str | int, ...]]) -> Any:
    """Return what `paths` choose of a JSON value, in the nesting that it has; a list keeps what is chosen of it."""
    whole = msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value
    kept: dict[Any, Any] = {}
    for path in paths:
        found, here = whole, kept
        for i, step in enumerate(path):
            if isinstance(step, int):
                if not isinstance(found, list) or step >= len(found):
                    break
            elif not isinstance(found, dict) or step not in found:
                break
            found = found[step]
            if i == len(path) - 1:
                here[step] = found
            else:
                here = here.setdefault(step, {})
    return _listed(kept)


def _listed(kept: Any) -> Any:
    """Return nested choices with those of a list, which are numbered, made a list."""
    if not isinstance(kept, dict):
        return kept
    if kept and all(isinstance(step, int) for step in kept):
        return [_listed(kept[step]) for step in sorted(kept)]
    return {step: _listed(inner) for step, inner in kept.items()}


def observation_json(found: Observation, base: str, keep: Chosen, *, multi: bool = False) -> dict[str, Any]:
    """Return an observation as it is shown, its digits as they were received."""
    link = f"{base}/Observations({found.id})"
    shown = _control(found.id, link, keep)
    values = observation_values(found)
    for name, value in values.items():
        if keep.has(name):
            shown[name] = _deep(value, keep.deep[name]) if name in keep.deep else value
    for name in _MULTI_LINKS if multi else _OBSERVATION_LINKS:
        if keep.has(name):
            shown[f"{name}@iot.navigationLink"] = f"{link}/{name}"
    return shown


_OBSERVATION_LINKS = ("Datastream", "FeatureOfInterest")
_MULTI_LINKS = ("MultiDatastream", "FeatureOfInterest")


_MINUTES = [f"T{m // 60:02d}:{m % 60:02d}:" for m in range(1440)]
_SECONDS = [f"{n:02d}" for n in range(60)]


@functools.lru_cache(maxsize=4096)
def _date(day: int) -> str:
    return format_instant(day * DAY_US)[:10]


def _stamp(instant_us: int) -> str:
    """Return `format_instant`, faster for the many instants of few days that a page holds."""
    day, rest = divmod(instant_us, DAY_US)
    seconds, fraction = divmod(rest, SECOND_US)
    if fraction:
        return format_instant(instant_us)
    minute, second = divmod(seconds, 60)
    return f"{_date(day)}{_MINUTES[minute]}{_SECONDS[second]}Z"


def observation_raw(found: Observation, base: str, *, multi: bool = False) -> msgspec.Raw:
    """Return what `observation_json` gives with everything shown, written already: the shape of most answers."""
    link = f"{base}/Observations({found.id})"
    time = _stamp(found.start_us) if found.end_us is None else format_interval(found.start_us, found.end_us)
    made = "null" if found.result_time_us is None else f'"{_stamp(found.result_time_us)}"'
    extra = "" if found.extra is None else _members(found.extra)
    series = "MultiDatastream" if multi else "Datastream"
    return msgspec.Raw(
        f'{{"@iot.id":{found.id},"@iot.selfLink":"{link}","phenomenonTime":"{time}","result":{found.result.json()},'
        f'"resultTime":{made},{extra}"{series}@iot.navigationLink":"{link}/{series}",'
        f'"FeatureOfInterest@iot.navigationLink":"{link}/FeatureOfInterest"}}'
    )


def observation_row(found: Observation) -> msgspec.Raw:
    """Return an observation without extras as a written row: id, phenomenonTime, result, resultTime."""
    time = _stamp(found.start_us) if found.end_us is None else format_interval(found.start_us, found.end_us)
    made = "null" if found.result_time_us is None else f'"{_stamp(found.result_time_us)}"'
    return msgspec.Raw(f'[{found.id},"{time}",{found.result.json()},{made}]')


def _members(extra: str) -> str:
    inner = extra.strip()[1:-1]
    return inner + "," if inner.strip() else ""


def observation_values(found: Observation) -> dict[str, Any]:
    """Return the properties of an observation by name, ready to be written."""
    values: dict[str, Any] = {
        "phenomenonTime": _stamp(found.start_us)
        if found.end_us is None
        else format_interval(found.start_us, found.end_us),
        "result": msgspec.Raw(found.result.json().encode()),
        "resultTime": None if found.result_time_us is None else _stamp(found.result_time_us),
    }
    if found.extra is not None:
        values.update(msgspec.json.decode(found.extra, type=dict[str, msgspec.Raw]))
    return values
