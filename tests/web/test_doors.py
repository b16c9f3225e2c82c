"""The doors: who passes, what is refused, what every answer carries."""

import pytest
from starlette.testclient import TestClient

from beffroi.app import create_app
from beffroi.identity import keys, people, sessions
from beffroi.identity.gate import Gate
from beffroi.model.principal import SYSTEM
from beffroi.town import Town
from beffroi.web.kit.csrf import FORM_COOKIE
from beffroi.web.kit.who import SESSION_COOKIE

PASSWORD = "lavande quatre volets"


def test_a_forged_form_is_refused(browser, csrf, town: Town) -> None:
    client = browser("admin")
    token = csrf(client, "/administration/territoires")
    form = {"code": "35236", "name": "Redon", "kind": "commune"}
    path = "/administration/territoires"
    for wrong in (
        {},
        {"csrf": ""},
        {"csrf": "0" * 64},
        {"csrf": "é" * 64},
        {"csrf": csrf(browser(), "/connexion")},
    ):
        refused = client.post(path, data={**form, **wrong})
        assert refused.status_code == 403
        assert "text/html" in refused.headers["content-type"]
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        assert client.post(path, data={**form, "csrf": token}, headers=headers).status_code == 403
    assert (
        client.post(
            path, content=b"csrf=" + b"a=1&" * 5000, headers={"Content-Type": "text/plain"}
        ).status_code
        == 403
    )
    from beffroi.identity import territories

    assert territories.every(town.store) == []
    good = client.post(path, data={**form, "csrf": token}, headers={"Origin": "http://127.0.0.1:8080"})
    assert good.status_code == 303
    assert [t.code for t in territories.every(town.store)] == ["35236"]
    form["code"] = "35168"
    assert client.post(path, data=form, headers={"X-CSRF-Token": token}).status_code == 303


def test_a_form_with_a_file_carries_its_token_too(browser, csrf, town: Town) -> None:
    client = browser("admin")
    token = csrf(client, "/administration/ville")
    parts = {
        "name": (None, "Redon"),
        "accent": (None, "#0b5c73"),
        "logo": ("logo.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
    }
    assert client.post("/administration/ville", files=parts).status_code == 403
    assert client.post("/administration/ville", files={"csrf": (None, token), **parts}).status_code == 303
    assert town.store.setting("town.name") == "Redon"


def test_signing_in_carries_a_token_of_a_random_cookie(browser, csrf, town: Town) -> None:
    admin = people.find(town.store, "maire@essai.fr")
    people.set_password(town.store, SYSTEM, admin.id, PASSWORD)
    client = browser()
    form = {"email": "maire@essai.fr", "password": PASSWORD}
    assert client.post("/connexion", data=form).status_code == 403
    page = client.get("/connexion")
    assert f"{FORM_COOKIE}=" in page.headers["set-cookie"]
    assert "HttpOnly; SameSite=Lax" in page.headers["set-cookie"]
    token = csrf(client, "/connexion")
    assert "set-cookie" not in client.get("/connexion").headers  # made once
    assert (
        client.post("/connexion", data={**form, "csrf": token, "suite": "/administration"}).headers[
            "location"
        ]
        == "/administration"
    )


def test_another_sites_page_cannot_use_a_session_at_an_api(browser, town: Town) -> None:
    client = browser("admin")
    things = "/sensorthings/v1.1/Things"
    body = {"name": "x", "description": "x"}
    for headers in ({}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "same-site"}):
        assert client.post(things, json=body, headers=headers).status_code == 403
    assert client.post(things, json=body, headers={"Origin": "http://127.0.0.1:8080"}).status_code != 403


@pytest.mark.parametrize(
    "after",
    ["//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nX-Evil: 1", "javascript:1", ""],
)
def test_signing_in_never_leads_elsewhere(browser, csrf, town: Town, after: str) -> None:
    admin = people.find(town.store, "maire@essai.fr")
    people.set_password(town.store, SYSTEM, admin.id, PASSWORD)
    client = browser()
    form = {
        "email": "maire@essai.fr",
        "password": PASSWORD,
        "suite": after,
        "csrf": csrf(client, "/connexion"),
    }
    answer = client.post("/connexion", data=form)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"
    assert "x-evil" not in answer.headers


