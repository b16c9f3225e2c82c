"""Read a meter, a temperature or a calendar from CSV, and put them side by side.

Columns are known by their names, whatever their order: the time (`date`, `time`, `start`, `dt`, `horodate`…), the use (`kwh`,
`value`), the temperature (`temp_c`, `tempC`, `temp_f`, `tempF`). A blank value is unknown; what cannot be understood is refused
with its line.
"""

import csv
import gzip
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

__all__ = [
    "HOUR_S",
    "Array",
    "Column",
    "Use",
    "beside",
    "civil_hour",
    "daily",
    "frequency",
    "read_calendar",
    "read_column",
    "read_table",
    "read_use",
]

Array = NDArray[np.float64]
Hours = NDArray[np.int64]
HOUR_S = 3600
_TIMES = ("date", "time", "start", "dt", "datetime", "timestamp", "horodate", "jour", "heure")
_USES = ("kwh", "value", "valeur", "energy", "consommation", "usage")
_CELSIUS = ("temp_c", "tempc", "temperature_c", "temperature", "temp", "tc")
_FAHRENHEIT = ("temp_f", "tempf", "temperature_f", "tf")
_UNKNOWN = ("", "na", "nan", "null", "-")


class Column(msgspec.Struct, frozen=True):
    """One value at each instant: seconds UTC, the civil hour that the file showed (hours since 1970), the value."""

    at: NDArray[np.int64]
    hours: Hours
    values: Array


class Use(msgspec.Struct, frozen=True):
    """A meter's use beside the temperature (°C); `hours` are civil hours since 1970, the first of each step; NaN: unknown.

    `labels` has a row a step: what the calendar says of its day (1 where it holds), one column a label.
    """

    hours: Hours
    step_h: int  # 1 or 24
    kwh: Array
    celsius: Array
    labels: Array

    def __len__(self) -> int:
        return len(self.hours)

    @property
    def days(self) -> Hours:
        """The civil day of each step, in days since 1970."""
        return self.hours // 24

    @property
    def weekday(self) -> Hours:
        """The day of the week of each step, Monday 0."""
        return (self.days + 3) % 7

    @property
    def known(self) -> NDArray[np.bool_]:
        """Where both use and temperature are known."""
        return np.isfinite(self.kwh) & np.isfinite(self.celsius)

    def only(self, where: NDArray[np.bool_]) -> "Use":
        """Return the steps where `where` holds."""
        return Use(self.hours[where], self.step_h, self.kwh[where], self.celsius[where], self.labels[where])


