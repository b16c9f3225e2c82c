"""Files taken in and taken back, bills of the network beside readings, months that say what is missing."""

import re
from datetime import date, datetime
from pathlib import Path
from unittest.mock import ANY

import msgspec
import numpy as np
import pytest
from starlette.testclient import TestClient
from tests.services.energy.conftest import NOW_US, curve_of

from beffroi.model.instant import PARIS, from_datetime
from beffroi.model.principal import SYSTEM
from beffroi.services.energy.arrivals import Back, arrivals, take_back, take_file
from beffroi.services.energy.bills import judge_again
from beffroi.services.energy.flows.row import Row as Value
from beffroi.services.energy.importing import take_rows
from beffroi.services.energy.months import months_of
from beffroi.services.energy.points import known_series, point_by_number
from beffroi.services.energy.reading_back import days_of, with_billed
from beffroi.store.record import Query
from beffroi.town import Town

F12_PRM = "99131010441308"


def test_a_bill_of_the_network_is_kept_with_its_lines_and_taken_back(
    town: Town, agent: TestClient, shared: Path
) -> None:
    path = shared / "data/networks/enedis/f12.xml"
    token = re.search(r'name="csrf" value="([^"]+)"', agent.get("/energie/importer").text)[1]
    page = agent.post(
        "/energie/importer", data={"csrf": token, "flow": ""}, files={"file": ("f12.xml", path.read_bytes())}
    ).text
    point = point_by_number(town, F12_PRM)
    assert point is not None
    assert (point.values["power_kva"], point.values["tariff"], point.values["contract_on"]) == (
        7.0,
        "HTACU5",
        date(2024, 6, 3),
    )
    [bill] = town.store.records.all("energy_bill", Query(where={"point": point.id}))
    v = bill.values
    assert (v["number"], v["kind"], v["start"], v["end"], v["quantity"], v["amount"], v["verdict"]) == (
        "066521624609 426595745577", "network", date(2024, 6, 1), date(2024, 6, 30), None, 63.25, "unknown",
    )  # fmt: skip
    lines = list(town.store.records.all("energy_bill_line", Query(where={"bill": bill.id}, sort="code")))
    assert [(one.values["item"], one.values["quantity"], one.values["unit"], one.values["price"], one.values["amount"], one.values["vat"]) for one in lines] == [
        ("FCGEECHO", 30, "c.j", 1.09148, 32.74, 20), ("FCGUECHO", 30, "c.j", -0.45694, -13.71, 20),
        ("FCCOECHO", 30, "p.j", 0.92885, 27.87, 20), ("FSOUECHO", 210, "kW.j", 0.02765, 5.81, 20),
    ]  # fmt: skip
    assert "1 facture, avec ses lignes." in page
    told = agent.get(f"/energie/point/{point.id}").text
    assert "Composante soutirage part fixe - Echoir" in told
    assert "Cette facture ne compte aucune énergie" in told
    number = re.search(r'name="back" value="(\d+)"', page)[1]
    back = agent.post("/energie/importer", data={"csrf": token, "back": number})
    assert (back.status_code, "Reprise annulée." in back.text) == (200, True)
    assert point_by_number(town, F12_PRM) is None
    assert town.store.records.count("energy_bill_line", Query(where={"bill": bill.id})) == 0
    assert agent.post("/energie/importer", data={"csrf": token, "back": number}).status_code == 409


def billed(
    prm: str, number: str, spans: list[tuple[str, str, float]], words: str = "Soutirage HPH"
) -> list[Value]:
    """Return the rows of an F15 that bills kWh at 5 c, and says them again for a tax."""
    rows = [
        Value(prm, "invoice", None, "2026-11-05", "2026-11-05", number, None, "Num_Facture", None, "CYCL")
    ]
    for start, end, kwh in spans:
        for code, said, price in (("CS_HPH", words, 0.05), ("ACCISE", "Accise", 0.01)):
            rows += [
                Value(prm, "invoice", None, start, end, round(kwh * price, 2), "EUR", code, "01", "CYCL"),
                Value(prm, "invoice", None, start, end, kwh, "kWh", code, "01", "CYCL"),
                Value(prm, "invoice", None, start, end, price, "EUR/kWh", code, "01", "CYCL"),
                Value(prm, "invoice", None, start, end, said, None, f"{code}/Libelle_EV", "01", "CYCL"),
                Value(prm, "invoice", None, start, end, "20.00", None, f"{code}/Taux_TVA_Applicable", "01", "CYCL"),
                Value(prm, "invoice", None, start, end, "BTINFCU4", None, f"{code}/Formule_Tarifaire_Acheminement", "01", "CYCL"),
            ]  # fmt: skip
    return rows


