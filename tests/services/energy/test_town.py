"""Energy in a real town: flows taken once, newest publications winning, waste found, bills checked, pages read."""

import json
import re
from datetime import date, datetime
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pypdf
import pytest
from starlette.testclient import TestClient
from tests.services.energy.conftest import NOW_US, curve_of

from beffroi.app import create_app
from beffroi.intake.identify import OPEN, identify
from beffroi.model.instant import DAY_US, HOUR_US, PARIS, from_datetime, parse_instant
from beffroi.model.observation import Draft
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import Problem
from beffroi.model.result import number_of
from beffroi.scene import make_scene
from beffroi.services.energy.bills import disputed, judge_again, measured_between, take_bill
from beffroi.services.energy.contract_power import advise
from beffroi.services.energy.demo import _METERS, _sky, _used  # the invented meters, as an oracle
from beffroi.services.energy.factors import carbon_kg, factor_of
from beffroi.services.energy.facturx import read_bill
from beffroi.services.energy.gas import read_adict
from beffroi.services.energy.importing import (
    Taken,
    import_flow,
    keep,
    take_counter,
    take_index,
    take_pulses,
    take_rows,
)
from beffroi.services.energy.intervals import Interval
from beffroi.services.energy.operat import adjusted, export, targets
from beffroi.services.energy.points import known_series, point_by_number, points_of
from beffroi.services.energy.reading_back import days_of, hours_of, late_days, use_of
from beffroi.services.energy.school_holidays import labels_of, public_holiday, school_calendar
from beffroi.services.energy.studying import study, study_town
from beffroi.standards.reading import Series, Station
from beffroi.store.record import Query
from beffroi.town import Town

BILLS = Path(__file__).parent / "bills"  # of drafthorse and factur-x: see make.py there

PRM = "99103630318530"


def total(town: Town, prm: str, quantity: str = "curve", state: str = "raw") -> float:
    number = known_series(town, point_by_number(town, prm))[quantity, state]
    return sum(o.result.value for o in town.store.observations.series(number))


def test_what_comes_twice_is_taken_once_and_the_newest_wins(town: Town) -> None:
    prm = "10000000000001"
    rows = curve_of(prm, "2026-10-24", 3, lambda at: 1000 + at.minute)
    rows = rows[50:] + rows[:60]  # unsorted, ten of them twice
    taken = take_rows(town, rows, SYSTEM, None)
    assert (taken.stored, taken.known, taken.points) == (48 + 50 + 48, 0, [prm])
    assert total(town, prm) == pytest.approx(sum(r.value for r in rows[:-10]) / 2000, abs=1e-6)
    energy = total(town, prm)
    again = take_rows(town, curve_of(prm, "2026-10-25", 1, lambda at: 1000 + at.minute), SYSTEM, None)
    assert (again.stored, again.replaced, again.known, total(town, prm)) == (0, 0, 50, energy)
    newer = take_rows(town, curve_of(prm, "2026-10-26", 1, lambda at: 2000), SYSTEM, None)
    assert (newer.stored, newer.replaced) == (0, 48)
    assert total(town, prm) == pytest.approx(energy - 24 * 1.015 + 48, abs=1e-6)


def test_days_have_their_own_length_and_the_best_state_wins(town: Town) -> None:
    prm = "10000000000002"
    take_rows(town, curve_of(prm, "2026-10-24", 3, lambda _: 1000), SYSTEM, None)
    take_rows(town, curve_of(prm, "2026-10-25", 1, lambda _: 3000, nature="corrigé"), SYSTEM, None)
    take_rows(town, curve_of(prm, "2026-10-25", 3, lambda _: 9000, nature="estimé"), SYSTEM, None)
    point = point_by_number(town, prm)
    start = from_datetime(datetime(2026, 10, 24, tzinfo=PARIS))
    found = days_of(town, point, start, start + 4 * DAY_US + HOUR_US)
    assert found.used.tolist() == [24.0, 75.0, 24.0, 216.0]  # raw, corrected over 25 hours, raw, estimated
    assert {key for key, _ in known_series(town, point).items()} == {
        ("curve", "raw"),
        ("curve", "corrected"),
        ("curve", "estimated"),
    }


