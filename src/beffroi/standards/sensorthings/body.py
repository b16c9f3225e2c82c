"""Read the JSON bodies of entities (18-088 §10): what is to be made, changed or replaced, or where the body is wrong."""

import re
from collections.abc import Callable
from typing import Any

import msgspec

from beffroi.model.instant import parse_instant, parse_interval
from beffroi.model.observation import Draft
from beffroi.model.problem import Problem
from beffroi.model.result import decode_json, encode_exact, result_of
from beffroi.model.text import Text
from beffroi.standards.sensorthings.entities import BY_NAME, Entity, Navigation, Property
from beffroi.standards.sensorthings.functions import geometry_of
from beffroi.store.catalogue import Link, New

__all__ = [
    "Changes",
    "decode",
    "extra_of",
    "from_multi",
    "link_of",
    "observation_changes",
    "read_changes",
    "read_new",
    "reference",
    "value_of",
]

DEEPEST = 60
_LET_PASS = ("resultTime",)  # of a Datastream: computed by some servers, sent back by their clients
_BYTE = re.compile(r"(?:\(byte|position) (\d+)")
_REFERENCE = ("@iot.id", "id")


class Changes(msgspec.Struct):
    """What a PATCH or PUT changes: columns, and associations with the ids that they are to have."""

    values: dict[str, Any] = {}
    linked: dict[Link, list[int]] = {}


def _refuse(fr: str, en: str, place: str, mend_fr: str = "", mend_en: str = "") -> Problem:
    def plain(text: str) -> str:
        return text.replace("{", "(").replace("}", ")")

    return Problem(Text(plain(fr), plain(en)), Text(mend_fr, mend_en), place)


def decode(body: bytes) -> Any:
    """Return the JSON value of a body, digits kept. Raises `Problem` with the position."""
    if body.count(b"{") + body.count(b"[") > DEEPEST:
        _check_depth(body)
    try:
        return decode_json(body)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        known = _BYTE.search(str(error))
        at = int(known[1]) if known else len(body)
        raise _refuse(
            f"Le corps n'est pas du JSON : {error}.", f"The body is not JSON: {error}.", f"byte {at}",
            "Envoyez un objet JSON en UTF-8.", "Send a JSON object in UTF-8.",
        ) from error  # fmt: skip


def _check_depth(body: bytes) -> None:
    depth = 0
    inside = escaped = False
    for byte in body:
        if inside:
            inside = escaped or byte != 0x22
            escaped = byte == 0x5C and not escaped
        elif byte == 0x22:
            inside = True
        elif byte in b"[{":
            depth += 1
            if depth > DEEPEST:
                raise _refuse("Le JSON est trop imbriqué.", "The JSON is too deeply nested.", "")
        elif byte in b"]}":
            depth -= 1


def reference(value: Any) -> int | None:
    """Return the id that a reference such as `{"@iot.id": 5}` names (it may carry more), or None."""
    if not isinstance(value, dict):
        return None
    for key in _REFERENCE:
        found = value.get(key)
        if isinstance(found, str) and found.isascii() and found.isdigit():
            found = int(found)
        if isinstance(found, int) and not isinstance(found, bool) and 0 <= found < 2**53:
            return found
    return None


def _as_text(value: Any, place: str) -> str:
    if isinstance(value, str):
        return value.replace("\x00", "")
    raise _refuse(
        "Un texte est attendu.",
        "A text is expected.",
        place,
        "Mettez-le entre guillemets.",
        "Put it in double quotes.",
    )


def _as_instant(value: Any, place: str) -> int:
    try:
        return parse_instant(_as_text(value, place))
    except Problem as problem:
        raise problem if problem.place else problem.at(place) from None


def _as_moment(value: Any, place: str) -> tuple[int, int | None]:
    try:
        return parse_interval(_as_text(value, place))
    except Problem as problem:
        raise problem if problem.place else problem.at(place) from None


def _as_object(value: Any, place: str) -> str:
    if isinstance(value, dict):
        return _stored(value)
    raise _refuse(
        "Un objet JSON est attendu.", "A JSON object is expected.", place, "Écrivez {…}.", "Write {…}."
    )


def _stored(value: Any) -> str:
    # PostgreSQL keeps no NUL character, not even escaped.
    return encode_exact(value).replace("\\u0000", "")


def _as_geometry(value: Any, place: str, encoding: str) -> str:
    text = _stored(value)
    if "geo+json" in encoding.lower() or "geojson" in encoding.lower():
        try:
            if not isinstance(value, dict):
                raise ValueError(text)
            geometry_of(text)
        except (ValueError, AttributeError, TypeError) as error:
            raise _refuse(
                "Cette géométrie n'est pas du GeoJSON lisible.", "This geometry is not readable GeoJSON.", place,
                'Écrivez par exemple {"type": "Point", "coordinates": [longitude, latitude]}.',
                'Write for example {"type": "Point", "coordinates": [longitude, latitude]}.',
            ) from error  # fmt: skip
    return text