def test_what_the_network_billed_is_never_counted_beside_readings(town: Town) -> None:
    prm = "10000000000051"
    taken = take_rows(
        town,
        billed(prm, "A", [("2026-09-01", "2026-09-30", 300.0), ("2026-10-01", "2026-10-31", 310.0)]),
        SYSTEM,
        None,
    )
    point = point_by_number(town, prm)
    assert (taken.bills, taken.contracts, point.values["tariff"]) == (1, 1, "BTINFCU4")
    [bill] = town.store.records.all("energy_bill", Query(where={"point": point.id}))
    v = bill.values
    assert (v["quantity"], v["start"], v["end"], v["amount"], v["of_use"], v["verdict"]) == (610, date(2026, 9, 1), date(2026, 10, 31), 43.92, 36.6, "unknown")  # fmt: skip
    start, end = (from_datetime(datetime(2026, m, 1, tzinfo=PARIS)) for m in (9, 11))
    found = days_of(town, point, start, end)
    assert not np.isfinite(found.used).any()  # a bill is no reading
    assert float(with_billed(town, point, found).used.sum()) == pytest.approx(610)
    # the meter tells October: its days win, and the bill is held against both months once they are whole
    take_rows(town, curve_of(prm, "2026-10-01", 31, lambda _: 500), SYSTEM, None)
    found = with_billed(town, point, days_of(town, point, start, end))
    assert float(found.used.sum()) == pytest.approx(300 + 745 * 0.5)
    take_rows(town, curve_of(prm, "2026-09-01", 30, lambda _: 500), SYSTEM, None)
    assert judge_again(town, point, SYSTEM) == 1
    v = town.store.records.get("energy_bill", bill.id).values
    assert (v["verdict"], v["measured"]) == ("quantity", pytest.approx(732.5))
    assert v["expected"] == pytest.approx(
        43.92 - 36.6 * (1 - 732.5 / 610), abs=0.01
    )  # only what follows the quantity changes


@pytest.mark.parametrize(
    ("spans", "words", "why"),
    [
        ([("2026-08-01", "2026-08-31", 10.0), ("2026-10-01", "2026-10-31", 10.0)], "Soutirage", "ses périodes ne se suivent pas"),
        ([("2026-10-01", "2026-10-31", 10.0)], "Composante", "aucune ligne d'énergie ne dit « soutirage »"),
    ],
)  # fmt: skip
def test_a_bill_that_cannot_be_reckoned_with_says_why(town: Town, spans: list, words: str, why: str) -> None:
    prm = f"100000000006{len(spans):02}"
    take_rows(town, billed(prm, "B", spans, words), SYSTEM, None)
    [bill] = town.store.records.all("energy_bill", Query(where={"point": point_by_number(town, prm).id}))
    assert (bill.values["quantity"], why in bill.values["why"]) == (None, True)


def test_an_older_contract_does_not_replace_a_newer_one(town: Town) -> None:
    prm = "10000000000052"

    def contract(day: str, kva: int) -> list[Value]:
        return [Value(prm, "contract", None, day, None, kva, "kVA", "BTINFMU4", None, "SERVC")]

    take_rows(town, contract("2026-05-01T00:00:00+02:00", 12), SYSTEM, None)
    older = take_rows(town, contract("2025-05-01T00:00:00+02:00", 9), SYSTEM, None)
    assert (point_by_number(town, prm).values["power_kva"], older.contracts, len(older.doubts)) == (12, 0, 1)
    take_rows(town, contract("2026-09-01T00:00:00+02:00", 18), SYSTEM, None)
    assert point_by_number(town, prm).values["power_kva"] == 18