def test_the_session_cookie_is_new_at_sign_in_and_well_marked(browser, csrf, town: Town) -> None:
    admin = people.find(town.store, "maire@essai.fr")
    people.set_password(town.store, SYSTEM, admin.id, PASSWORD)
    client = browser()
    client.cookies.set(SESSION_COOKIE, "fixed-by-the-attacker")
    form = {"email": "maire@essai.fr", "password": PASSWORD, "csrf": csrf(client, "/connexion")}
    answer = client.post("/connexion", data=form)
    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith(SESSION_COOKIE))
    assert "fixed-by-the-attacker" not in cookie
    for mark in ("HttpOnly", "SameSite=lax", "Path=/", "Max-Age=604800"):
        assert mark in cookie
    assert "Secure" not in cookie and "Domain" not in cookie
    gate = Gate(town.store)
    first = cookie.split(";")[0].split("=", 1)[1]
    assert gate.who("session", "fixed-by-the-attacker") is None
    assert gate.who("session", first) == admin.principal
    client.cookies.clear()
    client.cookies.set(SESSION_COOKIE, first)
    again = client.post("/connexion", data={**form, "csrf": csrf(client, "/connexion")})
    assert again.status_code == 303
    assert gate.who("session", first) is None  # the session one came with is over
    assert len(sessions.of_person(town.store, admin.id)) == 1
    gate.close()


def test_cookies_are_secure_behind_tls(town: Town) -> None:
    with TestClient(create_app(town), base_url="https://town.example", follow_redirects=False) as client:
        page = client.get("/connexion", headers={"Accept": "text/html"})
        assert page.headers["strict-transport-security"] == "max-age=31536000"
        assert "Secure" in page.headers["set-cookie"]
        from beffroi.identity.sign_in import admin_link

        answer = client.get(admin_link(town.store))
        assert "Secure" in next(
            c for c in answer.headers.get_list("set-cookie") if c.startswith(SESSION_COOKIE)
        )


def test_signing_out_ends_the_session_on_the_server(browser, csrf, town: Town) -> None:
    client = browser("agent")
    secret = client.cookies[SESSION_COOKIE]
    assert client.post("/deconnexion").status_code == 403
    assert client.post("/deconnexion", data={"csrf": csrf(client, "/deconnexion")}).headers["location"] == "/"
    gate = Gate(town.store)
    assert gate.who("session", secret) is None
    gate.close()


def test_a_link_signs_in_once(browser, town: Town) -> None:
    from beffroi.identity.sign_in import admin_link

    link, client = admin_link(town.store), browser()
    assert client.head(link).status_code == 200  # a preview does not use it up
    assert client.get(link, headers={"Sec-Purpose": "prefetch"}).status_code == 200
    answer = client.get(link)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert client.get("/compte").status_code == 200
    assert browser().get(link).status_code == 401


def test_a_link_asks_before_changing_who_is_signed_in(browser, csrf, town: Town) -> None:
    from beffroi.identity.sign_in import admin_link

    link, client = admin_link(town.store), browser("agent")
    page = client.get(link)
    assert page.status_code == 200
    assert "Se connecter comme Administrateur" in page.text
    assert client.post(link).status_code == 403
    assert client.post(link, data={"csrf": csrf(client, link)}).status_code == 303
    assert "Administrateur" in client.get("/compte").text


def test_a_key_acts_and_a_bad_one_is_refused_everywhere(browser, town: Town) -> None:
    client = browser()
    key, secret = keys.create(town.store, SYSTEM, role="admin")
    bearer = {"Authorization": f"Bearer {secret}"}
    assert client.get("/administration/cles", headers=bearer).status_code == 200
    form = {"role": "device", "name": "made by a key"}
    assert (
        client.post("/administration/cles", data=form, headers=bearer).status_code == 200
    )  # no browser adds a key
    for path in ("/", "/health", "/administration", "/sensorthings/v1.1/Things"):
        for wrong in ("Bearer nope", "Bearer ", "Basic YTpi", "Bearer \xe9\xff", "x"):
            refused = client.get(path, headers={"Authorization": wrong.encode("latin-1")})
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    keys.revoke(town.store, SYSTEM, key.id)
    assert client.get("/administration/cles", headers=bearer).status_code == 401


