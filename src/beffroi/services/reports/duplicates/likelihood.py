"""How likely two reports tell of one thing, and why, in words.

A logistic law over distance, delay, still-open, same address, same category, density around, photo and text. No
clue decides alone: a different category only weighs. The coefficients that ship (`likelihood.json`) are ours; that
file says how they were made and `python -m bench.duplicates_model` makes them again. A town learns its own with `learn`.
"""

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.model.text import Text
from beffroi.services.reports.words import as_written

__all__ = ["CLUES", "Likelihood", "Reason", "Sighting", "clues", "learn", "photo_print", "shipped"]

Floats = NDArray[np.float64]
_ALIKE_BITS = 10  # of 64 that may differ between two prints of one scene


class Sighting(msgspec.Struct, frozen=True):
    """A report as it is compared. `x`, `y` metres of one plane; `at`, `closed` days of one origin; `address` in one
    spelling, "" unknown; `stems` of its text; `photo` a 64-bit print (`photo_print`), None without one."""

    id: int
    x: float
    y: float
    at: float
    closed: float | None = None
    category: str = ""
    address: str = ""
    stems: frozenset[str] = frozenset()
    photo: int | None = None
    said: str = ""  # the text as it was written, to tell which words two have in common


CLUES = (
    "always",
    "nearness_10_m",  # exp(-metres/10)
    "nearness_40_m",
    "delay",  # log(1 + days)
    "open",  # the earlier one was open when the later one came
    "same_address",  # 1 the same, -1 another, 0 one is unknown
    "same_category",  # the same
    "density",  # log(1 + others open within 50 m)
    "same_photo",  # 1 alike, 0 unlike or one is missing
    "text",  # likeness 0…1 less 0.2, 0 when one has no text
)
# What each clue may say: 1 only for, -1 only against, 0 either.
_SENSE = {
    "always": 0, "nearness_10_m": 1, "nearness_40_m": 1, "delay": -1, "open": 1, "same_address": 1, "same_category": 1,
    "density": -1, "same_photo": 1, "text": 1,
}  # fmt: skip


def clues(new: Sighting, old: Sighting, around: int = 0) -> tuple[float, ...]:
    """Return the values of `CLUES` for `new`, which comes after `old`; `around` is how many other open reports lie
    within 50 m."""
    metres = math.hypot(new.x - old.x, new.y - old.y)
    return (
        1.0,
        math.exp(-metres / 10),
        math.exp(-metres / 40),
        math.log1p(max(new.at - old.at, 0.0)),
        float(old.closed is None or old.closed >= new.at),
        0.0 if not new.address or not old.address else 1.0 if new.address == old.address else -1.0,
        float(bool(new.category) and new.category == old.category),
        math.log1p(around),
        float(_photos_alike(new.photo, old.photo)),
        _text_likeness(new.stems, old.stems) - 0.2 if new.stems and old.stems else 0.0,
    )


def _photos_alike(one: int | None, other: int | None) -> bool:
    return one is not None and other is not None and (one ^ other).bit_count() <= _ALIKE_BITS


def _text_likeness(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / math.sqrt(len(one) * len(other))


def photo_print(grey: NDArray[np.generic]) -> int:
    """Return the 64-bit difference print of a grey picture (rows x columns): whether each of 8 x 9 blocks is darker
    than its right neighbour. Scaling and compression hardly change it (N. Krawetz, dHash, 2013)."""
    rows = np.array_split(np.asarray(grey, dtype=np.float64), 8, axis=0)
    blocks = np.array([[part.mean() for part in np.array_split(row, 9, axis=1)] for row in rows])
    bits = (blocks[:, :-1] < blocks[:, 1:]).ravel()
    return int("".join("1" if bit else "0" for bit in bits), 2)


class Reason(msgspec.Struct, frozen=True):
    """One thing that speaks for (weight > 0) or against, in words."""

    text: Text
    weight: float


class Likelihood(msgspec.Struct, frozen=True):
    """The law: one coefficient per clue, and how they were made."""

    coefficients: dict[str, float]
    made: str = ""

    def log_odds(self, values: Sequence[float]) -> float:
        """Return the log odds of one pair's clues."""
        return sum(self.coefficients[name] * value for name, value in zip(CLUES, values, strict=True))

    def probability(self, new: Sighting, old: Sighting, around: int = 0) -> float:
        """Return the probability that both tell of one thing."""
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, self.log_odds(clues(new, old, around))))))

    def reasons(self, new: Sighting, old: Sighting, around: int = 0) -> list[Reason]:
        """Return what speaks for and against, the heaviest first."""
        values = dict(zip(CLUES, clues(new, old, around), strict=True))
        weight = {name: self.coefficients[name] * value for name, value in values.items()}
        metres = math.hypot(new.x - old.x, new.y - old.y)
        days = max(new.at - old.at, 0.0)
        found = [
            _reason_of_distance(metres, weight["nearness_10_m"] + weight["nearness_40_m"], self.coefficients)
        ]
        found.append(Reason(_since(days), weight["delay"]))
        found += [
            Reason(text, weight[name])
            for name, text in (
                ("same_address", _SAME_ADDRESS if values["same_address"] > 0 else _OTHER_ADDRESS),
                ("same_category", _SAME_CATEGORY),
                ("same_photo", _SAME_PHOTO),
            )
            if values[name]
        ]
        found.append(
            Reason(_OPEN, weight["open"]) if values["open"] else Reason(_CLOSED, -self.coefficients["open"])
        )
        shared = new.stems & old.stems
        if shared:
            words = ", ".join((as_written(new.said, shared) or sorted(shared))[:5])
            found.append(Reason(Text(f"mots communs : {words}", f"words in common: {words}"), weight["text"]))
        if around:
            found.append(Reason(Text(f"{around} autres signalements ouverts autour", f"{around} other open reports around"),
                                weight["density"]))  # fmt: skip
        return sorted(found, key=lambda r: -abs(r.weight))