def _columns(found: Property, value: Any, place: str, encoding: str) -> dict[str, Any]:
    """Return the columns that hold `value` of a property of any entity but Observation."""
    column = found.columns[0]
    if value is None:
        return dict.fromkeys(found.columns)
    if found.parts:
        if not isinstance(value, dict):
            raise _refuse("Un objet JSON est attendu.", "A JSON object is expected.", place)
        return {
            part.columns[0]: None
            if (v := value.get(part.name)) is None
            else _as_text(v, f"{place}/{part.name}")
            for part in found.parts
        }
    simple: dict[str, Callable[[Any, str], Any]] = {"text": _as_text, "instant": _as_instant}
    if found.kind in simple:
        return {column: simple[found.kind](value, place)}
    if found.kind == "geometry":
        return {column: _as_geometry(value, place, encoding)}
    reader = _READERS.get(found.name)
    return {column: _stored(value) if reader is None else reader(value, place)}


def _as_list(value: Any, place: str) -> list[Any]:
    if isinstance(value, list) and value:
        return value
    raise _refuse("Une liste est attendue.", "A list is expected.", place, "Écrivez […].", "Write […].")


def _as_types(value: Any, place: str) -> str:
    return _stored([_as_text(one, f"{place}/{i}") for i, one in enumerate(_as_list(value, place))])


def _as_units(value: Any, place: str) -> str:
    units = []
    for i, one in enumerate(_as_list(value, place)):
        columns = _columns(_UNIT, {} if one is None else one, f"{place}/{i}", "")
        units.append({part.name: columns[part.columns[0]] for part in _UNIT.parts})
    return _stored(units)


_UNIT = next(p for p in BY_NAME["Datastream"].properties if p.parts)
_READERS: dict[str, Callable[[Any, str], str]] = {
    "properties": _as_object,
    "multiObservationDataTypes": _as_types,
    "unitOfMeasurements": _as_units,
}


def _missing(entity: Entity, name: str, place: str) -> Problem:
    return _refuse(
        f"« {name} » manque à {entity.name}.", f"{entity.name} lacks '{name}'.", f"{place}/{name}",
        f"Ajoutez « {name} ».", f"Add '{name}'.",
    )  # fmt: skip


def _known(entity: Entity, body: dict[str, Any], place: str) -> None:
    """Raise `Problem` for a member that the entity does not have; annotations and ids pass."""
    for key in body:
        if "@" in key or key in _REFERENCE or entity.property(key) or entity.navigation(key):
            continue
        if entity.table == "datastream" and key in _LET_PASS:
            continue
        names = ", ".join([*(p.name for p in entity.properties), *(n.name for n in entity.navigations)])
        raise _refuse(
            f"« {key} » n'existe pas dans {entity.name}.", f"There is no '{key}' in {entity.name}.", f"{place}/{key}",
            f"{entity.name} a : {names}.", f"{entity.name} has: {names}.",
        )  # fmt: skip


def value_of(entity: Entity, body: Any, place: str, *, whole: bool, encoding: str = "") -> dict[str, Any]:
    """Return the columns that `body` gives; `whole`: required properties must be there, others become nothing.

    `encoding` is that of the entity's geometry when the body does not say it.
    """
    if not isinstance(body, dict):
        raise _refuse(
            "Un objet JSON est attendu.", "A JSON object is expected.", place, "Écrivez {…}.", "Write {…}."
        )
    _known(entity, body, place)
    given_encoding = body.get("encodingType")
    encoding = given_encoding if isinstance(given_encoding, str) else encoding
    columns: dict[str, Any] = {}
    for found in entity.properties:
        if found.derived:
            continue
        given = body.get(found.name)
        if found.required and given is None and (whole or found.name in body):
            raise _missing(entity, found.name, place)
        if given is None and found.default:
            given = found.default
        if whole or found.name in body:
            columns.update(_columns(found, given, f"{place}/{found.name}", encoding))
    return columns


def _observation(body: Any, place: str, now_us: int) -> Draft:
    entity = BY_NAME["Observation"]
    if not isinstance(body, dict):
        raise _refuse("Un objet JSON est attendu.", "A JSON object is expected.", place)
    _known(entity, body, place)
    if "result" not in body:
        raise _missing(entity, "result", place)
    time, result_time = body.get("phenomenonTime"), body.get("resultTime")
    start, end = (now_us, None) if time is None else _as_moment(time, f"{place}/phenomenonTime")
    return Draft(
        0, start, _result(body["result"], place), end,
        None if result_time is None else _as_instant(result_time, f"{place}/resultTime"),
        extra=extra_of(body, place),
    )  # fmt: skip


