"""A year in small: containers that fill by chance, collected on fixed days or as they fill; to tune and to prove.

120 containers over 306 km², eight weeks; they fill in a week on average, some in two days (lognormal), each day by chance
(gamma law). What counts: kilometres, visits, and days on which a container is over full, a week.
"""

from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from beffroi.services.waste.fill import Fill, fill_of
from beffroi.services.waste.rounds import Point, Policy, Round, choose, fixed_days, tour

__all__ = ["Outcome", "Scenario", "by_fill", "make_scenario", "on_days", "pays", "play"]

WARM_UP = 14  # days that no figure counts
_DAY_S = 86_400.0
_SUNDAY = 6


class Scenario(msgspec.Struct, frozen=True, eq=False):
    """Places in metres, and each day's rise of each container (share of its volume)."""

    depot: Point
    places: tuple[Point, ...]
    rises: np.ndarray  # (days, containers)


class Outcome(msgspec.Struct, frozen=True):
    """What a way of collecting does, a week."""

    km: float
    visits: float
    overflow_days: float
    rounds: float


Choice = Callable[[int, Sequence[Fill]], list[int]]
"""Which containers a day's round takes: (day, fills) → positions."""


def make_scenario(seed: int = 5, containers: int = 120, weeks: int = 8, side_m: float = 17_500.0) -> Scenario:
    """Return the scenario of a seed."""
    chance = np.random.default_rng(seed)
    places = chance.uniform(0, side_m, (containers, 2))
    rates = chance.lognormal(np.log(1 / 7) - 0.18, 0.6, containers)
    days = WARM_UP + 7 * weeks
    rises = chance.gamma(4.0, 1.0, (days, containers)) / 4.0 * rates
    return Scenario((side_m / 2, side_m / 2), tuple((float(x), float(y)) for x, y in places), rises)


def on_days(days: Sequence[int], count: int) -> Choice:
    """Return the fixed way: every container on these week days."""
    return lambda day, _fills: fixed_days(day % 7, days, count)


def by_fill(scenario: Scenario, policy: Policy = Policy(), days: Sequence[int] | None = None) -> Choice:
    """Return the way that follows the sensors: on these week days, or on any but Sunday when none is given."""

    def chosen(day: int, fills: Sequence[Fill]) -> list[int]:
        open_days = [
            d for d in range(day, day + 15) if (d % 7 in days if days is not None else d % 7 != _SUNDAY)
        ]
        if not open_days or open_days[0] != day:
            return []
        gap = open_days[1] - day if len(open_days) > 1 else 7
        ahead = msgspec.structs.replace(policy, ahead=max(policy.ahead, float(gap)))
        return choose(fills, scenario.places, scenario.depot, float(gap), ahead)

    return chosen


def play(
    scenario: Scenario,
    chosen: Choice,
    *,
    solver: bool = False,
    seconds: float = 0.4,
    sensor_error: float = 0.02,
    seed: int = 2,
) -> Outcome:
    """Play the days: each evening containers rise, each morning the choice is made from what sensors told."""
    chance = np.random.default_rng(seed)
    days, count = scenario.rises.shape
    level = np.full(count, 0.3)
    told: list[list[tuple[float, float]]] = [[] for _ in range(count)]
    km = visits = over = rounds = 0.0
    for day in range(days):
        for i in range(count):
            told[i].append((day * _DAY_S, float(level[i] + sensor_error * chance.standard_normal())))
        fills = [fill_of(t[-40:]) or Fill(0.3, 1 / 7, 0.08) for t in told]
        stops = chosen(day, fills)
        if stops:
            made: Round = tour(
                scenario.places, stops, scenario.depot, solver=solver and day >= WARM_UP, seconds=seconds
            )
            level[stops] = 0.0
            for i in stops:
                told[i].append((day * _DAY_S + 3600, 0.0))
            if day >= WARM_UP:
                km, visits, rounds = km + made.metres / 1000, visits + len(stops), rounds + 1
        level = level + scenario.rises[day]
        if day >= WARM_UP:
            over += int((level > 1).sum())
    weeks = (days - WARM_UP) / 7
    return Outcome(km / weeks, visits / weeks, over / weeks, rounds / weeks)


def pays(
    before: Outcome,
    after: Outcome,
    *,
    containers: int,
    sensor_a_year: float = 45.0,
    km_cost: float = 2.1,
    visit_cost: float = 3.0,
) -> float:
    """Return what sensors bring a year (€): kilometres and visits spared, less what the sensors cost. Below zero, they do
    not pay: that is said."""
    return (
        52 * ((before.km - after.km) * km_cost + (before.visits - after.visits) * visit_cost)
        - containers * sensor_a_year
    )
