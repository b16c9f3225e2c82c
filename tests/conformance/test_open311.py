"""Open311 with clients that others wrote: `georeport` unmodified, and SeeClickFix's validator's 22 rules."""

import csv
import io
import json
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import uvicorn
import xmltodict
from georeport import GeoReport
from PIL import Image

from beffroi.app import create_app
from beffroi.connectors.schedule import run_once
from beffroi.connectors.source import Source
from beffroi.identity.keys import create
from beffroi.intake.kinds import kind_called
from beffroi.intake.records import import_records
from beffroi.intake.take import Intake
from beffroi.model.instant import parse_instant
from beffroi.model.principal import SYSTEM
from beffroi.plugins import load_registry
from beffroi.rules.collections import PLATFORM_COLLECTIONS
from beffroi.services.reports.open311.files import IMPORTS
from beffroi.settings import Open311Settings, Settings
from beffroi.store.open import Store
from beffroi.store.record import Entry, Query
from beffroi.store.record_import import take
from beffroi.town import Town

NOW = parse_instant("2015-12-01T12:00:00Z")
QUESTIONS = [
    {"code": "taille", "fr": "Quelle taille ?", "en": "How large?", "kind": "singlevaluelist", "required": True,
     "values": [{"key": "p", "fr": "Petit", "en": "Small"}, {"key": "g", "fr": "Grand", "en": "Large"}]},
    {"code": "depuis", "fr": "Depuis quand ?", "en": "Since when?", "kind": "datetime"},
]  # fmt: skip


class Served:
    """A town on a free port of the loopback."""

    def __init__(self, data: Path, **open311: Any) -> None:
        self.store = Store.open(
            Settings(data=data, name="Essai-les-Bains", open311=Open311Settings(**open311)), lambda: NOW
        )
        registry = load_registry((), PLATFORM_COLLECTIONS)
        self.store.records.declare(registry.collections.values())
        self.town = Town(
            Settings(data=data, name="Essai-les-Bains", open311=Open311Settings(**open311)),
            self.store,
            registry,
            lambda: NOW,
        )
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.server = uvicorn.Server(uvicorn.Config(create_app(self.town), log_level="error"))
        self._thread = threading.Thread(target=self.server.run, kwargs={"sockets": [listener]}, daemon=True)
        self._thread.start()
        while not self.server.started:
            time.sleep(0.01)

    def stop(self) -> None:
        self.server.should_exit = True
        self._thread.join()
        self.town.close()

    def get(self, path: str) -> tuple[int, bytes, str]:
        try:
            with urllib.request.urlopen(self.url + path) as answer:
                return answer.status, answer.read(), answer.headers["Content-Type"]
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(), error.headers["Content-Type"]

    def post(
        self, path: str, pairs: list[tuple[str, str]], photo: bytes = b"", key: str = ""
    ) -> tuple[int, bytes]:
        """Send a form, in parts when there is a photo, as `three` does."""
        kind, body = "application/x-www-form-urlencoded", urllib.parse.urlencode(pairs).encode()
        if photo:
            kind = "multipart/form-data; boundary=limite"
            parts = [
                f'--limite\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n'.encode()
                for n, v in pairs
            ]
            head = b'--limite\r\nContent-Disposition: form-data; name="media"; filename="p.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
            body = b"".join(parts) + head + photo + b"\r\n--limite--\r\n"
        headers = {"Content-Type": kind} | ({"Authorization": f"Bearer {key}"} if key else {})
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, body, headers)) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def make(self, count: int) -> None:
        """Add a category with questions and `count` published reports of 2015-11-20."""
        take(self.store.records, "report_category", [
            Entry({"code": "voirie", "name": "Voirie", "name_en": "Roads"}), Entry({"code": "trou", "name": "Trou", "name_en": "Pothole",
                   "parent": "voirie", "questions": QUESTIONS, "synonyms": "nid de poule, ornière", "description": "Un trou dans la chaussée"}),
        ], who=SYSTEM)  # fmt: skip
        take(self.store.records, "service_request", [
            Entry({"number": f"2015-{n}", "category": "trou", "description": f"Trou n° {n} <ici>", "place": f"{n} rue du Four",
                   "requested": f"2015-11-20T10:0{n}:00+01:00", "moderation": "accepted", "shown": True},
                  {"type": "Point", "coordinates": [-2.08, 47.65]})
            for n in range(1, count + 1)
        ], who=SYSTEM)  # fmt: skip
        take(self.store.records, "service_request", [
            Entry({"number": "2015-9", "category": "trou", "description": "caché", "requested": "2015-11-21T10:00:00+01:00", "shown": False})
        ], who=SYSTEM)  # fmt: skip


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("three"))
    served.make(3)
    yield served
    served.stop()


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("one"), charset=False)
    served.make(1)
    yield served
    served.stop()


