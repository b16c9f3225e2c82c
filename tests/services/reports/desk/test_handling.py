"""Handling reports: merging and its undoing, moderation, splitting, categories, what the public sees of it."""

import msgspec
import pytest
from tests.services.reports.desk.conftest import COMMUNE, NOW, account, report

from beffroi.model.instant import DAY_US
from beffroi.model.principal import ANONYMOUS, SYSTEM
from beffroi.model.problem import Conflict, Forbidden, NotFound, Problem
from beffroi.services.reports import notices
from beffroi.services.reports.desk.acting import Deed, Handling
from beffroi.services.reports.desk.context import around
from beffroi.services.reports.desk.replies import fill, suitable
from beffroi.services.reports.desk.suggestions import alike, guess
from beffroi.settings import MailSettings
from beffroi.store.desk import Desk
from beffroi.store.record import Query


def values(town, number: int) -> dict:
    return town.store.records.get("service_request", number).values


def updates(town, number: int) -> list[dict]:
    rows = town.store.records.find("report_update", Query(where={"request": number}, sort="at")).rows
    return [row.values for row in rows]


def test_merged_reports_follow_what_was_kept_and_come_back_whole(town, ids, handling) -> None:
    a, b, c = (report(town, ids, n) for n in (1, 2, 3))
    before = {n: values(town, n) for n in (a, b, c)}
    handling.merge([a], b)
    handling.merge([b], c)  # a chain: a in b, b in c
    assert [values(town, n)["duplicate_of"] for n in (a, b, c)] == [b, c, None]
    assert {row.id for row in handling.merged_into(c)} == {a, b}
    assert handling.root(town.store.records.get("service_request", a)).id == c
    handling.merge([report(town, ids, 4)], a)  # into a duplicate: into what was kept
    assert {row.values["number"] for row in handling.merged_into(c)} == {
        "S-2026-00001",
        "S-2026-00002",
        "S-2026-00004",
    }
    handling.unmerge(b)
    assert values(town, b) == before[b]
    assert {row.id for row in handling.merged_into(b)} == {a}
    with pytest.raises(Problem, match="itself"):
        handling.merge([c], c)


def test_every_reporter_of_merged_reports_is_told(town, ids, handling) -> None:
    kept, other = report(town, ids, 1), report(town, ids, 2)
    put = town.store.records.put
    followers = [
        put("report_follower", {"request": n, "since": NOW, "mail": f"{n}@exemple.example.org"}, territory=COMMUNE, who=SYSTEM).id
        for n in (kept, other)
    ]  # fmt: skip
    while notices.read_bus(town):
        continue
    handling.merge([other], kept)
    handling.act([kept], Deed("close", "Réparé ce matin.", "repaired"))
    while notices.read_bus(town):
        continue
    with town.store.read() as c:
        from beffroi.store.tables import job

        told = {
            row.key.split("/")[-1]
            for row in c.execute(job.select().where(job.c.kind == notices.KIND, job.c.key.like("%/update/%")))
        }
    assert told == {str(n) for n in followers}


def test_what_is_undone_at_once_is_told_to_nobody(town, ids, handling) -> None:
    number = report(town, ids, 1)
    values = {"request": number, "since": NOW, "mail": "anais@exemple.example.org"}
    town.store.records.put("report_follower", values, territory=COMMUNE, who=SYSTEM)
    while notices.read_bus(town):
        continue
    mistake = handling.act([number], Deed("close", "Fait.", "repaired"))
    while notices.read_bus(town):
        continue
    notices.work_off(town)
    due = [row.due_us for row in jobs(town)]
    assert due == [NOW + notices.GRACE_US]  # a minute to think again
    handling.undo(mistake)
    town.clock = lambda: NOW + 2 * notices.GRACE_US
    # nobody listens there: a letter that was sent all the same would fail
    town.settings = msgspec.structs.replace(
        town.settings, mail=MailSettings("smtp://127.0.0.1:1", "m@essai.example.org")
    )
    notices.work_off(town)
    assert [(row.state, row.error) for row in jobs(town)] == [("done", None)]


