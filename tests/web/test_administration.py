"""The administration, used as people use it, and closed to everyone else."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from beffroi.identity import keys, people, sign_in, territories
from beffroi.identity.gate import Gate
from beffroi.model.principal import SYSTEM
from beffroi.town import Town
from beffroi.web.kit.who import SESSION_COOKIE
from beffroi.web.kit.words import Words
from beffroi.web.site.administration import ROUTES, deeds

GOOD = "lavande quatre volets"
ADMIN = [r for r in ROUTES if r.path.startswith("/administration")]
OWN = [r for r in ROUTES if r.path.startswith("/compte")]


def visits(routes: list[Route]) -> Iterator[tuple[str, str]]:
    for route in routes:
        for method in sorted((route.methods or set()) - {"HEAD"}):
            yield method, re.sub(r"\{.*?\}", "1", route.path)


@pytest.mark.parametrize("role", ["", "agent", "responsable", "elu", "supplier", "device"])
def test_only_administrators_enter(browser, town: Town, role: str) -> None:
    """Every route of the administration × every role, by session and by key."""
    client, headers = browser(), {"Accept": "application/json"}
    if role == "device":
        headers["Authorization"] = f"Bearer {keys.create(town.store, SYSTEM, role='device')[1]}"
    elif role:
        client = browser(role)
        client.get("/compte")
    for method, path in visits(ADMIN):
        token = {} if role in ("", "device") else {"X-CSRF-Token": _token(client)}
        answer = client.request(method, path, headers={**headers, **token})
        expected = (401,) if not role and method == "GET" else (401, 403) if not role else (403,)
        assert answer.status_code in expected, (role, method, path)


def _token(client: TestClient) -> str:
    return re.search(r'name="csrf" value="([0-9a-f]{64})"', client.get("/compte").text).group(1)  # type: ignore[union-attr]


def test_administrators_enter_everywhere(browser, town: Town) -> None:
    client = browser("admin")
    for method, path in visits([*ADMIN, *OWN]):
        if method == "GET" and "1" not in path:
            for language in ("fr", "en"):
                page = client.get(path, params={"lang": language})
                assert page.status_code == 200, path
                if "html" in page.headers["content-type"]:
                    assert f'<html lang="{language}">' in page.text
                assert page.headers["cache-control"] == "no-store"


def test_who_is_not_signed_in_is_led_to_the_sign_in_page_and_back(browser) -> None:
    for _method, path in visits([*ADMIN, *OWN]):
        if _method == "GET":
            answer = browser().get(path)
            assert (answer.status_code, answer.headers["location"]) == (303, f"/connexion?suite={path}")


def test_the_territory_of_an_administrator_limits_what_they_see(browser, csrf, town: Town) -> None:
    for code in ("35236", "35168"):
        territories.add(town.store, SYSTEM, code, f"Commune {code}")
    inside = people.add(
        town.store, SYSTEM, email="in@x.fr", name="Inès Dedans", role="agent", territories=["35236"]
    )
    outside = people.add(
        town.store, SYSTEM, email="out@x.fr", name="Omar Dehors", role="agent", territories=["35168"]
    )
    key, _ = keys.create(town.store, SYSTEM, role="device", name="clé dehors", territories=["35168"])
    client = browser("admin", territories=["35236"])
    page = client.get("/administration/personnes").text
    assert "Inès Dedans" in page
    assert "Omar Dehors" not in page
    assert client.get(f"/administration/personnes/{inside.id}").status_code == 200
    token = csrf(client, "/compte")
    for method, path in [
        ("GET", f"/administration/personnes/{outside.id}"), ("POST", f"/administration/personnes/{outside.id}"),
        ("POST", f"/administration/personnes/{outside.id}/lien"), ("GET", f"/administration/cles/{key.id}"),
        ("POST", f"/administration/cles/{key.id}"), ("GET", "/administration/journal"), ("POST", "/administration/journal"),
        ("GET", "/administration/journal.csv"), ("GET", "/administration/ville"), ("POST", "/administration/ville"),
    ]:  # fmt: skip
        assert client.request(method, path, headers={"X-CSRF-Token": token}).status_code == 403, path
    assert "clé dehors" not in client.get("/administration/cles").text


def test_inviting_an_agent_who_then_chooses_a_password(browser, csrf, town: Town) -> None:
    client = browser("admin")
    form = {
        "name": "Nour Agent",
        "email": "nour@essai.fr",
        "role": "agent",
        "csrf": csrf(client, "/administration/personnes"),
    }
    page = client.post("/administration/personnes", data=form)
    link = re.search(r"<code>(http://127.0.0.1:8080/connexion/lien/[^<]+)</code>", page.text).group(1)
    again = client.post("/administration/personnes", data=form)
    assert again.status_code == 409
    assert "Un compte a déjà cette adresse." in again.text
    assert 'value="Nour Agent"' in again.text  # what was typed is kept
    nour = browser()
    assert nour.get(link).headers["location"] == "/compte"
    token = csrf(nour, "/compte")
    wrong = nour.post("/compte/mot-de-passe", data={"password": GOOD, "again": "x", "csrf": token})
    assert "Les deux mots de passe ne sont pas les mêmes." in wrong.text
    before = nour.cookies[SESSION_COOKIE]
    assert (
        nour.post("/compte/mot-de-passe", data={"password": GOOD, "again": GOOD, "csrf": token}).status_code
        == 303
    )
    assert nour.cookies[SESSION_COOKIE] != before
    assert "Le mot de passe est changé" in nour.get("/compte?fait=mot-de-passe").text
    fresh = browser()
    entered = fresh.post(
        "/connexion", data={"email": "NOUR@essai.fr", "password": GOOD, "csrf": csrf(fresh, "/connexion")}
    )
    assert entered.status_code == 303
    assert fresh.get("/administration").status_code == 403
    # now an open screen is not enough to take the account
    token = csrf(nour, "/compte")
    taken = nour.post(
        "/compte/mot-de-passe",
        data={"current": "no", "password": "other long words", "again": "other long words", "csrf": token},
    )
    assert taken.status_code == 403
    assert "mot de passe actuel" in taken.text


def test_changing_and_disabling_someone(browser, csrf, town: Town) -> None:
    client = browser("admin")
    person = people.add(town.store, SYSTEM, email="b@x.fr", name="B", role="agent")
    secret = sign_in.by_link(town.store, sign_in.make_link(town.store, SYSTEM, person.id), agent="")[1]
    page = f"/administration/personnes/{person.id}"
    token = csrf(client, page)
    bad = client.post(page, data={"name": "B", "role": "supplier", "csrf": token})
    assert bad.status_code == 400
    assert "Un fournisseur est limité à un service." in bad.text
    good = client.post(page, data={"name": "Béa", "role": "agent", "disabled": "1", "csrf": token})
    assert good.status_code == 303
    gate = Gate(town.store)
    assert gate.who("session", secret) is None
    gate.close()
    assert people.get(town.store, person.id).disabled
    admin = people.find(town.store, "maire@essai.fr")
    alone = client.post(
        f"/administration/personnes/{admin.id}", data={"name": "A", "role": "agent", "csrf": token}
    )
    assert "La ville n&#39;aurait plus d&#39;administrateur." in alone.text
    assert client.get("/administration/personnes/999").status_code == 404


def test_a_key_is_shown_once_and_revoked(browser, csrf, town: Town) -> None:
    client = browser("admin")
    token = csrf(client, "/administration/cles")
    page = client.post(
        "/administration/cles", data={"name": "Passerelle", "role": "device", "days": "30", "csrf": token}
    )
    secret = re.search(r"<code>(beffroi_[\w-]{43})</code>", page.text).group(1)
    assert page.headers["cache-control"] == "no-store"
    listed = client.get("/administration/cles").text
    assert "Passerelle" in listed
    assert secret not in listed
    bad = client.post(
        "/administration/cles", data={"name": "X", "role": "device", "days": "-1", "csrf": token}
    )
    assert "nombre de jours" in bad.text
    program = browser()
    bearer = {"Authorization": f"Bearer {secret}"}
    assert program.get("/health", headers=bearer).status_code == 200
    key = keys.every(town.store)[0]
    assert client.post(f"/administration/cles/{key.id}", data={"csrf": token}).status_code == 303
    assert program.get("/health", headers=bearer).status_code == 401
    assert "Révoquée le" in client.get(f"/administration/cles/{key.id}").text
    assert client.get("/administration/cles/999").status_code == 404


def test_ending_sessions(browser, csrf, town: Town) -> None:
    client, agent = browser("admin"), browser("agent")
    token = csrf(client, "/compte")
    rows = re.findall(r'name="row" value="(\d+)"', client.get("/administration/sessions").text)
    assert len(rows) == 2
    mine = re.findall(r'name="row" value="(\d+)"', agent.get("/compte").text)
    other = next(r for r in rows if r not in mine)
    # someone else's session is not one's own to end
    assert (
        agent.post("/compte/sessions", data={"row": other, "csrf": csrf(agent, "/compte")}).status_code == 404
    )
    assert (
        client.post("/administration/sessions", data={"row": [*mine, "x"], "csrf": token}).status_code == 303
    )
    assert agent.get("/compte").status_code == 303
    assert client.get("/compte").status_code == 200


def test_the_towns_look(browser, csrf, town: Town) -> None:
    client = browser("admin")
    token = csrf(client, "/administration/ville")
    form = {"name": "Redon", "csrf": token}
    pale = client.post("/administration/ville", data={**form, "accent": "#ffe000"})
    assert pale.status_code == 400
    assert "ne se lit pas sur un fond clair" in pale.text
    checked = client.post("/administration/ville", data={**form, "accent": "#7a1f3d", "action": "check"})
    assert "se lit" in checked.text
    assert town.store.setting("town.accent") is None  # nothing was kept yet
    assert client.post("/administration/ville", data={**form, "accent": "#7A1F3D"}).status_code == 303
    assert town.store.setting("town.accent") == "#7a1f3d"
    page = browser().get("/connexion").text
    assert "Redon" in page
    sheet = re.search(r'href="(/ville-\w+\.css)"', page).group(1)
    assert "--accent:#7a1f3d" in browser().get(sheet).text
    assert (
        client.post(
            "/administration/ville", data={**form, "name": "a\r\nX: 1", "accent": "#7a1f3d"}
        ).status_code
        == 400
    )


def test_the_language_follows_the_person(browser, csrf, town: Town) -> None:
    client = browser("agent")
    answer = client.post("/compte/langue", data={"language": "en", "csrf": csrf(client, "/compte")})
    assert answer.status_code == 303
    assert "My account" in client.get("/compte").text
    assert (
        client.post("/compte/langue", data={"language": "de", "csrf": csrf(client, "/compte")}).status_code
        == 400
    )
    agent = people.every(town.store)[-1]
    elsewhere = browser()
    elsewhere.get(f"/connexion/lien/{sign_in.make_link(town.store, SYSTEM, agent.id)}")
    assert "My account" in elsewhere.get("/compte").text


def test_the_journal_tells_and_proves(browser, csrf, town: Town) -> None:
    from sqlalchemy import text

    client = browser("admin")
    for n in range(60):
        keys.create(town.store, SYSTEM, role="device", name=f"clé {n}")
    page = client.get("/administration/journal").text
    assert page.count("<tr>") == 51
    older = re.search(r'rel="next" href="([^"]+)"', page).group(1).replace("&amp;", "&")
    assert "a ajouté une personne" in client.get(f"/administration/journal{older}").text
    lines = client.get("/administration/journal.json", params={"action": "key."}).json()
    assert [line["detail"]["name"] for line in lines] == [f"clé {n}" for n in reversed(range(60))]
    assert client.get("/administration/journal.csv").text.count("key.create") == 60
    assert client.get("/administration/journal?avant=x~y~z&action=%25&who=%27").status_code == 200
    token = csrf(client, "/administration/journal")
    assert "lignes vérifiées, intactes" in client.post("/administration/journal", data={"csrf": token}).text
    with town.store.write() as connection:
        connection.execute(text("UPDATE audit SET who = 'user:77' WHERE detail LIKE '%clé 7\"%'"))
    assert (
        "Le journal a été touché : 1 faute."
        in client.post("/administration/journal", data={"csrf": token}).text
    )


def test_every_deed_has_words_and_each_subject_leads_where_it_is(browser, csrf, town: Town) -> None:
    source = Path(deeds.__file__).parents[3]
    code = "\n".join(path.read_text("utf-8") for path in source.rglob("*.py") if path.name != "deeds.py")
    actions = set(re.findall(r'audit\.note\(\s*[\w.]+,\s*[\w.]+,\s*"([a-z_]+\.[a-z_.]+|sign_\w+)"', code))
    assert len(actions) > 25
    assert {a for a in actions if deeds.deed(a, "en") == a} == set()
    titles = {c.name: c.title for c in town.store.records.collections.values()}
    said = {t: (deeds.subject(t, {"user:1": "Anne"}, titles, "fr"), deeds.place_of(t)) for t in ("user:1", "brought/2", "territory/35236", "lamp/12", "lamp", "file_mapping/3")}  # fmt: skip
    assert said == {
        "user:1": ("Anne", "/administration/personnes/1"), "brought/2": ("fichier 2", "/donnees/apporter/2"),
        "territory/35236": ("territoire 35236", "/administration/territoires/35236"), "lamp/12": ("Points lumineux 12", "/donnees/lamp/12"),
        "lamp": ("Points lumineux", ""), "file_mapping/3": ("correspondance 3", ""),
    }  # fmt: skip
    detail = {"change_set": 8, "count": 314, "reason": "redon.osm", "gone": 0}
    assert deeds.details(detail, Words("fr")) == "fiches : 314, motif : redon.osm"
