"""A town at eight in the morning: two departments, a routing table, sixty new reports, and its staff."""

import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.conftest import empty_town

from beffroi.app import create_app
from beffroi.identity import people, sessions, territories
from beffroi.model.instant import DAY_US, HOUR_US, MINUTE_US, parse_instant
from beffroi.model.principal import SYSTEM, Principal
from beffroi.services.reports.arrival.table import settle
from beffroi.services.reports.desk.acting import Handling
from beffroi.town import Town, open_town
from beffroi.web.kit.who import SESSION_COOKIE

NOW = parse_instant("2026-11-25T07:00:00Z")  # a Wednesday, eight in Paris
COMMUNE = "18901"
WORDS = {
    "proprete": ["Sac éventré contre le mur, ça sent mauvais", "Matelas et télé abandonnés", "Verre cassé sur le trottoir"],
    "voirie.nid": ["Gros trou au milieu de la chaussée", "Nid-de-poule dangereux pour les vélos"],
    "eclairage": ["Lampadaire éteint depuis une semaine", "La lumière clignote toute la nuit"],
    "arbre": ["Branche qui menace de tomber sur le passage"],
}  # fmt: skip
STREETS = (
    "rue de la Gare",
    "place du Marché",
    "rue des Écoles",
    "quai de la Sarelle",
    "chemin du Moulin",
    "avenue de Verdun",
)


def square(west: float, south: float, size: float = 0.02) -> dict:
    ring = [
        [west, south],
        [west + size, south],
        [west + size, south + size],
        [west, south + size],
        [west, south],
    ]
    return {"type": "Polygon", "coordinates": [ring]}


def furnish(town: Town) -> dict[str, int]:
    """Write departments, areas, categories, the routing table and reply templates; return ids by code."""
    ids: dict[str, int] = {}
    put = town.store.records.put
    for code, name, external in (("voirie", "Voirie", False), ("proprete", "Propreté", False), ("lumieres", "Lumières du Berry", True)):  # fmt: skip
        values = {
            "code": code,
            "name": name,
            "external": external,
            "mail": f"{code}@essai.example.org",
            "phone": "02 48 00 00 00",
        }
        ids[code] = put("report_department", values, who=SYSTEM).id
    for code, name, west in (("centre", "Centre", 2.36), ("gare", "Gare", 2.38)):
        ids[code] = put(
            "report_area",
            {"code": code, "name": name, "population": 2000},
            geometry=square(west, 47.04),
            who=SYSTEM,
        ).id
    categories = (
        ("proprete", "Dépôt ou saleté", "Rubbish", None, "proprete", 2, None),
        ("voirie", "Rue et trottoir", "Street and pavement", None, "voirie", 10, None),
        ("voirie.nid", "Trou dans la chaussée", "Pothole", "voirie", None, 5, None),
        ("eclairage", "Éclairage", "Street lighting", None, "voirie", 7, "lamp"),
        ("arbre", "Arbre", "Tree", None, None, None, None),
    )
    for position, (code, name, english, parent, department, days, asset) in enumerate(categories):
        values = {"code": code, "name": name, "name_en": english, "parent": ids.get(f"c:{parent}"), "position": position,
                  "department": ids.get(department or ""), "deadline_days": days, "deadline_working": True, "asset": asset}  # fmt: skip
        ids[f"c:{code}"] = put("report_category", values, who=SYSTEM).id
    lines = (
        {"name": "Trous du quartier de la gare : urgent", "categories": "voirie.nid", "area": ids["gare"], "department": ids["voirie"],
         "priority": "high", "deadline_days": 1},
        {"name": "Lampes : à l'entreprise la nuit", "categories": "eclairage", "hours": "18h-8h", "department": ids["lumieres"]},
        {"name": "Toute la voirie", "categories": "voirie", "department": ids["voirie"]},
        {"name": "Trous en hiver", "categories": "voirie.nid", "season": "01/12-28/02", "department": ids["proprete"]},
    )  # fmt: skip
    for position, line in enumerate(lines):
        ids[f"r:{position}"] = put("report_route", {**line, "position": position}, who=SYSTEM).id
    templates = (
        ("Merci", None, "reply", "Bonjour, votre signalement {number} ({category}, {place}) est transmis à : {department}.",
         "Hello, your report {number} ({category}, {place}) was passed on to: {department}."),
        ("Trou rebouché", ids["c:voirie"], "close", "Le trou est rebouché. Merci.", None),
    )  # fmt: skip
    for name, category, action, text, english in templates:
        put("report_reply_template", {"name": name, "category": category, "action": action, "text": text, "text_en": english}, who=SYSTEM)  # fmt: skip
    return ids


