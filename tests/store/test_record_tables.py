"""Migration of collections' tables: what is added, renamed, dropped and refused; what a removed service leaves."""

from typing import Any

import pytest

from beffroi.model.collection import Collection, Personal, Record, field
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.store import record_tables as tables
from beffroi.store.open import Store
from beffroi.store.record import Query


def _collection(fields: dict[str, tuple[Any, Any]], **options: Any) -> Collection:
    kinds = {name: kind for name, (kind, _) in fields.items()}
    record = type("Tree", (Record,), {"__annotations__": kinds, **{n: f for n, (_, f) in fields.items()}})
    return Collection("tree", Text("Arbres", "Trees"), record, **options)


CODE = (str, field("Code", "Code", key=True))
HEIGHT = (int | None, field("Hauteur", "Height"))
TREE = _collection({"code": CODE, "height": HEIGHT})


def test_declaring_twice_changes_nothing(store: Store) -> None:
    assert store.records.declare([TREE]) == ["tree"]
    assert store.records.declare([_collection({"code": CODE, "height": HEIGHT})]) == []


def test_fields_are_added_renamed_widened_and_dropped(store: Store) -> None:
    store.records.declare([TREE])
    row = store.records.put("tree", {"code": "T-1", "height": 12}, who=SYSTEM)
    species = (str | None, field("Essence", "Species"))
    assert store.records.declare(
        [_collection({"code": CODE, "height": HEIGHT, "species": species}, geometry="point")]
    ) == ["tree"]
    store.records.put(
        "tree", {"species": "Chêne"}, id=row.id, geometry={"type": "Point", "coordinates": [1, 2]}, who=SYSTEM
    )
    assert store.records.count("tree", Query(text="chene", bbox=(0, 0, 3, 3))) == 1
    name = (str | None, field("Nom", "Name"))
    wide = (float | None, field("Hauteur", "Height"))
    store.records.declare(
        [_collection({"code": CODE, "height": wide, "name": name}, renamed={"name": "species"})]
    )
    assert store.records.get("tree", row.id).values == {"code": "T-1", "height": 12.0, "name": "Chêne"}
    assert store.records.history("tree", row.id)[0].after["name"] == "Chêne"
    assert store.records.put("tree", {"height": 12.5}, id=row.id, who=SYSTEM).values["height"] == 12.5
    assert store.records.count("tree", Query(text="chen")) == 1
    store.records.declare([_collection({"code": CODE, "height": wide}, dropped=("name",))])
    assert store.records.get("tree", row.id).values == {"code": "T-1", "height": 12.5}
    assert [row.id for row in store.records.find("tree", Query(sort="-height")).rows] == [row.id]


def test_words_that_are_no_longer_searched(store: Store) -> None:
    def declared(*, searched: bool) -> Collection:
        state = (str | None, field("État", "State", searched=searched))
        return _collection({"code": CODE, "state": state, "note": (str | None, field("Note", "Note"))})

    store.records.declare([declared(searched=True)])
    rows = [
        store.records.put("tree", {"code": f"T-{n}", "state": "dying", "note": "oak"}, who=SYSTEM)
        for n in range(2)
    ]
    assert store.records.count("tree", Query(text="dying")) == 2
    assert store.records.declare([declared(searched=False)]) == ["tree"]
    assert store.records.declare([declared(searched=False)]) == []
    store.records.put("tree", {"state": "dead", "note": "elm"}, id=rows[1].id, who=SYSTEM)
    found = {
        text: store.records.count("tree", Query(text=text)) for text in ("dying", "dead", "oak", "elm", "T-0")
    }
    assert found == {"dying": 0, "dead": 0, "oak": 1, "elm": 1, "T-0": 1}
    assert store.records.count("tree", Query(where={"state": "dead"})) == 1
    recalled = tables.recalled(tables.declaration_of(declared(searched=False)).decode())
    assert [f.searched for f in recalled.fields] == [True, False, True]


@pytest.mark.parametrize(
    "after",
    [
        _collection({"code": CODE}),
        _collection({"code": CODE, "height": (str | None, field("Hauteur", "Height"))}),
        _collection(
            {
                "code": CODE,
                "height": (int | None, field("Hauteur", "Height", personal=Personal(Text("", ""), 3))),
            }
        ),
    ],
)
def test_what_would_lose_data_is_refused_and_nothing_changes(store: Store, after: Collection) -> None:
    store.records.declare([TREE])
    row = store.records.put("tree", {"code": "T-1", "height": 12}, who=SYSTEM)
    with pytest.raises(Problem) as refused:
        store.records.declare([after])
    assert (refused.value.status, refused.value.place) == (409, "tree")
    assert "height" in refused.value.reason.en
    assert store.records.get("tree", row.id).values["height"] == 12


def test_a_removed_service_leaves_its_records_readable(store: Store) -> None:
    store.records.declare([TREE])
    row = store.records.put("tree", {"code": "T-1", "height": 12}, who=SYSTEM)
    reopened = Store.open(store.settings, store.clock)
    try:
        reopened.records.declare([])
        assert reopened.records.get("tree", row.id).values == {"code": "T-1", "height": 12}
        collection = reopened.records.collections["tree"]
        assert collection.title.fr == "Arbres"
        assert not collection.writable(SYSTEM)
    finally:
        reopened.close()


@pytest.mark.parametrize("name", ["Tree", "tree-x", "1tree", "t" * 41, "drop table"])
def test_names_that_are_not_names_are_refused(store: Store, name: str) -> None:
    with pytest.raises(TypeError):
        store.records.declare([Collection(name, Text("", ""), TREE.record)])