def _result(value: Any, place: str) -> Any:
    try:
        found = result_of(value)
    except (ValueError, OverflowError) as error:
        raise _refuse("Ce résultat n'est pas un nombre fini.", "This result is no finite number.", f"{place}/result",
                      "Envoyez null, ou un texte.", "Send null, or a text.") from error  # fmt: skip
    if found.literal is not None and "\\u0000" in found.literal:
        return msgspec.structs.replace(found, literal=found.literal.replace("\\u0000", ""))
    return found


def extra_of(body: dict[str, Any], place: str = "") -> str | None:
    """Return what is kept beside an observation's value: quality, validity and parameters, as received."""
    extra = {name: body[name] for name in ("resultQuality", "parameters") if body.get(name) is not None}
    if "parameters" in extra:
        _as_object(extra["parameters"], f"{place}/parameters")
    if body.get("validTime") is not None:
        _as_moment(body["validTime"], f"{place}/validTime")
        extra["validTime"] = body["validTime"]
    return _stored(extra) if extra else None


def read_new(
    entity: Entity, body: Any, now_us: int, given: tuple[str, ...] = (), place: str = "", depth: int = 0
) -> New:
    """Return the entity that `body` describes, with all that it brings along (deep insert).

    `given` are relations that the address or the parent already states. Raises `Problem` with a JSON pointer.
    """
    if depth > 8:
        raise _refuse("L'insertion est trop profonde.", "The insert is too deep.", place)
    if entity.name == "Observation":
        new = New("observation", {}, draft=_observation(body, place, now_us), place=place)
        new.multi = _names_multi(body, given, place)
    else:
        new = New(entity.table, value_of(entity, body, place, whole=True), place=place)
    for hop in entity.navigations:
        inner = body.get(hop.name)
        if depth and hop.name in given and not hop.many and reference(inner) is not None:
            raise _refuse(
                f"{hop.name} est déjà dit par ce qui contient cette entité.",
                f"What contains this entity already says its {hop.name}.", f"{place}/{hop.name}",
                f"Retirez {hop.name}.", f"Take {hop.name} out.",
            )  # fmt: skip
        if inner is None or (hop.name in given and not isinstance(inner, dict | list)):
            if (hop.required or hop.join.rank) and hop.name not in given:
                raise _missing(entity, hop.name, place)
            continue
        if hop.name not in given or hop.many:
            _check_bringing(entity, hop, place)
            _bring(new, hop, entity, inner, now_us, f"{place}/{hop.name}", depth)
    return new


_SERIES = ("Datastream", "MultiDatastream")


def _names_multi(body: dict[str, Any], given: tuple[str, ...], place: str) -> bool:
    """Return whether an observation is of a MultiDatastream. Raises `Problem` unless it is of one datastream."""
    named = [name for name in _SERIES if name in given or body.get(name) is not None]
    if len(named) == 1:
        return named[0] == "MultiDatastream"
    if not named:
        raise _missing(BY_NAME["Observation"], "Datastream", place)
    raise _refuse(
        "Une observation est d'un Datastream ou d'un MultiDatastream, pas des deux.",
        "An observation is of a Datastream or of a MultiDatastream, not of both.", f"{place}/MultiDatastream",
        "Retirez l'un des deux.", "Take one of them out.",
    )  # fmt: skip


def _check_bringing(entity: Entity, hop: Navigation, place: str) -> None:
    """Raise `Problem` for MultiDatastreams given in an ObservedProperty: nothing would say which component it is."""
    if entity.name == "ObservedProperty" and hop.target == "MultiDatastream":
        raise from_multi(f"{place}/{hop.name}")


def from_multi(place: str) -> Problem:
    """Return the problem of a MultiDatastream made or changed from one of its ObservedProperties."""
    return _refuse(
        "Un MultiDatastream se compose de son côté.", "A MultiDatastream is composed from its own side.", place,
        "Créez ou changez le MultiDatastream, avec ses ObservedProperties dans l'ordre.",
        "Create or change the MultiDatastream, with its ObservedProperties in order.",
    )  # fmt: skip


def _inverse(entity: Entity, hop: Navigation) -> tuple[str, ...]:
    """Return the relation of the target that leads back over `hop`."""
    back = BY_NAME[hop.target].navigations
    return tuple(
        n.name for n in back
        if n.target == entity.name and (n.join.here, n.join.there) == (hop.join.there, hop.join.here) and not n.many
    )  # fmt: skip


def link_of(hop: Navigation) -> Link:
    """Return the association that a relation is."""
    return Link(hop.join.table, hop.join.near, hop.join.far, hop.join.rank)