def jobs(town) -> list:
    from beffroi.store.tables import job

    with town.store.read() as c:
        return c.execute(job.select().where(job.c.kind == notices.KIND, job.c.key.like("%/update/%"))).all()


def test_a_deed_on_many_is_all_or_nothing(town, ids, handling) -> None:
    a, b = report(town, ids, 1), report(town, ids, 2, state="closed", reason="repaired", closed=NOW)
    before = [values(town, n) for n in (a, b)]
    with pytest.raises(Conflict):
        handling.act([a, b], Deed("take"))
    assert [values(town, n) for n in (a, b)] == before
    with pytest.raises(Problem):
        handling.act([], Deed("take"))


def test_two_agents_on_one_report(town, ids, handling) -> None:
    number = report(town, ids, 1)
    version = town.store.records.get("service_request", number).version
    handling.act([number], Deed("take"), version)
    with pytest.raises(Conflict):
        handling.act([number], Deed("reply", "Bonjour"), version)
    assert len(updates(town, number)) == 1


def test_rights(town, ids, agent) -> None:
    number = report(town, ids, 1)
    with pytest.raises(Forbidden):
        Handling(town, account(town, "agent", "Solène", "18902")).act([number], Deed("take"))
    with pytest.raises((Forbidden, NotFound)):
        Handling(town, account(town, "elu", "Agnès")).act([number], Deed("take"))
    elu = Desk(town.store.records, account(town, "elu", "Paul"))
    assert {"name", "mail", "phone", "assignee"}.isdisjoint(elu.get("service_request", number).values)


def test_what_is_hidden_takes_its_story_along(town, ids, handling) -> None:
    number = report(town, ids, 1)
    handling.act([number], Deed("reply", "Nous regardons."))
    handling.note(number, "Voisin connu.")
    public = Desk(town.store.records, ANONYMOUS)
    assert [row.values["text"] for row in public.find("report_update").rows] == ["Nous regardons."]
    handling.moderate([number], "hidden")
    assert public.find("report_update").rows == []
    assert public.count("service_request") == 0
    handling.moderate([number], "accepted")
    assert [row.values["text"] for row in public.find("report_update").rows] == ["Nous regardons."]


def test_a_new_category_brings_its_department_and_deadline(town, ids, handling) -> None:
    number = report(town, ids, 1, at=(2.39, 47.05))
    handling.recategorise([number], ids["c:voirie.nid"])
    now = values(town, number)
    assert (now["department"], now["priority"]) == (ids["voirie"], "high")  # the line of the area's holes
    assert now["due"] == values(town, report(town, ids, 2, category="voirie.nid", at=(2.39, 47.05)))["due"]
    with pytest.raises(Problem):
        handling.recategorise([number], 99)


def test_a_report_is_split_into_works(town, ids, handling) -> None:
    number = report(town, ids, 1)
    handling.split(
        number,
        [
            {"description": "Enlever le dépôt", "department": ids["proprete"]},
            {"description": "Réparer la grille"},
        ],
    )
    children = town.store.records.find("service_request", Query(where={"parent": number}, sort="number")).rows
    assert [(r.values["number"], r.values["state"], r.values["shown"]) for r in children] == [
        ("S-2026-00001-1", "waiting", False),
        ("S-2026-00001-2", "received", False),
    ]


def test_the_context_of_a_report(town, ids, handling, agent) -> None:
    at = (2.37, 47.05)
    number = report(town, ids, 1, category="eclairage", at=at)
    near = report(town, ids, 2, category="voirie.nid", at=(2.3705, 47.05))  # 38 m away
    far = report(town, ids, 3, at=(2.38, 47.05))  # 760 m away
    past = report(
        town, ids, 4, at=(2.37001, 47.05), state="closed", reason="repaired", closed=NOW - 90 * DAY_US
    )
    report(town, ids, 5, at=at, state="closed", reason="repaired", closed=NOW - 900 * DAY_US)  # long ago
    lamp = town.store.records.put("lamp", {"code": "PL-1", "state": "ok"}, geometry={"type": "Point", "coordinates": [2.3701, 47.05]}, territory=COMMUNE, who=SYSTEM)  # fmt: skip
    categories = {row.id: row for row in town.store.records.all("report_category")}
    found = around(handling.desk, town.store.records.get("service_request", number), categories, NOW)
    assert [(n.row.id, round(n.distance_m)) for n in found.nearby] == [(near, 38)]
    assert [n.row.id for n in found.before] == [past]
    assert [(a.name, a.chosen) for a in found.assets] == [(f"lamp/{lamp.id}", False)]
    handling.set([number], {"asset": f"lamp/{lamp.id}"})
    found = around(handling.desk, town.store.records.get("service_request", number), categories, NOW)
    assert [(a.name, a.chosen) for a in found.assets] == [(f"lamp/{lamp.id}", True)]
    assert found.author == ()
    for one in (number, far):
        town.store.records.put("service_request", {"reporter": "p-1"}, id=one, who=SYSTEM)
    found = around(handling.desk, town.store.records.get("service_request", number), categories, NOW)
    assert [(n.row.id, round(n.distance_m, -1)) for n in found.author] == [(far, 760)]


