"""Tasking parameters: what a TaskingCapability may be told, in JSON after SWE Common (OGC 08-094r1), and its checking.

A `DataRecord` of named fields (`field` or `fields`), or one component alone, which is then called "value". Components:
Boolean, Category, Text, Count, Quantity, Time; constraints: AllowedTokens (`value`, `pattern`), AllowedValues (`value`,
`interval`, `significantFigures` left aside). `optional` fields may be absent.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from beffroi.model.instant import parse_instant
from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["Parameter", "Parameters", "read_parameters"]

_KINDS = ("Boolean", "Category", "Text", "Count", "Quantity", "Time")
_LONGEST = 2_000
_NAME = re.compile(r"[A-Za-z_]\w{0,63}\Z")


class Parameter(msgspec.Struct, frozen=True):
    """One thing to say: its name, kind, words for people, and what is allowed."""

    name: str
    kind: str
    label: str = ""
    description: str = ""
    unit: str = ""
    optional: bool = False
    values: tuple[Any, ...] = ()
    intervals: tuple[tuple[float, float], ...] = ()
    pattern: str = ""

    def check(self, value: Any, place: str) -> Any:
        """Return `value` as it is sent. Raises `Problem` at `place` when it is not allowed."""
        if self.kind == "Boolean":
            return self._boolean(value, place)
        if self.kind in ("Count", "Quantity"):
            return self._number(value, place)
        if not isinstance(value, str) or len(value) > _LONGEST:
            raise _refuse(place, f"« {self.name} » est un texte.", f"'{self.name}' is a text.")
        if self.kind == "Time":
            try:
                parse_instant(value)
            except Problem as problem:
                raise problem.at(place) from problem
        if self.values and value not in self.values:
            raise _refuse(
                place,
                f"« {value[:40]} » n'est pas permis.",
                f"'{value[:40]}' is not allowed.",
                *self._choices(),
            )
        if self.pattern and re.fullmatch(self.pattern, value) is None:
            raise _refuse(place, f"« {value[:40]} » n'a pas la forme attendue.", f"'{value[:40]}' has not the expected form.",
                          f"La forme est : {self.pattern}", f"The form is: {self.pattern}")  # fmt: skip
        return value

    def _boolean(self, value: Any, place: str) -> bool:
        if isinstance(value, bool):
            return value
        raise _refuse(place, f"« {self.name} » est vrai ou faux.", f"'{self.name}' is true or false.",
                      "Écrivez true ou false.", "Write true or false.")  # fmt: skip

    def _number(self, value: Any, place: str) -> int | float:
        if hasattr(value, "text"):  # a number that keeps its digits (see `beffroi.model.result`)
            value = float(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise _refuse(place, f"« {self.name} » est un nombre.", f"'{self.name}' is a number.")
        if self.kind == "Count" and value != int(value):
            raise _refuse(
                place, f"« {self.name} » est un nombre entier.", f"'{self.name}' is a whole number."
            )
        allowed = not self.values and not self.intervals
        allowed = allowed or value in self.values or any(low <= value <= high for low, high in self.intervals)
        if not allowed:
            raise _refuse(place, f"{value:g} n'est pas permis pour « {self.name} ».", f"{value:g} is not allowed for '{self.name}'.",
                          *self._choices())  # fmt: skip
        return int(value) if value == int(value) else value

    def _choices(self) -> tuple[str, str]:
        parts = [str(one) for one in self.values]
        fr = [*parts, *(f"de {low:g} à {high:g}" for low, high in self.intervals)]
        en = [*parts, *(f"from {low:g} to {high:g}" for low, high in self.intervals)]
        return f"Permis : {', '.join(fr)}.", f"Allowed: {', '.join(en)}."

    def read(self, text: str, place: str) -> Any:
        """Return the value that a form's text means (decimal comma or point). Raises `Problem`."""
        text = text.strip()
        if self.kind == "Boolean":
            return self.check({"true": True, "false": False}.get(text), place)
        if self.kind in ("Count", "Quantity"):
            try:
                return self.check(float(text.replace(",", ".")), place)
            except ValueError:
                raise _refuse(
                    place, f"« {self.name} » est un nombre.", f"'{self.name}' is a number."
                ) from None
        return self.check(text, place)


