"""A supplier of one service goes through every door of the house, by session and by key: of the other services they read
nothing that is not public, and they write nothing there nor in the administration."""

import contextlib
import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text
from starlette.routing import BaseRoute, Mount, Route
from starlette.testclient import TestClient
from tests.towns import town_at

from beffroi.app import create_app, routes_of
from beffroi.identity import keys, people, sign_in, territories
from beffroi.model.collection import Collection, Field
from beffroi.model.principal import ANONYMOUS, SYSTEM
from beffroi.model.problem import Problem
from beffroi.store.record_tables import table_of
from beffroi.town import Town, open_town
from beffroi.web.kit.who import SESSION_COOKIE

OWN = "equipment"
SECRET = re.compile(r"SECRET-[\w.-]+")
PLACE = {"type": "Point", "coordinates": [2.37, 47.06]}


def filling(field: Field, collection: Collection, made: dict[str, int]) -> Any:
    """Return a value that a field takes; its texts say whether everybody may read them."""
    public = collection.readable(ANONYMOUS) and field in collection.visible_fields(ANONYMOUS)
    if field.choices:
        return field.choices[0].value
    if (known := FORMS.get(f"{collection.name}.{field.name}")) is not None:
        return known
    if field.pattern and not field.required:
        return None
    if field.kind == "reference":
        return made.get(field.reference or "")
    word = f"{'PUBLIC' if public and not collection.shown_when else 'SECRET'}-{collection.name}.{field.name}"
    plain: dict[str, Any] = {
        "text": word, "integer": int(field.minimum or 1), "number": field.minimum or 1, "boolean": False,
        "date": "2026-11-01", "instant": 1_790_000_000_000_000, "json": None,
    }  # fmt: skip
    return plain[field.kind]


def fill(town: Town) -> dict[str, int]:
    """Put a record into every collection that takes one; return their ids."""
    made: dict[str, int] = {}
    for _ in range(3):  # those that refer to others come after them
        for name, collection in town.registry.collections.items():
            if name in made:
                continue
            shape = {"point": PLACE, "any": PLACE}.get(collection.geometry)
            values = {f.name: v for f in collection.fields if (v := filling(f, collection, made)) is not None}
            optional = {f.name for f in collection.fields if not f.required}
            for kept in (
                values,
                {k: v for k, v in values.items() if k not in optional or isinstance(v, str)},
            ):
                try:
                    made[name] = town.store.records.put(name, kept, geometry=shape, who=SYSTEM).id
                    break
                except (Problem, ValueError, TypeError, KeyError):
                    continue
    return made


FORMS = {"river_station.code": "J706062001", "experiment.code": "essai-1"}  # what has a form of its own
Visitor = Callable[..., TestClient]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """One town for the module: what is asked here must change nothing of what is looked at."""
    folder = tmp_path_factory.mktemp("supplier") / "town"
    town_at(folder, "Essai-les-Bains", email="maire@essai.fr")
    opened = open_town(folder)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def visitor(town: Town) -> Iterator[Visitor]:
    """Give a browser of nobody."""
    app = create_app(town)
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(
            TestClient(
                app, base_url="http://127.0.0.1:8080", follow_redirects=False, headers={"Accept": "text/html"}
            )
        )


@pytest.fixture(scope="module")
def full(town: Town, visitor: Visitor) -> dict[str, int]:
    """Let every service have something to hide."""
    made = fill(town)
    territories.add(town.store, SYSTEM, "35236", "Redon")
    people.add(town.store, SYSTEM, email="secret-person@essai.fr", name="SECRET-person", role="agent")
    keys.create(town.store, SYSTEM, role="device", name="SECRET-key")
    _, admin = keys.create(town.store, SYSTEM, role="admin")
    client = visitor()
    for service, public in itertools.product(("water", "environment", "reports", ""), (0, 1)):
        word = f"{'PUBLIC' if public else 'SECRET'}-thing-{service or 'none'}"
        sent = client.post("/sensorthings/v1.1/Things", json={
            "name": word, "description": word, "properties": {"note": word},
            "Locations": [{"name": word, "description": word, "encodingType": "application/geo+json", "location": PLACE}],
            "Datastreams": [{
                "name": f"{word}-series", "description": word, "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
                "unitOfMeasurement": {"name": "m", "symbol": "m", "definition": "ucum:m"},
                "Sensor": {"name": "s", "description": "s", "encodingType": "text/plain", "metadata": "m"},
                "ObservedProperty": {"name": "h", "definition": "http://example.org/h", "description": "h"},
                "Observations": [{"result": 4.2, "phenomenonTime": "2026-11-01T00:00:00Z", "parameters": {"note": word}}],
            }],
        }, headers={"Authorization": f"Bearer {admin}"})  # fmt: skip
        assert sent.status_code == 201, sent.text
        with town.store.write() as c:
            c.execute(
                text("UPDATE thing SET service = :s, public = :p WHERE name = :n"),
                {"s": service, "p": public, "n": word},
            )
            c.execute(
                text("UPDATE datastream SET public = :p WHERE name = :n"),
                {"p": public, "n": f"{word}-series"},
            )
    return made


