"""Papers: what an experiment leaves behind in open formats: its registration, its data, its figures in the national schema."""

import csv
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from beffroi.evaluation.experiments.collections import EXPERIMENT
from beffroi.evaluation.experiments.observed import instant
from beffroi.evaluation.experiments.registration import canonical
from beffroi.evaluation.impact.finding import NOT_EVALUABLE, Finding
from beffroi.evaluation.impact.publication import Indicator, impact_csv
from beffroi.model.instant import format_instant
from beffroi.model.text import Text
from beffroi.model.value import say_field
from beffroi.store.open import Store
from beffroi.store.tables import datastream

__all__ = ["data_file", "impact_rows"]

_README = Text(
    "{title}\n\n{question}\n\n"
    "inscription.json : ce qui a été promis, SHA-256 {sha256}\n"
    "impact.csv : schéma national « impact d'un service public numérique »\n"
    "etude.json (en anglais study.json) : l'étude, ses contrôles et son verdict\n"
    "series/ : les mesures brutes, une série par fichier, temps en UTC\nLicence Ouverte 2.0\n",
    "{title}\n\n{question}\n\n"
    "inscription.json: what was promised, SHA-256 {sha256}\n"
    "impact.csv: French national schema of the impact of a digital public service\n"
    "study.json (in French etude.json): the study, its checks and its verdict\n"
    "series/: the raw measurements, one series a file, times in UTC\nLicence Ouverte 2.0\n",
)
_EPOCH = (1980, 1, 1, 0, 0, 0)
_FREQUENCIES = {"day": "quotidienne", "week": "hebdomadaire", "month": "mensuelle"}


def impact_rows(
    values: Mapping[str, Any], finding: Finding | None, town: str, insee: str | None
) -> list[Indicator]:
    """Return an experiment's lines for the national schema: the target, and what the study found once it is over."""
    frequency = _FREQUENCIES[values["step"]]
    about = f"Expérimentation « {values['title']} », inscrite avant son début (SHA-256 {values['registration_sha256'] or '–'})."
    if finding is not None:
        about += f" Verdict : {finding.verdict}."
    rows = [
        Indicator(
            town, values["title"], f"Effet attendu sur : {values['indicator']}", float(values["expected_percent"]), "%", True,
            frequency, values["ends_on"], True, values["starts_on"], True, "capteurs et compteurs de la ville", insee, "linechart", about,
        )
    ]  # fmt: skip
    if finding is None or finding.estimate is None or finding.verdict == NOT_EVALUABLE:
        return rows  # what cannot be judged is no measured effect
    sure = ""
    if finding.interval95 is not None:
        low, high = finding.interval95
        sure += f" Intervalle à 95 % : {low:.4g} à {high:.4g} {values['unit']}."
    if finding.mde is not None:
        sure += f" Effet décelable : {finding.mde:.4g} {values['unit']}."
    measured = [(f"Effet mesuré sur : {values['indicator']}", finding.estimate, values["unit"])]
    if finding.relative is not None:
        share = (f"Effet mesuré, relatif, sur : {values['indicator']}", 100 * finding.relative, "%")
        measured.append(share)
    rows += [
        Indicator(
            town, values["title"], name, value, unit, False, frequency, values["ends_on"], True, values["starts_on"], True,
            "capteurs et compteurs de la ville", insee, "linechart", f"{about} {sure}",
        )
        for name, value, unit in measured
    ]  # fmt: skip
    return rows


def data_file(
    store: Store, values: Mapping[str, Any], finding: Finding | None, town: str, insee: str | None
) -> bytes:
    """Return everything of an experiment as a ZIP of open files; the same experiment gives the same bytes."""
    files = {
        "inscription.json": canonical(values["registration"] or {}),
        "impact.csv": impact_csv(impact_rows(values, finding, town, insee)).encode(),
        "LISEZMOI.txt": _readme(values, "fr"),
        "README.txt": _readme(values, "en"),
    }
    if finding is not None:
        files["etude.json"] = json.dumps(finding.report("fr"), ensure_ascii=False, indent=1).encode()
        files["study.json"] = json.dumps(finding.report("en"), ensure_ascii=False, indent=1).encode()
    low, high = instant(values["first_day"]), instant(values["ends_on"])
    ids = list(
        dict.fromkeys(
            [
                *values["treated"],
                *(values["controls"] or ()),
                *(values["covariates"] or ()),
                *(values["intake"] or ()),
            ]
        )
    )
    for series, (name, unit) in _described(store, ids).items():
        files[f"series/{series}.csv"] = _series(store, series, name, unit, low, high)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(path, _EPOCH), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _readme(values: Mapping[str, Any], language: str) -> bytes:
    title, question = (say_field(EXPERIMENT, values, name, language) for name in ("title", "question"))
    return _README.of(language, title=title, question=question, sha256=values["registration_sha256"]).encode()


def _described(store: Store, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
    columns = select(datastream.c.id, datastream.c.name, datastream.c.unit_symbol)
    with store.read() as c:
        rows = c.execute(columns.where(datastream.c.id.in_(ids)).order_by(datastream.c.id))
        return {row[0]: (row[1], row[2] or "") for row in rows}


def _series(store: Store, series: int, name: str, unit: str, low: int, high: int) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["serie", "unite", "debut", "fin", "valeur", "qualite"])
    for one in store.observations.series(series, low, high):
        end = "" if one.end_us is None else format_instant(one.end_us)
        writer.writerow([name, unit, format_instant(one.start_us), end, one.result.json(), one.quality])
    return text.getvalue().encode()
