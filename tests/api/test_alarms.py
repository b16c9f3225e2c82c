"""`/api/alarms`: what each reader sees, people's moves and their undoing, files, bad input."""

import csv
import io
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from tests.rules.conftest import Clock, Place
from tests.towns import town_at

from beffroi.app import create_app
from beffroi.identity import keys
from beffroi.model.instant import MINUTE_US
from beffroi.model.principal import SYSTEM
from beffroi.town import Town, open_town


@pytest.fixture
def town(tmp_path) -> Iterator[Town]:
    town_at(tmp_path, "Essai", email="")
    opened = open_town(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def place(town) -> Place:
    """Three alarms: orange and open, rouge and over, one of a series that is not public."""
    made = Place(town.store, Clock(town.clock() - 10 * MINUTE_US))
    first, second, hidden = (
        made.series(),
        made.series("Débit", "Seine"),
        made.series("Caméra", "Mairie", public=0),
    )
    made.rule("{above: 5}", first, name="Crue")
    made.rule("{above: 5}", second, more="severity: rouge")
    made.rule("{above: 5}", hidden)
    for series in (first, second, hidden):
        made.now(series, "9.5")
    made.clock.go(60)
    made.now(second, "1")
    return made


@pytest.fixture
def agent(town, place) -> TestClient:
    return client(town, "agent")


def client(town: Town, role: str | None = None, **options) -> TestClient:
    headers = {}
    if role:
        _, secret = keys.create(town.store, SYSTEM, role=role, name=f"Clé {role}", **options)
        headers["Authorization"] = f"Bearer {secret}"
    return TestClient(create_app(town), headers=headers)


def test_readers_see_public_alarms_and_staff_all(town, place):
    public = client(town).get("/api/alarms").json()
    assert (public["count"], {a["message"].split(" (")[0] for a in public["alarms"]}) == (
        2,
        {"Hauteur d'eau", "Débit"},
    )
    assert "assignee" not in public["alarms"][0]
    assert client(town, "agent").get("/api/alarms").json()["count"] == 3
    assert client(town, "elu").get("/api/alarms").json()["count"] == 3
    hidden = next(a.id for a in place.alarms() if not a.values["public"])
    assert client(town).get(f"/api/alarms/{hidden}").status_code == 404
    assert client(town, "agent").get(f"/api/alarms/{hidden}").json()["history"][0]["action"] == "create"


def test_filters_and_pages(town, place):
    web = client(town, "agent")

    def count(**asked):
        return web.get("/api/alarms", params=asked).json()["count"]

    rule = place.alarms()[0].values["rule"]
    assert [
        count(state="open"),
        count(state="over"),
        count(severity="rouge"),
        count(rule=rule),
        count(q="débit"),
    ] == [2, 1, 1, 1, 1]
    assert count(start="2001-01-01", end="2002-01-01") == 0
    first = web.get("/api/alarms", params={"limit": 2}).json()
    rest = web.get(first["next"]).json()
    assert [len(first["alarms"]), len(rest["alarms"]), rest["next"]] == [2, 1, None]


@pytest.mark.parametrize(
    ("asked", "place_"),
    [({"state": "asleep"}, "state"), ({"severity": "mauve"}, "severity"), ({"rule": "x"}, "rule"), ({"start": "hier"}, "start"),
     ({"limit": "0"}, "limit"), ({"limit": "9999999999999"}, "limit"), ({"after": "###"}, "after"), ({"thing": "9" * 40}, "thing")],
)  # fmt: skip
def test_bad_questions_are_told(town, asked, place_):
    answer = client(town).get("/api/alarms", params=asked)
    assert (answer.status_code, answer.json()["place"]) == (400, place_)


def test_people_take_charge_comment_assign_and_end(town, place):
    web = client(town, "agent")
    number = web.get("/api/alarms?state=active").json()["alarms"][0]["id"]
    taken = web.post(f"/api/alarms/{number}/acknowledge", json={"text": "J'y vais"}).json()
    assert (taken["state"], taken["acknowledged_by"], taken["comments"][0]["text"]) == (
        "acknowledged",
        "Clé agent",
        "J'y vais",
    )
    assert (
        web.post(f"/api/alarms/{number}/comment", json={"text": "Sur place"}).json()["comments"][1]["text"]
        == "Sur place"
    )
    assert (
        web.post(f"/api/alarms/{number}/assign", json={"assignee": "Voirie"}).json()["assignee"] == "Voirie"
    )
    assert (
        web.post(f"/api/alarms/{number}/clear", json={"text": "Fausse alerte"}).json()["state"] == "cleared"
    )
    assert web.post(f"/api/alarms/{number}/clear").status_code == 409
    assert len(web.get(f"/api/alarms/{number}").json()["history"]) == 5


def test_a_bulk_is_undone_as_one_and_only_by_its_author(town, place):
    web, other = client(town, "agent"), client(town, "responsable")
    ids = [a["id"] for a in web.get("/api/alarms").json()["alarms"]]
    done = web.post("/api/alarms/acknowledge", json={"ids": ids}).json()
    assert sorted(a["state"] for a in done["alarms"]) == ["acknowledged", "acknowledged", "cleared"]
    assert other.post("/api/alarms/undo", json={"change_set": done["change_set"]}).status_code == 404
    back = web.post("/api/alarms/undo", json={"change_set": done["change_set"]}).json()
    assert sorted(a["state"] for a in back["alarms"]) == ["active", "active", "cleared_unacknowledged"]


def test_rights(town, place):
    number = place.alarms()[0].id
    assert client(town).post(f"/api/alarms/{number}/acknowledge").status_code == 401
    assert client(town, "elu").post(f"/api/alarms/{number}/acknowledge").status_code == 403
    assert client(town, "device").post(f"/api/alarms/{number}/clear").status_code == 403


def test_files(town, place):
    answer = client(town, "agent").get("/api/alarms.csv")
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff")), delimiter=";"))
    assert [len(rows), rows[0]["peak"]] == [3, "9,5"]
    feed = ET.fromstring(client(town).get("/api/alarms.atom").content)
    names = {"a": "http://www.w3.org/2005/Atom"}
    entries = feed.findall("a:entry", names)
    assert [len(entries), entries[0].find("a:category", names).get("term") in ("orange", "rouge")] == [
        2,
        True,
    ]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=60) | st.from_regex(rb'\{"(text|ids|assignee|change_set)": ?(".*"|-?[0-9]{1,30}|\[[0-9, ]*\])\}', fullmatch=True),
       path=st.sampled_from(["acknowledge", "undo", "1/comment", "999999999999999999999/clear"]))  # fmt: skip
def test_any_body_is_answered(agent, body, path):
    assert agent.post(f"/api/alarms/{path}", content=body).status_code < 500