def addresses(routes: list[BaseRoute], names: list[str], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Give each method and address, its parameters filled in several ways."""
    for route in routes:
        if isinstance(route, Mount):
            yield from addresses(list(route.routes or ()), names, prefix + route.path)
        elif isinstance(route, Route):
            path = prefix + route.path
            if path.startswith(("/live", "/direct", "/evenements")):  # endless
                continue
            parts = re.findall(r"\{(\w+)(?::\w+)?\}", path)
            for name in names if {"collection", "name", "kind"} & set(parts) else names[:1]:
                full = path
                for part in parts:
                    value = name if part in ("collection", "name", "kind", "service") else "1"
                    full = re.sub(r"\{" + part + r"(?::\w+)?\}", value, full, count=1)
                for method in sorted((route.methods or {"GET"}) - {"HEAD", "OPTIONS"}):
                    yield method, full


STA = [
    "Things", "Datastreams", "Observations", "Locations", "FeaturesOfInterest", "HistoricalLocations", "Sensors", "Tasks",
    "ObservedProperties", "TaskingCapabilities", "Actuators", "MultiDatastreams",
    "Things?$expand=Datastreams($expand=Observations),Locations,HistoricalLocations",
    "Locations?$expand=Things", "Sensors?$expand=Datastreams", "ObservedProperties?$expand=Datastreams($expand=Thing)",
    *(f"{kind}({number})" for kind in ("Things", "Datastreams", "Locations", "Observations") for number in range(1, 9)),
    *(f"Things({number})/Datastreams" for number in range(1, 9)), *(f"Datastreams({number})/Observations" for number in range(1, 9)),
]  # fmt: skip


def foreign(town: Town) -> dict[str, list[Any]]:
    """Return everything that is not the supplier's: records of other services, their sensors, the administration."""
    shown = {}
    with town.store.read() as c:
        for name, collection in town.registry.collections.items():
            if collection.service != OWN:
                shown[name] = c.execute(table_of(collection).select()).all()
        for name in ("account", "token", "territory", "setting", "sign_in_link", "extension", "recovery_code", "task",
                     "second_factor", "federated", "declared"):  # fmt: skip
            shown[name] = c.execute(text(f"SELECT * FROM {name}")).all()
        shown["account"] = [tuple(row)[:5] for row in shown["account"]]
        shown["token"] = [tuple(row)[:5] for row in shown["token"]]
        others = "SELECT id FROM thing WHERE service <> 'equipment'"
        shown["thing"] = c.execute(
            text("SELECT id, name, public, approved, service FROM thing WHERE service <> 'equipment'")
        ).all()
        series = f"SELECT id FROM datastream WHERE thing_id IN ({others})"
        shown["datastream"] = c.execute(
            text(f"SELECT id, name, public FROM datastream WHERE thing_id IN ({others})")
        ).all()
        shown["observation"] = c.execute(
            text(f"SELECT id, value, deleted FROM obs.observation WHERE datastream_id IN ({series})")
        ).all()
    return shown


@pytest.fixture(scope="module", params=["session", "key"])
def supplier(
    request: pytest.FixtureRequest, town: Town, full: dict[str, int], visitor: Visitor
) -> TestClient:
    """The supplier of the lamps, as a browser or as a program."""
    client = visitor()
    if request.param == "key":
        _, secret = keys.create(town.store, SYSTEM, role="supplier", service=OWN)
        client.headers.update({"Authorization": f"Bearer {secret}"})
        return client
    person = people.add(
        town.store, SYSTEM, email="lux@prestataire.fr", name="Lux", role="supplier", service=OWN
    )
    link = sign_in.make_link(town.store, SYSTEM, person.id)
    client.cookies.set(SESSION_COOKIE, sign_in.by_link(town.store, link, agent="Firefox")[1])
    token = re.search(r'name="csrf" value="(\w+)"', client.get("/compte").text).group(1)  # type: ignore[union-attr]
    client.headers.update({"X-CSRF-Token": token, "Origin": "http://127.0.0.1:8080"})
    return client


def names_of(town: Town, *, all_of_them: bool) -> list[str]:
    """Return the collections that fill addresses: all that are not the supplier's, or one public and one not."""
    foreign_ones = [
        (n, c.readable(ANONYMOUS)) for n, c in town.registry.collections.items() if c.service not in (OWN, "")
    ]
    chosen = [next(n for n, public in foreign_ones if public is wanted) for wanted in (True, False)]
    return [*(n for n, _ in foreign_ones), "rule", "alarm", "water", "lamp"] if all_of_them else chosen


def for_programs(path: str) -> bool:
    return path.startswith(("/api", "/ogc", "/sensorthings", "/open311", "/hooks"))


def read_everything(town: Town, supplier: TestClient, *, thorough: bool) -> None:
    asked, seen = 0, {}
    gets = [p for m, p in addresses(routes_of(town), names_of(town, all_of_them=thorough)) if m == "GET"]
    for path in [*gets, *(f"/sensorthings/v1.1/{p}" for p in (STA if thorough else STA[:22]))]:
        for accept in ("text/html", "application/json") if thorough else ("text/html",):
            answer = supplier.get(path, headers={"Accept": accept})
            asked += 1
            assert answer.status_code < 500, (path, answer.text[:300])
            if found := set(SECRET.findall(answer.text)) | (
                {"secret-person"} if "secret-person" in answer.text else set()
            ):
                seen[path] = sorted(found)
    assert seen == {}
    assert asked > (600 if thorough else 150)
    assert "PUBLIC-thing-water" in supplier.get("/sensorthings/v1.1/Things").text  # they are not blind either


FORM = {"row": "1", "action": "delete", "name": "x", "code": "x", "role": "admin", "email": "x@x.fr", "state": "closed",
        "territories": "", "deed": "remove", "do": "delete", "kind": "commune"}  # fmt: skip
ENTITY = {"name": "x", "description": "x", "result": 1, "encodingType": "text/plain", "metadata": "x", "definition": "x:x",
          "Datastream": {"@iot.id": 1}}  # fmt: skip
FEATURE = {"type": "Feature", "geometry": PLACE, "properties": {"name": "x", "code": "x"}}


def write_everywhere(town: Town, supplier: TestClient, *, thorough: bool) -> None:
    before, tried = foreign(town), 0
    sta = [("POST", f"/sensorthings/v1.1/{path}") for path in STA]
    sta += [(m, f"/sensorthings/v1.1/{p}") for m in ("PATCH", "DELETE") for p in STA if p.endswith(")")]
    every = [
        (m, p) for m, p in addresses(routes_of(town), names_of(town, all_of_them=thorough)) if m != "GET"
    ]
    for method, path in [*(sta if thorough else sta[::3]), *every]:
        if path.startswith(("/compte", "/connexion", "/deconnexion", "/signaler")):
            continue  # one's own account, and what everybody may send
        bodies = ({"data": FORM}, {"json": ENTITY}, {"json": FEATURE})
        for body in (
            bodies
            if thorough
            else bodies[2 if path.startswith("/ogc") else 1 :][:1]
            if for_programs(path)
            else bodies[:1]
        ):
            answer = supplier.request(method, path, **body)  # type: ignore[arg-type]
            tried += 1
            assert answer.status_code < 500, (method, path, answer.text[:300])
    after = foreign(town)
    assert {name: rows for name, rows in after.items() if rows != before[name]} == {}
    assert tried > (400 if thorough else 120)


def test_a_supplier_of_one_service_touches_no_other(
    town: Town, full: dict[str, int], supplier: TestClient
) -> None:
    """Each door once."""
    assert len({n for n in full if town.registry.collections[n].service != OWN}) >= 12, sorted(full)
    read_everything(town, supplier, thorough=False)
    write_everywhere(town, supplier, thorough=False)


@pytest.mark.nightly
def test_whatever_they_ask(town: Town, full: dict[str, int], supplier: TestClient) -> None:
    """Each door for every collection, with every body."""
    read_everything(town, supplier, thorough=True)
    write_everywhere(town, supplier, thorough=True)