def test_a_day_with_a_hole_is_not_whole(town: Town) -> None:
    prm = "10000000000003"
    rows = [
        r
        for r in curve_of(prm, "2026-11-16", 3, lambda _: 500)
        if not (r.start or "").startswith("2026-11-17T1")
    ]
    take_rows(town, rows, SYSTEM, None)
    point = point_by_number(town, prm)
    start = from_datetime(datetime(2026, 11, 16, tzinfo=PARIS))
    assert days_of(town, point, start, start + 3 * DAY_US).share.tolist() == [
        1.0,
        pytest.approx(14 / 24),
        1.0,
    ]
    hours = hours_of(town, point, start, start + 3 * DAY_US)
    assert int(np.isnan(hours.used).sum()) == 10
    assert (date(2026, 11, 17), pytest.approx(14 / 24)) in late_days(town, point, NOW_US)
    # a bill written by hand waits for the day that misses, and is judged when it came
    bill = {
        "number": "papier-1",
        "point": point.id,
        "start": date(2026, 11, 16),
        "end": date(2026, 11, 18),
        "quantity": 40.0,
        "amount": 10.0,
    }
    bill = town.store.records.put("energy_bill", bill, who=SYSTEM)
    assert judge_again(town, point, SYSTEM) == 0
    take_rows(town, curve_of(prm, "2026-11-17", 1, lambda _: 500), SYSTEM, None)
    assert judge_again(town, point, SYSTEM) == 1
    judged = town.store.records.get("energy_bill", bill.id)
    assert (judged.values["verdict"], judged.values["measured"], disputed(judged)) == ("quantity", 36.0, 1.0)


def test_real_flows(town: Town, shared: Path) -> None:
    folder = shared / "data" / "networks" / "enedis"
    first = import_flow(town, "r64", folder / "r64.json", SYSTEM, None)
    assert (first.stored, sorted(first.points)) == (2, ["99103630318530", "99331145115979"])
    assert total(town, PRM, "index") == 11444.177
    import_flow(town, "c15", folder / "c15_avec_releves.xml", SYSTEM, None)
    point = point_by_number(town, "99660599682036")
    assert (point.values["power_kva"], point.values["tariff"], point.values["meter"]) == (
        6.0,
        "BTINFCU4",
        "13451014311879",
    )


def test_an_index_by_hand(town: Town) -> None:
    point = town.store.records.put(
        "delivery_point", {"code": "EAU-77", "fluid": "water", "pulse_weight": 0.01}, who=SYSTEM
    )
    take_index(town, point, NOW_US - 9 * DAY_US, 120.5)
    take_index(town, point, NOW_US - 2 * DAY_US, 134.25)
    assert total(town, "EAU-77", "day") == 13.75
    for bad in (100.0, -1.0):
        with pytest.raises(Problem) as refused:
            take_index(town, point, NOW_US - DAY_US, bad)
        assert refused.value.place == "value"
    taken = take_pulses(town, point, [(NOW_US - HOUR_US * k, n) for k, n in ((3, 100), (2, 160), (1, 20))])
    assert (taken.stored, total(town, "EAU-77")) == (
        2,
        pytest.approx(0.8),
    )  # 60 pulses, then 20 of a counter begun anew


