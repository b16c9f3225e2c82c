"""Web push: browsers that subscribed are told, by a push service that is real HTTP and opens what it got with another
library; nobody else is called; what ends is erased."""

import base64
import http.server
import json
import threading
from collections.abc import Iterator

import http_ece
import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import select, text
from tests.conftest import free_port
from tests.services.reports.conftest import HERE, Citizen, Clock
from tests.services.reports.test_citizens import close, reports
from tests.services.reports.test_telling import deliver

from beffroi.model.principal import SYSTEM
from beffroi.rules import outbox
from beffroi.services.reports import erasure, notices
from beffroi.services.reports.devices import public_key
from beffroi.settings import PushSettings
from beffroi.store.tables import job
from beffroi.town import Town

CURVE = ec.SECP256R1()


def text_of(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def raw(written: str) -> bytes:
    return base64.urlsafe_b64decode(written + "=" * (-len(written) % 4))


class Device:
    """A browser: its keys, and what it would show."""

    def __init__(self, service: "PushService", name: str) -> None:
        self.key, self.secret = ec.generate_private_key(CURVE), name.encode().ljust(16, b"_")
        self.endpoint = f"{service.url}/{name}"
        self.told: list[dict[str, str]] = []
        self.status = 201
        service.devices[f"/{name}"] = self

    def json(self) -> str:
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        keys = {"p256dh": text_of(point), "auth": text_of(self.secret)}
        return json.dumps({"endpoint": self.endpoint, "expirationTime": None, "keys": keys})


class PushService:
    """A push service (RFC 8030) on the loopback, which checks who sends (RFC 8292)."""

    def __init__(self, town: Town) -> None:
        self.devices: dict[str, Device] = {}
        self.calls: list[dict[str, str]] = []
        self.key = public_key(town)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                device = outer.devices[self.path]
                outer.check(dict(self.headers))
                if device.status == 201:
                    opened = http_ece.decrypt(
                        body, private_key=device.key, auth_secret=device.secret, version="aes128gcm"
                    )
                    device.told.append(json.loads(opened))
                self.send_response(device.status)
                self.send_header("Location", "https://ailleurs.example/")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def check(self, headers: dict[str, str]) -> None:
        self.calls.append(headers)
        token, key = (
            part.split("=", 1)[1] for part in headers["Authorization"].removeprefix("vapid ").split(", ")
        )
        public = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, raw(key))
        assert key == self.key
        jwt.decode(token, public, ["ES256"], audience=self.url, options={"verify_exp": False})


@pytest.fixture
def service(town: Town) -> Iterator[PushService]:
    town.settings = msgspec.structs.replace(
        town.settings, push=PushSettings(private=True), base_url="https://essai.fr"
    )
    notices.read_bus(town)
    made = PushService(town)
    yield made
    made.server.shutdown()
    made.server.server_close()


def ask(who: Citizen, page: str, device: Device | str, to: str = "", **values: str):
    """Subscribe a browser as the page's script does."""
    hidden = {k: v for k, v in who.hidden(who.get(page)).items() if k in ("csrf", "start")}
    pushed = device if isinstance(device, str) else device.json()
    return who.client.post(
        to or f"{page}/appareil",
        data={**hidden, "push": pushed, **values},
        headers={"Accept": "application/json"},
    )


def report(who: Citizen, categories: dict[str, int], words: str = "Un matelas", **values: str) -> str:
    """Report something; return the page of its author."""
    answer = who.fill_in(
        category=str(categories["depot"]), place="rue des Tilleuls", description=words, **values
    )
    return answer.headers["location"].split("?")[0]


def test_a_device_is_told_each_step_and_stops(visit, categories, town: Town, service: PushService) -> None:
    who: Citizen = visit()
    own = report(who, categories)
    device = Device(service, "a")
    page = who.get(own)
    assert f'data-push="{public_key(town)}" data-to="{own}/appareil" hidden' in page
    stop = ask(who, own, device).json()["stop"]
    deliver(town)
    assert service.calls == []  # nothing happened yet: nobody is called
    (row,) = reports(town)
    close(town, row)
    deliver(town)
    (told,) = device.told
    assert told == {
        "title": "Signalement 25-00001 : Clos (Réparé)",
        "body": "Est-ce vraiment réglé ? Répondez en un clic, ou rouvrez, sur la page de suivi.",
        "page": f"https://essai.fr{own}", "stop": f"https://essai.fr{stop}", "stop_title": "Ne plus recevoir", "lang": "fr", "tag": told["tag"],
    }  # fmt: skip
    (call,) = service.calls
    assert {k: call[k] for k in ("TTL", "Urgency", "Content-Encoding", "Topic")} == {
        "TTL": "345600", "Urgency": "normal", "Content-Encoding": "aes128gcm", "Topic": told["tag"],
    }  # fmt: skip
    deliver(town)
    assert len(device.told) == 1  # nothing is told twice
    assert who.client.post(stop, data=who.hidden(who.get(own))).status_code == 200
    assert town.store.records.count("report_follower") == 0
    town.store.records.put("report_update", {"request": row.id, "kind": "reply", "at": town.clock(), "text": "encore", "shown": True}, who=SYSTEM)  # fmt: skip
    deliver(town)
    assert len(service.calls) == 1