@pytest.mark.parametrize("form", ["json", "xml"])
def test_georeport_with_three_results(three: Served, form: str) -> None:
    client = GeoReport(f"{three.url}/open311/v2", output_format=form)
    listed = client.get_service_list()
    service = listed[0] if form == "json" else listed
    assert (service["service_code"], service["service_name"], service["group"]) == ("trou", "Trou", "Voirie")
    assert service["metadata"] in (True, "true")
    asked = client.get_service_definition("trou")
    attributes = asked["attributes"] if form == "json" else asked["attributes"]["attribute"]
    assert [a["code"] for a in attributes] == ["taille", "depuis"]
    assert attributes[0]["required"] in (True, "true")
    found = client.get_service_requests()
    assert [r["service_request_id"] for r in found] == ["2015-3", "2015-2", "2015-1"]
    assert found[0]["requested_datetime"] == "2015-11-20T10:03:00+01:00"
    assert found[0]["description"] == "Trou n° 3 <ici>"
    single = client.get_service_request("2015-2")
    assert (single["status"], float(single["lat"]), float(single["long"])) == ("open", 47.65, -2.08)
    some = client.get_service_requests(service_request_id="2015-1,2015-3,2015-9")
    assert [r["service_request_id"] for r in some] == ["2015-1", "2015-3"]


@pytest.mark.parametrize("form", ["json", "xml"])
def test_georeport_with_one_result(one: Served, form: str) -> None:
    client = GeoReport(f"{one.url}/open311/v2", output_format=form)
    found = client.get_service_requests(
        service_code="trou", status="open", start_date="2015-11-01T00:00:00Z", end_date="2015-11-30T00:00:00Z"
    )
    row = found[0] if form == "json" else found
    assert row["service_request_id"] == "2015-1"
    assert client.get_service_request("2015-1")["service_code"] == "trou"


def test_georeport_with_none(three: Served) -> None:
    client = GeoReport(f"{three.url}/open311/v2")
    assert client.get_service_requests(status="closed") == []
    assert client.get_service_requests(service_code="inconnu") == []
    assert (
        client.get_service_requests(start_date="2014-01-01T00:00:00Z", end_date="2014-02-01T00:00:00Z") == []
    )


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("requests/2015-9", 404, "2015-9"),  # it exists, and is not published
        ("requests/nope", 404, "nope"),
        ("services/nope", 404, "nope"),
        ("requests", 200, ""),
    ],
)
@pytest.mark.parametrize("form", ["json", "xml"])
def test_what_is_missing_is_said_in_the_format_asked(
    three: Served, path: str, code: int, words: str, form: str
) -> None:
    status, body, kind = three.get(f"/open311/v2/{path}.{form}")
    assert (status, kind) == (code, "application/json" if form == "json" else "text/xml; charset=utf-8")
    if code == 404:
        fault = json.loads(body)[0] if form == "json" else xmltodict.parse(body)["errors"]["error"]
        assert int(fault["code"]) == 404
        assert words in fault["description"]


@pytest.mark.parametrize(
    "query",
    [
        "status=done",
        "page=0",
        "page_size=5000",
        "start_date=hier",
        "start_date=2015-01-01&end_date=2015-12-01",
    ],
)
def test_a_wrong_argument_is_400(three: Served, query: str) -> None:
    for form in ("json", "xml"):
        status, body, _ = three.get(f"/open311/v2/requests.{form}?{query}")
        assert status == 400
        assert query.partition("=")[0].split("_")[-1].encode() in body or b"date" in body


