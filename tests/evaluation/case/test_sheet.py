"""The spreadsheet computed again by a reader that only knows its formulas, and by LibreOffice."""

import io
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy_financial
import openpyxl
import pytest

from beffroi.evaluation.case.compute import figures_of
from beffroi.evaluation.case.reading import read_case
from beffroi.evaluation.case.sheet import sheet_bytes

REFERENCE = re.compile(r"(?:'([^']+)'!)?\$?([A-Z]{1,3})\$?(\d+)(?::\$?([A-Z]{1,3})\$?(\d+))?")


class Reader:
    """Evaluates the formulas of a workbook; what xlsxwriter stored beside them is never looked at."""

    def __init__(self, data: bytes) -> None:
        self.book = openpyxl.load_workbook(io.BytesIO(data))
        self.known: dict[tuple[str, str], Any] = {}

    def cell(self, sheet: str, place: str) -> Any:
        key = (sheet, place)
        if key not in self.known:
            value = self.book[sheet][place].value
            self.known[key] = (
                self.compute(sheet, value[1:]) if isinstance(value, str) and value[:1] == "=" else value or 0
            )
        return self.known[key]

    def span(self, sheet: str, first: str, last: str) -> list[Any]:
        return [self.cell(sheet, c.coordinate) for row in self.book[sheet][f"{first}:{last}"] for c in row]

    def compute(self, sheet: str, formula: str) -> Any:
        def reference(found: re.Match[str]) -> str:
            where, first = found[1] or sheet, f"{found[2]}{found[3]}"
            return (
                f"span({where!r},{first!r},'{found[4]}{found[5]}')"
                if found[4]
                else f"cell({where!r},{first!r})"
            )

        def numbers(values: Any) -> list[float]:
            return [v for v in values if not isinstance(v, str)]

        text = REFERENCE.sub(reference, formula).replace("^", "**")
        names = {
            "cell": self.cell, "span": self.span, "SUM": lambda v: sum(numbers(v)), "IRR": numpy_financial.irr, "MIN": min, "MAX": max,
            "SUMPRODUCT": lambda a, b: sum(x * y for x, y in zip(a, b, strict=True)), "IF": lambda c, a, b: a if c else b,
            "IFERROR": lambda a, _b: a,
        }  # fmt: skip
        return eval(text, {"__builtins__": {}}, names)


def summary(reader: Any) -> dict[str, Any]:
    """Return the figures of the first page by their words."""
    page = reader.book["Synthèse"]
    return {
        str(row[0].value): reader.cell("Synthèse", row[1].coordinate)
        for row in page.iter_rows(min_row=4, max_col=2)
        if row[0].value
    }


@pytest.mark.parametrize("parameters", ["fr-2025", "uk-greenbook"])
def test_the_formulas_give_the_figures_of_the_engine(document: dict[str, Any], parameters: str) -> None:
    if parameters == "uk-greenbook":
        document |= {
            "parameters": parameters,
            "years": 40,
            "compare": None,
            "prices": {"year": 2023, "currency": "GBP", "deflators": {"2018": 1.1}},
        }
        document["lines"] = [
            line
            for line in document["lines"]
            if "carbon" not in str(line["amount"]) and "injury" not in str(line["amount"])
        ]
    case = read_case(document)
    f, found = figures_of(case), summary(Reader(sheet_bytes(case)))
    assert found["VAN socio-économique (VAN-SE)"] == pytest.approx(f.van, rel=1e-12)
    assert found["VAN sans coût des fonds publics"] == pytest.approx(f.van_without_cofp, rel=1e-12)
    assert found["Dépense publique nette, actualisée"] == pytest.approx(f.public_spending, rel=1e-12)
    assert found["Coûts actualisés (TCO)"] == pytest.approx(f.costs, rel=1e-12)
    assert found["Coût annuel équivalent"] == pytest.approx(f.eac, rel=1e-12)
    assert found["Somme, égale à la VAN-SE"] == pytest.approx(f.van, rel=1e-12)
    for actor in f.actors:
        assert found[case.actors[actor.name].title.fr] == pytest.approx(actor.value, rel=1e-9, abs=1e-6)
    if f.tri:
        assert found["Taux de rentabilité interne"] == pytest.approx(f.tri[0], abs=1e-9)


def test_changing_a_hypothesis_in_the_sheet_changes_the_result(document: dict[str, Any]) -> None:
    reader = Reader(sheet_bytes(read_case(document)))
    reader.book["Hypothèses"]["C4"].value = 190  # saved
    document["hypotheses"]["saved"]["value"] = 190
    document["hypotheses"]["saved"]["low"] = 100
    assert summary(reader)["VAN socio-économique (VAN-SE)"] == pytest.approx(
        figures_of(read_case(document)).van, rel=1e-12
    )
    reader = Reader(sheet_bytes(read_case(document)))
    reader.book["Paramètres"]["B6"].value = 2.0  # beta
    assert summary(reader)["VAN socio-économique (VAN-SE)"] == pytest.approx(
        figures_of(read_case({**document, "beta": 2})).van, rel=1e-12
    )


def test_words_that_look_like_formulas_stay_words(document: dict[str, Any]) -> None:
    document["lines"][0]["title"] = "=1+1"
    document["hypotheses"]["lamps"]["title"] = "@SUM(A1)"
    book = openpyxl.load_workbook(io.BytesIO(sheet_bytes(read_case(document))))
    cells = [c for page in book for row in page.iter_rows() for c in row if c.value in ("=1+1", "@SUM(A1)")]
    assert [c.data_type for c in cells] == ["s", "s"]


@pytest.mark.nightly
def test_libreoffice_computes_the_same(document: dict[str, Any], tmp_path: Path) -> None:
    office = shutil.which("soffice") or shutil.which("libreoffice")
    if office is None:
        pytest.skip("LibreOffice is not installed (Debian: libreoffice-calc-nogui)")
    case = read_case(document)
    book = openpyxl.load_workbook(io.BytesIO(sheet_bytes(case)))
    book["Hypothèses"]["C4"].value = 190
    book.save(
        tmp_path / "case.xlsx"
    )  # openpyxl keeps no computed value: what comes back is LibreOffice's own
    subprocess.run(
        [office, f"-env:UserInstallation=file://{tmp_path}/profile", "--headless", "--convert-to", "ods", "--outdir", tmp_path, tmp_path / "case.xlsx"],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    subprocess.run(
        [office, f"-env:UserInstallation=file://{tmp_path}/profile", "--headless", "--convert-to", "xlsx:Calc MS Excel 2007 XML", "--outdir",
         tmp_path / "back", tmp_path / "case.ods"],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    page = openpyxl.load_workbook(tmp_path / "back" / "case.xlsx", data_only=True)["Synthèse"]
    found = {row[0].value: row[1].value for row in page.iter_rows(max_col=2) if row[0].value}
    document["hypotheses"]["saved"].update(value=190, low=100)
    f = figures_of(read_case(document))
    assert found["VAN socio-économique (VAN-SE)"] == pytest.approx(f.van, rel=1e-9)
    assert found["Taux de rentabilité interne"] == pytest.approx(f.tri[0], abs=1e-9)
    assert found["Somme, égale à la VAN-SE"] == pytest.approx(f.van, rel=1e-9)
