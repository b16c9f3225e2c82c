"""How long a series is kept, set on its page or by kind, tried first; what is missing, on its page and by API."""

from collections.abc import Callable

from sqlalchemy import update
from starlette.testclient import TestClient

from beffroi.model.instant import DAY_US, MINUTE_US
from beffroi.model.observation import Draft
from beffroi.model.result import number_of
from beffroi.rules.needed import thin_now
from beffroi.store.ledger import follow
from beffroi.store.sealing import seal
from beffroi.store.tables import datastream
from beffroi.town import Town

Browser = Callable[..., TestClient]
Post = Callable[..., tuple[int, int]]
Csrf = Callable[[TestClient, str], str]


def filled(town: Town, post: Post) -> int:
    _, series = post("Pont neuf")
    now = town.clock()
    today = now - now % DAY_US
    times = [today - 60 * DAY_US + i * 10 * MINUTE_US for i in range(60 * 144) if i % 144 != 100]
    town.store.observations.append([Draft(series, t, number_of("1.5")) for t in times])
    seal(town.store.database, town.store.archive, today, town.store.observations.head())
    return series


def test_an_administrator_tries_then_keeps_then_sees_what_it_saved(
    town: Town, browser: Browser, post: Post, csrf: Csrf
) -> None:
    series = filled(town, post)
    path = f"/series/{series}/conservation"
    boss = browser("admin")
    page = boss.get(path)
    assert page.status_code == 200
    assert "toutes les valeurs, sans limite" in page.text
    token = csrf(boss, path)
    tried = boss.post(path, data={"csrf": token, "raw": "40", "hours": "", "action": "essai"})
    assert tried.status_code == 200
    assert "Libérerait" in tried.text
    assert "2\u202f860" in tried.text  # 20 days of 143
    assert len(town.store.observations.series(series)) == 60 * 143
    assert boss.post(path, data={"csrf": token, "raw": "40", "hours": ""}).status_code == 303
    assert thin_now(town.store, town.clock()).rows == {series: 20 * 143}
    shown = boss.get(f"/series/{series}").text
    assert "chaque valeur 40 jours, puis le résumé de chaque heure, sans limite" in shown
    assert "Valeurs retirées" in shown
    assert "Changer la conservation" in shown
    assert "Espace gagné" in boss.get("/administration/conservation").text
    with town.store.read() as c:
        entries = town.store.audit.entries(c, action="observations.thin")
    assert [(e.who, e.detail["rows"]) for e in entries] == [("system", 20 * 143)]


def test_what_is_no_number_of_days_is_said_at_its_field(
    town: Town, browser: Browser, post: Post, csrf: Csrf
) -> None:
    series = filled(town, post)
    path, boss = f"/series/{series}/conservation", browser("admin")
    for sent, field in (
        ({"raw": "0"}, "raw"),
        ({"raw": "dix"}, "raw"),
        ({"hours": "10"}, "raw"),
        ({"raw": "9", "hours": "-1"}, "hours"),
    ):
        answer = boss.post(path, data={"csrf": csrf(boss, path), **sent})
        assert answer.status_code == 400
        assert f'id="f-{field}-error"' in answer.text


def test_others_neither_see_nor_change_it(town: Town, browser: Browser, post: Post, csrf: Csrf) -> None:
    series = filled(town, post)
    path = f"/series/{series}/conservation"
    assert browser().get(path).status_code == 303
    agent = browser("agent")
    assert agent.get(path).status_code == 403
    assert agent.get("/administration/conservation").status_code == 403
    assert agent.post(path, data={"csrf": csrf(agent, "/compte"), "raw": "3"}).status_code == 403
    assert "Changer la conservation" not in agent.get(f"/series/{series}").text


def test_a_kind_is_tried_then_kept(town: Town, browser: Browser, post: Post, csrf: Csrf) -> None:
    series = filled(town, post)
    with town.store.write() as c:
        c.execute(update(datastream).where(datastream.c.id == series).values(kind="niveau"))
    path, boss = "/administration/conservation", browser("admin")
    assert "niveau" in boss.get(path).text
    sent = {"csrf": csrf(boss, path), "kind": "niveau", "raw": "50", "hours": "5"}
    tried = boss.post(path, data={**sent, "action": "essai"})
    assert "1\u202f430" in tried.text
    assert boss.post(path, data=sent).status_code == 303
    assert "chaque valeur 50 jours, puis le résumé de chaque heure 5 jours, puis rien" in boss.get(path).text
    assert thin_now(town.store, town.clock()).hours == {series: 5 * 24}


def test_gaps_are_on_the_page_and_in_the_api(town: Town, browser: Browser, post: Post) -> None:
    series = filled(town, post)
    follow(town.store)
    reader = browser()
    page = reader.get(f"/series/{series}").text
    assert "Mesures manquantes" in page
    assert f"/api/datastreams/{series}/gaps.csv" in page
    told = reader.get(f"/api/datastreams/{series}/gaps?limit=3").json()
    assert (told["irregular"], told["expectedInterval"]) == (False, "PT600S")
    closed = [g for g in told["value"] if g["to"] is not None]
    assert len(closed) == 3
    assert all(
        (g["expected"], g["received"], g["missing"], g["reason"]) == (1, 0, 1, "silence") for g in closed
    )
    lines = reader.get(f"/api/datastreams/{series}/gaps.csv").text.strip().splitlines()
    assert lines[0] == "\ufeffde;a;attendues;recues;manquantes;motif;completee"
    assert len(lines) >= 61
    _, loose = post("Source", every_us=None)
    assert reader.get(f"/api/datastreams/{loose}/gaps").json() == {
        "datastream": loose, "irregular": True, "expectedInterval": None, "value": []}  # fmt: skip
    _, hidden = post("Compteur", public=False)
    assert reader.get(f"/api/datastreams/{hidden}/gaps").status_code == 404
    assert reader.get(f"/api/datastreams/{series}/gaps?limit=x").status_code == 400
    assert reader.get(f"/api/datastreams/{series}/gaps?start=hier").status_code == 400
