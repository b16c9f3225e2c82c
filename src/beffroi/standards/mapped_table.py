"""`csv`: any table of measurements, read with the help of a mapping file (TOML or YAML).

    zone = "Europe/Paris"            # of times without offset
    [thing]                          # or column = "station" in a table of several stations
    key = "meteo-mairie"
    name = "Météo de la mairie"
    latitude = 47.65
    longitude = -2.08
    [time]
    column = "Date"                  # or columns = ["Date", "Heure"]; end = "Fin" for intervals
    [[series]]
    column = "Température"           # a column of values …
    code = "temperature"
    unit = "°C"
    # … or one value column with the property in another: property = "Paramètre", unit_column = "Unité"

Without a mapping the time column is found by its name and each other column with numbers is a series.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import tzinfo
from typing import Any, BinaryIO

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.result import Result, result_of
from beffroi.model.text import Text
from beffroi.standards.civil_time import CivilClock, zone_of
from beffroi.standards.decimal_text import decimal_of, is_missing, no_value
from beffroi.standards.istsos import unreadable_row
from beffroi.standards.reading import Reading, Reject, Row, Rows, Series, Station, reject_of
from beffroi.standards.text_table import open_table

__all__ = [
    "TIME_NAMES",
    "Mapped",
    "SeriesPart",
    "ThingPart",
    "TimePart",
    "mapping_of",
    "read",
    "readings",
    "series_part",
]


class ThingPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The thing that measures: named once, or by columns."""

    key: str = ""
    name: str = ""
    description: str = ""
    latitude: float | None = None
    longitude: float | None = None
    column: str = ""
    name_column: str = ""
    latitude_column: str = ""
    longitude_column: str = ""
    within: str = ""  # the commune whose things these are: two communes may each have a station of that name


class TimePart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The time: one column or several put together, and the end of an interval."""

    column: str = ""
    columns: tuple[str, ...] = ()
    end: str = ""


class SeriesPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One column of values."""

    column: str
    code: str = ""
    name: str = ""
    unit: str = ""
    property: str = ""
    unit_column: str = ""
    kind: str = "number"  # or "text"


