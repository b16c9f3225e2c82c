"""Rights on records: roles, territories, services, fields."""

import pytest
from tests.store.test_personal import CALL
from tests.store.test_records import BIN

from beffroi.model.principal import ANONYMOUS, SYSTEM, Principal
from beffroi.model.problem import Forbidden, NotFound, Problem, Unauthorised
from beffroi.store.desk import Desk
from beffroi.store.open import Store
from beffroi.store.record import Query

# what differs between the databases is tested in test_records.py; rights are the same code on both
pytestmark = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
ANNE = Principal("user:1", "Anne", "agent", ("A",))
BRUNO = Principal("user:2", "Bruno", "agent", ("B",))
CHIEF = Principal("user:3", "Claire", "responsable")
ELU = Principal("user:4", "Denis", "elu")
SUPPLIER = Principal("token:5", "Elsa", "supplier", (), "water")


@pytest.fixture
def bins(store: Store) -> dict[str, int]:
    store.records.declare([BIN, CALL])
    ids = {}
    for place in ("A", "B", ""):
        values = {
            "code": f"C-{place}",
            "street": "Quai Neuf",
            "notes": f"clé cachée {place}",
            "holder": f"Mme {place}",
        }
        ids[place] = store.records.put("bin", values, territory=place, who=SYSTEM).id
        ids["call" + place] = store.records.put(
            "call", {"subject": f"appel {place}", "caller": "X"}, territory=place, who=SYSTEM
        ).id
    return ids


def test_outside_their_territory_an_agent_is_a_citizen(store: Store, bins: dict[str, int]) -> None:
    desk = Desk(store.records, ANNE)
    seen = {row.territory: set(row.values) for row in desk.find("bin").rows}
    public = {"code", "street", "volume", "lids", "shut", "placed", "extra", "state"}
    assert seen == {"A": public | {"notes", "holder"}, "B": public, None: public | {"notes", "holder"}}
    assert Desk(store.records, ANONYMOUS).find("bin").rows[0].values.keys() == public
    assert {r.territory for r in desk.find("call").rows} == {"A", None}
    with pytest.raises(NotFound):
        desk.get("call", bins["callB"])
    assert desk.count("call") == 2


def test_hidden_fields_cannot_be_guessed_by_asking(store: Store, bins: dict[str, int]) -> None:
    for who in (ANONYMOUS, SUPPLIER):
        desk = Desk(store.records, who)
        assert desk.count("bin", Query(text="cachee")) == 0
        assert desk.count("bin", Query(text="quai")) == 3
        for query in (Query(where={"notes": "x"}), Query(sort="notes"), Query(where={"_author": "system"})):
            with pytest.raises(Problem):
                desk.find("bin", query)
    desk = Desk(store.records, ANNE)
    assert desk.count("bin", Query(text="cachee")) == 0  # B's notes must not answer
    assert {r.territory for r in desk.find("bin", Query(where={"notes": "clé cachée B"})).rows} == set()
    assert {r.territory for r in desk.find("bin", Query(sort="notes")).rows} == {"A", None}
    assert Desk(store.records, CHIEF).count("bin", Query(text="cachee")) == 3


def test_nobody_writes_outside_their_rights(store: Store, bins: dict[str, int]) -> None:
    anne = Desk(store.records, ANNE)
    assert anne.put("bin", {"street": "Rue A"}, id=bins["A"]).values["street"] == "Rue A"
    with pytest.raises(Forbidden):
        anne.put("bin", {"street": "Rue B"}, id=bins["B"])
    with pytest.raises(Forbidden):
        anne.put("bin", {}, id=bins["A"], territory="B")
    with pytest.raises(Forbidden):
        anne.delete("bin", bins["A"])  # needs a manager
    assert anne.put("bin", {"code": "new"}).territory == "A"
    with pytest.raises(Unauthorised):
        Desk(store.records, ANONYMOUS).put("bin", {"code": "x"})
    for who in (ELU, SUPPLIER):
        with pytest.raises(Forbidden):
            Desk(store.records, who).put("bin", {"code": "x"})
    with pytest.raises(Unauthorised):
        Desk(store.records, ANONYMOUS).find("call")
    with pytest.raises(Forbidden):
        Desk(store.records, ELU).find("call")
    assert Desk(store.records, CHIEF).delete("bin", bins["B"]).deleted_us is not None


def test_history_deleted_ones_and_undo_stay_with_the_territory(store: Store, bins: dict[str, int]) -> None:
    anne, bruno, chief = (Desk(store.records, who) for who in (ANNE, BRUNO, CHIEF))
    assert anne.history("bin", bins["A"])[0].after["holder"] == "Mme A"
    with pytest.raises(Forbidden):
        anne.history("bin", bins["B"])
    with pytest.raises(Unauthorised):
        Desk(store.records, ANONYMOUS).history("bin", bins["A"])
    for place in ("A", "B"):
        chief.delete("bin", bins[place])
    assert [r.territory for r in anne.find("bin", Query(deleted=True)).rows] == ["A"]
    assert Desk(store.records, ANONYMOUS).count("bin", Query(deleted=None)) == 1
    made = store.records.head()
    with pytest.raises(Forbidden):
        anne.undo(made)
    assert bruno.undo(made)[0].deleted_us is None


def test_an_official_never_sees_a_person(store: Store, bins: dict[str, int]) -> None:
    assert "holder" not in Desk(store.records, ELU).get("bin", bins["A"]).values
    assert Desk(store.records, CHIEF).get("bin", bins["A"]).values["holder"] == "Mme A"


def test_collections_listed_are_those_that_may_be_read(store: Store, bins: dict[str, int]) -> None:
    assert [c.name for c in Desk(store.records, ANONYMOUS).collections()] == ["bin"]
    assert [c.name for c in Desk(store.records, ANNE).collections()] == ["call", "bin"]
    assert [c.name for c in Desk(store.records, SUPPLIER).collections()] == ["bin"]
