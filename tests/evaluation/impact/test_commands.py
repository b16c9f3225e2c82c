"""`beffroi evaluate`: published panels through the command, and what it says of files that are wrong."""

import csv
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from tests.oracles import oracle

from beffroi.cli import main


@pytest.fixture
def evaluate(monkeypatch, capsys):
    def command(*words, code=0):
        monkeypatch.setenv("BEFFROI_LANG", "en")
        monkeypatch.setattr(sys, "argv", ["beffroi", "evaluate", *map(str, words), "--json"])
        if code:
            with pytest.raises(SystemExit) as ended:
                main()
            assert ended.value.code == code
            return json.loads(capsys.readouterr().err)
        try:
            main()
        except SystemExit as ended:
            assert not ended.code, capsys.readouterr()
        return json.loads(capsys.readouterr().out)

    return command


@pytest.fixture
def causal(shared):
    return shared / "data/value/causal"


PROP99 = ("--time", "Year", "--treated", "California", "--start", "1989")


@pytest.mark.shared
@pytest.mark.parametrize(
    ("method", "published", "margin"), [("did", -27.35, 0.01), ("sc", -19.5, 0.1), ("sdid", -15.60, 0.01)]
)
def test_proposition_99(evaluate, causal, method, published, margin):
    wide = evaluate(method, causal / "california_prop99.csv", *PROP99)
    assert abs(wide["estimate"] - published) <= margin
    long = evaluate(
        method, causal / "smoking_data.csv", "--outcome", "cigsale", "--unit", "state", "--time", "year",
        "--treated", "California", "--start", "1989",
    )  # fmt: skip
    assert long["estimate"] == pytest.approx(wide["estimate"], abs=1e-3)  # the two files round differently
    assert wide["verdict"] in (
        "effet positif",
        "effet négatif",
        "pas d'effet démontré",
        "non évaluable",
    )
    assert sum(wide["weights"].values()) == pytest.approx(1, abs=1e-5)
    assert {"pre_trend", "placebo_date", "placebo_units", "leave_one_out", "sensor_changes", "regression_to_the_mean"} <= set(
        wide["checks"]
    )  # fmt: skip


@pytest.mark.shared
def test_a_column_of_flags_says_who_and_since_when(evaluate, causal, tmp_path):
    rows = list(csv.DictReader((causal / "smoking_data.csv").read_text("utf-8").splitlines()))
    flagged = tmp_path / "flagged.csv"
    with flagged.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["state", "year", "cigsale", "law"])
        for row in rows:
            on = row["state"] == "California" and float(row["year"]) >= 1989
            writer.writerow([row["state"], row["year"], row["cigsale"], int(on)])
    told = evaluate(
        "sdid", flagged, "--outcome", "cigsale", "--unit", "state", "--time", "year", "--treated", "law"
    )
    assert told["estimate"] == pytest.approx(-15.604, abs=0.01)


@pytest.mark.shared
def test_seat_belts_under_two_trends(evaluate, causal):
    options = ("--covariate", "PetrolPrice", "--covariate", "kms")
    by_time = evaluate(
        "its",
        causal / "seatbelts.csv",
        "--time",
        "rownames",
        "--treated",
        "drivers",
        "--start",
        "170",
        *options,
    )
    found = {m["name"]: 100 * m["relative"] for m in by_time["models"]}
    assert found["linear_trend"] == pytest.approx(-14.0, abs=1)
    assert found["local_level"] == pytest.approx(-21, abs=1)
    assert by_time["verdict"] == "effet négatif"
    by_period = evaluate("its", causal / "seatbelts.csv", "--outcome", "drivers", "--period", "law", *options)
    assert by_period["estimate"] == pytest.approx(by_time["estimate"])
    by_flag = evaluate(
        "its",
        causal / "seatbelts.csv",
        "--outcome",
        "drivers",
        "--time",
        "rownames",
        "--treated",
        "law",
        *options,
    )
    assert by_flag["estimate"] == pytest.approx(by_time["estimate"])


@pytest.mark.shared
def test_a_house_before_and_after_insulation(evaluate, shared):
    told = evaluate(
        "before-after", shared / "data/value/mv/whiteside.csv", "--treated", "Gas", "--period", "Insul", "--covariate", "Temp"
    )  # fmt: skip
    assert 100 * told["avoided"] == pytest.approx(31.7, abs=0.1)
    assert told["baseline"]["intercept"] == pytest.approx(6.854, abs=5e-4)
    assert told["baseline"]["Temp"] == pytest.approx(-0.393, abs=5e-4)
    assert told["verdict"] == "effet négatif"
    assert told["relative"] == pytest.approx(-told["avoided"])


