"""Bulk import: created, updated, unchanged and rejected entries, taken back as one."""

from tests.store.test_records import BIN, ZONE

from beffroi.identity import territories
from beffroi.model.collection import Collection, Record, field
from beffroi.model.principal import SYSTEM, Principal
from beffroi.model.text import Text
from beffroi.store.desk import Desk
from beffroi.store.open import Store
from beffroi.store.record import Entry, Query
from beffroi.store.record_import import at_home, take


class Lamp(Record):
    code: str = field("Identifiant", "Identifier", key=True)
    near: int | None = field("Près de", "Near", reference="bin")


class Street(Record):
    code: str = field("Identifiant", "Identifier", key=True)
    parent: int | None = field("Partie de", "Part of", reference="street")


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


def test_a_reference_may_be_given_by_its_key(store: Store) -> None:
    lamp = Collection("lamp", Text("Lampes", "Lamps"), Lamp)
    store.records.declare([BIN, ZONE, lamp])
    bins = [Entry({"code": "B-1"}, None, "A", "line 2"), Entry({"code": "B-1"}, None, "B", "line 3"),
            Entry({"code": "77"}, None, "B", "line 4")]  # fmt: skip
    take(store.records, "bin", bins, who=SYSTEM)
    ids = store.records.ids_by_key("bin", ["B-1", "77", "no"])
    assert set(ids) == {"B-1", "77"}
    entries = [
        Entry({"code": "L-1", "near": "B-1"}, None, "B", "line 2"),  # the one of its own territory
        Entry({"code": "L-2", "near": "B-1"}, None, "A", "line 3"),
        Entry({"code": "L-3", "near": "77"}, None, "A", "line 4"),  # a key before a number
        Entry({"code": "L-4", "near": "12"}, None, "A", "line 5"),  # a number, as our export writes
        Entry({"code": "L-5", "near": "B-9"}, None, "A", "line 6"),
        Entry({"code": "L-6", "near": None}, None, "A", "line 7"),
    ]
    first = take(store.records, "lamp", entries, who=SYSTEM)
    assert [(r.place, r.field) for r in first.rejects] == [("line 6", "near")]
    rows = {row.values["code"]: row.values["near"] for row in store.records.all("lamp")}
    assert rows == {
        "L-1": ids["B-1"]["B"],
        "L-2": ids["B-1"]["A"],
        "L-3": ids["77"]["B"],
        "L-4": 12,
        "L-6": None,
    }
    again = take(store.records, "lamp", entries, who=SYSTEM)
    assert (again.unchanged, len(again.rejects)) == (5, 1)


def test_parents_may_come_after_their_children(store: Store) -> None:
    store.records.declare([Collection("street", Text("Rues", "Streets"), Street)])
    given = [("c", "b"), ("b", "a"), ("a", None), ("d", "d2"), ("e", "f"), ("f", "e")]
    entries = [Entry({"code": code, "parent": parent}, place=code) for code, parent in given]
    outcome = take(store.records, "street", entries, who=SYSTEM)
    assert (outcome.created, [r.place for r in outcome.rejects]) == (3, ["d", "e", "f"])
    ids = {row.values["code"]: row.id for row in store.records.all("street")}
    parents = {row.values["code"]: row.values["parent"] for row in store.records.all("street")}
    assert parents == {"a": None, "b": ids["a"], "c": ids["b"]}


def test_what_names_no_commune_is_of_the_only_one_or_of_its_bringer(store: Store) -> None:
    """Three ways in give one answer; what was stored without a commune before is changed, not doubled."""
    store.records.declare([BIN, ZONE])
    take(store.records, "bin", [Entry({"code": "OLD", "volume": 100})], who=SYSTEM)
    entries = [
        Entry({"code": c, "volume": 120}, territory=t)
        for c, t in (("OLD", None), ("NEW", None), ("B", "29019"))
    ]
    agent = Principal("user:9", "Anne", "agent", ("29232",))

    def homes(who: Principal) -> list[str | None]:
        return [e.territory for e in at_home(store.records, BIN, entries, who) if isinstance(e, Entry)]

    assert homes(SYSTEM) == [None, None, "29019"]  # no commune is known
    territories.add(store, SYSTEM, "29232", "Quimper")
    territories.add(store, SYSTEM, "200068120", "Quimper Bretagne", kind="group")
    assert homes(SYSTEM) == homes(agent) == [None, "29232", "29019"]
    take(store.records, "bin", at_home(store.records, BIN, entries[:2], SYSTEM), who=SYSTEM)
    assert {r.values["code"]: r.territory for r in store.records.all("bin")} == {"OLD": None, "NEW": "29232"}
    desk = Desk(store.records, Principal("user:1", "Yves", "admin"))
    assert desk.take("bin", [Entry({"code": "DESK", "volume": 120})]).created == 1
    assert store.records.by_key("bin", "DESK", "29232") is not None
    territories.add(store, SYSTEM, "29019", "Brest")
    assert homes(SYSTEM) == [None, None, "29019"]
    assert homes(agent) == [None, "29232", "29019"]
