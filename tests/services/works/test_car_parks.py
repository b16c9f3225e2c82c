"""Car parks: the schema's own valid file in and out again, its invalid one refused by field."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.services.works.test_works import COMMUNE, town

from beffroi.intake.kinds import kind_called
from beffroi.intake.records import import_records
from beffroi.model.principal import SYSTEM
from beffroi.services.works.car_parks import IMPORTS, write_car_parks
from beffroi.town import Town

__all__ = ["town"]
FOLDER = "data/value/scdl"


def faults(schema: dict[str, Any], rows: list[dict[str, str]]) -> list[str]:
    """Return what a table has wrong by the constraints of its Table Schema."""
    found = []
    for n, row in enumerate(rows):
        for field in schema["fields"]:
            text, rules = row[field["name"]], field.get("constraints", {})
            if not text:
                found += [f"{n} {field['name']}"] if rules.get("required") else []
                continue
            good = {"integer": r"-?\d+", "number": r"-?\d+(\.\d+)?", "boolean": "true|false"}.get(
                field["type"], r"(?s).*"
            )
            if (
                not re.fullmatch(good, text)
                or not re.fullmatch(rules.get("pattern", r"(?s).*"), text)
                or text not in rules.get("enum", [text])
            ):
                found.append(f"{n} {field['name']}")
    return found


def taken(held: Town, path: Path) -> Any:
    """Import a file of car parks."""
    return import_records(
        held.store, kind_called("car-parks", IMPORTS), [path], {"territory": COMMUNE}, SYSTEM
    )


@pytest.mark.shared
def test_the_valid_file_comes_out_as_it_went_in(town: Town, shared: Path, tmp_path: Path) -> None:
    source = shared / FOLDER / "schema-stationnement-exemple-valide.csv"
    with source.open(newline="", encoding="utf-8") as file:
        given = list(csv.DictReader(file))
    report = taken(town, source)
    assert (report.read, report.stored, report.rejected) == (len(given), len(given), 0)
    target = tmp_path / "parcs.csv"
    assert write_car_parks(town, target) == (len(given), 0)
    with target.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    schema = json.loads((shared / FOLDER / "schema-stationnement.schema.json").read_text("utf-8"))
    assert reader.fieldnames == [f["name"] for f in schema["fields"]]
    assert faults(schema, rows) == []
    assert rows == given


@pytest.mark.shared
def test_the_invalid_file_is_refused(town: Town, shared: Path) -> None:
    report = taken(town, shared / FOLDER / "schema-stationnement-exemple-invalide.csv")
    assert report.stored == 0
    assert {r.field for r in report.rejects} & {"code", "tarif_pmr"}
