"""Retention of observations: what goes, what stays as hours, what is never touched, and what it saved."""

import json

import pytest
from sqlalchemy import insert, select

from beffroi.model.instant import DAY_US, HOUR_US, MINUTE_US, format_instant, parse_instant
from beffroi.model.observation import Draft
from beffroi.model.result import number_of
from beffroi.store import tables
from beffroi.store.aggregates import AggregateQuery, Cells, Grain
from beffroi.store.open import Store
from beffroi.store.sealing import seal
from beffroi.store.thinning import KINDS, Keep, keep_of, past, saved, thin

START = parse_instant("2025-01-01T00:00:00Z")
DAYS = 40
NOW = START + DAYS * DAY_US
HOURLY = AggregateQuery(grain=Grain(HOUR_US), by_series=True, ends=True)


def series(store: Store, number: int, retention: dict[str, str] | None, kind: str = "") -> None:
    properties = None if retention is None else json.dumps({"retention": retention})
    with store.write() as c:
        for table, values in (
            (tables.thing, {"name": "t", "description": "", "service": "eau"}),
            (tables.sensor, {"name": "s", "description": "", "encoding_type": "", "metadata": ""}),
            (tables.observed_property, {"name": "p", "definition": "", "description": ""}),
            (tables.datastream, {"name": "d", "description": "", "observation_type": "", "properties": properties, "kind": kind,
                                 "thing_id": number, "sensor_id": number, "observed_property_id": number}),
        ):  # fmt: skip
            c.execute(insert(table).values(id=number, **values))
    step = 20 * MINUTE_US
    drafts = [Draft(number, START + i * step, number_of(str((i * 7) % 50 / 10))) for i in range(DAYS * 72)]
    store.observations.append(drafts)


def sealed(store: Store) -> None:
    seal(store.database, store.archive, NOW, store.observations.head())


def shown(cells: Cells) -> dict[tuple[int, int], tuple[float | None, ...]]:
    return {
        (s, b): (
            c.n,
            c.numbers,
            round(c.total, 6),
            c.low,
            c.high,
            c.first and c.first[3],
            c.last and c.last[3],
        )
        for (s, _, b), c in cells.items()
    }


def test_raw_becomes_hours_then_nothing_and_the_aggregates_stay(store: Store) -> None:
    series(store, 1, {"raw": "P10D", "hours": "P20D"})
    series(store, 2, None)
    sealed(store)
    before = shown(store.observations.aggregate(HOURLY))
    plan = thin(store, NOW, dry=True)
    assert plan.rows == {1: 30 * 72}
    assert plan.hours == {1: 20 * 24}
    assert plan.freed > 0
    assert len(store.observations.series(1)) == DAYS * 72  # a plan touches nothing
    done = thin(store, NOW)
    assert (done.rows, done.hours) == (plan.rows, plan.hours)
    assert [o.start_us for o in store.observations.series(1)] == [
        NOW - 10 * DAY_US + i * 20 * MINUTE_US for i in range(720)
    ]
    after = shown(store.observations.aggregate(HOURLY))
    kept_from = (START + 10 * DAY_US) // HOUR_US
    assert after == {key: cell for key, cell in before.items() if key[0] == 2 or key[1] >= kept_from}
    stat = store.observations.stats([1])[1]
    assert (stat.count, stat.first_us) == (720, NOW - 10 * DAY_US)
    assert store.verify() == []
    with store.read() as connection:
        (one,) = saved(connection).values()
    assert (one.rows, one.hours, one.bytes) == (30 * 72, 20 * 24, done.freed)
    again = thin(store, NOW)
    assert (again.rows, again.freed) == ({}, 0)


