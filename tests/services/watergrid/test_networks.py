"""Networks in and out: EPANET models, StaR-Eau, closing a valve; the scene's own hydraulics against EPANET."""

import sqlite3
import struct
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import shapely

from beffroi.intake.records import import_records
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import Problem
from beffroi.scene import Scene
from beffroi.scene.waterworks import Grid
from beffroi.services.watergrid.connectors import IMPORTS
from beffroi.services.watergrid.hydraulics.closing import close
from beffroi.services.watergrid.hydraulics.epanet import Project
from beffroi.services.watergrid.hydraulics.model import read_model
from beffroi.services.watergrid.stareau.layers import layers
from beffroi.services.watergrid.stareau.writing import write
from beffroi.store.record import Entry, Query, Reject
from beffroi.town import Town

EPANET, STAREAU = IMPORTS


def inp(grid: Grid, use_m3h: float) -> str:
    """Return the grid as an EPANET model."""
    share = grid.loaded(use_m3h, {})
    lines = ["[JUNCTIONS]"]
    lines += [
        f"{grid.code(i)} {grid.elevation[i]:.6f} {share[i]:.9f}"
        for i in range(len(grid.places))
        if i != grid.source
    ]
    lines += ["[RESERVOIRS]", f"{grid.code(grid.source)} 62", "[PIPES]"]
    lines += [
        f"{p.code} {grid.code(p.start)} {grid.code(p.end)} {p.course.length:.6f} {p.diameter_mm} 115"
        for p in grid.pipes
    ]
    return "\n".join(
        [*lines, "[OPTIONS]", "Units CMH", "Headloss H-W", "Accuracy 0.00001", "Trials 200", "[END]"]
    )


def test_the_scene_solves_as_epanet_does(scene: Scene, tmp_path: Path) -> None:
    grid = scene.waterworks.grid
    path = tmp_path / "grid.inp"
    path.write_text(inp(grid, 30.0))
    ours = grid.pressures(grid.loaded(30.0, {}))
    with Project(path) as project:
        theirs = project.once([grid.code(i) for i in range(len(grid.places)) if i != grid.source])
    assert np.delete(ours, grid.source) == pytest.approx(theirs, abs=0.005)


def test_ltown_is_imported_whole(shared: Path) -> None:
    rows = {
        name: list(EPANET.read(shared / "water" / "L-TOWN.inp", {"collection": name}))
        for name in EPANET.collections
    }
    assert {name: len(found) for name, found in rows.items()} == {
        "water_node": 785,
        "water_valve": 4,
        "water_pipe": 905,
    }
    assert all(isinstance(r, Entry) and r.geometry is None for found in rows.values() for r in found)
    first = rows["water_node"][0]
    assert isinstance(first, Entry)
    assert (first.values["x_model"], first.values["kind"]) == (pytest.approx(2.33, abs=1e4), "junction")


def test_a_line_that_is_not_understood_is_told_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "a.inp"
    path.write_text(
        "[JUNCTIONS]\nA 10 1\nB 12 1\n[RESERVOIRS]\nR 50\n[PIPES]\nP1 R A 100 150 120\nP2 A B dix 150 120\nP3 A Z 9 9 9\n[END]"
    )
    rejects = [r for r in EPANET.read(path, {"collection": "water_pipe"}) if isinstance(r, Reject)]
    assert [r.place for r in rejects] == ["line 8", "line 9"]
    with pytest.raises(Problem) as refused:
        (tmp_path / "b.inp").write_text("rien")
        read_model(tmp_path / "b.inp")
    assert refused.value.place == "[JUNCTIONS]"


def test_a_model_without_a_pipe_that_is_understood_names_the_first_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.inp"
    path.write_text("[JUNCTIONS]\nA 10 0\n[PIPES]\nP1 A B 100 100 100\n[END]\n")
    with pytest.raises(Problem, match="first line 4, 'P1 A B 100 100 100'") as told:
        read_model(path)
    assert told.value.place == "line 4"
    path.write_text("[JUNCTIONS]\nA 10 0\nB 9 0\n[PIPES]\nP1 A B 100 100 100\n[END]\n")
    with pytest.raises(Problem, match="no reservoir and no tank"):
        Project(path)


