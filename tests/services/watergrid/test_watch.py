"""Files of leaks from daily losses: found once, merged while they grow, closed by their repair, and never by what comes later."""

import numpy as np
import pytest

from beffroi.services.watergrid.leaks.balance import follow, learn
from beffroi.services.watergrid.leaks.watch import QUIET, LeakFile, watch


def losses(seed: int, days: int = 150) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(days)


def told(files: list[LeakFile]) -> list[tuple[str, int, int, int | None]]:
    return [(f.kind, f.onset, f.detected, f.end) for f in files]


def test_a_burst_is_seen_at_once_and_its_repair_ends_it() -> None:
    loss = losses(1)
    loss[60:95] += 8.0
    (file,) = watch(loss, 1.0)
    assert (file.kind, file.onset, file.detected, file.end) == ("abrupt", 60, 60, 95)
    assert file.flow == pytest.approx(8.0, abs=0.6)


def test_a_growing_leak_is_one_file_not_an_alarm_a_week() -> None:
    day = np.arange(150)
    growth = 12.0 * (np.clip(day - 50, 0, 40) / 40) ** 2
    for seed in (2, 3, 4, 5):
        files = watch(losses(seed) + growth, 1.0, limits=QUIET)
        assert len(files) <= 2
        main = max(files, key=lambda f: f.flow)
        assert main.kind == "incipient"
        assert main.until is not None
        assert 55 < min(f.detected for f in files) < 75
        assert sum(f.flow for f in files) == pytest.approx(12.0, abs=2.5)


def test_leak_free_years_give_less_than_one_file() -> None:
    assert sum(len(watch(losses(seed, 365), 1.0)) for seed in range(10, 13)) <= 3


def test_two_leaks_and_the_repair_of_the_first() -> None:
    loss = losses(6)
    loss[30:80] += 6.0
    loss[50:] += 15.0
    first, second = watch(loss, 1.0)
    assert (first.onset, first.end) == (30, 80)
    assert (second.onset, second.end) == (50, None)


def test_nothing_that_comes_later_changes_what_a_day_detected() -> None:
    loss = losses(4)
    loss[40:] += 6.0
    loss[90:120] += 9.0
    whole = {f.detected for f in watch(loss, 1.0)}
    for cut in (45, 70, 95, 125):
        assert {f.detected for f in watch(loss[:cut], 1.0)} == {d for d in whole if d < cut}


def test_holes_are_no_leaks() -> None:
    loss = losses(5)
    loss[40:] += 7.0
    loss[36:43] = np.nan
    (file,) = watch(loss, 1.0)
    assert file.detected == 43


def area(seed: int, days: int, *, lost: float = 0.0, since: int = 0) -> np.ndarray:
    """Days of 24 hours of an area that draws 40 m³/h on average, with a night, a week and a season."""
    random = np.random.default_rng(seed)
    hour = np.arange(24)
    shape = 30 + 22 * np.sin((hour - 2) / 24 * 2 * np.pi) + 8 * np.sin(hour / 12 * 2 * np.pi)
    day = np.arange(days)[:, None]
    level = (1 + 0.1 * np.sin(2 * np.pi * (day - 100) / 365)) * np.where(day % 7 > 4, 0.9, 1.0)
    noise = 1 + 0.02 * random.standard_normal((days, 1)) + 0.02 * random.standard_normal((days, 24))
    return level * noise * shape[None, :] + 5.0 + np.where(day >= since, lost, 0.0)


def test_the_daily_losses_follow_neither_season_nor_week() -> None:
    learnt = learn(area(1, 364), 0, 1)
    assert learnt.standing == pytest.approx(5.0, abs=1.5)
    loss = follow(learnt, area(2, 364, lost=4.0, since=200), 0, 1).loss
    assert loss[60:200].mean() == pytest.approx(0.0, abs=0.3)
    assert loss[201:].mean() == pytest.approx(4.0, abs=0.4)
    assert loss[60:200].std() < 1.0


def test_a_day_with_few_samples_is_not_judged() -> None:
    learnt = learn(area(1, 364), 0, 1)
    year = area(2, 20)
    year[5, :12] = np.nan
    year[6, 0] = np.nan
    loss = follow(learnt, year, 0, 1).loss
    assert np.isnan(loss[5])
    assert np.isfinite(loss[6])


@pytest.mark.parametrize("lost", [0.0, 12.0])
def test_nine_weeks_teach_an_area_without_drawing_a_year_through_them(lost: float) -> None:
    """Waves of a year through nine weeks made growing leaks of what comes next, and two files of a burst."""
    for seed in range(4):
        days = area(seed, 112, lost=lost, since=100)
        learnt = learn(days[:67], 0, 1)
        before = follow(learnt, days[:67], 0, 1).loss
        loss = follow(learnt, days[67:], 67, 68).loss
        files = watch(loss, learnt.sigma, learnt.echo, QUIET, before)
        assert [(f.kind, f.onset) for f in files] == ([("abrupt", 33)] if lost else [])
        assert [f.flow for f in files] == pytest.approx([lost] if lost else [], rel=0.15)


def test_a_burst_far_above_the_noise_is_one_file() -> None:
    for seed in range(12):
        loss = losses(seed, 45)
        loss[20:] += 130.0
        loss[20] -= 12.0  # a part of its first day
        assert told(watch(loss, 1.0, limits=QUIET, before=losses(seed + 50, 60))) == [
            ("abrupt", 20, 20, None)
        ]
