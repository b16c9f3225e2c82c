"""Long lists along an index: the same rows as an oracle's, in its order, and no row read or sorted for nothing."""

import itertools
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select

from beffroi.model.collection import Collection, Record, field
from beffroi.model.principal import SYSTEM
from beffroi.model.text import Text
from beffroi.store import records
from beffroi.store.open import Store
from beffroi.store.record import Entry, Query, Row, Where
from beffroi.store.record_import import take
from beffroi.store.record_query import conditions, order_of, phases
from beffroi.store.record_tally import count_by, index_holding


class Call(Record):
    """A call to the town hall."""

    code: str = field("Code", "Code", key=True)
    at: int | None = field("Le", "At")
    state: str = field("État", "State")
    answers_to: int | None = field("Répond à", "Answers", reference="call")
    shown: bool = field("Public", "Public", default=False, listed=False)


PLAIN = Collection("call", Text("Appels", "Calls"), Call, geometry="point", shown_when="shown")
WALKED = msgspec.structs.replace(
    PLAIN,
    walked=(("at", "_id", "state", "shown", "answers_to"), ("state", "at", "_id", "shown", "answers_to")),
)
WHERES: tuple[dict[str, Any], ...] = (
    {"shown": True, "answers_to": None},
    {"shown": True, "answers_to": Where("unknown"), "state": Where("!=", "closed")},
    {"state": "closed", "answers_to": None},
    {"state": ["open", "late"], "answers_to": None, "shown": True},
)


@pytest.fixture
def calls(store: Store) -> list[Row]:
    store.records.declare([WALKED])
    chance = random.Random(5)
    entries = (
        Entry({"code": f"C-{n}", "at": chance.choice([None, *range(40)]), "state": chance.choice(["open", "late", "closed", "closed"]),
               "shown": chance.random() < 0.8, "answers_to": chance.choice([None, None, None, 7])},
              {"type": "Point", "coordinates": [chance.random(), chance.random()]}, place=str(n))
        for n in range(300)
    )  # fmt: skip
    take(store.records, "call", entries, who=SYSTEM)
    return list(store.records.all("call", Query(limit=1000)))


def holds(row: Row, where: dict[str, Any]) -> bool:
    for name, wanted in where.items():
        value = row.values[name]
        if isinstance(wanted, Where):
            if (value is not None) if wanted.operator == "unknown" else value == wanted.value:
                return False
        elif value not in wanted if isinstance(wanted, list) else value != wanted:
            return False
    return True


def test_pages_and_counts_are_the_oracles(store: Store, calls: list[Row]) -> None:
    box = (0.2, 0.1, 0.7, 0.9)
    for where, falling, near in itertools.product(WHERES, (True, False), (None, box)):
        query = Query(where=where, sort="-at" if falling else "at", limit=7, bbox=near)
        inside = [r for r in calls if holds(r, where) and (near is None or _in(r, box))]
        known = sorted((r for r in inside), key=lambda r: (-1 if r.values["at"] is None else r.values["at"], r.id), reverse=falling)  # fmt: skip
        assert [r.id for r in store.records.all("call", query)] == [r.id for r in known]
        assert store.records.count("call", query) == len(known)
        assert store.records.count("call", query, most=5, walk=True) == min(5, len(known))
        assert store.records.count("call", query, most=5000, walk=True) == len(known)


def test_tallies_are_the_oracles_along_an_index_that_holds_all(store: Store, calls: list[Row]) -> None:
    def late_at(row: Row) -> bool:
        return row.values["at"] is not None and 10 <= row.values["at"] <= 25

    late = {"at": (Where(">=", 10), Where("<=", 25))}
    asked: tuple[tuple[dict[str, Any], Callable[[Row], bool]], ...] = (
        (late, late_at),
        ({**late, "answers_to": None}, lambda r: late_at(r) and r.values["answers_to"] is None),
        ({"state": Where("contains", "LO")}, lambda r: "lo" in r.values["state"]),
        ({"code": Where("contains", "-1")}, lambda r: "-1" in r.values["code"]),
    )
    of_time, of_state = "c_call__by_at__id_state_shown_answers_to", "c_call__by_state_at__id_shown_answers_to"
    shelf = store.records.shelf("call")
    for where, holding_it in asked:
        for seen in (None, ()):
            known = Counter(
                r.values["state"] for r in calls if holding_it(r) and (seen is None or r.values["shown"])
            )
            assert store.records.tally("call", "state", Query(where=where, hidden_in=seen)) == known
    every = [index_holding(shelf, Query(where=where, hidden_in=()), "state") for where, _ in asked]
    assert every == [of_time, of_time, of_state, None]
    if store.dialect == "sqlite":
        said: list[str] = []
        query = Query(where=late)
        with store.read() as c:
            driver: Any = c.connection.driver_connection
            driver.set_trace_callback(said.append)
            count_by(c, shelf, query, "state", conditions(shelf.collection, shelf.table, query, "sqlite"))
            driver.set_trace_callback(None)
        assert f"INDEXED BY {of_time}" in said[-1]
    here = Query(where=late, territories=("35236",))  # no walk says where a record is
    assert index_holding(shelf, here, "state") is None


def _in(row: Row, box: tuple[float, float, float, float]) -> bool:
    assert row.geometry is not None
    x, y = row.geometry["coordinates"]
    return bool(box[0] <= x <= box[2] and box[1] <= y <= box[3])


