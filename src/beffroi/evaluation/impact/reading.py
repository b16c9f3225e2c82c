"""A file of measurements made a `Panel`: long (a row per unit and period) or wide (a column per unit).

Whatever is wrong is said with its line, its column and what to do: a study on a file half understood is worse than none.
"""

import csv
import gzip
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.evaluation.impact.panel import Change, Floats, Panel
from beffroi.evaluation.impact.periods import number_of, numbers_of, refuse_gaps
from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["Columns", "Table", "panel_of", "read_table"]

MOST_PERIODS = 20_000
MOST_UNITS = 5_000
_MISSING = {"", "na", "n/a", "nan", "null", "none", "-"}
_BEFORE = {"before", "avant", "pre", "pré", "0", "false", "non", "no", "0.0"}
_AFTER = {"after", "après", "apres", "post", "1", "true", "oui", "yes", "1.0"}
_SENSOR = ("sensor", "capteur", "sensor_id", "device", "appareil", "serial", "numero_serie")


class Columns(msgspec.Struct, frozen=True):
    """What the command was told about the file. `single`: the method looks at one series only."""

    outcome: str = ""
    unit: str = ""
    time: str = ""
    treated: tuple[str, ...] = ()
    start: str = ""
    period: str = ""
    covariates: tuple[str, ...] = ()
    sensor: str = ""
    season: int = 0
    single: bool = False
    staggered: bool = False


class Table(msgspec.Struct, frozen=True):
    """A file's columns of text, in order; line numbers are those of an editor."""

    columns: dict[str, list[str]]
    comma: bool

    @property
    def rows(self) -> int:
        """The number of rows under the head."""
        return len(next(iter(self.columns.values()), ()))

    def column(self, name: str) -> list[str]:
        """Return a column. Raises `Problem` that names those there are."""
        if name not in self.columns:
            there = ", ".join(list(self.columns)[:12])
            raise Problem(
                Text(f"Le fichier n'a pas de colonne « {name} ».", f"The file has no column '{name}'."),
                Text(f"Ses colonnes : {there}.", f"Its columns: {there}."), "line 1",
            )  # fmt: skip
        return self.columns[name]

    def numbers(self, name: str) -> Floats:
        """Return a column as numbers. Raises `Problem` naming the line of a text or of a missing value."""
        texts = self.column(name)
        try:
            found = np.array(texts, dtype=np.float64)
            if np.isfinite(found).all():
                return found
        except ValueError:
            pass
        return np.array(
            [self._number(text, name, line) for line, text in enumerate(texts, start=2)], dtype=np.float64
        )

    def _number(self, text: str, name: str, line: int) -> float:
        place = f"line {line}, {name}"
        bare = text.strip()
        if bare.lower() in _MISSING:
            raise Problem(
                Text("Il manque une valeur.", "A value is missing."),
                Text("Complétez-la, ou retirez l'unité ou la période entière.",
                     "Fill it in, or remove the whole unit or period."), place,
            )  # fmt: skip
        if self.comma:
            bare = bare.replace("\u202f", "").replace("\u00a0", "").replace(",", ".")
        try:
            value = float(bare)
        except ValueError:
            value = float("nan")
        if not np.isfinite(value):
            raise Problem(
                Text(f"« {text} » n'est pas un nombre.", f"'{text}' is not a number."),
                Text("N'écrivez que le nombre, sans unité ni texte.", "Write the number alone, without unit or text."), place,
            )  # fmt: skip
        return value


def read_table(path: Path, *, rows_are_periods: bool = False) -> Table:
    """Return the table of a CSV (comma, semicolon or tab; gzipped or not). Raises `Problem`.

    With `rows_are_periods` (no column of units) a file that is too fine is refused before it is taken apart.
    """
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8-sig")
        if rows_are_periods:
            _not_too_fine(text.count("\n"), 1)
        head = text[: text.find("\n") if "\n" in text else None]
        delimiter = max(",;\t", key=head.count)
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise Problem(
            Text(
                f"Le fichier « {path} » ne se lit pas : {error}", f"The file '{path}' cannot be read: {error}"
            ),
            Text("Donnez un CSV en UTF-8.", "Give a CSV in UTF-8."),
        ) from error
    return _table(rows, comma=delimiter != ",")


