"""The pages of ratings and forecasts: who sees them, what they say, a file of gaugings taken in."""

import html
import re
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient
from tests.services.water.conftest import COMMUNE, River

from beffroi.app import create_app
from beffroi.identity import people, sign_in
from beffroi.model.instant import HOUR_US
from beffroi.model.principal import SYSTEM
from beffroi.services.water.forecast.duties import attend
from beffroi.services.water.forecast.issuing import Forecasting
from beffroi.store.tables import datastream
from beffroi.web.kit.who import SESSION_COOKIE

Visit = Callable[..., TestClient]
HEAD = "Day\tMonth\tYear\tHour\tMinutes\th\tQ\tQsigma"
PLACE = "/services/water/tarage"


@pytest.fixture
def visit(river: River) -> Iterator[Visit]:
    app = create_app(river.town)
    opened: list[TestClient] = []

    def make(role: str = "", language: str = "fr") -> TestClient:
        headers = {"Accept": "text/html", "Accept-Language": language}
        client = TestClient(app, base_url="http://127.0.0.1:8080", headers=headers)
        opened.append(client)
        if role:
            told = {
                "email": f"{role}@meyras.fr",
                "name": "Inès Delmas",
                "role": role,
                "territories": (COMMUNE,),
            }
            person = people.add(river.town.store, SYSTEM, **told)
            link = sign_in.make_link(river.town.store, SYSTEM, person.id)
            client.cookies.set(SESSION_COOKIE, sign_in.by_link(river.town.store, link, agent="Firefox")[1])
        return client

    yield make
    for client in opened:
        client.close()


def words(page: str) -> str:
    main = page.partition("<main")[2].partition("</main>")[0]
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", main.partition(">")[2]))).strip()


def token(page: str) -> str:
    return re.search(r'name="csrf" value="([^"]+)"', page)[1]  # type: ignore[index]


def lines(n: int = 12) -> list[str]:
    stages = np.geomspace(0.1, 2.0, n)
    return [f"{d}\t3\t2025\t12\t0\t{h:.3f}\t{20 * h**1.8:.4f}\t5" for d, h in enumerate(stages, 1)]


def send(client: TestClient, station: int, *rows: str) -> tuple[int, str]:
    page = client.get(f"{PLACE}/{station}").text
    file = ("gaugings.tsv", "\n".join((HEAD, *rows)) + "\n", "text/plain")
    answer = client.post(f"{PLACE}/{station}", data={"csrf": token(page)}, files={"file": file})
    return answer.status_code, words(answer.text)


def test_a_file_of_gaugings_makes_a_curve_and_is_not_taken_twice(river: River, visit: Visit) -> None:
    agent, station = visit("agent"), river.pont.id
    assert "Pas encore de courbe" in words(agent.get(f"{PLACE}/{station}").text)
    status, said = send(agent, station, *lines())
    assert status == 200
    assert "12 jaugeages nouveaux" in said
    page = agent.get(f"{PLACE}/{station}").text
    assert page.count('class="gauging') == 12
    assert 'class="sure"' in page
    assert 'class="guess"' in page
    assert "0 jaugeage nouveau" in send(agent, station, *lines())[1]
    assert len(river.all("gauging")) == 12
    assert len(river.all("rating_version")) == 1
    index = words(agent.get(PLACE).text)
    assert "12 jaugeages" in index
    assert "Pas encore de courbe : il faut 3 jaugeages, il y en a 0." in index


def test_a_bad_file_is_refused_with_its_line_and_nothing_is_written(river: River, visit: Visit) -> None:
    agent = visit("agent", "en")
    status, said = send(agent, river.pont.id, *lines(), "31\t2\t2025\t0\t0\t1\t5\t5")
    assert status == 400
    assert "does not exist" in said
    assert "line 14" in said
    assert river.all("gauging") == []
    assert send(agent, river.pont.id, "1\t2\t2025\t0\t0\tnan\t5\t5")[0] == 400


def test_curves_are_for_staff_and_the_verification_for_everyone(river: River, visit: Visit) -> None:
    nobody = visit()
    assert nobody.get(PLACE).status_code in (401, 303, 200)
    assert "jaugeage" not in words(nobody.get(f"{PLACE}/{river.pont.id}").text).lower()
    page = nobody.get("/services/water/verification")
    assert page.status_code == 200
    assert "Aucune prévision encore" in words(page.text)


def test_the_verification_says_what_the_records_hold(river: River, visit: Visit) -> None:
    sums = {
        "hours": 100,
        "squares": 20.0,
        "still_squares": 100.0,
        "below": 4,
        "lower": 44,
        "upper": 47,
        "above": 5,
    }
    about = {"code": "1-3-2026-10", "station": river.pont.id, "month": "2026-10", "lead_h": 3}
    river.put("forecast_score", about | sums)
    for n, (outcome, lead, leads) in enumerate((("hit", 3, [1, 3]), ("missed", 0, []), ("false", 3, [3]))):
        river.put("forecast_event", {
            "code": f"e{n}", "station": river.pont.id, "at": river.now - n * 100 * HOUR_US, "outcome": outcome,
            "threshold_m3s": 50.0, "lead_h": lead, "leads": leads, "tried": [1, 3], "peak_m3s": 61.0 if outcome != "false" else None,
        })  # fmt: skip
    said = words(visit(language="en").get("/services/water/verification").text)
    assert "3 h 100 0.80 50% (1/2) 50% (1/2) 91%" in said.replace("\xa0", " ").replace(" %", "%")
    assert "2 flood onsets since the beginning, announced 1.5 h ahead on average." in said.replace(
        "\xa0", " "
    )
    assert [said.count(w) for w in ("▲ False alarm", "◆ False alarm", "● Forecast", "■ Missed")] == [
        0,
        1,
        1,
        1,
    ]


def test_a_station_that_is_not_forecast_gets_no_empty_series(river: River) -> None:
    def count() -> int:
        with river.town.store.read() as c:
            return int(c.execute(select(func.count()).select_from(datastream)).scalar_one())

    before = count()
    attend(river.town, Forecasting(river.town), river.pont)
    assert count() == before
