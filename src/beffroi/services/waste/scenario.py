"""A year in small: containers that fill by chance, collected on fixed days or as they fill; to tune and to prove.

120 containers over some 300 km², eight weeks; they fill in a week on average, some in two days (lognormal), each day by chance
(gamma law). The field notes of November 2026 tell neither the plan nor how containers fill, only their number, the weeks, and what
collecting all of them twice a week does: 307 km, 240 visits, 23 days a week on which a container is over full. So whatever the
seed, the scenario is brought to that: seeds differ in places and rates, not in how hard they are. As drawn, each is weighed
against its own fixed rounds.
"""

from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from beffroi.services.waste.fill import Fill, fill_of
from beffroi.services.waste.rounds import (
    FEWEST_KM,
    FEWEST_VISITS,
    Point,
    Policy,
    Round,
    choose,
    fixed_days,
    restrained,
    steered,
    tour,
)

__all__ = [
    "BARS",
    "FIXED_DAYS",
    "KNOWN",
    "Outcome",
    "Scenario",
    "by_fill",
    "make_scenario",
    "on_days",
    "pays",
    "play",
    "ways",
]

WARM_UP = 14  # days that no figure counts
FIXED_DAYS = (0, 3)
KNOWN_KM, KNOWN_OVERFLOWS = 307.0, 23.0  # of the fixed rounds, a week
_STEERED = (
    308.0 / KNOWN_KM
)  # what the rounds by kilometres are steered to, of the fixed ones': they end 1 or 2 % below it
_HELD_VISITS = 143.0
_START = 0.3
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


def make_scenario(
    seed: int = 5, containers: int = 120, weeks: int = 8, side_m: float = 17_500.0, *, as_drawn: bool = False
) -> Scenario:
    """Return the scenario of a seed, brought to what the fixed rounds are known to do: 307 km and 23 overflow-days a week.

    What is drawn (places, rates, days) is kept in proportion: the plan is stretched, and all rises by one factor; neither
    `as_drawn`.
    """
    chance = np.random.default_rng(seed)
    places = chance.uniform(0, side_m, (containers, 2))
    rates = chance.lognormal(np.log(1 / 7) - 0.18, 0.6, containers)
    days = WARM_UP + 7 * weeks
    rises = chance.gamma(4.0, 1.0, (days, containers)) / 4.0 * rates
    depot, points = (side_m / 2, side_m / 2), [(float(x), float(y)) for x, y in places]
    if as_drawn:
        return Scenario(depot, tuple(points), rises)
    drawn = len(FIXED_DAYS) * tour(points, range(containers), depot, solver=False).metres / 1000
    stretch = KNOWN_KM / drawn
    return Scenario(
        (depot[0] * stretch, depot[1] * stretch), tuple((x * stretch, y * stretch) for x, y in points), rises * _factor(rises)
    )  # fmt: skip


def _factor(rises: np.ndarray) -> float:
    """Return by what rises are multiplied for the fixed rounds to leave the overflow-days that are known of them."""
    low, high = 0.2, 3.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if _overflows(rises * middle) > KNOWN_OVERFLOWS else (middle, high)
    return low


def _overflows(rises: np.ndarray) -> float:
    level, over = np.full(rises.shape[1], _START), 0
    for day, rise in enumerate(rises):
        level = (0.0 if day % 7 in FIXED_DAYS else level) + rise
        over += int((level > 1).sum()) if day >= WARM_UP else 0
    return 7 * over / (len(rises) - WARM_UP)


def on_days(days: Sequence[int], count: int) -> Choice:
    """Return the fixed way: every container on these week days."""
    return lambda day, _fills: fixed_days(day % 7, days, count)


def by_fill(
    scenario: Scenario,
    policy: Policy = Policy(),
    days: Sequence[int] | None = None,
    *,
    km_a_week: float | None = None,
    visits_a_week: float | None = None,
) -> Choice:
    """Return the way that follows the sensors: on these week days, or on any but Sunday when none is given.

    `km_a_week` steers it, day by day from the third week on, so that what was driven since and what is to be driven in a week keep
    to that many; `visits_a_week` holds its visits in the same way when they become more than that.
    """
    driven: list[float] = []
    made: list[float] = []
    held = policy

    def chosen(day: int, fills: Sequence[Fill]) -> list[int]:
        nonlocal held
        if day >= WARM_UP and km_a_week is not None:
            held = steered(held, _left(km_a_week, driven), _recent(driven), days=1)
        if day >= WARM_UP and visits_a_week is not None:
            held = restrained(held, policy, _left(visits_a_week, made), _recent(made), days=1)
        open_days = [
            d for d in range(day, day + 15) if (d % 7 in days if days is not None else d % 7 != _SUNDAY)
        ]
        stops = []
        if open_days and open_days[0] == day:
            gap = open_days[1] - day if len(open_days) > 1 else 7
            stops = choose(fills, scenario.places, scenario.depot, gap, held)
        made.append(float(len(stops)))
        driven.append(tour(scenario.places, stops, scenario.depot, solver=False).metres / 1000 if stops and km_a_week else 0.0)  # fmt: skip
        return stops

    return chosen


def _left(a_week: float, spent: Sequence[float]) -> float:
    """Return what may be spent in the next week: a week's, and what was spared since the third week; half a week's at least."""
    return max(a_week + a_week * (len(spent) - WARM_UP) / 7 - sum(spent[WARM_UP:]), a_week / 2)


def _recent(spent: Sequence[float]) -> float:
    """Return what a week spends lately."""
    return (sum(spent[-7:]) + sum(spent[-14:]) / 2) / 2


def ways(scenario: Scenario) -> dict[str, Choice]:
    """Return the ways that are compared, by name."""
    every = tour(scenario.places, range(len(scenario.places)), scenario.depot, solver=False)
    allowed = _STEERED * len(FIXED_DAYS) * every.metres / 1000
    return {
        "fixed": on_days(FIXED_DAYS, len(scenario.places)),
        "fill_fixed_days": by_fill(scenario, FEWEST_KM, FIXED_DAYS),
        "fewest_visits": by_fill(scenario, FEWEST_VISITS, visits_a_week=_HELD_VISITS),
        "fewest_km": by_fill(scenario, FEWEST_KM, km_a_week=allowed),
    }


KNOWN = Outcome(KNOWN_KM, 240.0, KNOWN_OVERFLOWS, float(len(FIXED_DAYS)))
"""What the fixed rounds do on the scenario of the field notes."""


def _within(visits: float, km: float, overflows: float) -> Callable[[Outcome, Outcome], bool]:
    """Return whether an outcome is within bars that were told beside `KNOWN`, as shares of what fixed rounds do."""
    return lambda o, fixed: (
        o.visits <= visits / KNOWN.visits * fixed.visits
        and o.km <= km / KNOWN.km * fixed.km
        and o.overflow_days <= overflows / KNOWN.overflow_days * fixed.overflow_days
    )


BARS: dict[str, Callable[[Outcome, Outcome], bool]] = {
    "fewest_visits": _within(145.0, np.inf, KNOWN_OVERFLOWS),
    "fewest_km": _within(np.inf, KNOWN_KM, 12.0),
}
"""What each way must do (field notes, section a3), beside the fixed rounds: `KNOWN`, or a draw's own."""


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
    level = np.full(count, _START)
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
