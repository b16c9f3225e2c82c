"""Who is told what: real letters by a real SMTP server, text messages by a real webhook, and legal receipts."""

import http.server
import re
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage

import msgspec
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import Engine, event
from tests.conftest import free_port
from tests.services.reports.conftest import HERE, Citizen, Clock
from tests.services.reports.test_citizens import close, reports, updates

from beffroi.model.principal import SYSTEM
from beffroi.services.reports import notices, states
from beffroi.services.reports.keys import key_of
from beffroi.services.reports.letters import key_name
from beffroi.settings import MailSettings
from beffroi.store.record import Query
from beffroi.town import Town


class Postman:
    """A mail server that keeps what it is given."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        letter = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        self.letters.append(letter)
        return "250 OK"

    def taken(self) -> dict[str, str]:
        """Return the letters since last time: body by recipient and subject."""
        found = {f"{m['To']}: {m['Subject']}": m.get_body().get_content() for m in self.letters}
        self.letters.clear()
        return found


@pytest.fixture
def post(town: Town) -> Iterator[Postman]:
    """Give the town a mail server and a public address."""
    postman = Postman()
    server = Controller(postman, hostname="127.0.0.1", port=free_port())
    server.start()
    town.settings = msgspec.structs.replace(
        town.settings,
        mail=MailSettings(f"smtp://127.0.0.1:{server.port}", "beffroi@essai.fr"),
        base_url="https://essai.fr",
    )
    notices.read_bus(town)
    yield postman
    server.stop()


def deliver(town: Town) -> None:
    """Read the bus to its end and send what is due."""
    while notices.read_bus(town):
        pass
    notices.work_off(town)


def test_the_author_is_told_each_step_and_can_stop(visit, categories, town: Town, post: Postman) -> None:
    who: Citizen = visit()
    answer = who.fill_in(
        category=str(categories["depot"]),
        place="rue des Tilleuls",
        description="Un matelas",
        mail="a@exemple.fr",
    )
    own = answer.headers["location"].split("?")[0]
    deliver(town)
    (first,) = post.letters
    assert (first["To"], first["Subject"], first["Auto-Submitted"]) == (
        "a@exemple.fr",
        "Signalement 25-00001 reçu",
        "auto-generated",
    )
    assert f"https://essai.fr{own}" in first.get_content()
    assert re.search(r"\+r\d+\.[0-9a-f]{20}@essai\.fr", first["Reply-To"]) and re.search(
        r"r\d+\.[0-9a-f]{20}@", first["Message-ID"]
    )
    post.letters.clear()
    (row,) = reports(town)
    close(town, row)
    town.store.records.put(
        "report_update",
        {"request": row.id, "kind": "note", "at": town.clock(), "text": "entre nous"},
        who=SYSTEM,
    )
    deliver(town)
    told = post.taken()
    assert list(told) == ["a@exemple.fr: Signalement 25-00001 : Clos (Réparé)"]
    body = told["a@exemple.fr: Signalement 25-00001 : Clos (Réparé)"]
    assert "Est-ce vraiment réglé ?" in body and "entre nous" not in body
    deliver(town)
    assert post.taken() == {}  # nothing is told twice
    follower = town.store.records.find("report_follower").rows[0]
    assert follower.values["until"] == town.clock()
    stop = re.search(r"https://essai\.fr(/suivi/abonnement/\d+/\w+)", body).group(1)
    assert who.client.get(stop).status_code == 200
    assert (
        town.store.records.count("report_follower") == 1
    )  # opening a link does nothing: mail scanners open them
    who.client.post(stop, data=who.hidden(who.get(stop)))
    assert town.store.records.count("report_follower") == 0
    town.store.records.put(
        "report_update",
        {"request": row.id, "kind": "reply", "at": town.clock(), "text": "encore", "shown": True},
        who=SYSTEM,
    )
    deliver(town)
    assert post.taken() == {}


def test_reporters_of_a_merged_report_hear_of_the_other(
    visit, categories, town: Town, post: Postman, clock: Clock
) -> None:
    for n, mail in enumerate(("a@exemple.fr", "b@exemple.fr")):
        answer = visit(address=f"192.0.2.{n}").fill_in(
            category=str(categories["depot"]), place=f"ailleurs {n}", description=f"Un matelas {n}", mail=mail
        )
        assert answer.status_code == 303
    first, second = reports(town)
    made = states.move(second.values, "merge", "agent", clock(), duplicate_of=first.id)
    town.store.records.put("service_request", made.values, id=second.id, who=SYSTEM)
    deliver(town)
    post.taken()
    close(town, first, "not_ours")
    deliver(town)
    assert sorted(post.taken()) == [
        "a@exemple.fr: Signalement 25-00001 : Clos (Ne relève pas de la commune)",
        "b@exemple.fr: Signalement 25-00002 : Clos (Ne relève pas de la commune)",
    ]


def test_a_formal_request_gets_its_two_receipts(visit, categories, town: Town, post: Postman) -> None:
    who: Citizen = visit()
    refused = who.fill_in(
        "/signaler?saisine=1",
        action="/signaler",
        category=str(categories["lampadaire"]),
        place="rue des Tilleuls",
        description="x y z",
    )
    assert refused.status_code == 400 and "R112-9-1" in refused.text and "3 points à corriger" in refused.text
    answer = who.fill_in("/signaler?saisine=1", action="/signaler", category=str(categories["lampadaire"]), place="rue des Tilleuls", description="x y z", asked="lampadaire",
                         name="Anne Martin", mail="a@exemple.fr", postal="3 rue Haute, 18000 Essai")  # fmt: skip
    (row,) = reports(town)
    assert (row.values["kind"], row.values["shown"], row.values["confidential"]) == ("saisine", False, True)
    assert [u.values["action"] for u in updates(town, kind="receipt")] == ["aee", "are"]
    deliver(town)
    told = post.taken()
    assert list(told) == [
        "a@exemple.fr: Accusé d'enregistrement de votre saisine 25-00001",
        "a@exemple.fr: Accusé de réception de votre saisine 25-00001",
    ]
    receipt = told["a@exemple.fr: Accusé de réception de votre saisine 25-00001"]
    for said in (
        "24/11/2025",
        "Éclairage public",
        "1 place de la Mairie, 18000 Essai",
        "mairie@essai.fr",
        "02 48 00 00 01",
    ):
        assert said in receipt
    paper = who.get(answer.headers["location"].split("?")[0] + "/accuse")
    for said in (
        "Éclairage public",
        "1 place de la Mairie, 18000 Essai",
        "mairie@essai.fr",
        "02 48 00 00 01",
        "25-00001",
    ):
        assert said in paper


def test_the_second_receipt_waits_for_the_service_to_be_known(
    visit, categories, town: Town, post: Postman
) -> None:
    who: Citizen = visit()
    who.fill_in("/signaler?saisine=1", action="/signaler", category=str(categories["trou"]), place="rue des Tilleuls", description="x y z",
                name="Anne Martin", mail="a@exemple.fr", postal="3 rue Haute")  # fmt: skip
    deliver(town)
    assert list(post.taken()) == ["a@exemple.fr: Accusé d'enregistrement de votre saisine 25-00001"]
    (row,) = reports(town)
    hall = town.store.records.by_key("report_department", "mairie")
    made = states.move(row.values, "route", "agent", town.clock())
    town.store.records.put("service_request", {**made.values, "department": hall.id}, id=row.id, who=SYSTEM)
    for _ in range(2):
        town.store.records.put("report_update", {**made.update, "request": row.id}, who=SYSTEM)
    deliver(town)
    assert [s for s in post.taken() if "réception" in s] == [
        "a@exemple.fr: Accusé de réception de votre saisine 25-00001"
    ]


def test_alerts_around_a_point_once_confirmed(
    visit, categories, town: Town, post: Postman, clock: Clock
) -> None:
    who: Citizen = visit()
    page = who.fill_in(
        "/signalements/alertes", place="12 rue des Tilleuls", radius="500", mail="v@exemple.fr"
    )
    assert "ouvrez-le et confirmez" in page.text
    lost = who.fill_in("/signalements/alertes", place="nulle part", radius="500", mail="v@exemple.fr")
    assert lost.status_code == 400
    deliver(town)
    link = re.search(r"https://essai\.fr(/alertes/\d+/\w+)", next(iter(post.taken().values()))).group(1)
    near = {"lon": str(HERE[0] + 0.002), "lat": str(HERE[1])}
    visit(address="192.0.2.5").fill_in(
        category=str(categories["depot"]), place="x y z", description="avant", **near
    )
    deliver(town)
    assert post.taken() == {}
    assert visit().client.get(link[:-1] + "0").status_code in (404, 200)
    who.client.post(link, data={**who.hidden(who.get(link)), "do": "confirm"})
    for n, (lon, confidential) in enumerate(((0.002, ""), (0.02, ""), (0.002, "1"))):
        answer = visit(address=f"192.0.3.{n}").fill_in(category=str(categories["tag" if n == 3 else "trou"]), place="x y z", description=f"après {n}",
                                              lon=str(HERE[0] + lon), lat=str(HERE[1] + 0.004 * n), confidential=confidential, step="checked")  # fmt: skip
        assert answer.status_code == 303
    deliver(town)
    assert list(post.taken()) == ["v@exemple.fr: Trou dans la chaussée signalé à 140 m"]
    stopped = who.client.post(link, data={**who.hidden(who.get(link)), "do": "stop"})
    assert stopped.status_code == 200
    row = town.store.records.find("report_alert", Query(deleted=True)).rows[0]
    assert row.values["mail"] is None


def test_alerts_of_an_area_and_its_lists(visit, categories, town: Town, post: Postman) -> None:
    who: Citizen = visit()
    x, y = HERE
    far = [[x + 0.02, y], [x + 0.04, y], [x + 0.04, y + 0.01], [x + 0.02, y + 0.01], [x + 0.02, y]]
    town.store.records.put("report_area", {"code": "gare", "name": "La Gare"}, who=SYSTEM, territory="18033",
                           geometry={"type": "Polygon", "coordinates": [far]})  # fmt: skip
    assert '<option value="gare">La Gare</option>' in who.get("/signalements/alertes")
    wrong = who.fill_in("/signalements/alertes", area="lune", mail="v@exemple.fr")
    assert wrong.status_code == 400 and "Ce quartier n&#39;existe pas" in wrong.text
    who.fill_in("/signalements/alertes", area="gare", mail="v@exemple.fr")
    deliver(town)
    link = re.search(r"https://essai\.fr(/alertes/\d+/\w+)", next(iter(post.taken().values()))).group(1)
    page = who.get(link)
    assert "Nouveaux signalements du quartier La Gare." in page
    who.client.post(link, data={**who.hidden(page), "do": "confirm"})
    for n, lon in enumerate((0.0, 0.021, 0.039)):
        visit(address=f"192.0.3.{n}").fill_in(category=str(categories["trou"]), place="x y z", description=f"trou {n}",
                                              lon=str(x + lon), lat=str(y + 0.005), step="checked")  # fmt: skip
    deliver(town)
    told = [letter.get_body().get_content() for letter in post.letters]
    assert list(post.taken()) == ["v@exemple.fr: Trou dans la chaussée signalé, quartier La Gare"]
    assert [re.search(r"trou \d", body).group(0) for body in told] == ["trou 1", "trou 2"]
    for path in ("/signalements?quartier=gare", "/signalements.atom?quartier=gare"):
        listed = who.get(path)
        assert [f"trou {n}" in listed for n in range(3)] == [False, True, True]
    features = who.client.get("/signalements.geojson?quartier=gare").json()["features"]
    assert len(features) == 2
    # an area of no commune in particular
    row = town.store.records.find("report_area", Query(where={"code": "gare"})).rows[0]
    alert = town.store.records.find("report_alert", Query()).rows[0]
    for name, number in (("report_area", row.id), ("report_alert", alert.id)):
        town.store.records.put(name, {}, id=number, territory="", who=SYSTEM)
    visit(address="192.0.3.9").fill_in(category=str(categories["trou"]), place="x y z", description="trou 9", lon=str(x + 0.03), lat=str(y + 0.005), step="checked")  # fmt: skip
    deliver(town)
    assert list(post.taken()) == ["v@exemple.fr: Trou dans la chaussée signalé, quartier La Gare"]


def test_text_messages_by_the_towns_gateway(visit, categories, town: Town) -> None:
    taken: list[dict[str, str]] = []

    class Gateway(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(msgspec.json.decode(self.rfile.read(int(self.headers["Content-Length"]))))
            assert self.headers["Beffroi-Signature"].startswith("t=")
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Gateway)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        town.store.set_setting("reports.sms", f"http://127.0.0.1:{server.server_port}/sms")
        town.store.set_setting("webhook.private", True)
        notices.read_bus(town)
        visit(language="en").fill_in(
            category=str(categories["depot"]),
            place="rue des Tilleuls",
            description="Un matelas",
            phone="06 12 34 56 78",
        )
        deliver(town)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
    (row,) = reports(town)
    key = key_of(town.settings.secret(), key_name(row.values))
    assert taken == [{"to": "06 12 34 56 78", "text": f"Report 25-00001 received /suivi/25-00001/{key}"}]


def test_the_letter_of_an_ordinary_report_says_what_was_sent_and_leads_to_its_paper(
    visit, categories, town: Town, post: Postman
) -> None:
    who: Citizen = visit()
    sent = who.fill_in(
        category=str(categories["depot"]),
        place="rue des Tilleuls",
        description="Un matelas",
        mail="v@exemple.fr",
    )
    deliver(town)
    (letter,) = post.letters
    body = letter.get_body().get_content().replace("\r\n", "\n")
    own = sent.headers["location"].split("?")[0]
    assert "Quoi : Dépôt sauvage\nOù : rue des Tilleuls\nVous avez écrit : Un matelas\n" in body
    link = f"https://essai.fr{own}"
    assert f"Suivre, compléter, retirer : {link}\nAccusé à imprimer : {link}/accuse\n" in body
    assert list(letter.iter_attachments()) == []
    assert who.client.get(f"{own}/accuse").status_code == 200


def test_jobs_hold_no_name_and_no_address(visit, categories, town: Town) -> None:
    visit().fill_in(
        category=str(categories["depot"]),
        place="rue des Tilleuls",
        description="Un matelas",
        mail="secret@exemple.fr",
        name="Zoé Zyx",
    )
    with town.store.read() as c:
        held = str(c.exec_driver_sql("SELECT payload, key FROM job").all())
    assert "report/" in held and "secret@exemple.fr" not in held and "Zyx" not in held


def test_a_bulk_import_is_read_without_a_question_for_each_row(town: Town) -> None:
    asked: list[str] = []

    def statements(count: int) -> int:
        with town.store.records.writer(SYSTEM) as writer:
            for n in range(count):
                values = {"number": f"I-{count}-{n}", "requested": town.clock(), "channel": "import",
                          "moderation": "accepted", "shown": True}  # fmt: skip
                writer.create("service_request", values, {"type": "Point", "coordinates": [2.3, 48.8]})
        asked.clear()
        while notices.read_bus(town):
            pass
        return len(asked)

    def note(_c: object, _cursor: object, statement: str, *_more: object) -> None:
        asked.append(statement)

    while notices.read_bus(town):
        pass
    event.listen(Engine, "before_cursor_execute", note)
    try:
        assert statements(5) == statements(60) > 0
    finally:
        event.remove(Engine, "before_cursor_execute", note)
