"""Pages: a score in the manner of EcoIndex, computed here, from what a page weighs, asks for and holds.

    score = 100 − 5 × (3 q(elements) + 2 q(requests) + q(kilobytes)) / 6

q is the place of the value among the published twentieths of the web's pages (HTTP Archive, cnumr/EcoIndex).
"""

from collections.abc import Sequence

__all__ = ["ecoindex", "grade"]

ELEMENTS = (
    0,
    47,
    75,
    159,
    233,
    298,
    358,
    417,
    476,
    537,
    603,
    674,
    753,
    843,
    949,
    1076,
    1237,
    1459,
    1801,
    2479,
    594601,
)
REQUESTS = (0, 2, 15, 25, 34, 42, 49, 56, 63, 70, 78, 86, 95, 105, 117, 130, 147, 170, 205, 281, 3920)
KILOBYTES = (
    0, 1.37, 144.7, 319.53, 479.46, 631.97, 783.38, 937.91, 1098.62, 1265.47, 1448.32, 1648.27, 1876.08, 2142.06, 2465.37,
    2866.31, 3401.59, 4155.73, 5400.08, 8037.54, 223212.26,
)  # fmt: skip
GRADES = ((80, "A"), (70, "B"), (55, "C"), (40, "D"), (25, "E"), (10, "F"))


def _place(levels: Sequence[float], value: float) -> float:
    for n in range(1, len(levels)):
        if value < levels[n]:
            return n - 1 + (value - levels[n - 1]) / (levels[n] - levels[n - 1])
    return len(levels) - 1.0


def ecoindex(elements: int, requests: int, weight: int) -> float:
    """Return the score, 0 to 100 (best), of a page of so many elements, requests and bytes."""
    whole = 3 * _place(ELEMENTS, elements) + 2 * _place(REQUESTS, requests) + _place(KILOBYTES, weight / 1000)
    return 100 - 5 * whole / 6


def grade(score: float) -> str:
    """Return the letter of a score, A (best) to G."""
    return next((letter for least, letter in GRADES if score > least), "G")
