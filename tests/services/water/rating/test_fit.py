"""`beffroi water rating fit`: the curve found again, its errors, what is said of bad files."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from beffroi.cli import application
from beffroi.model.problem import Problem
from beffroi.services.water.rating.curve import RatingCurve
from beffroi.services.water.rating.evaluation import evaluate_fit
from beffroi.services.water.rating.fitting import fit_curve
from beffroi.services.water.rating.gaugings import Flag, read_gaugings


def told(*words: str) -> dict[str, object]:
    answer = CliRunner().invoke(application("water"), ["water", "rating", *words, "--json"])
    assert answer.exit_code == 0, answer.output
    found: dict[str, object] = json.loads(answer.output)
    return found


@pytest.mark.shared
@pytest.mark.parametrize(("name", "bar", "segments"), [("isere", 3.0, 1), ("green_channel", 3.0, 2)])
def test_leave_one_out_of_real_stations(shared: Path, name: str, bar: float, segments: int) -> None:
    said = told("fit", str(shared / f"data/hydro/rating/{name}.csv"))
    assert said["loo_mape_percent"] <= bar
    assert said["segments"] == segments


@given(
    offset=st.floats(-2, 1),
    scale=st.floats(0.5, 80),
    exponent=st.floats(1.4, 2.8),
    unit=st.sampled_from([1.0, 3.2808]),
)
def test_a_power_law_is_found_again(offset: float, scale: float, exponent: float, unit: float) -> None:
    stage = offset + np.geomspace(0.15, 3.0, 15)
    discharge = scale * (stage - offset) ** exponent
    curve = fit_curve(stage * unit, discharge, np.full(15, 0.05))
    between = offset + np.array([0.2, 0.9, 2.2])
    assert curve.discharges(between * unit) == pytest.approx(scale * (between - offset) ** exponent, rel=0.01)


def test_two_segments_join_and_the_break_is_found() -> None:
    stage = np.linspace(0.2, 4.0, 40)
    discharge = np.where(stage < 1.5, 5 * stage**2.4, 5 * 1.5**2.4 * (stage / 1.5) ** 1.3)
    curve = fit_curve(stage, discharge, np.full(40, 0.05))
    assert len(curve.exponents) == 2
    assert curve.breaks[0] == pytest.approx(1.5, abs=0.1)
    below, above = curve.discharges([curve.breaks[0] - 1e-6, curve.breaks[0] + 1e-6])
    assert below == pytest.approx(above, rel=1e-4)


def test_one_outlier_does_not_bend_the_curve_and_is_flagged() -> None:
    stage = np.linspace(0.3, 3.0, 20)
    chance = np.random.default_rng(1)
    discharge = 12 * stage**1.7 * np.exp(0.02 * chance.standard_normal(20))
    clean = fit_curve(stage, discharge, np.full(20, 0.05))
    discharge[9] *= 2.5
    bent = fit_curve(stage, discharge, np.full(20, 0.05))
    assert bent.discharges([1.0, 2.0]) == pytest.approx(clean.discharges([1.0, 2.0]), rel=0.02)


def test_extrapolation_is_flagged_and_its_interval_widens() -> None:
    curve = RatingCurve(0.0, (), (2.0, 1.7), lowest=0.5, highest=2.0, scatter=0.05)
    within, above, below = curve.estimate(1.0), curve.estimate(4.0), curve.estimate(0.2)
    assert within.flags == ()
    assert above.flags == ("extrapolated_high",)
    assert below.flags == ("extrapolated_low",)
    assert above.high / above.discharge > 1.5 > within.high / within.discharge
    assert curve.estimate(-0.1).discharge == 0
    assert curve.estimate(-0.1).flags == ("below_zero_flow",)
    assert curve.estimate(float("nan")).flags == ("no_stage",)


def write(folder: Path, *lines: str, head: str = "stage,q,q_sigma") -> Path:
    path = folder / "gaugings.csv"
    path.write_text("\n".join((head, *lines)) + "\n", "utf-8")
    return path


GOOD = [f"{h:.2f},{12 * h**1.7:.3f}," for h in np.linspace(0.3, 3, 12)]


@pytest.mark.parametrize(
    ("lines", "place", "word"),
    [
        (["1.0,nan,"], "line 2", "not a number"),
        (["1.0,3.1,", "abc,2,"], "line 3", "not a number"),
        (["1.0,3.1,", "1.2,-2,"], "line 3", "Negative"),
        (["1.0,3.1,9"], "line 2", "uncertainty"),
        ([*GOOD, "150,23.9,"], "line 14", "centimetres"),
        (["1.0,3.1,", "1.0,3.2,"], "", "too few"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(tmp_path: Path, lines: list[str], place: str, word: str) -> None:
    with pytest.raises(Problem) as refused:
        evaluate_fit(read_gaugings(write(tmp_path, *lines)))
    assert refused.value.place == place
    assert word in refused.value.reason.en


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    answer = CliRunner().invoke(
        application("water"), ["water", "rating", "fit", str(write(tmp_path, "1,2", head="level,q"))]
    )
    assert answer.exit_code != 0
    with pytest.raises(Problem, match="stage"):
        read_gaugings(write(tmp_path, "1,2", head="level,q"))


def test_doubts_are_flags_with_their_line(tmp_path: Path) -> None:
    file = read_gaugings(write(tmp_path, *GOOD, GOOD[0], "0.05,0,"))
    assert file.flags == (Flag("duplicate", 14), Flag("zero_flow", 15))
    assert len(file.gaugings) == 13


def test_semicolons_and_decimal_commas_are_read(tmp_path: Path) -> None:
    file = read_gaugings(write(tmp_path, "0,5;1,25", head="stage;q"))
    assert (file.gaugings[0].stage, file.gaugings[0].discharge) == (0.5, 1.25)


def test_a_station_that_changes_its_zero_is_flagged(tmp_path: Path) -> None:
    chance = np.random.default_rng(3)
    stages = np.tile([0.4, 0.8, 1.3, 2.0, 2.7], 6)
    flows = 12 * (stages + np.repeat([0.0, 0.25], 15)) ** 1.7 * np.exp(0.02 * chance.standard_normal(30))
    lines = [f"{h},{q:.4f}," for h, q in zip(stages, flows, strict=True)]
    fitted = evaluate_fit(read_gaugings(write(tmp_path, *lines)))
    assert [f for f in fitted.flags if f.flag == "shift"] == [Flag("shift", 17)]
    steady = [
        f"{h},{12 * h**1.7 * e:.4f},"
        for h, e in zip(stages, np.exp(0.02 * chance.standard_normal(30)), strict=True)
    ]
    assert [f for f in evaluate_fit(read_gaugings(write(tmp_path, *steady))).flags if f.flag == "shift"] == []