def test_thin_hours_outlive_late_rows_and_a_new_sealing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("beffroi.store.sealing.LATE_SHARE", 1_000_000)  # a single late row is sealed at once
    series(store, 1, {"raw": "P10D"})
    sealed(store)
    thin(store, NOW)
    whole = shown(store.observations.aggregate(HOURLY))
    late = START + 5 * DAY_US
    store.observations.append([Draft(1, late + 1, number_of("99"))])
    expected = dict(whole)
    n, numbers, total, low, _, first, last = whole[1, late // HOUR_US]
    values = [(late, first), (late + 1, 99.0)]
    expected[1, late // HOUR_US] = (n + 1, numbers + 1, round(total + 99, 6), low, 99.0, values[0][1], last)
    for _ in range(2):
        assert shown(store.observations.aggregate(HOURLY)) == expected
        assert [o.result.value for o in store.observations.series(1, late, late + DAY_US)] == [99.0]
        sealed(store)
    assert thin(store, NOW).rows == {1: 1}
    assert shown(store.observations.aggregate(HOURLY)) == expected
    assert store.observations.series(1, late, late + DAY_US) == []
    assert store.verify() == []


def test_what_comes_past_its_retention_goes_with_the_next_passage(store: Store) -> None:
    series(store, 1, {"raw": "P10D"})
    series(store, 2, None)
    sealed(store)
    thin(store, NOW)
    late = START + 5 * DAY_US + HOUR_US
    before = shown(store.observations.aggregate(HOURLY))[1, late // HOUR_US]
    store.observations.append(
        [Draft(1, late, number_of("99")), Draft(2, START + 35 * DAY_US + 1, number_of("7"))]
    )
    assert past(store, NOW, {1: late - DAY_US}) == set()  # it is needed
    assert past(store, NOW) == {START + 5 * DAY_US}
    head = store.observations.head()
    assert seal(store.database, store.archive, NOW, head).rows == 0  # two rows are not worth a segment
    assert seal(store.database, store.archive, NOW, head, at_once=past(store, NOW)).rows == 2
    assert past(store, NOW) == set()
    assert thin(store, NOW).rows == {1: 1}
    assert store.observations.series(1, late - HOUR_US, late + HOUR_US) == []
    assert shown(store.observations.aggregate(HOURLY))[1, late // HOUR_US][:2] == (
        before[0] + 1,
        before[1] + 1,
    )
    assert len(store.observations.series(2)) == DAYS * 72 + 1


def test_what_is_needed_and_the_last_word_stay(store: Store) -> None:
    series(store, 1, {"raw": "P10D"})
    sealed(store)
    assert thin(store, NOW, {1: START + 15 * DAY_US + 1}, dry=True).rows == {1: 15 * 72}
    assert thin(store, NOW, {0: START}, dry=True).rows == {}
    assert thin(store, NOW + 1000 * DAY_US).rows == {1: (DAYS - 1) * 72}
    assert len(store.observations.series(1)) == 72


def test_a_corrected_value_is_not_thinned_before_it_is_sealed(store: Store) -> None:
    series(store, 1, {"raw": "P10D"})
    sealed(store)
    first = store.observations.series(1, limit=1)[0]
    store.observations.correct(first.id, result=number_of("44"))
    expected = shown(store.observations.aggregate(HOURLY))
    assert thin(store, NOW).rows == {1: 30 * 72 - 1}
    assert shown(store.observations.aggregate(HOURLY)) == expected
    sealed(store)
    assert shown(store.observations.aggregate(HOURLY)) == expected
    assert thin(store, NOW).rows == {1: 1}
    assert shown(store.observations.aggregate(HOURLY)) == expected


def test_a_kind_says_what_its_datastreams_do_not(store: Store) -> None:
    kinds = {"level": {"raw": "P30D", "hours": "P1000D"}}
    assert keep_of(None, "level", kinds) == Keep(30, 1000)
    assert keep_of('{"retention": {"raw": "P2D"}}', "level", kinds) == Keep(2, None)
    assert keep_of('{"retention": {}}', "level", kinds) == Keep()
    assert keep_of('{"retention": {"raw": "beaucoup"}}', "level", kinds) == Keep()
    series(store, 1, None, "level")
    sealed(store)
    assert thin(store, NOW, dry=True).rows == {}
    store.set_setting(KINDS, kinds)
    assert thin(store, NOW, dry=True).rows == {1: 10 * 72}
    # with notice, nothing goes before its day
    store.set_setting(KINDS, {"level": {**kinds["level"], "from": format_instant(NOW + 1)}})
    assert thin(store, NOW, dry=True).rows == {}
    assert thin(store, NOW + 1, dry=True).rows == {1: 10 * 72}
    assert keep_of(None, "level", {"level": {"raw": "P30D", "from": "bientôt"}}) == Keep()
    with store.read() as connection:
        assert connection.execute(select(tables.thinned)).all() == []