def test_closing_a_pipe_cuts_what_hangs_from_it(tmp_path: Path) -> None:
    path = tmp_path / "a.inp"
    path.write_text(
        "[JUNCTIONS]\nA 10 1\nB 12 2\nC 12 3\n[RESERVOIRS]\nR 50\n[PIPES]\nP1 R A 100 150 120\nP2 A B 100 150 120\nP3 B C 100 150 120\n[OPTIONS]\nUnits CMH\nHeadloss H-W\n[END]"
    )
    found = close(path, ["P2"])
    assert (found.cut, found.cut_m3h) == (("B", "C"), pytest.approx(5.0))
    with pytest.raises(Problem) as refused:
        close(path, ["V9"])
    assert refused.value.place == "V9"


def test_ltown_valve_is_quick(shared: Path) -> None:
    found = close(shared / "water" / "L-TOWN.inp", ["PRV-3"])
    assert len(found.cut) == 31
    assert found.cpu_s < 1.0


def test_stareau_is_written_as_the_template_is_and_read_back(
    watertown: Town, shared: Path, tmp_path: Path
) -> None:
    pyogrio = pytest.importorskip("pyogrio")
    rows = {name: list(watertown.store.records.all(name, Query())) for name in STAREAU.collections}
    common = {
        "etat_service": "en service", "insee_commune": "18901", "maitre_ouvrage": "Commune", "exploitant": "Régie", "precision_xy": "C",
        "precision_z": "C", "an_pose_sup": "1970", "mode_circulation": "gravitaire", "type_pose": "enterré", "raison_pose": "inconnu",
        "revetement_interieur": "inconnu", "fonction_canalisation": "distribution", "contenu_canalisation": "eau potable",
        "type_pression": "gravitaire", "ref_reservoir": "N020",
    }  # fmt: skip
    out = tmp_path / "reseau.gpkg"
    written, lacking = write(out, rows, datetime(2026, 11, 22, tzinfo=UTC), common)
    pipes = len(rows["water_pipe"])
    assert written == pipes
    # valves and meters lack columns that the template needs and nobody gave: they are told, not invented
    assert {x.collection for x in lacking} == {"water_node", "water_valve", "water_meter"}
    assert all("geom" not in x.columns for x in lacking)
    template = shared / "stareau" / "eau_potable_no_style.gpkg"
    assert dict(pyogrio.list_layers(out)) == dict(pyogrio.list_layers(template))
    for layer in layers():
        ours, theirs = (pyogrio.read_info(path, layer=layer) for path in (out, template))
        assert list(ours["fields"]) == list(theirs["fields"])
        assert ours["crs"] == theirs["crs"]
    assert pyogrio.read_info(out, layer="aep_canalisation")["features"] == pipes
    with sqlite3.connect(out) as base:
        assert base.execute("SELECT DISTINCT description FROM gpkg_contents").fetchall() == [
            ("StaR-Eau 2024",)
        ]
    back = [r for r in STAREAU.read(out, {"collection": "water_pipe"}) if isinstance(r, Entry)]
    assert {r.values["code"]: r.values["length_m"] for r in back} == {
        r.values["code"]: pytest.approx(r.values["length_m"], abs=0.01) for r in rows["water_pipe"]
    }
    one = next(r for r in rows["water_pipe"] if r.values["code"] == back[0].values["code"])
    assert np.array(back[0].geometry["coordinates"]) == pytest.approx(
        np.array(one.geometry["coordinates"]), abs=1e-6
    )  # type: ignore[index]


