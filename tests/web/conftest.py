"""A whole town behind its doors, asked as browsers and programs ask."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.towns import town_at

from beffroi.app import create_app
from beffroi.identity import people, sign_in
from beffroi.model.principal import SYSTEM
from beffroi.town import Town, open_town
from beffroi.web.kit.who import SESSION_COOKIE

Browser = Callable[..., TestClient]


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """An empty town, as `beffroi init` makes it."""
    opened = open_town(town_at(tmp_path / "town"))
    yield opened
    opened.close()


@pytest.fixture
def browser(town: Town) -> Iterator[Browser]:
    """Give a browser: of nobody, or signed in as someone with a role (made when there is none)."""
    app = create_app(town)
    opened: list[TestClient] = []

    def make(role: str = "", **more: object) -> TestClient:
        client = TestClient(
            app, base_url="http://127.0.0.1:8080", follow_redirects=False, headers={"Accept": "text/html"}
        )
        client.__enter__()
        opened.append(client)
        if role:
            email = "maire@essai.fr" if role == "admin" and not more else f"{role}{len(opened)}@essai.fr"
            person = people.find(town.store, email) or people.add(
                town.store, SYSTEM, email=email, name=f"Un {role}", role=role,
                service="equipment" if role == "supplier" else None, **more,
            )  # fmt: skip
            secret = sign_in.by_link(
                town.store, sign_in.make_link(town.store, SYSTEM, person.id), agent="Firefox"
            )[1]
            client.cookies.set(SESSION_COOKIE, secret)
        return client

    yield make
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def csrf() -> Callable[[TestClient, str], str]:
    """Give the token that a page's form carries."""

    def read(client: TestClient, page: str) -> str:
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', client.get(page).text)
        assert found, f"{page} has no form"
        return found.group(1)

    return read