def _table(rows: list[list[str]], *, comma: bool) -> Table:
    while rows and not rows[-1]:
        rows.pop()
    if len(rows) < 2:
        raise Problem(
            Text("Le fichier n'a aucune ligne de données.", "The file has no row of data."),
            Text("Donnez un en-tête, puis une ligne par mesure.", "Give a head, then a row a measurement."), "line 1",
        )  # fmt: skip
    names = [name.strip() for name in rows[0]]
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None:
        raise Problem(
            Text(f"Deux colonnes s'appellent « {twice} ».", f"Two columns are called '{twice}'."),
            Text("Renommez-en une.", "Rename one."), "line 1",
        )  # fmt: skip
    for line, row in enumerate(rows[1:], start=2):
        if len(row) != len(names):
            raise Problem(
                Text(f"Cette ligne a {len(row)} cellules, l'en-tête {len(names)}.",
                     f"This line has {len(row)} cells, the head {len(names)}."),
                Text("Rétablissez les séparateurs de la ligne.", "Restore the separators of the line."), f"line {line}",
            )  # fmt: skip
    return Table(
        {name: list(column) for name, column in zip(names, zip(*rows[1:], strict=True), strict=True)}, comma
    )


def panel_of(table: Table, columns: Columns) -> Panel:
    """Return the panel that `columns` describe in `table`. Raises `Problem` naming the line and the mend."""
    wide = not columns.outcome and not columns.unit
    if not columns.time and not columns.period:
        raise _missing_option("--time", "--period")
    if columns.single and not columns.unit:
        panel = _single(table, columns)
    else:
        panel = _wide(table, columns) if wide else _long(table, columns)
    _not_too_fine(len(panel.times), len(panel.units))
    return panel


def _not_too_fine(periods: int, units: int) -> None:
    if periods <= MOST_PERIODS and units <= MOST_UNITS:
        return
    raise Problem(
        Text(f"{periods} périodes de {units} unité(s) : c'est trop fin pour une étude d'impact.",
             f"{periods} periods of {units} unit(s): too fine for an impact study."),
        Text(f"Faites des moyennes par jour ou par semaine ({MOST_PERIODS} périodes et {MOST_UNITS} unités au plus).",
             f"Average by day or by week ({MOST_PERIODS} periods and {MOST_UNITS} units at most)."),
        f"line {MOST_PERIODS + 2}" if periods > MOST_PERIODS else "--unit",
    )  # fmt: skip


def _missing_option(*names: str) -> Problem:
    told = " / ".join(names)
    return Problem(
        Text(f"Il manque {told}.", f"{told} is missing."),
        Text("Dites quelle colonne c'est.", "Say which column it is."), names[0],
    )  # fmt: skip


class _Axis(msgspec.Struct, frozen=True, eq=False):
    """The periods of a file: `place[row]` is the period of each row, `start` the first treated, -1 when not told here."""

    labels: tuple[str, ...]
    instants: Floats
    place: NDArray[np.int64]
    start: int


def _axis(table: Table, columns: Columns, units: NDArray[np.int64]) -> _Axis:
    """Return the periods of the rows, told by a time column or, with `--period`, by the order of each unit's rows."""
    if columns.period:
        return _ordered(table, columns, units)
    texts = table.column(columns.time)
    instants, first, place = np.unique(
        numbers_of(texts, columns.time), return_index=True, return_inverse=True
    )
    labels = tuple(_label(texts[i]) for i in first)
    refuse_gaps(instants, labels)
    start = -1
    if columns.start:
        start = int(np.searchsorted(instants, number_of(columns.start, "--start")))
        _both_sides(start, len(labels), columns.start)
    return _Axis(labels, instants, place.astype(np.int64).reshape(-1), start)


def _label(text: str) -> str:
    bare = text.strip()
    return bare.removesuffix(".0")


def _both_sides(start: int, periods: int, said: str) -> None:
    if 0 < start < periods:
        return
    raise Problem(
        Text(f"Il n'y a aucune période {'avant' if start <= 0 else 'à partir de'} {said}.",
             f"There is no period {'before' if start <= 0 else 'from'} {said}{'' if start <= 0 else ' on'}."),
        Text("Donnez un début au milieu des données : il faut un avant et un après.",
             "Give a start inside the data: a before and an after are needed."), "--start",
    )  # fmt: skip


