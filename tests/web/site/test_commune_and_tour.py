"""The commune's public data by the page, from files and from a replica; and the tour, whose steps the town itself ticks."""

import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from starlette.testclient import TestClient

from beffroi.intake.moving_in import order
from beffroi.model.principal import SYSTEM
from beffroi.store.record import Query
from beffroi.town import Town

Browser = Callable[..., TestClient]
Csrf = Callable[[TestClient, str], str]
HEAD = "id;numero;rep;nom_voie;code_postal;code_insee;nom_commune;x;y;lon;lat"
ONE = "35001_0010_00001;1;;Rue A;35000;35001;Ici;;;-1.95;47.05"
TWO = "35001_0010_00002;2;;Rue A;35000;35001;Ici;;;-1.96;47.05"


def square(code: str, name: str, west: float) -> dict[str, object]:
    ring = [[west, 47.0], [west + 0.1, 47.0], [west + 0.1, 47.1], [west, 47.1], [west, 47.0]]
    return {
        "type": "Feature",
        "properties": {"code": code, "nom": name},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


def give(town: Town, *addresses: str) -> None:
    folder = order.given_to(town.store)
    folder.mkdir(parents=True, exist_ok=True)
    limits = {
        "type": "FeatureCollection",
        "features": [square("35001", "Ici", -2.0), square("35002", "À côté", -1.9)],
    }
    (folder / "communes.geojson").write_text(json.dumps(limits), "utf-8")
    (folder / "adresses-35.csv").write_text("\n".join((HEAD, *addresses)), "utf-8")


def work(town: Town) -> None:
    """Do what the keeper would do."""
    asked = order.order_of(town.store)
    assert asked is not None
    assert asked.waiting
    order.do(town.store, asked)


def test_a_commune_is_found_taken_compared_and_refreshed_by_the_page(
    town: Town, browser: Browser, csrf: Csrf
) -> None:
    give(town, ONE, TWO)
    admin = browser("admin")
    page = admin.get("/administration/commune?q=ici&files=1").text
    assert "35001" in page
    assert "35002" not in page
    assert "Licence Ouverte 2.0" in page
    sent = {
        "csrf": csrf(admin, "/administration/commune"),
        "insee": "35001",
        "name": "Ici",
        "files": "1",
        "rename": "1",
        "action": "create",
    }
    assert admin.post("/administration/commune", data=sent).status_code == 303
    assert "arrivent" in admin.get("/administration/commune").text
    assert admin.get("/administration/commune/etat").json()["waiting"] is True
    assert admin.post("/administration/commune", data=sent).status_code == 409  # one at a time
    work(town)
    page = admin.get("/administration/commune").text
    assert "Les données de Ici sont là" in page
    assert "Geod&#39;air demande un compte" in page  # what could not be had says why
    assert town.name == "Ici"
    assert {r.values["libelle"] for r in town.store.records.find("adresses", Query()).rows} == {
        "1 Rue A",
        "2 Rue A",
    }
    give(town, ONE.replace("Rue A", "Rue du 8 Mai"))
    again = {"csrf": sent["csrf"], "insee": "35001", "name": "Ici", "files": "1", "action": "compare"}
    admin.post("/administration/commune", data=again)
    work(town)
    page = admin.get("/administration/commune").text
    row = re.search(r"Adresses.*?</tr>", page, re.DOTALL)
    assert row is not None
    assert re.findall(r'class="figure">(\d+)<', row[0]) == ["0", "1", "0", "1", "0"]
    names = {r.values["libelle"] for r in town.store.records.find("adresses", Query()).rows}
    assert names == {"1 Rue A", "2 Rue A"}  # compared, not changed
    admin.post("/administration/commune", data={"csrf": sent["csrf"], "action": "apply"})
    work(town)
    names = {r.values["libelle"] for r in town.store.records.find("adresses", Query()).rows}
    assert names == {"1 Rue du 8 Mai", "2 Rue A"}  # what is gone from the source stays


class Names(BaseHTTPRequestHandler):
    """Answers the search for names as geo.api.gouv.fr does."""

    def do_GET(self) -> None:
        body = (
            json.dumps([{"nom": "Redon", "code": "35236", "codeDepartement": "35"}]).encode()
            if "nom=red" in self.path
            else b"[]"
        )
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_a_name_is_searched_where_the_settings_say(town: Town, browser: Browser) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Names) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        town.store.settings = type(town.settings)(
            data=town.settings.data, sources=f"http://127.0.0.1:{server.server_port}"
        )
        admin = browser("admin")
        assert "35236" in admin.get("/administration/commune?q=red").text
        assert "Aucune commune de ce nom" in admin.get("/administration/commune?q=zzz").text
        server.shutdown()
    page = admin.get("/administration/commune?q=35236").text  # a code needs no search
    assert "Prendre les données de 35236" in page