def _group_times(path: Path) -> dict[tuple[int, int], tuple[float, float]]:
    """Group-time effects by plain loops over dictionaries, from the definition of Callaway & Sant'Anna."""
    value: dict[tuple[str, int], float] = {}
    first: dict[str, int] = defaultdict(int)
    for row in csv.DictReader(path.read_text("utf-8").splitlines()):
        unit, year = row["sid"], int(row["year"])
        value[unit, year] = float(row["l_homicide"])
        if row["post"] == "1":
            first[unit] = min(first[unit] or year, year)
    units = sorted({u for u, _ in value})
    years = sorted({y for _, y in value})
    never = [u for u in units if not first[u]]
    found = {}
    for group in sorted({first[u] for u in units if first[u]}):
        ours = [u for u in units if first[u] == group]
        for year in years[1:]:
            base = group - 1 if year >= group else year - 1
            change = {u: value[u, year] - value[u, base] for u in units}
            mine, others = ([change[u] for u in part] for part in (ours, never))
            a, b = sum(mine) / len(mine), sum(others) / len(others)
            spread = (
                sum((x - a) ** 2 for x in mine) / len(mine) ** 2
                + sum((x - b) ** 2 for x in others) / len(others) ** 2
            )
            found[group, year] = (a - b, spread**0.5)
    return found


@pytest.mark.shared
def test_castle_laws_group_by_group(evaluate, causal):
    told = evaluate(
        "staggered", causal / "castle.csv", "--outcome", "l_homicide", "--unit", "sid", "--time", "year", "--treated", "post"
    )  # fmt: skip
    expected = _group_times(causal / "castle.csv")
    found = {(int(c["group"]), int(c["time"])): (c["att"], c["se"]) for c in told["group_time"]}
    assert set(found) == set(expected)
    for key, (att, se) in expected.items():
        assert found[key] == pytest.approx((att, se), abs=1e-9), key


_ORACLE = """
import sys, json, pandas as pd
from csdid.att_gt import ATTgt
d = pd.read_csv(sys.argv[1])
d["g"] = d.sid.map(d[d.post == 1].groupby("sid").year.min()).fillna(0)
r = ATTgt(yname="l_homicide", gname="g", idname="sid", tname="year", xformla="l_homicide~1", data=d,
          control_group="nevertreated").fit(est_method="reg", base_period="varying", bstrap=False).results
print("RESULT" + json.dumps([[int(g), int(t), float(a)] for g, t, a in zip(r["group"], r["year"], r["att"])]))
"""


@pytest.mark.shared
def test_castle_laws_as_csdid_has_them(evaluate, causal):
    done = subprocess.run(
        [oracle("csdid"), "-c", _ORACLE, str(causal / "castle.csv")],
        capture_output=True,
        text=True,
        check=True,
    )
    theirs = json.loads(done.stdout.partition("RESULT")[2])
    told = evaluate(
        "staggered", causal / "castle.csv", "--outcome", "l_homicide", "--unit", "sid", "--time", "year", "--treated", "post"
    )  # fmt: skip
    ours = {(int(c["group"]), int(c["time"])): c["att"] for c in told["group_time"]}
    assert len(theirs) == len(ours)
    for group, year, att in theirs:
        assert ours[group, year] == pytest.approx(att, abs=1e-6)


def _write(path: Path, rows, delimiter=",") -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


def _panel(tmp_path, change=lambda rows: rows, years=range(2000, 2020), units="ABCDE"):
    rows = [["unit", "year", "y"]]
    chance = np.random.default_rng(1)
    for unit in units:
        rows += [[unit, year, f"{10 + chance.standard_normal():.3f}"] for year in years]
    return _write(tmp_path / "panel.csv", change(rows))


LONG = ("--outcome", "y", "--unit", "unit", "--time", "year", "--treated", "A", "--start", "2010")


def _without_years(rows):
    return [row for row in rows if row[1] not in (2005, 2006)]


def _without_one(rows):
    return [row for row in rows if row[:2] != ["C", 2005]]


def _text(rows):
    return [[*row[:2], "12 kg"] if row[:2] == ["B", 2003] else row for row in rows]


def _empty(rows):
    return [[*row[:2], ""] if row[:2] == ["B", 2003] else row for row in rows]


def _twice(rows):
    return [*rows, ["B", 2003, "9"]]


def _ragged(rows):
    return [[*row, "more"] if row[:2] == ["B", 2003] else row for row in rows]


