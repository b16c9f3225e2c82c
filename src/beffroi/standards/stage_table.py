"""`stage-tsv`: a river gauge's stage record, as French hydrometry exchanges it.

Columns `Date` (Excel day number), `H (cm)`, `date` (DD/MM/YYYY HH:MM, civil time), and others that are left.
The stage is in centimetres above the gauge's zero: negative is normal, and equal times occur.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, BinaryIO

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.standards.civil_time import CivilClock, zone_of
from beffroi.standards.decimal_text import decimal_of
from beffroi.standards.istsos import unreadable_row
from beffroi.standards.reading import Reading, Reject, Row, Rows, Series, Station, reject_of
from beffroi.standards.text_table import open_table

__all__ = ["read"]

_EXCEL_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - civil time, as in the sheet
_STAGE = re.compile(r"H\s*\(\s*(cm|mm|m)\s*\)\Z", re.IGNORECASE)
_PERIOD = re.compile(r"[_ -]*(?:stage|hauteurs?)?(?:[_ -]*(?:19|20)\d\d)*\Z", re.IGNORECASE)


def _station(options: Mapping[str, Any]) -> Station:
    told = options.get("thing") or {}
    stem = str(options.get("stem") or "station")
    # a later export of the same gauge has other years in its name
    bare = _PERIOD.sub("", stem) or stem
    return Station(
        key=str(told.get("key") or f"stage/{bare}"),
        name=str(told.get("name") or bare.replace("_", " ").replace("-", " ").strip().title()),
        longitude=told.get("longitude"),
        latitude=told.get("latitude"),
    )


def _columns(header: list[str]) -> tuple[int, int | None, int | None, str]:
    stage = next((at for at, name in enumerate(header) if _STAGE.match(name)), None)
    written = next((at for at, name in enumerate(header) if name == "date"), None)
    excel = next((at for at, name in enumerate(header) if name == "Date"), None)
    if stage is None or (written is None and excel is None):
        raise Problem(
            Text("Ce n'est pas un relevé de hauteurs : il faut les colonnes « date » et « H (cm) ».",
                 "This is not a stage record: the columns 'date' and 'H (cm)' are needed."),
            Text("Pour un autre tableau, utilisez « csv » avec un fichier de correspondance.",
                 "For another table use 'csv' with a mapping file."),
            place="line 1",
        )  # fmt: skip
    match = _STAGE.match(header[stage])
    return stage, written, excel, match[1].lower() if match else "cm"


def _instant(clock: CivilClock, written: str, excel: str) -> int:
    if written or not excel:
        return clock.instant(written)
    days = decimal_of(excel).value
    assert days is not None
    try:
        moment = _EXCEL_EPOCH + timedelta(minutes=round(days * 1440))
    except OverflowError as error:
        raise Problem(
            Text("Le jour Excel est hors du calendrier.", "The Excel day is out of the calendar."),
            Text("Écrivez la date en JJ/MM/AAAA HH:MM.", "Write the time as DD/MM/YYYY HH:MM."),
        ) from error
    return clock.resolve(moment, excel)


def read(stream: BinaryIO, options: Mapping[str, Any]) -> Rows:
    """Yield the readings and rejects of a stage record. Options: `stem` (the file's name), `thing`, `zone`.

    Raises `Problem` when it is another kind of file.
    """
    table = open_table(stream)
    stage, written, excel, unit = _columns(table.header)
    station = _station(options)
    series = Series(f"{station.key}/stage", "stage", station, name="", unit=unit)
    clock = CivilClock(zone_of(str(options.get("zone") or "Europe/Paris")))
    for line, cells in table.rows():
        if cells is None:
            yield Reject(line, "", *unreadable_row())
            continue
        cells.extend([""] * (len(table.header) - len(cells)))
        yield _row(series, clock, line, _cell(cells, written), _cell(cells, excel), cells[stage])


def _cell(cells: list[str], at: int | None) -> str:
    return "" if at is None else cells[at].strip()


def _row(series: Series, clock: CivilClock, line: int, written: str, excel: str, value: str) -> Row:
    try:
        start = _instant(clock, written, excel)
    except Problem as problem:
        return reject_of(line, "date", problem)
    try:
        return Reading(series, start, decimal_of(value), time_text=written or excel, line=line)
    except Problem as problem:
        return reject_of(line, "H", problem)
