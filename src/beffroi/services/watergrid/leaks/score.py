"""The published economics of BattLeDIM 2020: what an answer saves, in euros.

Rule, as in the organisers' `scoring_function.m` (KIOS, EUPL): detections are taken in the order of time; one within 300 m of
an active leak earns the water that it would still lose, less the search, 500 € × distance / 300 m; once found, a leak earns
no more; a detection near no leak costs 500 €. Those before the year of the flows are ignored. Distance is the shortest way
along pipes between the middles of two pipes.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.watergrid.hydraulics.model import Model
from beffroi.services.watergrid.leaks.series import Table

__all__ = ["Line", "Score", "Truth", "read_answer", "read_leaks", "score"]

PRICE_EUR_M3, SEARCH_EUR, RADIUS_M = 0.80, 500.0, 300.0
_LEAK_FIELDS = 6
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 -- wall clock of the files


class Truth(msgspec.Struct, frozen=True):
    """One true leak: its pipe, when it begins and ends (wall clock)."""

    pipe: str
    start: datetime
    end: datetime


class Line(msgspec.Struct, frozen=True):
    """One detection judged: `leak` is the pipe of the leak it found, None when it found none."""

    pipe: str
    time: str
    leak: str | None
    distance_m: float | None
    euro: float


class Score(msgspec.Struct, frozen=True):
    """The whole answer judged."""

    euro: float
    found: int
    leaks: int
    false: int
    repeated: int
    lines: tuple[Line, ...]


def read_leaks(path: Path) -> list[Truth]:
    """Read `linkID, startTime, endTime, diameter, type, peakTime`. Raises `Problem` with the line."""
    found = []
    for number, cells in _rows(path):
        if len(cells) < _LEAK_FIELDS:
            raise _wrong(path, number, "six valeurs sont attendues", "six values are expected")
        found.append(Truth(cells[0], _when(path, number, cells[1]), _when(path, number, cells[2])))
    return found


def read_answer(path: Path) -> list[tuple[str, datetime]]:
    """Read `linkID, startTime`. Raises `Problem` with the line."""
    found = []
    for number, cells in _rows(path):
        if len(cells) != 2:
            raise _wrong(path, number, "« conduite, date » est attendu", "'pipe, date' is expected")
        found.append((cells[0], _when(path, number, cells[1])))
    return sorted(found, key=lambda x: x[1])


def score(
    answer: Sequence[tuple[str, datetime]],
    truths: Sequence[Truth],
    flows: Sequence[Table],
    model: Model | None,
) -> Score:
    """Judge an answer. Without a model a detection must name the very pipe of a leak. Raises `Problem`."""
    volumes = _Remaining(flows)
    year = volumes.first.year
    lines: list[Line] = []
    taken: set[str] = set()
    for pipe, when in sorted(answer, key=lambda x: x[1]):
        if when.year < year:
            continue
        near = _nearest(pipe, when, truths, model)
        stamp = when.isoformat(sep=" ", timespec="minutes")
        if near is None:
            lines.append(Line(pipe, stamp, None, None, -SEARCH_EUR))
            continue
        leak, away = near
        worth = 0.0
        if leak not in taken:
            worth = volumes.after(leak, when) * PRICE_EUR_M3 - SEARCH_EUR * away / RADIUS_M
        lines.append(Line(pipe, stamp, leak, round(away, 1), round(worth, 2)))
        taken.add(leak)
    missed = sum(line.leak is None for line in lines)
    return Score(round(sum(x.euro for x in lines), 2), len(taken), len(truths), missed, len(lines) - missed - len(taken), tuple(lines))  # fmt: skip


def _nearest(
    pipe: str, when: datetime, truths: Sequence[Truth], model: Model | None
) -> tuple[str, float] | None:
    active = [t for t in truths if t.start <= when <= t.end]
    if model is None:
        if pipe not in {t.pipe for t in truths}:
            raise Problem(
                Text(f"La conduite « {pipe} » n'est celle d'aucune fuite : il faut le réseau pour mesurer sa distance.",
                     f"The pipe '{pipe}' is that of no leak: the network is needed to measure how far it is."),
                Text("Ajoutez --model L-TOWN.inp.", "Add --model L-TOWN.inp."),
                pipe,
            )  # fmt: skip
        return (pipe, 0.0) if any(t.pipe == pipe for t in active) else None
    away = model.distances(pipe, RADIUS_M)
    near = [(away[t.pipe], t.pipe) for t in active if t.pipe in away]
    return (min(near)[1], min(near)[0]) if near else None


class _Remaining:
    """The water that each leak still loses after an instant."""

    def __init__(self, flows: Sequence[Table]) -> None:
        self.curves: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        for table in flows:
            for i, name in enumerate(table.names):
                volume = np.nan_to_num(table.values[:, i]) * table.step_s / 3600
                self.curves[name] = (table.times, volume[::-1].cumsum()[::-1])
        first = min(int(t.times[0]) for t in flows)
        self.first = _EPOCH + timedelta(seconds=first)

    def after(self, leak: str, when: datetime) -> float:
        """Return the m³ still lost by `leak`. Raises `Problem` when its flow is in no file."""
        if leak not in self.curves:
            raise Problem(
                Text(f"Le débit de la fuite « {leak} » n'est dans aucun fichier.", f"The flow of the leak '{leak}' is in no file."),
                Text("Donnez tous les fichiers : --flows A --flows B.", "Give all the files: --flows A --flows B."),
                leak,
            )  # fmt: skip
        times, rest = self.curves[leak]
        at = int(np.searchsorted(times, (when - _EPOCH).total_seconds()))
        return float(rest[at]) if at < len(rest) else 0.0


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(
            Text(f"Le fichier {path} ne se lit pas : {error}", f"The file {path} cannot be read: {error}"),
            Text("Donnez un texte en UTF-8.", "Give a text in UTF-8."),
            str(path),
        ) from error
    return [
        (n, [c.strip() for c in line.split(",")])
        for n, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]


def _when(path: Path, number: int, cell: str) -> datetime:
    try:
        return datetime.fromisoformat(cell).replace(tzinfo=None)
    except ValueError:
        raise _wrong(
            path, number, f"« {cell[:40]} » n'est pas une date", f"'{cell[:40]}' is no date"
        ) from None


def _wrong(path: Path, number: int, fr: str, en: str) -> Problem:
    return Problem(
        Text(f"{path.name}, ligne {number} : {fr}.", f"{path.name}, line {number}: {en}."),
        Text(
            "Écrivez par exemple « p523, 2019-01-15 23:00 ».", "Write for example 'p523, 2019-01-15 23:00'."
        ),
        f"line {number}",
    )
