"""Any file into a collection of the town's own: columns, key, places, a second import, and who sees it."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import shapely
from openpyxl import Workbook
from starlette.testclient import TestClient
from tests.towns import town_at

from beffroi.app import create_app
from beffroi.intake.layers import import_layers
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import Conflict, Problem
from beffroi.store.record import Query
from beffroi.town import Town, open_town


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    folder = tmp_path / "town"
    town_at(folder)
    opened = open_town(folder)
    yield opened
    opened.close()


def write(path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path.write_bytes("\r\n".join(lines).encode(encoding))
    return path


def kinds(town: Town, name: str) -> dict[str, str]:
    return {f.name: f.kind for f in town.store.records.collections[name].fields}


def test_a_french_table_becomes_a_typed_public_collection_seen_at_once(town: Town, tmp_path: Path) -> None:
    table = write(
        tmp_path / "Défibrillateurs 2026.csv",
        "N°;Nom du site;Code postal;Posé le;Prix (€);Accès libre;Latitude;Longitude",
        "1;École;02200;01/02/2024;1 250,50;oui;49,38;3,32",
        "2;Mairie;02200;15/03/2024;980;non;49,381;3,325",
        "3;Stade;02200;;;oui;;",
        "4;Gymnase;02200;;;oui;à voir;3,33",
        encoding="cp1252",
    )
    with TestClient(create_app(town)) as client:
        other = open_town(town.settings.data)  # as `beffroi import` beside a running server
        try:
            report, (taken,) = import_layers(other.store, [table], "csv", {}, SYSTEM)
        finally:
            other.close()
        assert (report.read, report.stored, report.rejected) == (4, 3, 1)
        assert (report.rejects[0].line, report.rejects[0].field) == (5, "Latitude")
        assert (taken.collection.name, taken.collection.geometry, taken.new) == ("defibrillateurs_2026", "point", True)  # fmt: skip
        items = client.get("/ogc/collections/defibrillateurs_2026/items").json()
        assert "defibrillateurs_2026" in client.get("/ogc/collections").text
    assert kinds(town, "defibrillateurs_2026") == {
        "n": "integer", "nom_du_site": "text", "code_postal": "text", "pose_le": "date", "prix": "number",
        "acces_libre": "boolean",
    }  # fmt: skip
    key = town.store.records.collections["defibrillateurs_2026"].key
    assert key is not None
    assert key.name == "n"  # each row has its own "N°": next month it is known by it
    first = items["features"][0]
    assert first["geometry"] == {"type": "Point", "coordinates": [3.32, 49.38]}
    assert {k: first["properties"][k] for k in ("code_postal", "pose_le", "prix", "acces_libre")} == {
        "code_postal": "02200", "pose_le": "2024-02-01", "prix": 1250.5, "acces_libre": True,
    }  # fmt: skip
    assert items["features"][2]["geometry"] is None


def layer(path: Path, *features: tuple[dict[str, object], list[float]], **more: object) -> Path:
    items = [
        {"type": "Feature", "properties": p, "geometry": {"type": "Point", "coordinates": xy}}
        for p, xy in features
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", **more, "features": items}), "utf-8")
    return path


def test_next_months_file_changes_what_changed_and_may_bring_a_column(town: Town, tmp_path: Path) -> None:
    path = tmp_path / "arbres.geojson"
    layer(path, ({"id": "A1", "haut": 4}, [-2.08, 47.65]), ({"id": "A2", "haut": 7}, [-2.09, 47.65]))
    first, _ = import_layers(town.store, [path], "geojson", {}, SYSTEM)
    again, _ = import_layers(town.store, [path], "geojson", {}, SYSTEM)
    layer(path, ({"id": "A1", "haut": 4.5, "espèce": "Tilleul"}, [-2.08, 47.65]), ({"id": "A3", "haut": 1}, [-2.1, 47.6]))  # fmt: skip
    third, (taken,) = import_layers(town.store, [path], "geojson", {}, SYSTEM)
    assert [(r.read, r.stored, r.unchanged) for r in (first, again, third)] == [(2, 2, 0), (2, 0, 2), (2, 2, 0)]  # fmt: skip
    assert not taken.new
    assert kinds(town, "arbres") == {"id": "text", "haut": "number", "espece": "text"}
    rows = {r.values["id"]: r.values for r in town.store.records.find("arbres", Query()).rows}
    assert rows == {
        "A1": {"id": "A1", "haut": 4.5, "espece": "Tilleul"},
        "A2": {"id": "A2", "haut": 7.0, "espece": None},
        "A3": {"id": "A3", "haut": 1.0, "espece": None},
    }
    layer(path, ({"haut": 2}, [-2.08, 47.65]))
    with pytest.raises(Conflict) as refused:
        import_layers(town.store, [path], "geojson", {}, SYSTEM)
    assert "« id »" in refused.value.reason.fr


def test_a_utm_layer_called_wgs_84_is_placed_by_what_the_town_has(town: Town, tmp_path: Path) -> None:
    metres = layer(tmp_path / "bancs.geojson", ({"n": 1}, [569078.36, 5277677.0]), ({"n": 2}, [569100.0, 5277700.0]))  # fmt: skip
    with pytest.raises(Problem) as refused:
        import_layers(town.store, [metres], "geojson", {}, SYSTEM)
    assert "EPSG:32630" in refused.value.reason.fr
    assert "bancs" not in town.store.records.collections  # nothing half made
    known = layer(tmp_path / "mairies.geojson", ({"n": 1}, [-2.0836, 47.6513]))
    import_layers(town.store, [known], "geojson", {}, SYSTEM)
    _, (taken,) = import_layers(town.store, [metres], "geojson", {}, SYSTEM)
    assert (taken.crs, taken.how) == ("EPSG:32630", "guessed")
    rows = town.store.records.find("bancs", Query()).rows
    assert rows[0].geometry == {
        "type": "Point",
        "coordinates": pytest.approx([-2.08, 47.6482], abs=2e-3),
    }


def test_a_workbook_with_two_sheets_makes_two_private_collections(town: Town, tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    sheet.title = "Agents"
    for row in (("Prénom", "Nom", "Mail"), ("Ana", "Le Goff", "ana@x.fr")):
        sheet.append(row)
    book.create_sheet("Vide")
    other = book.create_sheet("Cuves")
    for row in (("Code", "Litres"), ("C1", 12.5), ("C1", 3)):
        other.append(row)
    path = tmp_path / "stock.xlsx"
    book.save(path)
    report, taken = import_layers(town.store, [path], "xlsx", {"private": True}, SYSTEM)
    assert report.stored == 3
    assert [(t.collection.name, t.collection.read, t.personal) for t in taken] == [
        ("stock_agents", "agent", ("Prénom", "Nom", "Mail")),
        ("stock_cuves", "agent", ()),
    ]
    assert kinds(town, "stock_cuves") == {"code": "text", "litres": "number", "import_key": "text"}


@pytest.mark.shared
def test_real_layers_come_in_whole(town: Town, shared: Path) -> None:
    land = shared / "data" / "land"
    gpkg = land / "batiments" / "bdtopo_for_test.gpkg"
    zones = land / "plu" / "41175_PLU_20140603" / "Donnees_geographiques" / "ZONE_URBA.shp"
    one, (a,) = import_layers(town.store, [gpkg], "gpkg", {}, SYSTEM)
    two, (b,) = import_layers(town.store, [zones], "shp", {}, SYSTEM)
    assert (one.read, one.stored, a.crs, a.how) == (6, 6, "EPSG:2154", "named")
    assert (two.read, two.stored, b.collection.geometry) == (118, 118, "polygon")
    ban = land / "adresses" / "ban_import_test_data.csv"
    three, (c,) = import_layers(town.store, [ban], "csv", {}, SYSTEM)
    assert (three.read, three.rejected, c.collection.key is not None and c.collection.key.name) == (50, 0, "id")  # fmt: skip


def test_a_layer_whose_geometry_is_broken_is_refused_with_its_rows(town: Town, tmp_path: Path) -> None:
    path = tmp_path / "broken.gpkg"
    pyogrio = pytest.importorskip("pyogrio")
    points = shapely.to_wkb([shapely.Point(3.87, 43.6), shapely.Point(3.88, 43.6)])
    pyogrio.raw.write(
        path, points, [np.array(["a", "b"])], ["name"], layer="spots", geometry_type="Point", crs="EPSG:4326"
    )
    with closing(sqlite3.connect(path)) as base:
        for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            base.execute(f'DROP TRIGGER "{name}"')
        base.execute("UPDATE spots SET geom = x'4750' WHERE fid = 2")
        base.commit()
    with pytest.raises(Problem) as told:
        import_layers(town.store, [path], "gpkg", {}, SYSTEM)
    assert "spots, 1-2" in told.value.reason.en
