"""Actions done for real: a mail server, an HTTP receiver, an MQTT broker, the store."""

import contextlib
import http.server
import json
import shutil
import socket
import subprocess
import threading
import time

import msgspec
import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import select

from beffroi.model.collection import Collection, Record, field
from beffroi.model.principal import Principal
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.rules import alarms, outbox
from beffroi.rules.actions import ALLOW_PRIVATE, Hands, webhook_secret, work_off
from beffroi.rules.collections import PLATFORM_COLLECTIONS
from beffroi.rules.webhook import addresses, signature, verify
from beffroi.settings import MailSettings, MqttSettings
from beffroi.store.record import Query
from beffroi.store.tables import job

AGENT = Principal("user:2", "Yann", "agent")


class Inbox:
    def __init__(self):
        self.letters = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        self.letters.append((envelope.rcpt_tos, envelope.content.decode()))
        return "250 OK"


@pytest.fixture
def inbox():
    box = Inbox()
    controller = Controller(box, hostname="127.0.0.1", port=0)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        controller.port = probe.getsockname()[1]
    controller.start()
    box.url = f"smtp://127.0.0.1:{controller.port}"
    yield box
    controller.stop()


@pytest.fixture
def receiver():
    got, answers = [], []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((dict(self.headers), body))
            self.send_response(answers.pop(0) if answers else 204)
            self.end_headers()

        def log_message(self, *args):
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    server.got, server.answers = got, answers
    server.url = f"http://127.0.0.1:{server.server_address[1]}/alarmes?ville=1"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def hands(place, **changes) -> Hands:
    return Hands(msgspec.structs.replace(place.store.settings, **changes))


def do(place, with_hands) -> int:
    return work_off(place.store, with_hands, threading.Event())


def jobs(place) -> list:
    with place.store.read() as c:
        return c.execute(select(job).order_by(job.c.id)).all()


def test_a_letter_for_each_moment(place, inbox):
    series = place.series()
    place.rule(
        "{above: 5}",
        series,
        more="severity: rouge\nactions: [{email: [a@b.fr, c@d.fr], on: [raise, acknowledge, clear]}]",
    )
    place.now(series, "9")
    alarms.acknowledge(place.store, [place.alarms()[0].id], AGENT)
    place.clock.go(60)
    place.now(series, "1")
    settings = hands(place, mail=MailSettings(inbox.url, "beffroi@essai.fr"), base_url="https://essai.fr")
    assert do(place, settings) == 3
    assert [to for to, _ in inbox.letters] == [["a@b.fr", "c@d.fr"]] * 3
    first = inbox.letters[0][1]
    assert f"https://essai.fr/alarmes/{place.alarms()[0].id}" in first
    assert "Alerte rouge" in first
    assert [state.state for state in jobs(place)] == ["done"] * 3
    assert do(place, settings) == 0


def test_a_letter_is_in_the_language_of_its_town(small, inbox):
    series = small.series()
    more = "severity: rouge\nactions: [{email: a@b.fr}]"
    small.rule("{above: 5}", series, more=f'message: "Trop haut"\nmessage_en: "Too high"\n{more}')
    small.now(series, "9")
    settings = hands(small, mail=MailSettings(inbox.url, "beffroi@essai.fr"), language="en")
    assert do(small, settings) == 1
    (_, letter) = inbox.letters[0]
    assert "Subject: Red alert: Too high" in letter and "Trop haut" not in letter


def test_a_mail_server_that_is_away_is_tried_again_and_the_failure_seen(place, inbox):
    series = place.series()
    place.rule("{above: 5}", series, more="actions: [{email: a@b.fr}]")
    place.now(series, "9")
    away = hands(place, mail=MailSettings("smtp://127.0.0.1:1"))
    assert do(place, away) == 1
    (seen,) = outbox.of_alarm(place.store, place.alarms()[0].id)
    assert (seen["state"], seen["attempts"], seen["action"]) == ("waiting", 1, "email")
    assert "refused" in seen["error"]
    assert do(place, away) == 0
    place.clock.go(11)
    assert do(place, hands(place, mail=MailSettings(inbox.url))) == 1
    assert len(inbox.letters) == 1


def test_without_a_mail_server_the_action_fails_for_good_and_can_be_retried(small, inbox):
    series = small.series()
    small.rule("{above: 5}", series, more="actions: [{email: a@b.fr}]")
    small.now(series, "9")
    do(small, hands(small))
    (seen,) = outbox.of_alarm(small.store, small.alarms()[0].id)
    assert seen["state"] == "failed"
    assert outbox.retry(small.store, seen["id"], small.clock.now)
    do(small, hands(small, mail=MailSettings(inbox.url)))
    assert len(inbox.letters) == 1
    assert not outbox.retry(small.store, seen["id"], small.clock.now)


