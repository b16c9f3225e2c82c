"""Which service handles what: the table, its exceptions, a kind never seen."""

import random
from pathlib import Path

import msgspec
import pytest

from beffroi.model.problem import Problem
from beffroi.services.reports.routing import Case, Line, accuracy, learn_table, read_cases

PARIS = "data/reports/paris_dans_ma_rue_a.csv.gz"


def case(
    kind: str, service: str = "", address: str = "1 rue A, PARIS", quarter: str = "", group: str = ""
) -> Case:
    return Case("n", group, kind, quarter, address, service)


def test_the_most_common_service_of_a_kind_then_exceptions_of_a_place_in_order() -> None:
    known = [
        *[case("Banc : cassé", "mobilier")] * 6,
        *[case("Graffiti", "tags")] * 5,
        case("Banc : cassé", "parcs", "12 bis Route de l'Étang, PARIS"),
        case("Graffiti", "parcs", "Route du Lac"),
        case("Graffiti", "parcs", "3 Route du Lac"),
        case("Graffiti", "parcs", "1 allée des Ifs", "BOIS"),
        case("Banc : cassé", "parcs", "2 Allée des Ifs", "BOIS"),
        *[case("Graffiti", "tags", "1 allée du Port", "PORT")] * 4,
    ]
    table = learn_table(known)
    assert table.lines == (
        Line("parcs", way="route", cases=3, right=3),
        Line("parcs", way="allee", quarter="BOIS", cases=2, right=2),
        Line("tags", "Graffiti", cases=12, right=9),
        Line("mobilier", "Banc : cassé", cases=8, right=6),
    )
    said = [table.service_of(c) for c in known]
    assert accuracy(known, said) == (1.0, len(known))


def test_a_kind_that_no_line_names_takes_the_nearest_words() -> None:
    table = learn_table([
        *[case("Sanisette hors service", "sanisettes", group="Mobilier")] * 2,
        *[case("Banc détérioré", "mobilier", group="Mobilier")] * 9,
        *[case("Chaussée : nid-de-poule", "voirie", group="Voirie")] * 3,
    ])  # fmt: skip
    assert table.service_of(case("Sanisette sale", group="Mobilier")) == "sanisettes"
    assert table.service_of(case("Chaussée : affaissement", group="Voirie")) == "voirie"
    assert table.service_of(case("Zzz")) == "mobilier"


def test_nothing_to_learn_from_and_bad_files_are_said(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="No row of the first file tells its service"):
        learn_table([case("Banc")])
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n", "utf-8")
    with pytest.raises(Problem, match="Columns are missing: id_dmr, soustype, intervenant"):
        read_cases(path)
    path.write_text("id_dmr,soustype,intervenant\n1,Banc,x\n2,,x\n", "utf-8")
    with pytest.raises(Problem) as caught:
        read_cases(path)
    assert caught.value.place == "line 3, soustype"


@pytest.mark.shared
def test_on_dans_ma_rue_the_table_is_right_98_times_in_100_on_rows_it_has_not_seen(shared: Path) -> None:
    cases = read_cases(shared / PARIS)
    random.Random(7).shuffle(cases)
    right = 0
    for fold in range(10):
        table = learn_table(c for i, c in enumerate(cases) if i % 10 != fold)
        blank = [msgspec.structs.replace(c, service="") for c in cases[fold::10]]
        right += sum(table.service_of(b) == c.service for b, c in zip(blank, cases[fold::10], strict=True))
    assert len(cases) == 5003
    assert right / len(cases) >= 0.985