def test_a_neighbour_s_device_follows_a_public_report_once_and_hears_of_no_private_one(
    visit, categories, town: Town, service: PushService
) -> None:
    own = report(visit(), categories)
    neighbour, device = visit(address="192.0.2.9", language="en"), Device(service, "n")
    (row,) = reports(town)
    path = f"/signalements/{row.values['number']}"
    first, again = ask(neighbour, path, device).json(), ask(neighbour, path, device).json()
    assert first == again and town.store.records.count("report_follower") == 1
    assert ask(neighbour, path, device, to="/suivi/25-00001/AAAAAAAAAA/appareil").status_code == 404
    close(town, row)
    deliver(town)
    assert [(t["title"], t["page"]) for t in device.told] == [
        ("Report 25-00001: Closed (Repaired)", f"https://essai.fr{path}")
    ]
    assert own not in str(device.told)
    town.store.records.put("service_request", {"confidential": True, "shown": False}, id=row.id, who=SYSTEM)
    assert ask(visit(), "/suivi", device, to=f"{path}/appareil").status_code in (400, 404)
    town.store.records.put("report_update", {"request": row.id, "kind": "reply", "at": town.clock(), "text": "privé"}, who=SYSTEM)  # fmt: skip
    deliver(town)
    assert len(device.told) == 1


def test_an_alert_around_a_point_needs_no_address(
    visit, categories, town: Town, service: PushService
) -> None:
    who, device = visit(), Device(service, "b")
    lon, lat = str(HERE[0]), str(HERE[1])
    refused = ask(who, "/signalements/alertes", device, place="nulle part du tout")
    assert (refused.status_code, refused.json()["place"]) == (400, "place")
    stop = ask(who, "/signalements/alertes", device, lon=lon, lat=lat, radius="200").json()["stop"]
    deliver(town)
    assert service.calls == []
    report(visit(address="192.0.2.7"), categories, "Un sommier", lon=lon, lat=lat)
    deliver(town)
    assert [(t["title"], t["body"], t["stop"]) for t in device.told] == [
        ("Dépôt sauvage signalé à 0 m", "rue des Tilleuls\nUn sommier", f"https://essai.fr{stop}")
    ]
    shown = who.hidden(who.get(stop))
    assert who.client.post(stop, data={**shown, "do": "stop"}).status_code == 200
    assert who.client.get(stop).status_code == 404 and town.store.records.count("report_alert") == 0
    report(visit(address="192.0.2.8"), categories, "Un frigo", lon=lon, lat=lat, step="checked")
    deliver(town)
    assert len(service.calls) == 1


def test_a_device_that_is_gone_is_forgotten(visit, categories, town: Town, service: PushService) -> None:
    who, devices = visit(), [Device(service, name) for name in ("unknown", "gone", "here")]
    own = report(who, categories)
    for device, status in zip(devices, (404, 410, 201), strict=True):
        ask(who, own, device)
        device.status = status
    close(town, reports(town)[0])
    deliver(town)
    left = town.store.records.find("report_follower").rows
    assert (len(service.calls), [row.values["push"]["endpoint"] for row in left]) == (
        3,
        [devices[2].endpoint],
    )
    assert waiting(town) == []


def test_a_browser_whose_address_changes_is_told_at_the_new_one(
    visit, categories, town: Town, service: PushService
) -> None:
    who, old, new = visit(), Device(service, "old"), Device(service, "new")
    own = report(who, categories)
    lon, lat = str(HERE[0]), str(HERE[1])
    stops = [
        ask(who, own, old).json()["stop"],
        ask(who, "/signalements/alertes", old, lon=lon, lat=lat, radius="200").json()["stop"],
    ]
    forged = [f"{stops[0][:-4]}AAAA", "/alertes/99/AAAAAAAAAA", "/suivi"]

    def move(body: str | dict) -> tuple[int, dict]:
        sent = body if isinstance(body, str) else json.dumps(body)
        answer = visit().client.post("/signalements/appareil", content=sent, headers={"Content-Type": "application/json", "Accept": "application/json"})  # fmt: skip
        return answer.status_code, answer.json()

    push = json.loads(new.json())
    assert move({"stops": forged, "push": push}) == (200, {"moved": 0})
    assert move("{")[0] == move({"stops": stops})[0] == move({"stops": stops, "push": {}})[0] == 400
    assert move({"stops": [*forged, *stops], "push": push}) == (200, {"moved": 2})
    report(visit(address="192.0.2.7"), categories, "Un sommier", lon=lon, lat=lat, step="checked")
    close(town, next(row for row in reports(town) if row.values["number"] in own))
    deliver(town)
    assert (old.told, {t["stop"].removeprefix("https://essai.fr") for t in new.told}) == ([], set(stops))
    assert ask(who, own, new).json()["stop"] == stops[0]  # it is the same subscription
    assert "push.example" not in str(town.store.records.find("report_follower").rows[0].values["reporter"])


