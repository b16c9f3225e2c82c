"""Observations: what is appended is read back equal, fresh or sealed, on both databases."""

import asyncio

import pytest

from beffroi.model.instant import DAY_US, HOUR_US, parse_instant
from beffroi.model.observation import Draft
from beffroi.model.result import decode_json, number_of, result_of
from beffroi.store import sealing
from beffroi.store.observations import ObservationQuery
from beffroi.store.open import Store
from beffroi.store.sealing import seal
from beffroi.store.tables import observation

NOON = parse_instant("2026-03-01T12:00:00Z")


def drafts(series: int, n: int, start: int = NOON, step: int = HOUR_US) -> list[Draft]:
    return [Draft(series, start + i * step, number_of(f"{i}.50")) for i in range(n)]


def test_append_gives_ids_in_order_and_reads_back_every_digit(store: Store) -> None:
    texts = ["1.750000", "2", "20.0", "1e5", "-3.20", '"sec"', "true", "null", '{"a":1.10}', "[1,2.0]"]
    ack = store.observations.append(
        [Draft(7, NOON + i, result_of(decode_json(t))) for i, t in enumerate(texts)]
    )
    assert ack.stored == 10 and ack.folded == 0
    assert ack.ids == list(range(1, 11))
    assert [o.result.json() for o in store.observations.series(7)] == texts


def test_same_source_key_is_folded_once_and_equal_times_never(store: Store) -> None:
    one = Draft(1, NOON, number_of("1"), source_key=b"a")
    other = Draft(1, NOON, number_of("2"), source_key=b"b")
    first = store.observations.append([one, one, other])
    assert first.ids == [1, None, 2]
    again = store.observations.append([other, one])
    assert (again.ids, again.stored, again.folded) == ([None, None], 0, 2)
    assert [o.result.value for o in store.observations.series(1)] == [1.0, 2.0]


def test_last_and_stats_follow_time_not_arrival(store: Store) -> None:
    store.observations.append(drafts(1, 3))
    store.observations.append([Draft(1, NOON - DAY_US, number_of("9"))])
    assert store.observations.last([1])[1].result.json() == "2.50"
    stat = store.observations.stats([1])[1]
    assert (stat.count, stat.first_us, stat.last_us) == (4, NOON - DAY_US, NOON + 2 * HOUR_US)


def test_sealed_history_reads_as_if_it_were_fresh(store: Store) -> None:
    store.observations.append(drafts(1, 100) + drafts(2, 100) + [Draft(3, NOON, result_of('a "b", c\n\\N'))])
    whole = [store.observations.series(s) for s in (1, 2, 3)]
    pages = store.observations.series(1, NOON + 30 * HOUR_US, NOON + 60 * HOUR_US, limit=7, newest_first=True)
    done = seal(store.database, store.archive, NOON + 50 * HOUR_US, store.observations.head())
    assert done.rows == 2 * 36 + 1 and done.segments == 1
    assert [store.observations.series(s) for s in (1, 2, 3)] == whole
    assert (
        store.observations.series(1, NOON + 30 * HOUR_US, NOON + 60 * HOUR_US, limit=7, newest_first=True)
        == pages
    )
    assert store.observations.get(whole[0][0].id) == whole[0][0]
    assert store.observations.count(ObservationQuery(where=lambda _: observation.c.value >= 50)) == 2 * 50
    assert store.observations.last([1])[1] == whole[0][-1]


def test_corrections_and_deletions_of_sealed_rows_win_then_are_sealed(store: Store) -> None:
    store.observations.append(drafts(1, 48))
    seal(store.database, store.archive, NOON + 3 * DAY_US, store.observations.head())
    rows = store.observations.series(1)
    store.observations.correct(rows[5].id, result=number_of("-1"))
    store.observations.correct(rows[6].id, start_us=NOON - 10 * DAY_US)
    assert store.observations.delete([rows[0].id, rows[47].id, 999]) == 2
    now = store.observations.series(1)
    assert len(now) == 46
    assert [o.result.value for o in now][:5] == [6.5, 1.5, 2.5, 3.5, 4.5]
    assert now[5].result.value == -1 and now[5].id == rows[5].id
    assert store.observations.get(rows[0].id) is None
    assert store.observations.last([1])[1].id == rows[46].id
    assert store.observations.stats([1])[1].count == 46
    seal(store.database, store.archive, NOON + 3 * DAY_US, store.observations.head())
    later = store.observations.series(1)
    assert [(o.id, o.start_us, o.result) for o in later] == [(o.id, o.start_us, o.result) for o in now]
    assert store.observations.get(rows[0].id) is None


