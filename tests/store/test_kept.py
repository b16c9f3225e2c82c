"""Records kept to groups: an agent of one is a citizen for the records of the others, on both databases."""

import pytest

from beffroi.model.collection import Collection, Record, field
from beffroi.model.principal import ANONYMOUS, SYSTEM, Principal
from beffroi.model.problem import Forbidden, NotFound
from beffroi.model.text import Text
from beffroi.store.desk import Desk
from beffroi.store.open import Store
from beffroi.store.record import Query


class Team(Record):
    """A group of agents."""

    name: str = field("Nom", "Name", key=True)
    members: list | None = field("Membres", "Members", read="agent")


class Errand(Record):
    """Something to do, that a team has."""

    title: str = field("Titre", "Title", key=True)
    team: int | None = field("Équipe", "Team", reference="team")
    secret: str | None = field("Secret", "Secret", read="agent")
    shown: bool = field("Public", "Public", default=False, read="agent")


class Remark(Record):
    """A word about an errand."""

    errand: int = field("Course", "Errand", reference="errand")
    text: str = field("Texte", "Text", read="agent")


COLLECTIONS = (
    Collection("team", Text("Équipes", "Teams"), Team),
    Collection("errand", Text("Courses", "Errands"), Errand, kept_to="team", shown_when="shown"),
    Collection("remark", Text("Mots", "Remarks"), Remark, kept_to="errand.team", read="agent"),
)
ANNE = Principal("user:1", "Anne", "agent")
ZOE = Principal("user:2", "Zoé", "agent")  # of no team
CHIEF = Principal("user:3", "Léa", "responsable")


def test_an_agent_of_a_team_is_a_citizen_for_the_others(store: Store) -> None:
    store.records.declare(COLLECTIONS)
    put = store.records.put
    roads = put("team", {"name": "roads", "members": ["user:1"]}, who=SYSTEM).id
    parks = put("team", {"name": "parks", "members": ["user:9"]}, who=SYSTEM).id
    ids, remarks = {}, {}
    for title, team, shown in (("r+", roads, True), ("r-", roads, False), ("p+", parks, True), ("p-", parks, False), ("0-", None, False)):  # fmt: skip
        values = {"title": title, "team": team, "shown": shown, "secret": f"of {title}"}
        ids[title] = put("errand", values, who=SYSTEM).id
        remarks[title] = put("remark", {"errand": ids[title], "text": title}, who=SYSTEM).id

    def seen(who: Principal, **more: object) -> dict[str, str | None]:
        rows = Desk(store.records, who).find("errand", Query(**more)).rows
        assert [row.id for row in Desk(store.records, who).all("errand", Query(**more, limit=1))] == [
            row.id for row in rows
        ]
        return {row.values["title"]: row.values.get("secret") for row in rows}

    everything = {title: f"of {title}" for title in ids}
    assert seen(CHIEF) == seen(ZOE) == everything
    assert seen(ANNE) == {"r+": "of r+", "r-": "of r-", "p+": None}
    assert seen(ANONYMOUS) == {"r+": None, "p+": None}
    assert seen(ANNE, where={"secret": "of p+"}) == {}  # what one may not see cannot be guessed by searching
    assert seen(ANNE, text="p") == {}
    anne = Desk(store.records, ANNE)
    assert [row.values["text"] for row in anne.find("remark").rows] == ["r+", "r-"]
    assert anne.count("remark") == 2
    assert anne.own("errand", ids.values()) == {ids["r+"], ids["r-"]}
    anne.put("errand", {"secret": "new"}, id=ids["r-"])
    for refused in (
        lambda: anne.put("errand", {"secret": "x"}, id=ids["p+"]),
        lambda: anne.change_many("errand", [ids["r+"], ids["p+"]], {"secret": "x"}),
        lambda: anne.history("errand", ids["p+"]),
    ):
        with pytest.raises(Forbidden):
            refused()
    with pytest.raises(NotFound):
        anne.put("remark", {"text": "x"}, id=remarks["p+"])
    change = Desk(store.records, CHIEF).change_many("errand", [ids["p-"]], {"secret": "y"})
    with pytest.raises(Forbidden):
        anne.undo(change)
    assert {t: s for t, s in seen(CHIEF).items() if s not in everything.values()} == {"r-": "new", "p-": "y"}


def test_a_way_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(TypeError, match="kept_to"):
        Collection("errand", Text("a", "a"), Errand, kept_to="title")
