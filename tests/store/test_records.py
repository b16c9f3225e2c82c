"""Records on both databases: put, change, delete, undo, history, the bus, paging against a brute-force oracle."""

import itertools
import random
from datetime import date

import msgspec
import pytest

from beffroi.model.collection import Collection, Personal, Record, choice, field
from beffroi.model.principal import SYSTEM, Principal
from beffroi.model.problem import Conflict, NotFound, Problem
from beffroi.model.text import Text
from beffroi.store.open import Store
from beffroi.store.record import Query, Where

AGENT = Principal("user:3", "Anne", "agent")
NIGHT = Personal(Text("Joindre la personne", "Reach the person"), 30)


class Bin(Record):
    code: str = field("Identifiant", "Identifier", key=True)
    street: str | None = field("Rue", "Street")
    volume: float | None = field("Volume", "Volume", unit="L", minimum=0)
    lids: int | None = field("Couvercles", "Lids")
    shut: bool | None = field("Fermé", "Shut")
    placed: date | None = field("Posé le", "Placed on")
    notes: str | None = field("Notes internes", "Internal notes", read="agent", long=True)
    extra: dict | None = field("Divers", "Sundry")
    state: str = field(
        "État",
        "State",
        choices=(
            choice("ok", "En service", "In service", "vert"),
            choice("broken", "Cassé", "Broken", "rouge"),
        ),
        default="ok",
    )
    holder: str | None = field("Détenteur", "Holder", personal=NIGHT, read="agent")


BIN = Collection("bin", Text("Conteneurs", "Bins"), Bin, geometry="point", status="state")
ZONE = Collection("zone", Text("Zones", "Areas"), type("Zone", (Record,), {
    "__annotations__": {"name": str}, "name": field("Nom", "Name"),
}), geometry="polygon")  # fmt: skip


@pytest.fixture
def town(store: Store) -> Store:
    store.records.declare([BIN, ZONE])
    return store


def point(x: float, y: float) -> dict:
    return {"type": "Point", "coordinates": [x, y]}


def test_a_record_put_is_the_record_got(town: Store) -> None:
    values = {"code": "B-1", "street": "Rue de l'Église", "volume": 240.5, "lids": 2, "shut": False,
              "placed": date(2024, 2, 29), "extra": {"a": [1, None]}}  # fmt: skip
    row = town.records.put("bin", values, geometry=point(-2.08, 47.65), territory="35236", who=AGENT)
    assert row.values == {**values, "notes": None, "state": "ok", "holder": None}
    assert (row.version, row.geometry, row.territory, row.author) == (
        1,
        point(-2.08, 47.65),
        "35236",
        "user:3",
    )
    assert town.records.get("bin", row.id) == row
    assert town.records.by_key("bin", "B-1", "35236") == row
    assert town.records.by_key("bin", "B-1") is None


def test_a_change_keeps_the_other_fields_and_counts_versions(town: Store) -> None:
    row = town.records.put("bin", {"code": "B-1", "street": "Rue A"}, geometry=point(1, 2), who=AGENT)
    changed = town.records.put(
        "bin", {"street": "Rue B"}, id=row.id, version=1, who=SYSTEM, reason="vu sur place"
    )
    assert (changed.version, changed.values["street"], changed.values["code"]) == (2, "Rue B", "B-1")
    assert changed.geometry == point(1, 2)
    assert town.records.put("bin", {"street": "Rue B"}, id=row.id, who=SYSTEM).version == 2
    with pytest.raises(Conflict):
        town.records.put("bin", {"street": "Rue C"}, id=row.id, version=1, who=AGENT)
    moved = town.records.put("bin", {}, id=row.id, geometry={}, territory="44109", who=AGENT)
    assert (moved.geometry, moved.territory) == (None, "44109")


