"""How good the classifier is on a town's own texts, and the temperature and threshold that make it honest.

Every figure is of texts that the model had not learned: five folds, and inside each the temperature and the threshold
are chosen on folds of the learning part.
"""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.reports.categories.classifier import ABSTAINS, Category, Classifier, softmax
from beffroi.services.reports.csv_file import opened, unreadable

__all__ = ["Bin", "Verdict", "calibrate", "evaluate", "read_texts", "threshold_for"]

Floats = NDArray[np.float64]
_FOLDS, _INNER = 5, 4
_RIGHT = 0.95
_TEMPERATURES = np.geomspace(0.15, 4.0, 34)
Texts = Sequence[tuple[str, str]]


class Bin(msgspec.Struct, frozen=True):
    """A band of probability: what was said on average, and the share that was right."""

    low: float
    high: float
    n: int
    said: float
    right: float


class Verdict(msgspec.Struct, frozen=True):
    """The measures. `accepted` is the share of texts given a category, `accepted_accuracy` how many of them rightly
    (None when none was); `confusion` counts `[truth][said]` over `codes`, abstentions left out of nothing: `said` is
    the likeliest. `calibration_error` is the mean gap between said and right, weighted (ECE)."""

    n: int
    accuracy: float
    macro_f1: float
    accepted: float
    accepted_accuracy: float | None
    calibration_error: float
    codes: tuple[str, ...]
    confusion: list[list[int]]
    calibration: tuple[Bin, ...]


def _folds(texts: Texts, n: int) -> NDArray[np.intp]:
    """Return the fold of each text, each category spread over the folds."""
    met: dict[str, int] = {}
    folds = np.zeros(len(texts), dtype=np.intp)
    for i in map(int, np.random.default_rng(1).permutation(len(texts))):
        code = texts[i][1]
        folds[i] = met.get(code, len(met)) % n
        met[code] = int(folds[i]) + 1
    return folds


def _unseen_scores(categories: Sequence[Category], texts: Texts, language: str, folds: int) -> Floats:
    """Return the scores of each text by a model that learned the other folds."""
    fold = _folds(texts, folds)
    scores = np.zeros((len(texts), len(categories)))
    for f in range(folds):
        model = Classifier(categories, language)
        model.learn([t for t, k in zip(texts, fold, strict=True) if k != f])
        for i in np.flatnonzero(fold == f):
            scores[i] = model.scores(texts[int(i)][0])
    return scores


def threshold_for(probability: Floats, right: NDArray[np.bool_], wanted: float = _RIGHT) -> float:
    """Return the lowest threshold, never under 40 %, above which `wanted` of the guesses are right.

    The share is judged with two more guesses of which one is wrong: a handful of right guesses proves nothing.
    """
    for threshold in np.arange(round(ABSTAINS * 100), 100) / 100:
        taken = right[probability >= threshold]
        if len(taken) and (taken.sum() + 1) / (len(taken) + 2) >= wanted:
            return float(threshold)
    return 0.99


def calibrate(model: Classifier, texts: Texts) -> None:
    """Set the temperature and the threshold of `model` from what models taught with parts of `texts` say of the rest;
    with fewer than 20 texts both stay as they are."""
    known = [t for t in texts if t[1] in model.rank]
    if len(known) < 20:
        return
    scores = _unseen_scores(model.categories, known, model.language, _INNER)
    truth = np.array([model.rank[code] for _, code in known])

    def loss(temperature: float) -> float:
        p = softmax(scores / temperature)[np.arange(len(truth)), truth]
        return float(-np.log(np.maximum(p, 1e-12)).mean())

    model.temperature = float(min(_TEMPERATURES, key=loss))
    p = softmax(scores / model.temperature)
    model.threshold = threshold_for(p.max(1), p.argmax(1) == truth)


