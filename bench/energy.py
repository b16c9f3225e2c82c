"""Energy: how fast flows are read, and how well baselines predict.

`python -m bench.energy [SHARED] [PYTHON]`: SHARED is the folder of real data (default: BEFFROI_SHARED); PYTHON an interpreter that has
opendsm 1.2.7 (with multimethod < 2), which then predicts the same year in the same run.
"""

import io
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np

from beffroi.services.energy.baseline.judging import judge, scores
from beffroi.services.energy.baseline.model import held_out
from beffroi.services.energy.baseline.table import read_calendar, read_use
from beffroi.services.energy.flows.reading import read_flow, write_rows

ORACLE = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np, pandas as pd
from opendsm import eemeter as em
def read(path):
    d = pd.read_csv(path, parse_dates=["date"])
    return pd.DataFrame({"observed": d.kwh.values, "temperature": d.temp_f.values}, index=d.date.dt.tz_localize("UTC"))
past, following = read(sys.argv[1]), read(sys.argv[2])
begin = time.process_time()
model = em.DailyModel().fit(em.DailyBaselineData(past, is_electricity_data=True), ignore_disqualification=True)
said = model.predict(em.DailyReportingData(following, is_electricity_data=True), ignore_disqualification=True)["predicted"]
was = following.observed.reindex(said.index)
print(json.dumps({"cvrmse": float(np.sqrt(((said - was) ** 2).mean()) / was.mean()), "cpu_s": time.process_time() - begin}))
"""


def a_million(folder: Path) -> Path:
    """Write an R64 of a million points."""
    begin, points = datetime(2023, 1, 1), 12_500  # noqa: DTZ001 -- civil time, as the flow writes it
    values = [{"d": str(begin + timedelta(minutes=30 * i)), "v": 1000 + i, "iv": 0} for i in range(points)]
    classes = [{"idClasseTemporelle": c, "valeur": values} for c in ("HPB", "HPH", "HCB", "HCH")]
    magnitude = {
        "grandeurMetier": "CONS",
        "grandeurPhysique": "EA",
        "unite": "Wh",
        "calendrier": [{"libelleGrille": "Distributeur", "classeTemporelle": classes}],
    }
    measures = [
        {"idPrm": str(99_740_456_000_000 + n), "contexte": [{"etapeMetier": "BRUT", "grandeur": [magnitude]}]}
        for n in range(20)
    ]
    path = folder / "r64.json"
    path.write_bytes(msgspec.json.encode({"header": {"codeFlux": "R64"}, "mesures": measures}))
    return path


def daily_indexes(folder: Path) -> Path:
    """Write an R151 of a million indexes: 2,000 points, a hundred days, five classes."""
    path = folder / "r151.xml"
    classes = "".join(
        f"<Classe_Temporelle_Distributeur><Id_Classe_Temporelle>{c}</Id_Classe_Temporelle><Libelle_Classe_Temporelle>Heures Creuses Saison Basse"
        f"</Libelle_Classe_Temporelle><Rang_Cadran>1</Rang_Cadran><Valeur>15670608</Valeur><Indice_Vraisemblance>0</Indice_Vraisemblance>"
        "</Classe_Temporelle_Distributeur>\n" for c in ("HCB", "HCH", "HPB", "HPH", "P")
    )  # fmt: skip
    with path.open("w", encoding="utf-8") as file:
        file.write("<?xml version='1.0' encoding='UTF-8'?>\n<R151><En_Tete_Flux><Identifiant_Flux>R151</Identifiant_Flux>"
                   "<Unite_Mesure_Index>Wh</Unite_Mesure_Index></En_Tete_Flux>\n")  # fmt: skip
        for n in range(2000):
            file.write(f"<PRM><Id_PRM>{99_740_456_000_000 + n}</Id_PRM>\n")
            for day in range(100):
                date = datetime(2024, 1, 1) + timedelta(day)  # noqa: DTZ001 -- civil
                file.write(f"<Donnees_Releve><Date_Releve>{date:%Y-%m-%d}</Date_Releve>\n<Id_Affaire>{n}</Id_Affaire>\n{classes}</Donnees_Releve>\n")  # fmt: skip
            file.write("</PRM>\n")
        file.write("</R151>\n")
    return path


def load_curve(folder: Path) -> Path:
    """Write an R63 of a million half-hours."""
    begin = datetime(2023, 1, 1)  # noqa: DTZ001 -- civil
    points = [
        {"d": str(begin + timedelta(minutes=30 * i)), "v": str(1000 + i), "p": "PT30M", "n": "R", "iv": 0}
        for i in range(1, 50_001)
    ]
    curve = {"grandeurMetier": "CONS", "grandeurPhysique": "PA", "unite": "W", "points": points}
    measures = [
        {"idPrm": str(99_740_456_000_000 + n), "etapeMetier": "BRUT", "grandeur": [curve]} for n in range(20)
    ]
    path = folder / "r63.json"
    path.write_bytes(msgspec.json.encode({"header": {"codeFlux": "R63"}, "mesures": measures}))
    return path


def tree(path: Path) -> None:
    """Walk an XML file as a tree, element by element, and do nothing with it: the floor of a reader of trees."""
    from lxml import etree  # noqa: PLC0415 -- an extra

    for _, element in etree.iterparse(str(path), tag="PRM"):
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]


def reading(folder: Path) -> None:
    floors = {
        "decoding that JSON": lambda p: msgspec.json.decode(p.read_bytes()),
        "walking that XML as a tree": tree,
    }
    for flow, make, floor in (("r64", a_million, "decoding that JSON"), ("r63", load_curve, "decoding that JSON"),
                              ("r151", daily_indexes, "walking that XML as a tree")):  # fmt: skip
        path = make(folder)
        begin = time.process_time()
        floors[floor](path)
        least = time.process_time() - begin
        begin = time.process_time()
        count = write_rows(read_flow(flow, path), io.BytesIO())
        spent = time.process_time() - begin
        path.unlink()
        print(
            f"{flow.upper()}, {count:,} values to JSON rows: {spent:.2f} CPU s, {spent / least:.1f} × the floor ({floor}, {least:.2f} s)"
        )


def predicting(data: Path, folder: Path, python: str) -> None:
    file = data / "building_daily_2012-03_2014-02.csv"
    use = read_use(file)
    first = np.arange(len(use)) < 365
    found = judge(use.only(first), use.only(~first))
    print(
        f"real building, year 1 -> 2: CVRMSE {found.cvrmse:.4f}, NMBE {found.nmbe:+.4f}, {found.cpu_s:.3f} CPU s"
    )
    print(f"two years, each four weeks left out in turn: CVRMSE {scores(use.kwh, held_out(use, 0.3))[0]:.4f}")
    # no third year is at hand: blind half-years of the second one, whose level is not known
    for begin in (455, 547, 638):
        days = np.arange(len(use))
        later = judge(use.only(days < begin), use.only((days >= begin) & (days < begin + 182)))
        print(
            f"{begin} days -> the half-year after, blind: CVRMSE {later.cvrmse:.4f}, NMBE {later.nmbe:+.4f}"
        )
    if python:
        lines = file.read_text().splitlines(keepends=True)
        halves = [folder / "one.csv", folder / "two.csv"]
        halves[0].write_text("".join(lines[:366]))
        halves[1].write_text("".join(lines[:1] + lines[366:]))
        told = subprocess.run(
            [python, "-c", ORACLE, *map(str, halves)], capture_output=True, text=True, check=True
        ).stdout
        other = json.loads(told.strip().splitlines()[-1])
        print(f"opendsm daily, same run: CVRMSE {other['cvrmse']:.4f}, {other['cpu_s']:.1f} CPU s")


def school(data: Path) -> None:
    use = read_use(data / "school_hourly_2018_gaps.csv.gz")
    for name, known in (("without", use), ("with", read_calendar(data / "school_calendar_2018.csv", use)[0])):
        weeks = np.arange(len(known)) // 168
        whole = [w for w in range(52) if np.isfinite(known.kwh[weeks == w]).sum() > 100]
        said, spent = np.full(len(known), np.nan), 0.0
        for fold in range(13):
            out = np.isin(weeks, whole[fold::13])
            judged = judge(
                msgspec.structs.replace(known, kwh=np.where(out, np.nan, known.kwh)), known.only(out)
            )
            said[out], spent = judged.predicted, spent + judged.cpu_s
        error = scores(np.where(np.isin(weeks, whole), known.kwh, np.nan), said)[0]
        print(
            f"school, whole weeks left out, {name} the calendar: CVRMSE {error:.4f}, {spent / 13:.3f} CPU s a model"
        )


def main() -> None:
    shared = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("BEFFROI_SHARED", "../shared"))
    data = shared / "data" / "networks" / "energy"
    with tempfile.TemporaryDirectory() as folder:
        reading(Path(folder))
        predicting(data, Path(folder), sys.argv[2] if len(sys.argv) > 2 else "")
    school(data)


if __name__ == "__main__":
    main()
