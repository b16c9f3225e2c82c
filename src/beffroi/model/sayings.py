"""What the platform writes by itself and keeps: in French, said in the language of whoever reads it.

A kept text is the French of a `Text`, its `{places}` filled: as in the catalogues, the French is what a text is known
by, so what towns kept long ago is said as well. Write it and say it from one `Text`:

    LEAK = Text("Fuite de {flow} m³/j, {area}", "Leak of {flow} m³/d, {area}")
    title: str = field("Titre", "Title", words=Sayings(LEAK))
    ...
    values["title"] = LEAK.of("fr", flow=number_words(72.5), area="Centre")
"""

import re
from collections.abc import Iterable

from beffroi.model.text import Text

__all__ = ["Sayings", "named_after"]

_PLACE = re.compile(r"\{(\w+)\}")
# a number, alone or with its unit: "1 204,5", "1,05 m"
_NUMBER = re.compile(r"([-+−]?\d{1,3}(?:[ \u00a0\u202f]?\d{3})*(?:,\d+)?)([ \u00a0\u202f][^\s\d]\S{0,11})?")
_LONGEST = 500  # characters; what is longer was typed, and is not held against every text with places
_APART = str.maketrans({" ": ",", "\u00a0": ",", "\u202f": ",", ",": "."})


class Sayings:
    """The texts that one field, or one kind of note, may hold; called with a kept text and a language it says it.

    What is filled in is said too: a number by its decimal mark, and a text that is one of the sayings itself. A text
    that is none of them was typed by somebody, and stays as it is.
    """

    def __init__(self, *texts: Text) -> None:
        self._whole = {t.fr: t.en for t in texts if not _PLACE.search(t.fr)}
        # the most literal first: "{who} : consomme la nuit" before "{who} : {what}"
        placed = sorted((t for t in texts if _PLACE.search(t.fr)), key=lambda t: -len(_PLACE.sub("", t.fr)))
        self._placed = [(_pattern(t.fr), t.en) for t in placed]

    def __call__(self, kept: str, language: str) -> str:
        """Return `kept` in `language`."""
        return kept if language != "en" else self._english(kept)

    def text(self, kept: str) -> Text:
        """Return `kept` in both languages."""
        return Text(kept, self._english(kept))

    def _english(self, kept: str) -> str:
        whole = self._whole.get(kept)
        if whole is not None or len(kept) > _LONGEST:
            return whole or kept
        for pattern, english in self._placed:
            found = pattern.fullmatch(kept)
            if found is not None:
                return _PLACE.sub(lambda m, found=found: self._filled(found[m[1]]), english)  # type: ignore[misc]
        return kept

    def _filled(self, value: str) -> str:
        number = _NUMBER.fullmatch(value)
        return self._english(value) if number is None else number[1].translate(_APART) + (number[2] or "")


def named_after(name: str, kind: Text) -> Text:
    """Return in both languages the name of a series that intake named after its kind: `Température, École Colette`."""
    after = (name + ",").startswith((kind.fr + ",", kind.fr + " ("))
    return Text(name, kind.en + name[len(kind.fr) :] if after else name)


def _pattern(french: str) -> re.Pattern[str]:
    """Return what finds the values of a text in what was made from it; a place that comes twice has one value."""
    seen: set[str] = set()

    def place(name: str) -> str:
        if name in seen:
            return f"(?P={name})"
        seen.add(name)
        return f"(?P<{name}>.*?)"

    parts: Iterable[str] = _PLACE.split(french)
    return re.compile(
        "".join(place(part) if n % 2 else re.escape(part) for n, part in enumerate(parts)), re.DOTALL
    )
