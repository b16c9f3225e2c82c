"""A clock that jumps: ids and commit order do not come from it, so nothing is lost, folded or disordered."""

from pathlib import Path

from beffroi.model.instant import DAY_US, parse_instant
from beffroi.model.observation import Draft
from beffroi.model.result import number_of
from beffroi.settings import Settings
from beffroi.store.open import Store
from beffroi.store.sealing import seal

NOON = parse_instant("2026-03-01T12:00:00Z")


def test_clock_back_and_forth_keeps_commit_order(tmp_path: Path) -> None:
    clock = iter([NOON, NOON - 365 * DAY_US, NOON + 40 * 365 * DAY_US, NOON + 1])
    store = Store.open(Settings(data=tmp_path), clock=lambda: next(clock))
    for i in range(4):
        store.observations.append([Draft(1, NOON + i, number_of(str(i)))])
    assert [(o.seq, o.result.json()) for o in store.observations.after(0)] == [
        (1, "0"),
        (2, "1"),
        (3, "2"),
        (4, "3"),
    ]
    store.close()


def test_sealing_in_a_far_future_seals_all_and_reads_the_same(tmp_path: Path) -> None:
    store = Store.open(Settings(data=tmp_path))
    store.observations.append([Draft(1, NOON + i * DAY_US, number_of(str(i))) for i in range(20)])
    before = store.observations.series(1)
    assert seal(store.database, store.archive, NOON + 40 * 365 * DAY_US, store.observations.head()).rows == 20
    assert store.observations.series(1) == before
    store.observations.append(
        [Draft(1, NOON + DAY_US, number_of("7"))]
    )  # the clock came back: late rows are welcome
    assert len(store.observations.series(1)) == 21
    assert store.verify() == []
    store.close()
