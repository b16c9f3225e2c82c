"""Car parks and charging points: a valid file of the national schema in and out again, an invalid one refused by column."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.services.works.test_works import COMMUNE, town

from beffroi.app import create_app
from beffroi.identity import keys
from beffroi.intake.kinds import kind_called
from beffroi.intake.records import import_records
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import Problem
from beffroi.services.works import connectors
from beffroi.services.works.car_parks import IMPORTS, write_car_parks
from beffroi.services.works.charging import stations, write_charging_points
from beffroi.town import Town

__all__ = ["town"]
FOLDER = "data/value/scdl"


def faults(schema: dict[str, Any], rows: list[dict[str, str]]) -> list[str]:
    """Return what a table has wrong by the constraints of its Table Schema."""
    found = []
    for n, row in enumerate(rows):
        for field in schema["fields"]:
            text, rules = row[field["name"]], field.get("constraints", {})
            if not text:
                found += [f"{n} {field['name']}"] if rules.get("required") else []
                continue
            good = {"integer": r"-?\d+", "number": r"-?\d+(\.\d+)?", "boolean": "true|false"}.get(
                field["type"], r"(?s).*"
            )
            if (
                not re.fullmatch(good, text)
                or not re.fullmatch(rules.get("pattern", r"(?s).*"), text)
                or text not in rules.get("enum", [text])
            ):
                found.append(f"{n} {field['name']}")
    return found


def taken(held: Town, path: Path) -> Any:
    """Import a file of car parks."""
    return import_records(
        held.store, kind_called("car-parks", IMPORTS), [path], {"territory": COMMUNE}, SYSTEM
    )


@pytest.mark.shared
def test_the_valid_file_comes_out_as_it_went_in(town: Town, shared: Path, tmp_path: Path) -> None:
    source = shared / FOLDER / "schema-stationnement-exemple-valide.csv"
    with source.open(newline="", encoding="utf-8") as file:
        given = list(csv.DictReader(file))
    report = taken(town, source)
    assert (report.read, report.stored, report.rejected) == (len(given), len(given), 0)
    target = tmp_path / "parcs.csv"
    assert write_car_parks(town, target) == (len(given), 0)
    with target.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    schema = json.loads((shared / FOLDER / "schema-stationnement.schema.json").read_text("utf-8"))
    assert reader.fieldnames == [f["name"] for f in schema["fields"]]
    assert faults(schema, rows) == []
    assert rows == given


@pytest.mark.shared
def test_the_invalid_file_is_refused(town: Town, shared: Path) -> None:
    report = taken(town, shared / FOLDER / "schema-stationnement-exemple-invalide.csv")
    assert report.stored == 0
    assert {r.field for r in report.rejects} & {"code", "tarif_pmr"}


# the columns of « IRVE statique » 2.3.1, in its order
IRVE = [
    "nom_amenageur",
    "siren_amenageur",
    "contact_amenageur",
    "nom_operateur",
    "contact_operateur",
    "telephone_operateur",
    "nom_enseigne",
    "id_station_itinerance",
    "id_station_local",
    "nom_station",
    "implantation_station",
    "adresse_station",
    "code_insee_commune",
    "coordonneesXY",
    "nbre_pdc",
    "id_pdc_itinerance",
    "id_pdc_local",
    "puissance_nominale",
    "prise_type_ef",
    "prise_type_2",
    "prise_type_combo_ccs",
    "prise_type_chademo",
    "prise_type_autre",
    "gratuit",
    "paiement_acte",
    "paiement_cb",
    "paiement_autre",
    "tarification",
    "condition_acces",
    "reservation",
    "horaires",
    "accessibilite_pmr",
    "restriction_gabarit",
    "station_deux_roues",
    "raccordement",
    "num_pdl",
    "date_mise_en_service",
    "observations",
    "date_maj",
    "cable_t2_attache",
]
POINT = dict.fromkeys(IRVE, "") | {
    "siren_amenageur": "213401720", "contact_operateur": "bornes@essai.fr", "nom_enseigne": "Réseau d'essai", "id_station_itinerance": "FRA68P34172001",
    "nom_station": "Gare", "implantation_station": "Voirie", "adresse_station": "1 place de la Gare 34000 Essai", "code_insee_commune": COMMUNE,
    "coordonneesXY": "[3.8801,43.6045]", "nbre_pdc": "2", "id_pdc_itinerance": "FRA68E341720011", "puissance_nominale": "22", "prise_type_ef": "true",
    "prise_type_2": "true", "prise_type_combo_ccs": "false", "prise_type_chademo": "false", "prise_type_autre": "false", "gratuit": "false",
    "paiement_acte": "true", "paiement_cb": "true", "tarification": "0,40 €/kWh", "condition_acces": "Accès libre", "reservation": "false",
    "horaires": "Mo-Fr 08:00-12:00,Sa 08:00-18:00", "accessibilite_pmr": "Réservé PMR", "restriction_gabarit": "Hauteur maximale 2 m",
    "station_deux_roues": "false", "num_pdl": "12345678912345", "date_mise_en_service": "2020-01-14", "date_maj": "2026-11-02",
}  # fmt: skip


def irve(path: Path, *rows: dict[str, str]) -> Path:
    """Write a file of charging points."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_charging_points_come_out_as_they_went_in(town: Town, tmp_path: Path) -> None:
    local = POINT | {
        "id_pdc_itinerance": "Non concerné",
        "id_pdc_local": "B2",
        "gratuit": "",
        "puissance_nominale": "7.4",
        "horaires": "24/7",
    }
    source = irve(tmp_path / "irve.csv", POINT, local)
    kind = kind_called("charging-points", connectors.IMPORTS)
    for stored in (2, 0):  # a second time changes nothing
        report = import_records(town.store, kind, [source], {"territory": COMMUNE}, SYSTEM)
        assert (report.read, report.stored, report.rejected) == (2, stored, 0)
    assert write_charging_points(town, tmp_path / "out.csv") == (2, 0)
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        assert list(reader) == [POINT, local]
    assert reader.fieldnames == IRVE
    (station,) = stations(town)
    assert (len(station.points), station.power_kw, station.plugs) == (2, 22.0, ["Type 2", "E/F"])
    client = TestClient(create_app(town))
    page = client.get("/stationner").text
    assert ("Gare" in page, "Type 2, E/F" in page, "bornes.csv" in page) == (True, True, True)
    answer = client.get("/stationner/bornes.csv")
    assert (answer.text, answer.headers["content-type"]) == (
        (tmp_path / "out.csv").read_bytes().decode(), "text/csv; charset=utf-8",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("column", "said"),
    [("id_pdc_itinerance", "fr*a68"), ("implantation_station", "Trottoir"), ("coordonneesXY", "43.6"), ("coordonneesXY", "[3.88,243.6]"),
     ("puissance_nominale", "-1"), ("prise_type_2", "oui"), ("horaires", "toujours"), ("date_maj", "02/11/2026"), ("date_maj", ""),
     ("nbre_pdc", "deux"), ("contact_operateur", "bornes"), ("siren_amenageur", "1234"), ("nom_station", "")],
)  # fmt: skip
def test_a_charging_point_that_the_schema_forbids_is_refused(
    town: Town, tmp_path: Path, column: str, said: str
) -> None:
    source = irve(tmp_path / "irve.csv", POINT | {column: said})
    kind = kind_called("charging-points", connectors.IMPORTS)
    report = import_records(town.store, kind, [source], {"territory": COMMUNE}, SYSTEM)
    assert (report.stored, [(r.field, r.line) for r in report.rejects]) == (0, [(column, 2)])


def test_a_file_without_a_column_is_refused(town: Town, tmp_path: Path) -> None:
    source = irve(tmp_path / "irve.csv", {k: v for k, v in POINT.items() if k != "horaires"})
    with pytest.raises(Problem, match="horaires"):
        import_records(town.store, kind_called("charging-points", connectors.IMPORTS), [source], {}, SYSTEM)


def test_the_page_leads_staff_to_where_files_are_brought(town: Town) -> None:
    _, secret = keys.create(town.store, SYSTEM, role="agent", service=None, territories=[COMMUNE])
    agent = {"Authorization": f"Bearer {secret}", "Accept": "text/html"}
    client = TestClient(create_app(town))
    page = client.get("/stationner", headers=agent).text
    assert '<a class="button quiet" href="/donnees/apporter">Importer bornes ou parcs</a>' in page
    assert "/donnees/apporter" not in client.get("/stationner").text