def _ordered(table: Table, columns: Columns, units: NDArray[np.int64]) -> _Axis:
    """Return the periods of a before/after column: the rows of each unit in the file's order, before then after."""
    after = np.array(
        [_side(text, line, columns.period) for line, text in enumerate(table.column(columns.period), 2)]
    )
    place = np.zeros(len(units), dtype=np.int64)
    starts = set()
    for unit in np.unique(units):
        rows = np.flatnonzero(units == unit)
        order = rows[np.argsort(after[rows], kind="stable")]
        place[order] = np.arange(len(order))
        starts.add((int(np.sum(~after[rows])), len(rows)))
    if len(starts) != 1:
        raise Problem(
            Text("Les unités n'ont pas le même nombre de lignes avant et après.",
                 "The units do not have the same number of rows before and after."),
            Text("Donnez une colonne --time et --start.", "Give a --time column and --start."), columns.period,
        )  # fmt: skip
    start, periods = starts.pop()
    _both_sides(start, periods, columns.period)
    labels = tuple(str(i + 1) for i in range(periods))
    return _Axis(labels, np.arange(periods, dtype=np.float64), place, start)


def _side(text: str, line: int, column: str) -> bool:
    word = text.strip().lower()
    if word in _AFTER:
        return True
    if word in _BEFORE:
        return False
    raise Problem(
        Text(f"« {text} » ne dit ni avant ni après.", f"'{text}' says neither before nor after."),
        Text("Écrivez avant/après, before/after ou 0/1.", "Write before/after, avant/après or 0/1."),
        f"line {line}, {column}",
    )  # fmt: skip


def _single(table: Table, columns: Columns) -> Panel:
    """Return the panel of one series: the column of the outcome, or the treated column of a wide file."""
    flag = _flag_column(table, columns) if columns.outcome else None
    name = columns.outcome or (columns.treated[0] if columns.treated else "")
    if not name:
        raise _missing_option("--treated", "--outcome")
    axis = _axis(table, columns, np.zeros(table.rows, dtype=np.int64))
    _once(axis.place, axis, [name], np.zeros(table.rows, dtype=np.int64))
    order = np.argsort(axis.place)
    start = axis.start
    if start < 0 and flag is not None:
        on = table.numbers(flag)[order] > 0
        start = int(np.argmax(on)) if on.any() else len(on)
        _stays_on(on, start, order, flag)
        _both_sides(start, len(on), flag)
    if start < 0:
        raise _missing_option("--start", "--period")
    covariates = {c: table.numbers(c)[order][:, None] for c in columns.covariates}
    panel = Panel(
        table.numbers(name)[order][:, None],
        (name,),
        axis.labels,
        np.array([start]),
        covariates,
        columns.season,
    )
    return msgspec.structs.replace(panel, changes=_changes(table, columns, order, name))


def _stays_on(on: NDArray[np.bool_], start: int, order: NDArray[np.int64], flag: str) -> None:
    off = np.flatnonzero(~on[start:])
    if len(off):
        raise Problem(
            Text("Le traitement s'arrête après avoir commencé.", "The treatment stops after it began."),
            Text("Terminez le fichier avant l'arrêt.", "End the file before the stop."),
            f"line {int(order[start + off[0]]) + 2}, {flag}",
        )  # fmt: skip


def _changes(table: Table, columns: Columns, order: NDArray[np.int64], unit: str) -> tuple[Change, ...]:
    """Return the changes of sensor that a column of sensors shows."""
    name = columns.sensor or next((c for c in table.columns if c.strip().lower() in _SENSOR), "")
    if not name:
        return ()
    codes = [table.column(name)[i].strip() for i in order]
    return tuple(
        Change(unit, at, Text(*[f"{codes[at - 1]} → {codes[at]}"] * 2))
        for at in range(1, len(codes))
        if codes[at] != codes[at - 1]
    )


def _flag_column(table: Table, columns: Columns) -> str | None:
    """Return the column that `--treated` names, when it is one of flags and not of values."""
    name = columns.treated[0] if len(columns.treated) == 1 else ""
    return name if name in table.columns and name != columns.outcome else None


