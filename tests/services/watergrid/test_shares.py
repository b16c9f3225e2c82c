"""What several inlets share: a leak that the flow hides in its noise is seen there, and a repair is given to its own leak."""

import numpy as np
import pytest

from beffroi.services.watergrid.leaks.channels import Others, parted
from beffroi.services.watergrid.leaks.inlets import learn_sharing, pumped, shifts
from beffroi.services.watergrid.leaks.watch import SHARED, watch

DAYS = 364
WEEK = np.arange(DAYS)
ANGLE = 2 * np.pi * np.arange(DAYS) / 365.25
CALM = np.zeros(DAYS)


def inlets(seed: int, leak: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Two inlets and a pump that leaves the area, days × 24 × meters: use is shared 55 to 45, the leak as told."""
    random = np.random.default_rng(seed)
    hour = np.arange(24)
    week = (
        100
        + 60 * np.sin((hour - 6) / 24 * 2 * np.pi)
        + 10 * (WEEK % 7 > 4)[:, None] * np.cos(hour / 12 * np.pi)
    )
    season = 1 + 0.1 * np.sin(ANGLE)[:, None]
    use = (
        week
        * season
        * (1 + 0.03 * random.standard_normal((DAYS, 1)) + 0.02 * random.standard_normal((DAYS, 24)))
    )
    pump = 20.0 * (random.random((DAYS, 24)) > 0.5)
    first = 0.55 * use + 0.4 * pump + share * leak[:, None]
    second = 0.45 * use + 0.6 * pump + (1 - share) * leak[:, None]
    meters = np.stack([first, second], axis=2)
    return meters * (1 + 0.003 * random.standard_normal(meters.shape)), pump[:, :, None]


def test_a_leak_shifts_the_share_by_what_it_draws_at_one_inlet() -> None:
    learnt = learn_sharing(*inlets(1, CALM, 0.5), WEEK, CALM, ANGLE)
    assert learnt is not None
    assert float(learnt.sigma[0]) < 0.3  # the day's noise of the flow is ten times more
    leak = np.where(WEEK >= 200, 4.0, 0.0)
    moved = shifts(learnt, *inlets(2, leak, 0.9), WEEK, leak, ANGLE)[:, 0]
    assert moved[:200].mean() == pytest.approx(0.0, abs=0.1)
    assert moved[200:].mean() == pytest.approx(4.0 * (0.9 - 0.1), abs=0.15)
    central = shifts(learnt, *inlets(3, leak, 0.5), WEEK, leak, ANGLE)[:, 0]
    assert central[200:].mean() == pytest.approx(0.0, abs=0.15)


def test_one_inlet_shares_nothing_and_a_silent_day_says_nothing() -> None:
    meters, pump = inlets(1, CALM, 0.5)
    assert learn_sharing(meters[:, :, :1], pump, WEEK, CALM, ANGLE) is None
    learnt = learn_sharing(meters, pump, WEEK, CALM, ANGLE)
    assert learnt is not None
    meters[9, :20] = np.nan
    meters[12, :2] = np.nan
    moved = shifts(learnt, meters, pump, WEEK, CALM, ANGLE)[:, 0]
    assert np.isnan(moved[9])
    assert np.isfinite(moved[12])


def others(seed: int, course: np.ndarray, size: float) -> Others:
    noise = np.random.default_rng(seed)
    before = 0.1 * noise.standard_normal((40, 1))
    values = size * course[:, None] + 0.1 * noise.standard_normal((len(course), 1))
    nothing = np.empty((len(course), 0))
    return Others(values, before, np.array([0.1]), np.array([0.0]), nothing, np.empty((40, 0)))


def test_a_growth_is_seen_in_the_share_long_before_the_flow_shows_it() -> None:
    course = 12.0 * (np.clip(np.arange(120) - 50, 0, 50) / 50) ** 2
    loss = 1.5 * np.random.default_rng(4).standard_normal(160)
    alone = watch(loss[40:] + course, 1.5, before=loss[:40])
    (beside,) = watch(loss[40:] + course, 1.5, 0.0, SHARED, loss[:40], others(5, course, 0.6))
    assert beside.kind == "incipient"
    assert beside.flow == pytest.approx(12.0, abs=1.5)
    assert beside.detected <= 50 + 12 < min(f.detected for f in alone)


def test_a_repair_is_given_to_the_leak_whose_share_it_takes_back() -> None:
    day = np.arange(90)
    north, south = 8.0 * (day >= 20), 8.0 * (day >= 30) * (day < 60)
    loss = 1.5 * np.random.default_rng(6).standard_normal(130)
    beside = others(7, north - south, 0.5)
    first, second = watch(loss[40:] + north + south, 1.5, 0.0, SHARED, loss[:40], beside)
    assert (first.onset, first.end) == (20, None)
    assert second.onset == 30
    assert second.end in (59, 60)  # of the day of a repair only a part is lost water


def test_what_is_pumped_is_weighed_as_the_share_is() -> None:
    meters, pump = inlets(1, CALM, 0.5)
    learnt = learn_sharing(meters, pump, WEEK, CALM, ANGLE)
    assert learnt is not None
    assert pumped(learnt, np.full_like(pump, 7.0))[:, 0] == pytest.approx(7.0)


def test_what_chance_adds_to_the_losses_it_does_not_take_from_the_share_again() -> None:
    noise = np.random.default_rng(8)
    loss, free = noise.standard_normal(700), noise.standard_normal((700, 2))
    share = np.column_stack(
        [-0.06 * loss + 0.08 * free[:, 0], 0.03 * loss + 0.05 * free[:, 0] + 0.04 * free[:, 1]]
    )
    step = np.where(np.arange(350) >= 200, 1.0, 0.0)
    lost, moved = loss[350:] + 3.0 * step, share[350:] + np.outer(step, [0.5, -0.4])
    nothing = np.empty((350, 0))
    sigma = np.std(share[:350], axis=0)
    found = parted(Others(moved, share[:350], sigma, np.zeros(2), nothing, nothing), lost, loss[:350])
    assert found.sigma == pytest.approx([0.08, 0.04], rel=0.1)  # what is left to each alone
    calm = np.column_stack([loss[350:550], found.values[:200]])
    assert np.corrcoef(calm.T) - np.eye(3) == pytest.approx(np.zeros((3, 3)), abs=0.2)
    assert found.values[200:, 0].mean() == pytest.approx(0.5 + 0.06 * 3.0, abs=0.02)
    loss[360] = np.nan
    assert np.isnan(
        parted(
            Others(moved, share[:350], sigma, np.zeros(2), nothing, nothing), loss[350:], loss[:350]
        ).values[10]
    ).all()
