"""Aggregates equal brute force, whatever mixture of fresh rows, segments and roll-ups holds the observations."""

import json
import math
import random
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from beffroi.model.instant import DAY_US, HOUR_US, MINUTE_US, parse_instant
from beffroi.model.observation import Draft, Observation
from beffroi.model.result import number_of, result_of
from beffroi.standards.sensorthings.dialects import DIALECTS
from beffroi.store import gathering, sealing
from beffroi.store.aggregates import AggregateQuery, Cell, Cells, Grain
from beffroi.store.gathering import gather, good, rollup_rows
from beffroi.store.observations import ObservationQuery
from beffroi.store.open import Store
from beffroi.store.sealing import seal
from beffroi.store.tables import observation

START = parse_instant("2026-03-27T00:00:00Z")
SPRING = parse_instant("2026-03-29T01:00:00Z")
PARIS = ((0, HOUR_US), (SPRING, 2 * HOUR_US))
GRAINS = [
    None,
    Grain(HOUR_US),
    Grain(15 * MINUTE_US),
    Grain(DAY_US, PARIS),
    Grain(6 * HOUR_US),
    Grain(HOUR_US, ((0, 20 * MINUTE_US),)),
]


def number(grain: Grain, instant_us: int) -> int:
    offset = [ahead for since, ahead in grain.offsets if since <= instant_us or since == 0][-1]
    return (instant_us + offset) // grain.step_us


def expected(rows: list[Observation], query: AggregateQuery) -> dict[Any, Any]:
    """Return the cells of `query` by looking at each observation."""
    start, end = query.within
    limit = query.ended_by
    groups: dict[Any, list[Observation]] = defaultdict(list)
    for one in rows:
        ends = one.start_us if one.end_us is None else one.end_us
        if (
            query.datastreams is not None and one.datastream_id not in query.datastreams
        ) or one.datastream_id in query.without:
            continue
        if (start is not None and one.start_us < start) or (end is not None and one.start_us >= end):
            continue
        if limit is not None and ends > limit:
            continue
        if query.where is not None and not (one.result.value is not None and one.result.value >= 5):
            continue
        bucket = 0 if query.grain is None else number(query.grain, one.start_us)
        key = (
            one.datastream_id if query.by_series else 0,
            (one.feature_id or 0) if query.by_feature else 0,
            bucket,
        )
        groups[key].append(one)
    value = value_of if query.value is None else second_of
    return {key: summary(found, value) for key, found in groups.items()}


def value_of(one: Observation) -> float | None:
    return one.result.value


def second_of(one: Observation) -> float | None:
    """Return the second number of a result that is an array."""
    result = json.loads(one.result.json())
    second = result[1] if isinstance(result, list) and len(result) > 1 else None
    return second if isinstance(second, int | float) and not isinstance(second, bool) else None


def summary(found: list[Observation], value: Callable[[Observation], float | None]) -> tuple[Any, ...]:
    valued = ((o, value(o)) for o in found)
    numbers = sorted((o.start_us, o.datastream_id, o.id, v) for o, v in valued if v is not None)
    values = [v for *_, v in numbers]
    ends = (numbers[0][3], numbers[-1][3]) if numbers else (None, None)
    return (len(found), len(values), round(math.fsum(values), 6), min(values, default=None), max(values, default=None), *ends,
            sorted(values))  # fmt: skip


def shown(cells: Cells) -> dict[Any, Any]:
    def one(c: Cell) -> tuple[Any, ...]:
        first, last = (None if end is None else end[3] for end in (c.first, c.last))
        return c.n, c.numbers, round(c.total, 6), c.low, c.high, first, last, sorted(c.values)

    return {key: one(cell) for key, cell in cells.items()}


def second(dialect: str) -> Any:
    return DIALECTS[dialect].json(observation.c.literal, (1,), "number")


def check(store: Store, chance: random.Random) -> None:
    """Compare twenty questions out of the hundreds that the parts of a query make together."""
    rows = store.observations.select(ObservationQuery())
    for _ in range(20):
        low = chance.choice([None, START + 2 * DAY_US, START + chance.randrange(3 * DAY_US)])
        high = chance.choice(
            [None, SPRING + 30 * MINUTE_US, START + chance.randrange(2 * DAY_US, 6 * DAY_US)]
        )
        condition, values, ends = chance.random() < 0.2, chance.random() < 0.2, chance.random() < 0.5
        query = AggregateQuery(
            datastreams=chance.choice([None, (1,), (2, 3), (9,)]), without=chance.choice([(), (), (3,)]), within=(low, high),
            ended_by=chance.choice([None, high, START + chance.randrange(6 * DAY_US)]),
            where=(lambda _dialect: observation.c.value >= 5) if condition else None,
            value=second if chance.random() < 0.2 else None, grain=chance.choice(GRAINS),
            by_series=chance.random() < 0.6, by_feature=chance.random() < 0.2, ends=ends, values=values,
        )  # fmt: skip
        found, wanted = shown(store.observations.aggregate(query)), expected(rows, query)
        if not values:
            wanted = {k: (*w[:-1], []) for k, w in wanted.items()}
        if not ends:
            wanted = {k: (*w[:5], None, None, w[-1]) for k, w in wanted.items()}
        assert found == wanted, query


