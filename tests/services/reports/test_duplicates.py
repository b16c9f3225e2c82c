"""Duplicates of a log: what may be known, how it is judged, what it reaches on a later year."""

import gzip
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from beffroi.model.problem import Problem
from beffroi.services.reports.duplicates.circumstances import NAMES, circumstances
from beffroi.services.reports.duplicates.learning import (
    Prediction,
    average_precision,
    predict_duplicates,
    score,
    threshold_of,
)
from beffroi.services.reports.duplicates.log import Logged, read_log

LOG = "data/reports/chicago_311_sanitation_2010_2012.csv.gz"
HEAD = "creation_date,status,completion_date,service_request_number,nature,street_address,ward,x_coordinate,y_coordinate\n"


def written(folder: Path, *rows: str) -> Path:
    path = folder / "log.csv.gz"
    path.write_bytes(gzip.compress((HEAD + "\n".join(rows)).encode()))
    return path


def test_a_log_is_read_in_order_and_repeated_numbers_keep_their_first_row(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "2011-02-02,Completed - Dup,2011-02-04,11-00000002,Other,1 W  LAKE st,7,3937,0",
        "2011-02-01,Open,,11-00000009,,2 W LAKE ST,7,,",
        "2011-02-02,Completed,2013-01-01,11-00000002,Other,1 W LAKE ST,7,3937,0",
        "2011-02-02,,2011-02-03,11-00000001,Other,1 W LAKE ST,7,3937,0",
    )
    read = read_log(path)
    assert [(r.number, r.duplicate) for r in read] == [
        ("11-00000009", False),
        ("11-00000001", None),
        ("11-00000002", True),
    ]
    last = read[-1]
    assert (last.address, last.x, last.completed, last.sequence) == (
        "1 W LAKE ST",
        1200.0,
        last.created + 2,
        ("11", 2),
    )


