"""Read the two halves of an address: the resource path (18-088 §9.2) and the query options (§9.3)."""

import builtins
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, unquote_plus

import msgspec

from beffroi.model.instant import parse_instant
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.standards.sensorthings.entities import BY_NAME, BY_SET, Entity, Navigation, Property
from beffroi.standards.sensorthings.parse import (
    misread,
    parse_expand,
    parse_filter,
    parse_orderby,
    parse_select,
    whole_number,
)
from beffroi.standards.sensorthings.syntax import Options

__all__ = ["Hop", "Resource", "read_options", "read_path"]


class Hop(msgspec.Struct, frozen=True):
    """One step of a path: into an entity set (`by` None at the root) or over a relation; with a key or not."""

    entity: Entity
    by: Navigation | None
    key: int | None = None


class Resource(msgspec.Struct, frozen=True):
    """What a path names: hops to an entity or a set, then perhaps a property, `$value`, `$ref`, `$count` or `Versions`."""

    hops: tuple[Hop, ...] = ()
    property: Property | None = None
    inside: tuple[str, ...] = ()
    suffix: str = ""
    label: str = ""  # of a place inside a property, as the path has it: "result[0]"

    @builtins.property
    def entity(self) -> Entity:
        """The type at the end of the hops."""
        return self.hops[-1].entity

    @builtins.property
    def single(self) -> bool:
        """True when the hops end at one entity."""
        last = self.hops[-1]
        return last.key is not None or (last.by is not None and not last.by.many)


_SEGMENT = re.compile(r"([^()]+)(?:\((.*)\))?\Z", re.DOTALL)
_SUFFIXES = ("$value", "$ref", "$count")
_INDEXED = re.compile(r"(.+?)((?:\[\d{1,8}\])+)\Z")


def _absent(segment: str) -> Problem:
    shown = segment[:60].replace("{", "(").replace("}", ")")
    sets = ", ".join(BY_SET)
    return NotFound(
        Text(f"« {shown} » ne mène nulle part.", f"'{shown}' leads nowhere."),
        Text(f"Les ensembles sont : {sets}.", f"The entity sets are: {sets}."), place=f"path:{shown}",
    )  # fmt: skip


def _key(segment: str, text: str) -> int:
    bare = text.strip()
    if len(bare) > 1 and bare[0] == bare[-1] == "'":
        bare = bare[1:-1]
    if bare.isascii() and bare.isdigit():
        if len(bare) > 16 or int(bare) >= 2**53:
            raise _absent(segment)
        return int(bare)
    if re.fullmatch(r"-\d+|[\w-]+", bare):
        raise _absent(segment)
    raise Problem(
        Text("Cet identifiant n'est pas lisible.", "This id cannot be read."),
        Text("Les identifiants sont des nombres entiers : Things(1).", "Ids are whole numbers: Things(1)."),
        place=f"path:{segment[:60]}",
    )


def _into(entity: Entity | None, single: bool, segment: str) -> Hop | None:
    """Return the hop that a segment makes from `entity` (None: the root), or None when it is no relation."""
    match = _SEGMENT.fullmatch(segment)
    if match is None:
        raise _absent(segment)
    name, key_text = match.groups()
    if entity is None:
        found = BY_SET.get(name)
        if found is None:
            raise _absent(segment)
        return Hop(found, None, None if key_text is None else _key(segment, key_text))
    by = entity.navigation(name) if single else None
    if by is None or (key_text is not None and not by.many):
        return None
    return Hop(BY_NAME[by.target], by, None if key_text is None else _key(segment, key_text))


def read_path(path: str) -> Resource:
    """Return what `path` (after the service root, decoded or not) names; "" is the root itself.

    Raises `NotFound` for what leads nowhere, `Problem` for what cannot be read.
    """
    segments = [s for s in unquote(path).split("/") if s]
    hops: list[Hop] = []
    entity: Entity | None = None
    single = False
    while segments:
        hop = None if segments[0] in _SUFFIXES else _into(entity, single, segments[0])
        if hop is None:
            break
        segments.pop(0)
        hops.append(hop)
        entity, single = hop.entity, hop.key is not None or (hop.by is not None and not hop.by.many)
    if not segments:
        return Resource(tuple(hops))
    if entity is None:
        raise _absent(segments[0])
    return _tail(tuple(hops), segments, single=single)


