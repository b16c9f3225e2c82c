"""Every route of the application × every role: nobody writes without the right, nothing breaks."""

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from starlette.routing import BaseRoute, Mount, Route

from beffroi.app import routes_of
from beffroi.identity import keys
from beffroi.model.principal import SYSTEM
from beffroi.town import Town

FILLED = {"collection": "lamp", "secret": "nonsense", "name": "lamp", "path": "x"}
PUBLIC_FORMS = {"/connexion", "/deconnexion"}


def visits(routes: list[BaseRoute], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Give each method and address, its parameters filled."""
    for route in routes:
        if isinstance(route, Mount):
            yield from visits(list(route.routes or ()), prefix + route.path)
        elif isinstance(route, Route):
            path = re.sub(r"\{(\w+)(?::\w+)?\}", lambda m: FILLED.get(m[1], "1"), prefix + route.path)
            for method in sorted((route.methods or {"GET"}) - {"HEAD", "OPTIONS"}):
                if not path.startswith(
                    ("/live", "/direct", "/evenements")
                ):  # endless streams have their own tests
                    yield method, path


def written(town: Town) -> list[int]:
    """Count what every write leaves behind."""
    names = ("history", "audit", "thing", "datastream", "territory", "saved_view", "obs.observation", "job")
    with town.store.read() as connection:
        return [connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in names]


def test_nobody_writes_without_a_right(browser, town: Town) -> None:
    """Signed out, with a valid form token, from our own pages: still nothing is written."""
    client = browser()
    page = client.get("/connexion").text
    token = re.search(r'name="csrf" value="(\w+)"', page).group(1)
    headers = {"X-CSRF-Token": token, "Origin": "http://127.0.0.1:8080"}
    bodies = (
        {"data": {"row": "1", "action": "delete", "name": "x", "code": "x"}},
        {"json": {}},
        {"json": {"name": "x", "description": "x"}},
    )
    tried, before = 0, written(town)
    for method, path in visits(routes_of(town)):
        if method == "GET" or path in PUBLIC_FORMS:
            continue
        for body in bodies:
            answer = client.request(method, path, headers=headers, **body)
            back = answer.status_code == 303 and answer.headers["location"].rstrip("?") == path
            assert back or answer.status_code in (400, 401, 403, 404, 405, 415), (
                method,
                path,
                answer.status_code,
            )
            tried += 1
    assert tried > 30
    assert written(town) == before


@pytest.mark.parametrize("role", ["device", "elu", "supplier", "agent", "responsable", "admin"])
def test_no_role_meets_a_fault(browser, town: Town, role: str) -> None:
    """Whatever the role, with empty, strange and missing bodies: an answer under 500."""
    _, secret = keys.create(
        town.store, SYSTEM, role=role, service="equipment" if role == "supplier" else None
    )
    client = browser()
    headers = {"Authorization": f"Bearer {secret}"}
    strange = {"content": b"\xff\x00{", "headers": {**headers, "Content-Type": "application/json"}}
    for method, path in visits(routes_of(town)):
        for body in ({"headers": headers}, strange) if method != "GET" else ({"headers": headers},):
            answer = client.request(method, path, **body)
            assert answer.status_code < 500, (role, method, path, answer.text[:300])
            assert "Traceback" not in answer.text


def test_strange_queries_meet_no_fault(browser, town: Town) -> None:
    client = browser()
    for method, path in visits(routes_of(town)):
        if method == "GET":
            for query in (
                "?page=x&sort=%00&after=-1&depuis=x&jusqu=%ff",
                "?lang=%00&limit=99999999999999999999",
                "?$top=-1&bbox=a",
            ):
                answer = client.get(path + query)
                assert answer.status_code < 500, (path + query, answer.text[:300])