def test_late_rows_extend_the_segment_of_their_day(store: Store) -> None:
    store.observations.append(drafts(1, 24, step=DAY_US))
    seal(store.database, store.archive, NOON + 100 * DAY_US, store.observations.head())
    store.observations.append(
        [Draft(1, NOON + DAY_US + 5, number_of("77")), Draft(1, NOON + 40 * DAY_US, number_of("8"))]
    )
    expected = store.observations.series(1)
    seal(store.database, store.archive, NOON + 100 * DAY_US, store.observations.head())
    assert store.observations.series(1) == expected
    with store.read() as connection:
        assert sum(s.count for s in store.archive.live(connection)) == 26
    assert store.archive.sweep() == 2  # the old version and its roll-up


def test_after_gives_commits_in_order_once(store: Store) -> None:
    store.observations.append(drafts(1, 3))
    store.observations.correct(2, quality=2)
    seen = store.observations.after(0)
    assert [(o.id, o.seq) for o in seen] == [(1, 1), (3, 3), (2, 4)]
    assert store.observations.after(3, limit=1) == [seen[2]]
    assert store.observations.after(4) == []


def test_append_soon_groups_many_callers(store: Store) -> None:
    async def many() -> list[int | None]:
        acks = await asyncio.gather(*(store.observations.append_soon(drafts(i, 2)) for i in range(1, 51)))
        return [i for ack in acks for i in ack.ids]

    ids = asyncio.run(many())
    assert sorted(i for i in ids if i is not None) == list(range(1, 101))
    assert len(store.observations.last()) == 50


def test_forgotten_series_is_gone_everywhere(store: Store) -> None:
    store.observations.append(drafts(1, 30) + drafts(2, 30))
    seal(store.database, store.archive, NOON + DAY_US, store.observations.head())
    store.observations.delete_series(1)
    assert store.observations.series(1) == []
    assert len(store.observations.series(2)) == 30
    assert 1 not in store.observations.stats()


def test_forgotten_keys_no_longer_fold(store: Store) -> None:
    one = Draft(1, NOON, number_of("1"), source_key=b"a")
    store.observations.append([one])
    assert store.observations.forget_keys(0) == 0
    assert store.observations.append([one]).folded == 1
    assert store.observations.forget_keys(store.clock() + 1) == 1
    assert store.observations.append([one]).stored == 1


def test_rows_of_every_shape_in_one_large_batch(store: Store) -> None:
    rows = [
        Draft(1 + i % 3, NOON + i, number_of(f"{i}.10") if i % 2 else result_of("text"), end_us=NOON + i + 5 if i % 5 == 0 else None,
              result_time_us=NOON if i % 7 == 0 else None, feature_id=i if i % 4 else None, quality=i % 5,
              extra='{"parameters":{"a":1}}' if i % 11 == 0 else None)
        for i in range(257)
    ]  # fmt: skip
    ids = store.observations.append(rows).ids
    assert ids == list(range(1, 258))
    for draft, number in zip(rows, ids, strict=True):
        assert number is not None
        held = store.observations.get(number)
        assert held is not None
        assert (held.datastream_id, held.start_us, held.end_us, held.result_time_us, held.result, held.feature_id,
                held.quality, held.extra) == (draft.datastream_id, draft.start_us, draft.end_us, draft.result_time_us,
                                              draft.result, draft.feature_id, draft.quality, draft.extra)  # fmt: skip


def test_pages_in_either_order_open_few_segments_and_miss_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "TARGET_ROWS", 1)  # a segment a day
    monkeypatch.setattr(sealing, "SMALL_ROWS", 0)
    store.observations.append(drafts(1, 48) + drafts(2, 48, step=6 * HOUR_US))
    seal(store.database, store.archive, NOON + 9 * DAY_US, store.observations.head())
    store.observations.append(drafts(1, 30, start=NOON + HOUR_US))  # late: high ids in the oldest days
    seal(store.database, store.archive, NOON + 9 * DAY_US, store.observations.head())
    rows = store.observations.select(ObservationQuery())
    store.observations.delete([rows[3].id, rows[60].id])
    store.observations.correct(rows[10].id, start_us=NOON + 11 * DAY_US)
    rows = store.observations.select(ObservationQuery())
    assert [o.id for o in rows] == sorted(o.id for o in rows)
    by_time = sorted(rows, key=lambda o: (o.start_us, o.id))
    opened: list[int] = []
    raw = store.archive.raw
    monkeypatch.setattr(store.archive, "raw", lambda segments: opened.append(len(segments)) or raw(segments))
    for skip, top in ((0, 7), (5, 20), (0, 200), (100, 10), (123, 9)):
        for down in (False, True):
            ids = ObservationQuery(id_descending=down, limit=top, offset=skip)
            assert store.observations.select(ids) == (rows[::-1] if down else rows)[skip : skip + top]
            times = ObservationQuery(
                order=lambda _, down=down: [(observation.c.start_us, down)], id_descending=down, limit=top, offset=skip
            )  # fmt: skip
            assert store.observations.select(times) == (by_time[::-1] if down else by_time)[skip : skip + top]
    opened.clear()
    assert len(store.observations.series(2, limit=3, newest_first=True)) == 3
    assert sum(opened) <= 2
