"""`beffroi water rating evaluate`: a bed that moves is followed, from earlier gaugings only."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from beffroi.cli import application
from beffroi.model.problem import Problem
from beffroi.services.water.rating.evaluation import predict_next
from beffroi.services.water.rating.gaugings import Flag, GaugingFile, read_dated_gaugings
from beffroi.services.water.rating.tracking import ShiftTracker

YEAR = 365.25 * 86_400
HEAD = "Day\tMonth\tYear\tHour\tMinutes\th\tQ\tQsigma\tPeriod\tValidity"


def gauged(n: int, zero: float, start: float, seed: int) -> list[tuple[float, float, float, float]]:
    """Gaugings of 20 (h - zero)^1.8, at odd times, with 3 % of noise."""
    chance = np.random.default_rng(seed)
    times = start + np.sort(chance.uniform(0, 2 * YEAR, n))
    depth = np.exp(chance.uniform(np.log(0.1), np.log(1.5), n))
    flows = 20 * depth**1.8 * np.exp(0.03 * chance.standard_normal(n))
    return [(float(t), float(d + zero), float(q), 0.05) for t, d, q in zip(times, depth, flows, strict=True)]


def test_a_shift_is_seen_and_followed_within_one_gauging() -> None:
    tracker = ShiftTracker(gauged(20, 0.0, 0.0, 1))
    assert tracker.shifts == []
    after = gauged(6, -0.35, 2.2 * YEAR, 2)
    tracker.take(*after[0])
    assert tracker.shifts == [after[0][0]]
    assert tracker.zero()[0] == pytest.approx(-0.35, abs=0.05)
    for at, stage, flow, _ in after[1:]:
        assert tracker.estimate(tracker.look(at, stage)).discharge == pytest.approx(flow, rel=0.25)


def test_a_steady_bed_is_predicted_within_the_noise_and_held_by_the_interval() -> None:
    every = gauged(60, 0.1, 0.0, 5)
    tracker = ShiftTracker(every[:20])
    errors, held = [], 0
    for gauging in every[20:]:
        seen = tracker.look(*gauging[:2])
        said = tracker.estimate(seen, gauging[3])
        errors.append(abs(said.discharge / gauging[2] - 1))
        held += said.low <= gauging[2] <= said.high
        tracker.take(*gauging, seen)
    assert np.median(errors) < 0.04
    assert held >= 34
    assert tracker.shifts == []


def test_a_stage_below_the_known_zero_can_only_be_a_shift() -> None:
    tracker = ShiftTracker(gauged(20, 0.0, 0.0, 1))
    said = tracker.estimate(tracker.look(2.5 * YEAR, -0.6))
    assert 0 < said.low < said.discharge < said.high


def dated(folder: Path, name: str, rows: list[str]) -> Path:
    path = folder / name
    path.write_text("\n".join((HEAD, *rows)) + "\n", "utf-8")
    return path


@pytest.fixture(scope="module")
def halves(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("ardeche")
    rows = (shared / "data/hydro/rating/ardeche_meyras_gaugings_2001_2011.tsv").read_text().splitlines()[1:]
    return dated(folder, "past.tsv", rows[:40]), dated(folder, "next.tsv", rows[40:])


@pytest.mark.shared
def test_the_ardeche_is_predicted_much_better_than_by_its_last_gaugings(
    halves: tuple[Path, Path], tmp_path: Path
) -> None:
    written = tmp_path / "said.csv"
    answer = CliRunner().invoke(
        application("water"),
        ["water", "rating", "evaluate", *map(str, halves), "--predictions", str(written), "--json"],
    )
    assert answer.exit_code == 0, answer.output
    said = json.loads(answer.output)
    # a power law through the last eight gaugings: median 15.0 %, mean 26.8 % on these rows
    assert said["n"] == 39
    assert said["median_error_percent"] < 11
    assert said["mean_error_percent"] < 16
    rows = list(csv.DictReader(written.read_text().splitlines()))
    assert list(rows[0]) == ["date", "h", "predicted Q", "low", "high"]
    assert (rows[0]["date"], rows[0]["h"]) == ("2008-09-09T16:40", "0.02")


@pytest.mark.shared
def test_a_prediction_uses_no_later_gauging(halves: tuple[Path, Path]) -> None:
    past, following = read_dated_gaugings(halves[0]), read_dated_gaugings(halves[1])
    whole, _ = predict_next(past, following)
    cut, _ = predict_next(past, GaugingFile(following.gaugings[:5], ()))
    assert [p.predicted for p in cut] == pytest.approx([p.predicted for p in whole[:5]], rel=1e-9)


@pytest.mark.shared
def test_only_date_stage_flow_and_sigma_are_read(halves: tuple[Path, Path], tmp_path: Path) -> None:
    rows = [line.rsplit("\t", 2)[0] + "\t99\t0" for line in halves[1].read_text().splitlines()[1:]]
    other = dated(tmp_path, "other.tsv", rows)
    past = read_dated_gaugings(halves[0])
    expected, found = (predict_next(past, read_dated_gaugings(f))[0] for f in (halves[1], other))
    assert found == expected


ROW = "{d}\t3\t2001\t12\t0\t{h}\t{q}\t7\t1\t1"


def test_bad_dates_units_and_order(tmp_path: Path) -> None:
    good = [ROW.format(d=d, h=0.1 * d, q=d) for d in range(1, 9)]
    with pytest.raises(Problem, match="does not exist") as refused:
        read_dated_gaugings(dated(tmp_path, "a.tsv", [*good, "31\t2\t2002\t0\t0\t0.4\t4\t7\t1\t1"]))
    assert refused.value.place == "line 10"
    with pytest.raises(Problem, match="centimetres") as refused:
        read_dated_gaugings(dated(tmp_path, "b.tsv", [*good, "9\t3\t2001\t0\t0\t45\t9\t7\t1\t1"]))
    assert refused.value.place == "line 10"
    file = read_dated_gaugings(dated(tmp_path, "c.tsv", [*reversed(good[:2]), *good[2:], good[3]]))
    assert file.flags == (Flag("unordered", 3), Flag("duplicate", 10))
    assert [g.stage for g in file.gaugings] == pytest.approx([0.1 * d for d in range(1, 9)])
    with pytest.raises(Problem, match="earlier than the end"):
        predict_next(file, GaugingFile(file.gaugings[:2], ()))
