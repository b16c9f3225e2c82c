"""A text as numbers: stems, pairs of stems, and pieces of words that survive typing errors."""

import zlib
from collections import defaultdict
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from beffroi.services.reports.words import plain, stems

__all__ = ["SIZE", "Features", "features_of", "weights_of"]

SIZE = 1 << 14
_WORD, _PAIR, _PIECE = 1.0, 0.6, 0.35
_LONGEST = 2_000  # characters of a text that are read

Features = tuple[NDArray[np.intp], NDArray[np.float64]]


@lru_cache(maxsize=50_000)
def _slot(name: str) -> int:
    return zlib.crc32(name.encode()) % SIZE


def weights_of(text: str, language: str = "fr") -> dict[int, float]:
    """Return the weight of each feature of a text. Its words come folded: no case, no accent."""
    found: dict[int, float] = defaultdict(float)
    words = stems(plain(text)[:_LONGEST], language)
    for word in dict.fromkeys(words):
        found[_slot(f"w {word}")] = _WORD
        for piece in _pieces(word):
            found[_slot(f"c {piece}")] = _PIECE
    for one, other in pairwise(words):
        found[_slot(f"p {one} {other}")] = _PAIR
    return dict(found)


def _pieces(word: str) -> list[str]:
    if len(word) < 4:
        return []
    edged = f"<{word}>"
    return [edged[i : i + 3] for i in range(len(edged) - 2)] + [
        edged[i : i + 4] for i in range(len(edged) - 3)
    ]


def features_of(text: str, language: str = "fr") -> Features:
    """Return the features as slots and weights of length 1 (empty for a text without a word)."""
    found = weights_of(text, language)
    slots = np.array(sorted(found), dtype=np.intp)
    values = np.array([found[int(s)] for s in slots], dtype=np.float64)
    norm = float(np.linalg.norm(values))
    return slots, values / norm if norm else values
