"""The rates against demonstrations, whose residents' true rates are known (its page: `tests/demo`)."""

from collections import defaultdict
from collections.abc import Iterator

from beffroi.model.instant import DAY_US, parse_instant
from beffroi.scene.chance import Chance
from beffroi.services.reports import demo
from beffroi.services.reports.demo import Problem, problems_of, true_rates
from beffroi.services.reports.rate.estimate import rates_by
from beffroi.services.reports.rate.incidents import Incident, Told, incidents_of

END = parse_instant("2026-11-22")
AREAS = [
    ("Centre", 2900, 0.45), ("Les Coteaux", 2100, 0.20), ("La Gare", 1700, 0.08), ("Le Faubourg", 1500, 0.04),
    ("Les Tilleuls", 2300, 0.02), ("Montarel", 874, 0.03),
]  # fmt: skip


def drawn(seed: int, areas: list[tuple[str, int, float]], end: int) -> Iterator[tuple[str, Problem]]:
    """The problems of a demonstration, without its store."""
    draw, before = Chance(seed, "reports"), 0
    for name, inhabitants, rate in areas:
        problems = problems_of(draw, before, inhabitants, rate, end)
        before += len(problems)
        yield from ((name, one) for one in problems)


def watched(problems: Iterator[tuple[str, Problem]], end: int) -> list[Incident]:
    told = [
        Told(str(one.number), at / DAY_US, area, one.code, by,
             None if one.taken is None else one.taken / DAY_US, one.gone / DAY_US if one.taken is not None and one.gone < end else None)
        for area, one in problems for at, by in zip(one.times, one.by, strict=True)
    ]  # fmt: skip
    return incidents_of(told, end / DAY_US)


def test_over_a_hundred_towns_the_intervals_hold_the_truth_at_their_rate() -> None:
    truth = {
        "areas": [{"area": name, "rate_per_day": rate} for name, _, rate in AREAS],
        "categories": {code: sooner for code, _, sooner, *_ in demo._KINDS},
    }
    held: dict[str, list[bool]] = defaultdict(list)
    for seed in range(100):
        incidents = watched(drawn(seed, AREAS, END), END)
        rates = true_rates(truth, incidents)
        for area, rate in rates_by(incidents, lambda one: one.area).items():
            held[area].append(rate.low <= rates[area] <= (rate.high or float("inf")))
    share = sum(map(sum, held.values())) / sum(map(len, held.values()))
    assert 0.93 <= share <= 0.98
    assert all(sum(some) / len(some) >= 0.90 for some in held.values())
