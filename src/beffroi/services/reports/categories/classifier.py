"""The classifier: names and synonyms first, a linear law on top that each correction moves a little.

log p ∝ sharpness · match(category, text) + W·x, softened by a temperature fitted on corrections. `match` is the share
of a name's or synonym's weight that the text covers, rare pieces weighing more. Below `threshold` it abstains: a
person decides. A model file is arrays and text only (npz read without pickle): it cannot hold code.
"""

import io
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from zipfile import BadZipFile

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.reports.categories.features import SIZE, features_of, weights_of

__all__ = ["ABSTAINS", "Category", "Classifier", "Guess"]

Floats = NDArray[np.float64]
ABSTAINS = 0.4
"""Probability below which a person decides, as in Amsterdam's public register."""
_SHARPNESS = 7.0
_SECOND = 0.25  # what a second synonym that fits adds
_RATE = 0.6
_PASSES = 4
_FORMAT = 1


class Category(msgspec.Struct, frozen=True):
    """A category as the classifier sees it: `names` and `synonyms`, French and English together."""

    code: str
    names: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()

    @property
    def phrases(self) -> tuple[str, ...]:
        """Return names and synonyms without blanks."""
        return tuple(p.strip() for p in (*self.names, *self.synonyms) if p.strip())


class Guess(msgspec.Struct, frozen=True):
    """What is thought of a text: `code` is None when unsure; `likely` are the best ones with their probabilities."""

    code: str | None
    probability: float
    likely: tuple[tuple[str, float], ...]


