"""Read an hourly series: date, P (rain, mm), E (potential evapotranspiration, mm), Qls (discharge, L/s), Qmm (the same, mm).

Hours that are missing, or whose values are, make holes that are flagged; what cannot be understood is refused with its line.
"""

import csv
import io
import math
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.water.forecast.features import Past

__all__ = ["HourlySeries", "SeriesFlag", "read_hourly"]

Array = NDArray[np.float64]
_NEEDED = ("date", "P", "E", "Qls")
_UNKNOWN = ("", "na", "nan", "null", "-")
_BRIDGE_H = (
    3  # hours of missing discharge that are bridged by a straight line, for the sake of what comes after
)
_HOUR_S = 3600


class SeriesFlag(msgspec.Struct, frozen=True):
    """What is doubtful: `no_rain`, `no_evaporation`, `no_discharge`, `gap`, `unordered`; the first line, how many hours."""

    flag: str
    line: int
    hours: int


class HourlySeries(msgspec.Struct, frozen=True):
    """Hours on end from `start` (seconds UTC); NaN where unknown. Discharge in m³/s, that of stations upstream too."""

    start: int
    rain: Array
    evaporation: Array
    discharge: Array
    m3s_per_mm: float | None
    flags: tuple[SeriesFlag, ...] = ()
    upstream: tuple[Array, ...] = ()

    @property
    def times(self) -> NDArray[np.int64]:
        """The instant of each hour, in seconds."""
        return self.start + _HOUR_S * np.arange(len(self.rain))

    def parts(self) -> list[tuple[int, Past]]:
        """Return the stretches without a hole, upstream neither: where each begins, and its hours."""
        discharge = _bridged(self.discharge)
        upstream = [_bridged(one) for one in self.upstream]
        known = np.isfinite(np.stack([discharge, *upstream])).all(axis=0)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]])))
        found = []
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            past = Past(
                np.nan_to_num(self.rain[begin:end]),
                np.nan_to_num(self.evaporation[begin:end]),
                discharge[begin:end],
                tuple(one[begin:end] for one in upstream),
                month=self.month(int(begin)),
            )
            found.append((int(begin), past))
        return found

    def month(self, hour: int) -> int:
        """Return the month of an hour (UTC)."""
        return datetime.fromtimestamp(self.start + _HOUR_S * hour, UTC).month

    def known(self) -> "HourlySeries":
        """Return this series from its first known discharge to its last."""
        known = np.flatnonzero(np.isfinite(self.discharge))
        return self._cut(int(known[0]), int(known[-1]) + 1) if len(known) else self._cut(0, 0)

    def own(self) -> "HourlySeries":
        """Return this series without the stations upstream."""
        return msgspec.structs.replace(self, upstream=())

    def until(self, hour: int) -> "HourlySeries":
        """Return the first hours of this series."""
        return self._cut(0, hour)

    def _cut(self, begin: int, end: int) -> "HourlySeries":
        return HourlySeries(
            self.start + _HOUR_S * begin, self.rain[begin:end], self.evaporation[begin:end], self.discharge[begin:end], self.m3s_per_mm,
            upstream=tuple(one[begin:end] for one in self.upstream),
        )  # fmt: skip

    def after(self, earlier: "HourlySeries") -> "HourlySeries":
        """Return this series with all of `earlier`, which ends the hour before, put first."""
        return HourlySeries(
            earlier.start,
            np.concatenate([earlier.rain, self.rain]),
            np.concatenate([earlier.evaporation, self.evaporation]),
            np.concatenate([earlier.discharge, self.discharge]),
            earlier.m3s_per_mm,
            self.flags,
        )