class Parameters(msgspec.Struct, frozen=True):
    """All that one capability may be told."""

    fields: tuple[Parameter, ...]

    def check(self, given: Any, place: str = "/taskingParameters") -> dict[str, Any]:
        """Return what is sent, field by field. Raises `Problem` with a JSON pointer."""
        if not isinstance(given, dict):
            raise _refuse(
                place,
                "Un objet JSON est attendu.",
                "A JSON object is expected.",
                "Écrivez {…}.",
                "Write {…}.",
            )
        known = {field.name: field for field in self.fields}
        for name in given:
            if name not in known:
                raise _refuse(f"{place}/{name[:60]}", "Ce paramètre n'existe pas.", "There is no such parameter.",
                              f"Les paramètres sont : {', '.join(known)}.", f"The parameters are: {', '.join(known)}.")  # fmt: skip
        checked = {}
        for name, field in known.items():
            if given.get(name) is not None:
                checked[name] = field.check(given[name], f"{place}/{name}")
            elif not field.optional:
                raise _refuse(f"{place}/{name}", f"« {name} » manque.", f"'{name}' is missing.", f"Ajoutez « {name} ».",
                              f"Add '{name}'.")  # fmt: skip
        return checked

    def read(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Return the values that a form means; empty optional fields are left out. Raises `Problem` at the field's name."""
        given = {}
        for field in self.fields:
            text = form.get(field.name, "")
            if text or not field.optional:
                given[field.name] = field.read(text, field.name)
        return given


def _refuse(place: str, fr: str, en: str, mend_fr: str = "", mend_en: str = "") -> Problem:
    def plain(text: str) -> str:
        return text.replace("{", "(").replace("}", ")")

    return Problem(Text(plain(fr), plain(en)), Text(plain(mend_fr), plain(mend_en)), place)


def read_parameters(told: Any, place: str = "/taskingParameters") -> Parameters:
    """Return what a capability's `taskingParameters` say. Raises `Problem` with a JSON pointer when they say nothing."""
    if not isinstance(told, dict):
        raise _refuse(place, "Un objet JSON est attendu.", "A JSON object is expected.")
    if told.get("type") != "DataRecord":
        return Parameters((_parameter({"name": "value", **told}, place),))
    name = "fields" if "fields" in told else "field"
    listed = told.get(name)
    if not isinstance(listed, list) or not listed:
        raise _refuse(f"{place}/field", "La liste des champs manque.", "The list of fields is missing.",
                      'Écrivez "field": [{"name": …, "type": …}].', 'Write "field": [{"name": …, "type": …}].')  # fmt: skip
    fields = tuple(_parameter(one, f"{place}/{name}/{i}") for i, one in enumerate(listed))
    if len({field.name for field in fields}) != len(fields):
        raise _refuse(f"{place}/{name}", "Deux champs ont le même nom.", "Two fields have the same name.")
    return Parameters(fields)


def _parameter(told: Any, place: str) -> Parameter:
    kind = told.get("type") if isinstance(told, dict) else None
    if kind not in _KINDS:
        raise _refuse(f"{place}/type", "Ce type n'est pas connu.", "This type is not known.", f"Les types sont : {', '.join(_KINDS)}.",
                      f"The types are: {', '.join(_KINDS)}.")  # fmt: skip
    name = told.get("name")
    if not isinstance(name, str) or _NAME.match(name) is None:
        raise _refuse(
            f"{place}/name", "Le nom manque, ou n'est pas un mot.", "The name is missing, or is no word."
        )
    constraint = told.get("constraint") if isinstance(told.get("constraint"), dict) else {}
    unit = told.get("uom") if isinstance(told.get("uom"), dict) else {}
    pattern = str(constraint.get("pattern") or "")
    try:
        re.compile(pattern)
    except re.error as error:
        raise _refuse(
            f"{place}/constraint/pattern", "Ce motif n'est pas lisible.", "This pattern cannot be read."
        ) from error
    return Parameter(
        name, kind, str(told.get("label") or ""), str(told.get("description") or ""), str(unit.get("code") or unit.get("symbol") or ""),
        bool(told.get("optional")), _values(constraint, kind, place), _intervals(constraint, place), pattern,
    )  # fmt: skip


def _values(constraint: dict[str, Any], kind: str, place: str) -> tuple[Any, ...]:
    listed = constraint.get("value", constraint.get("values", []))
    numbers = kind in ("Count", "Quantity")
    good = isinstance(listed, list) and all(
        isinstance(one, int | float) and not isinstance(one, bool) if numbers else isinstance(one, str)
        for one in listed
    )
    if not good:
        raise _refuse(
            f"{place}/constraint/value", "Une liste de valeurs est attendue.", "A list of values is expected."
        )
    return tuple(listed)


def _intervals(constraint: dict[str, Any], place: str) -> tuple[tuple[float, float], ...]:
    listed = constraint.get("interval", constraint.get("intervals", []))
    if isinstance(listed, list) and len(listed) == 2 and all(isinstance(one, int | float) for one in listed):
        listed = [listed]
    try:
        return tuple((float(low), float(high)) for low, high in listed)
    except (TypeError, ValueError) as error:
        raise _refuse(
            f"{place}/constraint/interval", "Un intervalle a deux bornes.", "An interval has two ends."
        ) from error
