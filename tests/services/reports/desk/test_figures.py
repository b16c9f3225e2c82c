"""Figures: Kaplan-Meier against its definition, shares counted by hand, the truth of a simulated service."""

import math
import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beffroi.model.instant import DAY_US
from beffroi.services.reports.desk.figures import NEVER, Facts, by, gather, group, trend, wait_of

NOW = 1000 * DAY_US
AXES = ("category", "area")


def facts(*rows: tuple) -> Facts:
    """Rows in days: (created, answered, closed, due, reopened, satisfied, category, area)."""
    told = [(*(None if v is None else int(v * DAY_US) for v in row[:4]), *row[4:]) for row in rows]
    return gather([told[:2], told[2:]], AXES)


def by_definition(waits: list[tuple[int, bool]], share: Fraction) -> int | None:
    """The product-limit estimator, step by step, in exact fractions."""
    survival = Fraction(1)
    for moment in sorted({w for w, ended in waits if ended}):
        risk = sum(w >= moment for w, _ in waits)
        survival *= 1 - Fraction(sum(w == moment and ended for w, ended in waits), risk)
        if survival <= share:
            return moment
    return None


@given(st.lists(st.tuples(st.integers(0, 12), st.booleans()), max_size=25))
def test_kaplan_meier_by_its_definition(waits: list[tuple[int, bool]]) -> None:
    begun = np.array([NOW - w * DAY_US if not ended else 0 for w, ended in waits], np.int64)
    ended = np.array([w * DAY_US if seen else NEVER for w, seen in waits], np.int64)
    found = wait_of(begun, ended, NOW)
    wanted = [by_definition(waits, share) for share in (Fraction(1, 2), Fraction(1, 10))]
    assert [None if v is None else v // DAY_US for v in (found.median, found.p90)] == wanted
    assert (found.ended, found.total) == (sum(seen for _, seen in waits), len(waits))


def test_open_reports_count() -> None:
    """Nine easy ones closed in a day, ten hard ones open for a year: closed ones alone would say one day."""
    rows = [(900, 900.5, 901, 905, False, None, "easy", "a")] * 9 + [
        (635, None, None, 640, False, None, "hard", "b")
    ] * 10
    found = group("all", facts(*rows), NOW)
    assert (found.closing.median, found.closing.waiting) == (None, 10)
    assert group("easy", facts(*rows[:9]), NOW).closing.median == DAY_US


def test_the_truth_of_a_service_is_found_in_spite_of_those_still_open() -> None:
    """Exponential waits of known median, a third of them cut off: the naive median is far below, ours is not."""
    chance, rows = random.Random(5), []
    for _ in range(6000):
        created = chance.uniform(960, 1000)
        closed = created + chance.expovariate(math.log(2) / 12)
        rows.append((created, None, closed if closed <= 1000 else None, None, False, None, "x", "a"))
    found = wait_of(facts(*rows).created, facts(*rows).closed, NOW)
    assert found.median is not None
    assert found.median / DAY_US == pytest.approx(12, rel=0.05)
    naive = sorted(c - a for a, _, c, *_ in rows if c is not None)
    assert naive[len(naive) // 2] < 9


def test_shares_by_hand() -> None:
    found = group(
        "all",
        facts(
            (990, 991, 992, 995, False, True, "a", "n"),  # in time, pleased
            (980, 981, 996, 990, True, False, "a", "n"),  # late, reopened once and closed again, not pleased
            (980, 985, None, 990, False, None, "b", "s"),  # open and late
            (998, None, None, 1005, False, None, "b", "s"),  # open, not due yet
            (970, 975, None, None, True, None, "b", "s"),  # reopened, nothing promised
        ),
        NOW, people=2000, span_us=365 * DAY_US,
    )  # fmt: skip
    assert (found.total, found.open, found.overdue, found.opinions) == (5, 3, 1, 2)
    assert found.kept == pytest.approx(1 / 3)  # of three that were due, one was closed in time
    assert found.reopened == pytest.approx(2 / 3)
    assert found.satisfied == pytest.approx(1 / 2)
    assert found.per_thousand == pytest.approx(2.5 * 365.25 / 365)


def test_groups_and_trend() -> None:
    rows = [(d, d + 1, d + 2, d + 3, False, None, "ab"[d % 3 == 0], "n") for d in range(900, 930)]
    found = by("category", facts(*rows), NOW)
    assert [(g.name, g.total, g.closing.median) for g in found] == [
        ("a", 20, 2 * DAY_US),
        ("b", 10, 2 * DAY_US),
    ]
    edges = [d * DAY_US for d in (900, 910, 920, 940)]
    steps = trend(facts(*rows), edges, NOW)
    assert [(s.came, s.closed) for s in steps] == [(10, 8), (10, 10), (10, 12)]


def test_nothing() -> None:
    empty = facts()
    assert by("area", empty, NOW) == []
    found = group("all", empty, NOW)
    assert (found.total, found.kept, found.closing.median) == (0, None, None)
