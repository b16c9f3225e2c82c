"""Bringing a file by the page: dropped, understood, corrected, imported, taken back, and recognised next month."""

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient
from tests.towns import town_at

from beffroi.cli.init import create_town
from beffroi.identity import territories
from beffroi.intake.bringing.taking import carry_on
from beffroi.intake.take import Intake
from beffroi.model.principal import SYSTEM
from beffroi.services.watergrid.areas.reading import series_of
from beffroi.store.record import Query
from beffroi.store.tables import audit, datastream, history, thing
from beffroi.town import Town, open_town

Browser = Callable[..., TestClient]
Csrf = Callable[[TestClient, str], str]
BENCHES = (
    "Bancs de la commune;;;\r\nexporté le 12/11/2026;;;\r\n\r\n"
    "Numéro;Rue;Posé le;X;Y\r\n"
    "B1;Place Saint-Sauveur;01/02/2024;319842,10;6739410,55\r\n"
    "B2;Quai Duguay-Trouin;15/03/2024;319760,40;6739201,96\r\n"
    "B3;Square Anger;hier;319905,77;6739388,02\r\n"
).encode("cp1252")


ON_BOTH = pytest.mark.parametrize(
    "town", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)


@pytest.fixture
def town(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Town]:
    """An empty town on SQLite, or on the database that a test asks for."""
    asked = getattr(request, "param", "sqlite")
    if asked == "sqlite":
        town_at(tmp_path / "town")
    else:
        url = request.getfixturevalue("postgresql_server").database()
        create_town(tmp_path / "town", "Essai-les-Bains", email="maire@essai.fr", records=url)
    opened = open_town(tmp_path / "town")
    yield opened
    opened.close()


def bring(client: TestClient, csrf: Csrf, name: str, body: bytes) -> str:
    """Send a file as a browser does; return the address that it leads to."""
    token = csrf(client, "/donnees/apporter")
    answer = client.post("/donnees/apporter", data={"csrf": token}, files={"file": (name, body)})
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def act(client: TestClient, csrf: Csrf, address: str, **sent: str) -> Any:
    answer = client.post(address, data={"csrf": csrf(client, address), **sent})
    assert answer.status_code == 303, answer.text
    return client.get(address)


def test_an_old_tables_guess_is_shown_imported_and_taken_back(
    town: Town, browser: Browser, csrf: Csrf
) -> None:
    agent = browser("agent")
    address = bring(agent, csrf, "Bancs 2026.csv", BENCHES)
    page = agent.get(address).text
    for said in (
        "Windows",
        "point-virgule",
        "Lambert-93 (EPSG:2154), deviné",
        "jour/mois/année",
        "Place Saint-Sauveur",
    ):
        assert said in page
    assert '<svg class="ground"' in page
    assert agent.get(f"{address}.geojson").json()["features"][0]["geometry"]["coordinates"] == pytest.approx(
        [-2.08, 47.65], abs=0.05
    )
    page = act(agent, csrf, address, action="import").text
    rows = {r.values["numero"]: r for r in town.store.records.find("bancs_2026", Query()).rows}
    assert sorted(rows) == ["B1", "B2", "B3"]  # « hier » is a text: nothing is refused that can be kept
    assert rows["B1"].values["pose_le"] == "01/02/2024"
    assert "Voir « Bancs 2026 »" in page
    page = act(agent, csrf, address, action="undo").text
    assert "est annulé" in page
    assert town.store.records.find("bancs_2026", Query()).rows == []
    with town.store.read() as c:
        deeds = c.execute(
            select(audit.c.action).where(audit.c.action.like("file.%")).order_by(audit.c.number)
        ).scalars()
        assert list(deeds) == ["file.import", "file.undo"]
        actions = c.execute(select(history.c.action).where(history.c.collection == "bancs_2026")).scalars()
        assert sorted(actions) == ["create"] * 3 + ["delete"] * 3


def test_a_keeper_in_a_hurry_leaves_a_little_work_to_who_asked_for_it(
    town: Town, browser: Browser, csrf: Csrf
) -> None:
    """Who brings a small file sees it read at once: no page that waits, on which no one without script is carried on."""
    agent = browser("agent")
    intake = Intake(town.store, town.registry.datastream_kind, town.registry.service_of)
    over = threading.Event()

    def hurry() -> None:
        while not over.is_set():
            carry_on(intake)

    keeper = threading.Thread(target=hurry)
    keeper.start()
    try:
        for number in range(15):
            address = bring(agent, csrf, f"Bancs {number}.csv", BENCHES)
            assert '<svg class="ground"' in agent.get(address).text
            assert "est importé" in act(agent, csrf, address, action="import").text
            assert "est annulé" in act(agent, csrf, address, action="undo").text
    finally:
        over.set()
        keeper.join()


