"""From files of leaks and pressures to candidates, and to the list of places where digging pays."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.watergrid.hydraulics.model import Model, fed_by, read_model
from beffroi.services.watergrid.leaks.detect import File, terms
from beffroi.services.watergrid.leaks.locate import (
    FINE,
    ROUGH,
    Course,
    Known,
    Located,
    Nights,
    place,
    prepare,
)
from beffroi.services.watergrid.leaks.series import Table
from beffroi.services.watergrid.leaks.signature import Running, signatures, standing

__all__ = ["Candidate", "Old", "Searched", "digs", "nights", "read_files", "search"]

Array = NDArray[np.float64]
_DAY_S = 86_400
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 -- wall clock of the files
_FROM_H, _TO_H = 2, 4  # the hours of a night whose pressures are looked at
_VACUUM_M = -10.3  # no pressure is below: water boils
_KEPT = 0.8  # share of the nights that a sensor must have
_RADIUS_M, _DIG_EUR = 300.0, 500.0
_RUNS_DAYS = 60.0  # how long a leak runs on when nobody looks for it, to weigh a dig
_NEAR = 0.4  # of the old losses told, how many are within that radius on generated years
_LOOKED_AT = 60
_MOST_DIGS = 8
_SURE = 0.6  # power of a likelihood that comes true as often as it says: among many leaks it is too sure of itself
_BARE_M3H = 8.0
_SWINGS = 2  # directions in which use and pumps move the sensors together
_TURNS = (260, 90)  # likeliest pipes that are tried again with what runs beside in the model


class Candidate(msgspec.Struct, frozen=True):
    """A pipe and its share of the likelihood."""

    pipe: str
    likelihood: float


class Searched(msgspec.Struct, frozen=True):
    """One file with its candidates, the likeliest first, and how strong its trace is in the pressures (σ)."""

    file: File
    candidates: tuple[Candidate, ...]
    strength: float
    located: Located


class Old(msgspec.Struct, frozen=True):
    """Water lost before the watched year, as the calm nights show it beside the model: the pipe nearest to most of it within
    300 m, and how much."""

    pipe: str
    m3_per_hour: float


def read_files(path: Path) -> list[File]:
    """Read what `leaks detect --json` wrote. Raises `Problem` with the JSON pointer."""
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Problem(
            Text(f"{path.name} n'est pas du JSON : {error}", f"{path.name} is no JSON: {error}"),
            Text("Donnez ce que « beffroi leaks detect --json » a écrit.", "Give what 'beffroi leaks detect --json' wrote."),
            str(path),
        ) from error  # fmt: skip
    rows = document.get("files") if isinstance(document, dict) else document
    if not isinstance(rows, list):
        raise _unfit("/files", "une liste est attendue", "a list is expected")
    return [_file(row, f"/files/{i}") for i, row in enumerate(rows)]


def _file(row: Any, place: str) -> File:
    if not isinstance(row, dict):
        raise _unfit(place, "un objet est attendu", "an object is expected")
    for name in ("start", "detected", "end"):
        value = row.get(name)
        if value is None and name == "end":
            continue
        try:
            datetime.fromisoformat(str(value))
        except ValueError:
            raise _unfit(
                f"{place}/{name}", f"« {value} » n'est pas une date", f"'{value}' is no date"
            ) from None
    flow = row.get("m3_per_day")
    if not isinstance(flow, (int, float)) or isinstance(flow, bool) or flow < 0:
        raise _unfit(f"{place}/m3_per_day", "un volume positif est attendu", "a positive volume is expected")
    return File(
        str(row["start"]), str(row["detected"]), None if row.get("end") is None else str(row["end"]), float(flow),
        float(row.get("euro_per_day") or 0.0), str(row.get("kind", "abrupt")), str(row.get("state", "open")),
        str(row.get("area", "")), row.get("stable"),
    )  # fmt: skip


def _unfit(place: str, fr: str, en: str) -> Problem:
    mend = Text("Chaque dossier a start, detected, end, m3_per_day et kind.", "Each file has start, detected, end, m3_per_day and kind.")  # fmt: skip
    return Problem(Text(f"Dossiers de fuites : {fr}.", f"Files of leaks: {en}."), mend, place)


def nights(table: Table, sensors: Sequence[str]) -> Nights:
    """Return the mean pressure of each night, from 02:00 to 04:00, at `sensors`.

    What no water can have is taken for unknown: a sensor that fails, or a model whose tank ran empty.
    """
    hour = table.times % _DAY_S / 3600
    inside = (hour >= _FROM_H) & (hour < _TO_H)
    if not inside.any():
        raise Problem(
            Text(f"{table.path} n'a aucune pression entre 2 h et 4 h.", f"{table.path} has no pressure between 02:00 and 04:00."),
            Text("Ce sont celles de la nuit qui montrent les fuites.", "Those of the night show the leaks."),
            "time",
        )  # fmt: skip
    columns = table.values[inside][:, [table.names.index(s) for s in sensors]]
    columns = np.where(columns > _VACUUM_M, columns, np.nan)
    day = table.times[inside] // _DAY_S
    first = int(day[0])
    values = np.full((int(day[-1]) - first + 1, len(sensors)), np.nan)
    edges = np.searchsorted(day, np.arange(first, int(day[-1]) + 2))
    for i, (a, b) in enumerate(pairwise(edges)):
        seen = np.isfinite(columns[a:b])
        total, count = np.where(seen, columns[a:b], 0.0).sum(axis=0), seen.sum(axis=0)
        values[i] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return Nights(first, values)


def search(
    path: Path, base: Table, year: Table, files: Sequence[File]
) -> tuple[list[Searched], list[Old], Model]:
    """Return the candidates of each file, and what was lost before, the most first.

    Raises `Problem` when the model and the pressures do not go together.
    """
    model = read_model(path)
    both = [n for n in base.names if n in year.names]
    if not any(n in model.nodes for n in both):
        raise Problem(
            Text("Aucune colonne des pressions n'est un nœud du modèle {name}.", "No column of the pressures is a node of the model {name}.").filled(name=path.name),
            Text("Donnez à --base et --year des pressions par nœud : {names}…", "Give --base and --year pressures by node: {names}…").filled(names=", ".join(list(model.nodes)[:5])),
            both[0] if both else "time",
        )  # fmt: skip
    calm, watched = nights(base, both), nights(year, both)
    alive = [
        i for i in range(len(both))
        if min(np.isfinite(calm.values[:, i]).mean(), np.isfinite(watched.values[:, i]).mean()) >= _KEPT
    ]  # fmt: skip
    sensors = [both[i] for i in alive]
    hour = float(np.median(base.times[(base.times % _DAY_S >= _FROM_H * 3600) & (base.times % _DAY_S < _TO_H * 3600)] % _DAY_S)) / 3600  # fmt: skip
    known = prepare(
        Nights(calm.first_day, calm.values[:, alive]), Nights(watched.first_day, watched.values[:, alive]),
        [_course(f, model) for f in files],
    )  # fmt: skip
    old = _before(path, model, sensors, hour, known, np.nanmean(calm.values[:, alive], axis=0))
    located = _in_turn(path, model, sensors, hour, known, old)
    told = [
        Searched(f, tuple(Candidate(p, round(v, 4)) for p, v in x.best(10) if v > 0), round(x.strength, 1), x)
        for f, x in zip(files, located, strict=True)
    ]
    return told, _grouped(old, model), model


def _before(
    path: Path, model: Model, sensors: Sequence[str], hour: float, known: Known, level: Array
) -> list[Running]:
    """Return what runs on the calm nights already and the model does not know."""
    bare = signatures(path, model, sensors, hour, levels=(_BARE_M3H,))
    return standing(bare, level, known.swings(_SWINGS))


def _grouped(old: Sequence[Running], model: Model) -> list[Old]:
    """Return what is lost before, what lies within 300 m as one."""
    left, found = sorted(old, key=lambda x: -x[1]), []
    while left:
        around = model.distances(left[0][0], _RADIUS_M)
        found.append(Old(left[0][0], round(sum(flow for pipe, flow in left if pipe in around), 2)))
        left = [x for x in left if x[0] not in around]
    return sorted(found, key=lambda o: -o.m3_per_hour)


def _in_turn(
    path: Path, model: Model, sensors: Sequence[str], hour: float, known: Known, old: Sequence[Running]
) -> list[Located]:
    """Locate each leak with what runs beside it in the model: first roughly, then again where the others seem to be."""
    rough = signatures(path, model, sensors, hour, old)
    found = [place(known, i, rough, model, ROUGH) for i in range(len(known.courses))]
    order = sorted(range(len(found)), key=lambda i: known.courses[i].start)
    for count in _TURNS:
        for i in order:
            beside = [(found[j].best(1)[0][0], flow) for j, flow in known.beside(i)]
            likely = [pipe for pipe, _ in found[i].best(count)]
            fine = signatures(path, model, sensors, hour, [*old, *beside], (known.courses[i].flow,), likely)
            found[i] = place(known, i, fine, model, FINE)
    return found


def _course(file: File, model: Model) -> Course:
    def days(text: str) -> float:
        return (datetime.fromisoformat(text).replace(tzinfo=None) - _EPOCH).total_seconds() / _DAY_S

    start, until = days(file.start), None if file.stable is None else days(file.stable)
    return Course(
        start, days(file.detected), None if file.end is None else days(file.end), max(file.m3_per_day / 24, 0.5), file.kind,
        None if until is None else max(until - start, 5.0), _allowed(file.area, model),
    )  # fmt: skip


def _allowed(area: str, model: Model) -> tuple[str, ...] | None:
    """Return the pipes of an area named by its meters, None when it is not."""
    if not area:
        return None
    try:
        signed = terms(area, list(model.links))
    except Problem:
        return None
    names = [n for _, n in signed]
    if len(names) == 1:
        inside = fed_by(model, names[0], ())
    else:
        outside = set().union(*(fed_by(model, n, ()) for s, n in signed if s < 0)) if any(s < 0 for s, _ in signed) else set()  # fmt: skip
        inside = set(model.nodes) - outside
    kept = tuple(p for p in model.pipes if model.links[p].start in inside and model.links[p].end in inside)
    return kept if 0 < len(kept) < len(model.pipes) else None


def digs(
    searched: Sequence[Searched],
    model: Model,
    price_eur_m3: float,
    old: Sequence[Old] = (),
    first: datetime | None = None,
) -> list[tuple[str, datetime]]:
    """Return where to dig and when, one place a day from the detection: as long as what it may save is worth the search.

    What was lost before is looked for at `first`, the first of the watched nights.
    """
    found: list[tuple[str, datetime]] = []
    if first is not None:
        found += [
            (o.pipe, first) for o in old if _NEAR * o.m3_per_hour * 24 * price_eur_m3 * _RUNS_DAYS >= _DIG_EUR
        ]
    around: dict[str, dict[str, float]] = {}
    for s in searched:
        worth = s.file.m3_per_day * price_eur_m3 * _RUNS_DAYS
        left = {pipe: share**_SURE for pipe, share in s.located.likelihood.items()}
        whole = sum(left.values())
        left = {pipe: share / whole for pipe, share in left.items()}
        when = datetime.fromisoformat(s.file.detected)
        for k in range(_MOST_DIGS):
            top = sorted(left, key=lambda p: -left[p])[:_LOOKED_AT]
            around.update({p: model.distances(p, _RADIUS_M) for p in top if p not in around})
            mass = {p: sum(left.get(q, 0.0) for q in around[p]) for p in top}
            best = max(top, key=lambda p: (round(mass[p], 6), left[p]), default=None)
            if best is None or mass[best] * worth < _DIG_EUR:
                break
            found.append((best, when + timedelta(days=k)))
            left = {p: v for p, v in left.items() if p not in around[best]}
    return sorted(found, key=lambda x: x[1])