def _tail(hops: tuple[Hop, ...], segments: list[str], *, single: bool) -> Resource:
    suffix = segments.pop() if segments[-1] in _SUFFIXES or segments == ["Versions"] else ""
    if not segments:
        allowed = ("$ref", "Versions") if single else ("$ref", "$count")
        if suffix not in allowed:
            raise _absent(suffix)
        return Resource(hops, suffix=suffix)
    label = segments[-1]
    segments = [part for segment in segments for part in _indexed(segment)]
    found = _property(hops[-1].entity, segments[0]) if single else None
    if found is None or suffix not in ("", "$value"):
        raise _absent(segments[0])
    inside = tuple(segments[1:])
    if inside and found.kind not in ("json", "result", "geometry"):
        raise _absent(inside[0])
    return Resource(hops, found, inside, suffix, label)


def _indexed(segment: str) -> list[str]:
    """Return `result[0][1]` as the steps result, 0, 1."""
    match = _INDEXED.fullmatch(segment)
    return [segment] if match is None else [match[1], *match[2][1:-1].split("][")]


def _property(entity: Entity, name: str) -> Property | None:
    if name in ("@iot.id", "id"):
        return Property(name, "number", ("id",))
    return entity.property(name)


def _count(option: str, text: str) -> bool:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    raise misread(option, 0, text[:20], Text("Écrivez $count=true.", "Write $count=true."))


_FORMATS = {"dataarray": "dataArray", "geojson": "GeoJSON", "csv": "CSV", "json": "json", "": ""}
_LEVELS = ("full", "minimal", "none", "off")


def _format(option: str, text: str) -> str:
    if text.lower() in _FORMATS:
        return text.lower()
    known = ", ".join(name for name in _FORMATS.values() if name)
    raise misread(option, 0, text[:20], Text(f"Les formats sont : {known}.", f"The formats are: {known}."))


def _level(option: str, text: str) -> str:
    if text.lower() in _LEVELS:
        return text.lower()
    known = ", ".join(_LEVELS)
    raise misread(option, 0, text[:20], Text(f"Les niveaux sont : {known}.", f"The levels are: {known}."))


_DISTINCT = "distinct:"


def _selected(_option: str, text: str) -> Any:
    """Return the paths of a `$select`; those of `distinct:` keep their places in the text."""
    if text[: len(_DISTINCT)].lower() == _DISTINCT:
        return parse_select(" " * len(_DISTINCT) + text[len(_DISTINCT) :])
    return parse_select(text)


def _as_of(option: str, text: str) -> int:
    try:
        return parse_instant(text)
    except Problem as problem:
        raise misread(
            option, 0, text[:40],
            Text("Écrivez $asOf=2026-11-20T10:00:00Z.", "Write $asOf=2026-11-20T10:00:00Z."),
        ) from problem  # fmt: skip


_READERS: dict[str, tuple[str, Callable[[str, str], Any]]] = {
    "$filter": ("filter", lambda _o, text: parse_filter(text)),
    "$orderby": ("orderby", lambda _o, text: parse_orderby(text)),
    "$expand": ("expand", lambda _o, text: parse_expand(text)),
    "$select": ("select", _selected),
    "$top": ("top", whole_number),
    "$skip": ("skip", whole_number),
    "$count": ("count", _count),
    "$skiptoken": ("skiptoken", lambda _o, text: text),
    "$resultformat": ("result_format", _format),
    "$asof": ("as_of", _as_of),
    "$as_of": ("as_of", _as_of),
    "$resultmetadata": ("metadata", _level),
    "$metadata": ("metadata", _level),
}


def read_options(query: str) -> tuple[Options, list[tuple[str, str]]]:
    """Return the options of a raw query string, and their names and texts for the links to other pages.

    Raises `Problem` with option and position. Names without `$` are none of ours and pass.
    """
    values: dict[str, Any] = {}
    texts: list[tuple[str, str]] = []
    for pair in query.split("&"):
        name, _, raw = pair.partition("=")
        name, text = unquote_plus(name), unquote_plus(raw).strip()
        known = _READERS.get(name.lower())
        if known is None:
            if name.startswith("$"):
                raise misread(
                    name[:20], 0, name[:20], Text(f"Les options sont : {', '.join(_READERS)}.", f"The options are: {', '.join(_READERS)}."),
                    Text("Cette option n'existe pas.", "There is no such option."),
                )  # fmt: skip
            continue
        if "\x00" in text:
            raise misread(name, text.index("\x00"), "\\0")
        field, read = known
        if field in values:
            raise misread(name, 0, "", Text("Gardez-en une.", "Keep one of them."),
                          Text("Cette option est donnée deux fois.", "This option is given twice."))  # fmt: skip
        values[field] = read(name, text)
        if field == "select" and text[: len(_DISTINCT)].lower() == _DISTINCT:
            values["distinct"] = True
        texts.append((name, text))
    return Options(**values), texts
