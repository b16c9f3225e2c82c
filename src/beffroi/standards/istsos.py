"""istSOS CSV: `time, procedure, property, property:qualityIndex, …` with URN headers.

Source: istSOS import format (headers `urn:ogc:def:parameter:x-istsos:1.0:…`), http://istsos.org.
"""

from collections.abc import Mapping
from typing import Any, BinaryIO

import msgspec

from beffroi.model.observation import Quality
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.standards.civil_time import CivilClock
from beffroi.standards.decimal_text import decimal_of
from beffroi.standards.reading import Reading, Reject, Row, Rows, Series, Station, reject_of
from beffroi.standards.text_table import open_table

__all__ = ["NEEDED", "read"]

_PREFIX = "urn:ogc:def:parameter:x-istsos:1.0:"
_TIME = _PREFIX + "time:iso8601"
_PROCEDURE = "urn:ogc:def:procedure"
_QUALITY = ":qualityIndex"
NEEDED = (_TIME, _PROCEDURE)  # columns


class _Column(msgspec.Struct, frozen=True):
    urn: str
    value: int
    quality: int | None


def _columns(header: list[str]) -> tuple[int, int, list[_Column]]:
    if _TIME not in header or _PROCEDURE not in header:
        raise Problem(
            Text("Ce n'est pas un fichier istSOS : l'en-tête n'a pas les URN attendues.",
                 "This is not an istSOS file: its header does not have the expected URNs."),
            Text("Pour un autre tableau, utilisez « csv » avec un fichier de correspondance ; "
                 "beffroi import --list donne les sortes de fichiers.",
                 "For another table use 'csv' with a mapping file; beffroi import --list names the kinds."),
            place="line 1",
        )  # fmt: skip
    values = [
        _Column(name, at, header.index(name + _QUALITY) if name + _QUALITY in header else None)
        for at, name in enumerate(header)
        if name not in (_TIME, _PROCEDURE) and not name.endswith(_QUALITY) and name
    ]
    return header.index(_TIME), header.index(_PROCEDURE), values


class _Reader:
    def __init__(self, header: list[str]) -> None:
        self.time, self.procedure, self.values = _columns(header)
        self.width = len(header)
        self.series: dict[tuple[str, str], tuple[Series, CivilClock]] = {}

    def row(self, line: int, cells: list[str]) -> list[Row]:
        if len(cells) != self.width:
            return [Reject(line, "", *_width(len(cells), self.width))]
        return [self.cell(line, cells, column) for column in self.values]

    def cell(self, line: int, cells: list[str], column: _Column) -> Row:
        series, clock = self.series_of(cells[self.procedure].strip(), column.urn)
        try:
            time_text = cells[self.time].strip()
            start = clock.instant(time_text)
        except Problem as problem:
            return reject_of(line, "time:iso8601", problem)
        try:
            result = decimal_of(cells[column.value])
        except Problem as problem:
            return reject_of(line, series.code, problem)
        index = cells[column.quality].strip() if column.quality is not None else ""
        # istSOS gives every value an index; 100 says only "raw", 0 says "wrong"
        quality = int(Quality.BAD) if index == "0" else None
        extra = None
        if index and index != "100":
            extra = msgspec.json.encode({"resultQuality": {"qualityIndex": index}}).decode()
        return Reading(series, start, result, time_text=time_text, line=line, quality=quality, extra=extra)

    def series_of(self, procedure: str, urn: str) -> tuple[Series, CivilClock]:
        known = self.series.get((procedure, urn))
        if known is None:
            station = Station(key=f"istsos/{procedure}", name=procedure)
            code = urn.removeprefix(_PREFIX)
            known = Series(f"istsos/{procedure}/{code}", code, station), CivilClock()
            self.series[procedure, urn] = known
        return known


def _width(found: int, wanted: int) -> tuple[Text, Text]:
    return (
        Text("La ligne a {found} cellules, l'en-tête {wanted}.", "The row has {found} cells, the header {wanted}.")
        .filled(found=found, wanted=wanted),
        Text("Complétez ou retirez la ligne.", "Complete or remove the row."),
    )  # fmt: skip


def unreadable_row() -> tuple[Text, Text]:
    """Return why a row that the table could not split is refused, and the mend."""
    return (
        Text(
            "La ligne n'est pas lisible (guillemets non fermés ?).", "The row cannot be read (open quotes?)."
        ),
        Text("Vérifiez les guillemets de cette ligne.", "Check the quotes of this row."),
    )


def read(stream: BinaryIO, options: Mapping[str, Any]) -> Rows:
    """Yield the readings and rejects of an istSOS CSV file. Raises `Problem` when it is another kind of file."""
    del options
    table = open_table(stream)
    reader = _Reader(table.header)
    for line, cells in table.rows():
        if cells is None:
            yield Reject(line, "", *unreadable_row())
        else:
            yield from reader.row(line, cells)
