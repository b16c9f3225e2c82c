"""A value read by hand: stored once, flagged, told for what it is, heard by rules; refused where it cannot be."""

import re
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import text
from starlette.testclient import TestClient

from beffroi.town import Town

Browser = Callable[..., TestClient]
Csrf = Callable[[TestClient, str], str]
PARIS = ZoneInfo("Europe/Paris")


def test_a_value_is_entered_once_and_told_for_what_it_is(
    town: Town, browser: Browser, csrf: Csrf, post: Callable[..., tuple[int, int]]
) -> None:
    _thing, series = post("Puits", "m")
    agent, place = browser("agent"), f"/series/{series}/relever"
    assert place in agent.get(f"/series/{series}").text
    page = agent.get(place).text
    key = re.search(r'name="key" value="(\w+)"', page)
    assert key is not None
    local = datetime.fromtimestamp(town.clock() / 1e6, PARIS).strftime("%Y-%m-%dT%H:%M")
    assert local[:10] in page
    sent = {
        "csrf": csrf(agent, place),
        "key": key[1],
        "value": "3,20",
        "at": "2026-03-01T08:30",
        "note": "au cordeau",
    }
    for _again in range(2):
        answer = agent.post(place, data=sent)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/series/{series}")
    (held,) = town.store.observations.series(series)
    assert (held.result.json(), held.start_us) == (
        "3.20",
        1_772_350_200_000_000,
    )  # 07:30 UTC, its digits kept
    told = agent.get(f"/mesures/{held.id}").text
    assert "Relevé à la main" in told
    assert "au cordeau" in told
    seen = browser().get(f"/mesures/{held.id}").text
    assert "Relevé à la main" in seen
    assert "au cordeau" not in seen  # of people: for the town's own
    with town.store.read() as c:
        assert len(list(town.store.audit.entries(c, action="observation.hand"))) == 1
    for field, wrong, words in (
        ("value", "beaucoup", "pas un nombre"), ("value", "", "pas de valeur"), ("at", "hier", "La date n&#39;est pas comprise"),
        ("at", "2090-01-01T00:00", "à venir"),
    ):  # fmt: skip
        answer = agent.post(place, data={**sent, "key": "x", field: wrong})
        assert answer.status_code == 400
        assert words in answer.text
        assert "au cordeau" in answer.text  # what was written is kept
    assert len(town.store.observations.series(series)) == 1


def test_only_staff_of_the_place_enter_values(
    town: Town, browser: Browser, csrf: Csrf, post: Callable[..., tuple[int, int]]
) -> None:
    thing, series = post("Puits", "m")
    with town.store.write() as c:
        c.execute(
            text(
                "INSERT INTO territory (code, name, kind, settings) VALUES ('35236', 'Redon', 'commune', '{}'), ('35168', 'Maure', 'commune', '{}')"
            )
        )
        c.execute(text("UPDATE thing SET territory = '35168' WHERE id = :i"), {"i": thing})
    place = f"/series/{series}/relever"
    assert browser("agent", territories=["35168"]).get(place).status_code == 200
    for who, status in ((browser("elu"), 403), (browser("agent", territories=["35236"]), 404)):
        assert who.get(place).status_code == status
    assert place not in browser().get(f"/series/{series}").text
    assert browser().get(place).status_code in (303, 401)
