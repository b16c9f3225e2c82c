"""One value of one field: checked, read from text, written as JSON and as words.

In memory a value is `str`, `int`, `float`, `bool`, `date`, microseconds (`int`) for an instant, a JSON value,
or the id (`int`) of another record; `None` is "not known".
"""

import math
import re
from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from beffroi.model.collection import Collection, Field
from beffroi.model.instant import PARIS, format_instant, from_datetime, parse_instant, to_datetime
from beffroi.model.problem import Problem
from beffroi.model.text import LANGUAGES, Text

__all__ = ["check_value", "json_value", "label_text", "parse_value", "say_field", "say_value"]

_LARGEST = 2**63 - 1
_TRUE = {"1", "true", "vrai", "oui", "yes", "o", "y", "on", "x"}
_FALSE = {"0", "false", "faux", "non", "no", "n", "off"}
_FRENCH_DATE = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})\Z")
_FRENCH_INSTANT = re.compile(
    r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})(?:(?:\s+|T)(\d{1,2})[:hH](\d{2})(?::?(\d{2}))?)?\Z"
)
_MEND = {
    "text": Text("Écrivez un texte.", "Write a text."),
    "integer": Text("Écrivez un nombre entier, par exemple 12.", "Write a whole number, such as 12."),
    "number": Text("Écrivez un nombre, par exemple 12,5.", "Write a number, such as 12.5."),
    "boolean": Text("Écrivez oui ou non.", "Write yes or no."),
    "date": Text("Écrivez une date, par exemple 2026-11-22 ou 22/11/2026.",
                 "Write a date, such as 2026-11-22 or 22/11/2026."),
    "instant": Text("Écrivez une date et une heure, par exemple 2026-11-22T14:05.",
                    "Write a date and time, such as 2026-11-22T14:05."),
    "json": Text("Écrivez du JSON.", "Write JSON."),
    "reference": Text("Donnez le numéro de l'enregistrement.", "Give the number of the record."),
}  # fmt: skip


def _refuse(field: Field, reason: Text, mend: Text | None = None) -> Problem:
    title = field.title
    said = Text(f"{title.fr} : {reason.fr}", f"{title.en}: {reason.en}")
    return Problem(said, mend or _MEND[field.kind], place=field.name)


def _wrong_kind(field: Field, value: object) -> Problem:
    shown = str(value)[:60]
    return _refuse(field, Text(f"« {shown} » n'est pas compris.", f"'{shown}' is not understood."))


def _as_text(field: Field, value: object) -> str:
    if not isinstance(value, str):
        raise _wrong_kind(field, value)
    if "\x00" in value:
        raise _refuse(field, Text("contient un caractère nul.", "holds a null character."))
    if field.pattern is not None and value and re.fullmatch(field.pattern, value) is None:
        raise _refuse(field, Text("n'a pas la forme attendue.", "does not have the expected form."),
                      field.hint if field.hint.fr else None)  # fmt: skip
    return value


def _as_integer(field: Field, value: object) -> int:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _LARGEST:
        raise _wrong_kind(field, value)
    return value


