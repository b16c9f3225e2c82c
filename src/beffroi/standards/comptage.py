"""`comptage`: counts of bicycles, pedestrians and vehicles in the national exchange schema.

Source: etalab/schema-comptage-mobilites-measure 0.2.0 (transport.data.gouv.fr). `start_datetime` is
inclusive, `end_datetime` exclusive; an empty `count` means that nothing was counted, which is not zero.
"""

from collections.abc import Mapping
from typing import Any, BinaryIO

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.standards.civil_time import CivilClock
from beffroi.standards.decimal_text import decimal_of
from beffroi.standards.istsos import unreadable_row
from beffroi.standards.reading import Reading, Reject, Row, Rows, Series, Station, reject_of
from beffroi.standards.text_table import open_table

__all__ = ["NEEDED", "read"]

NEEDED = ("channel_id", "counter_id", "start_datetime", "end_datetime", "count")
_EMPTY = Text(
    "Le comptage est vide : rien n'a été compté sur ce créneau.",
    "The count is empty: nothing was counted in this slot.",
)
_EMPTY_MEND = Text(
    "Rien à corriger si le compteur était en panne ; écrivez 0 s'il n'est passé personne.",
    "Nothing to mend when the counter was down; write 0 when nobody passed.",
)


def read(stream: BinaryIO, options: Mapping[str, Any]) -> Rows:
    """Yield the readings and rejects of a counts file. Raises `Problem` when it is another kind of file."""
    del options
    table = open_table(stream)
    missing = [name for name in NEEDED if name not in table.header]
    if missing:
        raise Problem(
            Text("Ce n'est pas un fichier de comptage : il manque {names}.",
                 "This is not a counts file: {names} missing.").filled(names=", ".join(missing)),
            Text("Les colonnes du schéma national sont {names}.",
                 "The columns of the national schema are {names}.").filled(names=", ".join(NEEDED)),
            place="line 1",
        )  # fmt: skip
    at = {name: table.header.index(name) for name in NEEDED}
    known: dict[str, tuple[Series, CivilClock]] = {}
    for line, cells in table.rows():
        if cells is None:
            yield Reject(line, "", *unreadable_row())
            continue
        cells.extend([""] * (len(table.header) - len(cells)))
        yield _row(line, {name: cells[index].strip() for name, index in at.items()}, known)


def _row(line: int, row: dict[str, str], known: dict[str, tuple[Series, CivilClock]]) -> Row:
    channel = row["channel_id"]
    if not channel:
        return Reject(
            line, "channel_id",
            Text("Le canal n'a pas d'identifiant.", "The channel has no identifier."),
            Text("Complétez channel_id.", "Fill in channel_id."),
        )  # fmt: skip
    if channel not in known:
        known[channel] = _series(channel, row["counter_id"]), CivilClock()
    series, clock = known[channel]
    try:
        start = clock.instant(row["start_datetime"])
    except Problem as problem:
        return reject_of(line, "start_datetime", problem)
    try:
        end = clock.end_after(row["end_datetime"], start) if row["end_datetime"] else None
    except Problem as problem:
        return reject_of(line, "end_datetime", problem)
    if not row["count"]:
        return Reject(line, "count", _EMPTY, _EMPTY_MEND)
    try:
        result = decimal_of(row["count"])
    except Problem as problem:
        return reject_of(line, "count", problem)
    written = f"{row['start_datetime']}/{row['end_datetime']}"
    return Reading(series, start, result, end_us=end, time_text=written, line=line)


def _series(channel: str, counter: str) -> Series:
    station = Station(f"comptage/{channel}", channel, properties=(("counter_id", counter),))
    return Series(f"comptage/{channel}/count", "count", station, method=counter)