def _wide(table: Table, columns: Columns) -> Panel:
    if columns.covariates:
        raise Problem(
            Text("Dans un fichier large, une covariable serait commune à toutes les unités : elle s'annule.",
                 "In a wide file a covariate would be common to all units: it cancels out."),
            Text("Donnez un fichier long pour une covariable par unité.", "Give a long file for a covariate a unit."),
            "--covariate",
        )  # fmt: skip
    axis = _axis(table, columns, np.zeros(table.rows, dtype=np.int64))
    if axis.start < 0:
        raise _missing_option("--start", "--period")
    _once(axis.place, axis, ["*"], np.zeros(table.rows, dtype=np.int64))
    order = np.argsort(axis.place)
    left = {columns.time, columns.period, columns.sensor}
    units = tuple(
        name for name in table.columns if name not in left and not (name == "" or name == "rownames")
    )
    for name in columns.treated:
        table.column(name)
    outcome = np.column_stack([table.numbers(name)[order] for name in units])
    return _treat(outcome, units, axis, columns)


def _treat(
    outcome: Floats,
    units: tuple[str, ...],
    axis: _Axis,
    columns: Columns,
    covariates: dict[str, Floats] | None = None,
) -> Panel:
    """Return the panel whose treated units were named."""
    if not columns.treated:
        raise _missing_option("--treated")
    for name in columns.treated:
        if name not in units:
            there = ", ".join(units[:12])
            raise Problem(
                Text(f"Aucune unité ne s'appelle « {name} ».", f"No unit is called '{name}'."),
                Text(f"Les unités : {there}.", f"The units: {there}."), "--treated",
            )  # fmt: skip
    if axis.start < 0:
        raise _missing_option("--start", "--period")
    cohort = np.array([axis.start if name in columns.treated else -1 for name in units])
    return Panel(outcome, units, axis.labels, cohort, covariates or {}, columns.season)


def _once(cells: NDArray[np.int64], axis: _Axis, units: Sequence[str], of: NDArray[np.int64]) -> None:
    """Refuse two rows for one unit and period. `cells` number them."""
    unique, first = np.unique(cells, return_index=True)
    if len(unique) == len(cells):
        return
    row = int(np.setdiff1d(np.arange(len(cells)), first)[0])
    period = axis.labels[axis.place[row]]
    whose = units[of[row]]
    raise Problem(
        Text(f"« {whose} » a déjà une ligne pour {period}.", f"'{whose}' already has a row for {period}."),
        Text("Gardez une ligne par unité et par période (moyenne ou somme), ou dites --unit.",
             "Keep a row for each unit and period (mean or sum), or say --unit."), f"line {row + 2}",
    )  # fmt: skip


def _long(table: Table, columns: Columns) -> Panel:
    if not columns.outcome:
        raise _missing_option("--outcome")
    if not columns.unit:
        raise _missing_option("--unit")
    names, of = np.unique(np.array([_label(t) for t in table.column(columns.unit)]), return_inverse=True)
    of = of.astype(np.int64).reshape(-1)
    units = tuple(str(name) for name in names)
    if columns.single and columns.treated and columns.treated[0] in units:
        return _one_of(table, columns)
    axis = _axis(table, columns, of)
    cells = axis.place * len(units) + of
    _once(cells, axis, units, of)
    shape = (len(axis.labels), len(units))
    if len(cells) != shape[0] * shape[1]:
        raise _absent(cells, shape, axis, units, of)

    def grid(values: Floats) -> Floats:
        filled = np.empty(shape)
        filled[axis.place, of] = values
        return filled

    outcome = grid(table.numbers(columns.outcome))
    covariates = {name: grid(table.numbers(name)) for name in columns.covariates}
    flag = _flag_column(table, columns)
    if flag is None or flag in (columns.unit, columns.time):
        return _treat(outcome, units, axis, columns, covariates)
    cohort = _cohorts(table, flag, axis, of, grid, columns)
    return Panel(outcome, units, axis.labels, cohort, covariates, columns.season)


def _one_of(table: Table, columns: Columns) -> Panel:
    """Return the series of one unit of a long file."""
    rows = [i for i, unit in enumerate(table.column(columns.unit)) if _label(unit) == columns.treated[0]]
    kept = Table({name: [column[i] for i in rows] for name, column in table.columns.items()}, table.comma)
    return _single(kept, msgspec.structs.replace(columns, unit="", treated=()))


