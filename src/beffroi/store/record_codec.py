"""Values of records between memory, the columns of a table, and the JSON of history."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

from beffroi.model.collection import Collection, Field
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.model.value import check_value, json_value
from beffroi.store.personal import seal, sealed_text, unseal, unsealed_text

__all__ = [
    "AS_IT_IS",
    "Reader",
    "checked_values",
    "from_column",
    "from_history",
    "place_of",
    "to_column",
    "to_history",
]


_ABSENT = object()  # of a change that leaves a field as it is


def place_of(collection: Collection, record_id: int) -> str:
    """Return the place to which a sealed value is bound (its record: fields may be renamed)."""
    return f"{collection.name}/{record_id}"


def checked_values(collection: Collection, given: Mapping[str, Any], *, creating: bool) -> dict[str, Any]:
    """Return the given values checked; at creation every field, defaults filled in.

    Raises `Problem` for an unknown field, a wrong value, or a required one that is missing.
    """
    checked: dict[str, Any] = dict(_blank(collection)) if creating else {}
    for name, value in given.items():
        field = collection.field(name)
        if field is None:
            raise _no_field(collection, str(name)[:60])
        checked[name] = check_value(field, value)
    for field in collection.required:
        if checked.get(field.name, _ABSENT) is None:
            raise Problem(
                Text(f"{field.title.fr} : il faut une valeur.", f"{field.title.en}: a value is needed."),
                Text("Remplissez ce champ.", "Fill in this field."), place=field.name,
            )  # fmt: skip
    return checked


def _no_field(collection: Collection, shown: str) -> Problem:
    names = ", ".join(sorted(f.name for f in collection.fields))
    return Problem(
        Text(f"« {shown} » n'est pas un champ de cette collection.", f"'{shown}' is not a field of this collection."),
        Text(f"Les champs sont : {names}.", f"The fields are: {names}."), place=shown,
    )  # fmt: skip


def _blank(collection: Collection) -> dict[str, Any]:
    """Return the values of a record of which nothing is said: the defaults, checked once."""
    held: dict[str, Any] | None = collection.__dict__.get("_blank")
    if held is None:
        held = {}
        for field in collection.fields:
            value = check_value(field, field.default)
            held[field.name] = field.default if value is None else value
        collection.__dict__["_blank"] = held
    return held


AS_IT_IS = frozenset({"text", "integer", "boolean", "reference"})
"""The kinds whose values, unless personal, are the same in memory, in a column and in the JSON of history."""


def to_column(field: Field, value: Any, key: bytes | None, place: str) -> Any:
    """Return what the field's column stores: personal values sealed under `key`."""
    if value is None:
        return None
    if field.personal is not None:
        assert key is not None
        return seal(key, place, value)
    if field.kind == "json":
        return msgspec.json.encode(value).decode()
    return value.isoformat() if isinstance(value, date) else value


def from_column(field: Field, stored: Any, key: bytes | None, place: str) -> Any:
    """Return the value of a stored column; an erased personal value is None."""
    if stored is None:
        return None
    if field.personal is not None:
        return None if key is None else check_value(_lenient(field), unseal(key, place, bytes(stored)))
    match field.kind:
        case "json":
            return msgspec.json.decode(stored)
        case "date":
            return date.fromisoformat(stored)
        case "boolean":
            return bool(stored)
        case "number":
            return float(stored)
    return stored


_READ: dict[str, Callable[[Any], Any]] = {
    "json": msgspec.json.decode, "date": date.fromisoformat, "boolean": bool, "number": float,
}  # fmt: skip


class Reader:
    """Reads the columns of some fields, in their order, as values. Of the same rows `from_column` says the same."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self.width = len(fields)
        self._names = tuple(f.name for f in fields)
        self._made = [(f.name, _READ[f.kind]) for f in fields if f.personal is None and f.kind in _READ]
        self._personal = [f for f in fields if f.personal is not None]

    @property
    def reveals(self) -> bool:
        """True when some of the fields are personal: their keys are needed."""
        return bool(self._personal)

    def values(self, columns: Sequence[Any], key: bytes | None, place: str) -> dict[str, Any]:
        """Return the values of a row whose first columns are the fields'."""
        values = dict(zip(self._names, columns, strict=False))
        for name, make in self._made:
            stored = values[name]
            if stored is not None:
                values[name] = make(stored)
        for field in self._personal:
            values[field.name] = from_column(field, values[field.name], key, place)
        return values


def _lenient(field: Field) -> Field:
    """Return the field without limits: a stored value is read back even if the declaration got stricter."""
    return msgspec.structs.replace(field, choices=(), minimum=None, maximum=None, pattern=None, check=None)


def to_history(field: Field, value: Any, stored: Any) -> Any:
    """Return a value as history keeps it: personal ones as they are stored, sealed."""
    if field.personal is not None:
        return None if stored is None else sealed_text(bytes(stored))
    return json_value(field, value)


def from_history(field: Field, kept: Any, key: bytes | None, place: str) -> Any:
    """Return the value that history kept; without its key a personal value is None."""
    if field.personal is not None:
        sealed = unsealed_text(kept)
        return None if sealed is None or key is None else from_column(field, sealed, key, place)
    return check_value(_lenient(field), kept)