@pytest.mark.parametrize(
    ("row", "place"),
    [
        ("2011-02-31,Open,,11-1,,a,1,,", "line 2, creation_date"),
        (",Open,,11-1,,a,1,,", "line 2, creation_date"),
        ("2011-02-01,Open,x,11-1,,a,1,,", "line 2, completion_date"),
        ("2011-02-01,Open,,,,a,1,,", "line 2, service_request_number"),
        ("2011-02-01,Open,,11-1,,a,1,east,", "line 2, x_coordinate"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, row: str, place: str) -> None:
    with pytest.raises(Problem) as caught:
        read_log(written(tmp_path, row))
    assert caught.value.place == place


def test_a_file_that_is_no_log_is_named(tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n", "utf-8")
    with pytest.raises(Problem, match="Columns are missing") as caught:
        read_log(other)
    assert caught.value.place == "line 1"
    other.write_bytes(b"\x1f\x8bnot gzip")
    with pytest.raises(Problem, match="cannot be read"):
        read_log(other)


ONE = st.tuples(
    st.integers(0, 12),
    st.none() | st.integers(0, 9),
    st.sampled_from(["Other", "Yard"]),
    st.integers(0, 3),
    st.booleans(),
)


def a_log(rows: list[tuple[int, int | None, str, int, bool]]) -> list[Logged]:
    made = [
        Logged(f"11-{i:08}", 100 + day, None if took is None else 100 + day + took, dup, nature, f"{place} ST", "7", "1",
               place * 30.0, 0.0)
        for i, (day, took, nature, place, dup) in enumerate(rows)
    ]  # fmt: skip
    return sorted(made, key=lambda r: (r.created, r.number))


@settings(max_examples=150)
@given(st.lists(ONE, min_size=1, max_size=14), st.data())
def test_nothing_is_known_of_a_report_that_was_not_known_when_it_was_made(rows, data) -> None:
    log = a_log(rows)
    i = data.draw(st.integers(0, len(log) - 1))
    now = log[i].created
    changed = []
    for k, r in enumerate(log):
        hidden = r.completed is None or r.completed >= now or k >= i
        later = data.draw(st.none() | st.integers(max(now, r.created), now + 40)) if hidden else r.completed
        nature = r.nature if k <= i else "Else"
        changed.append(msgspec.structs.replace(r, duplicate=None, completed=later, nature=nature))
    np.testing.assert_array_equal(circumstances(log)[i], circumstances(changed)[i])


@given(st.lists(ONE, min_size=1, max_size=14))
def test_counts_are_those_of_a_plain_search(rows) -> None:
    log = a_log(rows)
    facts = circumstances(log)
    for i, r in enumerate(log):
        here = [o for o in log[:i] if o.address == r.address]
        opened = [o for o in here if o.completed is None or o.completed >= r.created]
        near = [
            o
            for o in log[:i]
            if o.address != r.address
            and abs(o.x - r.x) <= 100
            and (o.completed is None or o.completed >= r.created)
        ]
        found = dict(zip(NAMES, facts[i], strict=True))
        assert (found["open"], found["ever"], found["near_open"]) == (len(opened), len(here), len(near))
        assert found["open_today"] == sum(o.created == r.created for o in opened)
        if opened:
            assert found["since_first_open"] == r.created - opened[0].created


PAIRS = st.lists(st.tuples(st.integers(0, 20).map(lambda v: v / 20), st.booleans()), min_size=1, max_size=60)


@given(PAIRS.filter(lambda pairs: any(t for _, t in pairs)))
def test_average_precision_is_scikit_learns(pairs) -> None:
    p, truth = np.array([p for p, _ in pairs]), np.array([t for _, t in pairs])
    assert average_precision(p, truth) == pytest.approx(average_precision_score(truth, p), abs=1e-12)


@given(PAIRS.filter(lambda pairs: any(t for _, t in pairs)))
def test_the_threshold_keeps_the_recall_when_any_does(pairs) -> None:
    p, truth = np.array([p for p, _ in pairs]), np.array([t for _, t in pairs])
    kept = (p >= threshold_of(p, truth, recall=0.9))[truth].mean()
    most = (p >= 0.04)[truth].mean()
    assert kept >= 0.9 or most < 0.9


def test_scores_are_of_the_rows_whose_truth_is_known() -> None:
    said = [
        Prediction("a", 0.9, True, True), Prediction("b", 0.8, True, False), Prediction("c", 0.2, False, True),
        Prediction("d", 0.1, False, False), Prediction("e", 0.99, True, None),
    ]  # fmt: skip
    measured = score(said)
    assert measured is not None
    assert (measured.precision, measured.recall, measured.f1, measured.n, measured.positives) == (
        0.5,
        0.5,
        0.5,
        4,
        2,
    )
    assert measured.average_precision == pytest.approx((1 + 2 / 3) / 2)
    assert score(said[4:]) is None


def test_with_too_little_to_learn_from_an_open_report_of_the_same_place_is_the_rule() -> None:
    log = a_log(
        [
            (0, None, "Other", 0, False),
            (1, None, "Yard", 0, True),
            (1, 3, "Other", 1, False),
            (3, None, "Other", 2, False),
        ]
    )
    later = [
        Logged("11-9", 104, None, None, "Other", "0 ST", "7", "1", 0.0, 0.0),
        Logged("11-99", 104, None, None, "", "9 ST", "7", "1", 900.0, 0.0),
    ]
    assert [p.duplicate for p in predict_duplicates(log, later)] == [True, False]
    with pytest.raises(Problem, match="no duplicate"):
        predict_duplicates(log[:1], later)


@pytest.fixture(scope="module")
def chicago(shared: Path) -> list[Logged]:
    return read_log(shared / LOG)


def between(log: list[Logged], start: str, end: str) -> list[Logged]:
    first, last = (np.datetime64(day, "D").astype(int) + 719163 for day in (start, end))
    return [r for r in log if first <= r.created < last]


@pytest.mark.shared
def test_a_blank_status_changes_no_prediction_and_the_rule_is_beaten(chicago: list[Logged]) -> None:
    train, test = between(chicago, "2010-01-01", "2011-03-16"), between(chicago, "2011-03-16", "2011-04-01")
    blank = [msgspec.structs.replace(r, duplicate=None) for r in test]
    said, unseen = predict_duplicates(train, test), predict_duplicates(train, blank)
    assert [(p.number, p.probability, p.duplicate) for p in said] == [
        (p.number, p.probability, p.duplicate) for p in unseen
    ]
    measured, facts = score(said), circumstances([*train, *test])[len(train) :]
    assert measured is not None
    rule = score(
        [
            Prediction(r.number, float(n > 0), bool(n > 0), r.duplicate)
            for r, n in zip(test, facts[:, NAMES.index("open")], strict=True)
        ]
    )
    assert rule is not None
    assert measured.f1 > rule.f1 + 0.05


@pytest.mark.nightly
@pytest.mark.shared
def test_a_later_year_is_judged_as_asked(chicago: list[Logged]) -> None:
    measured = score(
        predict_duplicates(
            between(chicago, "2010-01-01", "2012-01-01"), between(chicago, "2012-01-01", "2013-01-01")
        )
    )
    assert measured is not None
    assert (measured.n, measured.positives) == (19122, 1057)
    assert measured.f1 >= 0.89
    assert measured.recall >= 0.93
