"""`beffroi rule`: rules by options and by file, tried on the past, on and off; exit codes."""

import json
import sys

import pytest

from beffroi.cli import main
from beffroi.model.instant import parse_instant
from beffroi.model.observation import Draft
from beffroi.model.result import number_of
from beffroi.settings import Settings
from beffroi.store.catalogue import New, create
from beffroi.store.open import Store
from beffroi.store.tables import datastream


@pytest.fixture
def town(tmp_path):
    folder = tmp_path / "town"
    folder.mkdir()
    (folder / "beffroi.toml").write_text('name = "Essai"\n', "utf-8")
    store = Store.open(Settings(data=folder))
    about = {"description": ""}
    with store.write() as c:
        sensor = New("sensor", {"name": "s", **about, "encoding_type": "text", "metadata": '""'})
        prop = New("observed_property", {"name": "p", "definition": "", **about})
        series = New("datastream", {"name": "Niveau", **about, "observation_type": "number", "unit_symbol": "cm"},
                     belongs={"sensor_id": sensor, "observed_property_id": prop})  # fmt: skip
        create(store, c, New("thing", {"name": "Ardèche", **about}, has=[("thing_id", series)]))
        (number,) = c.execute(datastream.select()).scalars()
    start = parse_instant("2026-01-01T00:00:00Z")
    values = [50, 150, 250, 150, 95, 80, 150, 20]
    store.observations.append(
        [Draft(number, start + i * 3_600_000_000, number_of(str(v))) for i, v in enumerate(values)]
    )
    store.close()
    return folder, number


@pytest.fixture
def run(monkeypatch, capsys):
    def command(*arguments, code=0, language="fr"):
        monkeypatch.setenv("BEFFROI_LANG", language)
        monkeypatch.setattr(sys, "argv", ["beffroi", "rule", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        assert (ended.value.code or 0) == code, told.out + told.err
        return json.loads(told.out) if "--json" in arguments and code == 0 else told.out + told.err

    return command


def test_a_rule_by_options(run, town):
    data, number = town
    made = run("add", "--data", data, "--datastream", number, "--above", "100", "--hysteresis", "10", "--for", "PT10M",
               "--severity", "rouge", "--name", "Crue", "--json")  # fmt: skip
    assert (
        made["sentence"]
        == "Alerte rouge quand Niveau (Ardèche) dépasse 100 cm (fin sous 90 cm) pendant 10 min."
    )
    assert [r["id"] for r in run("list", "--data", data, "--json")["rules"]] == [made["id"]]
    assert "Red alert when" in run("list", "--data", data, language="en")
    tried = run("backtest", "Crue", "--data", data, "--json")
    assert (tried["count"], tried["observations"]) == (2, 8)
    assert tried["alarms"][0] == {
        "start": "2026-01-01T01:10:00Z",
        "end": "2026-01-01T05:00:00Z",
        "severity": "rouge",
        "peak": 250.0,
    }
    assert run("disable", made["id"], "--data", data, "--json")["enabled"] is False
    assert run("enable", "Crue", "--data", data, "--json")["enabled"] is True
    assert "name: Crue" in run("show", "Crue", "--data", data)
    assert run("delete", "Crue", "--data", data, "--json") == {"id": made["id"], "deleted": True}
    assert run("list", "--data", data) == "Aucune règle.\n"


def test_a_rule_by_file_and_its_trial_before_it_is_added(run, town, tmp_path):
    data, number = town
    file = tmp_path / "rule.yaml"
    file.write_text(
        f"name: Trois seuils\nwatch: {{datastream: {number}}}\nwhen: {{above: {{jaune: 100, rouge: 200}}}}\n",
        "utf-8",
    )
    assert run("backtest", file, "--data", data, "--json")["levels"] == {"jaune": 2, "rouge": 1}
    assert run("backtest", file, "--data", data, "--start", "2026-01-01T05:00:00Z", "--json")["count"] == 1
    options = ("--datastream", number, "--above", 100, "--hysteresis", 10)
    assert run("backtest", *options, "--data", data, "--json")["count"] == 2
    assert "2 alarmes sur 8 mesures, du 01/01/2026 01:00" in run("backtest", *options, "--data", data)
    assert "1 alarm over" in run(
        "backtest", "--datastream", number, "--above", 200, "--data", data, language="en"
    )
    assert "pas les deux" in run("backtest", file, *options, "--data", data, code=2)
    assert run("add", file, "--disabled", "--data", data, "--json")["enabled"] is False


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--above", "3"], "watch"), (["--datastream", "1"], "condition"), (["--datastream", "99999", "--above", "3"], "99999"),
        (["nowhere.yaml"], "nowhere.yaml"), (["--datastream", "1", "--above", "1", "--below", "1"], "when"),
    ],
)  # fmt: skip
def test_misuse_says_where(run, town, arguments, words):
    data, _ = town
    assert words in run("add", *arguments, "--data", data, code=2)


def test_an_unknown_rule(run, town):
    assert "rule list" in run("show", "Rien", "--data", town[0], code=2)