def test_templates_by_category_and_step(town, ids) -> None:
    categories = {row.id: row for row in town.store.records.all("report_category")}
    hole = town.store.records.get("service_request", report(town, ids, 1, category="voirie.nid"))
    names = [row.values["name"] for row in suitable(town.store.records, hole, categories)]
    assert names == ["Trou rebouché", "Merci"]  # that of the parent category first, then that of all
    assert [r.values["name"] for r in suitable(town.store.records, hole, categories, ["reply"])] == ["Merci"]
    assert fill("N° {number} {inconnu}", {"number": "26-1"}) == "N° 26-1 {inconnu}"


def test_neighbours_are_judged_and_a_category_is_suggested(town, ids, agent, browser) -> None:
    at = (2.37, 47.05)
    number = report(
        town, ids, 1, category="proprete", at=at, description="Lampadaire éteint, éclairage en panne"
    )
    same = report(
        town, ids, 2, category="eclairage", at=(2.37001, 47.05), description="Le lampadaire est éteint"
    )
    other = report(
        town,
        ids,
        3,
        category="arbre",
        at=(2.3708, 47.0503),
        description="Branche tombée",
        requested=NOW - 20 * DAY_US,
    )
    row = town.store.records.get("service_request", number)
    categories = {r.id: r for r in town.store.records.all("report_category")}
    context = around(Desk(town.store.records, agent), row, categories, NOW)
    judged = alike(town, row, context.nearby, "fr")
    assert [n.row.id for n in judged] == [same, other]
    assert judged[0].alike > 0.5 > judged[1].alike
    assert "ouvert" in judged[0].why
    assert next(g.category for g in guess(town, row, categories)) == ids["c:eclairage"]
    assert (
        guess(town, town.store.records.get("service_request", same), categories) == []
    )  # it says so already
    page = browser(agent).get(f"/services/reports/{number}").text
    assert "sans doute le même problème" in page
    assert "D&#39;après les mots" in page


def test_an_agent_of_a_department_sees_its_queue(town, ids, agent, browser) -> None:
    mine = report(town, ids, 1, category="voirie")
    other = report(town, ids, 2, category="proprete", mail="anais@exemple.example.org", at=(2.3653, 47.045))
    chief = browser(account(town, "responsable", "Yannick"))
    assert (
        chief.submit(
            "/services/reports/equipes",
            "/services/reports/equipes",
            {"member": f"{ids['voirie']}/{agent.id}"},
        ).status_code
        == 303
    )
    one = browser(agent)
    queue = one.get("/services/reports/file").text
    assert "S-2026-00001" in queue
    assert "S-2026-00002" not in queue
    assert (
        "S-2026-00002" in one.get(f"/services/reports/{mine}").text
    )  # public, so a neighbour to merge with may be seen
    assert one.get(f"/services/reports/{other}").status_code == 403
    assert (
        one.submit("/services/reports/file", f"/services/reports/{other}", {"do": "take"}).status_code == 403
    )
    seen = one.get(f"/donnees/service_request/{other}").text
    assert "anais@" not in seen
    assert one.submit("/services/reports/file", "/services/reports/equipes", {}).status_code == 403
    assert "S-2026-00002" in chief.get("/services/reports/file").text
