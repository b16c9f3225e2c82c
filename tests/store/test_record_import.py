"""Bulk import: created, updated, unchanged and rejected entries, taken back as one."""

from tests.store.test_records import BIN, ZONE

from beffroi.model.principal import SYSTEM
from beffroi.store.open import Store
from beffroi.store.record import Entry, Query
from beffroi.store.record_import import take


def _entries(volume: float) -> list[Entry]:
    good = [Entry({"code": f"B-{n}", "volume": volume}, {"type": "Point", "coordinates": [n / 1000, 47]}, "A", f"line {n + 2}")
            for n in range(2500)]  # fmt: skip
    bad = [
        Entry({"code": "B-7", "volume": 1}, None, "A", "line 9001"),
        Entry({"volume": 1}, None, "A", "line 9002"),
        Entry({"code": "x", "volume": "plein"}, None, "A", "line 9003"),
        Entry({"code": "y"}, {"type": "Point", "coordinates": [770999.84, 6278801.52]}, "A", "line 9004"),
    ]
    return good + bad


def test_an_import_again_is_unchanged_then_updated_then_undone(store: Store) -> None:
    store.records.declare([BIN, ZONE])
    first = take(store.records, "bin", _entries(120), who=SYSTEM, reason="inventaire.csv")
    assert (first.created, first.updated, first.unchanged, len(first.rejects), first.read) == (
        2500,
        0,
        0,
        4,
        2504,
    )
    assert [(r.place, r.field) for r in first.rejects] == [
        ("line 9001", "code"), ("line 9002", "code"), ("line 9003", "volume"), ("line 9004", "geometry"),
    ]  # fmt: skip
    again = take(store.records, "bin", _entries(120), who=SYSTEM)
    assert (again.created, again.updated, again.unchanged, len(again.rejects)) == (0, 0, 2500, 4)
    changed = take(store.records, "bin", _entries(240)[:10], who=SYSTEM)
    assert (changed.updated, changed.unchanged) == (10, 0)
    store.records.undo(changed.change_set, SYSTEM)
    assert store.records.count("bin", Query(where={"volume": 120})) == 2500
    other = take(store.records, "bin", [Entry({"code": "B-7"}, None, "B", "line 2")], who=SYSTEM)
    assert other.created == 1