class Mapped(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mapping file (see the module)."""

    kind: str = "csv"
    encoding: str = ""
    delimiter: str = ""
    skip: int = 0
    zone: str = "Europe/Paris"
    thing: ThingPart = ThingPart()
    time: TimePart = TimePart()
    series: tuple[SeriesPart, ...] = ()
    fields: dict[str, str] = {}  # of `opendatasoft` and `geojson`
    dataset: str = ""
    collection: str = ""


TIME_NAMES = re.compile(
    r"(date|datetime|time|timestamp|horodat\w*|date[ _-]*(et)?[ _-]*heure|date[ _-]?time|phenomenontime|heure|"
    r"date[ _-](de[ _-])?(d[ée]but|mesure)|(relev|mesur)[ée]e?[ _-]le|d[ée]but|start\w*)(\s*\(.*\))?\Z",
    re.IGNORECASE,
)
_UNIT = re.compile(r"(.*?)\s*[\[(]\s*([^\])]{1,16})\s*[\])]\s*\Z")


def mapping_of(values: Mapping[str, Any]) -> Mapped:
    """Return the mapping that a mapping file holds. Raises `Problem` naming the key that is wrong."""
    try:
        return msgspec.convert(dict(values), Mapped)
    except msgspec.ValidationError as error:
        detail = str(error).replace("{", "(").replace("}", ")")
        raise Problem(
            Text("La correspondance n'est pas comprise : {detail}", "The mapping is not understood: {detail}")
            .filled(detail=detail),
            Text("Les clés sont zone, thing, time, series (voir la documentation des imports).",
                 "The keys are zone, thing, time, series (see the documentation of imports)."),
            place="mapping",
        ) from error  # fmt: skip


def _guessed(header: list[str], mapping: Mapped) -> Mapped:
    """Return the mapping completed from the header: the time column, and a series for each other column."""
    time = mapping.time
    if not time.column and not time.columns:
        found = next((name for name in header if TIME_NAMES.match(name)), "")
        if not found:
            raise Problem(
                Text("Aucune colonne de date n'est reconnue.", "No time column is recognised."),
                Text('Donnez un fichier de correspondance : --mapping F, avec [time] column = "…".',
                     'Give a mapping file: --mapping F, with [time] column = "…".'),
                place="line 1",
            )  # fmt: skip
        time = msgspec.structs.replace(time, column=found)
    if mapping.series:
        return msgspec.structs.replace(mapping, time=time)
    thing = mapping.thing
    taken = {time.column, time.end, *time.columns, thing.column, thing.name_column, thing.latitude_column,
             thing.longitude_column, ""}  # fmt: skip
    series = tuple(series_part(name) for name in header if name not in taken)
    return msgspec.structs.replace(mapping, time=time, series=series)


def series_part(name: str) -> SeriesPart:
    """Return the series that a column's name tells: `Température (°C)` gives name and unit."""
    match = _UNIT.match(name)
    return SeriesPart(name, code=match[1], unit=match[2]) if match else SeriesPart(name, code=name)


class _Reader:
    def __init__(self, header: list[str], mapping: Mapped, stem: str) -> None:
        self.mapping = _guessed(header, mapping)
        self.zone: tzinfo = zone_of(mapping.zone)
        self.stem = stem
        self.at = {name: place for place, name in reversed(list(enumerate(header)))}
        self.known: dict[tuple[str, str, str], Series] = {}
        self.clocks: dict[str, CivilClock] = {}
        self._check()

    def _check(self) -> None:
        time, thing = self.mapping.time, self.mapping.thing
        named = [time.column, *time.columns, time.end, thing.column, thing.name_column, thing.latitude_column,
                 thing.longitude_column]  # fmt: skip
        for part in self.mapping.series:
            named += [part.column, part.property, part.unit_column]
        missing = sorted({name for name in named if name and name not in self.at})
        if missing or not self.mapping.series:
            shown = [", ".join(names).replace("{", "(").replace("}", ")") for names in (missing, self.at)]
            raise Problem(
                Text("Le tableau n'a pas la colonne {missing}.", "The table has no column {missing}.")
                .filled(missing=shown[0] or "de valeurs / of values"),
                Text("Ses colonnes sont : {columns}.", "Its columns are: {columns}.").filled(columns=shown[1]),
                place="line 1",
            )  # fmt: skip

    def cell(self, cells: list[str], name: str) -> str:
        place = self.at.get(name)
        return cells[place].strip() if place is not None and place < len(cells) else ""

    def rows(self, line: int, cells: list[str]) -> Iterator[Row]:
        station = self.station(cells)
        # the order that tells the repeated hour apart is the order of one series
        property_column = self.mapping.series[0].property
        own = f"{station.key}/{self.cell(cells, property_column)}" if property_column else station.key
        clock = self.clocks.setdefault(own, CivilClock(self.zone))
        time = self.mapping.time
        columns = time.columns or (time.column,)
        written = " ".join(text for text in (self.cell(cells, name) for name in columns) if text)
        place = columns[0]
        try:
            start = clock.instant(written)
            end_text = self.cell(cells, time.end) if time.end else ""
            place = time.end
            end = clock.end_after(end_text, start) if end_text else None
        except Problem as problem:
            yield from (reject_of(line, place, problem) for _ in self.mapping.series)
            return
        whole = f"{written}/{end_text}" if end_text else written
        blank = Reading(_NONE, start, Result(), end, whole, line)
        for part in self.mapping.series:
            yield self.reading(line, cells, part, station, blank)

    def reading(self, line: int, cells: list[str], part: SeriesPart, station: Station, blank: Reading) -> Row:
        try:
            result = _value(self.cell(cells, part.column), part.kind)
        except Problem as problem:
            return reject_of(line, part.column, problem)
        return msgspec.structs.replace(blank, series=self.series_of(cells, part, station), result=result)

    def series_of(self, cells: list[str], part: SeriesPart, station: Station) -> Series:
        code = (self.cell(cells, part.property) if part.property else "") or part.code or part.column
        unit = (self.cell(cells, part.unit_column) if part.unit_column else "") or part.unit
        known = self.known.get((station.key, code, part.column))
        if known is None:
            known = Series(f"{station.key}/{code}", code, station, name=part.name, unit=unit)
            self.known[station.key, code, part.column] = known
        return known

    def station(self, cells: list[str]) -> Station:
        thing = self.mapping.thing
        own = self.cell(cells, thing.column) if thing.column else ""
        key = own or thing.key or self.stem
        name = (self.cell(cells, thing.name_column) if thing.name_column else "") or own or thing.name or key
        return Station(
            f"csv/{thing.within}/{key}" if thing.within else f"csv/{key}", name, thing.description,
            longitude=self.degrees(cells, thing.longitude_column, thing.longitude, 180),
            latitude=self.degrees(cells, thing.latitude_column, thing.latitude, 90),
        )  # fmt: skip

    def degrees(self, cells: list[str], column: str, told: float | None, most: float) -> float | None:
        if not column:
            return told
        try:
            value = decimal_of(self.cell(cells, column)).value
        except Problem:
            return None
        return value if value is not None and abs(value) <= most else None


_NONE = Series("", "", Station("", ""))


def _value(text: str, kind: str) -> Result:
    if kind != "text":
        return decimal_of(text)
    if is_missing(text):
        raise no_value()
    return result_of(text)


def read(stream: BinaryIO, options: Mapping[str, Any]) -> Rows:
    """Yield the readings and rejects of a table. Options: the keys of a mapping file, and `stem`.

    Each cell of a column of values is one reading or one reject. Raises
    `Problem` when the table and the mapping do not fit.
    """
    values = dict(options)
    stem = str(values.pop("stem", "") or "table")
    mapping = mapping_of(values)
    table = open_table(stream, encoding=mapping.encoding, delimiter=mapping.delimiter, skip=mapping.skip)
    return readings(table.header, table.rows(), mapping, stem)


def readings(
    header: list[str], rows: Iterable[tuple[int, list[str] | None]], mapping: Mapped, stem: str
) -> Rows:
    """Yield the readings and rejects of numbered rows of cells under a header (None: a row that cannot be read)."""
    reader = _Reader(header, mapping, stem)
    for line, cells in rows:
        if cells is None:
            yield Reject(line, "", *unreadable_row())
        else:
            yield from reader.rows(line, cells)