def test_history_says_who_why_and_what(town: Store) -> None:
    row = town.records.put("bin", {"code": "B-1", "volume": 120}, who=AGENT, reason="inventaire")
    town.records.put(
        "bin", {"volume": 240, "placed": date(2020, 1, 2)}, id=row.id, who=SYSTEM, reason="remplacé"
    )
    town.records.delete("bin", row.id, who=AGENT)
    deleted, updated, created = town.records.history("bin", row.id)
    assert (created.action, created.author, created.reason) == ("create", "user:3", "inventaire")
    assert created.after == {"code": "B-1", "volume": 120.0, "state": "ok"}
    assert (updated.before, updated.after) == (
        {"volume": 120.0, "placed": None},
        {"volume": 240.0, "placed": date(2020, 1, 2)},
    )
    assert (deleted.action, deleted.version) == ("delete", 3)
    assert town.records.after(0) == [created, updated, deleted]
    assert town.records.after(updated.seq) == [deleted]
    assert town.records.head() == deleted.seq


def test_the_bus_holds_exactly_what_was_committed(town: Store) -> None:
    with pytest.raises(RuntimeError, match="no"), town.write() as c:
        town.records.put("bin", {"code": "lost"}, who=AGENT, c=c)
        raise RuntimeError("no")
    with town.write() as c:
        kept = town.records.put("bin", {"code": "kept"}, who=AGENT, c=c)
    assert [change.record_id for change in town.records.after(0)] == [kept.id]
    assert town.records.count("bin") == 1


WRONG_VALUES = [
    ({}, "code"),
    ({"code": 5}, "code"),
    ({"code": "x", "volume": -1}, "volume"),
    ({"code": "x", "volume": float("nan")}, "volume"),
    ({"code": "x", "volume": "much"}, "volume"),
    ({"code": "x", "lids": 1.5}, "lids"),
    ({"code": "x", "lids": 10**30}, "lids"),
    ({"code": "x", "state": "new"}, "state"),
    ({"code": "x", "colour": "red"}, "colour"),
    ({"code": "x\x00"}, "code"),
]


def test_wrong_values_are_refused_at_their_field(town: Store) -> None:
    for values, place in WRONG_VALUES:
        with pytest.raises(Problem) as refused:
            town.records.put("bin", values, who=AGENT)
        assert (refused.value.place, refused.value.status) == (place, 400)
    assert town.records.count("bin") == 0
    assert town.records.head() == 0


WRONG_PLACES = [
    {"type": "LineString", "coordinates": [[0, 0], [1, 1]]},
    {"type": "Point", "coordinates": [651000.0, 6861000.0]},
    {"type": "Point", "coordinates": []},
    {"type": "Point", "coordinates": ["a", "b"]},
    {"type": "Point"},
    {"type": "Point", "coordinates": [float("nan"), 1]},
    {"coordinates": [1, 2]},
    {"type": "MultiPoint", "coordinates": {"a": 1}},
]


def test_wrong_geometry_is_refused(town: Store) -> None:
    for geometry in WRONG_PLACES:
        with pytest.raises(Problem) as refused:
            town.records.put("bin", {"code": "x"}, geometry=geometry, who=AGENT)
        assert refused.value.place == "geometry", geometry


def test_a_bow_tie_is_refused(town: Store) -> None:
    tie = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}
    with pytest.raises(Problem, match=r"crosses itself, at 0\.5 0\.5"):
        town.records.put("zone", {"name": "x"}, geometry=tie, who=AGENT)


def test_a_key_is_unique_within_its_territory_among_live_records(town: Store) -> None:
    first = town.records.put("bin", {"code": "B-1"}, territory="A", who=AGENT)
    town.records.put("bin", {"code": "B-1"}, territory="B", who=AGENT)
    with pytest.raises(Conflict) as refused:
        town.records.put("bin", {"code": "B-1"}, territory="A", who=AGENT)
    assert refused.value.place == "code"
    town.records.delete("bin", first.id, who=AGENT)
    again = town.records.put("bin", {"code": "B-1"}, territory="A", who=AGENT)
    with pytest.raises(NotFound):
        town.records.get("bin", first.id)
    assert town.records.get("bin", first.id, deleted=None).deleted_us is not None
    undoing = town.records.history("bin", first.id)[0].change_set
    with pytest.raises(Conflict):
        town.records.undo(undoing, AGENT)
    town.records.delete("bin", again.id, who=AGENT)
    assert town.records.undo(undoing, AGENT)[0].deleted_us is None


