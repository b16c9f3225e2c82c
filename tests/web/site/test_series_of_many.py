"""The pages of a MultiDatastream: a small chart and figures a component, files with a column each, cards in words."""

import json
from collections.abc import Callable, Iterator

import pytest
from starlette.testclient import TestClient
from tests.sensorthings_town import LOCATION, MULTI, THING, ids, made

from beffroi.town import Town

Browser = Callable[..., TestClient]
TIMES = [f"2024-06-01T{h:02}:00:00Z" for h in range(6)]


@pytest.fixture
def wind(town: Town, browser: Browser) -> Iterator[tuple[TestClient, int, int]]:
    """Give a browser, a thing and its MultiDatastream of force and direction, six values long."""
    client = browser("admin")
    root = "/sensorthings/v1.1/"

    class Api:
        def post(self, address: str, **body: object) -> object:
            return client.post(root + address, headers={"Origin": "http://127.0.0.1:8080"}, **body)

        def get(self, address: str) -> object:
            return client.get(root + address)

    api = Api()
    thing = made(api.post("Things", json={**THING, "Locations": [LOCATION], "MultiDatastreams": [MULTI]}))
    (one,) = ids(api, f"Things({thing})/MultiDatastreams")  # type: ignore[arg-type]
    for n, time in enumerate(TIMES):
        content = f'{{"phenomenonTime":"{time}","result":[{n}.50,{"null" if n == 2 else 270 + n}]}}'
        made(api.post(f"MultiDatastreams({one})/Observations", content=content))
    yield client, thing, one


def test_its_page_shows_a_chart_for_each_component(wind: tuple[TestClient, int, int]) -> None:
    client, _, one = wind
    page = client.get(f"/series/{one}").text
    assert page.count("<beffroi-chart") == 2
    assert "5,50\u00a0m/s · 275\u00a0°" in page
    for words in (">Force ", ">Direction ", f"/sensorthings/v1.1/MultiDatastreams({one})/Observations"):
        assert words in page
    assert "275\u00a0°" in page
    english = client.get(f"/series/{one}", headers={"Accept-Language": "en"}).text
    assert "5.50\u00a0m/s · 275\u00a0°" in english


def test_each_component_has_its_points(wind: tuple[TestClient, int, int]) -> None:
    client, _, one = wind
    force, direction = (
        client.get(f"/series/{one}.json?du=2024-06-01&au=2024-06-01&composante={n}").json() for n in (0, 1)
    )
    assert (force["name"], force["unit"], [v for v in force["values"] if v is not None]) == (
        "Force", "m/s", [0.5, 1.5, 2.5, 3.5, 4.5, 5.5],
    )  # fmt: skip
    assert (direction["name"], direction["unit"], direction["values"]) == (
        "Direction",
        "°",
        [270, 271, None, 273, 274, 275],
    )
    for wrong in ("2", "x", "-1"):
        assert (
            client.get(
                f"/series/{one}.json?composante={wrong}", headers={"Accept": "application/json"}
            ).status_code
            == 404
        )


def test_its_file_has_a_column_for_each_component(wind: tuple[TestClient, int, int]) -> None:
    client, _, one = wind
    lines = client.get(f"/series/{one}.csv").content.decode("utf-8-sig").splitlines()
    assert lines[0] == "debut;fin;Force (m/s);Direction (°);qualite"
    assert lines[1].startswith("2024-06-01T00:00:00Z;;0,50;270;")
    assert lines[3].startswith("2024-06-01T02:00:00Z;;2,50;;")
    assert len(lines) == 7


def test_lists_and_cards_say_all_its_values(wind: tuple[TestClient, int, int], town: Town) -> None:
    client, thing, one = wind
    assert "Force, Direction : 5,50\u00a0m/s · 275\u00a0°" in client.get("/capteurs").text
    assert "5,50\u00a0m/s · 275\u00a0°" in client.get(f"/capteurs/{thing}").text
    from beffroi.web.site.live import event_of

    event = event_of(town.store.observations.last([one])[one])
    body = json.loads(event.split("data: ")[1])
    assert (body["value"], body["values"]) == (None, [5.5, 275])
