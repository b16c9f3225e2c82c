"""`beffroi leaks …` on the shared leak year, and on files that cannot serve."""

import gzip
import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from tests.cli.test_commands import beffroi, terminal  # noqa: F401 -- the terminal is a fixture

from beffroi.services.watergrid.hydraulics.model import read_model
from beffroi.services.watergrid.leaks.detect import File
from beffroi.services.watergrid.leaks.locate import Located
from beffroi.services.watergrid.leaks.search import Old, Searched, digs, nights
from beffroi.services.watergrid.leaks.series import Table

INFLOW = "p227+p235-PUMP_1"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("leaks") / "files.json"


def flows(shared: Path, year: str) -> str:
    return str(shared / "water" / f"ltown_{year}_flows_15min.csv.gz")


def truth(shared: Path) -> list[tuple[str, datetime, datetime, str]]:
    rows = [
        [c.strip() for c in line.split(",")]
        for line in (shared / "water" / "leakages_info.yalm").read_text().splitlines()[1:]
    ]
    leaks = [
        (r[0], datetime.fromisoformat(r[1]), datetime.fromisoformat(r[2]), r[4]) for r in rows if len(r) == 6
    ]
    return sorted((x for x in leaks if x[1].year == 2019), key=lambda x: x[1])


def test_the_leak_year_is_found(shared: Path) -> None:
    said = beffroi("leaks", "detect", "--inflow", INFLOW, "--base", flows(shared, "base_11"), "--year", flows(shared, "leak_21"), "--json")  # fmt: skip
    files = json.loads(said.stdout)["files"]
    left, delays = list(files), {"abrupt": [], "incipient": []}
    for _, start, end, kind in truth(shared):
        hit = next((f for f in left if start <= datetime.fromisoformat(f["detected"]) <= end), None)
        if hit is not None:
            left.remove(hit)
            delays[kind].append((datetime.fromisoformat(hit["detected"]) - start).total_seconds() / 86_400)
    assert sum(map(len, delays.values())) >= 18
    assert sorted(delays["abrupt"])[len(delays["abrupt"]) // 2] <= 2
    assert len(left) <= 6
    assert {f["kind"] for f in files} == {"abrupt", "incipient"}
    assert all(f["euro_per_day"] == pytest.approx(0.8 * f["m3_per_day"], abs=0.05) for f in files)


def test_a_year_without_new_leaks_opens_no_file(shared: Path) -> None:
    base = flows(shared, "base_11")
    said = beffroi("leaks", "detect", "--inflow", INFLOW, "--base", base, "--year", base, "--json")
    assert len(json.loads(said.stdout)["files"]) <= 1


@pytest.mark.parametrize(
    ("expression", "place"),
    [("p227+p999-PUMP_1", "p999"), ("p227+", ""), ("-PUMP_1", "-PUMP_1"), ("PUMP_1-p227", "négatif")],
)
def test_an_expression_that_cannot_serve_is_refused(shared: Path, expression: str, place: str) -> None:
    refused = beffroi("leaks", "detect", f"--inflow={expression}", "--base", flows(shared, "base_11"), "--year", flows(shared, "leak_21"), code=2)  # fmt: skip
    assert place in refused.stderr
    assert refused.stdout == ""


def write(path: Path, lines: list[str]) -> str:
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return str(path)


def test_a_short_base_a_cut_file_and_a_wrong_line(shared: Path, tmp_path: Path) -> None:
    lines = gzip.decompress(Path(flows(shared, "base_11")).read_bytes()).decode().splitlines()
    short = write(tmp_path / "short.csv.gz", lines[: 96 * 20])
    said = beffroi("leaks", "detect", "--inflow", "p227", "--base", short, "--year", short, code=2)
    assert "20 jours" in said.stderr or "19 jours" in said.stderr
    wrong = write(tmp_path / "wrong.csv.gz", [*lines[:50], lines[50].replace(",", ",x", 1), *lines[51:200]])
    said = beffroi("leaks", "detect", "--inflow", "p227", "--base", wrong, "--year", wrong, code=2)
    assert "ligne 51" in said.stderr
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(Path(short).read_bytes()[:2000])
    assert (
        "ne se lit pas"
        in beffroi(
            "leaks", "detect", "--inflow", "p227", "--base", str(cut), "--year", str(cut), code=2
        ).stderr
    )


def test_the_perfect_answer_earns_what_was_published(shared: Path) -> None:
    water = shared / "water"
    words = (
        "--leaks",
        str(water / "leakages_info.yalm"),
        "--flows",
        *(str(water / f"leak_flows_2019_15min_{n}.csv.gz") for n in (12, 11)),
    )
    said = json.loads(beffroi("leaks", "score", str(water / "PERFECT_TEAM.txt"), *words, "--json").stdout)
    assert said["euro"] == pytest.approx(523_154, abs=100)
    assert (said["found"], said["false"], said["repeated"]) == (23, 0, 0)


def test_an_answer_is_weighed_by_distance_and_time(shared: Path, tmp_path: Path) -> None:
    water = shared / "water"
    answer = tmp_path / "answer.txt"
    answer.write_text(
        "p523, 2019-01-15 23:00\np524, 2019-01-16 00:00\np1, 2019-01-15 23:30\np523, 2018-12-31 00:00\n"
    )
    words = [
        "leaks", "score", str(answer), "--leaks", str(water / "leakages_info.yalm"), "--flows", str(water / "leak_flows_2019_15min_12.csv.gz"),
    ]  # fmt: skip
    assert "p1" in beffroi(*words, code=2).stderr
    said = json.loads(beffroi(*words, "--model", str(water / "L-TOWN.inp"), "--json").stdout)
    assert [line["leak"] for line in said["lines"]] == ["p523", None, "p523"]
    assert [line["euro"] for line in said["lines"]][1:] == [-500.0, 0.0]


def test_pressures_that_the_model_does_not_know_are_refused(shared: Path, tmp_path: Path) -> None:
    files = tmp_path / "files.json"
    files.write_text(json.dumps({"files": []}))
    words = ["leaks", "locate", "--model", str(shared / "water" / "L-TOWN.inp"), "--files", str(files)]
    base = flows(shared, "base_11")
    assert "Aucune colonne des pressions" in beffroi(*words, "--base", base, "--year", base, code=2).stderr
    files.write_text(json.dumps({"files": [{"start": "hier"}]}))
    assert "/files/0/start" in beffroi(*words, "--base", base, "--year", base, code=2).stderr


def test_a_pressure_that_no_water_has_is_not_part_of_a_night() -> None:
    times = np.array([2 * 3600, 3 * 3600, 86_400 + 2 * 3600, 86_400 + 5 * 3600])
    values = np.array([[30.0, -14_937_943.0], [31.0, 40.0], [np.nan, -10.2], [99.0, 99.0]])
    found = nights(Table("p.csv", ("n1", "n2"), times, values), ["n1", "n2"])
    assert found.first_day == 0
    assert np.array_equal(found.values, [[30.5, 40.0], [np.nan, -10.2]], equal_nan=True)


def test_old_losses_are_looked_for_first_and_a_likelihood_is_not_taken_at_its_word(shared: Path) -> None:
    model = read_model(shared / "water" / "L-TOWN.inp")
    file = File("2019-03-01T00:00", "2019-03-05T06:00", None, 240.0, 192.0, "abrupt", "open", "")
    leak = Searched(file, (), 30.0, Located({"p257": 0.96, "p654": 0.04}, 30.0))
    old = [Old("p810", 4.5), Old("p427", 0.5)]  # half a m³/h is not worth a search
    dug = digs([leak], model, 0.80, old, datetime(2019, 1, 1, 2))
    assert dug == [
        ("p810", datetime(2019, 1, 1, 2)),
        ("p257", datetime(2019, 3, 5, 6)),
        ("p654", datetime(2019, 3, 6, 6)),  # 4 % of 11,520 € is less than a search, 13 % is not
    ]
    assert [pipe for pipe, _ in digs([leak], model, 0.80)] == ["p257", "p654"]


@pytest.mark.nightly
def test_the_whole_chain_finds_where(shared: Path, tmp_path: Path) -> None:
    water = shared / "water"
    files, answer = tmp_path / "files.json", tmp_path / "answer.txt"
    files.write_text(beffroi("leaks", "detect", "--inflow", INFLOW, "--base", flows(shared, "base_11"), "--year", flows(shared, "leak_21"), "--json").stdout)  # fmt: skip
    beffroi(
        "leaks", "locate", "--model", str(water / "L-TOWN.inp"), "--base", str(water / "ltown_base_11_pressures_night.csv.gz"), "--year",
        str(water / "ltown_leak_21_pressures_night.csv.gz"), "--files", str(files), "--answer", str(answer), "--json",
    )  # fmt: skip
    said = beffroi(
        "leaks", "score", str(answer), "--leaks", str(water / "leakages_info.yalm"), "--flows", str(water / "leak_flows_2019_15min_12.csv.gz"),
        "--flows", str(water / "leak_flows_2019_15min_11.csv.gz"), "--model", str(water / "L-TOWN.inp"), "--json",
    )  # fmt: skip
    assert json.loads(said.stdout)["euro"] > 262_000
