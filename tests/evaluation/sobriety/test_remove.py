"""The search against every subset, and what is said to be lost against what is."""

import io
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from beffroi.cli import application
from beffroi.evaluation.sobriety.collect import adaptive, replay, send_on_delta
from beffroi.evaluation.sobriety.columns import read_columns
from beffroi.evaluation.sobriety.remove import best_subset, covariance, removal_of, unexplained
from beffroi.model.problem import Problem


def town(seed: int, sensors: int, rows: int = 300) -> np.ndarray:
    """Sensors that share a few causes, as those of a town do: near ones much, far ones little."""
    chance = np.random.default_rng(seed)
    places = chance.uniform(0, 1, (sensors, 2))
    causes = chance.uniform(0, 1, (int(chance.integers(1, 5)), 2))
    reach = chance.uniform(0.15, 0.7)
    weights = np.exp(-np.linalg.norm(places[:, None] - causes[None], axis=2) / reach)
    common = chance.normal(0, 1, (rows, len(causes)))
    return common @ weights.T + chance.normal(0, chance.uniform(0.02, 0.6), (rows, sensors))


def error(matrix: np.ndarray, kept: list[int]) -> float:
    """The error again, by least squares from the matrix itself: the residual variance of each removed sensor."""
    gone = [k for k in range(len(matrix)) if k not in kept]
    inner = (
        matrix[np.ix_(gone, gone)]
        - matrix[np.ix_(gone, kept)] @ np.linalg.inv(matrix[np.ix_(kept, kept)]) @ matrix[np.ix_(kept, gone)]
    )
    return float(np.sqrt(np.trace(inner) / len(gone)))


def test_the_search_is_within_a_tenth_of_looking_at_every_subset() -> None:
    worst = 0.0
    for seed in range(14):
        sensors = 5 + seed % 4 if seed % 7 else 12
        matrix = covariance(town(seed, sensors))
        for count in range(1, sensors):
            least = (
                min(error(matrix, list(kept)) for kept in itertools.combinations(range(sensors), count))
                if sensors < 12 or count in (2, 6, 10)
                else 0.0
            )
            if least:
                worst = max(worst, error(matrix, best_subset(matrix, count)) / least)
    assert worst <= 1.10


def test_what_the_others_do_not_tell_is_the_residual_of_least_squares() -> None:
    series = town(3, 6)
    scaled = (series - series.mean(0)) / series.std(0)
    found = unexplained(covariance(series), [0, 2])
    for k in (1, 3, 4, 5):
        rest = (
            scaled[:, k] - scaled[:, [0, 2]] @ np.linalg.lstsq(scaled[:, [0, 2]], scaled[:, k], rcond=None)[0]
        )
        assert found[k] == pytest.approx(np.mean(rest**2), rel=1e-5)
    assert found[0] == found[2] == 0


def test_twins_are_found_and_the_only_one_of_its_kind_is_kept() -> None:
    chance = np.random.default_rng(1)
    a, b, alone = (chance.normal(0, 1, 400) for _ in range(3))
    found = removal_of(
        {"a": a, "twin of a": a * 2 + 5, "b": b, "twin of b": b + chance.normal(0, 0.01, 400), "alone": alone}
    )
    assert found.proposal is not None
    assert len(found.proposal.removed) == 2
    assert "alone" in found.proposal.keep
    assert {n.removeprefix("twin of ") for n in found.proposal.removed} == {"a", "b"}
    assert max(one.share for one in found.proposal.losses) < 0.02
    assert {one.name: one.share > 0.9 for one in found.one_by_one}["alone"]
    # one step more, and the loss says so
    worse = next(s for s in found.steps if len(s.removed) == 3)
    assert max(one.share for one in worse.losses) > 0.9
    assert max(one.missed for one in worse.losses) > 0


def test_the_command_answers_and_refuses(tmp_path: Path) -> None:
    series = town(5, 4)
    rows = "\n".join(
        f"2026-01-01T{n % 24:02}:00Z;" + ";".join(f"{v:.4f}".replace(".", ",") for v in row)
        for n, row in enumerate(series)
    )
    (tmp_path / "s.csv").write_text("date;s1;s2;s3;s4\n" + rows + "\n")
    words = ["sobriety", "remove", str(tmp_path / "s.csv"), "--loss", "0.5", "--json"]
    answer = json.loads(CliRunner().invoke(application("sobriety"), words, catch_exceptions=False).stdout)
    assert answer["sensors"] == ["s1", "s2", "s3", "s4"]
    assert answer["rows"] == 300
    assert [len(s["keep"]) for s in answer["steps"]] == [3, 2, 1]
    assert len(answer["one_by_one"]) == 4
    with pytest.raises(Problem):
        removal_of({"a": series[:, 0]})
    with pytest.raises(Problem):
        removal_of({"a": series[:10, 0], "b": series[:10, 1]})
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n3,x\n")
    with (tmp_path / "bad.csv").open("rb") as stream, pytest.raises(Problem) as caught:
        read_columns(stream)
    assert caught.value.place == "line 3, b"


@pytest.mark.parametrize(
    ("first", "kept"), [([0, 1, 2, 3, 4], False), ([0, 0.5, 1, 1.5, 2], False), ([0, 1, 2, 3, 5], True), ([5, 4, 3, 2, 1], True)]
)  # fmt: skip
def test_a_column_that_counts_rows_is_no_sensor(first: list[float], kept: bool) -> None:
    lines = ["t,a", *(f"{t},{(3 * n) % 4}" for n, t in enumerate(first))]
    assert ("t" in read_columns(io.BytesIO("\n".join(lines).encode()))) is kept
    assert "t" in read_columns(io.BytesIO("\n".join(lines).encode()), ["t", "a"])


def test_a_replay_counts_what_would_have_been_missed() -> None:
    minute = 60_000_000
    values = [0.0, 0.1, 0.0, 5.0, 5.1, 0.0, 0.0, 0.4, 9.0, 0.2, 0.1, 0.0]
    at = [n * minute for n in range(len(values))]
    sent = send_on_delta(values, at, 0.5, 100 * minute)
    assert sent == [0, 3, 5, 8, 9]
    regret = replay(values, at, sent, threshold=4.0)
    assert (regret.messages, regret.of, regret.alarms, regret.missed, regret.longest_delay_us) == (
        5,
        12,
        2,
        0,
        0,
    )
    assert regret.largest_error == pytest.approx(0.4)
    slow = replay(values, at, [0, 4, 10], threshold=4.0)
    assert (slow.alarms, slow.missed, slow.longest_delay_us, slow.mean_delay_us) == (2, 1, minute, minute)
    # the band is the bound of the error, by construction
    chance = np.random.default_rng(4)
    walk = np.cumsum(chance.normal(0, 1, 2_000)).tolist()
    long = [n * minute for n in range(2_000)]
    for band in (0.5, 2.0):
        assert replay(walk, long, send_on_delta(walk, long, band, 10**15)).largest_error <= band
    lazy = adaptive(walk, long, 3.0, minute, 30 * minute)
    gaps = np.diff([long[n] for n in lazy])
    assert gaps.min() >= minute
    assert gaps.max() <= 30 * minute
    assert 0 < replay(walk, long, lazy).saved < 1
