"""A town's budget lines against what was typed."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from beffroi.evaluation.case.accounts import read_accounts, reconcile, with_accounts
from beffroi.evaluation.case.compute import figures_of
from beffroi.evaluation.case.reading import read_case
from beffroi.model.problem import Problem

BOOKS = """exercice;nature;fonction;sens;montant;libellé
2026;21534;512;D;600 000,00;Réseaux d'électrification
2026;2153 4;512;R;5 340,00;Avoir
2026;21534;020;D;99,00;Autre fonction
2027;615232;512;dépense;9 600,00;Entretien de réseaux
2028;615232;512;D;20 000;Entretien de réseaux
2028;60612;512;D;1 000,50;Énergie
2019;615232;512;D;1,00;Avant
"""


def test_each_line_is_reconciled_year_by_year(document: dict[str, Any]) -> None:
    case = read_case(document)
    found = reconcile(case, read_accounts(io.BytesIO(BOOKS.encode("cp1252"))))
    rows = {(r.title.fr, r.year): r for r in found.lines}
    assert set(rows) == {(t, y) for t in ("Lanternes", "Entretien") for y in (2026, 2027, 2028)}
    assert rows["Lanternes", 2026].booked == pytest.approx(594_660)
    assert rows["Lanternes", 2026].typed == pytest.approx(1200 * 450.5 * 1.1)
    assert rows["Lanternes", 2026].agrees
    assert rows["Entretien", 2027].agrees
    assert rows["Entretien", 2028].gap == pytest.approx(20_000 - 9_600 * 1.02)
    assert not rows["Entretien", 2028].agrees
    assert (found.entries, found.unmatched) == (7, 2)
    assert found.unmatched_amount == pytest.approx(99 + 1000.5)


def test_the_accounts_take_the_place_of_what_was_typed(document: dict[str, Any]) -> None:
    document["optimism"] = {}
    case = read_case(document)
    entries = read_accounts(io.BytesIO(BOOKS.encode()))
    booked = read_case(with_accounts(document, case, entries))
    assert figures_of(booked).lines[0].amounts[:2] == (-594_660.0, 0.0)
    assert figures_of(booked).lines[1].amounts[1:3] == (-9_600.0, -20_000.0)
    assert all(r.agrees for r in reconcile(booked, entries).lines)


def test_the_national_schema_of_budgets_is_read(document: dict[str, Any], shared: Path) -> None:
    schema = json.loads((shared / "data/value/scdl/budget.schema.json").read_text("utf-8"))
    names = [f["name"] for f in schema["fields"]]
    row = dict.fromkeys(names, "") | {
        "BGT_ANNEE": "2027", "BGT_NATURE": "615232", "BGT_FONCTION": "512", "BGT_CODRD": "dépense", "BGT_MTREAL": "9600.00",
    }  # fmt: skip
    text = io.StringIO()
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerow(row)
    (entry,) = read_accounts(io.BytesIO(text.getvalue().encode()))
    assert (entry.year, entry.account, entry.function, entry.amount) == (2027, "615232", "512", 9600.0)
    assert [r.agrees for r in reconcile(read_case(document), [entry]).lines] == [True, True]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("exercice;nature\n2026;1\n", "line 1"), ("exercice;nature;montant\n26;21;3\n", "line 2, exercice"),
        ("exercice;nature;montant\n2026;21;3\n2026;abc;3\n", "line 3, nature"), ("exercice;nature;montant\n2026;21;douze\n", "line 2, montant"),
        ("exercice;nature;montant\n2026;21\n", "line 2"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_named(text: str, place: str) -> None:
    with pytest.raises(Problem) as caught:
        read_accounts(io.BytesIO(text.encode()))
    assert caught.value.place == place
