"""Letters by real SMTP, and sensors that open and close reports."""

import smtplib
import threading
from email.message import EmailMessage

import pytest
from tests.conftest import free_port
from tests.services.reports.desk.conftest import COMMUNE, NOW, report
from tests.services.reports.photographs import photograph

from beffroi.model.principal import SYSTEM
from beffroi.services.reports.desk.acting import Deed
from beffroi.services.reports.desk.alarms import follow_alarms, read_alarms
from beffroi.services.reports.desk.letters_in import reply_key
from beffroi.services.reports.desk.mailbox import listen, receive
from beffroi.services.reports.keys import reply_key as written_key
from beffroi.store.record import Query


@pytest.fixture
def post(town):
    """Give what sends a letter to the town by SMTP; returns the server's refusal or "" when it took it."""
    port = free_port()
    server = listen(town, "127.0.0.1", port)

    def send(
        text: str,
        to: str,
        sender: str = "anais@exemple.example.org",
        photo: bytes | None = None,
        **headers: str,
    ) -> str:
        letter = EmailMessage()
        letter["From"], letter["To"], letter["Subject"] = sender, to, "Re: Votre signalement"
        for name, value in headers.items():
            letter[name.replace("_", "-")] = value
        letter.set_content(text)
        if photo:
            letter.add_attachment(photo, maintype="image", subtype="jpeg", filename="trou.jpg")
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
            client.send_message(letter)
        return ""

    yield send
    server.stop()


def comments(town, number: int) -> list[dict]:
    return [
        row.values
        for row in town.store.records.find("report_update", Query(where={"request": number}, sort="at")).rows
    ]


def test_a_reply_by_mail_becomes_a_comment_and_its_photo_loses_its_place(town, ids, post) -> None:
    number = report(town, ids, 1, mail="anais@exemple.example.org")
    key = written_key(town.settings.secret(), number)
    assert key == reply_key(town.settings.secret(), number)  # what letters carry is what is read
    raw = photograph("jpeg", size=(640, 480))
    assert b"Exif" in raw
    post(
        "Toujours là.\n\n> Votre signalement",
        f"mairie+{key}@essai.example.org",
        photo=raw,
        Message_ID="<1@x.example.org>",
    )
    (comment,) = comments(town, number)
    assert (comment["kind"], comment["actor"], comment["text"]) == ("comment", "reporter", "Toujours là.")
    (photo,) = town.store.records.find("report_photo", Query(where={"request": number})).rows
    kept, _ = town.store.files.read(photo.values["original"])
    assert not any(mark in kept for mark in (b"Exif", b"http://ns.adobe.com", b"GPS", b"ICC_PROFILE"))
    post("Toujours là.", f"mairie+{key}@essai.example.org", Message_ID="<1@x.example.org>")  # delivered twice
    assert len(comments(town, number)) == 1


def test_an_answer_to_a_question_goes_on_with_the_report(town, ids, post, handling) -> None:
    number = report(town, ids, 1, mail="anais@exemple.example.org")
    handling.act([number], Deed("ask", "De quel côté de la rue ?"))
    post("Côté pair.", f"m+{written_key(town.settings.secret(), number)}@essai.example.org")
    assert town.store.records.get("service_request", number).values["state"] == "waiting"
    assert comments(town, number)[-1]["text"] == "Côté pair."


def test_a_stranger_with_the_number_alone_cannot_write(town, ids, post) -> None:
    number = report(town, ids, 1)
    post("Fermez-le.", f"mairie+r{number}.{'0' * 20}@essai.example.org", Auto_Submitted="no")
    assert comments(town, number) == []


def test_machines_and_bounces(town, ids, post) -> None:
    number = report(town, ids, 1)
    to = f"mairie+{written_key(town.settings.secret(), number)}@essai.example.org"
    post("Je suis absent.", to, Auto_Submitted="auto-replied")
    assert comments(town, number) == []
    bounce = (
        f"From: MAILER-DAEMON@mx.example.org\r\nTo: {to}\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n--b\r\n\r\nno\r\n--b--\r\n'
    ).encode()
    assert receive(town, bounce) == "bounce"
    (note,) = comments(town, number)
    assert (note["kind"], note["shown"]) == ("note", False)
    assert "n'est pas arrivé" in note["text"]


def test_a_letter_to_the_town_is_a_report_to_be_read_first(town, ids, post) -> None:
    post("Il y a un trou devant le 12 rue de la Gare.", "mairie@essai.example.org")
    (row,) = town.store.records.find("service_request").rows
    assert (row.values["channel"], row.values["moderation"], row.values["shown"]) == (
        "mail",
        "waiting",
        False,
    )
    assert row.values["mail"] == "anais@exemple.example.org"
    assert "12 rue de la Gare" in row.values["description"]


def alarm(town, **more: object) -> int:
    rule = town.store.records.put("rule", {"name": "Plein", "yaml": "name: Plein"}, who=SYSTEM).id
    where = {"type": "Point", "coordinates": [2.39, 47.05]}
    bin_ = town.store.records.put("bin", {"code": "B-1"}, geometry=where, territory=COMMUNE, who=SYSTEM).id
    values = {
        "message": "Conteneur plein",
        "rule": rule,
        "subject": f"record:bin:{bin_}",
        "raised_at": NOW,
        **more,
    }
    return town.store.records.put("alarm", values, territory=COMMUNE, who=SYSTEM).id


def opened_by(town, number: int) -> int:
    """What the action `record: service_request` of the default rule writes."""
    values = {
        "number": f"A-{number}",
        "source": "alarm",
        "source_id": str(number),
        "channel": "sensor",
        "requested": NOW,
        "description": "Conteneur plein",
    }
    return town.store.records.put("service_request", values, territory=COMMUNE, who=SYSTEM).id


def follow(town) -> None:
    while read_alarms(town):
        continue


def test_a_sensor_opens_a_report_and_closes_it(town, ids) -> None:
    follow(town)
    number = alarm(town)
    made = opened_by(town, number)
    follow(town)
    row = town.store.records.get("service_request", made)
    assert row.geometry == {"type": "Point", "coordinates": [2.39, 47.05]}
    assert (row.values["area"], row.values["shown"], row.values["asset"][:4]) == ("Gare", True, "bin/")
    town.store.records.put("alarm", {"cleared_at": NOW, "state": "cleared"}, id=number, who=SYSTEM)
    follow(town)
    row = town.store.records.get("service_request", made)
    assert (row.values["state"], row.values["reason"]) == ("closed", "already_done")
    assert row.values["first_answered"] is None  # no human answered


def test_what_someone_took_on_is_not_closed_by_a_machine(town, ids, handling) -> None:
    follow(town)
    number = alarm(town)
    made = opened_by(town, number)
    follow(town)
    handling.act([made], Deed("take"))
    town.store.records.put("alarm", {"cleared_at": NOW, "state": "cleared"}, id=number, who=SYSTEM)
    follow(town)
    assert town.store.records.get("service_request", made).values["state"] == "in_progress"
    assert comments(town, made)[-1]["kind"] == "note"


def test_a_town_that_writes_all_the_time_is_read_twice_a_second(town, ids) -> None:
    follow(town)
    stop = threading.Event()
    duty = threading.Thread(target=follow_alarms, args=(town, stop))
    duty.start()
    before = town.store.database.told
    for number in range(25):
        opened_by(town, 900 + number)
        stop.wait(0.02)
    written = town.store.database.told - before - 25
    stop.set()
    duty.join()
    assert written < 12  # it, and the watcher of other processes, which looks five times a second
