"""A document read field by field: every refusal names its place (a JSON pointer) and the mend."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["Node", "number_in"]

T = TypeVar("T")
_GROUPED = re.compile(r"[+-]?\d{1,3}([\s\u00a0\u202f']\d{3})+([.,]\d+)?\Z")
_PLAIN = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?\Z")
_NUMBER = Text("Écrivez un nombre, par exemple 12500 ou 12,5.", "Write a number, such as 12500 or 12.5.")


def number_in(text: str) -> float | None:
    """Return the number that a person wrote (decimal comma, spaces between thousands, a `%`), or None."""
    bare = text.strip().removesuffix("€").strip().replace("−", "-")
    percent = bare.endswith("%")
    bare = bare.removesuffix("%").strip()
    if not (_GROUPED.match(bare) or _PLAIN.match(bare)):
        return None
    value = float(re.sub(r"[\s\u00a0\u202f']", "", bare).replace(",", "."))
    return value / 100 if percent else value


class Node:
    """One object of the document and its place; what nobody asked for is refused at the end (`done`)."""

    def __init__(self, value: Any, place: str = "") -> None:
        if not isinstance(value, Mapping):
            raise Problem(
                Text("Il faut ici un objet, avec des champs nommés.", "An object with named fields is needed here."),
                Text("Comparez avec l'exemple du mode d'emploi.", "Compare with the example of the documentation."), place,
            )  # fmt: skip
        self.value = value
        self.place = place
        self._asked: set[str] = set()

    def raw(self, name: str, default: Any = None) -> Any:
        """Return a member as it is."""
        self._asked.add(name)
        found = self.value.get(name)
        return default if found is None else found

    def at(self, name: str) -> str:
        """Return the place of a member."""
        return f"{self.place}/{name}"

    def refuse(self, name: str, fr: str, en: str, mend: Text | None = None) -> Problem:
        """Return the refusal of a member."""
        return Problem(Text(fr, en), mend, self.at(name))

    def need(self, name: str) -> Any:
        """Return a member that must be there."""
        found = self.raw(name)
        if found is None:
            raise self.refuse(name, f"Il manque « {name} ».", f"'{name}' is missing.")
        return found

    def number(
        self, name: str, default: float | None = None, low: float = -math.inf, high: float = math.inf
    ) -> float:
        """Return a member that is a number within limits; without `default` it must be there."""
        found = self.raw(name)
        if found is None:
            if default is None:
                raise self.refuse(
                    name, f"Il manque le nombre « {name} ».", f"The number '{name}' is missing.", _NUMBER
                )
            return default
        value = number_in(found) if isinstance(found, str) else found
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            said = str(found)[:60]
            raise self.refuse(name, f"« {said} » n'est pas un nombre.", f"'{said}' is not a number.", _NUMBER)
        if not low <= value <= high:
            raise self.refuse(
                name, f"{value:g} n'est pas entre {low:g} et {high:g}.", f"{value:g} is not between {low:g} and {high:g}."
            )  # fmt: skip
        return float(value)

    def whole(
        self, name: str, default: int | None = None, low: float = -math.inf, high: float = math.inf
    ) -> int:
        """Return a member that is a whole number within limits."""
        value = self.number(name, default, low, high)
        if value != int(value):
            raise self.refuse(
                name, f"{value:g} n'est pas un nombre entier.", f"{value:g} is not a whole number."
            )
        return int(value)

    def text(self, name: str, default: str | None = None) -> str:
        """Return a member that is a line of text."""
        found = self.raw(name)
        if found is None and default is not None:
            return default
        if not isinstance(found, str) or not found.strip():
            raise self.refuse(name, f"Il manque le texte « {name} ».", f"The text '{name}' is missing.")
        return found.strip()

    def title(self, name: str = "title", default: Text | None = None) -> Text:
        """Return a member that is a text, in one language or as `{fr, en}`."""
        found = self.raw(name)
        if isinstance(found, Mapping) and isinstance(found.get("fr"), str):
            return Text(found["fr"], str(found.get("en") or found["fr"]))
        if found is None and default is not None:
            return default
        if not isinstance(found, str) or not found.strip():
            raise self.refuse(name, f"Il manque le titre « {name} ».", f"The title '{name}' is missing.")
        return Text(found.strip(), found.strip())

    def among(self, name: str, choices: Iterable[str], default: str | None = None) -> str:
        """Return a member that is one of some words."""
        known = list(choices)
        found = self.raw(name, default)
        if found not in known:
            listed = ", ".join(known)
            raise self.refuse(
                name, f"« {str(found)[:40]} » n'est pas un choix possible.", f"'{str(found)[:40]}' is not one of the choices.",
                Text(f"Choisissez parmi : {listed}.", f"Choose among: {listed}."),
            )  # fmt: skip
        return str(found)

    def node(self, name: str) -> "Node":
        """Return a member that is an object ({} when absent)."""
        return Node(self.raw(name, {}), self.at(name))

    def each(self, name: str, read: Callable[["Node", str], T]) -> list[T]:
        """Return what `read(node, key)` makes of each item of a list or of an object's members."""
        found = self.raw(name, [])
        if isinstance(found, Mapping):
            return [read(Node(item, f"{self.at(name)}/{key}"), str(key)) for key, item in found.items()]
        if not isinstance(found, list):
            raise self.refuse(name, f"« {name} » est une liste.", f"'{name}' is a list.")
        return [read(Node(item, f"{self.at(name)}/{i}"), str(i)) for i, item in enumerate(found)]

    def done(self) -> None:
        """Refuse the members that nobody asked for: a misspelt name must not be passed over in silence."""
        for name in self.value:
            if name not in self._asked:
                known = ", ".join(sorted(self._asked))
                raise self.refuse(
                    str(name)[:40], f"« {str(name)[:40]} » n'est pas un champ d'ici.", f"'{str(name)[:40]}' is no field of this.",
                    Text(f"Les champs sont : {known}.", f"The fields are: {known}."),
                )  # fmt: skip
