"""The daily round in a town: leaks opened, located, repaired; meters and sewers judged; the pages that tell of it."""

import csv
import html
import io
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from beffroi.app import create_app
from beffroi.identity import people, sign_in
from beffroi.model.instant import DAY_US
from beffroi.model.principal import SYSTEM
from beffroi.scene import Scene
from beffroi.services.watergrid.areas import judging
from beffroi.services.watergrid.areas.round import look_round
from beffroi.services.watergrid.demo import archive
from beffroi.services.watergrid.indicators import INDICATORS
from beffroi.store.record import Query, Row
from beffroi.town import Town
from beffroi.web.kit.who import SESSION_COOKIE


def leaks_of(town: Town, area: str) -> list[Row]:
    (one,) = town.store.records.find("water_area", Query(where={"code": area})).rows
    rows = town.store.records.find("water_leak", Query(where={"area": one.id}, sort="detected")).rows
    return [r for r in rows if r.values["state"] != "false"]


def test_the_round_finds_the_leaks_of_the_story(watertown: Town, scene: Scene) -> None:
    first, second, third = scene.waterworks.bursts
    repaired, running = leaks_of(watertown, "CENTRE")
    assert repaired.values["state"] == "repaired"
    assert running.values["state"] == "open"
    said = watertown.store.records.collections["water_leak"].field("title").words
    flow, area = f"{repaired.values['m3_per_day']:.0f}", repaired.values["title"].partition(", ")[2]
    assert repaired.values["title"] == f"Fuite de {flow} m³/j, {area}"
    assert said(repaired.values["title"], "en") == f"Leak of {flow} m³/d, {area}"
    for leak, burst in ((repaired, first), (running, second)):
        assert abs(leak.values["start"] - burst.start_us) < 1.5 * DAY_US
        assert leak.values["detected"] - burst.start_us < 3 * DAY_US
        assert leak.values["m3_per_day"] == pytest.approx(24 * burst.peak_m3h, rel=0.15)
        assert burst.pipe in [pipe for pipe, _ in leak.values["candidates"][:3]]
    assert abs(repaired.values["end"] - (first.end_us or 0)) < 1.5 * DAY_US
    (growing,) = leaks_of(watertown, "FAUBOURGS")
    assert growing.values["kind"] == "incipient"
    assert growing.values["m3_per_day"] == pytest.approx(24 * third.peak_m3h, rel=0.2)
    assert growing.values["pipe"] is None


def test_an_archive_follows_the_clock_on_the_wall_over_a_change_of_the_hour(scene: Scene) -> None:
    before, after = (
        archive(scene.waterworks, "CENTRE", datetime(2026, month, day), 1)[0]
        for month, day in ((10, 13), (10, 27))
    )  # two Tuesdays, the clocks went back between them
    assert np.corrcoef(before, after)[0, 1] > 0.98 > np.corrcoef(before, np.roll(after, 1))[0, 1]
    assert np.corrcoef(before, np.roll(after, -1))[0, 1] < 0.98


def test_a_second_round_of_the_day_changes_nothing(watertown: Town) -> None:
    before = [(r.id, r.version) for r in watertown.store.records.all("water_leak")]
    look_round(watertown)
    assert [(r.id, r.version) for r in watertown.store.records.all("water_leak")] == before


def test_what_staff_closed_stays_closed(watertown: Town) -> None:
    (leak,) = leaks_of(watertown, "FAUBOURGS")
    records = watertown.store.records
    records.put("water_leak", {"state": "repaired"}, id=leak.id, who=SYSTEM)
    (area,) = records.find("water_area", Query(where={"code": "FAUBOURGS"})).rows
    records.put("water_area", {"judged": int(area.values["judged"]) - DAY_US}, id=area.id, who=SYSTEM)
    look_round(watertown)
    assert records.get("water_leak", leak.id).values["state"] == "repaired"
    records.put("water_leak", {"state": "open"}, id=leak.id, who=SYSTEM)