def test_a_chosen_kind_refuses_what_is_none_with_line_field_reason_and_mend(
    town: Town, browser: Browser, csrf: Csrf
) -> None:
    agent = browser("agent")
    address = bring(agent, csrf, "Bancs 2026.csv", BENCHES)
    chosen = {
        "target": "new",
        "title": "Bancs",
        "key": "c0",
        "c0": "text",
        "c1": "text",
        "c2": "date",
        "public": "1",
        "shown": "1",
    }
    page = act(agent, csrf, address, action="import", **chosen).text
    assert [r.values["numero"] for r in town.store.records.find("bancs", Query(sort="numero")).rows] == [
        "B1",
        "B2",
    ]
    assert "ligne 7" in page
    table = agent.get(f"{address}/refus.csv").content.decode("utf-8-sig").splitlines()
    assert table == [
        "Où;Champ;Raison;Remède",
        "ligne 7;pose_le;Posé le : « hier » n'est pas compris.;Écrivez une date, par exemple 2026-11-22 ou 22/11/2026.",
    ]


@ON_BOTH
def test_next_months_file_is_recognised_and_its_differences_are_told(
    town: Town, browser: Browser, csrf: Csrf
) -> None:
    agent = browser("responsable")
    first = "id;nom;prix\n1;a;10\n2;b;20\n3;c;30\n"
    second = "id;nom;prix\n1;a;10\n2;b;25\n4;d;40\n"
    act(agent, csrf, bring(agent, csrf, "stock.csv", first.encode()), action="import")
    address = bring(agent, csrf, "stock décembre.csv", second.encode())
    page = agent.get(address).text
    assert "Reconnu" in page
    facts = dict(re.findall(r"<dt>([^<]+)</dt><dd>([^<]*)</dd>", page))
    assert [facts[n] for n in ("Nouveaux", "Changés", "Inchangés", "Disparus du fichier", "Refusés")] == [
        "1",
        "1",
        "1",
        "1",
        "0",
    ]
    act(agent, csrf, address, action="import")  # the second click
    rows = {r.values["id"]: r.values["prix"] for r in town.store.records.find("stock", Query()).rows}
    assert rows == {"1": 10, "2": 25, "3": 30, "4": 40}
    act(agent, csrf, address, action="undo")
    rows = {r.values["id"]: r.values["prix"] for r in town.store.records.find("stock", Query()).rows}
    assert rows == {"1": 10, "2": 20, "3": 30}
    third = bring(agent, csrf, "stock janvier.csv", second.encode())
    fields = {
        "target": "collection",
        "collection": "stock",
        "c0": "id",
        "c1": "nom",
        "c2": "prix",
        "gone": "delete",
    }
    act(agent, csrf, third, action="import", **fields)
    assert sorted(r.values["id"] for r in town.store.records.find("stock", Query()).rows) == ["1", "2", "4"]
    kept = agent.get("/donnees/apporter/correspondances").text
    assert "2 fichiers" in kept or "3 fichiers" in kept
    number = re.search(r"correspondances/(\d+)", kept)
    assert number is not None
    token = csrf(agent, "/donnees/apporter/correspondances")
    agent.post(
        f"/donnees/apporter/correspondances/{number[1]}",
        data={"csrf": token, "name": "Le stock", "action": "rename"},
    )
    assert "Le stock" in agent.get("/donnees/apporter/correspondances").text
    agent.post(f"/donnees/apporter/correspondances/{number[1]}", data={"csrf": token, "action": "forget"})
    assert "Le stock" not in agent.get("/donnees/apporter/correspondances").text


def test_what_someone_changed_since_stays_when_the_rest_is_taken_back(
    town: Town, browser: Browser, csrf: Csrf
) -> None:
    agent = browser("agent")
    address = bring(agent, csrf, "puits.csv", b"id;nom\n1;a\n2;b\n")
    act(agent, csrf, address, action="import")
    rows = {r.values["id"]: r for r in town.store.records.find("puits", Query()).rows}
    town.store.records.put("puits", {"nom": "B"}, id=rows["2"].id, who=SYSTEM)
    page = act(agent, csrf, address, action="undo").text
    assert [r.values for r in town.store.records.find("puits", Query()).rows] == [{"id": "2", "nom": "B"}]
    assert "1 enregistrement, changé depuis" in page


