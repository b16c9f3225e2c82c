"""The stock: the Montpellier supports in and out, files with faults, the tree, the layout, the commands."""

import csv
import gzip
import json
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.services.lighting.conftest import COMMUNE
from typer.testing import CliRunner

from beffroi.cli import application
from beffroi.intake.kinds import kind_called
from beffroi.intake.records import import_records
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import Problem
from beffroi.services.lighting.compliance import review
from beffroi.services.lighting.exporting import TEMPLATE, write_layout
from beffroi.services.lighting.importing import IMPORTS, read_lights
from beffroi.services.lighting.plans import Plans, plan_of
from beffroi.services.lighting.stock import arrays_of, lamps_of, tree_of
from beffroi.store.record import Entry, Query, Reject
from beffroi.store.record_tables import table_of
from beffroi.town import Town


@pytest.mark.shared
def test_every_row_of_montpellier_is_kept(shared: Path) -> None:
    """In = stored + listed rejects: untyped rows and several points on one spot included."""
    path = shared / "data/networks/lighting/montpellier_supports.csv.gz"
    with gzip.open(path, "rt") as file:
        rows = list(csv.DictReader(file))
    lamps = list(read_lights(path, {"collection": "lamp"}))
    supports = list(read_lights(path, {"collection": "support"}))
    assert (len(rows), len(lamps)) == (23_976, 23_976)
    assert not [x for x in lamps if isinstance(x, Reject)]
    assert len({x.values["code"] for x in lamps if isinstance(x, Entry)}) == len(rows)
    spots = Counter((r["x_l93"], r["y_l93"]) for r in rows)
    carried = Counter(x.values["support"] for x in lamps if isinstance(x, Entry))
    assert (len(supports), sorted(carried.values())) == (len(spots), sorted(spots.values()))
    assert sum(not r["type_lante"] for r in rows) == 23
    first = lamps[0]
    assert isinstance(first, Entry)
    assert first.geometry is not None
    assert first.geometry["coordinates"] == pytest.approx([3.8785, 43.6048], abs=0.01)


def taken(town: Town, path: Path, **options: Any) -> Any:
    """Import a file of points."""
    return import_records(
        town.store, kind_called("lights", IMPORTS), [path], {"territory": COMMUNE, **options}, SYSTEM
    )


def test_a_file_with_faults_names_each_line(town: Town, tmp_path: Path) -> None:
    path = tmp_path / "parc.csv"
    path.write_text(
        "code;armoire;depart;id_supp;source;puissance;x;y;categorie\n"
        "P1;A9;D1;M1;LED 40;40,5;770999,84;6278801,52;a\n"
        "P2;A9;D2;M1;SHP 100;100;770999,84;6278801,52;a\n"
        "P3;A9;D2;M2;LED;-5;771000;6278800;a\n"
        "P4;A9;D2;M3;LED;quarante;771000;6278800;a\n"
        "P5;A9;D2;M4;LED;40;;6278800;a\n"
        "P1;A9;D2;M5;LED;40;771000;6278800;a\n",
        "utf-8",
    )
    report = taken(town, path)
    assert (report.read, report.stored, report.rejected) == (6, 2, 4)
    assert [(r.line, r.field) for r in report.rejects] == [
        (4, "power_w"),
        (5, "power_w"),
        (6, "x"),
        (7, "code"),
    ] or sorted((r.line, r.field) for r in report.rejects) == [
        (4, "power_w"),
        (5, "power_w"),
        (6, "x"),
        (7, "code"),
    ]
    assert all(r.mend.en and r.mend.fr for r in report.rejects)
    cabinet = town.store.records.by_key("cabinet", "A9", COMMUNE)
    assert cabinet is not None
    feeders = tree_of(town, cabinet.id)
    told = [
        (
            f.name,
            [(s.values["code"] if s else None, [x.values["code"] for x in held]) for s, held in f.supports],
        )
        for f in feeders
    ]
    assert told == [("D1", [("M1", ["P1"])]), ("D2", [("M1", ["P2"])])]
    again = taken(town, path)
    assert (again.stored, again.unchanged) == (0, 2)


def test_a_file_without_coordinates_is_refused_whole(town: Town, tmp_path: Path) -> None:
    path = tmp_path / "parc.csv"
    path.write_text("code;puissance\nP1;40\n", "utf-8")
    before = town.store.records.count("lamp")
    with pytest.raises(Problem) as told:
        taken(town, path)
    assert told.value.place.endswith("line 1")
    assert town.store.records.count("lamp") == before


def test_the_layout_says_what_it_is_sure_of(town: Town, tmp_path: Path) -> None:
    target = tmp_path / "eclext.csv"
    town.store.records.put(
        "lamp",
        {"code": "=1+1", "power_w": 12.0},
        geometry={"type": "Point", "coordinates": [3.8, 43.6]},
        territory=COMMUNE,
        who=SYSTEM,
    )
    assert write_layout(town, target) == 4
    with target.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [c.name for c in TEMPLATE.columns]
    assert (rows[0]["id_armoire"], rows[0]["id_support"], rows[0]["puissance_max_w"]) == ("AR1", "S1", "40")
    assert rows[3]["id_point_lumineux"] == "'=1+1"
    assert {c.name for c in TEMPLATE.columns if not c.sure} == {
        "id_point_lumineux",
        "id_support",
        "id_armoire",
        "depart",
    }


