"""Signing in by a provider that others wrote (certified by the OpenID Foundation): there, back, and out together."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2
import msgspec
import pytest
import uvicorn
from tests.conftest import free_port
from tests.identity.provider_process import Provider, walk
from tests.towns import town_at

from beffroi.app import create_app
from beffroi.connectors import openid as wire
from beffroi.identity import people, sessions, territories
from beffroi.model.principal import SYSTEM
from beffroi.settings import OidcRole, OidcSettings
from beffroi.town import Town, open_town

ACCOUNTS = {
    "nour": {"email": "nour@essai.fr", "email_verified": True, "name": "Nour Belkacem", "groups": ["voirie", "beffroi-agents"]},
    "maire": {"email": "maire@essai.fr", "email_verified": True, "given_name": "Ada", "usual_name": "Maire", "groups": ["beffroi-admins"]},
    "lux": {"email": "lux@prestataire.fr", "email_verified": True, "name": "Lux", "groups": ["eclairage"]},
    "doute": {"email": "maire@essai.fr", "email_verified": False, "name": "Doute", "groups": ["beffroi-admins"]},
    "inconnu": {"email": "x@ailleurs.fr", "email_verified": True, "name": "X", "groups": []},
}  # fmt: skip
ROLES = (
    OidcRole("groups", "beffroi-admins", "admin"),
    OidcRole("groups", "beffroi-agents", "agent", ("35236",)),
    OidcRole("groups", "eclairage", "supplier", (), "equipment"),
)


class World:
    """A served town and its provider."""

    def __init__(self, town: Town, base: str, provider: Provider, app: Any) -> None:
        self.town, self.base, self.provider, self.app = town, base, provider, app
        self.opened: list[httpx2.Client] = []

    def browser(self) -> httpx2.Client:
        """A new browser, closed at the end of the test."""
        self.opened.append(httpx2.Client(headers={"Accept": "text/html"}, timeout=20))
        return self.opened[-1]

    def settings(self, **changes: Any) -> None:
        """Change the settings of the provider, as an edit of beffroi.toml and a restart would."""
        one = msgspec.structs.replace(self.town.settings.oidc[0], **changes)
        fresh = msgspec.structs.replace(self.town.settings, oidc=(one,))
        self.town.settings = self.town.store.settings = fresh
        self.app.state.relying = wire.relying(fresh.oidc, fresh.data)

    def enter(self, account: str, after: str = "/compte") -> tuple[httpx2.Client, httpx2.Response]:
        """Sign in as `account` with a new browser; return it and the last answer of the town."""
        browser = self.browser()
        back = f"{self.base}/connexion/retour/banc"
        led = walk(browser, f"{self.base}/connexion/avec/banc?suite={after}", account, back)
        return browser, browser.get(urljoin(str(led.request.url), led.headers["location"]))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    data = tmp_path_factory.mktemp("federation") / "town"
    town_at(data, "Essai-les-Bains", email="maire@essai.fr")
    (data / "oidc-banc.secret").write_text("un secret\n")
    port, provided = free_port(), free_port()
    base = f"http://127.0.0.1:{port}"
    client = {
        "client_id": "beffroi", "client_secret": "un secret", "redirect_uris": [f"{base}/connexion/retour/banc"],
        "post_logout_redirect_uris": [f"{base}/deconnexion/fait"],
        "backchannel_logout_uri": f"{base}/hooks/openid/banc/logout", "backchannel_logout_session_required": True,
    }  # fmt: skip
    provider = Provider(provided, client, ACCOUNTS, ["un"])
    one = OidcSettings("banc", provider.issuer, "beffroi", title="Banc d'essai", roles=ROLES, create=True)
    town = open_town(data)
    town.settings = town.store.settings = msgspec.structs.replace(town.settings, base_url=base, oidc=(one,))
    territories.add(town.store, SYSTEM, "35236", "Redon")
    app = create_app(town)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield World(town, base, provider, app)
    server.should_exit = True
    thread.join(10)
    provider.stop()
    town.close()


@pytest.fixture(autouse=True)
def as_it_was(world: World) -> Iterator[None]:
    before = world.town.settings
    yield
    for browser in world.opened:
        browser.close()
    world.opened.clear()
    world.town.settings = world.town.store.settings = before
    world.app.state.relying = wire.relying(before.oidc, before.data)


def wait(true: Callable[[], Any]) -> Any:
    end = time.monotonic() + 10
    while not (found := true()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def csrf(page: str) -> str:
    return re.search(r'name="csrf" value="([0-9a-f]{64})"', page).group(1)  # type: ignore[union-attr]


def test_the_sign_in_page_offers_the_provider_and_asks_with_pkce(world: World) -> None:
    page = httpx2.get(f"{world.base}/connexion?suite=/carte", headers={"Accept": "text/html"}).text
    assert 'href="/connexion/avec/banc?suite=%2Fcarte"' in page
    led = httpx2.get(f"{world.base}/connexion/avec/banc")
    asked = parse_qs(urlsplit(led.headers["location"]).query)
    assert led.status_code == 303
    assert (asked["code_challenge_method"], len(asked["code_challenge"][0])) == (["S256"], 43)
    assert min(len(asked["state"][0]), len(asked["nonce"][0])) >= 32
    assert "httponly" in led.headers["set-cookie"].lower()


def test_a_first_sign_in_makes_the_account_with_the_rights_of_its_group(world: World) -> None:
    browser, answer = world.enter("nour", "/compte")
    assert (answer.status_code, answer.headers["location"]) == (303, "/compte")
    assert "Nour Belkacem" in browser.get(f"{world.base}/compte").text
    person = people.find(world.town.store, "nour@essai.fr")
    assert person is not None
    assert (person.name, person.role, person.territories) == ("Nour Belkacem", "agent", ("35236",))
    world.enter("nour")
    assert len([p for p in people.every(world.town.store) if p.name == "Nour Belkacem"]) == 1
    with world.town.store.read() as c:
        deeds = [e.action for e in world.town.store.audit.entries(c, target=f"user:{person.id}")]
    assert deeds == ["sign_in", "sign_in", "person.federate", "person.add"]


def test_an_invited_person_is_known_by_a_verified_address_only(world: World) -> None:
    _, refused = world.enter("doute")
    assert refused.status_code == 403
    assert "ne garantit pas votre adresse" in refused.text
    browser, answer = world.enter("maire")
    assert answer.status_code == 303
    assert browser.get(f"{world.base}/administration").status_code == 200


def test_who_has_no_group_of_the_table_stays_out(world: World) -> None:
    _, refused = world.enter("inconnu")
    assert refused.status_code == 403
    assert "ouvre aucun droit" in refused.text
    assert people.find(world.town.store, "x@ailleurs.fr") is None


def test_without_creation_only_who_was_invited_enters(world: World) -> None:
    world.settings(create=False)
    _, refused = world.enter("lux")
    assert refused.status_code == 403
    assert people.find(world.town.store, "lux@prestataire.fr") is None
    world.settings(create=True)
    assert world.enter("lux")[1].status_code == 303
    person = people.find(world.town.store, "lux@prestataire.fr")
    assert person is not None
    assert (person.role, person.service) == ("supplier", "equipment")


def test_another_group_gives_other_rights_at_the_next_sign_in(world: World) -> None:
    world.enter("nour")
    world.settings(roles=(OidcRole("groups", "voirie", "responsable"), *ROLES))
    world.enter("nour")
    person = people.find(world.town.store, "nour@essai.fr")
    assert person is not None
    assert (person.role, person.territories) == ("responsable", ())


def test_an_answer_is_taken_once_and_only_in_the_browser_that_asked(world: World) -> None:
    back = f"{world.base}/connexion/retour/banc"
    browser = world.browser()
    led = walk(browser, f"{world.base}/connexion/avec/banc", "nour", back)
    place = led.headers["location"]
    assert httpx2.get(place, headers={"Accept": "text/html"}).status_code == 401  # another browser
    other = world.browser()
    other.get(f"{world.base}/connexion/avec/banc")
    assert other.get(place).status_code == 401  # asked something else
    kept = browser.cookies.get("beffroi_openid")
    assert browser.get(place).status_code == 303
    assert browser.get(place).status_code == 401  # the cookie is gone
    again = httpx2.get(place, headers={"Accept": "text/html", "Cookie": f"beffroi_openid={kept}"})
    assert again.status_code == 503  # the provider knows the code was used
    assert "invalid_grant" in again.text


def test_a_wrong_secret_is_said_and_nobody_enters(world: World) -> None:
    file = world.town.settings.data / "oidc-banc.secret"
    file.write_text("un autre\n")
    try:
        _, answer = world.enter("nour")
    finally:
        file.write_text("un secret\n")
    assert answer.status_code == 503
    assert "invalid_client" in answer.text
    assert "beffroi_session" not in answer.headers.get("set-cookie", "")


def test_a_refusal_of_the_provider_is_said(world: World) -> None:
    browser = world.browser()
    led = browser.get(f"{world.base}/connexion/avec/banc")
    state = parse_qs(urlsplit(led.headers["location"]).query)["state"][0]
    answer = browser.get(f"{world.base}/connexion/retour/banc?state={state}&error=access_denied")
    assert answer.status_code == 401
    assert "access_denied" in answer.text


def test_keys_that_the_provider_changed_are_asked_again(world: World) -> None:
    assert world.enter("nour")[1].status_code == 303
    relying = world.app.state.relying["banc"]
    assert [k.key_id for k in relying._keys[1].keys] == ["un"]
    world.provider.stop()
    world.provider.start(["deux"])
    relying._keys = (relying._keys[0] - 31, relying._keys[1])  # half a minute later
    assert world.enter("nour")[1].status_code == 303
    assert [k.key_id for k in relying._keys[1].keys] == ["deux"]


def test_the_level_that_is_asked_must_be_answered(world: World) -> None:
    world.settings(acr_values=("eidas2",))
    led = httpx2.get(f"{world.base}/connexion/avec/banc")
    assert parse_qs(urlsplit(led.headers["location"]).query)["acr_values"] == ["eidas2"]
    _, answer = world.enter("nour")  # the provider gives no level: its pages check a password only
    assert answer.status_code == 403
    assert "assez fortement" in answer.text


def test_signing_out_leads_through_the_provider_and_back(world: World) -> None:
    browser, _ = world.enter("nour")
    token = csrf(browser.get(f"{world.base}/compte").text)
    led = browser.post(f"{world.base}/deconnexion", data={"csrf": token})
    assert led.status_code == 303
    place = led.headers["location"]
    asked = parse_qs(urlsplit(place).query)
    assert place.startswith(f"{world.provider.issuer}/session/end?")
    assert asked["post_logout_redirect_uri"] == [f"{world.base}/deconnexion/fait"]
    assert browser.get(f"{world.base}/compte", headers={"Accept": "text/html"}).status_code == 303  # out here
    page = browser.get(place).text
    form = re.search(r'action="([^"]+)"', page)
    xsrf = re.search(r'name="xsrf" value="([^"]+)"', page)
    assert form is not None
    assert xsrf is not None
    back = browser.post(form.group(1), data={"xsrf": xsrf.group(1), "logout": "yes"})
    assert back.headers["location"].startswith(f"{world.base}/deconnexion/fait")
    assert "déconnecté" in browser.get(back.headers["location"]).text
    assert (
        f"form-action 'self' {world.provider.issuer}"
        in browser.get(f"{world.base}/").headers["content-security-policy"]
    )


def test_signing_out_at_the_provider_ends_the_session_here(world: World) -> None:
    """Back-channel: the provider itself posts the logout token to the served town."""
    browser, _ = world.enter("nour")
    other, _ = world.enter("nour")  # another browser: another session at the provider
    store = world.town.store
    person = people.find(store, "nour@essai.fr")
    assert person is not None
    before = {s.id for s in sessions.of_person(store, person.id)}
    page = browser.get(f"{world.provider.issuer}/session/end").text
    form, xsrf = re.search(r'action="([^"]+)"', page), re.search(r'name="xsrf" value="([^"]+)"', page)
    assert form is not None
    assert xsrf is not None
    browser.post(form.group(1), data={"xsrf": xsrf.group(1), "logout": "yes"})
    wait(lambda: {s.id for s in sessions.of_person(store, person.id)} != before)
    assert len(before - {s.id for s in sessions.of_person(store, person.id)}) == 1
    wait(lambda: browser.get(f"{world.base}/compte").status_code == 303)
    assert other.get(f"{world.base}/compte").status_code == 200


@pytest.mark.parametrize("token", ["", "abc", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJub3VyIn0."])
def test_a_forged_logout_is_refused(world: World, token: str) -> None:
    answer = httpx2.post(f"{world.base}/hooks/openid/banc/logout", data={"logout_token": token})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert answer.headers["cache-control"] == "no-store"


def test_userinfo_that_is_signed_is_checked_and_read(world: World, tmp_path: Path) -> None:
    """As ProConnect answers: a JWT, the secret in the body, no PKCE."""
    client = {
        **world.provider.client, "token_endpoint_auth_method": "client_secret_post",
        "userinfo_signed_response_alg": "RS256",
    }  # fmt: skip
    provider = Provider(free_port(), client, ACCOUNTS, ["trois"], pkce=False)
    try:
        world.settings(
            issuer=provider.issuer, pkce=False, client_auth="client_secret_post", algorithms=("RS256",)
        )
        browser, answer = world.enter("maire")
        assert answer.status_code == 303
        assert browser.get(f"{world.base}/administration").status_code == 200
    finally:
        provider.stop()


def test_the_administrator_reads_what_to_give_to_the_provider(world: World) -> None:
    browser, _ = world.enter("maire")
    page = browser.get(f"{world.base}/administration/securite").text
    for place in ("/connexion/retour/banc", "/deconnexion/fait", "/hooks/openid/banc/logout"):
        assert world.base + place in page
    assert "beffroi-agents" in page
