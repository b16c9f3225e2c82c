"""Verify: a whole store has no fault; a flipped bit, a lost file or a lost row is found and named."""

from sqlalchemy import text

from beffroi.model.instant import DAY_US, HOUR_US, parse_instant
from beffroi.model.observation import Draft
from beffroi.model.result import number_of
from beffroi.store.open import Store
from beffroi.store.sealing import seal

NOON = parse_instant("2026-03-01T12:00:00Z")


def fill(store: Store) -> None:
    store.observations.append([Draft(1 + i % 3, NOON + i * HOUR_US, number_of(str(i))) for i in range(200)])
    seal(store.database, store.archive, NOON + 4 * DAY_US, store.observations.head())
    store.observations.delete([1, 199])
    store.observations.correct(2, quality=3)


def test_whole_store_has_no_fault(store: Store) -> None:
    fill(store)
    assert store.verify() == []


def test_one_flipped_bit_in_a_segment_is_found(store: Store) -> None:
    fill(store)
    files = sorted(store.archive.folder.glob("*.parquet"))
    assert len(files) == 2  # the segment and its roll-up
    for file in files:
        whole = file.read_bytes()
        content = bytearray(whole)
        content[len(content) // 2] ^= 0x10
        file.write_bytes(content)
        assert [f.place for f in store.verify()] == [file.name]
        file.unlink()
        assert [f.reason.en for f in store.verify()] == ["The history file is missing."]
        file.write_bytes(whole)
    assert store.verify() == []


def test_a_row_that_vanished_is_found(store: Store) -> None:
    fill(store)
    with store.database.write_observations() as connection:
        schema = "obs." if store.dialect == "postgresql" else ""
        connection.execute(text(f"DELETE FROM {schema}observation WHERE id = 150"))
    assert [f.place for f in store.verify()] == ["datastream/3"]