def test_lamps_without_power_are_left_out_and_counted(town: Town) -> None:
    records = town.store.records
    row = records.find("lamp", Query(limit=1)).rows[0]
    records.put("lamp", {"power_w": None}, id=row.id, who=SYSTEM)
    stock, left = arrays_of(lamps_of(town))
    assert (len(stock), left) == (2, 1)
    found = review(town)
    counts = {line.rule: line.counts for line in found.lines}
    assert (found.points, counts["data_power_w"]["missing"], counts["cct"]["unknown"]) == (3, 1, 3)


def run(*arguments: str) -> Any:
    """Run a command and return its JSON."""
    done = CliRunner().invoke(application(), [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def test_the_commands_answer_in_json(town: Town, tmp_path: Path) -> None:
    data = str(town.settings.data)
    sun = run("lighting", "sun", "--at", "3.88,43.61", "--year", "2028")
    assert (len(sun["days"]), sun["days"][0]["sunset"][:13]) == (366, "2028-01-01T16")
    told = run("lighting", "what-if", "--data", data, "--program", "coucher 100, 23:00 0, 05:00 100, lever")
    assert (told["points"], told["left_out"], told["to_check"]) == (3, 0, True)
    assert told["kwh"] == pytest.approx(3 * 40 * 1.05 * told["full_hours"] / 1000, abs=0.01)
    assert run("lighting", "tree", "AR1", "--data", data)["lamps"] == 3
    assert run("lighting", "legal", "--data", data)["points"] == 3
    assert run("lighting", "watch", "--data", data)["cabinets"][0]["knows"] == "no_curve"
    assert run("lighting", "export", str(tmp_path / "e.csv"), "--data", data)["written"] == 3
    assert run("lighting", "talq", "--dry-run", "--data", data) == {"gateways": []}
    led = run(
        "lighting", "led", "--points", "1000", "--from-watts", "110", "--to-watts", "45", "--dimmed", "0.25"
    )
    assert (round(led["kwh_after"]), round(led["npv"])) == (145_294, 569_436)


def unread(town: Town, collection: str, field: str, value: str, code: str) -> None:
    """Let a record hold what no form takes, as one written long ago."""
    table = table_of(town.store.records.collections[collection])
    with town.store.write() as c:
        c.execute(table.update().where(table.c.code == code).values({field: value}))


def test_a_wrong_line_darkens_no_cabinet(town: Town) -> None:
    """A cabinet follows its calendar; what cannot be read is left out, and the cut of its record holds without one."""
    put = town.store.records.put
    cabinet = town.store.records.find("cabinet", Query(limit=1)).rows[0]
    first = date(2026, 12, 23)
    assert [p.text() for p in plan_of(town, cabinet).of_nights(first, 1)] == [
        "sunset 100, 23:00 0, 05:00 100, sunrise"
    ]
    usual = put(
        "lighting_program",
        {"code": "usuel", "title": "U", "program": "coucher 50, lever"},
        territory=COMMUNE,
        who=SYSTEM,
    )
    put(
        "lighting_program",
        {"code": "faux", "title": "F", "program": "coucher, lever"},
        territory=COMMUNE,
        who=SYSTEM,
    )
    with pytest.raises(Problem) as refused:  # at its field, today; what was written before that is left out
        put(
            "lighting_program",
            {"code": "x", "title": "X", "program": "midi, lever"},
            territory=COMMUNE,
            who=SYSTEM,
        )
    assert refused.value.place == "program"
    unread(town, "lighting_program", "program", "midi, lever", "faux")
    put(
        "lighting_program",
        {"code": "fete", "title": "N", "program": "coucher, lever"},
        territory=COMMUNE,
        who=SYSTEM,
    )
    calendar = put(
        "lighting_calendar", {"code": "c", "title": "C", "default_program": usual.id, "rules": "12-24..12-25 fete\nsam faux\ndim absent"},
        territory=COMMUNE, who=SYSTEM,
    )  # fmt: skip
    put(
        "lighting_assignment",
        {"code": "AR1", "cabinet": cabinet.id, "calendar": calendar.id},
        territory=COMMUNE,
        who=SYSTEM,
    )
    told = [p.level for p in plan_of(town, cabinet).of_nights(first, 5)]
    assert told == [0.5, 1.0, 1.0, 0.5, 0.5]
    faults = [(row.values["code"], problem.place) for row, problem in Plans(town).faults]
    assert faults == [("faux", "part 1"), ("c", "rules"), ("c", "rules")]
    with pytest.raises(Problem) as refused:
        put("lighting_calendar", {"rules": "n'importe quoi"}, id=calendar.id, who=SYSTEM)
    assert refused.value.place == "rules"
    unread(town, "lighting_calendar", "rules", "n'importe quoi", "c")
    assert [p.level for p in plan_of(town, cabinet).of_nights(first, 2)] == [0.5, 0.5]