def report(
    town: Town, ids: dict[str, int], number: int, *, category: str = "proprete", **more: object
) -> int:
    """Store one report as it would arrive; return its id."""
    place = more.pop("at", (2.365 + 0.0003 * (number % 40), 47.045))
    values = {
        "number": f"S-2026-{number:05d}", "category": ids[f"c:{category}"], "description": "Quelque chose ne va pas",
        "place": STREETS[number % 6], "requested": NOW - HOUR_US, "moderation": "accepted", "shown": True, **more,
    }  # fmt: skip
    arrived = settle(town, values, place, COMMUNE)
    values = {
        "department": arrived.department,
        "priority": arrived.priority,
        "due": arrived.due_us,
        "area": arrived.area,
    } | values
    point = {"type": "Point", "coordinates": list(place)}
    return town.store.records.put("service_request", values, geometry=point, territory=COMMUNE, who=SYSTEM).id


def morning(town: Town, ids: dict[str, int], count: int = 60, seed: int = 3) -> list[int]:
    """Store the reports of an evening and a night, some of them late, private, merged or to be read first."""
    chance, found = random.Random(seed), []
    for n in range(count):
        category = chance.choice(list(WORDS))
        requested = NOW - chance.randrange(20 * MINUTE_US, 15 * HOUR_US)
        if n % 11 == 0:
            requested -= 9 * DAY_US
        waiting = n % 9 == 4
        found.append(
            report(
                town, ids, n + 1, category=category, requested=requested, description=chance.choice(WORDS[category]),
                at=(chance.uniform(2.36, 2.40), chance.uniform(47.04, 47.06)), me_too=chance.choice([0, 0, 0, 1, 4]),
                moderation="waiting" if waiting else "accepted", shown=not waiting, channel=chance.choice(["web", "web", "phone", "qr"]),
                flags=[{"kind": "phone"}] if n % 17 == 4 else None, photos=int(n % 3 == 0),
                mail="anais@exemple.example.org" if n % 2 else None, name="Anaïs Le Gall" if n % 2 else None,
            )
        )  # fmt: skip
    return found


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """A town with one commune, its clock at eight in the morning."""
    empty_town(tmp_path, bare=True)
    (tmp_path / "beffroi.toml").write_text(
        'name = "Essai-les-Bains"\nbase_url = "https://essai.example.org"\n', "utf-8"
    )
    opened = open_town(tmp_path, clock=lambda: NOW)
    territories.add(opened.store, SYSTEM, COMMUNE, "Essai-les-Bains")
    territories.add(opened.store, SYSTEM, "18902", "Voisine")
    yield opened
    opened.close()


@pytest.fixture
def ids(town: Town) -> dict[str, int]:
    """What the town's tables hold, by code."""
    return furnish(town)


def account(town: Town, role: str, name: str, *codes: str) -> Principal:
    """Add a person of the staff."""
    email = f"{role}.{re.sub('[^a-z]', '', name.lower())}@essai.example.org"
    return people.add(town.store, SYSTEM, email=email, name=name, role=role, territories=codes).principal


@pytest.fixture
def agent(town: Town) -> Principal:
    """Nadia, agent of the commune."""
    return account(town, "agent", "Nadia Belkacem", COMMUNE)


@pytest.fixture
def handling(town: Town, agent: Principal) -> Handling:
    """The reports as Nadia handles them."""
    return Handling(town, agent)


class Browser(TestClient):
    """A browser: follows no redirect by itself, sends forms with their token."""

    def submit(self, page: str, address: str, data: dict):
        """Post a form that stands on `page`."""
        token = re.search(r'name="csrf" value="([0-9a-f]{64})"', self.get(page).text)
        assert token is not None, f"no form on {page}"
        return self.post(address, data={"csrf": token[1], **data})


@pytest.fixture
def browser(town: Town) -> Iterator[Callable[..., Browser]]:
    """Give a browser, of nobody or of a principal."""
    app = create_app(town)
    opened: list[Browser] = []

    def make(who: Principal | None = None) -> Browser:
        one = Browser(app, follow_redirects=False, base_url="http://127.0.0.1")
        opened.append(one)
        if who is not None:
            with town.store.write() as c:
                one.cookies.set(SESSION_COOKIE, sessions.start(town.store, c, int(who.id[5:]), "test"))
        return one

    yield make
    for one in opened:
        one.close()
