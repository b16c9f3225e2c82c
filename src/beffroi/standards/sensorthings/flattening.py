"""Make entities, with what is expanded in them, flat: rows of a table and features of a map.

The name of a place is its path: `unitOfMeasurement/symbol`, `Datastream/Thing/name`, `Observations/0/result`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.standards.sensorthings.entities import Entity, Navigation, Property, entity_called
from beffroi.standards.sensorthings.parse import misread
from beffroi.standards.sensorthings.render import chosen
from beffroi.standards.sensorthings.syntax import Expanded, Name, Options

__all__ = ["Column", "columns_of", "flat", "geometry_in", "spelled_out", "widened"]


class Column(msgspec.Struct, frozen=True):
    """A column of a table: its name, and the steps that lead to its value in an entity as it is shown."""

    name: str
    steps: tuple[str | int, ...]


def spelled_out(entity: Entity, options: Options) -> Options:
    """Return the options with everything that is shown selected by name, relations not expanded left out."""
    names = options.select
    if not names or any(name.steps == ("*",) for name in names):
        names = (Name(("id",)), *(Name((p.name,)) for p in entity.properties))
    names = tuple(
        n for n in names if entity.navigation(str(n.steps[0])) is None and n.steps[0] != "@iot.selfLink"
    )
    expand = tuple(
        msgspec.structs.replace(part, options=spelled_out(entity_called(hop.target), part.options))
        for part in options.expand
        if (hop := _hop(entity, part))
    )
    # nothing at all selected would mean everything
    return msgspec.structs.replace(options, select=names or (Name(("@iot.selfLink",)),), expand=expand)


def widened(options: Options) -> Options:
    """Return the options with whole properties selected instead of places in them: a table looks for those itself."""
    select = tuple(dict.fromkeys(Name(name.steps[:1], 0) for name in options.select))
    expand = tuple(msgspec.structs.replace(p, options=widened(p.options)) for p in options.expand)
    return msgspec.structs.replace(options, select=select, expand=expand)


def _hop(entity: Entity, part: Expanded) -> Navigation:
    hop = entity.navigation(part.name)
    if hop is None:
        names = ", ".join(n.name for n in entity.navigations)
        raise misread("$expand", part.at, part.name[:40].replace("{", "("),
                      Text(f"{entity.name} mène à : {names}.", f"{entity.name} leads to: {names}."))  # fmt: skip
    return hop


# --- tables
def columns_of(
    entity: Entity, options: Options, path: str = "", steps: tuple[str | int, ...] = ()
) -> list[Column]:
    """Return the columns of a table of `spelled_out` options, known before any row.

    Raises `Problem` for a relation to several that may show more than one: a row has no place for them.
    """
    chosen(entity, options.select)
    found: list[Column] = []
    for name in options.select:
        found.extend(_columns(entity, name, path, steps))
    for part in options.expand:
        hop = _hop(entity, part)
        if hop.many and part.options.top != 1:
            raise Problem(
                Text(f"Un tableau ne montre qu'un de plusieurs {part.name}.", f"A table shows only one of several {part.name}."),
                Text(f"Écrivez {part.name}($top=1;…), ou demandez {part.name} et ce dont ils dépendent.",
                     f"Write {part.name}($top=1;…), or ask for {part.name} and what they belong to."),
                f"$expand:{part.at + 1}",
            )  # fmt: skip
        inner = (*steps, part.name, 0) if hop.many else (*steps, part.name)
        found.extend(columns_of(entity_called(hop.target), part.options, f"{path}{part.name}/", inner))
    return list(dict.fromkeys(found))


def _columns(entity: Entity, name: Name, path: str, steps: tuple[str | int, ...]) -> list[Column]:
    first = str(name.steps[0])
    if first in ("id", "@iot.id"):
        return [Column(f"{path}id", (*steps, "@iot.id"))]
    found = entity.property(first)
    if found is None:
        return []
    if found.parts and len(name.steps) == 1:
        return [_part(found, part, path, steps) for part in found.parts]
    written = "".join(f"[{s}]" if isinstance(s, int) else f"/{s}" for s in name.steps)[1:]
    return [Column(path + written, (*steps, *name.steps))]


def _part(whole: Property, part: Property, path: str, steps: tuple[str | int, ...]) -> Column:
    return Column(f"{path}{whole.name}/{part.name}", (*steps, whole.name, part.name))


# --- features
def flat(entity: Entity, shown: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield path and value of everything that an entity shows, geometries and links excepted."""
    for name, value in shown.items():
        hop = entity.navigation(name)
        found = entity.property(name)
        if name == "@iot.id":
            yield f"{path}id", value
        elif hop is not None and isinstance(value, list):
            for i, one in enumerate(value):
                yield from flat(entity_called(hop.target), one, f"{path}{name}/{i}/")
        elif hop is not None:
            yield from flat(entity_called(hop.target), value, f"{path}{name}/")
        elif found is not None and found.kind != "geometry":
            yield from _leaves(value, f"{path}{name}")
        elif name.endswith("@iot.count"):
            yield f"{path}{name}", value


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield the parts of a JSON object by their paths; lists of plain values stay lists."""
    if isinstance(value, msgspec.Raw):
        if bytes(value)[:1] not in (b"{", b"["):
            yield path, value
            return
        value = msgspec.json.decode(value)
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}/{name}")
    elif isinstance(value, list) and any(isinstance(one, dict | list) for one in value):
        for i, inner in enumerate(value):
            yield from _leaves(inner, f"{path}/{i}")
    else:
        yield path, value


def geometry_in(entity: Entity, shown: Mapping[str, Any]) -> Any:
    """Return the first geometry that an entity, or what is expanded in it, shows: GeoJSON, or None."""
    for found in entity.properties:
        if found.kind == "geometry" and shown.get(found.name) is not None:
            known = _geometry(shown[found.name])
            if known is not None:
                return known
    for hop in entity.navigations:
        inner = shown.get(hop.name)
        for one in inner if isinstance(inner, list) else [inner] if inner else []:
            known = geometry_in(entity_called(hop.target), one)
            if known is not None:
                return known
    return None


_GEOMETRIES = (
    "Point",
    "LineString",
    "Polygon",
    "MultiPoint",
    "MultiLineString",
    "MultiPolygon",
    "GeometryCollection",
)


def _geometry(value: Any) -> Any:
    plain = msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value
    if isinstance(plain, dict) and plain.get("type") == "Feature":
        return _geometry(plain.get("geometry"))
    known = isinstance(plain, dict) and plain.get("type") in _GEOMETRIES
    return value if known else None