def waiting(town: Town) -> list[tuple[str, str]]:
    with town.store.read() as c:
        found = c.execute(
            select(job.c.state, job.c.error).where(job.c.kind == notices.PUSH, job.c.state != "done")
        )
        return [tuple(row) for row in found]


def test_a_service_that_is_down_is_asked_again_later_and_one_that_refuses_is_not(
    visit, categories, town: Town, service: PushService, clock: Clock
) -> None:
    who, device = visit(), Device(service, "late")
    stubborn, elsewhere = Device(service, "no"), Device(service, "elsewhere")
    own = report(who, categories)
    for one, status in ((device, 503), (stubborn, 400), (elsewhere, 307)):
        ask(who, own, one)
        one.status = status
    (row,) = reports(town)
    close(town, row)
    deliver(town)
    assert sorted(waiting(town)) == [
        ("failed", "the push service answered 400"),
        ("waiting", "the push service answered 307"),  # a redirection is not followed
        ("waiting", "the push service answered 503"),
    ]
    device.status = 201
    deliver(town)
    assert device.told == []  # not yet
    clock.wait(outbox.DELAYS_US[0] / 1e6 + 1)
    deliver(town)
    assert len(device.told) == 1 and town.store.records.count("report_follower") == 3


def test_only_public_addresses_are_kept_and_called(
    visit, categories, town: Town, service: PushService
) -> None:
    who, device = visit(), Device(service, "inside")
    own = report(who, categories)
    ask(who, own, device)
    town.settings = msgspec.structs.replace(town.settings, push=PushSettings())
    close(town, reports(town)[0])
    deliver(town)  # kept while it was allowed: it is looked at again before it is called
    assert service.calls == [] and [state for state, _ in waiting(town)] == ["failed"]
    answer = ask(who, own, device)
    assert (answer.status_code, answer.json()["place"]) == (400, "/endpoint")


def test_what_no_browser_and_no_page_of_ours_sends_is_refused(
    visit, categories, town: Town, service: PushService
) -> None:
    who = visit()
    own = report(who, categories)
    for pushed in ("", "{", "[]", '{"endpoint": 3}', '{"keys": {}}', "null"):
        answer = ask(who, own, pushed)
        assert answer.status_code == 400 and answer.json()["reason"]
    assert ask(who, own, Device(service, "x"), start="").status_code == 400
    assert ask(who, own, Device(service, "y"), site_web="http://x").status_code == 400
    assert ask(who, own, Device(service, "z"), csrf="0" * 64).status_code == 403
    assert town.store.records.count("report_follower") == 0
    hidden = {k: v for k, v in who.hidden(who.get(own)).items() if k in ("csrf", "start")}
    flood = [
        who.client.post(
            f"{own}/appareil", data={**hidden, "push": Device(service, str(n)).json()}
        ).status_code
        for n in range(62)
    ]
    assert (flood.count(200), flood[-2:]) == (60, [429, 429])


def test_what_ends_is_erased(visit, categories, town: Town, service: PushService) -> None:
    who, device, other = visit(), Device(service, "secretappareil"), Device(service, "unautre")
    own = report(who, categories)
    ask(who, own, device)
    stop = ask(who, own, other).json()["stop"]
    with town.store.read() as c:
        dump = str(
            c.execute(text("SELECT * FROM c_report_follower")).all()
            + c.execute(text("SELECT * FROM history")).all()
        )
        person = c.execute(text("SELECT max(_person) FROM c_report_follower")).scalar_one()
    assert "secretappareil" not in dump and "unautre" not in dump  # sealed from the first
    who.client.post(stop, data=who.hidden(who.get(own)))
    with town.store.read() as c:
        key = c.execute(text("SELECT wrapped FROM person_key WHERE id = :id"), {"id": person}).scalar_one()
    assert key is None  # history and backups cannot be read any more
    told = json.loads(who.get(f"{own}/donnees.json"))["followers"]
    assert [f["push"]["endpoint"] for f in told] == [device.endpoint]
    erasure.erase(town, reports(town)[0], SYSTEM)
    close(town, reports(town)[0])
    deliver(town)
    assert service.calls == []