def test_indicators_come_from_the_files(watertown: Town, scene: Scene) -> None:
    said = {i.name: i.compute(watertown, None, 0, watertown.clock()) for i in INDICATORS}
    assert said["open_leaks"] == 2
    (count,) = (i.compute for i in INDICATORS if i.name == "open_leaks")
    first = scene.waterworks.bursts[0].start_us
    assert [count(watertown, None, 0, at) for at in (first, first + 4 * DAY_US)] == [0, 1]  # since repaired
    assert said["leak_cost"] == pytest.approx(1.1 * (said["leak_volume"] or 0), abs=0.1)
    assert said["network_yield"] == pytest.approx(82.22, abs=0.01)


@pytest.fixture(scope="module")
def agent(watertown: Town) -> Iterator[TestClient]:
    person = people.add(watertown.store, SYSTEM, email="eau@essai.fr", name="Ève Onde", role="responsable")
    app = create_app(watertown)
    with TestClient(app, base_url="http://127.0.0.1:8080") as client:
        link = sign_in.make_link(watertown.store, SYSTEM, person.id)
        client.cookies.set(SESSION_COOKIE, sign_in.by_link(watertown.store, link, agent="Firefox")[1])
        yield client


def words(page: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("page", ["fuites", "secteurs", "vannes", "indicateurs"])
def test_pages_answer_in_both_languages(agent: TestClient, page: str, language: str) -> None:
    answer = agent.get(f"/services/watergrid/{page}", headers={"Accept-Language": language})
    assert answer.status_code == 200
    assert f'lang="{language}"' in answer.text


def test_the_list_leads_to_a_leak_with_its_places(agent: TestClient, watertown: Town) -> None:
    page = agent.get("/services/watergrid/fuites")
    assert "2 fuites ouvertes" in words(page.text)
    _, running = leaks_of(watertown, "CENTRE")
    one = agent.get(f"/services/watergrid/fuites/{running.id}")
    assert one.status_code == 200
    told = words(one.text)
    assert running.values["pipe"] in told
    since = watertown.clock() - running.values["start"]
    assert running.values["lost_m3"] == pytest.approx(running.values["m3_per_day"] * since / DAY_US, rel=0.25)
    assert "25 % et plus" in told.replace("\u202f", " ").replace(
        "\xa0", " "
    )  # what the marks of the map mean
    assert "Qui serait sans eau" in told
    assert '<svg class="ground"' in one.text
    assert '<path class="course rouge"' in one.text  # the likeliest pipes are drawn
    repaired, _ = leaks_of(watertown, "CENTRE")
    english = agent.get(f"/services/watergrid/fuites/{repaired.id}", headers={"Accept-Language": "en"}).text
    assert "lost from about" in words(english) and "Repaired" in words(english)


def test_the_balance_says_what_is_wrong_with_meters_and_how_sewers_run(
    agent: TestClient, watertown: Town
) -> None:
    states = {r.values["code"]: r.values["state"] for r in watertown.store.records.all("water_meter")}
    assert states == {"CPT01": "ok", "CPT02": "ok", "CPT03": "stopped", "CPT04": "oversized", "CPT05": "backward"}  # fmt: skip
    told = words(agent.get("/services/watergrid/secteurs", headers={"Accept-Language": "en"}).text)
    assert "Has not moved for 5 days" in told and "Turns backwards" in told and "it counts badly" in told
    assert "2 other meters, nothing to report" in told
    for title in ("Night flow, Entrée", "Hours of overflow a day, Déversoir"):
        assert title in told
    standing = {a.values["code"]: a.values["standing_m3h"] for a in watertown.store.records.all("water_area")}
    assert standing == {"CENTRE": pytest.approx(1.6, rel=0.25), "FAUBOURGS": pytest.approx(3.4, rel=0.25)}


def test_indicators_are_a_table_too_and_blank_is_not_zero(agent: TestClient) -> None:
    answer = agent.get("/services/watergrid/indicateurs.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    years = {row["exercice"] for row in rows}
    assert len(rows) == 6 * len(years) == 12
    last = {r["indicateur"]: r for r in rows if r["exercice"] == max(years)}
    assert (last["P104.3"]["valeur"], last["P104.3"]["confiance"], last["P104.3"]["non_renseigne"]) == (
        "82.2213",
        "B",
        "service_m3",
    )


def test_a_year_that_meters_more_than_comes_in_is_told(agent: TestClient, watertown: Town) -> None:
    page = agent.get("/services/watergrid/indicateurs", headers={"Accept-Language": "en"}).text
    assert "more water is metered" not in page
    wrong = {"code": "1999", "produced_m3": 100.0, "domestic_m3": 120.0, "length_km": 1.0}
    row = watertown.store.records.put("water_year", wrong, who=SYSTEM)
    page = agent.get("/services/watergrid/indicateurs", headers={"Accept-Language": "en"}).text
    assert "1999: more water is metered" in words(page)
    watertown.store.records.delete("water_year", row.id, who=SYSTEM)


def test_closing_says_who_is_without_water(agent: TestClient, watertown: Town, scene: Scene) -> None:
    grid = scene.waterworks.grid
    ends = [
        n
        for n in range(len(grid.places))
        if sum(n in (p.start, p.end) for p in grid.pipes) == 1 and n != grid.source
    ]
    pipe = next(p for p in grid.pipes if ends[0] in (p.start, p.end))
    assert grid.code(ends[0]) in words(agent.get(f"/services/watergrid/vannes?fermer={pipe.code}").text)
    assert "ni une vanne ni une conduite" in words(agent.get("/services/watergrid/vannes?fermer=ZZZ").text)


def test_several_valves_are_closed_at_once_and_what_cannot_be_said_is_not(
    agent: TestClient, watertown: Town
) -> None:
    told = words(agent.get("/services/watergrid/vannes", params={"fermer": "V01, V02", "lang": "en"}).text)
    assert "V01, V02 closed" in told
    records = watertown.store.records
    sources = [r for r in records.all("water_node") if r.values["kind"] != "junction"]
    for row in sources:
        records.put("water_node", {"kind": "junction"}, id=row.id, who=SYSTEM)
    told = words(agent.get("/services/watergrid/vannes", params={"fermer": "V01", "lang": "en"}).text)
    assert ("It cannot be said" in told, "Nobody" in told) == (True, False)
    for row in sources:
        records.put("water_node", {"kind": row.values["kind"]}, id=row.id, who=SYSTEM)


def test_a_leak_is_followed_from_its_own_page_to_its_end(agent: TestClient, watertown: Town) -> None:
    """An agent plans, finds and closes; a wrong date keeps what was written; the record's page leads to the file."""
    _, running = leaks_of(watertown, "CENTRE")
    place = f"/services/watergrid/fuites/{running.id}"
    page = agent.get(place, headers={"Accept-Language": "en"}).text
    csrf = re.search(r'name="csrf" value="([0-9a-f]+)"', page)
    assert csrf is not None and "Growing" not in page
    sent = {
        "csrf": csrf[1],
        "version": str(running.version),
        "team": "Val-Eau",
        "found": "Joint rompu",
        "pipe": "C073",
    }
    wrong = agent.post(place, data={**sent, "state": "open", "intervention": "mardi"})
    assert (wrong.status_code, "Joint rompu" in wrong.text) == (400, True)
    agent.post(place, data={**sent, "state": "open", "intervention": "2026-11-24"})
    held = watertown.store.records.get("water_leak", running.id)
    assert {n: held.values[n] for n in ("state", "team", "found", "pipe", "end")} == {
        "state": "open", "team": "Val-Eau", "found": "Joint rompu", "pipe": "C073", "end": None,
    }  # fmt: skip
    assert held.values["intervention"].isoformat() == "2026-11-24"
    agent.post(place, data={**sent, "version": str(held.version), "state": "repaired"})
    held = watertown.store.records.get("water_leak", running.id)
    assert (held.values["state"], held.values["end"]) == ("repaired", watertown.clock())
    record = agent.get(f"/donnees/water_leak/{running.id}").text
    assert f'href="{place}"' in record
    form = agent.get(f"/donnees/water_leak/{running.id}/modifier").text
    assert ('name="found"' in form, 'name="candidates"' in form) == (True, False)
    area = agent.get(f"/donnees/water_area/{held.values['area']}").text
    assert area.count("<details>") == 1  # what is learnt is two pages of numbers: folded


def test_an_area_that_cannot_be_judged_says_why(
    agent: TestClient, watertown: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A meter without measurements is no zero; an inflow that changed is learnt again; what a person opened stays theirs."""
    records = watertown.store.records
    (area,) = records.find("water_area", Query(where={"code": "FAUBOURGS"})).rows
    own = {"number": "F-1", "area": area.id, "title": "Vue", "start": area.values["judged"], "detected": area.values["judged"], "m3_per_day": 9.0, "euro_per_day": 9.0}  # fmt: skip
    mine = records.put("water_leak", own, who=SYSTEM)
    records.put("water_area", {"judged": int(area.values["judged"]) - DAY_US}, id=area.id, who=SYSTEM)
    look_round(watertown)
    assert records.get("water_leak", mine.id).values["state"] == "open"
    records.delete("water_leak", mine.id, who=SYSTEM)

    silent = records.put("water_meter", {"code": "CPT99"}, who=SYSTEM, territory=area.territory)
    for inflow, said in (("CPT02-CPT99", "'CPT99' has no measurements of flow"), ("CPT02+CPT03", "is being learnt: 28 days of measurements of the 60")):  # fmt: skip
        records.put("water_area", {"inflow": inflow}, id=area.id, who=SYSTEM)
        assert said in words(
            agent.get("/services/watergrid/secteurs", headers={"Accept-Language": "en"}).text
        )
    records.put("water_area", {"judged": int(area.values["judged"]) - DAY_US}, id=area.id, who=SYSTEM)
    look_round(watertown)
    assert records.get("water_area", area.id).values["state"] == "unknown"
    monkeypatch.setattr(judging, "LEAST_DAYS", 14)
    look_round(watertown)  # fourteen of the twenty-eight days teach, what follows is watched at once
    taught = records.get("water_area", area.id).values
    assert (taught["learnt"]["until"], taught["learnt"]["inflow"], taught["state"] != "unknown") == ("2026-11-07", "CPT02+CPT03", True)  # fmt: skip
    records.put("water_area", {"inflow": "CPT02"}, id=area.id, who=SYSTEM)
    records.delete("water_meter", silent.id, who=SYSTEM)


def test_the_network_leaves_as_stareau_once_what_it_lacks_is_given(
    agent: TestClient, watertown: Town, tmp_path: Path
) -> None:
    place = "/services/watergrid/stareau"
    bare = watertown.store.records.put("water_meter", {"code": "CPT98"}, who=SYSTEM, territory="18901")
    page = agent.get(place, params={"lang": "en"}).text
    asked = re.findall(r'<input type="text" id="f-(\w+)"', page)
    assert ("0 objects go in" in words(page), "geom" in asked, "insee_commune" in asked) == (
        True,
        False,
        False,
    )
    given = dict.fromkeys(asked, "1")
    assert "Left out Network meters : 1 (CPT98) Lacking: a place" in words(agent.get(place, params={**given, "lang": "en"}).text)  # fmt: skip
    (tmp_path / "town.gpkg").write_bytes(agent.get(f"{place}.gpkg", params=given).content)
    with closing(sqlite3.connect(tmp_path / "town.gpkg")) as base:
        (count,) = base.execute(
            "SELECT count(*) FROM aep_canalisation WHERE insee_commune = '18901'"
        ).fetchone()
    assert count == watertown.store.records.count("water_pipe")
    watertown.store.records.delete("water_meter", bare.id, who=SYSTEM)


def test_the_public_sees_the_indicators_alone(watertown: Town) -> None:
    with TestClient(create_app(watertown), base_url="http://127.0.0.1:8080") as anyone:
        assert anyone.get("/services/watergrid/indicateurs").status_code == 200
        assert anyone.get("/services/watergrid/fuites").status_code in (401, 403)
