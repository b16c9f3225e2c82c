"""Flows that have no golden file here, written by hand in the published layout: every value that they carry, in full."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from beffroi.services.energy.flows.on_demand import read_on_demand
from beffroi.services.energy.flows.reading import read_flow
from beffroi.services.energy.flows.row import Clock, Row

PRM, OTHER = "99103630318530", "00000000000017"
PARIS = ZoneInfo("Europe/Paris")


def told(flow: str, path: Path, text: str) -> list[tuple]:
    """Return every field of every row, the point first."""
    path.write_text(text, "utf-8")
    return [
        (r.prm, r.kind, r.grid, r.start, r.end, r.value, r.unit, r.class_, r.nature, r.status)
        for r in read_flow(flow, path)
    ]


def on_demand(flow: str, *measures: dict) -> str:
    header = {"siDemandeur": "SGE", "codeFlux": flow, "idDemande": "M1", "modePublication": "P"}
    return json.dumps({"header": header, "mesures": list(measures)})


def test_a_load_curve_whose_step_changes(tmp_path: Path) -> None:
    points = [
        {"d": "2026-10-25 02:00:00", "v": "1200", "p": "PT30M", "n": "B"},
        {"d": "2026-10-25 02:30:00", "v": 800, "p": "PT30M", "n": "B", "iv": 1},
        {"d": "2026-10-25 02:00:00", "v": "600", "p": "PT30M", "n": "C", "iv": 0},
        {"d": "2026-10-25 02:30:00", "v": "500", "p": "PT30M", "n": "E"},
        {"d": "2026-10-25 02:40:00", "v": "480", "p": "PT10M", "n": "B"},
        {"d": "2026-10-25 03:00:00", "v": "0", "p": "PT20M", "n": "B"},
    ]
    away = [{"d": "2026-06-01 00:30:00", "v": "70", "n": "R"}]
    text = on_demand(
        "R63", {"idPrm": OTHER, "periode": {"dateDebut": "2026-10-25", "dateFin": "2026-10-26"}, "etapeMetier": "BRUT", "grandeur": [
            {"grandeurMetier": "CONS", "grandeurPhysique": "PA", "unite": "W", "points": points},
            {"grandeurMetier": "PROD", "grandeurPhysique": "PA", "unite": "W", "pas": "PT30M", "points": away}]},
    )  # fmt: skip
    s, w = "+02:00", "+01:00"  # the hour that comes twice
    assert told("r63", tmp_path / "r63.json", text) == [
        (OTHER, "curve", None, f"2026-10-25T01:30:00{s}", f"2026-10-25T02:00:00{s}", 1200, "W", None, "réel", "BRUT"),
        (OTHER, "curve", None, f"2026-10-25T02:00:00{s}", f"2026-10-25T02:30:00{s}", 800, "W", None, "réel", "BRUT iv=1"),
        (OTHER, "curve", None, f"2026-10-25T02:30:00{s}", f"2026-10-25T02:00:00{w}", 600, "W", None, "corrigé", "BRUT"),
        (OTHER, "curve", None, f"2026-10-25T02:00:00{w}", f"2026-10-25T02:30:00{w}", 500, "W", None, "estimé", "BRUT"),
        (OTHER, "curve", None, f"2026-10-25T02:30:00{w}", f"2026-10-25T02:40:00{w}", 480, "W", None, "réel", "BRUT"),
        (OTHER, "curve", None, f"2026-10-25T02:40:00{w}", f"2026-10-25T03:00:00{w}", 0, "W", None, "réel", "BRUT"),
        (OTHER, "curve", None, f"2026-06-01T00:00:00{s}", f"2026-06-01T00:30:00{s}", 70, "W", "PROD/PA", "réel", "BRUT"),
    ]  # fmt: skip


def test_daily_energies_over_the_days_of_23_and_25_hours(tmp_path: Path) -> None:
    points = [
        {"d": "2026-03-29", "v": "15400", "n": "B"},
        {"d": "2026-10-25", "v": 17000, "n": "C", "iv": 2},
        {"d": "2026-10-26 00:00:00", "v": "16000"},
    ]
    text = on_demand(
        "R65", {"idPrm": PRM, "grandeur": [{"grandeurMetier": "CONS", "grandeurPhysique": "EA", "unite": "Wh", "points": points}]}
    )  # fmt: skip
    assert told("r65", tmp_path / "r65.json", text) == [
        (PRM, "energy", None, "2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00", 15400, "Wh", None, "réel", None),
        (PRM, "energy", None, "2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00", 17000, "Wh", None, "corrigé", "iv=2"),
        (PRM, "energy", None, "2026-10-26T00:00:00+01:00", "2026-10-27T00:00:00+01:00", 16000, "Wh", None, None, None),
    ]  # fmt: skip


def test_billed_energies_on_both_calendars(tmp_path: Path) -> None:
    def quantity(first: str, last: str, value: object, nature: str, status: str) -> dict:
        return {"dbtMesure": first, "finMesure": last, "quantite": value, "codeNature": nature, "codeStatut": status}  # fmt: skip

    text = on_demand("R67", {"idPrm": PRM, "contexte": [{"etapeMetier": "FACT", "grandeur": [{
        "grandeurMetier": "CONS", "grandeurPhysique": "EA", "unite": "kWh", "calendrier": [
            {"codeGrille": "D", "classeTemporelle": [
                {"codeCadran": "01", "idClasseTemporelle": "HPH", "quantite": [quantity("2026-01-01", "2026-02-01", 310, "R", "R"),
                                                                               quantity("2026-02-01", "2026-03-01", "288.5", "E", "R")]},
                {"codeCadran": "02", "quantite": [quantity("2026-01-01", "2026-02-01", -12, "C", "I")]}]},
            {"libelleGrille": "Fournisseur", "classeTemporelle": [
                {"idClasseTemporelle": "BASE", "quantite": [quantity("2026-01-01", "2026-02-01", 298, "X", "R")]}]}]}]}]})  # fmt: skip
    assert told("r67", tmp_path / "r67.json", text) == [
        (PRM, "energy", "D", "2026-01-01", "2026-02-01", 310, "kWh", "HPH", "réel", "R"),
        (PRM, "energy", "D", "2026-02-01", "2026-03-01", 288.5, "kWh", "HPH", "estimé", "R"),
        (PRM, "energy", "D", "2026-01-01", "2026-02-01", -12, "kWh", "02", "corrigé", "I"),
        (PRM, "energy", "F", "2026-01-01", "2026-02-01", 298, "kWh", "BASE", "X", "R"),
    ]  # fmt: skip


def _class(tag: str, name: str, measure: int, value: int, before: int | None = None, away: int = 0) -> str:
    earlier = "" if before is None else f"<Valeur_Precedent>{before}</Valeur_Precedent>"
    return (f"<{tag}><Id_Classe_Temporelle>{name}</Id_Classe_Temporelle><Classe_Mesure>{measure}</Classe_Mesure><Unite_Mesure>kWh</Unite_Mesure>"
            f"<Sens_Mesure>{away}</Sens_Mesure><Valeur>{value}</Valeur>{earlier}</{tag}>")  # fmt: skip


def test_readings_at_an_event_on_both_calendars_and_both_ways(tmp_path: Path) -> None:
    d, f = "Classe_Temporelle_Distributeur", "Classe_Temporelle"
    text = (
        f"<R15><En_Tete_Flux><Identifiant_Flux>R15</Identifiant_Flux></En_Tete_Flux><PRM><Id_PRM>{PRM}</Id_PRM><Donnees_Releve>"
        "<Date_Releve>2026-03-29T12:00:00+02:00</Date_Releve><Statut_Releve>INITIAL</Statut_Releve><Nature_Index>REEL</Nature_Index>"
        "<Nature_Consommation>REGUL</Nature_Consommation><Date_Releve_Precedent>2026-02-28</Date_Releve_Precedent>"
        "<Nature_Index_Precedent>ESTIME</Nature_Index_Precedent>"
        + _class(d, "HCH", 1, 5100, 5000) + _class(d, "HCH", 2, 100) + _class(f, "HC", 1, 5105, 5004) + _class(f, "HC", 2, 101)
        + _class(d, "BASE", 1, 40, 0, away=1)
        + "</Donnees_Releve></PRM></R15>"
    )  # fmt: skip
    at, since = "2026-03-29T12:00:00+02:00", "2026-02-28T00:00:00+01:00"
    assert told("r15", tmp_path / "r15.xml", text) == [
        (PRM, "index", "D", at, at, 5100, "kWh", "HCH", "REEL", "INITIAL"),
        (PRM, "index", "D", since, since, 5000, "kWh", "HCH", "ESTIME", "PRECEDENT"),
        (PRM, "energy", "D", since, at, 100, "kWh", "HCH", "REGUL", "INITIAL"),
        (PRM, "index", "F", at, at, 5105, "kWh", "HC", "REEL", "INITIAL"),
        (PRM, "index", "F", since, since, 5004, "kWh", "HC", "ESTIME", "PRECEDENT"),
        (PRM, "energy", "F", since, at, 101, "kWh", "HC", "REGUL", "INITIAL"),
        (PRM, "index", "D", at, at, 40, "kWh", "INJECTION BASE", "REEL", "INITIAL"),
        (PRM, "index", "D", since, since, 0, "kWh", "INJECTION BASE", "ESTIME", "PRECEDENT"),
    ]  # fmt: skip


def test_every_word_and_line_of_a_bill_of_small_points(tmp_path: Path) -> None:
    def line(code: str, words: str, amount: str, quantity: str = "") -> str:
        return (f"<Element_Valorise><Id_EV>{code}</Id_EV><Libelle_EV>{words}</Libelle_EV><Formule_Tarifaire_Acheminement>BTINFCU4"
                "</Formule_Tarifaire_Acheminement><Taux_TVA_Applicable>20.00</Taux_TVA_Applicable><Date_Debut>2026-01-01</Date_Debut>"
                f"<Date_Fin>2026-01-31</Date_Fin>{quantity}<Montant_HT>{amount}</Montant_HT></Element_Valorise>")  # fmt: skip

    quantity = (
        "<Quantite>310</Quantite><Unite_Quantite>kWh</Unite_Quantite><Prix_Unitaire>0.0484</Prix_Unitaire>"
    )
    text = (
        "<F15_Detail_Facturation><En_Tete_Flux><Identifiant_Flux>F15</Identifiant_Flux></En_Tete_Flux><Rappel_En_Tete>"
        "<Num_Facture>00012</Num_Facture><Date_Facture>2026-02-05</Date_Facture><Devise>EUR</Devise></Rappel_En_Tete><Donnees_Valorisation>"
        f"<Num_Valorisation>7</Num_Valorisation><Type_Facturation>CYCL</Type_Facturation><Date_Effet>2026-01-31</Date_Effet><Donnees_PRM><Id_PRM>{OTHER}</Id_PRM>"
        "<Ref_Situation_Contractuelle>S1</Ref_Situation_Contractuelle><Type_Compteur>CCB</Type_Compteur></Donnees_PRM><Groupe_Valorise><Nature_EV>01</Nature_EV>"
        + line("CS_HPH", "Soutirage", "15.00", quantity) + line("CTA", "Contribution", "1.20")
        + "</Groupe_Valorise></Donnees_Valorisation></F15_Detail_Facturation>"
    )  # fmt: skip
    day, a, b = "2026-02-05", "2026-01-01", "2026-01-31"

    def word(value: str, name: str) -> tuple:
        return (OTHER, "invoice", None, day, day, value, None, name, None, "CYCL")

    def of_line(value: object, unit: str | None, name: str) -> tuple:
        return (OTHER, "invoice", None, a, b, value, unit, name, "01", "CYCL")

    assert told("f15", tmp_path / "f15.xml", text) == [
        word("00012", "Num_Facture"), word("2026-02-05", "Date_Facture"), word("7", "Num_Valorisation"), word("CYCL", "Type_Facturation"),
        word("S1", "Ref_Situation_Contractuelle"), word("CCB", "Type_Compteur"), word("2026-01-31", "Date_Effet"),
        of_line(15.0, "EUR", "CS_HPH"), of_line(310, "kWh", "CS_HPH"), of_line(0.0484, "EUR/kWh", "CS_HPH"),
        of_line("Soutirage", None, "CS_HPH/Libelle_EV"), of_line("20.00", None, "CS_HPH/Taux_TVA_Applicable"),
        of_line("BTINFCU4", None, "CS_HPH/Formule_Tarifaire_Acheminement"), of_line(1.2, "EUR", "CTA"),
        of_line("Contribution", None, "CTA/Libelle_EV"), of_line("20.00", None, "CTA/Taux_TVA_Applicable"),
        of_line("BTINFCU4", None, "CTA/Formule_Tarifaire_Acheminement"),
    ]  # fmt: skip


_STAMPS = [
    datetime(2026, month, day, hour, minute)
    for month, day in ((3, 29), (10, 25), (6, 1))
    for hour in (0, 1, 2, 3, 23)
    for minute in (0, 10, 30)
]


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(_STAMPS),
            st.sampled_from(("PT10M", "PT30M", "PT1H", None)),
            st.sampled_from(("B", "E", "C", None)),
            st.sampled_from((None, 0, 1, "2")),
            st.one_of(st.integers(0, 99), st.integers(0, 99).map(str), st.just("1,5")),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_what_is_remembered_of_stamps_changes_nothing(said: list) -> None:
    points = [{"d": str(d), "p": p, "n": n, "iv": iv, "v": v} for d, p, n, iv, v in said]
    one = {"grandeurMetier": "CONS", "grandeurPhysique": "PA", "unite": "W", "pas": "PT15M", "points": points}
    found = list(read_on_demand("r63", on_demand("R63", {"idPrm": PRM, "grandeur": [one]}).encode()))
    clock, steps = Clock(), {"PT10M": 10, "PT30M": 30, "PT1H": 60, None: 15}
    natures = {"B": "réel", "E": "estimé", "C": "corrigé", None: None}
    for row, (stamp, step, nature, doubt, value) in zip(found, said, strict=True):
        end = clock.instant(str(stamp), "")
        start = datetime.fromisoformat(end) - timedelta(minutes=steps[step])
        assert row == Row(
            PRM, "curve", None, start.astimezone(PARIS).isoformat(), end, float(str(value).replace(",", ".")), "W", None,
            natures[nature], None if doubt in (None, 0) else f"iv={doubt}",
        )  # fmt: skip
