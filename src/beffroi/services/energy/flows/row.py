"""One value of a flow, in the flow's own units, and what every flow's values must respect."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import ClassVar, Literal

import msgspec

from beffroi.model.instant import PARIS
from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["Clock", "Kind", "Row", "Rows", "Units", "known_number", "known_prm", "number_of"]

Kind = Literal["index", "energy", "curve", "contract", "invoice"]
Number = int | float


class Row(msgspec.Struct, frozen=True, gc=False, rename={"class_": "class"}):
    """One value.

    `grid` is D for the distributor's calendar, F for the supplier's, None where the flow has a single one: an energy that
    comes on both grids must be counted on one. `start` equals `end` for an index, which is read at one instant; the first
    and last day (both included) for a line of an invoice.
    """

    prm: str
    kind: Kind
    grid: Literal["D", "F"] | None
    start: str | None
    end: str | None
    value: Number | str | None
    unit: str | None
    class_: str | None
    nature: str | None
    status: str | None


Rows = Iterator[Row]
_PRM = re.compile(r"\d{14}\Z", re.ASCII)
_HOUR = timedelta(hours=1)


def known_prm(said: str | None, place: str) -> str:
    """Return a delivery point's 14 digits, as text. Raises `Problem`."""
    text = (said or "").strip()
    if _PRM.match(text):
        return text
    raise Problem(
        Text(f"« {text} » n'est pas un point de livraison : {len(text)} caractères au lieu de 14 chiffres",
             f"'{text}' is no delivery point: {len(text)} characters instead of 14 digits"),
        Text("Rétablissez le PRM (14 chiffres, zéros compris) ; un tableur efface souvent les zéros de tête.",
             "Restore the PRM (14 digits, zeros included); spreadsheets often drop leading zeros."),
        place,
    )  # fmt: skip


def number_of(said: object, place: str) -> Number:
    """Return a number written as such or as text (1234, "1234", "12.5", "12,5"). Raises `Problem`."""
    if isinstance(said, (int, float)) and not isinstance(said, bool):
        return said
    text = str(said if said is not None else "").strip().replace(",", ".")
    try:
        value = Decimal(text)
        if value.is_finite():
            return int(value) if "." not in text and "e" not in text.lower() else float(value)
    except InvalidOperation:
        pass
    raise Problem(
        Text(f"« {text} » n'est pas un nombre", f"'{text}' is not a number"),
        Text("Corrigez la valeur, ou redemandez le flux.", "Mend the value, or ask for the flow again."),
        place,
    )


def known_number(said: object, kind: Kind, place: str) -> Number:
    """Return a value, refusing an index or a power below zero. Raises `Problem`."""
    value = number_of(said, place)
    if value < 0 and kind in ("index", "curve"):
        what = (
            ("Index négatif", "Negative index")
            if kind == "index"
            else ("Puissance négative", "Negative power")
        )
        raise Problem(
            Text(f"{what[0]} : {value}", f"{what[1]}: {value}"),
            Text("Un compteur ne recule pas : redemandez la mesure, ou retirez-la du fichier.",
                 "A meter does not turn back: ask for the measurement again, or take it out of the file."),
            place,
        )  # fmt: skip
    return value


class Units:
    """The unit of each quantity of each point, so that a flow that mixes two is refused."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str | None] = {}

    def check(self, prm: str, quantity: str, unit: str | None, place: str) -> None:
        """Remember a unit. Raises `Problem` when the point had another for the same quantity."""
        before = self._known.setdefault((prm, quantity), unit)
        if before != unit:
            raise Problem(
                Text(f"Deux unités pour la même grandeur du point {prm} : {before}, puis {unit}",
                     f"Two units for the same quantity of the point {prm}: {before}, then {unit}"),
                Text("Redemandez le flux, ou séparez les deux séries dans deux fichiers.",
                     "Ask for the flow again, or put the two series into two files."),
                place,
            )  # fmt: skip


class Clock:
    """Civil times of one series (Europe/Paris, no offset) as ISO instants with theirs.

    On the day of 25 hours the hour that happens twice is told apart by order: the second time a stamp is met, it is the
    second hour, and so is what follows it at a finer step. A stamp of the hour that spring skips is the instant that a clock left alone would show.
    """

    # civil hour -> its offset, and the second one if there are two; minutes and seconds that were found right
    _offsets: ClassVar[dict[str, tuple[str, str | None]]] = {}
    _tails: ClassVar[set[str]] = set()

    def __init__(self) -> None:
        self._met: set[str] = set()
        self._again = ""  # the last stamp, when it was of the second hour

    def instant(self, said: str, place: str) -> str:
        """Return `2026-06-01 00:00:00` as `2026-06-01T00:00:00+02:00`; a time with an offset as it is. Raises `Problem`."""
        found = self._offsets.get(said[:13])
        if found is not None and found[1] is None and found[0] and said[13:] in self._tails:
            return f"{said[:10]}T{said[11:]}{found[0]}"
        return self._instant(said, place)

    def single(self, said: str) -> bool:
        """Return whether a stamp that was met is of an hour that comes once, so that it always means the same instant."""
        found = self._offsets.get(said[:13])
        return found is not None and found[1] is None

    def _instant(self, said: str, place: str) -> str:
        text = said.strip()
        if len(text) == 10:
            text += " 00:00:00"
        if len(text) != 19:
            return _with_offset(text, place)
        _civil(text, place)
        self._tails.add(text[13:])
        found = self._offsets.get(text[:13])
        if found is None:
            found = self._offsets[text[:13]] = _offsets_of(text, place)
        first, second = found
        if second is not None:
            follows = self._again[:13] == text[:13] and text > self._again
            self._again = text if follows or text in self._met else ""
            if self._again:
                first = second
            self._met.add(text)
        if first == "":
            return _civil(text, place).replace(tzinfo=PARIS).astimezone(UTC).astimezone(PARIS).isoformat()
        return f"{text[:10]}T{text[11:]}{first}"


def _civil(text: str, place: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise _no_time(text, place) from error


def _offsets_of(text: str, place: str) -> tuple[str, str | None]:
    """Return the offset of the civil hour of `text`, "" for the hour that spring skips."""
    hour = _civil(text, place).replace(minute=0, second=0)
    early, late = (hour.replace(tzinfo=PARIS, fold=fold) for fold in (0, 1))
    first, second = early.isoformat()[19:], late.isoformat()[19:]
    if first == second:
        return first, None
    if early.astimezone(UTC).astimezone(PARIS).replace(tzinfo=None) != hour:
        return "", None
    return first, second


def _with_offset(text: str, place: str) -> str:
    found = _civil(text, place)
    if found.tzinfo is None:
        return Clock().instant(found.strftime("%Y-%m-%d %H:%M:%S"), place)
    return text.replace(" ", "T")


def _no_time(text: str, place: str) -> Problem:
    return Problem(
        Text(f"« {text} » n'est pas une date", f"'{text}' is not a date"),
        Text("Une date s'écrit 2026-06-01 00:00:00.", "A date is written 2026-06-01 00:00:00."),
        place,
    )
