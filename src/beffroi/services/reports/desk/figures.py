"""Figures: how long people wait, said without hiding those who still wait.

A report that is still open has waited "at least so long": the median over closed ones alone would flatter a service
that closes the easy ones. Medians and the nine-in-ten (p90) are read on the Kaplan-Meier curve (Kaplan and Meier,
J. Am. Stat. Assoc. 53, 1958), on which an open report counts until now; where the curve has not come down far enough,
the figure is not known yet, and is said so.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.model.instant import DAY_US

__all__ = ["Facts", "Group", "Wait", "by", "gather", "trend", "wait_of"]

Instants = NDArray[np.int64]
NEVER = -1  # an instant that is not known, in the columns
Axis = Literal["category", "area", "department", "reason", "channel"]


class Facts(msgspec.Struct, frozen=True):
    """Reports by columns, all of one length; instants in microseconds, `NEVER` when there is none.

    `satisfied`: 1 yes, 0 no, -1 not said. `words` are, for each axis, positions in its `names` ("" for none).
    """

    created: Instants
    answered: Instants
    closed: Instants
    due: Instants
    reopened: NDArray[np.bool_]
    satisfied: NDArray[np.int8]
    words: dict[str, NDArray[np.int64]]
    names: dict[str, tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.created)

    def where(self, keep: NDArray[np.bool_]) -> "Facts":
        """Return the facts of the reports to keep."""
        return Facts(self.created[keep], self.answered[keep], self.closed[keep], self.due[keep], self.reopened[keep],
                     self.satisfied[keep], {name: values[keep] for name, values in self.words.items()}, self.names)  # fmt: skip

    def said(self, axis: str, *wanted: str) -> NDArray[np.bool_]:
        """Return which reports have one of the `wanted` words on an axis."""
        places = [n for n, name in enumerate(self.names[axis]) if name in wanted]
        return np.isin(self.words[axis], places)


def gather(parts: Iterable[Sequence[Sequence[Any]]], axes: Sequence[str]) -> Facts:
    """Return facts from parts of rows of (created, answered, closed, due, reopened, satisfied, *one word for each axis).

    A million rows are never held at once but as columns."""
    known: dict[str, dict[str, int]] = {axis: {} for axis in axes}
    found = [_part(part, known) for part in parts if part] or [_part((), known)]
    joined = [np.concatenate(columns) for columns in zip(*found, strict=True)]
    words = dict(zip(axes, joined[6:], strict=True))
    names = {axis: tuple(words) for axis, words in known.items()}
    return Facts(joined[0], joined[1], joined[2], joined[3], joined[4], joined[5], words, names)


def _part(rows: Sequence[Sequence[Any]], known: dict[str, dict[str, int]]) -> list[NDArray[Any]]:
    """Return the columns of some rows; words that were not met yet are added to `known`."""
    columns = list(zip(*rows, strict=True)) or [()] * (6 + len(known))
    found: list[NDArray[Any]] = [
        np.array([NEVER if v is None else v for v in columns[n]], np.int64) for n in range(4)
    ]
    found.append(np.array([bool(v) for v in columns[4]], np.bool_))
    found.append(np.array([-1 if v is None else int(v) for v in columns[5]], np.int8))
    for values, words in zip(columns[6:], known.values(), strict=True):
        found.append(
            np.array([words.setdefault("" if v is None else str(v), len(words)) for v in values], np.int64)
        )
    return found


class Wait(msgspec.Struct, frozen=True):
    """How long people wait for something, in microseconds: half of them at most `median`, nine in ten `p90`.

    None: not known yet, too many still wait. `ended` of `total` have seen the end.
    """

    median: int | None
    p90: int | None
    ended: int
    total: int

    @property
    def waiting(self) -> int:
        """How many still wait."""
        return self.total - self.ended


def wait_of(begun: Instants, ended: Instants, now_us: int) -> Wait:
    """Return the wait from `begun` to `ended` (`NEVER` while one waits still, until `now_us`)."""
    seen = ended != NEVER
    spans = np.maximum(np.where(seen, ended, now_us) - begun, 0)
    moments, survival = _survival(spans, seen)
    return Wait(
        _reached(moments, survival, 0.5), _reached(moments, survival, 0.1), int(seen.sum()), len(begun)
    )


def _survival(spans: Instants, seen: NDArray[np.bool_]) -> tuple[Instants, NDArray[np.float64]]:
    """Return the moments at which somebody's wait ended, and the share that waits longer (Kaplan-Meier)."""
    moments, ends = np.unique(spans[seen], return_counts=True)
    at_risk = len(spans) - np.searchsorted(np.sort(spans), moments, "left")
    survival: NDArray[np.float64] = np.cumprod(1.0 - ends / at_risk, dtype=np.float64)
    return moments, survival