def test_what_fails_is_said_and_can_be_resumed(town: Town, browser: Browser, csrf: Csrf) -> None:
    give(town, ONE)
    admin = browser("admin")
    token = csrf(admin, "/administration/commune")
    admin.post(
        "/administration/commune",
        data={"csrf": token, "insee": "35999", "name": "", "files": "1", "action": "create"},
    )
    work(town)
    page = admin.get("/administration/commune").text
    assert "La commune 35999 n&#39;est pas dans les limites" in page
    assert 'value="again"' in page
    assert browser("agent").get("/administration/commune").status_code == 403


def done(client: TestClient) -> list[bool]:
    page = client.get("/visite").text
    return [
        "fait</span>" in part
        for part in re.findall(r"<li.*?</li>", page[page.index('class="steps"') :], re.DOTALL)
    ]


def test_the_tour_ticks_what_the_town_shows_and_hides_on_request(
    town: Town, browser: Browser, csrf: Csrf
) -> None:
    admin = browser("admin")
    assert "0 étape faite sur 5" in admin.get("/").text
    assert done(admin) == [False] * 5
    give(town, ONE)
    token = csrf(admin, "/administration/commune")
    admin.post(
        "/administration/commune",
        data={"csrf": token, "insee": "35001", "name": "Ici", "files": "1", "action": "create"},
    )
    work(town)
    assert done(admin) == [True, False, False, False, False]  # the ground is no file of one's own
    for body, name in (
        (b"id;nom\n1;a\n", "bancs.csv"),
        (b"Date;Compteur;kWh\n01/11/2026;A;1\n02/11/2026;A;2\n", "relevés.csv"),
    ):
        sent = admin.post("/donnees/apporter", data={"csrf": token}, files={"file": (name, body)})
        admin.post(sent.headers["location"], data={"csrf": token, "action": "import"})
    assert done(admin) == [True, True, True, False, False]
    put = town.store.records.put
    rule = put("rule", {"name": "Trop", "yaml": "name: Trop"}, who=SYSTEM)
    put(
        "alarm",
        {"message": "Trop", "rule": rule.id, "subject": "datastream/1", "raised_at": town.clock()},
        who=SYSTEM,
    )
    put("service_request", {"number": "26-00001", "requested": town.clock()}, who=SYSTEM)
    assert done(admin) == [True] * 5
    assert "Visite guidée :" not in admin.get("/").text  # what is done is not recalled
    assert len(done(browser("agent"))) == 4
    assert browser().get("/visite").headers["location"] == "/connexion?suite=/visite"


def test_the_tour_hides_for_who_hides_it(browser: Browser, csrf: Csrf) -> None:
    admin = browser("admin")
    token = csrf(admin, "/visite")
    admin.post("/visite", data={"csrf": token, "action": "hide"})
    assert "Visite guidée" not in admin.get("/").text
    assert "Visite guidée :" in browser("agent").get("/").text
    admin.post("/visite", data={"csrf": token, "action": "show"})
    assert "Visite guidée" in admin.get("/").text