def test_the_same_columns_in_a_file_of_another_name_are_no_next_month(
    town: Town, browser: Browser, csrf: Csrf
) -> None:
    agent = browser("agent")
    schools, halls = b"id;nom\n1;Jules-Ferry\n2;Pasteur\n", b"id;nom\n1;Dojo\n2;Piscine\n"
    act(agent, csrf, bring(agent, csrf, "\u00c9coles 2026.csv", schools), action="import")
    address = bring(agent, csrf, "Gymnases 2026.csv", halls)
    page = agent.get(address).text
    assert "Une nouvelle collection, « Gymnases 2026 »" in page
    assert "a les mêmes colonnes, et un autre nom" in page
    act(agent, csrf, address, action="import")
    names = {
        c: [r.values["nom"] for r in town.store.records.find(c, Query(sort="id")).rows]
        for c in ("ecoles_2026", "gymnases_2026")
    }
    assert names == {"ecoles_2026": ["Jules-Ferry", "Pasteur"], "gymnases_2026": ["Dojo", "Piscine"]}
    for name, title in (("Gymnases 2027.csv", "Gymnases 2026"), ("écoles rentrée.csv", "Écoles 2026")):
        page = agent.get(bring(agent, csrf, name, halls)).text
        assert "Reconnu" in page
        assert f"Dans la collection « {title} »" in page
    address = bring(agent, csrf, "Piscines.csv", halls)
    number = re.search(r'name="mapping" value="(\d+)"', agent.get(address).text)
    assert number is not None
    assert "Reconnu" in act(agent, csrf, address, action="adopt", mapping=number[1]).text


DISGUISED = {
    "faux.csv": (b"%PDF-1.7 \xe2\xe3", "ce fichier est un PDF"), "faux.xlsx": (b"id;nom\n1;a\n", "nom qui finit par .csv"),
    "page.csv": (b"<!DOCTYPE html><html></html>", "une page web"), "faux.gpkg": (b"%PDF-1.7", "ce fichier est un PDF"),
    "topo.geojson": (b'{"type":"Topology","objects":{}}', "« features »"), "zero.csv": (b"id;nom\n", "aucune ligne"),
}  # fmt: skip


def test_a_file_that_is_not_what_its_name_says_is_told_for_what_it_is(browser: Browser, csrf: Csrf) -> None:
    agent = browser("agent")
    for name, (body, said) in DISGUISED.items():
        page = agent.get(bring(agent, csrf, name, body)).text
        assert ("ne se lit pas" in page, said in page) == (True, True), name


def test_a_list_of_things_with_a_date_each_is_no_table_of_measures(browser: Browser, csrf: Csrf) -> None:
    agent = browser("agent")
    hydrants = "N°;Rue;Débit (m3/h);Contrôle\n" + "".join(f"BI-{n};Rue {n};{60 + n};0{n}/03/2026\n" for n in range(1, 6))  # fmt: skip
    assert "Une nouvelle collection" in agent.get(bring(agent, csrf, "bornes.csv", hydrants.encode())).text
    readings = "N°;Index (m3);Relevé le\n" + "".join(f"C-{n};{60 + n};01/03/2026\n" for n in range(1, 6))
    assert "Des mesures" in agent.get(bring(agent, csrf, "relève.csv", readings.encode())).text


def test_a_line_with_more_cells_than_titles_is_refused_not_cut(
    town: Town, browser: Browser, csrf: Csrf
) -> None:
    agent = browser("agent")
    address = bring(agent, csrf, "rues.csv", b"id;nom\n1;Rue A\n2;Rue B; dite C\n3;Rue D;\n")
    page = act(agent, csrf, address, action="import").text
    assert "La ligne a plus de cellules que de titres" in page
    assert [r.values["nom"] for r in town.store.records.find("rues", Query(sort="id")).rows] == [
        "Rue A",
        "Rue D",
    ]