def test_pages(three: Served) -> None:
    got = [json.loads(three.get(f"/open311/v2/requests.json?page={p}&page_size=2")[1]) for p in (1, 2, 3)]
    assert [[r["service_request_id"] for r in page] for page in got] == [["2015-3", "2015-2"], ["2015-1"], []]


def test_english(three: Served) -> None:
    _, body, _ = three.get("/open311/v2/services.json?lang=en")
    assert json.loads(body)[0]["service_name"] == "Pothole"


def test_an_unknown_format_is_404(three: Served) -> None:
    assert three.get("/open311/v2/services.yaml")[0] == 404


def _past(text: str) -> bool:
    return datetime.fromisoformat(text).timestamp() < time.time()


def test_the_rules_of_the_validator(one: Served) -> None:
    """The 22 checks of SeeClickFix/open311-validator (tests/discovery.rb, services.rb), in exact `text/xml` mode."""
    root = "/open311/discovery"
    assert root.endswith("discovery")
    _, xml_body, xml_kind = one.get(root + ".xml")
    _, json_body, json_kind = one.get(root + ".json")
    assert (xml_kind, json_kind) == ("text/xml", "application/json")
    of_xml, of_json = xmltodict.parse(xml_body)["discovery"], json.loads(json_body)
    for told in (of_xml, of_json):
        assert told["contact"].strip()
        assert told["key_service"].strip()
        assert _past(told["changeset"])
    assert of_xml["contact"] == of_json["contact"]
    xml_endpoints, json_endpoints = of_xml["endpoints"]["endpoint"], of_json["endpoints"]
    assert isinstance(xml_endpoints, list)
    assert len(xml_endpoints) > 0
    for endpoint in [*xml_endpoints, *json_endpoints]:
        assert endpoint["specification"]
        assert endpoint["url"]
        assert endpoint["type"]
        assert _past(endpoint["changeset"])
    assert all(isinstance(e["formats"]["format"], list) and e["formats"]["format"] for e in xml_endpoints)
    assert all(isinstance(e["formats"], list) and "text/xml" in e["formats"] for e in json_endpoints)
    assert [e["type"] for e in json_endpoints].count("test") == 1
    for endpoint in json_endpoints:
        path = endpoint["url"].removeprefix(one.url)
        for form in ("xml", "json"):
            _, body, _ = one.get(f"{path}/services.{form}")
            listed = json.loads(body) if form == "json" else [xmltodict.parse(body)["services"]["service"]]
            assert len(listed) > 0
            assert all(s["service_code"] for s in listed)


def test_all_requests_in_one_file(three: Served) -> None:
    """GeoReport Bulk, read by the standard library's RFC 4180 reader: every public request whatever its age."""
    status, body, *_ = three.get("/open311/bulk/requests.csv")
    header, *lines = csv.reader(io.StringIO(body.decode(), newline=""))
    assert (status, header) == (200, [
        "service_request_id", "requested_datetime", "updated_datetime", "closed_date", "status_description", "status_notes", "source",
        "service_name", "service_subtype", "description", "agency_responsible", "address", "lat", "long",
    ])  # fmt: skip
    moments = [f"2015-11-20T10:0{n}:00+01:00" for n in (3, 2, 1)]
    assert lines == [
        [f"2015-{n}", moment, moment, "", "Reçu", "Reçu", "Site", "Voirie", "Trou", f"Trou n° {n} <ici>", "", f"{n} rue du Four", "47.65", "-2.08"]
        for n, moment in zip((3, 2, 1), moments, strict=True)
    ]  # fmt: skip
    assert body.endswith(b"\r\n")
    for query, count in (("status=closed", 0), ("status=open", 3), ("service_code=trou", 3), ("service_code=x", 0),
                         ("start_date=2015-11-20T10:02:00%2B01:00", 2), ("end_date=2015-11-20T10:02:00%2B01:00", 2)):  # fmt: skip
        assert three.get(f"/open311/bulk/requests.csv?{query}")[1].count(b"\r\n") == 1 + count, query
    assert three.get("/open311/bulk/requests.csv?status=fixed")[0] == 400