def read_table(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the lower-case names of the columns, and the rows with their lines. Raises `Problem`."""
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise Problem(
            Text(
                f"Le fichier « {path.name} » ne se lit pas : {error}",
                f"The file '{path.name}' cannot be read: {error}",
            ),
            Text(
                "Donnez un CSV en UTF-8, compressé par gzip ou non.",
                "Give a CSV in UTF-8, compressed by gzip or not.",
            ),
            path.name,
        ) from error
    separator = max(",;\t", key=text.split("\n", 1)[0].count)
    reader = csv.reader(io.StringIO(text), delimiter=separator)
    names = [n.strip().lower() for n in next(reader, [])]
    return names, [(reader.line_num, row) for row in reader if any(row)]


def _column(names: list[str], among: tuple[str, ...], path: Path, what: Text) -> int:
    found = next((names.index(n) for n in among if n in names), None)
    if found is None:
        raise Problem(
            Text(
                f"Il manque la colonne {what.fr} dans {path.name}",
                f"The column of {what.en} is missing in {path.name}",
            ),
            Text("Nommez-la : " + ", ".join(among[:3]) + ".", "Name it: " + ", ".join(among[:3]) + "."),
            "line 1",
        )
    return found


def _temperature(names: list[str], path: Path) -> tuple[int, bool]:
    """Return the column of the temperature, and whether it is in Fahrenheit. Raises `Problem` when there are two."""
    celsius, fahrenheit = ([names.index(n) for n in among if n in names] for among in (_CELSIUS, _FAHRENHEIT))
    if celsius and fahrenheit:
        raise Problem(
            Text(
                "La température est donnée deux fois, en °C et en °F",
                "The temperature is given twice, in °C and in °F",
            ),
            Text("Gardez une seule des deux colonnes.", "Keep one of the two columns only."),
            "line 1",
        )
    if fahrenheit:
        return fahrenheit[0], True
    return _column(names, _CELSIUS + _FAHRENHEIT, path, Text("de la température", "the temperature")), False


def civil_hour(said: str, line: int) -> tuple[int, int]:
    """Return the seconds UTC of a time (taken as UTC when it has no offset), and the civil hour it shows."""
    try:
        found = datetime.fromisoformat(said.strip())
    except ValueError:
        try:
            found = datetime.strptime(said.strip()[:10], "%d/%m/%Y")  # noqa: DTZ007 -- UTC below
        except ValueError as error:
            raise Problem(
                Text(f"« {said} » n'est pas une date", f"'{said}' is not a date"),
                Text(
                    "Écrivez 2026-06-01 ou 2026-06-01 13:00:00.", "Write 2026-06-01 or 2026-06-01 13:00:00."
                ),
                f"line {line}",
            ) from error
    at = int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
    return at, int(found.replace(tzinfo=UTC).timestamp()) // HOUR_S


def _number(said: str, line: int, *, least: float = -math.inf) -> float:
    text = said.strip()
    if text.lower() in _UNKNOWN:
        return math.nan
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = math.inf
    if math.isinf(value) or value < least:
        fr, en = (
            ("n'est pas un nombre", "is not a number")
            if math.isinf(value)
            else ("est négatif", "is negative")
        )
        raise Problem(
            Text(f"« {text} » {fr}", f"'{text}' {en}"),
            Text("Corrigez la valeur, ou laissez-la vide.", "Mend the value, or leave it empty."),
            f"line {line}",
        )
    return value


def _ordered(
    path: Path, rows: list[tuple[int, int, int, float, float]]
) -> list[tuple[int, int, int, float, float]]:
    """Return rows (instant, civil hour, line, …) in the order of time, those said twice alike once.

    Raises `Problem` for an instant given two values.
    """
    rows.sort(key=lambda r: (r[0], r[2]))
    rows = [
        r
        for i, r in enumerate(rows)
        if not i or rows[i - 1][0] != r[0] or repr(rows[i - 1][3:]) != repr(r[3:])
    ]
    for before, after in pairwise(rows):
        if before[0] == after[0]:
            raise Problem(
                Text(
                    f"Le même instant a deux valeurs dans {path.name}",
                    f"The same instant has two values in {path.name}",
                ),
                Text(f"Gardez la ligne {before[2]} ou celle-ci.", f"Keep line {before[2]} or this one."),
                f"line {after[2]}",
            )
    if len(rows) < 2:
        raise Problem(
            Text(f"{path.name} n'a pas de mesures", f"{path.name} has no measurements"),
            Text("Donnez une ligne par jour ou par heure.", "Give a line a day or an hour."),
            "line 2",
        )
    return rows


def read_column(path: Path, *, temperature: bool) -> Column:
    """Read a file of one quantity: a meter's use, or a temperature (returned in °C). Raises `Problem`."""
    names, lines = read_table(path)
    time = _column(names, _TIMES, path, Text("du temps", "time"))
    column, fahrenheit = (
        _temperature(names, path)
        if temperature
        else (_column(names, _USES, path, Text("de l'énergie", "energy")), False)
    )
    rows = []
    for line, row in lines:
        value = _number(row[column] if column < len(row) else "", line)
        rows.append((*civil_hour(row[time], line), line, (value - 32) / 1.8 if fahrenheit else value, 0.0))
    rows = _ordered(path, rows)
    return Column(
        np.array([r[0] for r in rows]), np.array([r[1] for r in rows]), np.array([r[3] for r in rows])
    )


def read_use(path: Path, freq: str | None = None) -> Use:
    """Read a meter with its temperature from one file; hourly rows become days when `freq` asks for them. Raises `Problem`."""
    names, lines = read_table(path)
    time = _column(names, _TIMES, path, Text("du temps", "time"))
    use = _column(names, _USES, path, Text("de l'énergie", "energy"))
    warm, fahrenheit = _temperature(names, path)
    rows = []
    for line, row in lines:
        padded = row + [""] * (len(names) - len(row))
        degrees = _number(padded[warm], line)
        rows.append(
            (
                *civil_hour(row[time], line),
                line,
                _number(padded[use], line),
                (degrees - 32) / 1.8 if fahrenheit else degrees,
            )
        )
    rows = _ordered(path, rows)
    hours = np.array([r[1] for r in rows])
    found = Use(
        hours,
        frequency(hours),
        np.array([r[3] for r in rows]),
        _bridged(np.array([r[4] for r in rows])),
        np.zeros((len(rows), 0)),
    )
    if freq == "hourly" and found.step_h == 24:
        raise Problem(
            Text(f"{path.name} est au jour, pas à l'heure", f"{path.name} is daily, not hourly"),
            Text("Demandez --freq daily.", "Ask for --freq daily."),
            "--freq",
        )
    return daily(found) if freq == "daily" and found.step_h == 1 else found


def frequency(hours: Hours) -> int:
    """Return the step of a series: 1 hour, or 24."""
    return 24 if float(np.median(np.diff(hours))) >= 23 else 1


def _bridged(values: Array) -> Array:
    """Return temperatures with short holes bridged by a straight line; long ones stay unknown."""
    lost = np.isnan(values)
    if not lost.any() or lost.all():
        return values
    known = np.flatnonzero(~lost)
    filled = np.interp(np.arange(len(values)), known, values[known])
    edges = np.flatnonzero(np.diff(np.concatenate([[False], lost, [False]]).astype(int)))
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        if end - begin > 6:
            filled[begin:end] = np.nan
    return filled


def daily(use: Use) -> Use:
    """Return an hourly series by the civil day: use summed (unknown when over a tenth is), temperature averaged."""
    days, where = np.unique(use.days, return_inverse=True)
    known = np.isfinite(use.kwh)
    count, there = np.bincount(where), np.bincount(where, known)
    kwh = np.bincount(where, np.where(known, use.kwh, 0.0))
    whole = (there >= 0.9 * 24) & (count >= 23)
    warm = np.isfinite(use.celsius)
    degrees = np.bincount(where, np.where(warm, use.celsius, 0.0)) / np.maximum(np.bincount(where, warm), 1)
    first = np.searchsorted(where, np.arange(len(days)))
    return Use(
        days * 24, 24, np.where(whole, kwh / np.maximum(there, 1) * count, np.nan),
        np.where(np.bincount(where, warm) > 0, degrees, np.nan), use.labels[first],
    )  # fmt: skip


def beside(meter: Column, temperature: Column) -> Use:
    """Return a meter by the civil day beside the mean temperature of that day, from files of any steps."""
    step = frequency(meter.hours)
    days, means = _daily_mean(temperature)
    place = np.clip(np.searchsorted(days, meter.hours // 24), 0, len(days) - 1)
    degrees = np.where(days[place] == meter.hours // 24, means[place], np.nan)
    use = Use(meter.hours, step, meter.values, degrees, np.zeros((len(meter.hours), 0)))
    return daily(use) if step == 1 else use


def _daily_mean(column: Column) -> tuple[Hours, Array]:
    good = np.isfinite(column.values)
    days, where = np.unique(column.hours[good] // 24, return_inverse=True)
    return days, np.bincount(where, column.values[good]) / np.bincount(where)


def read_calendar(path: Path, *uses: Use) -> list[Use]:
    """Return series with what a calendar says of their days: a date, then a column of 0 and 1 a label. Raises `Problem`."""
    names, lines = read_table(path)
    time = _column(names, _TIMES, path, Text("du temps", "time"))
    columns = [i for i, n in enumerate(names) if i != time and n]
    said: dict[int, list[float]] = {}
    for line, row in lines:
        padded = row + [""] * (len(names) - len(row))
        said[civil_hour(row[time], line)[1] // 24] = [
            float(bool(np.nan_to_num(_number(padded[i], line)))) for i in columns
        ]
    nothing = [0.0] * len(columns)
    return [
        msgspec.structs.replace(
            use,
            labels=np.array([said.get(int(d), nothing) for d in use.days]).reshape(len(use), len(columns)),
        )
        for use in uses
    ]