@ON_BOTH
def test_a_table_of_measures_becomes_series_and_goes_whole(town: Town, browser: Browser, csrf: Csrf) -> None:
    agent = browser("agent")
    body = "Date;Compteur;Consommation (kWh)\n01/11/2026;École;182,4\n02/11/2026;École;201,7\n02/11/2026;Gymnase;oups\n".encode()
    address = bring(agent, csrf, "relevés.csv", body)
    assert "Des mesures" in agent.get(address).text
    page = act(agent, csrf, address, action="import").text
    assert "ligne 4" in page
    with town.store.read() as c:
        ((number, name, unit),) = c.execute(
            select(datastream.c.id, datastream.c.name, datastream.c.unit_symbol)
        ).all()
    assert (name, unit) == ("Énergie, École", "kWh")
    assert [o.result.value for o in town.store.observations.series(number)] == [182.4, 201.7]
    act(agent, csrf, address, action="undo")
    with town.store.read() as c:
        assert c.execute(select(datastream.c.id)).all() == c.execute(select(thing.c.id)).all() == []
    again = act(agent, csrf, bring(agent, csrf, "relevés.csv", body), action="import").text
    assert "<dt>Nouveaux</dt><dd>2</dd>" in again


def test_a_correction_reads_the_file_again(town: Town, browser: Browser, csrf: Csrf) -> None:
    agent = browser("agent")
    address = bring(agent, csrf, "lieux.csv", b"nom;x;y\nA;319842;6739410\nB;319760;6739201\n")
    page = act(agent, csrf, address, action="read", crs="EPSG:3948", dates="mdy").text
    assert "dit par le fichier ou par vous" in page
    page = act(agent, csrf, address, action="read", x="-", y="-").text
    assert "<dt>Coordonnées</dt><dd>aucune</dd>" in page


NOT_HERE = {
    "plan.pdf": (b"%PDF", "tableau d&#39;origine"), "vieux.xls": (b"\xd0\xcf", "en .xlsx"), "vide.csv": (b"", "est vide"),
    "couche.shp": (b"\0", "archive .zip"),
}  # fmt: skip


def test_another_file_is_refused_with_what_to_do(browser: Browser, csrf: Csrf) -> None:
    agent = browser("agent")
    token = csrf(agent, "/donnees/apporter")
    for name, (body, said) in NOT_HERE.items():
        answer = agent.post("/donnees/apporter", data={"csrf": token}, files={"file": (name, body)})
        assert (answer.status_code, said in answer.text) == (400, True), name


def test_nobody_else_sees_or_touches_a_brought_file(browser: Browser, csrf: Csrf) -> None:
    agent = browser("agent")
    address = bring(agent, csrf, "a.csv", b"id;nom\n1;a\n")
    other = browser("agent", territories=[])
    assert other.get(address).status_code == 403
    assert browser("elu").get("/donnees/apporter").status_code == 403
    assert browser().get("/donnees/apporter").headers["location"] == "/connexion?suite=/donnees/apporter"
    assert browser().get(f"{address}/refus.csv", headers={"Accept": "text/csv"}).status_code == 401


def test_each_example_is_recognised_as_what_it_is(browser: Browser, csrf: Csrf) -> None:
    agent = browser("agent")
    page = agent.get("/donnees/apporter").text
    names = re.findall(r"exemples/([\w-]+)\.csv", page)
    told = {}
    for name in names:
        address = bring(
            agent, csrf, f"{name}.csv", agent.get(f"/donnees/apporter/exemples/{name}.csv").content
        )
        found = re.search(r'<p class="lead">([^<]+)</p>', act(agent, csrf, address, action="compare").text)
        told[name] = found[1] if found else ""
        assert "<dt>Refusés</dt><dd>0</dd>" in agent.get(address).text, name
    assert told == {
        "points-lumineux": "Dans la collection « Points lumineux ».", "conteneurs": "Dans la collection « Conteneurs ».",
        "releves-de-compteurs": "Des mesures : une série.", "comptages": "Un fichier connu : « Comptages des mobilités (schéma national) ».",
        "defibrillateurs": "Une nouvelle collection, « Défibrillateurs (Géo&#39;DAE) ».",
    }  # fmt: skip


# --- Files of a kind that knows its columns: of the house, or registered by a service.