def test_every_answer_carries_the_safety_headers(browser) -> None:
    client = browser()
    for path in ("/connexion", "/nowhere", "/administration", "/static/nothing.css"):
        headers = client.get(path).headers
        assert headers["content-security-policy"].startswith(
            "default-src 'self'; img-src 'self' data: blob:;"
        )
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "same-origin"
    data = client.get("/health").headers
    assert data["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in data
    asked = client.options(
        "/sensorthings/v1.1/Things",
        headers={"Access-Control-Request-Method": "POST", "Origin": "https://x.example"},
    )
    assert asked.status_code == 204
    assert "Authorization" in asked.headers["access-control-allow-headers"]


def test_too_large_requests_are_refused_announced_or_not(browser) -> None:
    client = browser()
    assert client.post("/connexion", content=b"x" * 1_000_001).status_code == 413

    def streamed():
        for _ in range(20):
            yield b"x" * 100_000

    assert (
        client.post(
            "/connexion", content=streamed(), headers={"Content-Type": "application/x-www-form-urlencoded"}
        ).status_code
        == 413
    )
    announced = {"Content-Length": "99999999999999999999"}
    assert client.post("/api/anything", content=b"x", headers=announced).status_code == 413


@pytest.mark.parametrize(
    "cookie", ["a,b=1", "=;;=", "langue=\xff", f"{SESSION_COOKIE}=\xe9", "x" * 5000, "langue=zz; langue"]
)
def test_strange_cookies_are_no_fault(browser, cookie: str) -> None:
    assert browser().get("/connexion", headers={"Cookie": cookie.encode("latin-1")}).status_code == 200


def test_a_problem_speaks_the_readers_language(browser) -> None:
    client = browser()
    french = client.get("/api/x", headers={"Authorization": "Bearer nope", "Accept-Language": "fr"})
    english = client.get("/api/x", headers={"Authorization": "Bearer nope", "Accept-Language": "en-GB"})
    assert french.headers["content-type"] == "application/problem+json"
    assert french.json()["reason"] == "Cette clé n'est pas, ou plus, valable."
    assert english.json() == {
        "type": "about:blank", "title": "This key is not, or no longer, valid.", "status": 401,
        "reason": "This key is not, or no longer, valid.",
        "mend": "Create one: beffroi token create, or Administration, Keys.", "place": "Authorization",
    }  # fmt: skip


class TestOpenWrites:
    """`--open-writes`: programs on this machine need no key; nobody else gains anything."""

    def ask(
        self,
        town: Town,
        *,
        open_writes: bool = True,
        peer: str = "127.0.0.1",
        host: str = "127.0.0.1:8080",
        **headers: str,
    ) -> int:
        app = create_app(town, open_writes=open_writes)
        with TestClient(app, base_url=f"http://{host}", client=(peer, 5)) as client:
            return client.post(
                "/sensorthings/v1.1/Things", json={"name": "x", "description": "x"}, headers=headers
            ).status_code

    def test_a_program_here_writes(self, town: Town) -> None:
        assert self.ask(town) == 201
        assert self.ask(town, host="localhost:8080") == 201
        assert self.ask(town, Origin="http://127.0.0.1:8080") == 201

    def test_nobody_else_does(self, town: Town) -> None:
        assert self.ask(town, open_writes=False) == 401
        assert self.ask(town, peer="192.0.2.1") == 401
        assert self.ask(town, host="rebound.example") == 401
        assert self.ask(town, Origin="https://evil.example") == 403
        assert self.ask(town, Authorization="Bearer nope") == 401

    @pytest.mark.parametrize(
        "path", ["Observations", "CreateObservations", "Datastreams(1)/Observations", "Things"]
    )
    def test_another_sites_page_writes_nothing(self, town: Town, path: str) -> None:
        app = create_app(town, open_writes=True)
        with TestClient(app, base_url="http://127.0.0.1:8080", client=("127.0.0.1", 5)) as client:
            for sign in (
                {"Origin": "https://evil.example"},
                {"Origin": "null"},
                {"Sec-Fetch-Site": "cross-site"},
            ):
                headers = {**sign, "Content-Type": "text/plain"}
                answer = client.post(f"/sensorthings/v1.1/{path}", content=b'{"result": 1}', headers=headers)
                assert answer.status_code == 403

    def test_pages_still_ask_for_a_sign_in(self, town: Town) -> None:
        with TestClient(
            create_app(town, open_writes=True), base_url="http://127.0.0.1", client=("127.0.0.1", 5)
        ) as client:
            assert client.get("/administration").status_code == 401
