"""Personal words: what in a text of citizens may tell who someone is, so that an agent looks before all can read.

Telephone numbers, mail addresses, number plates and names after a title; French habits, by pattern. A pattern does
not understand: it is a reason to look, never to refuse.
"""

import re

import msgspec

__all__ = ["Found", "masked", "personal_words"]


class Found(msgspec.Struct, frozen=True):
    """Something personal in a text: what it is, and where it starts and ends."""

    kind: str  # mail, phone, plate, name
    start: int
    end: int


_NAME = r"[A-ZÀ-ÖØ-Þ][\w'’-]+"
_PATTERNS = (
    ("mail", re.compile(r"[\w.+-]+\s?@\s?[\w-]+(?:\.[\w-]+)+")),
    ("phone", re.compile(r"(?<![\d/])(?:(?:\+|00)33[\s.-]?(?:\(0\)[\s.-]?)?|0)[1-9](?:[\s.-]?\d{2}){4}(?!\d)")),
    ("plate", re.compile(r"\b[A-HJ-NP-TV-Z]{2}[\s-]?\d{3}[\s-]?[A-HJ-NP-TV-Z]{2}\b", re.IGNORECASE)),
    ("plate", re.compile(r"\b\d{2,4}\s?[A-Z]{2,3}\s?(?:\d{2}|2[AB])\b")),  # before 2009
    ("name", re.compile(rf"\b(?:M\.|Mr\.?|MM\.|Mme|Mlle|Monsieur|Madame|Mademoiselle|Mrs\.?|Ms\.?)\s+{_NAME}(?:[ -]{_NAME})*")),
)  # fmt: skip
_WORD = {"mail": "[courriel]", "phone": "[téléphone]", "plate": "[immatriculation]", "name": "[nom]"}
# Titles that begin a place's or an office's name, not a person's.
_NO_NAME = re.compile(r"(?:M\.|Monsieur|Madame|Mme)\s+(?:le|la|l'|Le|La|L'|Maire|Adjoint)", re.UNICODE)


def personal_words(text: str) -> list[Found]:
    """Return what may be personal in a text, in order, without overlaps."""
    found: list[Found] = []
    for kind, pattern in _PATTERNS:
        for match in pattern.finditer(text):
            clear = all(match.end() <= f.start or match.start() >= f.end for f in found)
            if clear and not (kind == "name" and _NO_NAME.match(match[0])):
                found.append(Found(kind, match.start(), match.end()))
    return sorted(found, key=lambda f: f.start)


def masked(text: str) -> str:
    """Return the text with each personal word replaced by what it is."""
    for found in reversed(personal_words(text)):
        text = text[: found.start] + _WORD[found.kind] + text[found.end :]
    return text
