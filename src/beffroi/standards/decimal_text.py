"""Numbers as French and English files write them, digits kept."""

import re
from contextlib import suppress

from beffroi.model.problem import Problem
from beffroi.model.result import Result, number_of
from beffroi.model.text import Text

__all__ = ["decimal_of", "is_missing", "measure_of"]

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?\Z", re.ASCII)
_PLAIN = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?\Z", re.ASCII)
_MEASURE = re.compile(r"([+-]?\d+(?:[.,]\d+)?)\s*([^\d\s.,+-][^\d]{0,15})\Z", re.ASCII)
_MISSING = frozenset(("", "-", "--", "na", "n/a", "nan", "null", "none", "nd", "n.d.", "vide", "#n/a"))
_SPACES = str.maketrans("", "", " \u00a0\u202f\u2009'")


def is_missing(text: str) -> bool:
    """True when a cell holds no value (empty, "NA", "null", "-" …)."""
    return text.strip().lower() in _MISSING


def no_value() -> Problem:
    """Return the problem of a row that has no value."""
    return Problem(
        Text("La ligne n'a pas de valeur.", "The row has no value."),
        Text("Rien à corriger si la mesure manque vraiment ; sinon complétez la valeur.",
             "Nothing to mend when the measurement is truly missing; otherwise fill in the value."),
    )  # fmt: skip


def decimal_of(text: str) -> Result:
    """Return the number that a cell holds: decimal point or comma, spaces between thousands.

    Raises `Problem` when the cell is empty or is no number.
    """
    if _PLAIN.match(text) is not None:
        return number_of(text)
    if is_missing(text):
        raise no_value()
    bare = text.translate(_SPACES).replace("\u2212", "-").removeprefix("+")
    if bare.count(",") == 1:
        whole, _, fraction = bare.partition(",")
        # "1.234,5": points between thousands, comma before decimals
        bare = f"{whole.replace('.', '')}.{fraction}"
    if _NUMBER.match(bare) is not None:
        with suppress(ValueError, OverflowError):  # 1e999 has the shape of a number and cannot be kept
            return number_of(bare)
    shown = text[:40].replace("{", "(").replace("}", ")")
    raise Problem(
        Text("« {text} » n'est pas un nombre.", "'{text}' is not a number.").filled(text=shown),
        Text(
            "Écrivez par exemple 12.5 ou 12,5, sans unité.",
            "Write for example 12.5 or 12,5, without the unit.",
        ),
    )


def measure_of(text: str) -> tuple[Result, str] | None:
    """Return the number and the unit of a text such as "3.384 V", or None when it is not one."""
    match = _MEASURE.match(text.strip())
    if match is None:
        return None
    try:
        return number_of(match[1].replace(",", ".")), match[2].strip()
    except (ValueError, OverflowError):
        return None