def test_undo_takes_back_a_whole_change_set_and_can_be_undone(town: Store) -> None:
    rows = [
        town.records.put("bin", {"code": f"B-{n}", "volume": 120}, geometry=point(n, 1), who=AGENT)
        for n in range(3)
    ]
    with town.records.writer(AGENT, "tous cassés") as writer:
        for row in rows:
            writer.change("bin", row.id, {"state": "broken"}, point(9, 9))
    writer_set = writer.change_set
    assert writer_set is not None
    assert [c.record_id for c in town.records.changes(writer_set)] == [r.id for r in rows]
    undone = town.records.undo(writer_set, AGENT, "erreur")
    assert {r.id: (r.values["state"], r.geometry) for r in undone} == {r.id: ("ok", r.geometry) for r in rows}
    again = town.records.history("bin", rows[0].id)[0]
    assert (again.action, again.reason) == ("update", "erreur")
    town.records.undo(again.change_set, AGENT)
    assert town.records.get("bin", rows[0].id).values["state"] == "broken"


def test_undo_refuses_what_was_changed_since(town: Store) -> None:
    row = town.records.put("bin", {"code": "B-1", "street": "Rue A"}, who=AGENT)
    town.records.put("bin", {"street": "Rue B"}, id=row.id, who=AGENT)
    second = town.records.history("bin", row.id)[0].change_set
    town.records.put("bin", {"volume": 3}, id=row.id, who=AGENT)
    assert town.records.undo(second, AGENT)[0].values["street"] == "Rue A"  # another field: no conflict
    town.records.put("bin", {"street": "Rue C"}, id=row.id, who=AGENT)
    with pytest.raises(Conflict):
        town.records.undo(second, AGENT)
    with pytest.raises(Conflict):
        town.records.undo(town.records.history("bin", row.id)[-1].change_set, AGENT)
    with pytest.raises(NotFound):
        town.records.undo(987654, AGENT)


# --- Finding.


def _many(town: Store, n: int = 60) -> list:
    chance = random.Random(7)
    rows = []
    with town.records.writer(SYSTEM) as writer:
        for i in range(n):
            values = {
                "code": f"B-{i:03d}",
                "street": chance.choice([None, "Rue de l'Église", "Quai Dupré", "Allée des Ormes", ""]),
                "volume": chance.choice([None, 120.0, 240.0, 240.0, 660.5]),
                "lids": chance.choice([None, 1, 2]),
                "shut": chance.choice([None, True, False]),
                "placed": chance.choice([None, date(2020, 1, 1), date(2021, 5, 6)]),
                "state": chance.choice(["ok", "broken"]),
            }
            where = chance.choice([None, point(chance.uniform(-3, -2), chance.uniform(47, 48))])
            rows.append(writer.create("bin", values, where, chance.choice([None, "A", "B"])))
    with town.records.writer(SYSTEM) as writer:
        return [writer.delete("bin", r.id) if chance.random() < 0.2 else r for r in rows]


def _key(row, name: str):
    own = {"_id": row.id, "_updated": row.updated_us, "_territory": row.territory or ""}
    value = own[name] if name in own else row.values[name]
    return (value is not None, 0 if value is None else value, row.id)


SORTS = [
    s + f
    for f in ("_id", "_updated", "_territory", "code", "street", "volume", "lids", "shut", "placed")
    for s in ("", "-")
]


def test_pages_in_any_order_are_the_oracles_forwards_and_backwards(town: Store) -> None:
    rows = _many(town)
    for sort in SORTS:
        _check_pages(town, rows, sort)