def plan(store: Store, query: Query, *, counted: bool = False) -> str:
    """Return how SQLite goes about the first statement of a query."""
    shelf = store.records.shelf("call")
    if counted:
        where = conditions(shelf.collection, shelf.table, query, "sqlite")
        order = order_of(shelf.collection, shelf.table, query.sort)
        some = select(shelf.table.c["_id"]).where(*where).order_by(*order).limit(9)
        statement = select(func.count()).select_from(some.subquery())
    else:
        statement = phases(shelf.collection, shelf.table, query, list(shelf.table.columns), "sqlite")[
            0
        ].limit(9)
    with store.read() as c:
        compiled = statement.compile(c.engine)
        told = c.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", tuple(compiled.construct_params()[n] for n in compiled.positiontup or ()))  # fmt: skip
        return "\n".join(row[-1] for row in told)


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_the_newest_are_walked_to_whatever_filters_them(store: Store, calls: list[Row]) -> None:
    newest, of_a_state = "call__by_at__id_state_shown_answers_to", "call__by_state_at__id_shown_answers_to"
    for where, index in zip(WHERES[:3], (newest, newest, of_a_state), strict=True):
        for counted in (False, True):
            walk = plan(store, Query(where=where, sort="-at"), counted=counted)
            assert index in walk and "B-TREE" not in walk, (where, walk)
    near = plan(store, Query(where=WHERES[1], sort="-at", bbox=(0, 0, 1, 1)))
    assert "INTEGER PRIMARY KEY" in near and "call_box" in near  # the box first


PLACED = msgspec.structs.replace(WALKED, ends=("state", "closed"))


@pytest.fixture
def communes(store: Store) -> list[Row]:
    store.records.declare([PLACED])
    chance = random.Random(6)
    entries = (
        Entry({"code": f"C-{n}", "at": n % 17, "state": chance.choice(["open", "closed"]), "shown": chance.random() < 0.8},
              None, chance.choice(["A", "A", "A", "A", "B", ""]), place=str(n))
        for n in range(120)
    )  # fmt: skip
    take(store.records, "call", entries, who=SYSTEM)
    return list(store.records.all("call", Query(limit=1000)))


def compare(store: Store, every: list[Row]) -> None:
    """Compare lists and counts, by commune and by who reads, with those of a plain search."""
    for places, hidden_in in itertools.product(
        (None, ("A",), ("B",), ("A", ""), ("C",), ()), (None, (), ("A", ""))
    ):
        query = Query(territories=places, hidden_in=hidden_in, sort="-at", limit=40)
        inside = [r for r in every if places is None or (r.territory or "") in places]
        seen = [
            r for r in inside if hidden_in is None or r.values["shown"] or (r.territory or "") in hidden_in
        ]
        ranked = sorted(seen, key=lambda r: (r.values["at"], r.id), reverse=True)
        assert [r.id for r in store.records.all("call", query)] == [r.id for r in ranked]
        states = Counter(r.values["state"] for r in seen)
        assert store.records.tally("call", "state", query) == states
        assert store.records.count("call", query) == len(seen)
        assert store.records.count("call", query, most=7) == min(7, len(seen))
        for state in ("open", "late"):
            one = msgspec.structs.replace(query, where={"state": state})
            assert store.records.count("call", one) == states[state]
            assert store.records.tally("call", "state", one) == (
                {state: states[state]} if states[state] else {}
            )


def test_a_commune_that_holds_nearly_all_is_walked_and_counted_like_all(
    store: Store, communes: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "MOST_WORDS", 20)
    compare(store, communes)


def test_counts_follow_every_change(store: Store, communes: list[Row]) -> None:
    chance = random.Random(7)
    kept = store.records
    for row in chance.sample(communes, 60):
        match chance.randrange(5):
            case 0:
                kept.put("call", {"state": chance.choice(["open", "late", "closed"])}, id=row.id, who=SYSTEM)
            case 1:
                kept.put("call", {"shown": chance.random() < 0.5}, id=row.id, territory=chance.choice(["A", "B", ""]), who=SYSTEM)  # fmt: skip
            case 2:
                kept.delete("call", row.id, who=SYSTEM)
            case 3:
                kept.delete("call", row.id, who=SYSTEM)
                with kept.writer(SYSTEM) as writer:
                    writer.restore("call", row.id)
            case _:
                with pytest.raises(ZeroDivisionError), kept.writer(SYSTEM) as writer:
                    writer.change("call", row.id, {"state": "late"})
                    assert kept.count("call", Query(where={"state": "late"}), c=writer.connection) > 0
                    raise ZeroDivisionError
    compare(store, list(kept.all("call", Query(limit=1000))))
    store.records.declare([WALKED])  # and a town whose service keeps no counts any more, or again
    kept.put("call", {"code": "new", "at": 3, "state": "late"}, who=SYSTEM, territory="B")
    store.records.declare([PLACED])
    compare(store, list(kept.all("call", Query(limit=1000))))


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_town_that_had_none_gets_them_and_loses_what_they_replace(store: Store) -> None:
    def indexes() -> set[str]:
        with store.read() as c:
            named = c.exec_driver_sql(
                "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'c_call'"
            )
            return set(named.scalars())

    store.records.declare([PLAIN])
    row = store.records.put("call", {"code": "A", "state": "open", "at": 3}, who=SYSTEM)
    assert "c_call_at" in indexes()
    assert store.records.declare([WALKED]) == ["call"]
    assert store.records.declare([WALKED]) == []
    assert indexes() >= {"c_call__by_at__id_state_shown_answers_to", "c_call_state"}
    assert "c_call_at" not in indexes()
    assert [r.id for r in store.records.find("call", Query(sort="-at")).rows] == [row.id]


def test_only_what_a_list_can_be_ordered_by_is_walked() -> None:
    with pytest.raises(TypeError, match="walked names nothing"):
        msgspec.structs.replace(PLAIN, walked=(("nothing",),))
