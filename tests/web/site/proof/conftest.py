"""One town for the tests of proof; each begins without a business case."""

from collections.abc import Callable, Iterator

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from tests.towns import town_at

from beffroi.app import create_app
from beffroi.identity import people, sign_in
from beffroi.model.principal import SYSTEM
from beffroi.store.record import Query
from beffroi.town import Town, open_town
from beffroi.web.kit.who import SESSION_COOKIE


@pytest.fixture(scope="module")
def _one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Town, Starlette]]:
    data = tmp_path_factory.mktemp("proof") / "town"
    town_at(data, "Essai-les-Bains", email="maire@essai.fr")
    opened = open_town(data)
    yield opened, create_app(opened)
    opened.close()


@pytest.fixture
def town(_one: tuple[Town, Starlette]) -> Town:
    """The town, without a case."""
    records = _one[0].store.records
    for row in records.find("business_case", Query()).rows:
        records.delete("business_case", row.id, who=SYSTEM)
    return _one[0]


@pytest.fixture
def browser(_one: tuple[Town, Starlette]) -> Callable[..., TestClient]:
    """Give a browser: of nobody, or signed in as someone with a role."""
    town, app = _one

    def make(role: str = "") -> TestClient:
        client = TestClient(
            app, base_url="http://127.0.0.1:8080", follow_redirects=False, headers={"Accept": "text/html"}
        )
        if role:
            email = "maire@essai.fr" if role == "admin" else f"{role}@essai.fr"
            person = people.find(town.store, email) or people.add(
                town.store, SYSTEM, email=email, name=f"Un {role}", role=role
            )
            link = sign_in.make_link(town.store, SYSTEM, person.id)
            client.cookies.set(SESSION_COOKIE, sign_in.by_link(town.store, link, agent="Firefox")[1])
        return client

    return make
