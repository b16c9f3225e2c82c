"""Records that are not shown: they exist for the staff of their territory only, on both databases."""

import pytest
from tests.store.test_desk import ANNE, CHIEF, ELU, SUPPLIER

from beffroi.model.collection import Collection, Record, field
from beffroi.model.principal import ANONYMOUS, SYSTEM
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.store.desk import Desk
from beffroi.store.open import Store
from beffroi.store.record import Query


class Notice(Record):
    """A record that the public sees once it is shown."""

    title: str = field("Titre", "Title", key=True)
    shown: bool = field("Public", "Public", default=False, read="agent")


NOTICE = Collection("notice", Text("Avis", "Notices"), Notice, geometry="point", shown_when="shown")


def test_what_is_not_shown_exists_for_its_own_staff_only(store: Store) -> None:
    store.records.declare([NOTICE])
    ids = {}
    for number, (place, shown) in enumerate(
        [("A", True), ("A", False), ("B", True), ("B", False), ("", False)]
    ):
        point = {"type": "Point", "coordinates": [2.0 + number, 46.0]}
        title = f"{place}{'+' if shown else '-'}"
        ids[title] = store.records.put(
            "notice", {"title": title, "shown": shown}, geometry=point, territory=place, who=SYSTEM
        ).id
    for who, seen in (
        (ANONYMOUS, {"A+", "B+"}),
        (ELU, {"A+", "B+"}),
        (SUPPLIER, {"A+", "B+"}),
        (ANNE, {"A+", "A-", "B+", "-"}),
        (CHIEF, {"A+", "A-", "B+", "B-", "-"}),
    ):
        desk = Desk(store.records, who)
        assert {row.values["title"] for row in desk.find("notice").rows} == seen
        assert {row.values["title"] for row in desk.all("notice", Query(text="A", sort="title"))} == {
            t for t in seen if "A" in t
        }
        assert desk.count("notice") == len(seen) == sum(desk.tally("notice", "title").values())
        assert desk.count("notice", Query(where={"_id": list(ids.values())})) == len(seen)
        box = desk.extent("notice")
        assert box is not None and box[2] == 2.0 + max(list(ids).index(t) for t in seen)
        for title, number in ids.items():
            if title in seen:
                assert desk.get("notice", number).values["title"] == title
            else:
                with pytest.raises(NotFound):
                    desk.get("notice", number, deleted=None)
    with pytest.raises(Problem):
        Desk(store.records, ANONYMOUS).find("notice", Query(where={"shown": False}))


def test_only_a_boolean_says_whether_a_record_is_shown() -> None:
    with pytest.raises(TypeError):
        Collection("notice", Text("Avis", "Notices"), Notice, shown_when="title")
    with pytest.raises(TypeError):
        Collection("notice", Text("Avis", "Notices"), Notice, shown_when="visible")
