"""Verify: a whole store has no fault; a flipped bit, a lost file or a lost row is found and named."""

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from beffroi.model.instant import DAY_US, HOUR_US, parse_instant
from beffroi.model.observation import Draft
from beffroi.model.result import number_of
from beffroi.settings import Settings
from beffroi.store.open import Store
from beffroi.store.sealing import seal

NOON = parse_instant("2026-03-01T12:00:00Z")


def fill(store: Store) -> None:
    store.observations.append([Draft(1 + i % 3, NOON + i * HOUR_US, number_of(str(i))) for i in range(200)])
    seal(store.database, store.archive, NOON + 4 * DAY_US, store.observations.head())
    store.observations.delete([1, 199])
    store.observations.correct(2, quality=3)


@pytest.fixture(scope="module")
def segmented(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Return a store of three segments, months apart."""
    folder: Path = tmp_path_factory.mktemp("segmented")
    opened = Store.open(Settings(data=folder))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("beffroi.store.sealing.SMALL_ROWS", 0)
        for month in range(3):
            start = NOON + month * 40 * DAY_US
            opened.observations.append(
                [Draft(1 + i % 5, start + i * HOUR_US, number_of(f"{i % 17}.5")) for i in range(300)]
            )
            seal(opened.database, opened.archive, start + 20 * DAY_US, opened.observations.head())
    assert len(list(opened.archive.folder.glob("*.parquet"))) == 6  # each with its hours beside it
    yield opened
    opened.close()


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


@given(st.data())
@hypothesis.settings(max_examples=60, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_any_flipped_bit_of_any_segment_is_found(segmented: Store, data: st.DataObject) -> None:
    files = sorted(segmented.archive.folder.glob("*.parquet"))
    file = files[data.draw(st.integers(0, len(files) - 1), label="segment")]
    position = data.draw(st.integers(0, 8 * file.stat().st_size - 1), label="bit")
    with file.open("r+b") as opened:
        opened.seek(position // 8)
        (byte,) = opened.read(1)
        opened.seek(position // 8)
        opened.write(bytes([byte ^ (1 << position % 8)]))
    found = [fault.place for fault in segmented.verify()]
    with file.open("r+b") as opened:
        opened.seek(position // 8)
        opened.write(bytes([byte]))
    assert found == [file.name]