def _absent(
    cells: NDArray[np.int64],
    shape: tuple[int, int],
    axis: _Axis,
    units: tuple[str, ...],
    of: NDArray[np.int64],
) -> Problem:
    """Return what to say of a panel with holes: the first unit and period that have no row."""
    hole = int(np.setdiff1d(np.arange(shape[0] * shape[1]), cells)[0])
    period, unit = axis.labels[hole // shape[1]], hole % shape[1]
    rows = np.flatnonzero(of == unit)
    last = int(rows[-1]) + 2
    return Problem(
        Text(f"« {units[unit]} » n'a pas de ligne pour {period}.", f"'{units[unit]}' has no row for {period}."),
        Text(f"Ajoutez-la (les lignes de cette unité finissent ligne {last}), ou retirez l'unité.",
             f"Add it (this unit's rows end at line {last}), or remove the unit."), f"line {last}",
    )  # fmt: skip


def _cohorts(
    table: Table,
    flag: str,
    axis: _Axis,
    of: NDArray[np.int64],
    grid: Callable[[Floats], Floats],
    columns: Columns,
) -> NDArray[np.int64]:
    """Return the first treated period of each unit, from a 0/1 column or one that names the first treated period."""
    values = _flags(table, flag)
    lines = grid(np.arange(len(of), dtype=np.float64))
    on = grid(values)
    if not set(np.unique(values)) <= {0.0, 1.0}:
        return _named_cohorts(on, axis, flag)
    treated = on.any(axis=0)
    if not treated.any():
        raise Problem(
            Text(f"La colonne « {flag} » ne vaut jamais 1 : aucune unité n'est traitée.",
                 f"The column '{flag}' is never 1: no unit is treated."),
            Text("Vérifiez la colonne de --treated.", "Check the column of --treated."), flag,
        )  # fmt: skip
    first = np.where(treated, on.argmax(axis=0), -1)
    for unit in np.flatnonzero(treated):
        off = np.flatnonzero(on[first[unit] :, unit] == 0)
        if len(off):
            line = int(lines[first[unit] + off[0], unit]) + 2
            raise Problem(
                Text("Le traitement s'arrête après avoir commencé.", "The treatment stops after it began."),
                Text("Terminez le fichier avant l'arrêt.", "End the file before the stop."), f"line {line}, {flag}",
            )  # fmt: skip
    if axis.start >= 0:
        return np.where(treated, np.where(first > 0, first, axis.start), -1)
    if not columns.staggered and (first[treated] == 0).all():
        raise Problem(
            Text(f"« {flag} » dit qui est traité, mais pas depuis quand.", f"'{flag}' says who is treated, not since when."),
            Text("Ajoutez --start.", "Add --start."), "--start",
        )  # fmt: skip
    return np.asarray(first)


def _flags(table: Table, flag: str) -> Floats:
    words = {"true": "1", "false": "0", "oui": "1", "non": "0", "yes": "1", "no": "0"}
    never = {"", "na", "nan", "inf", "never", "jamais"}
    texts = [words.get(t.strip().lower(), t) for t in table.column(flag)]
    if set(texts) & never or any(t.strip().lower() in never for t in texts):
        texts = ["0" if t.strip().lower() in never else t for t in texts]
    if all(t in ("0", "1") for t in texts):
        return np.array(texts, dtype=np.float64)
    try:
        return numbers_of(texts, flag)
    except Problem as problem:
        raise Problem(
            Text(f"« {flag} » n'est ni une colonne de 0 et de 1 ni le nom d'une unité.",
                 f"'{flag}' is neither a column of 0 and 1 nor the name of a unit."),
            Text("Écrivez 1 quand l'unité est traitée, 0 sinon.", "Write 1 when the unit is treated, else 0."),
            problem.place,
        ) from None  # fmt: skip


def _named_cohorts(first: Floats, axis: _Axis, flag: str) -> NDArray[np.int64]:
    """Return the cohorts of a column that names each unit's first treated period, 0 for never."""
    moved = np.flatnonzero(np.ptp(first, axis=0) > 0)
    if len(moved):
        raise Problem(
            Text(f"« {flag} » change au cours du temps pour une même unité.", f"'{flag}' changes over time within a unit."),
            Text("Écrivez 0/1, ou la première période traitée.", "Write 0/1, or the first treated period."), flag,
        )  # fmt: skip
    starts = first[0]
    at = np.searchsorted(axis.instants, starts)
    return np.where((starts <= 0) | (at >= len(axis.instants)), -1, at)
