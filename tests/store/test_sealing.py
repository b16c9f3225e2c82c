"""Sealing: what is sealed in whatever order reads as if it had come in order, and late rows wait until they are worth it."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import text

from beffroi.model.instant import DAY_US, HOUR_US, parse_instant
from beffroi.model.observation import Draft
from beffroi.model.result import Result, decode_json, result_of
from beffroi.settings import Settings
from beffroi.store import sealing, sealing_apart
from beffroi.store.aggregates import AggregateQuery
from beffroi.store.observations import ObservationQuery
from beffroi.store.open import Store
from beffroi.store.sealing import LATE_SHARE, LATE_US, remove, seal
from beffroi.store.sealing_apart import writer_apart
from beffroi.store.tables import observation

NOON = parse_instant("2026-03-01T12:00:00Z")
results = st.sampled_from(
    ["1.50", "2", "-0.0", "1e300", '"text \\\\N, \\""', "null", "true", '{"a":1.10}', "0.10"]
)
drafts = st.builds(
    Draft,
    datastream_id=st.integers(1, 4),
    start_us=st.integers(NOON - 20 * DAY_US, NOON),
    result=results.map(lambda text: result_of(decode_json(text))),
    end_us=st.none() | st.just(NOON + HOUR_US),
    result_time_us=st.none() | st.integers(-(2**53), 2**53),
    feature_id=st.none() | st.integers(1, 2**53 - 1),
    quality=st.integers(0, 4),
    extra=st.none() | st.just('{"parameters":{"é":"\'"}}'),
)


@examples(max_examples=15)
@given(st.lists(st.lists(drafts, min_size=1, max_size=40), min_size=1, max_size=4))
def test_sealed_in_any_order_reads_as_it_was_stored(arrivals: list[list[Draft]]) -> None:
    with TemporaryDirectory() as folder:
        store = Store.open(Settings(data=Path(folder)))
        try:
            expected = []
            for batch in arrivals:
                ids = store.observations.append(batch).ids
                expected += [(i, d.datastream_id, d.start_us, d.end_us, d.result_time_us, d.result, d.feature_id,
                              d.quality, d.extra) for i, d in zip(ids, batch, strict=True)]  # fmt: skip
                seal(store.database, store.archive, NOON - 5 * DAY_US, store.observations.head())
            held = [(o.id, o.datastream_id, o.start_us, o.end_us, o.result_time_us, o.result, o.feature_id,
                     o.quality, o.extra) for o in store.observations.select(ObservationQuery())]  # fmt: skip
            assert held == sorted(expected)
            assert store.verify() == []
        finally:
            store.close()


def test_late_rows_wait_until_they_are_worth_a_writing(store: Store) -> None:
    n = 20 * LATE_SHARE
    store.observations.append([Draft(1, NOON + i * HOUR_US, result_of(float(i))) for i in range(n)])
    limit = NOON + n * HOUR_US + DAY_US
    assert seal(store.database, store.archive, limit, store.observations.head()).rows == n
    for late in range(1, 20):
        store.observations.append([Draft(1, NOON + late, result_of(0.5))])
        assert seal(store.database, store.archive, limit, store.observations.head()).rows == 0
    expected = store.observations.series(1)
    store.observations.append([Draft(1, NOON + n * HOUR_US - 1, result_of(0.5))])
    assert seal(store.database, store.archive, limit, store.observations.head()).rows == 20
    assert store.observations.series(1)[:-2] == expected[:-1]
    assert store.verify() == []


def _kept(store: Store) -> int:
    with store.read() as connection:
        return int(connection.execute(text("SELECT count(*) FROM obs.observation")).scalar_one())


def _held(store: Store) -> list[tuple[int, int, Result]]:
    return [(o.id, o.start_us, o.result) for o in store.observations.select(ObservationQuery())]


def test_rows_that_are_leaving_are_read_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sealing that was killed before it had removed its rows: the next one does, and nobody saw them twice."""
    few = [Draft(1 + i % 2, NOON + i * HOUR_US, result_of(float(i))) for i in range(100)]
    ids = store.observations.append(few).ids
    monkeypatch.setattr(sealing, "_SLICES", (7, 20))
    query = AggregateQuery(by_series=True)
    limit = NOON + 3 * DAY_US
    with monkeypatch.context() as killed:
        killed.setattr(sealing, "remove", lambda _database: 0)
        expected = _held(store)
        sums = store.observations.aggregate(query)
        seal(store.database, store.archive, limit, store.observations.head())
    assert _kept(store) == 100
    assert _held(store) == expected
    assert store.observations.aggregate(query) == sums
    assert store.observations.count(ObservationQuery(where=lambda _: observation.c.value < 50.0)) == 50
    assert [store.observations.get(i).result for i in ids[:3]] == [result for _, _, result in expected[:3]]  # type: ignore[union-attr]
    assert store.verify() == []
    store.observations.correct(ids[4], result=result_of(-1.0))
    store.observations.delete([ids[5]])
    corrected = (ids[4], expected[4][1], result_of(-1.0))
    now = [corrected if row[0] == ids[4] else row for row in expected if row[0] != ids[5]]
    assert _held(store) == now
    assert remove(store.database) == 58
    assert _held(store) == now
    assert _kept(store) == 42  # the two days that are not sealed yet, and what was changed
    assert seal(store.database, store.archive, limit, store.observations.head()).rows == 2
    assert _held(store) == now
    assert _kept(store) == 40
    assert store.verify() == []


def test_a_process_apart_writes_the_segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing_apart, "LARGE", 20)
    store = Store.open(Settings(data=tmp_path))
    try:
        store.observations.append([Draft(1, NOON + i * HOUR_US, result_of(float(i))) for i in range(48)])
        expected, head, apart = _held(store), store.observations.head(), writer_apart(store.settings)
        here = seal(store.database, store.archive, NOON + DAY_US, head, write=apart)
        assert here.rows == 12  # too few to be worth a process
        with monkeypatch.context() as busy:
            busy.setattr(sealing_apart, "write_segment", None)
            done = seal(store.database, store.archive, NOON + 3 * DAY_US, head, write=apart)
        assert (done.rows, done.segments) == (36, 1)
        assert _held(store) == expected
        assert store.verify() == []
    finally:
        store.close()


def test_a_late_row_waits_for_seven_days_at_most(settings: Settings) -> None:
    now = [NOON]
    store = Store.open(settings, lambda: now[0])
    try:
        few = [
            Draft(1, NOON - 30 * DAY_US + i * HOUR_US, result_of(float(i))) for i in range(20 * LATE_SHARE)
        ]
        store.observations.append(few)
        sealed = seal(store.database, store.archive, NOON, store.observations.head(), NOON - LATE_US)
        assert sealed.rows == len(few)
        for day in (1, 5):  # one waits, another joins it
            now[0] = NOON + day * DAY_US
            store.observations.append([Draft(2, NOON - 30 * DAY_US + day, result_of(0.5))])
        now[0] = NOON + DAY_US + LATE_US
        expected = store.observations.select(ObservationQuery())
        for late, rows in ((now[0], 0), (now[0] + 1, 2), (now[0] + HOUR_US, 0)):
            done = seal(store.database, store.archive, NOON, store.observations.head(), late - LATE_US)
            assert done.rows == rows, late - now[0]
        assert store.observations.select(ObservationQuery()) == expected
        assert store.verify() == []
    finally:
        store.close()