def test_chicago_comes_back_identical(shared: Path, tmp_path: Path) -> None:
    """Imported by the command's own path, served with `extensions=true`: every v2 field as Chicago sent it."""
    served = Served(tmp_path)
    try:
        file = shared / "data" / "reports" / "chicago_open311_requests_extended_a.json"
        report = import_records(served.store, kind_called("open311-json", IMPORTS), [file], {}, SYSTEM)
        assert (report.read, report.stored, report.rejects) == (25, 25, [])
        again = import_records(served.store, kind_called("open311-json", IMPORTS), [file], {}, SYSTEM)
        assert (again.unchanged, again.stored) == (25, 0)
        sent = {r["service_request_id"]: r for r in json.loads(file.read_text("utf-8"))}
        ids = ",".join(sent)
        back = json.loads(
            served.get(f"/open311/v2/requests.json?extensions=true&service_request_id={ids}")[1]
        )
        assert [r["service_request_id"] for r in back] == list(sent)
        for row in back:
            told = sent[row["service_request_id"]]
            assert {k: row[k] for k in told} == told
    finally:
        served.stop()


GOOD = [("service_code", "trou"), ("lat", "47.651"), ("long", "-2.081"), ("description", "Un trou devant l'école"),
        ("attribute[taille]", "g"), ("email", "a.b@exemple.fr")]  # fmt: skip


@pytest.fixture(scope="module")
def taking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("taking"))
    served.make(1)
    yield served
    served.stop()


def test_a_post_then_its_token_then_its_number(taking: Served) -> None:
    _, key = create(taking.store, SYSTEM, role="supplier", service="reports", name="application")
    status, body = taking.post("/open311/v2/requests.json", GOOD, key=key)
    assert status == 200
    number = json.loads(body)[0]["service_request_id"]
    token = json.loads(taking.get(f"/open311/v2/tokens/{json.loads(body)[0]['token']}.json")[1])
    assert token == [{"service_request_id": number, "token": json.loads(body)[0]["token"]}]
    status, body, _ = taking.get(f"/open311/v2/requests/{number}.xml?extensions=true")
    row = xmltodict.parse(body)["service_requests"]["request"]
    assert (row["description"], row["lat"], row["long"], row["status"]) == (
        "Un trou devant l'école",
        "47.651",
        "-2.081",
        "open",
    )
    assert row["extended_attributes"]["channel"] == "open311"
    assert b"a.b@exemple.fr" not in body
    stored = taking.store.records.find("service_request", Query(where={"number": number})).rows[0]
    assert stored.values["answers"] == {"taille": "g"}


def test_a_post_without_key_is_read_before_it_is_public(taking: Served) -> None:
    status, body = taking.post("/open311/v2/requests.xml", GOOD)
    assert status == 200
    number = xmltodict.parse(body)["service_requests"]["request"]["service_request_id"]
    assert taking.get(f"/open311/v2/requests/{number}.json")[0] == 404
    stored = taking.store.records.find("service_request", Query(where={"number": number})).rows[0]
    assert (stored.values["shown"], stored.values["moderation"]) == (False, "waiting")


def test_a_photo_in_parts_is_kept_without_its_metadata(taking: Served) -> None:
    _, key = create(taking.store, SYSTEM, role="supplier", service="reports", name="application")
    photo = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "chez moi, 3 rue du Four"
    Image.new("RGB", (64, 48), "grey").save(photo, "JPEG", exif=exif)
    assert b"rue du Four" in photo.getvalue()
    status, body = taking.post("/open311/v2/requests.json", GOOD, photo.getvalue(), key)
    assert status == 200
    number = json.loads(body)[0]["service_request_id"]
    report = taking.store.records.find("service_request", Query(where={"number": number})).rows[0]
    photos = taking.store.records.find("report_photo", Query(where={"request": report.id})).rows
    assert [p.values["state"] for p in photos] == ["waiting"]
    held = b"".join(
        p.read_bytes() for p in taking.store.database.records_path.parent.rglob("*") if p.is_file()
    )  # type: ignore[union-attr]
    assert b"chez moi" not in held


def test_the_test_endpoint_keeps_nothing(taking: Served) -> None:
    before = taking.store.records.count("service_request")
    status, body = taking.post("/open311/test/v2/requests.json", GOOD)
    assert (status, json.loads(body)[0]["service_request_id"]) == (200, "")
    assert taking.store.records.count("service_request") == before


