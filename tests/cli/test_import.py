"""`beffroi import`: the command, its report, its exit codes; real files come back with equal digits."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.forked import beffroi

from beffroi.model.instant import format_interval
from beffroi.plugins import load_registry
from beffroi.settings import Settings
from beffroi.store.open import Store
from beffroi.store.tables import datastream, thing


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "town"
    folder.mkdir()
    (folder / "beffroi.toml").write_text('name = "Essai"\n', "utf-8")
    return folder


def run(*arguments: str | Path, code: int = 0, language: str = "fr") -> Any:
    done = beffroi("import", *map(str, arguments), BEFFROI_LANG=language)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout) if code == 0 and "--json" in arguments else done


def stored(data: Path, number: int) -> list[tuple[str, str]]:
    store = Store.open(Settings(data=data))
    try:
        found = store.observations.series(number)
        return [(format_interval(o.start_us, o.end_us), o.result.json()) for o in found]
    finally:
        store.close()


def test_every_real_file_comes_in_once_and_comes_back_with_its_digits(data: Path, shared: Path) -> None:
    sensors = shared / "data/sensors"
    stage = shared / "data/hydro/series/ardeche_meyras_stage_2001_2011.tsv"
    cases: list[tuple[str, list[Path], int, int]] = [
        ("istsos-csv", sorted(sensors.glob("meteo_*.csv")), 59_412, 0),
        ("stage-tsv", [stage], 9_054, 0),
        ("opendatasoft", [sensors / "air_grandpoitiers_ods.json"], 45, 1),
        ("comptage", [sensors / "comptage/measure_exemple.csv"], 9, 1),
    ]
    for kind, files, read, rejected in cases:
        first = run(kind, *files, "--data", data, "--json")
        again = run(kind, *files, "--data", data, "--json")
        assert (first["read"], first["stored"], first["rejected"]) == (read, read - rejected, rejected)
        assert (again["stored"], again["unchanged"], again["rejected"]) == (0, read - rejected, rejected)
        assert sum(one["stored"] for one in first["datastreams"]) == first["stored"]
        assert set(first) == {"read", "stored", "unchanged", "rejected", "rejects", "datastreams"}
        if kind == "stage-tsv":
            written = [row[1] for row in csv.reader(io.StringIO(stage.read_text()), delimiter="\t")][1:]
            # rows of one time keep their order: the id is the second key
            assert [value for _, value in stored(data, first["datastreams"][0]["id"])] == written
        if kind == "istsos-csv":
            temperature = next(one for one in first["datastreams"] if "T_BED" in one["name"])
            written = [row[2] for row in csv.reader(io.StringIO((sensors / "meteo_T_BED.csv").read_text()))][
                1:
            ]
            assert [value for _, value in stored(data, temperature["id"])] == written
        if kind == "comptage":
            assert stored(data, first["datastreams"][0]["id"])[0] == (
                "2021-09-07T13:15:00Z/2021-09-07T13:30:00Z",
                "20",
            )


def write(folder: Path, name: str, *lines: str) -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_an_overlapping_export_adds_only_what_is_new_and_repeats_are_kept(data: Path, tmp_path: Path) -> None:
    mapping = write(tmp_path, "map.toml", '[thing]\nkey = "mairie"\n')
    first = write(
        tmp_path, "a.csv", "date;débit", "01/07/2026 10:00;1,0", "01/07/2026 10:00;1,0", "01/07/2026 10:00;2"
    )
    second = write(tmp_path, "b.csv", "date;débit", "01/07/2026 10:00;1,0", "01/07/2026 10:00;1,0", "01/07/2026 10:00;2", "01/07/2026 11:00;1,0")  # fmt: skip
    report = run("csv", first, "--mapping", mapping, "--data", data, "--json")
    assert (report["read"], report["stored"], report["unchanged"]) == (3, 3, 0)
    dry = run("csv", second, "--mapping", mapping, "--data", data, "--json", "--dry-run")
    report = run("csv", second, "--mapping", mapping, "--data", data, "--json")
    assert dry == report
    assert (report["stored"], report["unchanged"]) == (1, 3)


def test_rejects_name_file_line_field_reason_and_mend_in_both_languages(data: Path, tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "date;v", "01/07/2026 10:00;x", "hier;1", "01/07/2026 10:00;")
    mapping = write(tmp_path, "map.toml", '[thing]\nkey = "mairie"\n')
    french = run("csv", path, "--mapping", mapping, "--data", data, "--json")
    assert [(r["file"], r["line"], r["field"]) for r in french["rejects"]] == [
        (str(path), 2, "v"), (str(path), 3, "date"), (str(path), 4, "v"),
    ]  # fmt: skip
    assert all(r["reason"] and r["mend"] for r in french["rejects"])
    english = run("csv", path, "--mapping", mapping, "--data", data, "--json", language="en")
    assert english["rejects"][2]["reason"] == "The row has no value."
    assert french["datastreams"] == []


def test_an_unreadable_file_leaves_nothing_even_after_a_good_one(data: Path, tmp_path: Path) -> None:
    good = write(tmp_path, "good.json", '[{"date": "2026-01-01", "valeur": 1}]')
    cut = tmp_path / "cut.json"
    cut.write_text('[{"date": "2026-01-01", "valeur": 1}, {"date": "2026', "utf-8")
    refusal = run("opendatasoft", good, cut, "--data", data, "--json", code=2)
    assert "cut.json" in json.loads(refusal.stderr)["place"]
    store = Store.open(Settings(data=data))
    with store.read() as connection:
        assert connection.execute(select(thing.c.id)).all() == []
        assert connection.execute(select(datastream.c.id)).all() == []
    store.close()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("comptage", "T.csv"), "channel_id"),
        (("nope", "T.csv"), "istsos-csv"),
        (("csv", "absent.csv"), "absent.csv"),
        (("csv",), "--list"),
        (("csv", "T.csv", "--mapping", "bad.toml"), "bad.toml"),
    ],
)
def test_misuse_is_code_2_and_says_how_to_mend(
    data: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    write(tmp_path, "T.csv", "a;b", "1;2")
    write(tmp_path, "bad.toml", "= nothing")
    paths = [a if a in ("comptage", "nope", "csv", "--mapping") else tmp_path / a for a in arguments]
    assert words in run(*paths, "--data", data, code=2).stderr


def test_the_kinds_are_named(data: Path) -> None:
    kinds = [kind["name"] for kind in run("--list", "--json")["kinds"]]
    assert {"istsos-csv", "stage-tsv", "opendatasoft", "comptage", "csv"} <= set(kinds)


def test_a_layer_comes_into_its_collection_and_again_unchanged(data: Path, tmp_path: Path) -> None:
    def lamp(code: str | None, x: float, **more: Any) -> dict[str, Any]:
        properties = {"CODE": code, "Rue": "x", "État": "En panne", **more}
        return {
            "type": "Feature",
            "properties": properties,
            "geometry": {"type": "Point", "coordinates": [x, 47.65]},
        }

    layer = tmp_path / "export.geojson"
    layer.write_text(json.dumps({
        "type": "FeatureCollection", "name": "x",
        "features": [lamp("L-1", -2.08), lamp("12", -2.09), lamp(None, -2.1), {"type": "Point"}, lamp("L-1", -2.0)],
    }), "utf-8")  # fmt: skip
    dry = run("geojson", layer, "--collection", "lamp", "--data", data, "--json", "--dry-run")
    first = run("geojson", layer, "--collection", "lamp", "--data", data, "--json")
    assert (first["read"], first["stored"], first["unchanged"], first["rejected"]) == (5, 2, 0, 3)
    assert (dry["read"], dry["stored"]) == (5, 2)
    assert all(r["reason"] and r["mend"] for r in first["rejects"])
    again = run("geojson", layer, "--collection", "lamp", "--data", data, "--json")
    assert (again["read"], again["stored"], again["unchanged"], again["rejected"]) == (5, 0, 2, 3)
    own = run("geojson", layer, "--data", data, "--json")
    assert [(c["name"], c["geometry"], c["public"]) for c in own["collections"]] == [
        ("export", "point", True)
    ]
    table = write(tmp_path, "lamp.geojson", '{"type": "FeatureCollection", "features": [{"a": 1}]}')
    assert "GeoJSON" in run("geojson", table, "--data", data, code=2).stderr


def test_a_table_of_records_goes_into_its_collection(data: Path, tmp_path: Path) -> None:
    table, mapping = tmp_path / "Supports 2024.csv", tmp_path / "map.toml"
    table.write_bytes(
        "Hauteur;lanterne;X_L93;Y_L93\n8,5;LANTERNE;770999,84;6278801,52\nhaut;LANTERNE;1;2\n".encode(
            "cp1252"
        )
    )
    mapping.write_text(
        'crs = "EPSG:2154"\nterritory = "34172"\n[fields]\nsource_kind = "lanterne"\n', "utf-8"
    )
    command = ("csv", table, "--collection", "support", "--mapping", mapping, "--data", data, "--json")
    first = run(*command)
    assert (first["read"], first["stored"], first["rejected"]) == (2, 1, 1)
    assert (first["rejects"][0]["line"], first["rejects"][0]["field"]) == (3, "height_m")
    assert run(*command)["unchanged"] == 1
    store = Store.open(Settings(data=data))
    try:
        from beffroi.services.equipment.collections import COLLECTIONS

        store.records.declare(COLLECTIONS)
        row = store.records.by_key("support", "supports-2024-2", "34172")
        assert row is not None
        assert (row.values["height_m"], row.values["source_kind"]) == (8.5, "LANTERNE")
        assert row.geometry is not None
        assert row.geometry["coordinates"] == pytest.approx([3.8786, 43.5981], abs=0.01)
    finally:
        store.close()


def test_a_table_of_objects_comes_into_its_collection(data: Path, tmp_path: Path) -> None:
    table = tmp_path / "parc.csv"
    table.write_bytes(
        "N° support;Voie;État;Latitude;Longitude\nS-1;Rue de l'Église;En panne;47,65;-2,08\nS-2;x;ok;;\nS-3;x;ok;nord;1\n".encode(
            "cp1252"
        )
    )
    mapping = write(tmp_path, "m.yaml", "fields: {code: 'N° support', street: Voie}")
    arguments = ("csv", table, "--collection", "support", "--mapping", mapping, "--data", data, "--json")
    report = run(*arguments)
    assert (report["read"], report["stored"]) == (3, 2)
    assert [(r["line"], r["field"]) for r in report["rejects"]] == [(4, "geometry")]
    again = run(*arguments)
    assert (again["stored"], again["unchanged"]) == (0, 2)
    store = Store.open(Settings(data=data))
    store.records.declare(load_registry().collections.values())
    found = store.records.by_key("support", "S-1")
    store.close()
    assert found is not None
    assert (found.values["street"], found.values["state"], found.geometry) == (
        "Rue de l'Église", "broken", {"type": "Point", "coordinates": [-2.08, 47.65]},
    )  # fmt: skip