@pytest.mark.parametrize("method", ["did", "sc", "sdid"])
@pytest.mark.parametrize(
    ("change", "place", "word"),
    [
        (_without_years, "time 2007", "missing between 2004 and 2007"),
        (_without_one, "line 60", "'C' has no row for 2005"),
        (_text, "line 25, y", "'12 kg' is not a number"),
        (_empty, "line 25, y", "missing"),
        (_twice, "line 102", "already has a row for 2003"),
        (_ragged, "line 25", "4 cells"),
        (lambda rows: rows[:1], "line 1", "no row"),
        (lambda rows: [r for r in rows if r[0] in ("unit", "A")], "--treated", "no control"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_mend(evaluate, tmp_path, method, change, place, word):
    told = evaluate(method, _panel(tmp_path, change), *LONG, code=2)
    assert told["place"] == place
    assert word in told["reason"]
    assert told["mend"]


@pytest.mark.parametrize(
    ("options", "place"),
    [
        (("--outcome", "z", *LONG[2:]), "line 1"),
        ((*LONG[:-1], "1990"), "--start"),
        ((*LONG[:-1], "2050"), "--start"),
        ((*LONG[:-1], "soon"), "--start"),
        ((*LONG[:7], "Nobody", *LONG[8:]), "--treated"),
        (LONG[:8], "--start"),
        (LONG[2:], "--outcome"),
    ],
)
def test_wrong_options(evaluate, tmp_path, options, place):
    told = evaluate("did", _panel(tmp_path), *options, code=2)
    assert told["place"] == place
    assert told["mend"]


def test_one_period_before_gives_a_bare_difference_and_no_verdict(evaluate, tmp_path):
    told = evaluate("did", _panel(tmp_path, years=(2009, 2010)), *LONG)
    assert told["verdict"] == "non évaluable"
    assert [told[name] for name in ("interval95", "se", "p", "mde", "relative")] == [None] * 5
    assert told["unchecked"] is True
    assert "1 period" in told["reasons"][0]
    for method in ("sc", "sdid"):  # weights fitted to a single period are no figure
        assert evaluate(method, _panel(tmp_path, years=(2009, 2010)), *LONG)["estimate"] is None


def test_two_units_and_two_periods_are_the_difference_of_differences_unjudged(evaluate, tmp_path):
    rows = [
        ["unit", "year", "y"],
        ["north", "2019", "20.4"],
        ["north", "2020", "21.0"],
        ["south", "2019", "23.3"],
        ["south", "2020", "21.2"],
    ]
    options = ("--outcome", "y", "--unit", "unit", "--time", "year", "--treated", "north", "--start", "2020")
    told = evaluate("did", _write(tmp_path / "two.csv", rows), *options)
    assert told["estimate"] == pytest.approx((21.0 - 20.4) - (21.2 - 23.3))
    assert (told["verdict"], told["p"]) == ("non évaluable", None)
    assert [("single control" in r, "1 period" in r) for r in told["reasons"]] == [
        (True, False),
        (False, True),
    ]


def test_french_files(evaluate, tmp_path):
    """Semicolons, decimal commas, French dates."""
    rows = [["jour", "Site", "Témoin 1", "Témoin 2", "Témoin 3"]]
    chance = np.random.default_rng(2)
    for month in range(1, 13):
        for year in (2022, 2023):
            rows.append(
                [
                    f"01/{month:02d}/{year}",
                    *(f"{20 + chance.standard_normal():.2f}".replace(".", ",") for _ in range(4)),
                ]
            )
    told = evaluate(
        "did",
        _write(tmp_path / "fr.csv", rows, ";"),
        "--time",
        "jour",
        "--treated",
        "Site",
        "--start",
        "01/06/2023",
    )
    columns = np.array(
        [
            [float(c.replace(",", ".")) for c in r[1:]]
            for r in sorted(rows[1:], key=lambda r: (r[0][6:], r[0][3:5]))
        ]
    )
    gap = columns[:, 0] - columns[:, 1:].mean(axis=1)
    assert told["estimate"] == pytest.approx(gap[17:].mean() - gap[:17].mean())


def test_a_million_rows(evaluate, tmp_path):
    """Too fine for a study: it says so, and what to do, instead of working for an hour."""
    path = tmp_path / "million.csv"
    lines = ["t,y", *(f"{i},{i % 7}" for i in range(1_000_000))]
    path.write_text("\n".join(lines) + "\n")
    told = evaluate("its", path, "--time", "t", "--treated", "y", "--start", "500000", code=2)
    assert "periods of 1 unit(s): too fine" in told["reason"]
    assert "Average by day" in told["mend"]
    assert told["place"] == "line 20002"


def test_a_sensor_column_forbids_a_conclusion(evaluate, tmp_path):
    chance = np.random.default_rng(3)
    rows = [["week", "y", "sensor"]]
    rows += [
        [w, f"{50 + 5 * (w > 60) + chance.standard_normal():.3f}", "old" if w < 61 else "new"]
        for w in range(1, 105)
    ]
    path = _write(tmp_path / "sensor.csv", rows)
    told = evaluate("its", path, "--time", "week", "--treated", "y", "--start", "61")
    assert told["checks"]["sensor_changes"]["result"] == "fail"
    assert told["verdict"] == "non évaluable"


def test_the_choice_is_proposed_with_its_reasons(evaluate, tmp_path):
    told = evaluate("choose", _panel(tmp_path, units="ABCDEFGHIJKLMN"), *LONG)
    assert told["method"] == "did"
    assert len(told["reasons"]) == 2


def test_lower_can_be_better(evaluate, tmp_path):
    chance = np.random.default_rng(4)
    rows = [
        ["week", "y"],
        *([w, f"{50 - 5 * (w > 52) + chance.standard_normal():.3f}"] for w in range(1, 105)),
    ]
    path = _write(tmp_path / "y.csv", rows)
    options = ("--time", "week", "--treated", "y", "--start", "53")
    assert evaluate("its", path, *options)["verdict"] == "effet négatif"
    assert evaluate("its", path, *options, "--better", "lower")["verdict"] == "effet positif"
