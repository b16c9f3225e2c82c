"""A town with two communes served in process, and browsers signed in as its people."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.conftest import empty_town

from beffroi.app import create_app
from beffroi.identity import people, sessions, territories
from beffroi.model.principal import SYSTEM
from beffroi.town import Town, open_town
from beffroi.web.kit.who import SESSION_COOKIE


class Browser(TestClient):
    """A browser: follows no redirect by itself, sends forms with their token."""

    def submit(self, page: str, address: str, data: dict, files: dict | None = None):
        """Post a form that stands on `page`."""
        token = re.search(r'name="csrf" value="([0-9a-f]{64})"', self.get(page).text)
        assert token is not None, f"no form on {page}"
        return self.post(address, data={"csrf": token[1], **data}, files=files)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    empty_town(tmp_path, bare=True)
    (tmp_path / "beffroi.toml").write_text('name = "Essai-les-Bains"\n', "utf-8")
    opened = open_town(tmp_path)
    territories.add(opened.store, SYSTEM, "35236", "Redon")
    territories.add(opened.store, SYSTEM, "44007", "Avessac")
    yield opened
    opened.close()


@pytest.fixture
def browser(town: Town) -> Iterator[Callable[..., Browser]]:
    """Return a function that gives a browser, signed in with a role within territories (no role: a citizen)."""
    app = create_app(town)
    opened: list[Browser] = []

    def open_browser(role: str | None = None, *codes: str) -> Browser:
        one = Browser(app, follow_redirects=False)
        opened.append(one)
        if role is not None:
            email = f"{role}{len(opened)}@essai.fr"
            person = people.add(
                town.store, SYSTEM, email=email, name=f"Personne {len(opened)}", role=role, territories=codes
            )
            with town.store.write() as c:
                secret = sessions.start(town.store, c, person.id, "test")
            one.cookies.set(SESSION_COOKIE, secret)
        return one

    yield open_browser
    for one in opened:
        one.close()
