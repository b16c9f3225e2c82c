"""A town with categories, streets and areas, and people to report in it."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.towns import copied, town_at

from beffroi.app import create_app
from beffroi.identity import people, sign_in, territories
from beffroi.model.instant import SECOND_US
from beffroi.model.principal import SYSTEM
from beffroi.town import Town, open_town
from beffroi.web.kit.who import SESSION_COOKIE

START_US = 1_764_000_000 * SECOND_US
HERE = (2.4170, 47.0980)


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = START_US

    def __call__(self) -> int:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += int(seconds * SECOND_US)


def fill(town: Town) -> dict[str, int]:
    """Write departments, categories, streets and an area; return the ids of the categories by code."""
    put = town.store.records.put
    ids: dict[str, int] = {}
    hall = put("report_department", {"code": "mairie", "name": "Mairie", "mail": "mairie@essai.fr", "phone": "02 48 00 00 00",
                                     "address": "1 place de la Mairie, 18000 Essai"}, who=SYSTEM)  # fmt: skip
    light = put(
        "report_department",
        {"code": "eclairage", "name": "Éclairage public", "phone": "02 48 00 00 01"},
        who=SYSTEM,
    )
    kinds = [{"key": "off", "fr": "Éteint", "en": "Off"}, {"key": "fire", "fr": "Fils à nu", "en": "Bare wires",
             "not_ours": {"fr": "Appelez Enedis : 09 72 67 50 18", "en": "Call Enedis: 09 72 67 50 18"}}]  # fmt: skip
    for values in (
        {"code": "lampadaire", "name": "Lampadaire", "name_en": "Street light", "synonyms": "lampe, éclairage, ampoule, nuit noire",
         "department": light.id, "asset": "lamp",
         "questions": [{"code": "panne", "fr": "Quelle panne ?", "en": "What fault?", "kind": "singlevaluelist", "values": kinds}]},
        {"code": "depot", "name": "Dépôt sauvage", "name_en": "Fly-tipping", "synonyms": "ordures, encombrants, matelas", "department": hall.id},
        {"code": "trou", "name": "Trou dans la chaussée", "name_en": "Pothole", "synonyms": "nid de poule, bosse, route abîmée"},
        {"code": "bruit", "name": "Bruit de voisinage", "name_en": "Noise", "private_home": True, "confidential": True},
        {"code": "rats", "name": "Rats", "name_en": "Rats", "private_home": True},
        {"code": "tag", "name": "Tag", "name_en": "Graffiti", "moderation": "before"},
        {"code": "eau", "name": "Fuite d'eau", "name_en": "Water leak", "not_ours": True, "contact": "Appelez Veolia Eau.",
         "contact_en": "Call Veolia Eau.", "contact_phone": "09 69 32 35 29"},
    ):  # fmt: skip
        ids[values["code"]] = put("report_category", values, who=SYSTEM).id
    for n in range(3):
        point = {"type": "Point", "coordinates": [HERE[0] + n * 1e-4, HERE[1]]}
        put(
            "lamp",
            {"code": f"L{n}", "street": "Rue des Tilleuls"},
            geometry=point,
            territory="18033",
            who=SYSTEM,
        )
    x, y = HERE
    square = [
        [x - 0.01, y - 0.01],
        [x + 0.01, y - 0.01],
        [x + 0.01, y + 0.01],
        [x - 0.01, y + 0.01],
        [x - 0.01, y - 0.01],
    ]
    put("report_area", {"code": "centre", "name": "Centre", "population": 900}, geometry={"type": "Polygon", "coordinates": [square]},
        territory="18033", who=SYSTEM)  # fmt: skip
    return ids


@pytest.fixture
def clock() -> Clock:
    return Clock()


def found(folder: Path) -> None:
    """Make the town: empty, of one commune."""
    town_at(folder)
    opened = open_town(folder, clock=Clock())
    territories.add(opened.store, SYSTEM, "18033", "Essai-les-Bains")
    opened.close()


@pytest.fixture
def town(tmp_path: Path, clock: Clock) -> Iterator[Town]:
    opened = copied(found, tmp_path / "town", clock)
    yield opened
    opened.close()


@pytest.fixture
def categories(town: Town) -> dict[str, int]:
    return fill(town)


class Citizen:
    """Someone with a browser without script."""

    def __init__(self, client: TestClient, clock: Clock) -> None:
        self.client = client
        self.clock = clock

    def get(self, path: str, **options: object) -> str:
        answer = self.client.get(path, **options)
        assert answer.status_code == 200, (answer.status_code, answer.text[-2000:])
        return answer.text

    def hidden(self, page: str) -> dict[str, str]:
        return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page))

    def fill_in(self, page: str = "/signaler", seconds: float = 20, **values: object):
        """Open a form, take some time, and send it filled in."""
        shown = self.hidden(self.get(page))
        files = values.pop("files", None)
        action = str(values.pop("action", page.split("?", maxsplit=1)[0]))
        self.clock.wait(seconds)
        return self.client.post(action, data={**shown, **values}, files=files or {"photo": ("", b"")})


@pytest.fixture
def visit(town: Town, clock: Clock) -> Iterator[Callable[..., Citizen]]:
    """Give a citizen's browser; `role` signs someone in, `address` says from which network they come."""
    app = create_app(town)
    opened: list[TestClient] = []

    def make(role: str = "", address: str = "192.0.2.1", language: str = "fr") -> Citizen:
        client = TestClient(
            app, base_url="http://127.0.0.1:8080", follow_redirects=False, client=(address, 50000),
            headers={"Accept": "text/html", "Accept-Language": language},
        )  # fmt: skip
        client.__enter__()
        opened.append(client)
        if role:
            person = people.add(
                town.store, SYSTEM, email=f"{role}{len(opened)}@essai.fr", name=f"Un {role}", role=role
            )
            link = sign_in.make_link(town.store, SYSTEM, person.id)
            client.cookies.set(SESSION_COOKIE, sign_in.by_link(town.store, link, agent="Firefox")[1])
        return Citizen(client, clock)

    yield make
    for client in opened:
        client.__exit__(None, None, None)