@cache
def invented_sky():
    return _sky(make_scene(3, 2, NOW_US // HOUR_US * HOUR_US), 60)


def invented(town: Town, code: str, fault: str, use: str = "école", zone: str | None = "B") -> list[Interval]:
    """Write a meter whose waste is known; return what it told."""
    meter = next(m for m in _METERS if m.fault == fault and m.use == use)
    sky = invented_sky()
    site = town.store.records.put("energy_site", {"code": code, "name": f"Site {fault}", "zone": zone, "surface_m2": 1200.0,
                                                  "reference_year": 2017, "reference_kwh": 90_000.0}, who=SYSTEM)  # fmt: skip
    point = town.store.records.put(
        "delivery_point", {"code": code, "fluid": "electricity", "site": site.id, "price": 0.2}, who=SYSTEM
    )
    used = _used(meter, sky, 3)
    intervals = [
        Interval(int(t) * HOUR_US, int(t + 1) * HOUR_US, float(v) * 1000)
        for t, v in zip(sky.at, used, strict=True)
    ]
    keep(town, point, "curve", "raw", intervals, Taken())
    return intervals


def test_known_waste_is_found_and_closes_when_it_stops(town: Town, agent: TestClient) -> None:
    invented(town, "20000000000001", "weekend")
    night_meter = invented(town, "20000000000002", "night", "mairie", None)
    invented(town, "20000000000003", "", "culture", None)
    study_town(town, NOW_US)
    rows = [r.values for r in town.store.records.all("energy_finding", Query(where={"state": "open"}))]
    by_point = {p.id: p.values["code"] for p in points_of(town)}
    found = {(by_point[v["point"]], v["kind"]) for v in rows if by_point[v["point"]].startswith("2")}
    assert found == {
        ("20000000000001", "weekend"),
        ("20000000000001", "holiday"),
        ("20000000000002", "night"),
    }
    night = next(v for v in rows if by_point[v["point"]] == "20000000000002")
    assert night["per_year"] == pytest.approx(4.2 * 8766, rel=0.15)
    assert night["euro_year"] == pytest.approx(night["per_year"] * 0.2, rel=1e-3)

    page = agent.get("/energie").text
    assert (
        page.index("Site night")
        < page.index("Site weekend")
        < page.index("Site </a>" if "Site </a>" in page else "rien à signaler")
    )
    english = agent.get("/energie", headers={"Accept-Language": "en"}).text
    assert "Night base load" in english and "Talon de nuit" not in english
    listed = agent.get("/donnees/energy_finding?col=title&col=why", headers={"Accept-Language": "en"}).text
    assert "Site night: uses more at night than it should" in listed and "consomme" not in listed
    assert " kWh/h, against " in listed and "contre" not in listed and "contre" in night["why"]
    assert "," in night["why"].partition(" kWh/h")[0]  # a decimal comma in French
    point = point_by_number(town, "20000000000002")
    keep(
        town,
        point,
        "curve",
        "raw",
        [msgspec.structs.replace(i, wh=max(i.wh - 4800, 0.0)) for i in night_meter],
        taken := Taken(),
    )
    assert (taken.stored, taken.replaced) == (0, len(night_meter))
    study_town(town, NOW_US)
    closed = [r.values for r in town.store.records.all("energy_finding", Query(where={"state": "closed"}))]
    assert [(v["point"], v["kind"]) for v in closed] == [(point.id, "night")]


def test_a_site_and_a_point_tell_everything(town: Town, agent: TestClient) -> None:
    site = next(r for r in town.store.records.all("energy_site") if r.values["code"] == "20000000000001")
    page = agent.get(f"/energie/site/{site.id}").text
    assert (
        "Trajectoire OPERAT" in page and "54\u202f000" in page and "à vérifier" in page
    )  # 90 000 kWh less 40 %
    assert "SDES" in page  # a factor is never told without its source
    point = point_by_number(town, "20000000000001")
    page = agent.get(f"/energie/point/{point.id}").text
    token = page.split('name="csrf" value="')[1].split('"')[0]
    sent = {"csrf": token, "at": "2026-11-19T09:00", "value": "12345,6"}
    assert agent.post(f"/energie/point/{point.id}", data=sent).status_code == 303
    wrong = agent.post(f"/energie/point/{point.id}", data=sent | {"value": "3", "at": "2026-11-19T18:00"})
    assert (wrong.status_code, "ne suit pas les autres" in wrong.text) == (400, True)
    assert agent.post(f"/energie/point/{point.id}", data=sent | {"value": "douze"}).status_code == 400


def test_files_come_in_by_the_page(town: Town, agent: TestClient, shared: Path) -> None:
    page = agent.get("/energie/importer").text
    token = page.split('name="csrf" value="')[1].split('"')[0]
    data = (shared / "data/networks/enedis/r151.xml").read_bytes()
    good = agent.post(
        "/energie/importer", data={"csrf": token, "flow": ""}, files={"file": ("..", data)}
    )  # what it is, the file says
    assert "Enedis R151" in good.text
    assert (good.status_code, "1 valeur nouvelle" in good.text, "99740456235087" in good.text) == (
        200,
        True,
        True,
    )
    cut = agent.post(
        "/energie/importer", data={"csrf": token, "flow": "r151"}, files={"file": ("r151.xml", data[:900])}
    )
    assert (cut.status_code, "coupé" in cut.text) == (400, True)
    mute = agent.post(
        "/energie/importer", data={"csrf": token, "flow": ""}, files={"file": ("a.xml", b"<a/>")}
    )
    assert (mute.status_code, "ne dit pas ce qu" in mute.text) == (400, True)
    with TestClient(create_app(town), base_url="http://127.0.0.1:8080", follow_redirects=False) as anyone:
        for address in (
            "/energie/importer",
            "/energie/operat.csv",
            f"/energie/point/{points_of(town)[0].id}",
        ):
            assert anyone.get(address, headers={"Accept": "application/json"}).status_code == 401
        assert anyone.get("/energie", headers={"Accept": "text/html"}).status_code == 200


CII = """<?xml version="1.0" encoding="UTF-8"?>
<rsm:CrossIndustryInvoice xmlns:rsm="urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100" xmlns:ram="urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100" xmlns:udt="urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100">
<rsm:ExchangedDocumentContext><ram:GuidelineSpecifiedDocumentContextParameter><ram:ID>urn:cen.eu:en16931:2017</ram:ID></ram:GuidelineSpecifiedDocumentContextParameter></rsm:ExchangedDocumentContext>
<rsm:ExchangedDocument><ram:ID>F-2026-118</ram:ID><ram:TypeCode>380</ram:TypeCode><ram:IssueDateTime><udt:DateTimeString format="102">20261110</udt:DateTimeString></ram:IssueDateTime></rsm:ExchangedDocument>
<rsm:SupplyChainTradeTransaction><ram:IncludedSupplyChainTradeLineItem><ram:AssociatedDocumentLineDocument><ram:LineID>1</ram:LineID></ram:AssociatedDocumentLineDocument>
<ram:SpecifiedTradeProduct><ram:Name>Électricité</ram:Name></ram:SpecifiedTradeProduct><ram:SpecifiedLineTradeAgreement><ram:NetPriceProductTradePrice><ram:ChargeAmount>150.00</ram:ChargeAmount></ram:NetPriceProductTradePrice></ram:SpecifiedLineTradeAgreement>
<ram:SpecifiedLineTradeDelivery><ram:BilledQuantity unitCode="MWH">{mwh}</ram:BilledQuantity></ram:SpecifiedLineTradeDelivery>
<ram:SpecifiedLineTradeSettlement><ram:BillingSpecifiedPeriod><ram:StartDateTime><udt:DateTimeString format="102">20261024</udt:DateTimeString></ram:StartDateTime><ram:EndDateTime><udt:DateTimeString format="102">20261026</udt:DateTimeString></ram:EndDateTime></ram:BillingSpecifiedPeriod>
<ram:SpecifiedTradeSettlementLineMonetarySummation><ram:LineTotalAmount>{line}</ram:LineTotalAmount></ram:SpecifiedTradeSettlementLineMonetarySummation><ram:AdditionalReferencedDocument><ram:IssuerAssignedID>100 000 000 000 04</ram:IssuerAssignedID><ram:TypeCode>130</ram:TypeCode></ram:AdditionalReferencedDocument></ram:SpecifiedLineTradeSettlement></ram:IncludedSupplyChainTradeLineItem>
<ram:ApplicableHeaderTradeAgreement><ram:SellerTradeParty><ram:Name>Énergies du Berry</ram:Name></ram:SellerTradeParty><ram:BuyerTradeParty><ram:Name>Commune</ram:Name></ram:BuyerTradeParty></ram:ApplicableHeaderTradeAgreement><ram:ApplicableHeaderTradeDelivery/>
<ram:ApplicableHeaderTradeSettlement><ram:InvoiceCurrencyCode>EUR</ram:InvoiceCurrencyCode><ram:SpecifiedTradeSettlementHeaderMonetarySummation><ram:LineTotalAmount>{line}</ram:LineTotalAmount><ram:TaxBasisTotalAmount>{line}</ram:TaxBasisTotalAmount><ram:TaxTotalAmount currencyID="EUR">{tax}</ram:TaxTotalAmount><ram:GrandTotalAmount>{total}</ram:GrandTotalAmount><ram:DuePayableAmount>{total}</ram:DuePayableAmount></ram:SpecifiedTradeSettlementHeaderMonetarySummation></ram:ApplicableHeaderTradeSettlement>
</rsm:SupplyChainTradeTransaction></rsm:CrossIndustryInvoice>"""


def pdf_with(path: Path, xml: str, name: str = "factur-x.xml") -> Path:
    writer = pypdf.PdfWriter()
    writer.add_blank_page(200, 200)
    writer.add_attachment(name, xml.encode())
    writer.write(path)
    return path


@pytest.mark.parametrize(
    ("mwh", "line", "tax", "verdict"),
    [
        ("0.073", "10.95", "2.19", "right"),
        ("0.110", "16.50", "3.30", "quantity"),
        ("0.073", "12.95", "2.59", "sum"),
    ],
)
def test_a_bill_against_its_meter(
    town: Town, tmp_path: Path, mwh: str, line: str, tax: str, verdict: str
) -> None:
    if point_by_number(town, "10000000000004") is None:
        take_rows(town, curve_of("10000000000004", "2026-10-24", 3, lambda _: 1000), SYSTEM, None)
    xml = CII.format(mwh=mwh, line=line, tax=tax, total=f"{float(line) + float(tax):.2f}")
    bill = read_bill(pdf_with(tmp_path / "facture.pdf", xml))
    assert (bill.number, bill.issued, bill.lines[0].point, bill.used) == (
        "F-2026-118",
        date(2026, 11, 10),
        "10000000000004",
        float(mwh) * 1000,
    )
    (row,) = take_bill(town, bill, SYSTEM, None)
    assert (row.values["verdict"], row.values["amount"]) == (verdict, round(float(line) + float(tax), 2))
    of_number = Query(where={"number": "F-2026-118"})
    assert town.store.records.count("energy_bill", of_number) == 1  # the same number is brought up to date


def test_bills_that_are_none(tmp_path: Path) -> None:
    for content, part in (
        (b"<a/>", "CII"),
        (b"<a", "XML"),
        (CII.format(mwh=1, line=1, tax=1, total=2).replace("<ram:ID>F-2026-118</ram:ID>", "").encode(), "ID"),
    ):
        file = tmp_path / "bill.xml"
        file.write_bytes(content)
        with pytest.raises(Problem) as refused:
            read_bill(file)
        assert part in refused.value.reason.fr
    with pytest.raises(Problem) as refused:
        read_bill(pdf_with(tmp_path / "bill.pdf", "x", "notes.txt"))
    assert "Factur-X" in refused.value.reason.fr


def test_power_targets_factors_and_holidays() -> None:
    year = [5.2] * 300 + [8.1]
    small = advise(year, 18, 12.0)
    assert (small.best_kva, small.saved_euros, small.sure) == (9, 108.0, True)
    large = advise([100.0] * 364 + [160.0], 160, 20.0, 1.0)
    assert (large.best_kva, large.exceeded_days) == (
        100.0,
        0,
    )  # a day of 60 kVA above costs less than 60 kVA all year
    with pytest.raises(Problem):
        advise([], 9, 12.0)
    assert [(t.year, t.kwh, t.way, t.met) for t in targets(100_000, 2015, 60, 1000, 58_000)] == [
        (2030, 60_000, "relative", True), (2040, 60_000, "absolute", True), (2050, 60_000, "absolute", True),
    ]  # fmt: skip
    with pytest.raises(Problem):
        targets(100_000, 2008, None, None, None)
    assert adjusted(100.0, 60.0, 2000, 2500) == pytest.approx(40 + 60 * 0.8)
    assert adjusted(100.0, None, 2000, 2500) == 100.0  # what is not known to be thermal is never scaled
    assert export([], date(2026, 11, 20)).count("\n") == 1
    gas = factor_of("gas")
    assert gas is not None and not gas.checked and carbon_kg(1110, gas) == pytest.approx(227.0)
    calendar = school_calendar()
    assert [calendar.off(date(2026, 2, 16), z) for z in "ABC"] == [True, True, False]
    assert (
        calendar.off(date(2031, 1, 1), "A"),
        public_holiday(date(2026, 5, 14)),
        public_holiday(date(2026, 5, 25)),
    ) == (None, True, True)
    days = np.array([date(2026, 2, 16).toordinal() - date(1970, 1, 1).toordinal()])
    assert labels_of(days, "B").tolist() == [[1.0, 0.0]]


def test_the_case_is_fed_by_live_series(town: Town) -> None:
    study_town(town, NOW_US)
    figures = {i.name: i.compute(town, None, 0, NOW_US) for i in town.registry.services["energy"].indicators}
    assert (
        figures["energy_waste"] > 300
        and figures["energy_use"] > 50
        and 0 < figures["energy_completeness"] < 100
    )
    bound = {
        h["bound"]["indicator"]
        for h in town.registry.services["energy"].evaluation.cases[0]["hypotheses"].values()
        if "bound" in h
    }
    assert bound <= set(figures)
    assert json.dumps(figures)


def test_a_day_that_comes_again_at_another_step_is_counted_once(town: Town) -> None:
    prm = "10000000000011"
    for step, watts in ((30, 1000), (10, 1200), (30, 1500), (60, 1500)):
        taken = take_rows(town, curve_of(prm, "2026-10-25", 1, lambda _, w=watts: w, step), SYSTEM, None)
        assert total(town, prm) == pytest.approx(25 * watts / 1000)
        assert not taken.doubts
    # half of a half-hour would count the other half twice, or lose it: it is left out, and told
    part = curve_of(prm, "2026-10-25", 1, lambda _: 9000, 10)[:4]
    taken = take_rows(town, part, SYSTEM, None)
    assert (taken.stored, taken.replaced, len(taken.doubts), total(town, prm)) == (0, 0, 4, 37.5)


def test_one_index_a_file_gives_the_day_between_two_files(town: Town, shared: Path, tmp_path: Path) -> None:
    prm, file = "99740456235099", tmp_path / "r151.xml"
    text = (shared / "data/networks/enedis/r151.xml").read_text("utf-8").replace("99740456235087", prm)
    indexes = [int(v) for v in re.findall(r"<Valeur>(\d+)</Valeur>", text)]

    def send(day: str, more: int) -> Taken:
        said = iter(indexes)
        moved = re.sub(r"<Valeur>\d+", lambda _: f"<Valeur>{next(said) + more}", text)
        file.write_text(moved.replace("2024-04-04", day), "utf-8")
        return import_flow(town, "r151", file, SYSTEM, None)

    classes = text.count("<Classe_Temporelle_Distributeur>")
    assert send("2024-04-04", 0).stored == 1
    assert send("2024-04-06", 3000).stored == 2  # the index, and two days in one reading
    assert total(town, prm, "day") == pytest.approx(classes * 3.0)
    late = send("2024-04-05", 1000)  # the day that was missing comes late: two days instead of one reading
    assert (late.stored, late.replaced, late.doubts) == (3, 1, [])
    point = point_by_number(town, prm)
    found = days_of(town, point, parse_instant("2024-04-04T22:00:00Z"), parse_instant("2024-04-06T22:00:00Z"))
    assert (found.used.tolist(), found.even.tolist()) == (
        [pytest.approx(classes * 1.0), pytest.approx(classes * 2.0)],
        [False, False],
    )
    back = send("2024-04-07", 0)  # a meter changed
    assert (total(town, prm, "day"), len(back.doubts), "recule" in back.doubts[0].reason.fr) == (
        pytest.approx(classes * 3.0),
        1,
        True,
    )


def test_a_month_by_hand_is_known_and_teaches_no_day(town: Town) -> None:
    gas = b'{"pce": {"id_pce": "GI700001"}, "consommation": {"date_debut_consommation": "%s", "date_fin_consommation": "%s", "energie": %d}}'
    months = [gas % m for m in ((b"2026-09-01", b"2026-10-01", 3000), (b"2026-10-01", b"2026-11-01", 6200))]
    taken = take_rows(town, list(read_adict(b"\n".join(months))), SYSTEM, None)
    point = point_by_number(town, "GI700001")
    assert (taken.stored, point.values["fluid"]) == (2, "gas")
    found = days_of(town, point, parse_instant("2026-08-30T22:00:00Z"), parse_instant("2026-11-01T22:00:00Z"))
    assert np.nansum(found.used) == pytest.approx(9200)
    assert found.used[1:31] == pytest.approx(100.0)
    assert int(found.even.sum()) == 61 and not use_of(town, found, None).known.any()
    assert measured_between(town, point, date(2026, 10, 1), date(2026, 10, 31)) == (pytest.approx(6200), 1.0)
    assert study(town, point, NOW_US).year == pytest.approx(9200 / 61 * 365)


def test_bills_that_another_library_made(town: Town, agent: TestClient) -> None:
    # the bill comes before the meter: it makes the point, and waits
    rows = take_bill(town, read_bill(BILLS / "two-points.pdf"), SYSTEM, None)
    assert [r.values["verdict"] for r in rows] == ["unknown", "unknown"]
    assert point_by_number(town, "10000000000022").values["supplier"] == "Énergies du Berry"
    for code, watts in (("10000000000021", 3000), ("10000000000022", 6000)):
        take_rows(town, curve_of(code, "2026-10-01", 31, lambda _, w=watts: w), SYSTEM, None)
        point = point_by_number(town, code)
        town.store.records.put("delivery_point", {"price": 0.21, "power_kva": 18.0}, id=point.id, who=SYSTEM)
    page = agent.get("/energie/importer").text
    token = page.split('name="csrf" value="')[1].split('"')[0]
    for name in ("one-point", "two-points"):
        file = {"file": ("facture.pdf", (BILLS / f"{name}.pdf").read_bytes())}
        page = agent.post("/energie/importer", data={"csrf": token, "flow": ""}, files=file)
        assert page.status_code == 200 and "conforme" in page.text
    rows = {r.values["number"]: r.values for r in town.store.records.all("energy_bill")}
    alone, school, hall = (
        rows[f"EB-2026-{n}"] for n in ("one-point", "two-points 10000000000021", "two-points 10000000000022")
    )
    # October has 745 hours: 3 kW are 2,235 kWh, 6 kW are 4,470
    assert (alone["verdict"], alone["measured"], alone["amount"]) == ("right", pytest.approx(2235), 494.28)
    assert (school["verdict"], school["amount"]) == ("right", pytest.approx((390.6 + 4) * 1.2))
    assert (hall["verdict"], hall["quantity"], hall["amount"]) == ("quantity", 4900, 1065.0)
    assert hall["expected"] == pytest.approx((4470 * 0.175 + 30) * 1.2, abs=0.01)
    home = agent.get("/energie").text
    assert "two-points 10000000000022" in home and "90,30" in home
    point = point_by_number(town, "10000000000022")
    own = agent.get(f"/energie/point/{point.id}").text
    assert "90,30" in own and "Facturé 4900 kWh, mesuré 4470 kWh" in own
    english = agent.get(f"/energie/point/{point.id}", headers={"Accept-Language": "en"}).text
    assert "Billed 4900 kWh, measured 4470 kWh" in english and "Facturé 4900" not in english
    # 18 kVA for 6 kW: 9 is 10 % above, at 12 euros a kVA
    assert "Passer de 18\u00a0kVA à 9\u00a0kVA épargnerait 108\u00a0€ par an" in own and "30 min" in own


def test_pulses_become_energy_at_each_study(town: Town) -> None:
    values = {"code": "EAU-88", "fluid": "water", "pulse_weight": 0.1, "pulse_series": "lora/pulse-88"}
    point = town.store.records.put("delivery_point", values, who=SYSTEM)
    series = Series("lora/pulse-88", "pulses", Station("lora/88", "Émetteur"), method="LoRaWAN")
    source = identify(town.store, town.registry.datastream_kind, [series], numeric=lambda _: True, door=OPEN,
                      service_of=town.registry.service_of)[series.key].id  # fmt: skip

    def tell(*counts: tuple[int, int]) -> Taken:
        town.store.observations.append(
            [Draft(source, NOW_US - h * HOUR_US, number_of(str(n))) for h, n in counts]
        )
        return take_counter(town, point, NOW_US)

    assert tell((9, 100), (8, 130)).stored == 1
    tell((7, 180))
    tell((6, 20))  # a new counter
    assert total(town, "EAU-88") == pytest.approx(3 + 5 + 2)
    tell((5, 30))
    study_town(town, NOW_US)
    assert total(town, "EAU-88") == pytest.approx(11)


def test_the_power_to_subscribe_says_euros_and_why() -> None:
    found = advise([20.0] * 364 + [27.0], 36, 14.6)
    assert (found.best_kva, found.saved_euros, found.small) == (30, pytest.approx(6 * 14.6), True)
    assert [(s.kva, s.exceeded_days) for s in found.steps] == [(24, 1), (30, 0), (36, 0)]
    near = advise(
        [34.0] * 365, 36, 14.6
    )  # 10 % above is no step: 36 stays, and no other contract is asked for
    assert (near.best_kva, near.saved_euros) == (36, 0.0)
    over = advise([20.0] * 365, 18, 14.6)
    assert (over.best_kva, over.exceeded_days, over.saved_euros) == (24, 365, pytest.approx(-6 * 14.6))
    assert [(t.relative, t.absolute, t.way) for t in targets(100_000, 2015, 45, 1000, None)][:2] == [
        (pytest.approx(60_000), 45_000, "relative"), (50_000, 45_000, "relative"),
    ]  # fmt: skip
