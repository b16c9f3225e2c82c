"""The operators' flows: equal to the golden results of real flows, refused with the place of what is wrong."""

import io
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beffroi.model.problem import Problem
from beffroi.services.energy.flows.reading import read_flow, recognised, write_rows
from beffroi.services.energy.flows.readings import _day, _strict_r151, read_r151
from beffroi.services.energy.flows.regular import regular_rows
from beffroi.services.energy.flows.row import Row
from beffroi.services.energy.gas import read_adict

PARIS = ZoneInfo("Europe/Paris")
PRM = "99103630318530"


@pytest.fixture(scope="module")
def enedis(shared: Path) -> Path:
    return shared / "data" / "networks" / "enedis"


def rows(flow: str, path: Path) -> list[Row]:
    return list(read_flow(flow, path))


def golden(folder: Path, name: str) -> list[dict]:
    return json.loads((folder / "golden" / f"flux_{name}.json").read_text("utf-8"))


def classes(record: dict, before: str = "index_") -> dict[str, int]:
    """Return the values of a golden record by class, in its own kWh."""
    return {
        k.removeprefix(before).removesuffix("_kwh").upper(): v
        for k, v in record.items() if k.startswith(before) and k.endswith("_kwh")
    }  # fmt: skip


@pytest.mark.parametrize(("flow", "file"), [("r64", "r64.json"), ("r151", "r151.xml")])
def test_indexes_are_those_of_the_golden_files(enedis: Path, flow: str, file: str) -> None:
    found = rows(flow, enedis / file)
    for record in golden(enedis, flow):
        mine = [r for r in found if r.prm == record["pdl"] and r.grid == "D"]
        assert {r.class_: int(r.value) // 1000 for r in mine} == classes(record)
        assert {(r.kind, r.unit, r.nature, r.start, r.end) for r in mine} == {
            ("index", "Wh", record["nature_index"], record["date_releve"], record["date_releve"])
        }
        assert {r.status for r in mine} == {record.get("etape_metier")}
    assert {r.prm for r in found} == {record["pdl"] for record in golden(enedis, flow)}


def test_the_suppliers_calendar_and_the_totaliser_are_told_apart(enedis: Path) -> None:
    of_one = [r for r in rows("r64", enedis / "r64.json") if r.prm == PRM]
    by_grid = {g: sum(r.value for r in of_one if r.grid == g) for g in ("D", "F", None)}
    assert by_grid == {"D": 2675549 + 6038145 + 1941120 + 789363, "F": 3602078, None: 11444177}


def test_a_contract_and_its_readings_before_and_after(enedis: Path) -> None:
    found = rows("c15", enedis / "c15_avec_releves.xml")
    (record,) = golden(enedis, "c15")
    assert {r.prm for r in found} == {record["pdl"]}
    for moment, word in (("avant", "avant"), ("apres", "après")):
        mine = [r for r in found if r.kind == "index" and r.status == word and r.grid == "D"]
        assert {r.class_: r.value for r in mine} == classes(record, f"{moment}_index_")
        assert {(r.unit, r.nature, r.end) for r in mine} == {
            ("kWh", record[f"{moment}_nature_index"], record[f"{moment}_date_releve"])
        }
    power = next(r for r in found if r.kind == "contract" and r.unit == "kVA")
    assert (power.value, power.class_, power.nature, power.status, power.start) == (
        record["puissance_souscrite_kva"], record["formule_tarifaire_acheminement"], record["evenement_declencheur"],
        record["etat_contractuel"], record["date_evenement"],
    )  # fmt: skip
    said = {r.value for r in found if r.kind == "contract"}
    told = ("segment_clientele", "num_depannage", "categorie", "ref_situation_contractuelle", "type_compteur", "num_compteur",
            "date_derniere_modification_fta", "niveau_ouverture_services", "type_evenement", "id_affaire",
            "date_changement_niveau_ouverture_services", "avant_id_calendrier_distributeur", "avant_id_calendrier_fournisseur")  # fmt: skip
    assert {record[k] for k in told} <= said
    assert not any("EXEMPLE" in str(v) or "ANONYME" in str(v) for v in said)  # nothing of the holder


def test_each_line_of_a_bill(enedis: Path) -> None:
    found = rows("f12", enedis / "f12.xml")
    for record in golden(enedis, "f12_detail"):
        mine = [r for r in found if r.class_ == record["id_ev"]]
        assert {(r.unit, r.value) for r in mine} == {
            ("EUR", record["montant_ht"]), (record["unite"], record["quantite"]), (f"EUR/{record['unite']}", record["prix_unitaire"]),
        }  # fmt: skip
        assert {(r.prm, r.start, r.end, r.nature, r.status) for r in mine} == {
            (
                record["pdl"],
                record["date_debut"],
                record["date_fin"],
                record["code_recapitulatif"],
                record["type_facturation"],
            )
        }
        words = {r.value for r in found if (r.class_ or "").startswith(f"{record['id_ev']}/")}
        assert words == {
            record["libelle_ev"],
            record["taux_tva_applicable"],
            record["cspe_applicable"],
            record["code_debit_credit"],
        }
    said = {r.class_: r.value for r in found if r.kind == "invoice" and r.unit is None}
    record = golden(enedis, "f12_detail")[0]
    assert (said["Num_Facture"], said["Date_Facture"], said["Num_Sous_Lot"]) == (
        record["num_facture"], record["date_facture"], record["num_sous_lot"],
    )  # fmt: skip


R67 = {
    "header": {"codeFlux": "R67"},
    "mesures": [{"idPrm": PRM, "contexte": [{"etapeMetier": "FACT", "grandeur": [{
        "grandeurMetier": "CONS", "grandeurPhysique": "EA", "unite": "Wh", "calendrier": [
            {"codeGrille": "D", "classeTemporelle": [{"idClasseTemporelle": "HPB", "quantite": [
                {"dbtMesure": "2024-04-02", "finMesure": "2024-04-03", "codeNature": "C", "codeStatut": "I", "quantite": -4000}]}]},
            {"codeGrille": "F", "classeTemporelle": [{"idClasseTemporelle": "BASE", "quantite": [
                {"dbtMesure": "2024-04-02", "finMesure": "2024-04-03", "codeNature": "E", "codeStatut": "R", "quantite": "5000"}]}]}]}]}]}],
}  # fmt: skip


def test_billed_energies_keep_their_corrections(tmp_path: Path) -> None:
    file = tmp_path / "r67.json"
    file.write_text(json.dumps([R67]))  # on demand, the document may come in an array
    assert [
        (r.kind, r.grid, r.start, r.end, r.value, r.unit, r.class_, r.nature, r.status)
        for r in rows("r67", file)
    ] == [
        ("energy", "D", "2024-04-02", "2024-04-03", -4000, "Wh", "HPB", "corrigé", "I"),
        ("energy", "F", "2024-04-02", "2024-04-03", 5000, "Wh", "BASE", "estimé", "R"),
    ]


R15 = f"""<R15><En_Tete_Flux><Identifiant_Flux>R15</Identifiant_Flux></En_Tete_Flux><PRM><Id_PRM>{PRM}</Id_PRM><Donnees_Releve>
<Date_Releve>2024-07-30T00:01:00+02:00</Date_Releve><Statut_Releve>INITIAL</Statut_Releve><Nature_Consommation>ESTIME</Nature_Consommation>
<Nature_Index>REEL</Nature_Index><Date_Releve_Precedent>2024-07-01T00:00:00+02:00</Date_Releve_Precedent><Nature_Index_Precedent>REEL</Nature_Index_Precedent>
<Classe_Temporelle_Distributeur><Id_Classe_Temporelle>BASE</Id_Classe_Temporelle><Classe_Mesure>1</Classe_Mesure><Unite_Mesure>kWh</Unite_Mesure><Sens_Mesure>0</Sens_Mesure><Valeur>10160</Valeur><Valeur_Precedent>10060</Valeur_Precedent></Classe_Temporelle_Distributeur>
<Classe_Temporelle_Distributeur><Id_Classe_Temporelle>BASE</Id_Classe_Temporelle><Classe_Mesure>2</Classe_Mesure><Unite_Mesure>kWh</Unite_Mesure><Sens_Mesure>0</Sens_Mesure><Valeur>100</Valeur></Classe_Temporelle_Distributeur>
</Donnees_Releve></PRM></R15>"""


def test_readings_at_events_give_index_and_energy(tmp_path: Path) -> None:
    file = tmp_path / "r15.xml"
    file.write_text(R15)
    at, since = "2024-07-30T00:01:00+02:00", "2024-07-01T00:00:00+02:00"
    assert [(r.kind, r.grid, r.start, r.end, r.value, r.nature, r.status) for r in rows("r15", file)] == [
        ("index", "D", at, at, 10160, "REEL", "INITIAL"), ("index", "D", since, since, 10060, "REEL", "PRECEDENT"),
        ("energy", "D", since, at, 100, "ESTIME", "INITIAL"),
    ]  # fmt: skip


F15 = f"""<F15_Detail_Facturation><En_Tete_Flux><Identifiant_Flux>F15</Identifiant_Flux></En_Tete_Flux><Rappel_En_Tete><Num_Facture>32</Num_Facture><Date_Facture>2025-02-05</Date_Facture><Devise>EUR</Devise></Rappel_En_Tete>
<Donnees_Valorisation><Num_Valorisation>17</Num_Valorisation><Type_Facturation>EVNT</Type_Facturation><Donnees_PRM><Id_PRM>{PRM}</Id_PRM></Donnees_PRM><Groupe_Valorise><Nature_EV>03</Nature_EV><Element_Valorise>
<Id_EV>DCOUP_PEN</Id_EV><Libelle_EV>Pénalité</Libelle_EV><Date_Debut>2025-01-17</Date_Debut><Date_Fin>2025-01-17</Date_Fin><Quantite>2.0</Quantite><Unite_Quantite>UNITE</Unite_Quantite><Prix_Unitaire>-24.0</Prix_Unitaire><Montant_HT>-48.00</Montant_HT></Element_Valorise></Groupe_Valorise></Donnees_Valorisation></F15_Detail_Facturation>"""


def test_the_bill_of_small_points(tmp_path: Path) -> None:
    file = tmp_path / "f15.xml"
    file.write_text(F15)
    lines = [r for r in rows("f15", file) if r.class_ == "DCOUP_PEN"]
    assert [(r.value, r.unit, r.nature, r.status, r.start) for r in lines] == [
        (-48.0, "EUR", "03", "EVNT", "2025-01-17"), (2.0, "UNITE", "03", "EVNT", "2025-01-17"),
        (-24.0, "EUR/UNITE", "03", "EVNT", "2025-01-17"),
    ]  # fmt: skip


def load_curve(day: datetime, step_min: int, watts: float) -> list[dict]:
    """Return a civil day as Enedis writes it: naive stamps of the ends, the hour that happens twice written twice."""
    points = []
    end = day.replace(tzinfo=PARIS) + timedelta(days=1)
    at = day.replace(tzinfo=PARIS).timestamp()
    while at < end.timestamp():
        at += 60 * step_min
        points.append(
            {
                "d": f"{datetime.fromtimestamp(at, PARIS):%Y-%m-%d %H:%M:%S}",
                "v": str(watts),
                "p": f"PT{step_min}M",
                "n": "B",
            }
        )
    return points


@pytest.mark.parametrize(("day", "count"), [("2026-03-29", 46), ("2026-10-25", 50), ("2026-06-01", 48)])
def test_days_of_46_and_50_half_hours(tmp_path: Path, day: str, count: int) -> None:
    points = load_curve(datetime.fromisoformat(day), 30, 1000)
    file = tmp_path / "r63.json"
    magnitude = {"grandeurMetier": "CONS", "grandeurPhysique": "PA", "unite": "W", "points": points}
    file.write_text(
        json.dumps({"header": {"codeFlux": "R63"}, "mesures": [{"idPrm": PRM, "grandeur": [magnitude]}]})
    )
    found = rows("r63", file)
    spans = [(datetime.fromisoformat(r.start or ""), datetime.fromisoformat(r.end or "")) for r in found]
    assert len(found) == count
    assert all(b - a == timedelta(minutes=30) for a, b in spans)
    assert [a for a, _ in spans[1:]] == [b for _, b in spans[:-1]]  # one after the other, none twice


@pytest.mark.parametrize(
    ("change", "place", "reason"),
    [
        (lambda d: d["mesures"][0].update(idPrm="9910363031853"), "/mesures/0/idPrm", "14"),
        (lambda d: first(d).update(v=-5), "/mesures/0/contexte/0/grandeur/0/calendrier/0/classeTemporelle/0/valeur/0/v", "négatif"),
        (lambda d: first(d).update(d="hier"), "/mesures/0/contexte/0/grandeur/0/calendrier/0/classeTemporelle/0/valeur/0/d", "date"),
        (lambda d: d["mesures"][1].update(idPrm=PRM) or d["mesures"][1]["contexte"][0]["grandeur"][0].update(unite="kWh"),
         "/mesures/1/contexte/0/grandeur/0/unite", "Deux unités"),
        (lambda d: d["mesures"][0].pop("idPrm"), "/mesures/0", "idPrm"),
        (lambda d: d["header"].update(codeFlux="R65"), "/header/codeFlux", "R65"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_placed(enedis: Path, tmp_path: Path, change, place: str, reason: str) -> None:
    document = json.loads((enedis / "r64.json").read_text("utf-8"))
    change(document)
    file = tmp_path / "r64.json"
    file.write_text(json.dumps(document))
    with pytest.raises(Problem) as refused:
        rows("r64", file)
    assert refused.value.place == place
    assert reason in refused.value.reason.fr and refused.value.mend.fr and refused.value.mend.en


def first(document: dict) -> dict:
    return document["mesures"][0]["contexte"][0]["grandeur"][0]["calendrier"][0]["classeTemporelle"][0][
        "valeur"
    ][0]


@pytest.mark.parametrize(
    ("flow", "file"),
    [("r64", "r64.json"), ("r151", "r151.xml"), ("c15", "c15_avec_releves.xml"), ("f12", "f12.xml")],
)
def test_a_flow_cut_anywhere_is_refused_with_its_line(
    enedis: Path, tmp_path: Path, flow: str, file: str
) -> None:
    whole = (enedis / file).read_bytes().rstrip()
    cut = tmp_path / file
    for share in (0.3, 0.6, 0.95, 1.0):
        cut.write_bytes(whole[: int(len(whole) * share) - 1])
        with pytest.raises(Problem) as refused:
            rows(flow, cut)
        assert refused.value.place.startswith("line ")
    for bad, path in ((b"", "line 1"), (whole.replace(b"99", b"9", 1), None)):
        cut.write_bytes(bad)
        with pytest.raises(Problem) as refused:
            rows(flow, cut)
        assert path in (None, refused.value.place)


def test_an_xml_with_entities_is_not_expanded(tmp_path: Path) -> None:
    file = tmp_path / "r151.xml"
    file.write_text(
        '<!DOCTYPE a [<!ENTITY p SYSTEM "file:///etc/hostname">]><R151><PRM><Id_PRM>&p;</Id_PRM></PRM></R151>'
    )
    with pytest.raises(Problem):
        rows("r151", file)


def r151_of(sample: bytes) -> bytes:
    """Return the real R151 with two more days, a highest power, a doubtful index and a second point."""
    before, rest = sample.split(b"<PRM>", 1)
    point = b"<PRM>" + rest.rpartition(b"</R151>")[0]
    begin, end = point.index(b"<Donnees_Releve>"), point.rindex(b"</PRM>")
    day = point[begin:end]
    power = b"<Puissance_Maximale><Valeur>3540</Valeur></Puissance_Maximale>\n</Donnees_Releve>"
    more = day.replace(b"2024-04-04", b"2024-04-05").replace(b"</Donnees_Releve>", power)
    doubtful = day.replace(b"2024-04-04", b"2024-04-06").replace(b"semblance>0<", b"semblance>1<", 2)
    whole = point[:end] + more + doubtful + point[end:]
    second = whole.replace(b"99740456235087", b"99740456235088").replace(b"5112502", b"5112503")
    return before + whole + second + b"</R151>\n"


def told_by(read: Callable[[Path], Iterator[Row]], path: Path) -> tuple[list[Row], str]:
    """Return the rows of a file, or the place and reason for which it is refused."""
    try:
        return list(read(path)), ""
    except Problem as problem:
        return [], f"{problem.place} {problem.reason.fr}"


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("r151") / "r151.xml"


def test_an_r151_read_as_bytes_is_what_its_tree_says(enedis: Path, scratch: Path) -> None:
    scratch.write_bytes(r151_of((enedis / "r151.xml").read_bytes()))
    fast = list(regular_rows(scratch, lambda said: _day(said, "")))
    assert (len(fast), {r.status for r in fast}, {r.value for r in fast if r.kind == "curve"}) == (
        32, {None, "iv=1"}, {3540},
    )  # fmt: skip
    assert fast == list(_strict_r151(scratch))


PIECES = (b"<", b">", b"&amp;", b"&x;", b" ", b"\n", b"-", b"x", b"7", b"\xff", b"\x00", b"\xc3\xa9", b"<!-- -->", b"<a/>", b"</PRM>", b"]]>",
          b"<Valeur>", b"<Valeur>1</Valeur>", b"<Id_PRM>", b"<En_Tete_Flux><Unite_Mesure_Index>kWh</Unite_Mesure_Index></En_Tete_Flux>")  # fmt: skip


@settings(max_examples=150)
@given(st.floats(0, 1), st.integers(0, 40), st.sampled_from((b"", *PIECES)))
def test_an_r151_that_is_not_regular_is_told_by_its_tree(
    enedis: Path, scratch: Path, share: float, lost: int, put: bytes
) -> None:
    whole = r151_of((enedis / "r151.xml").read_bytes())
    at = int(share * len(whole))
    scratch.write_bytes(whole[:at] + put + whole[at + lost :])
    assert told_by(read_r151, scratch) == told_by(_strict_r151, scratch)


def test_rows_are_written_as_one_array(enedis: Path) -> None:
    out = io.BytesIO()
    count = write_rows(iter(rows("r151", enedis / "r151.xml") * 9000), out)
    told = json.loads(out.getvalue())
    assert (count, len(told)) == (45000, 45000)
    assert list(told[0]) == [
        "prm",
        "kind",
        "grid",
        "start",
        "end",
        "value",
        "unit",
        "class",
        "nature",
        "status",
    ]
    empty = io.BytesIO()
    assert (write_rows(iter(()), empty), json.loads(empty.getvalue())) == (0, [])


def test_a_file_says_what_it_is(enedis: Path) -> None:
    files = {"r64.json": "r64", "r151.xml": "r151", "c15_avec_releves.xml": "c15", "f12.xml": "f12"}
    assert {name: recognised((enedis / name).read_bytes()) for name in files} == files
    others = (
        b"%PDF-1.7",
        b"<rsm:CrossIndustryInvoice>",
        b'{"pce": {"id_pce": "GI123456"}}',
        b'{"header": {"codeFlux": "R63A"}}',
        b'{"codeFlux": "X99"}',
        b"",
    )
    assert [recognised(data) for data in others] == ["facturx", "facturx", "adict", "r63", None, None]


def test_gas_is_energy_by_its_own_coefficient() -> None:
    one = {"pce": {"id_pce": "GI123456"}, "consommation": {"date_debut_consommation": "2026-01-01T06:00:00+01:00", "date_fin_consommation": "2026-01-02T06:00:00+01:00", "volume_brut": 10, "coeff_calcul": {"coeff_conversion": 11.2}, "statut_conso": "Provisoire"}}  # fmt: skip
    two = {"pce": {"id_pce": "01234567890123"}, "consommation": {"date_debut_consommation": "2026-01-01", "date_fin_consommation": "2026-02-01", "energie": 1520}}  # fmt: skip
    data = json.dumps(one).encode() + b"\n" + json.dumps(two).encode()
    assert [(r.prm, r.value, r.unit, r.nature) for r in read_adict(data)] == [
        ("GI123456", 112.0, "kWh", "estimé"), ("01234567890123", 1520, "kWh", "réel"),
    ]  # fmt: skip
    with pytest.raises(Problem) as refused:
        list(read_adict(json.dumps([{"pce": {"id_pce": "GI12"}}]).encode()))
    assert refused.value.place == "/0/pce/id_pce"
