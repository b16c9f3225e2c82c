"""Second factor and invitations, used as people use them: pages without a script, a real mail server."""

import re
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from aiosmtpd.controller import Controller
from tests.conftest import free_port

from beffroi.identity import people, second_factor, sessions, totp
from beffroi.model.principal import SYSTEM
from beffroi.settings import MailSettings
from beffroi.town import Town

GOOD = "lavande quatre volets"


class Mailbox:
    """What a mail server took; `refusing`: it takes nothing."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.refusing = False

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 -- aiosmtpd's name
        if self.refusing:
            return "451 come back later"
        from email import message_from_bytes
        from email.policy import default

        self.letters.append(message_from_bytes(envelope.content, policy=default))  # type: ignore[arg-type]
        return "250 OK"


@pytest.fixture
def mailbox(town: Town) -> Iterator[Mailbox]:
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=free_port())
    controller.start()
    mail = MailSettings(url=f"smtp://127.0.0.1:{controller.port}", sender="beffroi@essai.fr")
    town.settings = town.store.settings = msgspec.structs.replace(town.settings, mail=mail)
    yield box
    controller.stop()


def invite(client: Any, token: str, **more: str) -> Any:
    sent = {"csrf": token, "name": "Nour Belkacem", "email": "nour@essai.fr", "role": "supplier", "service": "equipment",
            "delivery": "mail", "days": "3", **more}  # fmt: skip
    return client.post("/administration/personnes", data=sent)


def test_an_invitation_goes_by_mail_is_sent_again_and_taken_back(
    browser, csrf, town: Town, mailbox: Mailbox
) -> None:
    client = browser("admin")
    token = csrf(client, "/administration/personnes")
    answer = invite(client, token)
    person = people.find(town.store, "nour@essai.fr")
    assert person is not None
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        f"/administration/personnes/{person.id}?invitation",
    )
    assert (person.role, person.service) == ("supplier", "equipment")
    (letter,) = mailbox.letters
    assert (letter["To"], "Essai-les-Bains" in letter["From"]) == ("nour@essai.fr", True)
    first = re.search(r"/connexion/lien/\S+", letter.get_content()).group(0)  # type: ignore[union-attr]
    page = client.get(answer.headers["location"]).text
    assert "Renvoyer l&#39;invitation" in page
    client.post(f"/administration/personnes/{person.id}/invitation", data={"csrf": token})
    second = re.search(r"/connexion/lien/\S+", mailbox.letters[1].get_content()).group(0)  # type: ignore[union-attr]
    assert browser().get(first).status_code == 401  # the earlier link is void
    client.post(f"/administration/personnes/{person.id}/invitation/retrait", data={"csrf": token})
    assert browser().get(second).status_code == 401
    client.post(f"/administration/personnes/{person.id}/invitation", data={"csrf": token})
    third = re.search(r"/connexion/lien/\S+", mailbox.letters[2].get_content()).group(0)  # type: ignore[union-attr]
    guest = browser()
    assert guest.get(third).headers["location"] == "/compte"
    assert guest.get("/compte").status_code == 200
    assert browser().get(third).status_code == 401  # once
    with town.store.read() as c:
        deeds = [e.action for e in town.store.audit.entries(c, target=f"user:{person.id}")]
    again = ["invitation.send", "link.create"]
    assert deeds == ["sign_in", *again, "link.revoke", *again, "link.revoke", *again, "person.add"]


def test_a_letter_that_does_not_leave_is_said_and_the_link_given_by_hand(
    browser, csrf, mailbox: Mailbox
) -> None:
    client = browser("admin")
    mailbox.refusing = True
    page = invite(client, csrf(client, "/administration/personnes"))
    assert page.status_code == 200
    assert "pas parti" in page.text
    assert "/connexion/lien/" in page.text


def test_an_invitation_ends(browser, csrf, town: Town, mailbox: Mailbox) -> None:
    client = browser("admin")
    token = csrf(client, "/administration/personnes")
    assert invite(client, token, days="0").status_code == 400
    assert invite(client, token, days="99").status_code == 400
    assert people.find(town.store, "nour@essai.fr") is None
    invite(client, token, days="1")
    link = re.search(r"/connexion/lien/\S+", mailbox.letters[0].get_content()).group(0)  # type: ignore[union-attr]
    now = town.store.clock()
    town.store.clock = town.clock = lambda: now + 25 * 3_600_000_000
    assert browser().get(link).status_code == 401


def _generator(page: str) -> bytes:
    address = re.search(r'href="(otpauth://[^"]+)"', page).group(1).replace("&amp;", "&")  # type: ignore[union-attr]
    import base64

    return base64.b32decode(parse_qs(urlsplit(address).query)["secret"][0])


def _code(town: Town, secret: bytes, shift: int = 0) -> str:
    return totp.code(secret, totp.step_at(town.clock()) + shift)


def test_a_second_factor_from_the_account_to_the_next_sign_in(browser, csrf, town: Town) -> None:
    client = browser("agent")
    (person,) = [p for p in people.every(town.store) if p.role == "agent"]
    people.set_password(town.store, SYSTEM, person.id, GOOD)
    client = browser()
    token = csrf(client, "/connexion")
    entering = {"csrf": token, "email": person.email, "password": GOOD, "suite": "/carte"}
    assert client.post("/connexion", data=entering).headers["location"] == "/carte"
    page = client.get("/compte/second-facteur").text
    secret = _generator(page)
    assert client.get("/compte/second-facteur").text.count("otpauth") == page.count("otpauth")
    assert _generator(client.get("/compte/second-facteur").text) == secret  # a reload shows the same one
    token = csrf(client, "/compte/second-facteur")
    wrong = client.post("/compte/second-facteur", data={"csrf": token, "code": "12"})
    assert wrong.status_code == 400
    codes_page = client.post("/compte/second-facteur", data={"csrf": token, "code": _code(town, secret, -1)})
    codes = re.findall(r"\b[A-Z][A-Z2-9]{4}-[A-Z2-9]{5}\b", codes_page.text)
    assert (codes_page.status_code, len(codes)) == (200, 10)
    assert codes_page.headers["cache-control"] == "no-store"
    assert len(sessions.of_person(town.store, person.id)) == 1  # the others ended; this one goes on
    assert "10" in client.get("/compte/second-facteur").text

    other = browser()
    entering["csrf"] = csrf(other, "/connexion")
    asked = other.post("/connexion", data=entering)
    assert asked.headers["location"] == "/connexion/code"
    assert other.get("/compte").status_code == 303  # not in yet
    token = csrf(other, "/connexion/code")
    refused = other.post("/connexion/code", data={"csrf": token, "code": "000000"})
    assert refused.status_code == 401
    assert "déjà servi" in refused.text
    entered = other.post("/connexion/code", data={"csrf": token, "code": _code(town, secret)})
    assert entered.headers["location"] == "/carte"
    assert other.get("/compte").status_code == 200

    third = browser()
    entering["csrf"] = csrf(third, "/connexion")
    third.post("/connexion", data=entering)
    entered = third.post("/connexion/code", data={"csrf": csrf(third, "/connexion/code"), "code": codes[0]})
    assert entered.headers["location"] == "/carte"
    assert browser().get("/connexion/code").status_code == 401


def test_a_role_that_must_have_one_meets_it_at_the_door(browser, csrf, town: Town) -> None:
    client = browser("admin")
    token = csrf(client, "/administration/securite")
    asked = {"csrf": token, "roles": ["agent", "admin"]}
    assert client.post("/administration/securite", data=asked).status_code == 400  # one's own first
    assert client.post("/administration/securite", data={"csrf": token, "roles": "agent"}).status_code == 303
    assert second_factor.required(town.store) == ("agent",)
    person = people.add(town.store, SYSTEM, email="a@essai.fr", name="A", role="agent")
    people.set_password(town.store, SYSTEM, person.id, GOOD)
    guest = browser()
    sent = {"csrf": csrf(guest, "/connexion"), "email": "a@essai.fr", "password": GOOD}
    assert guest.post("/connexion", data=sent).headers["location"] == "/connexion/second-facteur"
    secret = _generator(guest.get("/connexion/second-facteur").text)
    token = csrf(guest, "/connexion/second-facteur")
    page = guest.post("/connexion/second-facteur", data={"csrf": token, "code": _code(town, secret)})
    assert len(re.findall(r"\b[A-Z][A-Z2-9]{4}-[A-Z2-9]{5}\b", page.text)) == 10
    assert guest.get("/compte").status_code == 200
    assert "Votre rôle doit avoir" in guest.get("/compte/second-facteur").text
    admin_token = csrf(client, f"/administration/personnes/{person.id}")
    client.post(f"/administration/personnes/{person.id}/second-facteur", data={"csrf": admin_token})
    assert guest.get("/compte").status_code == 303
    assert not second_factor.has(town.store, person.id)


def test_all_other_sessions_end_at_once(browser, csrf, town: Town) -> None:
    client = browser("admin")
    browser("admin")
    browser("admin")
    (person,) = people.every(town.store)
    assert len(sessions.of_person(town.store, person.id)) == 3
    client.post("/compte/sessions", data={"csrf": csrf(client, "/compte"), "others": "1"})
    assert len(sessions.of_person(town.store, person.id)) == 1
    assert client.get("/compte").status_code == 200