def test_the_empty_template_and_a_wrong_file_are_read(shared: Path, tmp_path: Path) -> None:
    assert (
        list(STAREAU.read(shared / "stareau" / "eau_potable_no_style.gpkg", {"collection": "water_pipe"}))
        == []
    )
    (tmp_path / "x.gpkg").write_text("rien")
    with pytest.raises(Problem, match="no GeoPackage"):
        list(STAREAU.read(tmp_path / "x.gpkg", {"collection": "water_pipe"}))
    (tmp_path / "cut.gpkg").write_bytes(
        (shared / "stareau" / "eau_potable_no_style.gpkg").read_bytes()[:300_000]
    )
    with pytest.raises(Problem, match="cut or damaged"):
        list(STAREAU.read(tmp_path / "cut.gpkg", {"collection": "water_pipe"}))


def test_every_refused_row_of_a_network_is_told_by_its_layer_and_number(
    watertown: Town, tmp_path: Path
) -> None:
    """Valves and pipes have rows of their own: what is wrong with either is told, and counted."""
    path = tmp_path / "bad.gpkg"
    write(path, {}, datetime(2026, 11, 22, tzinfo=UTC), {})
    point = (
        b"GP\x00\x01"
        + struct.pack("<i", 2154)
        + shapely.to_wkb(shapely.Point(652_000, 6_662_000), byte_order=1)
    )
    with closing(sqlite3.connect(path)) as base:
        _broken(base, "aep_vanne", id_aep_vanne="V1", geom=point, diametre="gros")
        _broken(base, "aep_vanne", id_aep_vanne="V2", geom=point, diametre="80,5")
        _broken(base, "aep_canalisation", id_canalisation="C1", geom=b"GP", longueur_terrain=10.0)
        _broken(base, "aep_canalisation", id_canalisation="C2", geom=point, diametre_equivalent=-80.0)
        base.commit()
    report = import_records(watertown.store, STAREAU, [path], {}, SYSTEM, dry=True)
    assert (report.read, report.stored, report.rejected) == (4, 1, 3)
    assert [(r.place, r.field, r.reason.en) for r in report.rejects[:2]] == [
        ("aep_vanne, fid 1", "diametre", "'gros' is not a number."),
        ("aep_canalisation, fid 1", "geom", "the geometry is not understood."),
    ]
    assert (report.rejects[2].place, report.rejects[2].line) == ("aep_canalisation, fid 2", 0)


def _broken(base: sqlite3.Connection, layer: str, **values: object) -> None:
    """Write a row with what it needs, whatever that is."""
    needed = [r[1] for r in base.execute(f"PRAGMA table_info({layer})") if r[3] and r[4] is None and not r[5]]
    row = {name: f"{name} {min(values.items(), key=str)}" for name in needed} | values
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    base.execute(f"INSERT INTO {layer} ({names}) VALUES ({marks})", list(row.values()))


def test_patterns_finer_than_the_step_are_brought_to_it_and_volumes_stay(tmp_path: Path) -> None:
    path = tmp_path / "fine.inp"
    factors = [0.5, 1.0, 1.5, 2.0, 0.2, 0.8] * 48
    lines = [
        "[JUNCTIONS]",
        "a 10 36 day",
        "[RESERVOIRS]",
        "r 50",
        "[PIPES]",
        "p r a 100 200 100",
        "[PATTERNS]",
    ]
    lines += [f"day {' '.join(map(str, factors[i : i + 6]))}" for i in range(0, len(factors), 6)]
    lines += ["[TIMES]", "Duration 24:00", "Hydraulic Timestep 0:05", "Pattern Timestep 0:05", "[OPTIONS]", "Units CMH", "Headloss H-W", "[END]"]  # fmt: skip
    path.write_text("\n".join(lines))
    drawn = {}
    for step in (300, 900, 700):  # the last is no multiple: nothing is brought to it
        with Project(path) as project:
            project.clock(86_400 - 1, step)
            drawn[step] = [project.demand("a") for _ in project.steps()]
    assert len(drawn[900]) == 97  # the last instant of the day too
    assert drawn[900][:2] == pytest.approx([36.0, 36.0])
    assert sum(drawn[900][:96]) * 900 == pytest.approx(sum(drawn[300][:288]) * 300, rel=1e-6)
    assert len(drawn[700]) > 288