def test_a_webhook_is_signed_retried_and_known_by_its_delivery(place, receiver):
    place.store.set_setting(ALLOW_PRIVATE, True)
    series = place.series()
    place.rule("{above: 5}", series, more=f"actions: [{{webhook: '{receiver.url}', on: [raise, clear]}}]")
    place.now(series, "9")
    receiver.answers += [500, 429]
    for wait in (0, 11, 61):
        place.clock.go(wait)
        assert do(place, hands(place)) == 1
    headers, body = receiver.got[-1]
    secret = webhook_secret(place.store.settings, receiver.url)
    assert verify(secret, body, headers["Beffroi-Signature"], place.clock.now // 1_000_000)
    assert not verify(b"another", body, headers["Beffroi-Signature"], place.clock.now // 1_000_000)
    assert not verify(secret, body + b" ", headers["Beffroi-Signature"], place.clock.now // 1_000_000)
    assert not verify(secret, body, headers["Beffroi-Signature"], place.clock.now // 1_000_000 + 301)
    assert len({h["Beffroi-Delivery"] for h, _ in receiver.got}) == 1
    told = json.loads(body)
    assert (told["event"], told["alarm"]["severity"], told["alarm"]["value"]) == ("alarm.raise", "orange", 9)
    assert "assignee" not in told["alarm"]
    assert [state.state for state in jobs(place)] == ["done"]


def test_a_webhook_that_says_no_is_not_tried_again(small, receiver):
    small.store.set_setting(ALLOW_PRIVATE, True)
    receiver.answers += [410]
    series = small.series()
    small.rule("{above: 5}", series, more=f"actions: [{{webhook: '{receiver.url}'}}]")
    small.now(series, "9")
    do(small, hands(small))
    assert [(j.state, j.error) for j in jobs(small)] == [("failed", "answered 410")]


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "10.1.2.3", "192.168.0.1", "169.254.169.254", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]",
     "[fe80::1]", "[fd00::1]", "2130706433", "[2002:7f00:1::]"],
)  # fmt: skip
def test_a_webhook_does_not_reach_into_the_towns_own_network(host):
    with contextlib.suppress(OSError), pytest.raises(Problem):
        addresses(host.strip("[]"), 80, private=False)


def test_a_private_webhook_is_refused_before_anything_is_sent(small, receiver):
    series = small.series()
    small.rule("{above: 5}", series, more=f"actions: [{{webhook: '{receiver.url}'}}]")
    small.now(series, "9")
    do(small, hands(small))
    assert receiver.got == []
    assert [j.state for j in jobs(small)] == ["failed"]


def test_the_signature_is_the_documented_one():
    # openssl: printf '1.{}' | openssl dgst -sha256 -hmac secret
    told = subprocess.run(
        ["openssl", "dgst", "-sha256", "-hmac", "secret"], input=b"1.{}", capture_output=True, check=True
    )
    assert signature(b"secret", b"{}", 1) == "t=1,v1=" + told.stdout.decode().split()[-1]


@pytest.mark.skipif(not shutil.which("mosquitto"), reason="mosquitto is not installed")
def test_a_message_on_an_external_broker(small, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = tmp_path / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    broker = subprocess.Popen(
        ["mosquitto", "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        series = small.series()
        small.rule(
            "{above: 5}",
            series,
            more="actions: [{mqtt: ville/alarmes, payload: '{severity} {value}', retain: true}]",
        )
        small.now(series, "9")
        assert do(small, hands(small, mqtt=MqttSettings(f"mqtt://127.0.0.1:{port}"))) == 1
        read = subprocess.run(
            ["mosquitto_sub", "-p", str(port), "-t", "ville/alarmes", "-C", "1", "-W", "5"],
            capture_output=True,
            check=True,
        )
        assert read.stdout.decode().strip() == "orange 9.0"
    finally:
        broker.terminate()
        broker.wait()


def test_a_message_on_the_towns_own_broker(small):
    sent = []
    series = small.series()
    small.rule("{above: 5}", series, more="actions: [{mqtt: ville/alarmes}]")
    small.now(series, "9")
    do(small, Hands(small.store.settings, lambda: lambda *message: sent.append(message)))
    assert (sent[0][0], json.loads(sent[0][1])["alarm"]["value"], sent[0][2]) == ("ville/alarmes", 9, False)


class Order(Record):
    title: str = field("Titre", "Title")
    size: float | None = field("Taille", "Size")


def test_a_record_is_created_once(place):
    order = Collection("work_order", Text("Travaux", "Work"), Order)
    place.store.records.declare((*PLATFORM_COLLECTIONS, order))
    series = place.series()
    action = "{record: work_order, values: {title: 'Voir {message}', size: '{value}'}}"
    place.rule("{above: 5}", series, more=f"actions: [{action}]")
    place.now(series, "9.5")
    do(place, hands(place))
    do(place, hands(place))
    (row,) = place.store.records.find("work_order", Query()).rows
    assert row.values == {"title": "Voir Hauteur d'eau (Ardèche à Meyras) dépasse 5 cm", "size": 9.5}


def test_a_record_that_cannot_be_created_says_why(small):
    series = small.series()
    small.rule("{above: 5}", series, more="actions: [{record: nowhere, values: {}}]")
    small.now(series, "9")
    do(small, hands(small))
    assert [(j.state, j.error) for j in jobs(small)] == [("failed", "There is no collection 'nowhere'.")]


def test_history_being_imported_alarms_nobody(small):
    series = small.series()
    small.rule("{above: 5}", series, more="actions: [{email: a@b.fr, on: [raise, clear]}]")
    small.send(series, (-86_400 * 3, "9"), (-86_400 * 2, "1"), (-3600, "9"))
    small.work()
    assert len(small.alarms()) == 2
    assert len(jobs(small)) == 1


def test_a_lease_that_ran_out_is_taken_again(small):
    series = small.series()
    small.rule("{above: 5}", series, more="actions: [{email: a@b.fr}]")
    small.now(series, "9")
    first = outbox.take(small.store, small.clock.now, "one")
    assert outbox.take(small.store, small.clock.now, "two") is None
    small.clock.go(121)
    again = outbox.take(small.store, small.clock.now, "two")
    assert (again.id, again.key, again.attempts) == (first.id, first.key, 2)
