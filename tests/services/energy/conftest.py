"""A town that takes meters in, and an agent who reads its pages: real stores."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from starlette.testclient import TestClient
from tests.towns import town_at

from beffroi.app import create_app
from beffroi.identity import people, sign_in
from beffroi.model.instant import PARIS, parse_instant
from beffroi.model.principal import SYSTEM
from beffroi.services.energy.flows.row import Row as Value
from beffroi.town import Town, open_town
from beffroi.web.kit.who import SESSION_COOKIE

NOW_US = parse_instant("2026-11-20T08:00:00Z")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("energy") / "town"
    town_at(folder, "Essai-les-Bains", email="maire@essai.fr")
    opened = open_town(folder, clock=lambda: NOW_US)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def agent(town: Town) -> Iterator[TestClient]:
    with TestClient(create_app(town), base_url="http://127.0.0.1:8080", follow_redirects=False) as client:
        client.headers.update({"Accept": "text/html", "Accept-Language": "fr"})
        person = people.add(
            town.store, SYSTEM, email="r@essai.fr", name="Une responsable", role="responsable"
        )
        link = sign_in.make_link(town.store, SYSTEM, person.id)
        client.cookies.set(SESSION_COOKIE, sign_in.by_link(town.store, link, agent="Firefox")[1])
        yield client


def curve_of(prm: str, first: str, days: int, watts, step: int = 30, nature: str = "réel") -> list[Value]:
    at = datetime.fromisoformat(first).replace(tzinfo=PARIS)
    begin, end = at.timestamp(), (at + timedelta(days=days)).timestamp()
    rows = []
    while begin < end:
        start, stop = (datetime.fromtimestamp(t, PARIS) for t in (begin, begin + step * 60))
        rows.append(
            Value(
                prm,
                "curve",
                None,
                start.isoformat(),
                stop.isoformat(),
                watts(start),
                "W",
                None,
                nature,
                "BRUT",
            )
        )
        begin += step * 60
    return rows