def _check_pages(town: Store, rows: list, sort: str) -> None:
    live = [r for r in rows if r.deleted_us is None]
    expected = [
        r.id for r in sorted(live, key=lambda r: _key(r, sort.removeprefix("-")), reverse=sort[0] == "-")
    ]
    if town.dialect == "postgresql" and sort.removeprefix("-") == "street":
        collated = [r.id for r in town.records.find("bin", Query(sort=sort, limit=1000)).rows]
        assert sorted(collated) == sorted(expected)
        expected = collated
    pages, after = [], None
    while True:
        page = town.records.find("bin", Query(sort=sort, limit=7, after=after))
        pages.append([r.id for r in page.rows])
        if page.next is None:
            break
        after = page.next
    assert list(itertools.chain(*pages)) == expected
    back = []
    while page.previous is not None:
        page = town.records.find("bin", Query(sort=sort, limit=7, after=page.previous))
        back.append([r.id for r in page.rows])
    assert list(itertools.chain(*reversed(back))) == expected[: len(expected) - len(pages[-1])]


CONDITIONS = [
    ({"state": "broken"}, lambda v: v["state"] == "broken"),
    ({"volume": 240}, lambda v: v["volume"] == 240),
    ({"volume": (120, 660.5)}, lambda v: v["volume"] in (120, 660.5)),
    ({"volume": Where(">", 120)}, lambda v: v["volume"] is not None and v["volume"] > 120),
    ({"volume": (Where(">", 120), Where("<=", 240))}, lambda v: v["volume"] == 240),
    ({"volume": Where("!=", 240)}, lambda v: v["volume"] != 240),
    ({"volume": None}, lambda v: v["volume"] is None),
    ({"volume": Where("unknown")}, lambda v: v["volume"] is None),
    ({"street": Where("known")}, lambda v: v["street"] is not None),
    ({"street": Where("contains", "dupr")}, lambda v: v["street"] == "Quai Dupré"),
    ({"street": Where("contains", "%")}, lambda v: False),
    ({"shut": True, "lids": 2}, lambda v: v["shut"] is True and v["lids"] == 2),
    ({"placed": Where(">=", date(2021, 1, 1))}, lambda v: v["placed"] == date(2021, 5, 6)),
    ({"placed": "2020-01-01"}, lambda v: v["placed"] == date(2020, 1, 1)),
]


def test_conditions_select_what_the_oracle_selects(town: Store) -> None:
    rows = _many(town)
    for where, test in CONDITIONS:
        expected = {r.id for r in rows if r.deleted_us is None and test(r.values)}
        query = Query(where=where, limit=1000)
        assert {r.id for r in town.records.find("bin", query).rows} == expected, where
        assert town.records.count("bin", query) == len(expected), where


def test_territories_and_deleted_ones(town: Store) -> None:
    rows = _many(town)
    for territories, deleted in itertools.product([None, ("A",), ("A", ""), ()], [False, True, None]):
        expected = {r.id for r in rows if (territories is None or (r.territory or "") in territories)
                    and (deleted is None or (r.deleted_us is not None) == deleted)}  # fmt: skip
        query = Query(territories=territories, deleted=deleted, limit=1000)
        assert {r.id for r in town.records.find("bin", query).rows} == expected
        assert town.records.count("bin", query) == len(expected)


def test_words_are_found_without_accents_and_by_their_beginning(town: Store) -> None:
    rows = _many(town)
    church = {r.id for r in rows if r.deleted_us is None and r.values["street"] == "Rue de l'Église"}
    for words in ("eglise", "Églis", "rue EGLISE", "l'église", "église  de-la"[:6]):
        found = town.records.find("bin", Query(text=words, limit=1000)).rows
        assert {r.id for r in found} == church, words
    assert [r.values["code"] for r in town.records.find("bin", Query(text="b-007", deleted=None)).rows] == [
        "B-007"
    ]
    for words in ('"', "'; DROP TABLE c_bin", "* OR zz", "NEAR(", "zzz", "---"):
        assert town.records.find("bin", Query(text=words)).rows == []


def test_words_follow_changes_and_stay_within_the_fields_allowed(town: Store) -> None:
    row = town.records.put(
        "bin", {"code": "B-1", "street": "Vieux quai", "notes": "serrure forcée"}, who=AGENT
    )
    assert town.records.count("bin", Query(text="forcee")) == 1
    assert town.records.count("bin", Query(text="forcee", text_fields=("code", "street"))) == 0
    assert town.records.count("bin", Query(text="vieux", text_fields=("code", "street"))) == 1
    assert town.records.count("bin", Query(text="vieux", text_fields=("code",))) == 0
    town.records.put("bin", {"street": "Nouveau quai"}, id=row.id, who=AGENT)
    assert town.records.count("bin", Query(text="vieux")) == 0
    assert town.records.count("bin", Query(text="nouv qua")) == 1


