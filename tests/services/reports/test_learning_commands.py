"""`beffroi reports`: the commands as people and scripts run them."""

import csv
import json
import subprocess
import sys
from pathlib import Path

from tests.forked import beffroi

from beffroi.plugins import command_rooms


def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = beffroi("reports", *arguments)
    assert done.returncode == code, done.stderr
    return done


def test_a_service_brings_its_commands_and_the_others_start_without_them() -> None:
    assert {"beffroi.services.reports.commands", "beffroi.services.water.commands"} <= set(command_rooms())
    script = (
        "import sys; from beffroi.cli import application\n"
        "names = {g.name for g in application('serve').registered_groups}\n"
        "print('reports' in names, 'beffroi.plugins' in sys.modules)\n"
        "print('reports' in {g.name for g in application().registered_groups}, 'numpy' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["False", "False", "True", "False"]


def test_duplicates_from_files_to_json_and_predictions(tmp_path: Path) -> None:
    head = "creation_date,status,completion_date,service_request_number,nature,street_address\n"
    train = "".join(
        f"2011-01-{d:02},{'Completed - Dup' if d % 3 == 0 else 'Completed'},,11-{d:08},Other,{d if d % 3 else d - 1} ST\n"
        for d in range(1, 10)
    )
    (tmp_path / "train.csv").write_text(head + train, "utf-8")
    test = [
        f"2011-02-01,Completed - Dup,,11-{90:08},Other,9 ST",
        f"2011-02-01,Completed,,11-{91:08},Other,77 ST",
    ]
    (tmp_path / "test.csv").write_text(head + "\n".join(test), "utf-8")
    (tmp_path / "blank.csv").write_text(
        head + "\n".join(test).replace("Completed - Dup", "").replace("Completed", ""), "utf-8"
    )
    files = [str(tmp_path / "train.csv"), str(tmp_path / "test.csv")]
    told = json.loads(run("evaluate-duplicates", *files, "--json").stdout)
    assert list(told) == ["precision", "recall", "f1", "average_precision", "n", "positives"]
    assert (told["n"], told["positives"]) == (2, 1)
    out = tmp_path / "out.csv"
    run("evaluate-duplicates", files[0], str(tmp_path / "blank.csv"), "--predictions", str(out))
    rows = list(csv.reader(out.read_text("utf-8").splitlines()))
    assert rows[0] == ["service_request_number", "probability", "duplicate"]
    assert [(r[0], r[2] in "01", 0 <= float(r[1]) <= 1) for r in rows[1:]] == [
        (f"11-{90:08}", True, True),
        (f"11-{91:08}", True, True),
    ]
    bad = run("evaluate-duplicates", *files[::-1], "--json", code=0)
    assert json.loads(bad.stdout)["n"] == 9
    (tmp_path / "test.csv").write_text(head + "2011-99-01,,,11-1,,\n", "utf-8")
    refused = run("evaluate-duplicates", *files, "--json", code=2)
    assert json.loads(refused.stderr)["place"] == "line 2, creation_date"


def test_routing_from_files_to_json_table_and_predictions(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(
        "id_dmr,soustype,intervenant\n1,Banc,A\n2,Banc,A\n3,Trou,B\n", "utf-8"
    )
    (tmp_path / "test.csv").write_text("id_dmr,soustype,intervenant\n8,Banc,A\n9,Trou,A\n", "utf-8")
    (tmp_path / "blank.csv").write_text("id_dmr,soustype,intervenant\n8,Banc,\n9,Trou,\n", "utf-8")
    train = str(tmp_path / "train.csv")
    assert json.loads(run("evaluate-routing", train, str(tmp_path / "test.csv"), "--json").stdout) == {
        "accuracy": 0.5,
        "n": 2,
    }
    out, table = tmp_path / "out.csv", tmp_path / "table.csv"
    said = run(
        "evaluate-routing",
        train,
        str(tmp_path / "blank.csv"),
        "--json",
        "--predictions",
        str(out),
        "--table",
        str(table),
    )
    assert json.loads(said.stdout) == {"accuracy": None, "n": 2}
    assert out.read_text("utf-8").split() == ["id_dmr,service", "8,A", "9,B"]
    assert table.read_text("utf-8").split() == [
        "rank,address_begins_with,quarter,kind,service,cases,right",
        "1,,,Banc,A,2,2",
        "2,,,Trou,B,1,1",
    ]


def test_rates_extract_and_categories_from_files(tmp_path: Path) -> None:
    file = tmp_path / "i.csv"
    file.write_text("area,category,days,duplicates\n" + "N,x,10,1\n" * 40 + "S,x,10,1\n" * 5, "utf-8")
    told = json.loads(run("rate", str(file), "--json", "--fit").stdout)
    assert (told["lambda"], told["n"], told["known"], told["by"]) == (0.1, 45, True, "area")
    assert [(g["area"], g["lambda"], g["known"]) for g in told["groups"]] == [
        ("N", 0.1, True),
        ("S", 0.1, False),
    ]
    assert told["fit"]["n"] == 45
    assert "S" in run("rate", str(file)).stdout
    assert json.loads(run("rate", str(file), "--by", "street", "--json", code=2).stderr)["place"] == "--by"
    made = json.loads(
        run("extract", str(file), "--to", str(tmp_path / "out"), "--town", "Ville", "--json").stdout
    )
    assert (made["incidents"], Path(made["directory"], "README.md").exists()) == (45, True)
    texts = tmp_path / "t.csv"
    texts.write_text(
        "text,category\n" + "le lampadaire est éteint,lampe\nun trou dans la route,voirie\n" * 6, "utf-8"
    )
    verdict = json.loads(run("evaluate-categories", str(texts), "--json").stdout)
    assert (verdict["n"], verdict["codes"], verdict["confusion"]) == (
        12,
        ["lampe", "voirie"],
        [[6, 0], [0, 6]],
    )
