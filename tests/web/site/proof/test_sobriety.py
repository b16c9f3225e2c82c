"""Sobriety on screen: what nobody reads, proposals applied and undone, the study; and measures that come back."""

import math
import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import insert
from starlette.requests import Request
from starlette.testclient import TestClient

from beffroi.evaluation.case.reading import read_case
from beffroi.model.instant import DAY_US, MINUTE_US, to_datetime
from beffroi.model.observation import Draft
from beffroi.model.principal import SYSTEM
from beffroi.model.result import number_of
from beffroi.store import tables
from beffroi.store.tables import page_reading
from beffroi.store.thinning import KINDS
from beffroi.town import Town
from beffroi.web.kit.kept import kept_figure
from beffroi.web.kit.readers import SILENT_DAYS, place_of, screens, settle
from beffroi.web.site.proof.measuring import measures_of

from .test_cases import words

Browser = Callable[..., TestClient]
STEP = 10 * MINUTE_US
DAYS = 8


@pytest.fixture(scope="module")
def thermometers(_one: tuple[Town, Any]) -> list[int]:
    """Three thermometers that told eight days, the third one the mean of the others."""
    town = _one[0]
    start = town.clock() // STEP * STEP - DAYS * DAY_US
    ids = [901, 902, 903]
    with town.store.write() as c:
        for n in ids:
            c.execute(
                insert(tables.thing).values(id=n, name=f"Station {n}", description="", service="environment")
            )
            c.execute(
                insert(tables.sensor).values(id=n, name="s", description="", encoding_type="", metadata="")
            )
            c.execute(
                insert(tables.observed_property).values(id=n, name=f"p{n}", definition="", description="")
            )
            c.execute(insert(tables.datastream).values(
                id=n, name="d", description="", observation_type="", kind="temperature", thing_id=n, sensor_id=n, observed_property_id=n))  # fmt: skip
    drafts = []
    for i in range(DAYS * DAY_US // STEP):
        a = 12 + 6 * math.sin(i / 23) + math.sin(i * i % 97)
        b = 9 + 5 * math.cos(i / 31) + math.sin(i * i % 89)
        drafts += [
            Draft(n, start + i * STEP, number_of(f"{v:.2f}"))
            for n, v in zip(ids, (a, b, (a + b) / 2), strict=True)
        ]
    town.store.observations.append(drafts)
    return ids


def post(client: TestClient, path: str, **sent: str) -> Any:
    """Send a form with the token of its page."""
    token = re.search(r'name="csrf" value="([0-9a-f]{64})"', client.get(path).text)
    assert token, words(client.get(path).text)
    return client.post(path, data={"csrf": token[1], **sent})


def test_readings_are_counted_by_page_and_day_and_never_by_person(town: Town, browser: Browser) -> None:
    client = browser("agent")
    for _ in range(3):
        client.get("/services/reports")
    browser().get("/services/reports")
    browser().get("/services/nothing")  # 404: no reading
    settle(town)
    found = {s.place: s for s in screens(town, client.app.routes)[0]}  # type: ignore[attr-defined]
    one = found["/services/{name}"]
    assert (one.service, one.readings) == ("reports", 4)
    assert one.weight > 1000
    assert one.elements > 50
    assert one.last_day == town.clock() // DAY_US
    assert found["/administration/journal"].last_day is None
    assert "/donnees/{name}.csv" not in found
    assert {c.name for c in page_reading.columns} == {
        "place",
        "day",
        "service",
        "readings",
        "bytes",
        "weight",
        "elements",
        "requests",
    }


def test_what_nobody_read_for_ninety_days_is_said_once_it_can_be_known(town: Town, browser: Browser) -> None:
    page = browser("admin")
    assert "jamais par personne" in words(page.get("/preuve/sobriete").text)
    today = town.clock() // DAY_US
    like = {"readings": 2, "bytes": 20_000, "weight": 10_000, "elements": 100, "requests": 2}
    rows = [
        {"place": "/ancienne", "day": today - SILENT_DAYS - 5, "service": "water", **like},
        {"place": "/lue", "day": today - 3, "service": "equipment", **like},
    ]
    with town.store.write() as c:
        c.execute(page_reading.insert(), rows)
    said = words(page.get("/preuve/sobriete").text)
    unread = said.partition("Sans lecteur depuis 90 jours")[2].partition("Garder moins")[0]
    assert "Eau et rivières" in unread.partition("page")[0]
    assert "/ancienne" in unread
    assert "/lue" not in unread
    with town.store.write() as c:
        c.execute(page_reading.delete().where(page_reading.c.place.in_(["/ancienne", "/lue"])))


def test_the_address_of_a_screen_has_places_for_numbers() -> None:
    scope = {
        "type": "http",
        "path": "/series/12/conservation",
        "headers": [],
        "query_string": b"",
        "path_params": {"id": 12},
        "server": ("h", 80),
        "scheme": "http",
    }
    assert place_of(Request(scope)) == "/series/{id}/conservation"
    followed = scope | {
        "path": "/suivi/2026-00012/clef-secrete",
        "path_params": {"number": "2026-00012", "key": "clef-secrete"},
    }
    assert place_of(Request(followed)) == "/suivi/{number}/{key}"
    assert (
        place_of(Request(followed | {"path_params": {"number": "2026-00012", "key": "autrement"}}))
        == "/suivi/…"
    )


def test_a_proposal_is_applied_by_the_retention_that_is_there_and_undone(
    town: Town, browser: Browser, thermometers: list[int]
) -> None:
    client = browser("agent")
    town.store.set_setting(KINDS, {"battery": {"raw": "P5D"}})
    assert "Température" in words(client.get("/preuve/sobriete").text).partition("Garder moins")[2]
    assert post(client, "/preuve/sobriete", appliquer="temperature").status_code == 303
    begins = to_datetime(town.clock() + 7 * DAY_US).date().isoformat()
    assert town.store.setting(KINDS) == {
        "battery": {"raw": "P5D"},
        "temperature": {"raw": "P365D", "hours": "P3650D", "from": begins},
    }
    page = client.get("/preuve/sobriete").text
    assert "appliquée, à partir du" in words(page)
    assert 'name="annuler" value="temperature"' in page
    assert post(client, "/preuve/sobriete", annuler="temperature").status_code == 303
    assert town.store.setting(KINDS) == {"battery": {"raw": "P5D"}}
    assert post(client, "/preuve/sobriete", annuler="temperature").status_code == 404
    assert post(client, "/preuve/sobriete", appliquer="rien").status_code == 404
    journal = words(browser("admin").get("/administration/journal").text)
    assert journal.count("a appliqué une mesure de sobriété") == 1
    assert journal.count("a annulé une mesure de sobriété") == 1
    assert 'name="appliquer"' not in browser("elu").get("/preuve/sobriete").text
    assert post(browser("elu"), "/preuve/sobriete", appliquer="temperature").status_code == 403
    town.store.set_setting(KINDS, {})


def test_the_study_tells_what_less_would_lose(town: Town, browser: Browser, thermometers: list[int]) -> None:
    agent = browser("agent")
    assert post(agent, "/preuve/sobriete", etude="1").status_code == 303
    said = words(agent.get("/preuve/sobriete").text).partition("Mesurer et envoyer moins")[2]
    assert "Température 3 séries" in said
    assert "432" in said  # three series, 144 values a day each
    assert "0 alarme manquée" in said  # a dead band misses nothing that stays above the threshold
    twins = said.partition("Capteurs que les autres remplaceraient")[2]
    assert "Station 90" in twins.partition("D'après")[0]
    assert browser().get("/preuve/sobriete").status_code == 200


def test_hypotheses_are_measured_by_series_and_indicators(town: Town, thermometers: list[int]) -> None:
    def bound(**more: Any) -> Any:
        case = read_case({
            "title": "x", "start": 2026, "years": 2, "hypotheses": {"h": {"value": 10, "low": 5, "high": 20, "bound": {"days": 4, **more}}},
            "lines": [{"title": "l", "kind": "benefit", "amount": "h"}],
        })  # fmt: skip
        return measures_of(town, SYSTEM, case, 30).get("h")

    values = [o.result.value for o in town.store.observations.series(901, town.clock() - 4 * DAY_US)]
    found = bound(datastream="901")
    assert found.value == pytest.approx(sum(values) / len(values), rel=1e-3)
    assert found.count == pytest.approx(4 * 144, abs=2)
    assert bound(datastream="901", statistic="yearly", scale=2).value == pytest.approx(
        2 * sum(values) * 365.25 / 4, rel=1e-2
    )
    assert bound(datastream="901", statistic="last").value == values[-1]
    assert bound(datastream="temperature").count == pytest.approx(3 * 4 * 144, abs=6)
    assert bound(datastream="nothing") is None
    assert (
        bound(indicator="environment_completeness") is None
        or bound(indicator="environment_completeness").value <= 100
    )
    assert bound(indicator="nothing") is None
    assert bound(indicator="open_faults").value == 0


def test_a_slow_figure_is_shown_as_last_known_and_computed_behind(town: Town) -> None:
    asked: list[int] = []

    def compute() -> int:
        asked.append(1)
        return len(asked)

    first = kept_figure(town, "essai", compute, wait_s=30)
    assert first is not None
    assert first.value == 1
    again = kept_figure(town, "essai", compute, wait_s=30)
    assert again == first
    fresh = kept_figure(town, "essai", compute, fresh_us=0, wait_s=30)
    assert fresh is not None
    assert fresh.value == 2
    assert town.store.setting("kept.figures")["essai"]["value"] == 2

    at_once = kept_figure(town, "essai", compute, fresh_us=0, good_us=DAY_US, wait_s=30)
    assert at_once == fresh
    behind = kept_figure(town, "essai", compute, fresh_us=0, wait_s=30)
    assert behind is not None
    assert behind.value == 3

    def fails() -> int:
        raise OSError("no")

    last = kept_figure(town, "essai", fails, fresh_us=0, wait_s=30)
    assert last is not None
    assert last.value == 3
    assert kept_figure(town, "jamais", fails, wait_s=30) is None


def test_the_proof_of_a_service_has_its_sections_and_an_unknown_one_is_not_found(browser: Browser) -> None:
    client = browser()
    said = words(client.get("/preuve/reports").text)
    for question in (
        "Que coûte-t-il, qui paie, qui gagne ?",
        "Que fait-il ?",
        "Que consomme-t-il ?",
        "Quelles données garde-t-il ?",
    ):
        assert said.count(question) == 2
    kept = said.rpartition("Quelles données garde-t-il ?")[2]
    assert kept.strip().startswith("15 données sur des personnes, chacune avec sa durée et ses lecteurs.")
    assert "Normes écrites" in kept
    assert "agents du service concerné, responsables" in kept
    assert client.get("/preuve/rien").status_code == 404