def _as_number(field: Field, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong_kind(field, value)
    try:
        number = float(value)
    except OverflowError as error:
        raise _wrong_kind(field, value) from error
    if not math.isfinite(number):
        raise _refuse(field, Text("n'est pas un nombre fini.", "is not a finite number."))
    return number


def _as_boolean(field: Field, value: object) -> bool:
    if isinstance(value, bool):
        return value
    if value in (0, 1):
        return value == 1
    raise _wrong_kind(field, value)


def _as_date(field: Field, value: object) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if isinstance(value, str):
        try:
            return date.fromisoformat(value[:10])
        except ValueError as error:
            raise _wrong_kind(field, value) from error
    raise _wrong_kind(field, value)


def _as_instant(field: Field, value: object) -> int:
    if isinstance(value, datetime):
        return from_datetime(value)
    if isinstance(value, str):
        try:
            return _parsed(value)
        except Problem as problem:
            raise _wrong_kind(field, value) from problem
    return _as_integer(field, value)


@lru_cache(4096)
def _parsed(text: str) -> int:
    return parse_instant(text, PARIS)


_written = lru_cache(4096)(format_instant)  # an import says the same days again and again


def _as_json(field: Field, value: object) -> Any:
    if not isinstance(value, dict | list):
        raise _wrong_kind(field, value)
    return value


_CHECKS = {
    "text": _as_text, "integer": _as_integer, "number": _as_number, "boolean": _as_boolean,
    "date": _as_date, "instant": _as_instant, "json": _as_json, "reference": _as_integer,
}  # fmt: skip


def check_value(field: Field, value: object) -> Any:
    """Return `value` as the field keeps it; an empty text is `None`. Raises `Problem` at the field's name."""
    if value is None or value == "":
        return None
    checked = _CHECKS[field.kind](field, value)
    if field.choices and not _chosen(field, checked):
        allowed = ", ".join(option.value for option in field.choices)
        raise _refuse(field, Text(f"« {checked} » n'est pas un choix possible.", f"'{checked}' is not one of the choices."),
                      Text(f"Choisissez parmi : {allowed}.", f"Choose among: {allowed}."))  # fmt: skip
    if field.kind in ("integer", "number"):
        _within(field, checked)
    if field.check is not None:
        try:
            field.check(checked)
        except Problem as problem:
            raise _refuse(field, problem.reason, problem.mend) from problem
    return checked


def _chosen(field: Field, value: object) -> bool:
    return any(option.value == value for option in field.choices)


def _within(field: Field, number: float) -> None:
    if field.minimum is not None and number < field.minimum:
        raise _refuse(field, Text(f"{number:g} est trop petit.", f"{number:g} is too small."),
                      Text(f"Le plus petit est {field.minimum:g}.", f"The smallest is {field.minimum:g}."))  # fmt: skip
    if field.maximum is not None and number > field.maximum:
        raise _refuse(field, Text(f"{number:g} est trop grand.", f"{number:g} is too large."),
                      Text(f"Le plus grand est {field.maximum:g}.", f"The largest is {field.maximum:g}."))  # fmt: skip


def _number_in(text: str) -> str:
    """Return a French or English number without its group separators and with a decimal point."""
    bare = re.sub(r"[\s\u00a0\u202f']", "", text)
    return bare.replace(",", ".") if bare.count(",") == 1 and "." not in bare else bare


def _parse_integer(field: Field, text: str, _zone: ZoneInfo) -> Any:
    try:
        number = float(_number_in(text))
        return int(_number_in(text)) if re.fullmatch(r"[+-]?\d+", _number_in(text)) else number
    except ValueError as error:
        raise _wrong_kind(field, text) from error


def _parse_number(field: Field, text: str, _zone: ZoneInfo) -> Any:
    try:
        return float(_number_in(text))
    except ValueError as error:
        raise _wrong_kind(field, text) from error


def _parse_boolean(field: Field, text: str, _zone: ZoneInfo) -> Any:
    word = text.casefold()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise _wrong_kind(field, text)


def _parse_date(field: Field, text: str, _zone: ZoneInfo) -> Any:
    french = _FRENCH_DATE.match(text)
    return _as_date(field, f"{french[3]}-{int(french[2]):02d}-{int(french[1]):02d}" if french else text)


def _parse_instant(field: Field, text: str, zone: ZoneInfo) -> Any:
    french = _FRENCH_INSTANT.match(text)
    if french is not None:
        day, month, year, hour, minute, second = french.groups(default="0")
        text = f"{year}-{int(month):02d}-{int(day):02d}T{int(hour):02d}:{minute:0>2}:{second:0>2}"
    try:
        return parse_instant(text, zone)
    except Problem as problem:
        raise _wrong_kind(field, text) from problem


def _parse_json(field: Field, text: str, _zone: ZoneInfo) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise _wrong_kind(field, text) from error


_PARSERS = {
    "integer": _parse_integer, "number": _parse_number, "boolean": _parse_boolean, "date": _parse_date,
    "instant": _parse_instant, "json": _parse_json, "reference": _parse_integer,
}  # fmt: skip


def parse_value(field: Field, text: str, zone: ZoneInfo = PARIS) -> Any:
    """Return the value that a form, a CSV cell or a URL writes as `text` (decimal comma, oui/non, dd/mm/yyyy;
    a choice may be given by its French or English title). Raises `Problem` at the field's name."""
    text = text.strip()
    if not text:
        return None
    if field.choices:
        folded = text.casefold()
        for option in field.choices:
            if folded in (option.value.casefold(), option.title.fr.casefold(), option.title.en.casefold()):
                return option.value
    parser = _PARSERS.get(field.kind)
    return check_value(field, parser(field, text, zone) if parser else text)


def json_value(field: Field, value: Any) -> Any:
    """Return the value as JSON carries it (ISO 8601 dates and instants)."""
    if value is None:
        return None
    if field.kind == "instant":
        return _written(value)
    return value.isoformat() if isinstance(value, date) else value


def say_value(field: Field, value: Any, language: str, zone: ZoneInfo = PARIS) -> str:
    """Return the value in words for a page: choice titles, yes and no, French dates, decimal comma."""
    if value is None:
        return ""
    if field.choices:
        return field.title_of(value, language)
    if field.words is not None:
        return field.words(value, language)
    if isinstance(value, bool):
        return ("oui" if value else "non") if language == "fr" else ("yes" if value else "no")
    if field.kind == "instant":
        local = to_datetime(value).astimezone(zone)
        return local.strftime("%d/%m/%Y %H:%M" if language == "fr" else "%Y-%m-%d %H:%M")
    if isinstance(value, date):
        return value.strftime("%d/%m/%Y" if language == "fr" else "%Y-%m-%d")
    if field.kind == "number":
        text = f"{value:.15g}"
        return text.replace(".", ",") if language == "fr" else text
    if field.kind == "json":
        return msgspec.json.encode(value).decode()
    return str(value)


def say_field(
    collection: Collection, values: Mapping[str, Any], name: str, language: str, zone: ZoneInfo = PARIS
) -> str:
    """Return a field of a record in words; a text that has its English beside it (`why`, `why_en`) is said in either."""
    field = collection.field(name)
    value = values.get(name)
    if field is None or value is None:
        return ""
    beside = values.get(f"{name}_en") if language == "en" and field.kind == "text" else None
    return str(beside) if beside else say_value(field, value, language, zone)


def label_text(collection: Collection, values: Mapping[str, Any]) -> Text:
    """Return the name of a record in both languages, empty when it has none."""
    return Text(*(say_field(collection, values, collection.label, language) for language in LANGUAGES))