def test_a_box_finds_points_and_touching_areas(town: Store) -> None:
    rows = _many(town)
    box = (-2.6, 47.2, -2.2, 47.7)
    expected = {r.id for r in rows if r.deleted_us is None and r.geometry
                and box[0] <= r.geometry["coordinates"][0] <= box[2] and box[1] <= r.geometry["coordinates"][1] <= box[3]}  # fmt: skip
    assert {r.id for r in town.records.find("bin", Query(bbox=box, limit=1000)).rows} == expected
    corner = {"type": "Polygon", "coordinates": [[[0, 0], [10, 0], [0, 10], [0, 0]]]}
    made = town.records.put("zone", {"name": "triangle"}, geometry=corner, who=AGENT)
    assert town.records.count("zone", Query(bbox=(1, 1, 2, 2))) == 1
    assert town.records.count("zone", Query(bbox=(8, 8, 9, 9))) == 0  # inside its box, outside the triangle
    assert town.records.get("zone", made.id).geometry["type"] == "Polygon"
    town.records.put("zone", {}, id=made.id, geometry={}, who=AGENT)
    assert town.records.count("zone", Query(bbox=(1, 1, 2, 2))) == 0
    far = town.records.put("bin", {"code": "Fiji"}, geometry=point(179.5, -17), who=AGENT)
    assert [r.id for r in town.records.find("bin", Query(bbox=(170, -30, -170, 0))).rows] == [far.id]


def test_what_cannot_be_asked_is_said(town: Store) -> None:
    town.records.put("bin", {"code": "a", "holder": "Mme Le Goff"}, who=AGENT)
    for query in (Query(where={"holder": "Mme Le Goff"}), Query(sort="holder"), Query(where={"nothing": 1}),
                  Query(after="zzz"), Query(after="W10"), Query(where={"volume": "abc"})):  # fmt: skip
        with pytest.raises(Problem):
            town.records.find("bin", query)
    with pytest.raises(NotFound):
        town.records.find("nothing")
    with pytest.raises(NotFound):
        town.records.get("bin", 2**70)


def test_tally_and_extent(town: Store) -> None:
    rows = [r for r in _many(town) if r.deleted_us is None]
    tally = town.records.tally("bin", "state")
    assert tally == {s: sum(r.values["state"] == s for r in rows) for s in ("ok", "broken")}
    xs = [r.geometry["coordinates"][0] for r in rows if r.geometry]
    extent = town.records.extent("bin")
    assert extent is not None
    assert (extent[0], extent[2]) == (min(xs), max(xs))
    assert town.records.extent("zone") is None


def test_the_audit_hears_of_each_change_once_and_no_person(town: Store) -> None:
    heard = []
    town.records.audit = lambda c, who, said: heard.extend((who.id, *one) for one in said)
    row = town.records.put("bin", {"code": "a", "holder": "Mme Le Goff"}, who=AGENT, reason="r")
    town.records.put("bin", {"code": "a"}, id=row.id, who=AGENT)
    assert [(w, a, t) for w, a, t, _ in heard] == [("user:3", "record.create", f"bin/{row.id}")]
    assert "Goff" not in str(msgspec.json.encode([h[3] for h in heard]))


def test_the_bus_tells_only_the_fields_that_are_asked_for(town: Store) -> None:
    row = town.records.put("bin", {"code": "B-9", "street": "Rue Haute", "lids": 2}, who=AGENT)
    town.records.put("bin", {"lids": 3, "street": "Rue Basse"}, id=row.id, who=AGENT)
    whole, some = town.records.after(0), town.records.after(0, fields=frozenset(("lids", "state")))
    assert [c.seq for c in some] == [c.seq for c in whole]
    assert [(c.before, c.after) for c in some] == [
        ({}, {"lids": 2, "state": "ok"}),
        ({"lids": 2}, {"lids": 3}),
    ]