IRVE = {
    "contact_operateur": "a@exemple.fr", "nom_enseigne": "Réseau", "id_station_itinerance": "FRA68P341720010", "nom_station": "Mairie",
    "implantation_station": "Voirie", "adresse_station": "1 rue A 35600 Redon", "coordonneesXY": "[-2.08, 47.65]", "nbre_pdc": "1",
    "puissance_nominale": "22", "prise_type_ef": "false", "prise_type_2": "true", "prise_type_combo_ccs": "false",
    "prise_type_chademo": "false", "prise_type_autre": "false", "paiement_acte": "true", "condition_acces": "Accès libre",
    "reservation": "false", "horaires": "24/7", "accessibilite_pmr": "Accessibilité inconnue", "restriction_gabarit": "Inconnu",
    "station_deux_roues": "false", "date_maj": "2026-11-01",
}  # fmt: skip
MODEL = b"[JUNCTIONS]\nA 10 1\nB 12 1\n[RESERVOIRS]\nR 50\n[PIPES]\nP1 R A 100 150 120\nP2 A B 80 100 120\n[END]\n"
WEATHER = (
    "urn:ogc:def:parameter:x-istsos:1.0:time:iso8601,urn:ogc:def:procedure,urn:ogc:def:parameter:x-istsos:1.0:meteo:air:temperature\n"
    "2026-11-01T00:00:00+01:00,mairie,7.5\n2026-11-01T01:00:00+01:00,mairie,7.1\n"
)  # fmt: skip


def points(*keys: str, **changed: str) -> bytes:
    rows = [{**IRVE, "id_pdc_itinerance": key} | changed for key in keys]
    return "\n".join([",".join(rows[0]), *(",".join(f'"{v}"' for v in row.values()) for row in rows)]).encode()  # fmt: skip


def test_a_file_of_a_kind_that_a_service_reads_is_known_compared_taken_and_given_back(
    town: Town, browser: Browser, csrf: Csrf
) -> None:
    agent = browser("agent")
    first = bring(agent, csrf, "bornes 2026-10.csv", points("FRA68E341720011", "FRA68E341720012"))
    assert "Un fichier connu : « Points de recharge" in agent.get(first).text
    page = act(agent, csrf, first, action="import").text
    assert "Voir « Points de recharge" in page
    held = {r.values["id_pdc_itinerance"]: r for r in town.store.records.find("charging_point", Query()).rows}
    assert sorted(held) == ["FRA68E341720011", "FRA68E341720012"]
    assert held["FRA68E341720011"].geometry == {"type": "Point", "coordinates": [-2.08, 47.65]}
    later = points("FRA68E341720012", "FRA68E341720013", horaires="Mo-Fr 08:00-18:00")
    second = bring(agent, csrf, "bornes 2026-11.csv", later)
    page = agent.get(second).text
    facts = dict(re.findall(r"<dt>([^<]+)</dt><dd>([^<]*)</dd>", page))
    assert ("Reconnu" in page, facts["Nouveaux"], facts["Changés"], facts["Refusés"]) == (True, "1", "1", "0")
    act(agent, csrf, second, action="import")
    act(agent, csrf, second, action="undo")
    again = {
        r.values["id_pdc_itinerance"]: r for r in town.store.records.find("charging_point", Query()).rows
    }
    assert {k: r.values for k, r in again.items()} == {k: r.values for k, r in held.items()}
    assert "Points de recharge" in agent.get("/donnees/apporter/correspondances").text


def test_what_is_no_table_is_read_by_the_kind_that_can(town: Town, browser: Browser, csrf: Csrf) -> None:
    agent = browser("agent")
    network = bring(agent, csrf, "réseau.inp", MODEL)
    assert "Modèle EPANET" in agent.get(network).text
    page = act(agent, csrf, network, action="compare").text
    assert dict(re.findall(r"<dt>([^<]+)</dt><dd>([^<]*)</dd>", page))["Nouveaux"] == "5"
    act(agent, csrf, network, action="import")
    pipes = town.store.records.find("water_pipe", Query(sort="code")).rows
    assert [tuple(p.values[n] for n in ("code", "start", "end")) for p in pipes] == [
        ("P1", "R", "A"), ("P2", "A", "B"),
    ]  # fmt: skip
    act(agent, csrf, network, action="undo")
    assert [town.store.records.count(n) for n in ("water_node", "water_pipe")] == [0, 0]
    assert "Reconnu" in agent.get(bring(agent, csrf, "réseau.inp", MODEL)).text
    broken = agent.get(bring(agent, csrf, "autre.inp", b"rien")).text
    assert "ne se lit pas" in broken
    wrong = MODEL.replace(b" A ", b" Z ")
    assert "d&#39;abord la ligne" in agent.get(bring(agent, csrf, "faux.inp", wrong)).text
    weather = bring(agent, csrf, "station.csv", WEATHER.encode())
    assert "istSOS" in agent.get(weather).text
    act(agent, csrf, weather, action="import")
    with town.store.read() as c:
        (number,) = c.execute(select(datastream.c.id)).scalars()
    assert [o.result.value for o in town.store.observations.series(number)] == [7.5, 7.1]
    act(agent, csrf, weather, action="undo")
    with town.store.read() as c:
        assert c.execute(select(datastream.c.id)).all() == []