_SAME_ADDRESS = Text("même adresse", "same address")
_OTHER_ADDRESS = Text("autre adresse", "another address")
_SAME_CATEGORY = Text("même catégorie", "same category")
_SAME_PHOTO = Text("photo semblable", "similar photo")
_OPEN = Text("encore ouvert", "still open")
_CLOSED = Text("déjà clos", "already closed")
_HALFWAY_M = 25.0  # from here on distance speaks against


def _reason_of_distance(metres: float, weight: float, coefficients: dict[str, float]) -> Reason:
    """Return the distance in words; its weight is told against that of a place at `_HALFWAY_M`."""
    halfway = coefficients["nearness_10_m"] * math.exp(-_HALFWAY_M / 10)
    halfway += coefficients["nearness_40_m"] * math.exp(-_HALFWAY_M / 40)
    text = (
        Text("au même point", "at the same point")
        if metres < 2
        else Text(f"à {metres:.0f} m", f"{metres:.0f} m away")
    )
    return Reason(text, weight - halfway)


def _since(days: float) -> Text:
    if days < 1 / 24:
        return Text("à moins d'une heure d'écart", "less than an hour apart")
    if days < 2:
        return Text(f"à {days * 24:.0f} h d'écart", f"{days * 24:.0f} h apart")
    return Text(f"à {days:.0f} jours d'écart", f"{days:.0f} days apart")


def learn(
    pairs: Floats, same: NDArray[np.bool_], prior: Likelihood | None = None, strength: float = 1.0
) -> dict[str, float]:
    """Return the coefficients learned from rows of clues and whether both were one thing.

    With few pairs the result stays at `prior` (zero without one): a normal law of precision `strength` around it. A
    clue never speaks against its sense (being nearer never lowers the likelihood): one that would is left at zero.
    """
    centre = np.array([prior.coefficients[name] if prior else 0.0 for name in CLUES])
    sense = np.array([_SENSE[name] for name in CLUES])
    used = np.ones(len(CLUES), dtype=np.bool_)
    while True:
        values = np.zeros(len(CLUES))
        values[used] = _newton(pairs[:, used], same, centre[used], strength)
        against = values * sense < 0
        if not against.any():
            return dict(zip(CLUES, map(float, values), strict=True))
        used &= ~against


def _newton(pairs: Floats, same: NDArray[np.bool_], centre: Floats, strength: float) -> Floats:
    """Return the mode of a logistic law with a normal prior around `centre`."""

    def height(at: Floats) -> float:
        odds = pairs @ at
        return float((same * odds - np.logaddexp(0, odds)).sum() - strength / 2 * ((at - centre) ** 2).sum())

    values, reached = centre.copy(), height(centre)
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(pairs @ values, -50, 50)))
        slope = pairs.T @ (same - p) - strength * (values - centre)
        bend = (pairs * (p * (1 - p))[:, None]).T @ pairs + strength * np.eye(len(values))
        step = np.linalg.solve(bend, slope)
        while (tried := height(values + step)) < reached and np.abs(step).max() > 1e-9:
            step = step / 2
        if np.abs(step).max() <= 1e-9:
            break
        values, reached = values + step, tried
    return values


@cache
def shipped() -> Likelihood:
    """Return the law that ships, for a town's first day."""
    return msgspec.json.decode(Path(__file__).with_name("likelihood.json").read_bytes(), type=Likelihood)
