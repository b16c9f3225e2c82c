"""Learn from one log which reports of a later one are duplicates, and measure it.

Gradient-boosted trees over `circumstances`, several seeds averaged; the threshold is chosen on predictions made
inside the training log alone, always of later blocks from earlier ones.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from itertools import pairwise
from typing import Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.reports.duplicates.circumstances import NAMES, circumstances
from beffroi.services.reports.duplicates.log import Logged

__all__ = ["Prediction", "Score", "average_precision", "predict_duplicates", "score", "threshold_of"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
_SEEDS = 6
_BLOCKS = (0.4, 0.55, 0.7, 0.85, 1.0)  # shares of the training log, in time
_RECALL = 0.94  # what the threshold must keep in training, a little above the 0.93 that is asked
_FEW = 25  # duplicates: below, nothing is learned


class Prediction(msgspec.Struct, frozen=True):
    """What was said of one report, and what the log says (None: its status is blank)."""

    number: str
    probability: float
    duplicate: bool
    truth: bool | None


class Score(msgspec.Struct, frozen=True):
    """How good predictions were, over the reports whose status is known."""

    precision: float
    recall: float
    f1: float
    average_precision: float
    n: int
    positives: int


def predict_duplicates(
    train: Sequence[Logged], test: Sequence[Logged], progress: Callable[[float], None] = lambda _: None
) -> list[Prediction]:
    """Return a prediction for each report of `test`, in its order, learned from `train` alone.

    Earlier reports of both logs are the past of a report. Raises `Problem` when `train` has no duplicate at all.
    """
    known = {r.number: r for r in (*test, *train)}
    every = sorted(known.values(), key=lambda r: (r.created, r.number))
    rank = {r.number: i for i, r in enumerate(every)}
    facts = circumstances(every, lambda share: progress(share * 0.3))
    learned = [(rank[r.number], r.duplicate) for r in train if r.duplicate is not None]
    rows = np.array([i for i, _ in learned], dtype=np.intp)
    truth = np.array([d for _, d in learned], dtype=np.bool_)
    if not truth.any():
        raise Problem(
            Text("Le premier fichier n'a aucun doublon.", "The first file has no duplicate."),
            Text(
                "Apprendre demande des lignes dont « status » finit par « Dup ».",
                "Learning needs rows whose 'status' ends with 'Dup'.",
            ),
            place="status",
        )
    asked = np.array([rank[r.number] for r in test], dtype=np.intp)
    if truth.sum() < _FEW:
        probability, threshold = _by_rule(facts[asked]), 0.5
    else:
        threshold = _tuned(facts[rows], truth, lambda share: progress(0.3 + share * 0.5))
        probability = _learned(facts[rows], truth)(facts[asked])
    progress(1.0)
    return [
        Prediction(r.number, float(p), bool(p >= threshold), r.duplicate)
        for r, p in zip(test, probability, strict=True)
    ]


def _by_rule(facts: Floats) -> Floats:
    """Return what is said with too little to learn from: an open report of the same place, the more recent the likelier."""
    since = facts[:, NAMES.index("since_last_open")]
    return np.where(np.isnan(since), 0.01, 0.5 + 0.3 / (1 + np.nan_to_num(since)))


def _somewhere(facts: Floats) -> Bools:
    """Return which reports have an open one within 100 m or of the same address."""
    near: Bools = (facts[:, NAMES.index("open")] > 0) | (facts[:, NAMES.index("near_open")] > 0)
    return near


def _learned(facts: Floats, truth: Bools) -> Callable[[Floats], Floats]:
    """Return what gives the probability of rows. Where nothing is open nearby it is the share met in training."""
    near = _somewhere(facts)
    alone = (float(truth[~near].sum()) + 0.5) / (float((~near).sum()) + 1.0)
    if truth[near].all() or not truth[near].any():
        return lambda asked: np.where(_somewhere(asked), float(truth[near].mean()), alone)
    trees = [_trees(seed) for seed in range(_SEEDS)]
    with _one_thread():
        models = [one.fit(facts[near], truth[near]) for one in trees]

    def predict(asked: Floats) -> Floats:
        said = np.full(len(asked), alone)
        there = _somewhere(asked)
        if there.any():
            with _one_thread():
                said[there] = np.mean([m.predict_proba(asked[there])[:, 1] for m in models], axis=0)
        return said

    return predict


def _trees(seed: int) -> Any:
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415 -- only where it is installed
    except ImportError as error:
        raise Problem(
            Text("Il manque scikit-learn.", "scikit-learn is missing."),
            Text("pip install 'beffroi[reports]'", "pip install 'beffroi[reports]'"),
            status=503,
        ) from error
    return HistGradientBoostingClassifier(
        max_iter=250, learning_rate=0.03, max_leaf_nodes=8, min_samples_leaf=20, l2_regularization=1.0,
        max_features=0.4, early_stopping=False, random_state=seed,
    )  # fmt: skip


def _one_thread() -> AbstractContextManager[object]:
    """Keep the trees on one thread: so few rows gain nothing from more, and spinning threads starve a busy machine."""
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 -- comes with scikit-learn

    return cast("AbstractContextManager[object]", threadpool_limits(1))


def _tuned(facts: Floats, truth: Bools, progress: Callable[[float], None]) -> float:
    """Return the threshold that would have been best on later blocks of the training log, predicted from earlier
    ones."""
    said, found = [], []
    for step, (start, end) in enumerate(pairwise(_BLOCKS)):
        a, b = int(len(truth) * start), int(len(truth) * end)
        if truth[:a].sum() >= 5 and b > a:
            said.append(_learned(facts[:a], truth[:a])(facts[a:b]))
            found.append(truth[a:b])
        progress((step + 1) / (len(_BLOCKS) - 1))
    if not found or not np.concatenate(found).any():
        return 0.5
    return threshold_of(np.concatenate(said), np.concatenate(found))


def threshold_of(probability: Floats, truth: Bools, recall: float = _RECALL) -> float:
    """Return the threshold of best F1 that keeps `recall` (the best F1 of all when none does).

    F1 is averaged over neighbouring thresholds: the top of a jagged curve does not hold on other data.
    """
    grid = np.arange(0.04, 0.961, 0.01)
    accepted = probability[None, :] >= grid[:, None]
    right = (accepted & truth[None, :]).sum(1)
    f1 = 2 * right / np.maximum(accepted.sum(1) + truth.sum(), 1)
    smooth = np.array([f1[max(0, i - 3) : i + 4].mean() for i in range(len(f1))])
    allowed = right / max(int(truth.sum()), 1) >= recall
    if not allowed.any():
        allowed[:] = True
    return float(grid[np.where(allowed, smooth, -1.0).argmax()])


def score(predictions: Sequence[Prediction]) -> Score | None:
    """Return the measures over the predictions whose truth is known, None when none is."""
    judged = [p for p in predictions if p.truth is not None]
    if not judged:
        return None
    truth = np.array([bool(p.truth) for p in judged])
    said = np.array([p.duplicate for p in judged])
    right, positives = int((truth & said).sum()), int(truth.sum())
    return Score(
        precision=right / max(int(said.sum()), 1),
        recall=right / max(positives, 1),
        f1=2 * right / max(int(said.sum()) + positives, 1),
        average_precision=average_precision(np.array([p.probability for p in judged]), truth),
        n=len(judged),
        positives=positives,
    )


def average_precision(probability: Floats, truth: Bools) -> float:
    """Return the area under precision over recall as a sum of steps, equal probabilities being one step
    (Manning, Raghavan & Schütze 2008, section 8.4)."""
    positives = int(truth.sum())
    if not positives:
        return 0.0
    order = np.argsort(-probability, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(probability[order])), len(order) - 1)
    right = np.cumsum(truth[order])[ends]
    steps = np.diff(np.append(0, right)) / positives
    return float((steps * right / (ends + 1)).sum())
