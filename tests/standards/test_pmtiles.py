"""The base map: written here, read back by the reader of the format's own makers."""

import gzip
import json
import time
from pathlib import Path

import pytest
from shapely.geometry import LineString, Point, box

from beffroi.model.problem import Problem
from beffroi.standards import pmtiles
from beffroi.standards.pmtiles import Ground, build_base_map, read_geojson, read_osm

TOWN = [
    Ground("street", LineString([(-2.09, 47.65), (-2.08, 47.655), (-2.07, 47.65)]), "Rue du Port"),
    Ground("building", box(-2.085, 47.651, -2.084, 47.652)),
    Ground("river", LineString([(-2.1, 47.64), (-2.05, 47.66)]), "La Vilaine"),
]


def test_base_map_is_a_pmtiles_that_its_makers_reader_opens(tmp_path: Path) -> None:
    from pmtiles.reader import MmapSource, Reader

    path = build_base_map(TOWN, tmp_path, "© Ville")
    assert path == tmp_path / "base.pmtiles"
    with path.open("rb") as file:
        reader = Reader(MmapSource(file))
        header = reader.header()
        assert (header["min_zoom"], header["max_zoom"]) == (9, 15)
        assert header["min_lon_e7"] / 1e7 == pytest.approx(-2.1, abs=1e-3)
        assert header["max_lat_e7"] / 1e7 == pytest.approx(47.66, abs=1e-3)
        (layer,) = reader.metadata()["vector_layers"]
        assert layer["id"] == "base"
        assert set(layer["fields"]) == {"kind", "name"}
        tile = gzip.decompress(reader.get(12, 2024, 1430) or reader.get(9, 253, 178))
    assert b"Rue du Port" in tile or b"Vilaine" in tile
    about = json.loads((tmp_path / "base.json").read_text())
    assert about["box"] == [-2.1, 47.64, -2.05, 47.66]
    assert about["credit"] == "© Ville"
    assert {f["properties"]["kind"] for f in about["drawing"]} == {"street", "river"}


def test_base_map_is_geojson_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pmtiles.importlib.util, "find_spec", lambda name: None)
    path = build_base_map(TOWN, tmp_path)
    assert path.name == "base.geojson"
    found = json.loads(path.read_text())["features"]
    assert [f["properties"]["kind"] for f in found] == ["street", "building", "river"]
    assert found[0]["geometry"]["coordinates"][0] == [-2.09, 47.65]


def test_base_map_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="nothing to draw"):
        build_base_map([Ground("place", Point())], tmp_path)


@pytest.mark.shared
def test_base_map_of_redon_takes_less_than_five_seconds(shared: Path, tmp_path: Path) -> None:
    started = time.monotonic()
    grounds = read_osm(shared / "data/design/redon.osm")
    path = build_base_map(grounds, tmp_path, pmtiles.OSM_CREDIT)
    assert time.monotonic() - started < 5
    kinds = [g.kind for g in grounds]
    assert kinds.count("building") > 1000
    assert kinds.count("street") > 100
    assert 50_000 < path.stat().st_size < 1_000_000


def test_file_that_is_no_extract_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.osm").write_text("bonjour")
    with pytest.raises(Problem, match="no OpenStreetMap extract"):
        read_osm(tmp_path / "x.osm")


def test_geojson_of_another_system_lands_where_it_should(tmp_path: Path) -> None:
    path = tmp_path / "rues.geojson"
    place = {"type": "Point", "coordinates": [652_469.02, 6_862_035.26]}  # Paris, Notre-Dame, Lambert-93
    feature = {"type": "Feature", "properties": {"nom": "Parvis"}, "geometry": place}
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::2154"}}
    path.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": [feature]}))
    (ground,) = read_geojson(path, "place")
    assert (ground.kind, ground.name) == ("place", "Parvis")
    assert ground.geometry.distance(Point(2.3522, 48.8566)) < 0.0001  # about ten metres


def test_geojson_without_kind_or_sense_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.geojson"
    path.write_text('{"features":[{"geometry":{"type":"Point","coordinates":[1,2]}}]}')
    with pytest.raises(Problem, match="say its kind"):
        read_geojson(path)
    path.write_text('{"features":[{"geometry":{"type":"Rond"}}]}')
    with pytest.raises(Problem, match="no GeoJSON"):
        read_geojson(path, "place")