def evaluate(categories: Sequence[Category], texts: Texts, language: str = "fr") -> Verdict:
    """Return the measures over texts `(text, code)`, each judged by a model that learned the others' folds."""
    codes = tuple(c.code for c in categories)
    rank = {code: i for i, code in enumerate(codes)}
    known = [t for t in texts if t[1] in rank]
    if len(known) < _FOLDS:
        raise Problem(
            Text(f"Il faut au moins {_FOLDS} textes de catégories connues.", f"At least {_FOLDS} texts of known categories are needed.")
        )  # fmt: skip
    fold = _folds(known, _FOLDS)
    p, taken = np.zeros((len(known), len(codes))), np.zeros(len(known), dtype=np.bool_)
    for f in range(_FOLDS):
        others = [t for t, k in zip(known, fold, strict=True) if k != f]
        model = Classifier(categories, language)
        model.learn(others)
        calibrate(model, others)
        for i in np.flatnonzero(fold == f).tolist():
            p[i] = model.probabilities(known[i][0])
            taken[i] = p[i].max() >= model.threshold
    return _verdict(codes, p, taken, np.array([rank[code] for _, code in known]))


def _verdict(codes: tuple[str, ...], p: Floats, taken: NDArray[np.bool_], truth: NDArray[np.intp]) -> Verdict:
    said, sure = p.argmax(1), p.max(1)
    confusion = np.zeros((len(codes), len(codes)), dtype=np.intp)
    np.add.at(confusion, (truth, said), 1)
    right = said == truth
    there = confusion.sum(1) > 0
    f1 = 2 * np.diag(confusion) / np.maximum(confusion.sum(0) + confusion.sum(1), 1)
    bins = []
    for low, high in zip(np.arange(0, 10) / 10, np.arange(1, 11) / 10, strict=True):
        inside = (sure >= low) & ((sure < high) | (high == 1.0))
        if inside.any():
            bins.append(
                Bin(
                    float(low),
                    float(high),
                    int(inside.sum()),
                    float(sure[inside].mean()),
                    float(right[inside].mean()),
                )
            )
    return Verdict(
        n=len(truth),
        accuracy=float(right.mean()),
        macro_f1=float(f1[there].mean()),
        accepted=float(taken.mean()),
        accepted_accuracy=float(right[taken].mean()) if taken.any() else None,
        calibration_error=sum(b.n * abs(b.said - b.right) for b in bins) / len(truth),
        codes=codes,
        confusion=confusion.tolist(),
        calibration=tuple(bins),
    )


_MEND = Text("Donnez un CSV ou une liste JSON, en UTF-8.", "Give a CSV or a JSON list, in UTF-8.")
_TEXT = ("text", "description", "issue_description")
_CODE = ("category", "service_code", "issue_type")


def read_texts(path: Path) -> list[tuple[str, str]]:
    """Return `(text, category)` of a JSON list of objects or a CSV. Columns: `text` or `description` or
    `issue_description`; `category` or `service_code` or `issue_type`. Raises `Problem` naming the row."""
    rows: Any
    if path.suffix == ".json":
        try:
            rows = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise unreadable(path, error, _MEND) from error
    else:
        with opened(path, _MEND) as lines:
            rows = list(csv.DictReader(lines, restval=""))
    if not isinstance(rows, list):
        raise Problem(Text("Il faut une liste d'objets.", "A list of objects is needed."), place="/")
    return [_text(row, i) for i, row in enumerate(rows)]


def _text(row: Any, rank: int) -> tuple[str, str]:
    fields = row if isinstance(row, dict) else {}
    text = next((fields[k] for k in _TEXT if k in fields), None)
    code = next((fields[k] for k in _CODE if k in fields), None)
    if not isinstance(text, str) or not isinstance(code, str):
        raise Problem(
            Text("Il manque un texte ou une catégorie.", "A text or a category is missing."),
            Text("Colonnes : text et category.", "Columns: text and category."),
            place=f"/{rank}",
        )
    return text, code