def some(chance: random.Random, n: int) -> list[Draft]:
    drafts = []
    for _ in range(n):
        start = START + chance.randrange(6 * DAY_US // (10 * MINUTE_US)) * 10 * MINUTE_US
        result = number_of(str(chance.randrange(100) / 10))
        if chance.random() < 0.2:
            odd: list[Any] = ["panne", [1, 2], [None, 0.5], [3, "x"], [7], [8, True], [0, -4.5, 2], {"a": 1}]
            result = result_of(chance.choice(odd))
        end = start + chance.choice([10 * MINUTE_US, 90 * MINUTE_US]) if chance.random() < 0.1 else None
        drafts.append(
            Draft(chance.randrange(1, 5), start, result, end_us=end, feature_id=chance.choice([None, 1, 2]))
        )
    return drafts


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(n, marks=pytest.mark.nightly) for n in range(2, 40))])
def test_aggregates_equal_brute_force_fresh_sealed_and_rolled_up(store: Store, seed: int) -> None:
    chance = random.Random(seed)
    store.observations.append(some(chance, 400))
    check(store, chance)  # all fresh
    seal(store.database, store.archive, START + 4 * DAY_US, store.observations.head())
    check(store, chance)  # both
    store.observations.append(some(chance, 100))  # late rows of sealed hours, and new ones
    ids = [o.id for o in store.observations.select(ObservationQuery())]
    store.observations.delete(chance.sample(ids, 15))
    for number_ in chance.sample([o.id for o in store.observations.select(ObservationQuery())], 15):
        moved = (
            {"start_us": START + chance.randrange(6 * DAY_US)}
            if chance.random() < 0.5
            else {"result": number_of("7.7")}
        )
        store.observations.correct(number_, **moved, end_us=None)
    check(store, chance)  # corrected and deleted: some hours of the roll-ups are stale
    seal(store.database, store.archive, START + 7 * DAY_US, store.observations.head())
    check(store, chance)  # all sealed


def test_gathered_roll_ups_serve_while_their_segments_live(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "TARGET_ROWS", 1)  # a segment a day
    monkeypatch.setattr(sealing, "SMALL_ROWS", 0)
    monkeypatch.setattr(gathering, "FEWEST", 3)
    chance = random.Random(11)
    store.observations.append(some(chance, 400))
    seal(store.database, store.archive, START + 5 * DAY_US, store.observations.head())
    assert gather(store.database, store.archive) == 1
    assert gather(store.database, store.archive) == 0
    check(store, chance)
    with store.read() as connection:
        (long,) = good(connection)
        assert len(long.segments) == 5
        files = rollup_rows(store.archive, store.archive.live(connection), [long])
    assert files.count("'") == 2  # one file instead of five
    store.observations.append([Draft(1, START + DAY_US + 5, number_of("3.5"))])
    ids = [o.id for o in store.observations.series(2)]
    store.observations.delete(ids[:3])
    check(store, chance)
    seal(store.database, store.archive, START + 5 * DAY_US, store.observations.head())
    with store.read() as connection:
        assert good(connection) == []
    check(store, chance)
    assert gather(store.database, store.archive) == 1
    check(store, chance)
    assert store.verify() == []
    store.archive.sweep()
    check(store, chance)
    whole = (store.archive.folder / long.path).exists()
    assert not whole


def test_sums_of_everything_say_nothing_of_hours_that_they_do_not_know(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "TARGET_ROWS", 1)  # a segment a day
    monkeypatch.setattr(sealing, "SMALL_ROWS", 0)
    monkeypatch.setattr(gathering, "FEWEST", 3)
    edge = START + 2 * DAY_US
    across = Draft(1, edge - 30 * MINUTE_US, number_of("3"), end_us=edge + 30 * MINUTE_US)
    beside = [Draft(series, edge - 40 * MINUTE_US, number_of("4.5")) for series in (1, 2)]
    store.observations.append([*some(random.Random(3), 300), across, *beside])
    seal(store.database, store.archive, START + 5 * DAY_US, store.observations.head())
    assert gather(store.database, store.archive) == 1

    def together() -> None:
        rows = store.observations.select(ObservationQuery())
        for start, end in ((None, None), (None, edge), (START + 90 * MINUTE_US, edge + 20 * MINUTE_US)):
            for grain in (None, Grain(HOUR_US), Grain(DAY_US, PARIS)):
                query = AggregateQuery(within=(start, end), ended_by=end, grain=grain)
                wanted = {k: (*w[:5], None, None, []) for k, w in expected(rows, query).items()}
                assert shown(store.observations.aggregate(query)) == wanted, query

    together()
    ids = [o.id for o in store.observations.select(ObservationQuery())]
    store.observations.delete(ids[10:14])
    store.observations.correct(ids[20], result=number_of("99.5"))
    store.observations.append([Draft(2, edge - 20 * MINUTE_US, number_of("-50"))])
    together()
    seal(store.database, store.archive, START + 5 * DAY_US, store.observations.head())
    together()  # none of the gathered serves now


def test_a_segment_without_roll_up_is_read_raw_then_gets_one(store: Store) -> None:
    chance = random.Random(7)
    store.observations.append(some(chance, 300))
    seal(store.database, store.archive, START + 7 * DAY_US, store.observations.head())
    with store.database.write_observations() as connection:
        from beffroi.store.tables import segment, segment_series

        connection.execute(segment.update().values(rollup=None, rollup_bytes=None, rollup_sha256=None))
        connection.execute(segment_series.delete())
    check(store, chance)
    assert len(store.observations.series(1)) == store.observations.stats([1])[1].count
    assert store.archive.complete() == 1
    assert store.archive.complete() == 0
    check(store, chance)
    assert store.verify() == []
