"""From the flows of a learnt year and of a watched one to the files of leaks.

The inflow of an area is an expression of meters, `p227+p235-PUMP_1`: what enters, less what leaves. What leaves feeds another
area, which is watched too, so that its leaks are not lost; when it is pumped into a tank, what its users draw is known only
between two starts of the pump, when the tank is at the same level again.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.watergrid.leaks.balance import CUT_HOUR, SEASON_DAYS, Learnt, follow, learn
from beffroi.services.watergrid.leaks.channels import Others, parted
from beffroi.services.watergrid.leaks.inlets import learn_sharing, pumped, shifts
from beffroi.services.watergrid.leaks.series import Table
from beffroi.services.watergrid.leaks.watch import LIMITS, SHARED, LeakFile, watch

__all__ = ["Area", "Detected", "File", "detect", "terms"]

Array = NDArray[np.float64]
PRICE_EUR_M3 = 0.80  # what a lost m³ costs, BattLeDIM's; each town has its own
_FEWEST_DAYS, _WHOLE_YEAR = 60, 330
_SIGN, _END = re.compile(r"\s*([+-]?)\s*"), re.compile(r"[\s+-]|$")
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 -- wall clock of the files
_DAY_S = 86_400
_NEGATIVE = 0.01  # share of negative inflow above which the expression is wrong, not the meter
_IDLE, _OFTEN = 0.05, 0.03
_JUMP = 3.5


class File(msgspec.Struct, frozen=True):
    """One leak, as it is told: instants are wall-clock times of the meters."""

    start: str
    detected: str
    end: str | None
    m3_per_day: float
    euro_per_day: float
    kind: str  # abrupt, incipient
    state: str  # open, growing, repaired
    area: str
    stable: str | None = None  # of a growth: since when it grows no more


class Area(msgspec.Struct, frozen=True):
    """One metered area over the watched year: daily losses above the standing ones, m³/h, from 06:00 to 06:00."""

    name: str
    first: datetime
    loss: Array
    sigma: float
    standing: float
    files: tuple[LeakFile, ...]


class Detected(msgspec.Struct, frozen=True):
    """All the files, in the order in which they were found, and what the data allowed."""

    files: tuple[File, ...]
    areas: tuple[Area, ...]
    unjudged_days: int = 0


def terms(expression: str, names: Sequence[str]) -> list[tuple[int, str]]:
    """Return the signed columns of an expression. Raises `Problem` at the character that is no column."""
    known = sorted(names, key=len, reverse=True)
    found: list[tuple[int, str]] = []
    at, text, whole = 0, expression.rstrip(), False
    while not whole:
        mark = _SIGN.match(text, at)
        assert mark is not None
        at = mark.end()
        name = next((n for n in known if text.startswith(n, at) and _END.match(text, at + len(n))), None)
        if name is None or (found and not mark[1]):
            break
        found.append((-1 if mark[1] == "-" else 1, name))
        at += len(name)
        whole = at == len(text)
    if not whole or all(s < 0 for s, _ in found):
        wrong = re.split(r"[\s+]", text[at:] or text)[0][:40]
        raise Problem(
            Text(f"L'expression « {expression[:80]} » ne se comprend pas à « {wrong} ».", f"The expression '{expression[:80]}' is not understood at '{wrong}'."),
            Text("Écrivez des colonnes liées par + ou -, dont une entrée au moins : {names}.",
                 "Write columns joined by + or -, at least one of which enters: {names}.").filled(names=", ".join(names)),
            f"position {at + 1}",
        )  # fmt: skip
    return found


def detect(expression: str, base: Table, year: Table, price_eur_m3: float = PRICE_EUR_M3) -> Detected:
    """Learn the areas of `expression` on `base` and watch them over `year`. Raises `Problem` for data that cannot serve."""
    signed = terms(expression, year.names)
    for _, name in signed:
        base.column(name)
    main = _Watched(expression, signed, base, year)
    areas = [main.area()]
    for sign, name in signed:
        if sign < 0:
            areas.append(_second(name, base, year, main))
    files = [(f.detected, area, f) for area in areas for f in area.files]
    told = [_told(area, f, price_eur_m3) for _, area, f in sorted(files, key=lambda x: (x[0], x[1].name))]
    told.sort(key=lambda f: f.detected)
    return Detected(tuple(told), tuple(areas), int(np.isnan(areas[0].loss).sum()))


class _Watched:
    """One area: its learnt year and its watched one, on days from 06:00 to 06:00."""

    def __init__(self, name: str, signed: Sequence[tuple[int, str]], base: Table, year: Table) -> None:
        self.name, self.signed = name, signed
        self.base_first, self.base_meters = _meters(signed, base)
        self.first, self.year_meters = _meters(signed, year)
        self.base, self.year = self.base_meters.sum(axis=2), self.year_meters.sum(axis=2)
        if self.base.shape[1] != self.year.shape[1]:
            raise Problem(
                Text(f"{base.path} et {year.path} n'ont pas le même pas.", f"{base.path} and {year.path} do not have the same step."),
                Text("Ramenez-les au même pas.", "Bring them to the same step."),
                "time",
            )  # fmt: skip
        if len(self.base) < _FEWEST_DAYS:
            raise Problem(
                Text(f"{base.path} ne couvre que {len(self.base)} jours.", f"{base.path} covers {len(self.base)} days only."),
                Text(f"Il en faut {_FEWEST_DAYS} au moins, un an de préférence, sans fuite nouvelle.",
                     f"At least {_FEWEST_DAYS} are needed, a year if possible, without a new leak."),
                "--base",
            )  # fmt: skip
        self.base_weekday, day = self.base_first.weekday(), self.base_first.timetuple().tm_yday
        self.learnt = learn(self.base, self.base_weekday, day)
        self.before = follow(self.learnt, self.base, self.base_weekday, day)
        weekday, day = self.first.weekday(), self.first.timetuple().tm_yday
        self.weekday = _aligned(self.learnt, self.year, weekday)
        self.balance = follow(self.learnt, self.year, self.weekday, day)

    def area(self) -> Area:
        """Watch it."""
        learnt = self.learnt
        others = self._others()
        limits = LIMITS if others is None else SHARED
        files = watch(self.balance.loss, learnt.sigma, learnt.echo, limits, self.before.loss, others)
        return Area(self.name, self.first, self.balance.loss, learnt.sigma, learnt.standing, tuple(files))

    def _others(self) -> Others | None:
        """Return how the inlets share the inflow, where there are several and a season was seen."""
        enters = np.array([sign > 0 for sign, _ in self.signed])
        if enters.sum() < 2 or len(self.base) < SEASON_DAYS:
            return None
        weekday = np.arange(len(self.base)) + self.base_weekday
        year = (
            2 * np.pi / 365.25 * (len(self.base) >= _WHOLE_YEAR)
        )  # a season half seen says nothing of the other half
        angle: Array = year * (
            np.arange(len(self.base), dtype=np.float64) + self.base_first.timetuple().tm_yday
        )
        later: Array = year * (np.arange(len(self.year), dtype=np.float64) + self.first.timetuple().tm_yday)
        before = self.base_meters[:, :, enters], -self.base_meters[:, :, ~enters]
        now = self.year_meters[:, :, enters], -self.year_meters[:, :, ~enters]
        learnt = learn_sharing(*before, weekday, self.before.loss, angle)
        assert learnt is not None
        found = Others(
            shifts(learnt, *now, np.arange(len(self.year)) + self.weekday, self.balance.loss, later),
            shifts(learnt, *before, weekday, self.before.loss, angle), learnt.sigma, learnt.echo,
            pumped(learnt, now[1]), pumped(learnt, before[1]),
        )  # fmt: skip
        return parted(found, self.balance.loss, self.before.loss)


def _meters(signed: Sequence[tuple[int, str]], table: Table) -> tuple[datetime, Array]:
    """Return the first 06:00 and the signed flow of each meter from there, days × samples × meters, NaN where one is silent."""
    first, grid = table.on_grid()
    samples = grid.shape[1]
    flat = np.stack([sign * grid[:, :, table.names.index(name)].reshape(-1) for sign, name in signed], axis=1)
    flow = flat.sum(axis=1)
    seen = flow[np.isfinite(flow)]
    negative = flow < -0.02 * max(float(np.abs(seen).mean()), 1e-9)
    if len(seen) and negative.sum() > _NEGATIVE * len(seen):
        at = int(np.flatnonzero(negative)[0])
        when = _EPOCH + timedelta(seconds=first + at * table.step_s)
        raise Problem(
            Text(f"Le débit d'entrée est négatif {int(negative.sum())} fois dans {table.path}, d'abord le {when:%Y-%m-%d %H:%M}.",
                 f"The inflow is negative {int(negative.sum())} times in {table.path}, first on {when:%Y-%m-%d %H:%M}."),
            Text("Vérifiez le signe de chaque compteur dans --inflow ; un compteur posé à l'envers se corrige à la source.",
                 "Check the sign of each meter in --inflow; a meter fitted backwards is mended at the source."),
            f"{when:%Y-%m-%d %H:%M}",
        )  # fmt: skip
    flat[negative] = np.nan
    cut = CUT_HOUR * samples // 24
    whole = (len(flat) - cut) // samples
    if whole < 1:
        raise Problem(
            Text(f"{table.path} ne couvre pas un jour.", f"{table.path} does not cover a day."),
            Text("Donnez des semaines de mesures.", "Give weeks of measurements."),
            "time",
        )
    days = flat[cut : cut + whole * samples].reshape(whole, samples, len(signed))
    return _EPOCH + timedelta(seconds=first, hours=CUT_HOUR), days


def _days(signed: Sequence[tuple[int, str]], table: Table) -> tuple[datetime, Array]:
    """Return the first 06:00 and the inflow of each day from there."""
    first, meters = _meters(signed, table)
    return first, meters.sum(axis=2)


def _aligned(learnt: Learnt, year: Array, weekday: int) -> int:
    """Return the weekday of the first day as the flows have it: a simulated year may begin its week on any day."""
    days = year[:28]
    use = days - learnt.standing
    with np.errstate(invalid="ignore"):
        relative = use / np.nanmean(use, axis=1)[:, None]
    shapes = learnt.shape / learnt.shape.mean(axis=1)[:, None]
    error = []
    for shift in range(7):
        wanted = shapes[(np.arange(len(days)) + weekday + shift) % 7]
        error.append(float(np.nanmean((relative - wanted) ** 2)))
    best = int(np.argmin(error))
    return weekday + (best if error[best] < 0.9 * error[0] else 0)


def _second(name: str, base: Table, year: Table, main: _Watched) -> Area:
    """Watch the area that a meter feeds: as it is, or between the starts of its pump."""
    base_first, before = _days([(1, name)], base)
    first, now = _days([(1, name)], year)
    seen = before[np.isfinite(before)]
    if len(seen) and (seen < _IDLE * seen.max()).mean() > _OFTEN:
        return _pumped(name, first, before, now, main)
    del base_first
    return _Watched(name, [(1, name)], base, year).area()


def _pumped(name: str, first: datetime, before: Array, now: Array, main: _Watched) -> Area:
    """Users of the pumped area follow those of the main one: the rest of what they draw is lost."""
    sigma = main.learnt.sigma
    use_before = _drawn(before, main.base, main.before.loss, sigma)
    use_now = _drawn(now, main.year, main.balance.loss, sigma)
    good = np.isfinite(use_before).all(axis=1)
    design = np.column_stack([np.ones(good.sum()), use_before[good, 1]])
    found, *_ = np.linalg.lstsq(design, use_before[good, 0], rcond=None)
    rest_before = use_before[:, 0] - found[0] - found[1] * use_before[:, 1]
    rest = use_now[:, 0] - found[0] - found[1] * use_now[:, 1]
    calm = rest_before[np.isfinite(rest_before)]
    sigma = max(float(np.std(calm)), 1e-3)
    follows = np.isfinite(rest_before[1:]) & np.isfinite(rest_before[:-1])
    echo = float(np.clip(np.corrcoef(rest_before[1:][follows], rest_before[:-1][follows])[0, 1], 0.0, 0.45))
    files = watch(rest, sigma, echo, before=rest_before)
    return Area(name, first, rest, sigma, max(float(found[0]), 0.0), tuple(files))


def _drawn(pumped: Array, inflow: Array, loss: Array, sigma: float) -> Array:
    """Return for each day the mean flow drawn since the last start of the pump but one, and the use of the main area."""
    days, samples = pumped.shape
    # on the day when the main area begins or ceases to leak, its users are not known
    jumps = np.abs(np.diff(loss, prepend=loss[0])) > _JUMP * sigma
    loss = np.where(jumps, np.nan, loss)
    flow, use = np.nan_to_num(pumped.reshape(-1)), inflow.reshape(-1) - np.repeat(loss, samples)
    starts = np.flatnonzero((flow[1:] > _IDLE * flow.max()) & (flow[:-1] <= _IDLE * flow.max())) + 1
    found = np.full((days, 2), np.nan)
    held: list[list[tuple[float, float, int]]] = [[] for _ in range(days)]
    for a, b in pairwise(starts):
        if b - a >= samples // 12 and np.isfinite(use[a:b]).mean() > 0.8:
            held[b // samples].append((float(flow[a:b].mean()), float(np.nanmean(use[a:b])), b - a))
    for day, cycles in enumerate(held):
        if cycles:
            spans = np.array([c[2] for c in cycles], dtype=float)
            found[day] = [np.average([c[k] for c in cycles], weights=spans) for k in (0, 1)]
    return found


def _told(area: Area, file: LeakFile, price: float) -> File:
    def at(day: float) -> str:
        return (area.first + timedelta(days=day)).isoformat(timespec="minutes")

    daily = file.flow * 24
    abrupt = file.kind == "abrupt"
    return File(
        start=at(file.onset + (0.45 if abrupt else 0.0)), detected=at(file.detected + 1),
        end=None if file.end is None else at(file.end + 0.3),
        m3_per_day=round(daily, 1), euro_per_day=round(daily * price, 2), kind=file.kind,
        state="repaired" if file.end is not None else "growing" if file.growing else "open", area=area.name,
        stable=None if abrupt or file.until is None or file.end is not None else at(file.until),
    )  # fmt: skip
