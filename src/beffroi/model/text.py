"""Text that a person reads, in the languages Beffroi speaks."""

from typing import Literal

import msgspec

__all__ = ["LANGUAGES", "Language", "Text"]

Language = Literal["fr", "en"]
LANGUAGES: tuple[Language, ...] = ("fr", "en")


class Text(msgspec.Struct, frozen=True):
    """One text in French and in English.

    `Text("Capteur muet depuis {hours} h", "Sensor silent for {hours} h").of("fr", hours=3)`
    """

    fr: str
    en: str

    def of(self, language: str, **values: object) -> str:
        """Return the text in `language` (French unless "en"), its `{places}` filled from `values`."""
        text = self.en if language == "en" else self.fr
        return text.format(**values) if values else text

    def filled(self, **values: object) -> "Text":
        """Return the text with its `{places}` filled in both languages."""
        return Text(self.fr.format(**values), self.en.format(**values))