class Classifier:
    """A classifier of texts into `categories`."""

    def __init__(self, categories: Sequence[Category], language: str = "fr") -> None:
        if len({c.code for c in categories}) != len(categories) or not categories:
            raise Problem(
                Text("Il faut des catégories, chacune une fois.", "Categories are needed, each once."),
                place="categories",
            )
        self.categories = tuple(categories)
        self.language = language
        self.codes = tuple(c.code for c in categories)
        self.rank = {code: i for i, code in enumerate(self.codes)}
        self.weights = np.zeros((SIZE, len(categories)))
        self.squares = np.zeros((SIZE, len(categories)))
        self.learned = 0
        self.temperature = 1.0
        self.threshold = ABSTAINS
        self._phrases = [
            (k, weights_of(phrase, language)) for k, c in enumerate(categories) for phrase in c.phrases
        ]
        met = Counter(slot for slot, _ in {(s, k) for k, phrase in self._phrases for s in phrase})
        self._rarity = {s: math.log(1 + len(categories) / n) for s, n in met.items()}
        self._index: dict[int, list[tuple[int, float]]] = {}
        for number, (_, phrase) in enumerate(self._phrases):
            total = sum(w * self._rarity[s] for s, w in phrase.items()) or 1.0
            for slot, weight in phrase.items():
                self._index.setdefault(slot, []).append((number, weight * self._rarity[slot] / total))

    def _match(self, text: str) -> Floats:
        """Return, per category, how well its names and synonyms are covered by the text (0 to about 1.25)."""
        covered: dict[int, float] = {}
        for slot in weights_of(text, self.language):
            for number, share in self._index.get(slot, ()):
                covered[number] = covered.get(number, 0.0) + share
        best, second = np.zeros(len(self.codes)), np.zeros(len(self.codes))
        for number, share in covered.items():
            k = self._phrases[number][0]
            if share > best[k]:
                best[k], second[k] = share, best[k]
            elif share > second[k]:
                second[k] = share
        return best**2 + _SECOND * second**2

    def scores(self, text: str) -> Floats:
        """Return the log odds of each category before temperature."""
        slots, values = features_of(text, self.language)
        found: Floats = _SHARPNESS * self._match(text) + values @ self.weights[slots]
        return found

    def probabilities(self, text: str) -> Floats:
        """Return the probability of each category, in the order of `codes`."""
        return softmax(self.scores(text) / self.temperature)

    def guess(self, text: str, most: int = 3) -> Guess:
        """Return what is thought of `text`; its `code` is None below the threshold."""
        p = self.probabilities(text)
        order = np.argsort(-p, kind="stable")[:most]
        best = float(p[order[0]])
        likely = tuple((self.codes[k], float(p[k])) for k in order)
        return Guess(likely[0][0] if best >= self.threshold else None, best, likely)

    def correct(self, text: str, code: str) -> None:
        """Learn that `text` is of category `code`; a code that is not (or no longer) a category teaches nothing."""
        if code in self.rank:
            self.learned += 1
            slots, values = features_of(text, self.language)
            self._step(_SHARPNESS * self._match(text), slots, values, self.rank[code])

    def learn(self, corrected: Iterable[tuple[str, str]]) -> None:
        """Learn from many `(text, code)` at once, going over them several times."""
        ready = [
            (_SHARPNESS * self._match(text), *features_of(text, self.language), self.rank[code])
            for text, code in corrected
            if code in self.rank
        ]
        self.learned += len(ready)
        chance = np.random.default_rng(0)
        for _ in range(_PASSES):
            for i in chance.permutation(len(ready)):
                self._step(*ready[i])

    def _step(self, match: Floats, slots: NDArray[np.intp], values: Floats, truth: int) -> None:
        """Take one step of AdaGrad (Duchi, Hazan & Singer 2011) on the log loss."""
        error = softmax(match + values @ self.weights[slots])
        error[truth] -= 1
        slope = values[:, None] * error[None, :]
        self.squares[slots] += slope**2
        self.weights[slots] -= _RATE * slope / (np.sqrt(self.squares[slots]) + 1e-6)

    def to_bytes(self) -> bytes:
        """Return the model as an npz archive of plain arrays."""
        rows = np.flatnonzero(np.abs(self.weights).sum(1))
        about = msgspec.json.encode({
            "format": _FORMAT, "language": self.language, "learned": self.learned, "temperature": self.temperature,
            "threshold": self.threshold, "categories": [msgspec.to_builtins(c) for c in self.categories],
        })  # fmt: skip
        out = io.BytesIO()
        np.savez_compressed(out, about=np.frombuffer(about, np.uint8), rows=rows.astype(np.int32),
                            weights=self.weights[rows], squares=self.squares[rows])  # fmt: skip
        return out.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes, categories: Sequence[Category] | None = None) -> "Classifier":
        """Return the model of `to_bytes`; with `categories` of today, what was learned of each code that remains is
        kept. Raises `Problem` when the bytes are not such a model."""
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as kept:
                about = msgspec.json.decode(kept["about"].tobytes())
                rows, weights, squares = kept["rows"], kept["weights"], kept["squares"]
            old = msgspec.convert(about["categories"], tuple[Category, ...])
            model = cls(old if categories is None else categories, about["language"])
            ours = [model.rank[c.code] for c in old if c.code in model.rank]
            theirs = [i for i, c in enumerate(old) if c.code in model.rank]
            model.weights[np.ix_(rows, ours)] = weights[:, theirs]
            model.squares[np.ix_(rows, ours)] = squares[:, theirs]
            model.learned, model.temperature, model.threshold = (
                about["learned"],
                about["temperature"],
                about["threshold"],
            )
        except (
            ValueError,
            KeyError,
            IndexError,
            TypeError,
            OSError,
            EOFError,
            BadZipFile,
            msgspec.MsgspecError,
        ) as error:
            raise Problem(
                Text("Ce fichier n'est pas un modèle de catégories.", "This file is not a model of categories."),
                Text("Effacez-le : le modèle réapprend des corrections.", "Delete it: the model learns again from corrections."),
            ) from error  # fmt: skip
        return model

    def save(self, path: Path) -> None:
        """Write the model, whole or not at all."""
        beside = path.with_suffix(".part")
        beside.write_bytes(self.to_bytes())
        beside.replace(path)


def softmax(scores: Floats) -> Floats:
    """Return probabilities in proportion to exp(scores), over the last axis."""
    grown = np.exp(scores - scores.max(axis=-1, keepdims=True))
    found: Floats = grown / grown.sum(axis=-1, keepdims=True)
    return found