def _bring(
    new: New, hop: Navigation, entity: Entity, inner: Any, now_us: int, place: str, depth: int
) -> None:
    target = BY_NAME[hop.target]
    if not hop.many:
        known = reference(inner)
        new.belongs[hop.join.here] = (
            known if known is not None else read_new(target, inner, now_us, (), place, depth + 1)
        )
        return
    if not isinstance(inner, list) or (hop.join.rank and not inner):
        raise _refuse("Une liste est attendue.", "A list is expected.", place, "Écrivez […].", "Write […].")
    for i, one in enumerate(inner):
        at = f"{place}/{i}"
        known = reference(one)
        if hop.join.table:
            link = link_of(hop)
            new.linked.append(
                (link, known if known is not None else read_new(target, one, now_us, (), at, depth + 1))
            )
        elif known is not None:
            raise _refuse(
                f"{hop.name} existant ne peut pas être rattaché ainsi.", f"Existing {hop.name} cannot be attached this way.",
                at, f"Changez son {entity.name}.", f"Change its {entity.name}.",
            )  # fmt: skip
        else:
            new.has.append(
                (hop.join.there, read_new(target, one, now_us, _inverse(entity, hop), at, depth + 1))
            )


def read_changes(entity: Entity, body: Any, *, whole: bool = False, encoding: str = "") -> Changes:
    """Return what a PATCH (or, `whole`, a PUT) of any entity but Observation changes. Raises `Problem`.

    Relations may be given by reference only (18-088 §10.3).
    """
    changes = Changes(value_of(entity, body, "", whole=whole, encoding=encoding))
    for hop in entity.navigations:
        if hop.name in body and body[hop.name] is None and hop.required:
            raise _missing(entity, hop.name, "")
        if hop.name in body and body[hop.name] is not None:
            _check_bringing(entity, hop, "")
            _relate(changes, entity, hop, body[hop.name], whole=whole)
    return changes


def _relate(changes: Changes, entity: Entity, hop: Navigation, inner: Any, *, whole: bool) -> None:
    place = f"/{hop.name}"
    given = inner if isinstance(inner, list) else [inner]
    ids = [reference(one) for one in given]
    if None in ids or hop.many != isinstance(inner, list):
        raise _refuse(
            "Une mise à jour ne crée pas d'autres entités.", "An update makes no other entities.", place,
            'Donnez des références : {"@iot.id": …}.', 'Give references: {"@iot.id": …}.',
        )  # fmt: skip
    known = [i for i in ids if i is not None]
    if not hop.many:
        changes.values[hop.join.here] = known[0]
    elif hop.join.table and (known or not whole):
        changes.linked[link_of(hop)] = known
    elif not whole:
        raise _refuse(
            f"{hop.name} se rattache de l'autre côté.", f"{hop.name} are attached from their side.", place,
            f"Changez {entity.name} dans chacun.", f"Change {entity.name} in each of them.",
        )  # fmt: skip


def _merged(extra: str | None, body: dict[str, Any]) -> str | None:
    known = {} if extra is None else decode_json(extra)
    named = {name: body[name] for name in ("resultQuality", "parameters", "validTime") if name in body}
    kept = {name: value for name, value in {**known, **named}.items() if value is not None}
    return _stored(kept) if kept else None


def observation_changes(body: Any, *, whole: bool, now_us: int, extra: str | None = None) -> dict[str, Any]:
    """Return the columns of an observation that a PATCH (or, `whole`, a PUT) changes. Raises `Problem`.

    `extra` is what it holds beside its value now: a PATCH keeps what it does not name.
    """
    entity = BY_NAME["Observation"]
    if not isinstance(body, dict):
        raise _refuse("Un objet JSON est attendu.", "A JSON object is expected.", "")
    draft = _observation(body if whole else {"result": None, **body}, "", now_us)
    everything: dict[str, tuple[str, Any]] = {
        "start_us": ("phenomenonTime", draft.start_us),
        "end_us": ("phenomenonTime", draft.end_us),
        "result_time_us": ("resultTime", draft.result_time_us),
        "result": ("result", draft.result),
    }
    changed = {column: value for column, (name, value) in everything.items() if whole or name in body}
    if whole or any(name in body for name in ("resultQuality", "validTime", "parameters")):
        changed["extra"] = draft.extra if whole else _merged(extra, body)
    if all(body.get(name) is not None for name in _SERIES):
        _names_multi(body, (), "")
    for hop in entity.navigations:
        if body.get(hop.name) is not None:
            known = reference(body[hop.name])
            if known is None:
                raise _refuse("Une référence est attendue.", "A reference is expected.", f"/{hop.name}")
            changed[hop.join.here] = known
            if hop.name in _SERIES:
                changed["multi"] = hop.name == "MultiDatastream"
    return changed
