"""Words of a citizen's text as a machine compares them: no accents, no case, stems, without the empty words."""

import re
import unicodedata
from collections.abc import Collection
from functools import cache, lru_cache
from typing import Any

__all__ = ["as_written", "plain", "stems"]

_WORD = re.compile(r"[a-z0-9]{2,}")
_WRITTEN = re.compile(r"\w+")
_EMPTY = frozenset(
    [
        "a",
        "ai",
        "ainsi",
        "alors",
        "apres",
        "as",
        "au",
        "aucun",
        "aussi",
        "autre",
        "aux",
        "avant",
        "avec",
        "avoir",
        "bien",
        "bonjour",
        "car",
        "ce",
        "cela",
        "ces",
        "cet",
        "cette",
        "chez",
        "ci",
        "comme",
        "dans",
        "de",
        "depuis",
        "des",
        "deux",
        "du",
        "elle",
        "en",
        "encore",
        "est",
        "et",
        "ete",
        "etre",
        "eu",
        "fait",
        "il",
        "ils",
        "je",
        "jour",
        "jours",
        "la",
        "le",
        "les",
        "leur",
        "lui",
        "ma",
        "mais",
        "me",
        "meme",
        "merci",
        "mes",
        "moi",
        "mon",
        "ne",
        "nos",
        "notre",
        "nous",
        "on",
        "ont",
        "ou",
        "par",
        "pas",
        "plus",
        "pour",
        "qu",
        "que",
        "qui",
        "sa",
        "sans",
        "se",
        "ses",
        "si",
        "son",
        "sont",
        "sur",
        "ta",
        "te",
        "tes",
        "toi",
        "ton",
        "tous",
        "tout",
        "toute",
        "tres",
        "trop",
        "tu",
        "un",
        "une",
        "va",
        "vers",
        "vos",
        "votre",
        "vous",
        "voudrais",
        "signale",
        "signaler",
        "an",
        "and",
        "are",
        "at",
        "be",
        "been",
        "but",
        "by",
        "for",
        "from",
        "has",
        "have",
        "he",
        "her",
        "his",
        "i",
        "in",
        "is",
        "it",
        "its",
        "my",
        "not",
        "of",
        "or",
        "our",
        "she",
        "so",
        "that",
        "the",
        "their",
        "them",
        "there",
        "they",
        "this",
        "to",
        "was",
        "we",
        "were",
        "what",
        "when",
        "which",
        "who",
        "will",
        "with",
        "you",
        "your",
        "hello",
        "please",
        "thanks",
    ]
)


def plain(text: str) -> str:
    """Return `text` in lower case without accents or ligatures."""
    flat = unicodedata.normalize("NFKD", text.lower().replace("œ", "oe").replace("æ", "ae"))
    return "".join(c for c in flat if not unicodedata.combining(c))


@cache
def _stemmer(language: str) -> Any:
    import snowballstemmer  # noqa: PLC0415 -- thirty languages, when words are first compared

    return snowballstemmer.stemmer("english" if language == "en" else "french")


@lru_cache(maxsize=50_000)
def _stem(word: str, language: str) -> str:
    return str(_stemmer(language).stemWord(word))


def stems(text: str, language: str = "fr") -> tuple[str, ...]:
    """Return the stems of the words of `text` that mean something, in order."""
    return tuple(_stem(word, language) for word in _WORD.findall(plain(text)) if word not in _EMPTY)


def as_written(text: str, wanted: Collection[str], language: str = "fr") -> list[str]:
    """Return the words of `text` whose stems are `wanted`, as people wrote them, each once, in their order."""
    found: dict[str, str] = {}
    for word in _WRITTEN.findall(text):
        for stem in stems(word, language):
            if stem in wanted:
                found.setdefault(stem, word.lower())
    return list(dict.fromkeys(found.values()))
