"""The words of the interface: French in the code, English in each package's `locale/en.po`.

The msgid is the French text itself, so a missing translation still reads well; a check refuses it all the same. What the
platform keeps in French (why a record changed, what it called a series) is said by the same catalogues: `kept(text)`. A
kept text with `{places}` is found by its values when its entry has the flag `kept` (`#, kept`).
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from babel.messages.pofile import read_po

from beffroi.model.sayings import Sayings
from beffroi.model.text import Text

__all__ = ["Words", "load_words", "po_files"]


class Words:
    """The catalogue of one language: `of(text)`, `plural(n, one, many)` and `kept(text)`."""

    def __init__(
        self, language: str, messages: Mapping[str, str | tuple[str, ...]] | None = None, sayings: Iterable[Text] = ()
    ) -> None:  # fmt: skip
        self.language = language
        self._messages = dict(messages or {})
        self._sayings = Sayings(*sayings)

    def of(self, text: str, **values: object) -> str:
        """Return `text` in this language, its `{places}` filled from `values`."""
        found = self._messages.get(text, text)
        said = found if isinstance(found, str) else found[0]
        return (said or text).format(**values) if values else (said or text)

    def kept(self, text: str) -> str:
        """Return what was kept in French in this language; what somebody typed comes back as it is."""
        found = self._messages.get(text)
        return found if isinstance(found, str) else self._sayings(text, self.language)

    def grouped(self, number: int) -> str:
        """Return a whole number with its thousands apart: narrow no-break spaces, or commas in English."""
        return f"{number:,}".replace(",", "\u202f") if self.language == "fr" else f"{number:,}"

    def plural(self, number: int, one: str, many: str, **values: object) -> str:
        """Return `one` or `many` for `number` (French: 0 and 1 are singular; English: only 1 is)."""
        single = abs(number) < 2 if self.language == "fr" else abs(number) == 1
        found = self._messages.get(one)
        if isinstance(found, tuple) and len(found) == 2 and all(found):
            one, many = found
        return (one if single else many).format(n=self.grouped(number), **values)


def po_files(packages: Iterable[Path], language: str) -> list[Path]:
    """Return the catalogues of `language` in `packages` and below, in a stable order."""
    found = {path for package in packages for path in package.rglob(f"locale/{language}.po")}
    return sorted(found)


def load_words(packages: Iterable[Path], language: str) -> Words:
    """Return the catalogue of `language`, merged from all `packages`; French is the source and needs none."""
    messages: dict[str, str | tuple[str, ...]] = {}
    sayings = []
    for path in po_files(packages, language) if language != "fr" else ():
        with path.open("rb") as file:
            for message in read_po(file, locale=language):
                key = message.id[0] if isinstance(message.id, list | tuple) else message.id
                if key and message.string:
                    said = message.string
                    messages[key] = said if isinstance(said, str) else tuple(said)
                if "kept" in message.flags:
                    sayings.append(Text(key, str(message.string)))
    return Words(language, messages, sayings)
