"""A table of a national schema, in and out: each column is a field of a collection, under the schema's own name."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from beffroi.model.collection import Collection, Field
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.standards.text_table import open_table
from beffroi.store.record import Entry, Query, Reject, Row
from beffroi.town import Town

__all__ = ["National", "cell", "two_columns"]

Point = tuple[float, float]
_BOOLEANS = {
    "true": True,
    "false": False,
    "1": True,
    "0": False,
}  # Table Schema's own words, whatever their case


class Place(msgspec.Struct, frozen=True):
    """How a schema writes a place: after which column, in which ones, read and written how (degrees, longitude first)."""

    after: str
    columns: tuple[str, ...]
    read: Callable[[Mapping[str, str]], Point]
    write: Callable[[Point], tuple[str, ...]]


class National(msgspec.Struct, frozen=True):
    """A schema: its name and version, the collection that holds it, which field is which column, how a place is written.

    `key`: what the key field is, when it is not a column of its own; `required`: columns that a row must fill.
    """

    name: str
    version: str
    collection: Collection
    place: Place
    required: frozenset[str]
    renamed: Mapping[str, str] = {}
    key: Callable[[Mapping[str, str]], str] | None = None

    @property
    def fields(self) -> list[tuple[str, Field]]:
        """The columns that are fields, in the schema's order."""
        return [
            (self.renamed.get(f.name, f.name), f)
            for f in self.collection.fields
            if not (f.key and self.key is not None)
        ]

    @property
    def columns(self) -> list[str]:
        """All columns, in the schema's order."""
        names: list[str] = []
        for column, _ in self.fields:
            names.append(column)
            if column == self.place.after:
                names += self.place.columns
        return names

    def read(self, path: Path, options: Mapping[str, Any]) -> Iterator[Entry | Reject]:
        """Yield the rows of a file. Raises `Problem` when a column is missing that rows must fill."""
        with path.open("rb") as stream:
            table = open_table(stream)
            header = [name.strip() for name in table.header]
            missing = [c for c in self.columns if c in self.required and c not in header]
            if missing:
                raise Problem(
                    Text(f"La colonne « {missing[0]} » manque.", f"The column '{missing[0]}' is missing."),
                    Text(f"Suivez le {self.name} {self.version}.", f"Follow the {self.name} {self.version}."), "line 1",
                )  # fmt: skip
            territory = str(options.get("territory") or "") or None
            for line, cells in table.rows():
                place = f"line {line}"
                if cells is None:
                    yield Reject(place, "", Text("La ligne n'est pas lisible.", "The line cannot be read."), Text("Vérifiez les guillemets.", "Check the quotes."))  # fmt: skip
                else:
                    yield self._row(
                        dict(zip(header, (c.strip() for c in cells), strict=False)), place, territory
                    )

    def _row(self, row: Mapping[str, str], place: str, territory: str | None) -> Entry | Reject:
        values: dict[str, Any] = {}
        for column, field in self.fields:
            text = row.get(column, "")
            if not text and column in self.required:
                return Reject(place, column, Text("La valeur manque.", "The value is missing."), Text("Le schéma la demande.", "The schema asks for it."))  # fmt: skip
            try:
                if text:
                    values[field.name] = _value(field, text)
            except (ValueError, KeyError):
                return Reject(place, column, Text(f"« {text[:40]} » n'est pas permis.", f"'{text[:40]}' is not allowed."), _mend(field))  # fmt: skip
        if self.key is not None:
            key = self.key(row)
            if not key:
                return Reject(place, self.columns[0], Text("La ligne n'a pas d'identifiant.", "The row has no identifier."), Text("Donnez-en un, d'itinérance ou local.", "Give one, for roaming or local."))  # fmt: skip
            values[next(f.name for f in self.collection.fields if f.key)] = key
        try:
            longitude, latitude = self.place.read(row)
            if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
                raise ValueError
        except (KeyError, ValueError, TypeError):
            return Reject(place, self.place.columns[0], Text("Le lieu n'est pas compris.", "The place is not understood."),
                          Text("Des degrés, longitude puis latitude, avec un point.", "Degrees, longitude then latitude, with a point."))  # fmt: skip
        point = {"type": "Point", "coordinates": [longitude, latitude]}
        insee = values.get("insee") or values.get("code_insee_commune")
        return Entry(values, point, territory or insee, place)

    def write(self, town: Town, territories: tuple[str, ...] | None = None) -> tuple[str, int, int]:
        """Return the records as the schema has them, how many, and how many were left out for want of a place."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow(self.columns)
        written = left = 0
        for row in town.store.records.all(self.collection.name, Query(territories=territories)):
            if row.geometry is None:
                left += 1
                continue
            writer.writerow(self._cells(row))
            written += 1
        return out.getvalue(), written, left

    def _cells(self, row: Row) -> Sequence[str]:
        assert row.geometry is not None
        longitude, latitude = row.geometry["coordinates"][:2]
        cells: list[str] = []
        for column, field in self.fields:
            cells.append(cell(row.values[field.name]))
            if column == self.place.after:
                cells += self.place.write((longitude, latitude))
        return cells


def two_columns(after: str, x: str, y: str) -> Place:
    """Return a place in two columns."""
    return Place(
        after, (x, y), lambda row: (float(row[x]), float(row[y])), lambda p: (cell(p[0]), cell(p[1]))
    )


def one_column(after: str, name: str) -> Place:
    """Return a place in one column, as a JSON array."""

    def read(row: Mapping[str, str]) -> Point:
        x, y = json.loads(row[name])
        return float(x), float(y)

    return Place(after, (name,), read, lambda p: (f"[{cell(float(p[0]))},{cell(float(p[1]))}]",))


def _value(field: Field, text: str) -> Any:
    if field.kind == "boolean":
        return _BOOLEANS[text.lower()]
    if field.kind == "integer":
        return int(text)
    if field.kind == "date":
        return date.fromisoformat(text)
    return float(text) if field.kind == "number" else text


def _mend(field: Field) -> Text:
    words = {
        "boolean": ("true ou false.", "true or false."), "integer": ("Un nombre entier.", "A whole number."),
        "number": ("Un nombre, avec un point.", "A number, with a point."), "date": ("Un jour, comme 2026-06-01.", "A day, such as 2026-06-01."),
    }  # fmt: skip
    return Text(*words.get(field.kind, ("Suivez le schéma.", "Follow the schema.")))


def cell(value: object) -> str:
    """Return a value as Table Schema writes it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return value.isoformat()
    return f"{value:.10g}" if isinstance(value, float) else str(value)