@pytest.mark.parametrize(
    ("pairs", "code", "place"),
    [
        ([("lat", "1"), ("long", "1")], 400, "service_code"),
        ([("service_code", "nope"), ("lat", "1"), ("long", "1")], 404, "nope"),
        ([("service_code", "trou"), ("lat", "1"), ("long", "1"), ("description", "un trou")], 400, "taille"),
        ([*GOOD[:5], ("email", "pas un courriel")], 400, "email: "),
        ([*GOOD, ("media_url", "http://169.254.169.254/latest")], 400, "media"),
        ([*GOOD, ("api_key", "fausse")], 403, "api_key"),
        ([*GOOD, ("attribute[taille]", "énorme")][::-1], 400, "g"),
    ],
)
@pytest.mark.parametrize("form", ["json", "xml"])
def test_a_wrong_post_says_what_is_wrong(
    taking: Served, pairs: list[tuple[str, str]], code: int, place: str, form: str
) -> None:
    before = taking.store.records.count("service_request")
    status, body = taking.post(f"/open311/v2/requests.{form}", pairs)
    assert status == code
    fault = json.loads(body)[0] if form == "json" else xmltodict.parse(body)["errors"]["error"]
    assert int(fault["code"]) == code
    assert place in fault["description"]
    assert taking.store.records.count("service_request") == before


def test_updates_both_ways(taking: Served) -> None:
    _, key = create(taking.store, SYSTEM, role="supplier", service="reports", name="prestataire")
    update = [
        ("service_request_id", "2015-1"),
        ("update_id", "p-7"),
        ("status", "closed"),
        ("description", "Rebouché ce matin"),
    ]
    assert taking.post("/open311/v2/servicerequestupdates.json", update)[0] == 401
    status, body = taking.post("/open311/v2/servicerequestupdates.json", update, key=key)
    assert status == 200
    number = json.loads(body)[0]["update_id"]
    status, body = taking.post("/open311/v2/servicerequestupdates.xml", update, key=key)
    assert (
        xmltodict.parse(body)["service_request_updates"]["request_update"]["update_id"] == number
    )  # sent twice, kept once
    row = json.loads(taking.get("/open311/v2/requests/2015-1.json")[1])[0]
    assert (row["status"], row["status_notes"]) == (
        "closed",
        "Clos : Motif non donné par le prestataire. Rebouché ce matin",
    )
    told = json.loads(taking.get("/open311/v2/servicerequestupdates.json")[1])
    assert [(u["service_request_id"], u["status"], u["description"]) for u in told] == [
        ("2015-1", "closed", "Rebouché ce matin")
    ]


@pytest.mark.parametrize("form", ["json", "xml"])
def test_a_town_mirrors_another(tmp_path_factory: pytest.TempPathFactory, form: str) -> None:
    there, here = Served(tmp_path_factory.mktemp("there")), Served(tmp_path_factory.mktemp("here"))
    try:
        there.make(3)
        source = Source(
            "voisine", "georeport", f"{there.url}/open311/v2", options={"since": "2015-01-01", "format": form}
        )
        intake = Intake(here.store, here.town.registry.datastream_kind, here.town.registry.service_of)
        kinds = dict(here.town.registry.services["reports"].connectors)
        first = run_once(intake, source, kinds["georeport"])
        assert (first.error, first.rejected, first.stored) == (None, 0, 4)  # a category and three requests
        again = run_once(intake, source, kinds["georeport"])
        assert (again.error, again.stored) == (None, 0)
        theirs = {r["service_request_id"]: r for r in json.loads(there.get("/open311/v2/requests.json")[1])}
        ours = json.loads(here.get("/open311/v2/requests.json")[1])
        assert {r["service_request_id"] for r in ours} == {f"voisine-{number}" for number in theirs}
        for row in ours:
            told = theirs[row["service_request_id"].removeprefix("voisine-")]
            assert {**row, "service_request_id": told["service_request_id"]} == told
        there.stop()
        broken = run_once(intake, source, kinds["georeport"])
        assert (broken.failures, broken.error is not None) == (1, True)
        assert here.store.records.count("service_request") == 3
    finally:
        here.stop()
