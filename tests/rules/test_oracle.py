"""The Ardèche at Meyras: alarms equal an independent brute-force count."""

import os
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from beffroi.model.instant import from_datetime
from beffroi.model.observation import Observation
from beffroi.model.result import number_of
from beffroi.rules.backtest import back_test
from beffroi.rules.reading import read_rule

PARIS = ZoneInfo("Europe/Paris")


def stage_file() -> Path:
    shared = Path(os.environ.get("BEFFROI_SHARED", "../shared"))
    path = shared / "data/hydro/series/ardeche_meyras_stage_2001_2011.tsv"
    if not path.exists():
        pytest.skip(f"needs the real data of BEFFROI_SHARED ({path})")
    return path


def stages() -> list[tuple[int, str]]:
    rows = []
    for line in stage_file().read_text("utf-8").splitlines()[1:]:
        cells = line.split("\t")
        if len(cells) >= 3 and cells[1].strip():
            moment = datetime.strptime(cells[2].strip(), "%d/%m/%Y %H:%M").replace(tzinfo=PARIS)
            rows.append((from_datetime(moment), cells[1].strip()))
    return rows


def brute_force(values: list[float], threshold: float, hysteresis: float) -> int:
    count, above = 0, False
    for value in values:
        if not above and value > threshold:
            count, above = count + 1, True
        elif above and value < threshold - hysteresis:
            above = False
    return count


@pytest.mark.shared
@pytest.mark.parametrize("threshold", [100, 200, 300])
def test_back_test_counts_each_excursion_above_a_threshold(threshold):
    rows = sorted((at, i, text) for i, (at, text) in enumerate(stages(), 1))
    observations = [
        Observation(i, 1, at, None, None, number_of(text), None, 0, None, i) for at, i, text in rows
    ]
    rule = read_rule(f"name: x\nwatch: {{datastream: 1}}\nwhen: {{above: {threshold}, hysteresis: 10}}\n")
    report = back_test(rule, [("value", observations)], rows[0][0], rows[-1][0])
    expected = brute_force([float(text) for _, _, text in rows], threshold, 10)
    assert report.count == expected > 0


@pytest.mark.shared
def test_three_levels_in_one_rule_count_the_same_entries():
    rows = sorted((at, i, text) for i, (at, text) in enumerate(stages(), 1))
    observations = [
        Observation(i, 1, at, None, None, number_of(text), None, 0, None, i) for at, i, text in rows
    ]
    rule = read_rule(
        "name: x\nwatch: {datastream: 1}\nwhen: {above: {jaune: 100, orange: 200, rouge: 300}, hysteresis: 10}\n"
    )
    report = back_test(rule, [("value", observations)], rows[0][0], rows[-1][0])
    values = [float(text) for _, _, text in rows]
    assert report.levels == {
        name: brute_force(values, limit, 10)
        for name, limit in (("jaune", 100), ("orange", 200), ("rouge", 300))
    }
    assert report.count == report.levels["jaune"]