def read_hourly(path: Path) -> HourlySeries:
    """Read the file. Raises `Problem` with the line at fault."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(
            Text(
                f"Le fichier « {path} » ne se lit pas : {error}", f"The file '{path}' cannot be read: {error}"
            ),
            Text("Donnez un CSV en UTF-8.", "Give a CSV in UTF-8."),
        ) from error
    separator = max(",;\t", key=text.split("\n", 1)[0].count)
    reader = csv.DictReader(io.StringIO(text), delimiter=separator, restval="")
    missing = [c for c in _NEEDED if c not in (reader.fieldnames or ())]
    if missing:
        names = ", ".join(missing)
        raise Problem(
            Text(f"Il manque des colonnes : {names}", f"Columns are missing: {names}"),
            Text("Le fichier doit avoir les colonnes date, P, E, Qls et, si possible, Qmm.",
                 "The file must have the columns date, P, E, Qls and, if possible, Qmm."),
            place="line 1",
        )  # fmt: skip
    rows: dict[int, tuple[int, float, float, float, float]] = {}
    unordered: list[int] = []
    latest = -math.inf
    for row in reader:
        line = reader.line_num
        at = _instant(row["date"], line)
        if at in rows:
            raise Problem(
                Text(
                    f"L'heure « {row['date']} » est donnée deux fois",
                    f"The hour '{row['date']}' is given twice",
                ),
                Text(f"Gardez la ligne {rows[at][0]} ou celle-ci.", f"Keep line {rows[at][0]} or this one."),
                place=f"line {line}",
            )
        if at < latest:
            unordered.append(line)
        latest = max(latest, at)
        values = [_value(row, name, line) for name in ("P", "E", "Qls", "Qmm")]
        rows[at] = (line, values[0], values[1], values[2], values[3])
    return _series(rows, unordered)


def _series(rows: dict[int, tuple[int, float, float, float, float]], unordered: list[int]) -> HourlySeries:
    if len(rows) < 2:
        raise Problem(
            Text("Le fichier n'a pas d'heures", "The file has no hours"),
            Text("Donnez une ligne par heure.", "Give one line for each hour."),
            place="line 2",
        )
    times = sorted(rows)
    start, n = times[0], (times[-1] - times[0]) // _HOUR_S + 1
    if n > 50 * len(rows):
        at = next(b for a, b in pairwise(times) if b - a > 50 * _HOUR_S)
        raise Problem(
            Text("Ce n'est pas une série horaire", "This is no hourly series"),
            Text("Donnez une ligne par heure.", "Give one line for each hour."),
            place=f"line {rows[at][0]}",
        )
    table = np.full((n, 5), np.nan)
    for at in times:
        table[(at - start) // _HOUR_S] = rows[at]
    line, rain, evaporation, litres, millimetres = table.T
    discharge = litres / 1000
    both = np.isfinite(discharge) & np.isfinite(millimetres) & (millimetres > 0)
    scale = float(discharge[both].sum() / millimetres[both].sum()) if both.any() else None
    flags = [SeriesFlag("unordered", unordered[0], len(unordered))] if unordered else []
    given = np.isfinite(line)
    for name, lost in (
        ("no_rain", given & np.isnan(rain)),
        ("no_evaporation", given & np.isnan(evaporation)),
        ("no_discharge", given & np.isnan(discharge)),
    ):
        if lost.any():
            flags.append(SeriesFlag(name, int(line[np.argmax(lost)]), int(lost.sum())))
    if not given.all():
        after = int(np.argmax(~given)) + int(np.argmax(given[int(np.argmax(~given)) :]))
        flags.append(SeriesFlag("gap", int(line[after]), int((~given).sum())))
    return HourlySeries(start, rain, evaporation, discharge, scale, tuple(flags))


def _instant(said: str, line: int) -> int:
    """Return the seconds of `31/12/2004 23:00` or an ISO date, on the hour."""
    for read in (lambda s: datetime.strptime(s, "%d/%m/%Y %H:%M"), datetime.fromisoformat):  # noqa: DTZ007 -- UTC below
        try:
            found = read(said.strip())
        except ValueError:
            continue
        at = (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
        if at % _HOUR_S == 0:
            return int(at)
    raise Problem(
        Text(f"« {said} » n'est pas une heure", f"'{said}' is not an hour"),
        Text("Écrivez jj/mm/aaaa hh:00, en UTC.", "Write dd/mm/yyyy hh:00, in UTC."),
        place=f"line {line}",
    )


def _value(row: dict[str, str], name: str, line: int) -> float:
    said = (row.get(name) or "").strip()
    if said.lower() in _UNKNOWN:
        return math.nan
    try:
        value = float(said.replace(",", "."))
    except ValueError:
        value = math.inf
    if math.isinf(value):
        raise Problem(
            Text(
                f"« {said} » n'est pas un nombre, colonne {name}", f"'{said}' is not a number, column {name}"
            ),
            Text("Corrigez la valeur, ou laissez-la vide.", "Mend the value, or leave it empty."),
            place=f"line {line}",
        )
    if value < 0:
        raise Problem(
            Text(f"Valeur négative : {value:g}, colonne {name}", f"Negative value: {value:g}, column {name}"),
            Text("Laissez vide ce qui n'est pas connu.", "Leave empty what is not known."),
            place=f"line {line}",
        )
    return value


def _bridged(discharge: Array) -> Array:
    """Return the discharge with short holes bridged, by holding the last value: nothing of later hours is used."""
    filled = discharge.copy()
    lost = np.isnan(filled)
    for hour in np.flatnonzero(lost):
        if hour and not lost[max(0, hour - _BRIDGE_H) : hour].all():
            filled[hour] = filled[hour - 1]
    return filled
