"""Car parks in and out in the national schema « stationnement » 0.1.5 (schema.data.gouv.fr, 2 March 2022)."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from beffroi.model.collection import Collection, Field
from beffroi.model.declaration import KindOfImport
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.works.collections import COLLECTIONS
from beffroi.standards.text_table import open_table
from beffroi.store.record import Entry, Reject
from beffroi.town import Town

__all__ = ["IMPORTS", "VERSION", "read_car_parks", "write_car_parks"]

VERSION = "0.1.5"
CAR_PARK: Collection = next(c for c in COLLECTIONS if c.name == "car_park")
_BEFORE_PLACE = "num_siret"  # the schema has longitude and latitude after it


def _columns() -> list[str]:
    names: list[str] = []
    for field in CAR_PARK.fields:
        names.append("id" if field.name == "code" else field.name)
        if field.name == _BEFORE_PLACE:
            names += ["Xlong", "Ylat"]
    return names


def read_car_parks(path: Path, options: Mapping[str, Any]) -> Iterator[Entry | Reject]:
    """Yield the rows of a file of the schema."""
    with path.open("rb") as stream:
        table = open_table(stream)
        missing = [
            f.name
            for f in CAR_PARK.fields
            if f.required and ("id" if f.name == "code" else f.name) not in table.header
        ]
        if missing:
            raise Problem(
                Text(f"La colonne « {missing[0]} » manque.", f"The column '{missing[0]}' is missing."),
                Text("Suivez le schéma stationnement 0.1.5.", "Follow the schema stationnement 0.1.5."), "line 1",
            )  # fmt: skip
        for line, cells in table.rows():
            place = f"line {line}"
            if cells is None:
                yield Reject(
                    place,
                    "",
                    Text("La ligne n'est pas lisible.", "The line cannot be read."),
                    Text("Vérifiez les guillemets.", "Check the quotes."),
                )
                continue
            yield _row(
                dict(zip(table.header, cells, strict=False)),
                place,
                str(options.get("territory") or "") or None,
            )


def _row(row: Mapping[str, str], place: str, territory: str | None) -> Entry | Reject:
    values: dict[str, Any] = {}
    for field in CAR_PARK.fields:
        text = row.get("id" if field.name == "code" else field.name, "").strip()
        if not text:
            continue
        try:
            values[field.name] = _value(field, text)
        except ValueError:
            return Reject(place, field.name, Text(f"« {text[:40]} » n'est pas permis.", f"'{text[:40]}' is not allowed."),
                          Text("Suivez le schéma.", "Follow the schema."))  # fmt: skip
    try:
        point = {"type": "Point", "coordinates": [float(row["Xlong"]), float(row["Ylat"])]}
    except (KeyError, ValueError):
        return Reject(
            place,
            "Xlong",
            Text("Xlong et Ylat sont des degrés.", "Xlong and Ylat are degrees."),
            Text("Écrivez-les avec un point.", "Write them with a point."),
        )
    return Entry(values, point, territory or values.get("insee"), place)


def _value(field: Field, text: str) -> Any:
    if field.kind == "boolean":
        return (
            {"true": True, "false": False}[text.lower()]
            if text.lower() in ("true", "false")
            else _raise(text)
        )
    if field.kind == "integer":
        return int(text)
    return float(text) if field.kind == "number" else text


def _raise(text: str) -> Any:
    raise ValueError(text)


def write_car_parks(town: Town, target: Path) -> tuple[int, int]:
    """Write the car parks as the schema has them; return how many, and how many were left out for want of a place."""
    written = left = 0
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        columns = _columns()
        writer.writerow(columns)
        for row in town.store.records.all("car_park"):
            if row.geometry is None:
                left += 1
                continue
            longitude, latitude = row.geometry["coordinates"][:2]
            given = {**row.values, "id": row.values["code"], "Xlong": longitude, "Ylat": latitude}
            writer.writerow([_cell(given[name]) for name in columns])
            written += 1
    return written, left


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


IMPORTS = (
    KindOfImport("car-parks", Text("Parcs de stationnement (schéma national, CSV)", "Car parks (national schema, CSV)"), read_car_parks, (".csv",), ("car_park",)),
)  # fmt: skip
