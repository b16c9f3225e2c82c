"""The queue at eight in the morning, by its pages."""

import csv
import io
import re

import pytest
from tests.services.reports.desk.conftest import COMMUNE, NOW, account, morning, report

from beffroi.model.instant import DAY_US, HOUR_US
from beffroi.services.reports.desk import queue
from beffroi.store.record import Query

PAGE = "/services/reports/file"


def listed(page: str) -> list[str]:
    return re.findall(r"<span>(S-2026-\d{5})</span>", page)


def values(town, number: int) -> dict:
    return town.store.records.get("service_request", number).values


def test_an_agent_finds_sixty_reports_the_oldest_first(town, ids, agent, browser) -> None:
    morning(town, ids)
    page = browser(agent).get(PAGE)
    assert page.status_code == 200
    rows = town.store.records.find("service_request", Query(sort="requested", limit=100)).rows
    assert listed(page.text) == [row.values["number"] for row in rows]
    assert "60 signalements" in page.text
    english = browser(agent).get(PAGE + "?lang=en")
    assert "60 reports" in english.text
    assert "Take in charge" in english.text


def test_a_long_queue_is_not_counted_to_its_end(town, ids, agent, browser, monkeypatch) -> None:
    monkeypatch.setattr(queue, "MOST_COUNTED", 5)
    monkeypatch.setattr(queue, "PAGE", 4)
    morning(town, ids, 6)
    page = browser(agent).get(f"{PAGE}?vue=ouverts").text
    assert "Tous les ouverts : plus de 5 signalements" in page.replace("\u00a0", " ")
    assert "Tous les ouverts 5+" in page
    assert "1 à 4</p>" in page
    assert "more than 5 reports" in browser(agent).get(f"{PAGE}?vue=ouverts&lang=en").text


def test_who_may_read_the_queue(town, ids, agent, browser) -> None:
    report(town, ids, 1)
    assert browser().get(PAGE).status_code == 401
    assert browser(account(town, "elu", "Agnès")).get(PAGE).status_code == 403
    assert listed(browser(account(town, "responsable", "Yannick")).get(PAGE).text) == ["S-2026-00001"]
    other = browser(account(town, "agent", "Solène", "18902"))
    assert other.submit("/compte", PAGE, {"row": "1", "do": "take"}).status_code in (403, 404)


def test_bulk_deeds_and_their_undoing(town, ids, agent, browser) -> None:
    found = morning(town, ids, 6)
    before = [values(town, n) for n in found]
    one = browser(agent)
    answer = one.submit(PAGE, PAGE, {"row": found[:4], "do": "take", "back": PAGE + "?vue=ouverts"})
    assert answer.status_code == 303
    assert [values(town, n)["state"] for n in found] == ["in_progress"] * 4 + ["received"] * 2
    assert {values(town, n)["first_answered"] for n in found[:4]} == {NOW}
    updates = town.store.records.find("report_update", Query(where={"request": found[:4]})).rows
    assert {(u.values["action"], u.values["actor"], u.values["from_state"]) for u in updates} == {
        ("take", "agent", "received")
    }
    after = one.get(answer.headers["location"])
    assert "Prendre en charge : 4" in after.text
    done = re.search(r'name="change_set" value="(\d+)"', after.text)[1]
    one.submit(PAGE, "/services/reports/defaire", {"change_set": done, "back": PAGE})
    assert [values(town, n) for n in found] == before
    assert town.store.records.find("report_update", Query(where={"request": found[:4]})).rows == []


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        ({"do": "mine"}, {"assignee": "me"}),
        ({"do": "assign", "department": "voirie"}, {"department": "voirie", "state": "waiting"}),
        ({"do": "priority", "priority": "high"}, {"priority": "high"}),
        ({"do": "close", "reason": "repaired", "text_close": "Fait."}, {"state": "closed", "reason": "repaired", "closed": NOW}),
        ({"do": "reply", "text_reply": "Bonjour"}, {"state": "received", "first_answered": NOW}),
        ({"do": "hide"}, {"moderation": "hidden", "shown": False}),
        ({"do": "schedule", "until": "2026-12-01"}, {"state": "scheduled"}),
    ],
)  # fmt: skip
def test_each_deed(town, ids, agent, browser, data: dict, wanted: dict) -> None:
    number = report(town, ids, 1)
    sent = {**data, "row": str(number)} | ({"department": str(ids["voirie"])} if "department" in data else {})
    assert browser(agent).submit(PAGE, PAGE, sent).status_code == 303
    told = {"me": agent.id, "voirie": ids["voirie"]}
    now = values(town, number)
    assert {k: now[k] for k in wanted} == {k: told.get(v, v) for k, v in wanted.items()}


