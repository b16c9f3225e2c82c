"""What a gateway says, checked against TALQ 2.7.1 before anything of it is kept; refused with a JSON pointer.

A table of shapes after the data model's schemas; unknown properties are allowed, as there. Attributes are checked by
their `type`, each of which says what its `value` is.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from beffroi.model.instant import parse_instant
from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["check_device", "check_devices", "check_log_report", "check_resource", "check_services", "is_uuid"]

Check = Callable[[Any, str], None]
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
SERVICES = ("ConfigurationService", "ControlService", "DataCollectService", "GroupManagementService", "DataPackageService",
            "AssetManagementService", "DaliProtocolService")  # fmt: skip
STATES = ("IntegerState", "FloatState", "BooleanState", "TextState", "RGBState", "LevelState", "PositionedTextState", "CCTColorState",
          "RGBWAFColorState", "XYColorState", "LevelAndCCTColorState", "LevelAndRGBWAFColorState", "LevelAndXYColorState")  # fmt: skip
REASONS = ("default", "override", "sensor", "program")


def _refuse(place: str, fr: str, en: str) -> Problem:
    return Problem(
        Text(f"Ce n'est pas du TALQ 2.7.1 : {fr}", f"This is not TALQ 2.7.1: {en}"),
        Text("Corrigez ce que désigne le pointeur.", "Mend what the pointer names."), place=place or "/",
    )  # fmt: skip


def is_uuid(value: object) -> bool:
    """Return True for a UUID as TALQ writes it."""
    return isinstance(value, str) and _UUID.match(value) is not None


def _text(value: Any, place: str) -> None:
    if not isinstance(value, str):
        raise _refuse(place, "un texte est attendu.", "a text is expected.")


def _uuid(value: Any, place: str) -> None:
    if not is_uuid(value):
        raise _refuse(place, "un UUID est attendu.", "a UUID is expected.")


def _boolean(value: Any, place: str) -> None:
    if not isinstance(value, bool):
        raise _refuse(place, "true ou false est attendu.", "true or false is expected.")


def _number(value: Any, place: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refuse(place, "un nombre est attendu.", "a number is expected.")


def _integer(value: Any, place: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _refuse(place, "un entier est attendu.", "an integer is expected.")


def _percent(value: Any, place: str) -> None:
    _integer(value, place)
    if not 0 <= value <= 100:
        raise _refuse(place, "de 0 à 100.", "from 0 to 100.")


def _instant(value: Any, place: str) -> None:
    _text(value, place)
    try:
        parse_instant(value)
    except Problem as problem:
        raise _refuse(place, "une date et heure RFC 3339 est attendue.", "an RFC 3339 date-time is expected.") from problem  # fmt: skip


def _one_of(*allowed: str) -> Check:
    def check(value: Any, place: str) -> None:
        if value not in allowed:
            raise _refuse(
                place, f"une de ces valeurs : {', '.join(allowed)}.", f"one of: {', '.join(allowed)}."
            )

    return check


def _list(of: Check) -> Check:
    def check(value: Any, place: str) -> None:
        if not isinstance(value, list):
            raise _refuse(place, "une liste est attendue.", "a list is expected.")
        for number, one in enumerate(value):
            of(one, f"{place}/{number}")

    return check


def _object(needed: tuple[str, ...] = (), **fields: Check) -> Check:
    def check(value: Any, place: str) -> None:
        if not isinstance(value, dict):
            raise _refuse(place, "un objet est attendu.", "an object is expected.")
        for name in needed:
            if name not in value:
                raise _refuse(f"{place}/{name}", f"« {name} » manque.", f"'{name}' is missing.")
        for name, of in fields.items():
            if name in value:
                of(value[name], f"{place}/{name}")

    return check


def _state(value: Any, place: str) -> None:
    _object(("name",), name=_one_of(*STATES))(value, place)
    values: dict[str, Check] = {
        "LevelState": _percent, "BooleanState": _boolean, "IntegerState": _integer, "FloatState": _number, "TextState": _text,
    }  # fmt: skip
    _object(value=values.get(value["name"], _anything))(value, place)


def _anything(_value: Any, _place: str) -> None:
    return


_COMMAND = _object(
    ("state",), state=_state, rampToLevelTime=_number, rampFromLevelTime=_number, reason=_one_of(*REASONS), cmsRefId=_text,
    refAddress=_text, start=_instant, expiration=_instant,
)  # fmt: skip
_LOCATION = _object(("latitude", "longitude"), latitude=_number, longitude=_number, altitude=_number)
_VALUES: Mapping[str, Check] = {
    "AttributeString": _text, "AttributeUri": _text, "AttributeStringArray": _list(_text), "AttributeIntegerArray": _list(_integer),
    "AttributeBinary": _one_of("ON", "OFF"), "AttributeBoolean": _boolean, "AttributeInteger": _integer, "AttributePercent": _percent,
    "AttributeFloat": _number, "AttributeDateTime": _instant, "AttributeLocation": _LOCATION, "AttributeCommand": _COMMAND,
    "AttributeState": _state, "AttributeLevelState": _state, "AttributeBooleanState": _state, "AttributeSupplyType": _one_of("AC", "DC"),
}  # fmt: skip


def _attribute(value: Any, place: str) -> None:
    _object(("type",), type=_text, timestamp=_instant)(value, place)
    _object(value=_VALUES.get(value["type"], _anything))(value, place)


def _function(value: Any, place: str) -> None:
    _object(("id", "type"), id=_text, type=_text)(value, place)
    for name, held in value.items():
        if name not in ("id", "type"):
            _attribute(held, f"{place}/{name}")


_EVENT = _object(("type",), type=_text)
_SERVICE = _object(("name",), name=_one_of(*SERVICES), events=_list(_EVENT))
_DEVICE = _object(
    ("address", "name", "class"), address=_uuid, name=_text, functions=_list(_function), **{"class": _text}
)
_PART = _object(("address",), address=_uuid, name=_text, functions=_list(_function), **{"class": _text})
_FUNCTION_DESC = _object(("functionId", "type"), functionId=_text, type=_text)
_CLASS = _object(("name",), name=_text, functions=_list(_FUNCTION_DESC))
_LOGS: Mapping[str, Check] = {
    "AttributeLogData": _object(
        ("attributeName", "attributeValue"), attributeName=_text, attributeValue=_attribute
    ),
    "EventLogData": _object(("eventType",), eventType=_text),
    "StateChangeEventLogData": _object(
        ("eventType", "command"), eventType=_text, command=_COMMAND, state=_state
    ),
}


def _log(value: Any, place: str) -> None:
    _object(("type", "srcAddress"), type=_one_of(*_LOGS), srcAddress=_text, timestamp=_instant)(value, place)
    _LOGS[value["type"]](value, place)


_REPORT = _object((), address=_text, entries=_list(_object((), cmsRefId=_text, data=_log)))


def check_services(body: Any) -> None:
    """Raise `Problem` unless `body` is a list of Service."""
    _list(_SERVICE)(body, "")


def check_devices(body: Any, *, partial: bool = False) -> None:
    """Raise `Problem` unless `body` is a list of Device; of a partial one only the address is needed."""
    _list(_PART if partial else _DEVICE)(body, "")


def check_device(body: Any, *, partial: bool = False) -> None:
    """Raise `Problem` unless `body` is a Device."""
    (_PART if partial else _DEVICE)(body, "")


def check_log_report(body: Any) -> None:
    """Raise `Problem` unless `body` is a LogReport."""
    _REPORT(body, "")


def check_resource(body: Any, *, named: str) -> None:
    """Raise `Problem` unless `body` is a list of classes (known by `name`) or of types (known by `address`)."""
    _list(_CLASS if named == "name" else _object((named, "name"), name=_text, **{named: _text}))(body, "")