def test_a_collections_own_page_of_import_leads_to_its_kinds(
    town: Town, browser: Browser, csrf: Csrf
) -> None:
    agent = browser("agent")
    page = agent.get("/donnees/charging_point/importer").text
    assert re.findall(r'<option value="((?:known|collection)/[\w-]+)"', page) == [
        "collection/charging_point", "known/charging-points",
    ]  # fmt: skip
    token = csrf(agent, "/donnees/charging_point/importer")
    for said, words in (("known/charging-points", "Un fichier connu"), ("collection/charging_point", "Dans la collection")):  # fmt: skip
        file = {"file": ("x.csv", points("FRA68E341720011"))}
        sent = agent.post("/donnees/apporter", data={"csrf": token, "as": said}, files=file)
        assert words in agent.get(sent.headers["location"]).text, said
    table = {"file": ("x.csv", b"id;nom\n1;a\n")}
    sent = agent.post("/donnees/apporter", data={"csrf": token, "as": "known/charging-points"}, files=table)
    answer = act(agent, csrf, sent.headers["location"], action="compare").text
    assert "manque" in answer  # it is none: what is missing is said, nothing is written
    territories.add(town.store, SYSTEM, "44007", "Avessac")
    neighbour = browser("agent", territories=["44007"])
    address = bring(neighbour, csrf, "bornes.csv", points("FRA68E341720011", code_insee_commune="35236"))
    act(neighbour, csrf, address, action="import")
    assert "d&#39;une autre commune" in neighbour.get(address).text
    assert town.store.records.count("charging_point") == 0


def test_a_brought_series_is_put_on_its_meter_and_read_by_the_service(
    town: Town, browser: Browser, csrf: Csrf
) -> None:
    """From nothing: a file of flows, a meter, and the page that says which is which; no other unit, no unknown meter."""
    agent = browser("agent")
    hours = "\n".join(
        f"{day:02}/11/2026 {hour:02}:00;{3 + hour / 10:.1f}" for day in (1, 2) for hour in range(24)
    )
    brought = bring(agent, csrf, "débits.csv", f"date;Entrée\n{hours}\n".replace(".", ",").encode())
    act(agent, csrf, brought, action="import")
    with town.store.read() as c:
        (number,), (sensor,) = c.execute(select(datastream.c.id)).one(), c.execute(select(thing.c.id)).one()
    meter = town.store.records.put("water_meter", {"code": "CPT1"}, who=SYSTEM)
    place = f"/capteurs/{sensor}/relier"
    assert f'href="{place}"' in agent.get(f"/capteurs/{sensor}").text
    assert f'href="{place}"' not in browser().get(f"/capteurs/{sensor}").text
    sent = {
        "csrf": csrf(agent, place),
        "collection": "water_meter",
        "key": "CPT1",
        f"kind-{number}": "water_flow",
    }
    wrong = agent.post(place, data={**sent, "key": "CPT9"})
    assert (wrong.status_code, "CPT9 » n&#39;est pas dans" in wrong.text) == (400, True)
    assert agent.post(place, data=sent).headers["location"] == f"/capteurs/{sensor}"
    assert series_of(town, "water_meter", "water_flow") == {meter.id: number}
    assert f'href="/capteurs/{sensor}"' in agent.get(f"/donnees/water_meter/{meter.id}").text
    page = agent.get(place).text
    assert ('value="CPT1"' in page, '<option value="water_flow" selected>' in page) == (True, True)
    assert "temperature" not in re.findall(r'<option value="(\w+)"', page)  # the series has a unit now
    other = agent.post(place, data={**sent, f"kind-{number}": "fill_level"})
    assert (other.status_code, "est en %" in other.text) == (400, True)
    agent.post(place, data={"csrf": sent["csrf"], f"kind-{number}": ""})
    assert series_of(town, "water_meter", "water_flow") == {}