@pytest.mark.parametrize(
    "data",
    [{"do": "take"}, {"do": "nothing", "row": "1"}, {"do": "close", "row": "R"}, {"do": "close", "row": "R", "reason": "tired"},
     {"do": "assign", "row": "R"}, {"do": "assign", "row": "R", "department": "9"}, {"do": "assign", "row": "R", "assignee": "user:999"},
     {"do": "priority", "row": "R", "priority": "x"}, {"do": "schedule", "row": "R", "until": "demain"}, {"do": "merge", "row": "R"}],
)  # fmt: skip
def test_what_is_not_understood_changes_nothing(town, ids, agent, browser, data: dict) -> None:
    number = report(town, ids, 1)
    before = values(town, number)
    answer = browser(agent).submit(PAGE, PAGE, {k: str(number) if v == "R" else v for k, v in data.items()})
    assert answer.status_code in (400, 404, 409)
    assert values(town, number) == before


def test_views_filters_and_the_csv(town, ids, agent, browser) -> None:
    report(town, ids, 1, category="voirie.nid", at=(2.39, 47.05))
    report(town, ids, 2, requested=NOW - 30 * DAY_US)
    report(town, ids, 3, requested=NOW - 4 * DAY_US)
    report(town, ids, 4, moderation="waiting", shown=False, description="fuite d'eau")
    report(town, ids, 5, state="in_progress", assignee=agent.id)
    report(town, ids, 6, state="closed", reason="repaired", closed=NOW)
    one = browser(agent)

    def shown(query: str) -> list[str]:
        return [n[-1] for n in listed(one.get(f"{PAGE}?{query}").text)]

    assert shown("vue=a-trier") == ["2", "3", "1", "4"]
    assert shown("vue=en-retard") == ["2", "3"]
    assert shown("vue=a-relire") == ["4"]
    assert shown("vue=a-moi") == ["5"]
    assert shown("vue=clos") == ["6"]
    assert shown(f"vue=ouverts&category={ids['c:voirie']}") == ["1"]  # a parent stands for its children
    assert shown("vue=ouverts&area=Gare") == ["1"]
    assert shown("vue=ouverts&q=fuite") == ["4"]
    assert shown("vue=ouverts&assignee=moi") == ["5"]
    assert "en retard de trois délais" in one.get(f"{PAGE}?vue=en-retard").text
    assert one.get(f"{PAGE}?sort=mail").status_code == 400
    rows = list(csv.DictReader(io.StringIO(one.get(f"{PAGE}.csv?vue=en-retard").text)))
    assert [(r["number"][-1], r["late"], r["department"]) for r in rows] == [
        ("2", "3", "Propreté"),
        ("3", "1", "Propreté"),
    ]
    places = one.get(f"{PAGE}.geojson?vue=en-retard").json()["features"]
    assert [f["properties"]["name"][-18:] for f in places] == [
        "00002 Dépôt ou saleté"[-18:],
        "00003 Dépôt ou saleté"[-18:],
    ]


def test_a_formula_in_a_report_is_no_formula_in_the_csv(town, ids, agent, browser) -> None:
    report(town, ids, 1, description="=HYPERLINK(1)")
    (row,) = csv.DictReader(io.StringIO(browser(agent).get(f"{PAGE}.csv").text))
    assert row["description"] == "'=HYPERLINK(1)"


def test_saved_views(town, ids, agent, browser) -> None:
    report(town, ids, 1)
    one = browser(agent)
    one.submit(PAGE, f"{PAGE}/vues", {"name": "Mes trous", "query": "vue=ouverts&q=trou"})
    page = one.get(PAGE).text
    assert f'href="{PAGE}?vue=ouverts&amp;q=trou">Mes trous' in page
    assert "Mes trous" not in browser(account(town, "agent", "Bruno", COMMUNE)).get(PAGE).text


def test_pages_of_a_long_queue(town, ids, agent, browser) -> None:
    morning(town, ids, 70)
    one = browser(agent)
    first = one.get(PAGE).text
    following = re.search(r'rel="next" href="([^"]+)"', first)[1].replace("&amp;", "&")
    assert len(listed(first)) == 60
    assert len(listed(one.get(following).text)) == 10
    assert set(listed(first)).isdisjoint(listed(one.get(following).text))


def test_a_quiet_morning_says_so(town, ids, agent, browser) -> None:
    assert "Tout est trié" in browser(agent).get(PAGE).text
    assert NOW - HOUR_US > 0
