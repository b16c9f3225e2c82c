"""`beffroi case compute`: the documented example, the accounts beside it, refusals with their place."""

import json
import re
from pathlib import Path

import openpyxl
import pytest
from typer.testing import CliRunner

from beffroi.cli import application
from beffroi.evaluation.case.compute import figures_of
from beffroi.evaluation.case.reading import read_file
from beffroi.model.problem import Problem

PAGE = Path(__file__).parents[3] / "docs/reference/business-case.md"


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The example of the reference, as a file."""
    found = re.search(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert found
    (tmp_path / "case.yaml").write_text(found[1], "utf-8")
    return tmp_path / "case.yaml"


def compute(*words: object) -> dict[str, object]:
    """Run the command and return its JSON."""
    done = CliRunner().invoke(
        application("case"), ["case", "compute", *map(str, words), "--json"], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.stdout))


def test_the_documented_example_is_computed(example: Path, tmp_path: Path) -> None:
    (tmp_path / "m57.csv").write_text(
        "exercice;nature;fonction;sens;montant\n2026;21534;512;D;540 000,00\n", "utf-8"
    )
    report = compute(example, "--accounts", tmp_path / "m57.csv", "--sheet", tmp_path / "case.xlsx")
    f = figures_of(read_file(example.read_text("utf-8")))
    assert report["van"] == pytest.approx(f.van)
    assert report["tri"] == pytest.approx(list(f.tri))
    assert report["accounts"]["lines"][0]["agrees"] is True  # type: ignore[index]
    assert report["monte_carlo"]["draws"] == 10_000  # type: ignore[index]
    assert {c["form"] for c in report["contracts"]} == {"regie", "concession", "logiciel_libre_mutualise"}  # type: ignore[attr-defined]
    assert sum(a["value"] for a in report["actors"]) - report["cofp_term"] == pytest.approx(report["van"])  # type: ignore[attr-defined,operator]
    assert report["comparison"]["rate_effect"] < 0  # type: ignore[index]
    book = openpyxl.load_workbook(tmp_path / "case.xlsx", data_only=True)
    assert book.worksheets[0]["B4"].value == pytest.approx(f.van)
    # only what is used is said to be unconfirmed
    assert {u["name"] for u in report["parameters"]["unconfirmed"]} == {"cofp", "carbon"}  # type: ignore[index]
    done = CliRunner().invoke(application("case"), ["case", "compute", str(example)])
    assert "VAN socio-économique" in done.stdout or "Socioeconomic NPV" in done.stdout


def test_the_same_seed_gives_the_same_draws_and_another_set_another_result(example: Path) -> None:
    one, same, other = (compute(example, "--draws", 500, "--seed", s)["monte_carlo"] for s in (3, 3, 4))
    assert one == same != other
    assert compute(example, "--draws", 0)["monte_carlo"] is None
    european = (
        example.read_text("utf-8")
        .replace("* carbon", "* 300")
        .replace("compare: fr-2019", "")
        .replace("fr-2025 ", "eu ")
    )
    example.write_text(european, "utf-8")
    assert compute(example, "--draws", 0)["parameters"]["rates"] == {"0": 0.03}  # type: ignore[index]


@pytest.mark.parametrize(
    ("before", "after", "place", "marker"),
    [
        ("{2026: 4000, 2027: 2000}", "{2026: 4000}", "/lines/2/amount/2027", "title: Suivi"),
        ('value: "0,18"', "value: dix-huit", "/hypotheses/kwh/value", "kwh:     {"),
        ("prices: {year: 2023, currency: EUR, tax: HT, deflators: {2018: 1.116}}", "prices: {year: 2018}", "/lines/4/amount", "Carbone évité"),
        ("start: 2026                            # year 0", "", "/start", "title: Éclairage"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(
    example: Path, before: str, after: str, place: str, marker: str
) -> None:
    text = example.read_text("utf-8")
    assert before in text
    example.write_text(text.replace(before, after), "utf-8")
    done = CliRunner().invoke(application("case"), ["case", "compute", str(example), "--json"])
    assert isinstance(done.exception, Problem)
    line = next(n for n, words in enumerate(example.read_text("utf-8").splitlines(), 1) if marker in words)
    assert done.exception.place == f"{place}, line {line}"
    assert done.exception.reason.fr