def _reached(moments: Instants, survival: NDArray[np.float64], share: float) -> int | None:
    low = np.flatnonzero(survival <= share + 1e-12)
    return int(moments[low[0]]) if len(low) else None


class Group(msgspec.Struct, frozen=True):
    """The figures of one group of reports over a period. Shares are from 0 to 1, None of nothing."""

    name: str
    total: int
    open: int
    answer: Wait
    closing: Wait
    overdue: int  # open, and later than promised
    kept: float | None  # of those that were due: share closed in time
    reopened: float | None  # of those closed once
    satisfied: float | None  # of those who said
    opinions: int
    per_thousand: float | None = None  # reports a year per 1,000 inhabitants


def group(name: str, facts: Facts, now_us: int, people: int | None = None, span_us: int = 0) -> Group:
    """Return the figures of all of `facts`; `people` live there, and the facts cover `span_us`."""
    is_open = facts.closed == NEVER
    late = (facts.due != NEVER) & (np.where(is_open, now_us, facts.closed) > facts.due)
    due = (facts.due != NEVER) & (~is_open | (facts.due < now_us))
    said = facts.satisfied >= 0
    rate = len(facts) * 1000 * 365.25 * DAY_US / (people * span_us) if people and span_us else None
    once = ~is_open | facts.reopened
    return Group(
        name, len(facts), int(is_open.sum()), wait_of(facts.created, facts.answered, now_us),
        wait_of(facts.created, facts.closed, now_us), int((late & is_open).sum()), _share(~late, due),
        _share(facts.reopened, once), _share(facts.satisfied == 1, said), int(said.sum()), rate,
    )  # fmt: skip


def _share(wanted: NDArray[np.bool_], among: NDArray[np.bool_]) -> float | None:
    total = int(among.sum())
    return int((wanted & among).sum()) / total if total else None


def by(
    axis: str, facts: Facts, now_us: int, people: dict[str, int] | None = None, span_us: int = 0
) -> list[Group]:  # fmt: skip
    """Return the figures of each group along an axis, the largest first."""
    found = [
        group(name, facts.where(facts.words[axis] == n), now_us, (people or {}).get(name), span_us)
        for n, name in enumerate(facts.names[axis])
        if (facts.words[axis] == n).any()
    ]
    return sorted(found, key=lambda g: (-g.total, g.name))


class Month(msgspec.Struct, frozen=True):
    """One step of a trend: what came in, what was closed, and how long those who came in then waited."""

    start_us: int
    end_us: int
    came: int
    closed: int
    answer: Wait
    closing: Wait


def trend(facts: Facts, edges: Sequence[int], now_us: int) -> list[Month]:
    """Return one step between each two of the growing `edges`, by when the reports were made."""
    steps = []
    for start, end in pairwise(edges):
        came = (facts.created >= start) & (facts.created < end)
        closed = int(((facts.closed >= start) & (facts.closed < end)).sum())
        part = facts.where(came)
        steps.append(
            Month(
                start, end, len(part), closed, wait_of(part.created, part.answered, now_us),
                wait_of(part.created, part.closed, now_us),
            )
        )  # fmt: skip
    return steps