def test_months_say_what_is_missing_and_a_point_is_attached_on_its_page(
    town: Town, agent: TestClient
) -> None:
    prm = "10000000000053"
    rows = [
        r
        for r in curve_of(prm, "2026-10-01", 45, lambda _: 1000)
        if r.start[:10] not in ("2026-10-03", "2026-10-04") and r.start[:13] != "2026-11-02T06"
    ]
    take_rows(town, rows, SYSTEM, None)
    point = point_by_number(town, prm)
    november, october = months_of(town, point, NOW_US)
    assert (october.days, october.known, october.used) == (31, 29, 29 * 24 + 1)
    assert [(g.first, g.last, g.share) for g in october.gaps] == [(date(2026, 10, 3), date(2026, 10, 4), 0)]
    assert [(g.first, g.last, g.share) for g in november.gaps] == [
        (date(2026, 11, 2), date(2026, 11, 2), 0.96), (date(2026, 11, 15), date(2026, 11, 19), 0),
    ]  # fmt: skip
    page = agent.get(f"/energie/point/{point.id}").text
    assert "29 / 31" in page
    token = re.search(r'name="csrf" value="([^"]+)"', page)[1]
    empty = agent.post(f"/energie/point/{point.id}", data={"csrf": token, "deed": "site"})
    assert (empty.status_code, "Aucun site n&#39;est choisi" in empty.text) == (400, True)
    wrong = agent.post(
        f"/energie/point/{point.id}", data={"csrf": token, "at": "2026-11-01T08:00", "value": "douze"}
    )
    assert 'value="douze"' in wrong.text  # nothing that was typed is lost
    done = agent.post(
        f"/energie/point/{point.id}", data={"csrf": token, "deed": "site", "name": "Salle des fêtes"}
    )
    assert done.status_code == 303
    site = town.store.records.get("energy_site", point_by_number(town, prm).values["site"])
    assert site.values["name"] == "Salle des fêtes"
    assert f'href="/energie/site/{site.id}"' in agent.get(f"/donnees/energy_site/{site.id}").text


def test_the_operat_file_says_when_nothing_is_known_of_its_year(town: Town, agent: TestClient) -> None:
    empty = agent.get("/energie/operat.csv")
    assert (empty.status_code, empty.headers["location"]) == (303, "/energie?operat=2025")
    assert "aucune consommation de 2025" in agent.get("/energie?operat=2025").text
    site = town.store.records.put("energy_site", {"code": "op", "name": "Halle"}, who=SYSTEM)
    town.store.records.put("delivery_point", {"code": "10000000000054", "site": site.id}, who=SYSTEM)
    take_rows(town, curve_of("10000000000054", "2025-12-30", 2, lambda _: 1000), SYSTEM, None)
    head, line = agent.get("/energie/operat.csv").content.decode("utf-8-sig").splitlines()
    assert (head.split(";")[0], line.split(";")[-1]) == ("SIRET", "gabarit du 2026-11-20")
    assert line.split(";")[1:7] == ["Halle", "2025", "0", "Électricité", "48", "0.01"]


def test_a_point_that_another_file_needs_stays(town: Town, shared: Path, tmp_path: Path) -> None:
    prm = "10000000000055"
    text = (shared / "data/networks/enedis/r151.xml").read_text("utf-8").replace("99740456235087", prm)
    (tmp_path / "a.xml").write_text(text)
    (tmp_path / "b.xml").write_text(text.replace("2024-04-04", "2023-04-04"))
    _, first, _ = take_file(town, tmp_path / "a.xml", SYSTEM, None)
    _, second, _ = take_file(town, tmp_path / "b.xml", SYSTEM, None)
    assert (first.points, second.points, second.stored > 0) == ([prm], [], True)
    assert [(a.number, a.file, a.back) for a in arrivals(town)[:2]] == [
        (second.number, "b.xml", False),
        (first.number, "a.xml", False),
    ]
    point = point_by_number(town, prm)
    assert take_back(town, first.number, SYSTEM) == Back(first.number, first.stored, 0, 1)
    assert point_by_number(town, prm) == msgspec.structs.replace(
        point, version=ANY, updated_us=ANY, author=ANY
    )
    assert take_back(town, second.number, SYSTEM).values == second.stored
    assert not any(town.store.observations.series(n, limit=1) for n in known_series(town, point).values())
