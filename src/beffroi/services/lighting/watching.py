"""Watch every cabinet of the town: read the curves of the last nights, say what they show, keep it as findings."""

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import numpy as np

from beffroi.model.principal import SYSTEM
from beffroi.services.lighting.plans import Plans
from beffroi.services.lighting.stock import (
    cabinet_of,
    curve_of,
    lamps_of,
    last_nights,
    nights_for,
    noon_us,
)
from beffroi.services.lighting.watch import (
    Cabinet,
    Finding,
    Floats,
    Night,
    Watch,
    night_levels,
    watch_cabinet,
)
from beffroi.store.record import Query, Row
from beffroi.town import Town

__all__ = [
    "NIGHTS",
    "Known",
    "Watched",
    "bases_of",
    "known_of",
    "read_cabinet",
    "report_of",
    "watch_one",
    "watch_town",
]

NIGHTS = 40
NEIGHBOURS = 10
KNOWS = "lighting.knows"
_BY_DAY = ("day_burner", "stuck_on")
_BY_NIGHT = ("dark", "stuck_on", "wrong_clock")
_STANDBY_QUANTILE = 0.1  # of the day's load: what burns beside the lamps


class Known(msgspec.Struct, frozen=True):
    """What a cabinet's curve can tell: why it cannot (`ok`: it can), from how many dead lamps on, of how many lamps."""

    why: str
    least: int | None
    lamps: int
    base_w: float = 0.0  # what burns beside the lamps


class Watched(msgspec.Struct, frozen=True, eq=False):
    """A cabinet's curve beside what it should be."""

    row: Row
    cabinet: Cabinet
    nights: tuple[Night, ...]
    first: Any  # the day on which the first night began
    seconds: Floats
    watts: Floats
    level: Floats

    @property
    def place(self) -> tuple[float, float] | None:
        """Longitude and latitude, if it has one."""
        return None if self.row.geometry is None else tuple(self.row.geometry["coordinates"][:2])


def read_cabinet(
    town: Town,
    row: Row,
    now_us: int,
    count: int = NIGHTS,
    plans: Plans | None = None,
    base_w: float = math.inf,
) -> Watched | None:
    """Return the curve of a cabinet over its last whole nights; None when it has no curve. `base_w` is the most that
    burns beside its lamps, when that is known (`bases_of`)."""
    first = last_nights(now_us, count)
    start_us, end_us = noon_us(first), noon_us(first + timedelta(days=count))
    seconds, watts = curve_of(town, row.id, start_us - 3_600_000_000, end_us + 3_600_000_000)
    if len(seconds) < 24:
        return None
    place = (row.geometry or {"coordinates": (2.35, 46.6)})["coordinates"][:2]
    plan = (plans or Plans(town)).of(row)
    nights = nights_for(plan, tuple(place), first, count, town.settings.time_zone)
    base = min(base_w, _standby(seconds, watts, nights))
    cabinet = cabinet_of(row, list(lamps_of(town, cabinet=row.id)), base)
    return Watched(
        row,
        cabinet,
        tuple(nights),
        first,
        seconds,
        watts,
        night_levels(seconds, watts, cabinet, nights),
    )


def _standby(seconds: Floats, watts: Floats, nights: list[Night]) -> float:
    """Return what is drawn when nothing should burn: a low quantile, so that a day burner does not raise it."""
    dark = np.ones(len(seconds), bool)
    for night in nights:
        a, b = np.searchsorted(seconds, (night.on - 5400, night.off + 5400))
        dark[a:b] = False
    day = watts[dark]
    return float(np.quantile(day, _STANDBY_QUANTILE)) if len(day) >= 8 else 0.0


def watch_one(one: Watched, others: list[Watched]) -> Watch:
    """Return what a cabinet's curve says, its neighbours' common move taken away."""
    near = sorted(
        (o for o in others if o.row.id != one.row.id and o.cabinet.lamps), key=lambda o: _away(one, o)
    )[:NEIGHBOURS]
    levels = np.array([o.level for o in near]) if len(near) > 1 else None
    return watch_cabinet(one.seconds, one.watts, one.cabinet, one.nights, levels)


def _away(a: Watched, b: Watched) -> float:
    return math.inf if a.place is None or b.place is None else math.dist(a.place, b.place)


def watch_town(town: Town, now_us: int | None = None) -> int:
    """Watch every cabinet, keep what is found and from what on it can be known; return how many findings are open."""
    if "cabinet" not in town.store.records.collections:
        return 0
    now = town.clock() if now_us is None else now_us
    plans, rows = Plans(town), list(town.store.records.all("cabinet"))
    bases = bases_of(town)
    read = (read_cabinet(town, row, now, plans=plans, base_w=bases.get(row.id, math.inf)) for row in rows)
    watched = [one for one in read if one is not None]
    held: dict[int, list[Row]] = {}
    for row in town.store.records.all("lighting_finding"):
        held.setdefault(row.values["cabinet"], []).append(row)
    count, knows = 0, {str(row.id): Known("no_curve", None, 0) for row in rows}
    with town.store.records.writer(SYSTEM, "Courbes des armoires") as writer:
        for one in watched:
            seen = watch_one(one, watched)
            knows[str(one.row.id)] = Known(seen.why, seen.least, len(one.cabinet.lamps), one.cabinet.base_w)
            told = _settled(one, seen.findings, held.get(one.row.id, []))
            count += sum(values["state"] == "open" for _, values in told)
            for begun, values in told:
                if begun is None:
                    writer.create("lighting_finding", values, one.row.geometry, one.row.territory)
                elif any(begun.values[k] != v for k, v in values.items()):
                    writer.change("lighting_finding", begun.id, values)
    town.store.set_setting(KNOWS, {"at": now, "cabinets": msgspec.to_builtins(knows)})
    return count


def known_of(town: Town) -> tuple[int | None, dict[int, Known]]:
    """Return when the curves were last looked at, and from what on each cabinet's can tell."""
    told = town.store.setting(KNOWS)
    if not told:
        return None, {}
    cabinets = msgspec.convert(told["cabinets"], dict[str, Known])
    return int(told["at"]), {int(number): known for number, known in cabinets.items()}


def bases_of(town: Town) -> dict[int, float]:
    """Return what burned beside the lamps (W) before the anomaly that is open, of cabinets where one burns by day: when it
    lasts, nothing else tells it from what always burns."""
    _, known = known_of(town)
    rows = town.store.records.all("lighting_finding", Query(where={"state": "open", "kind": _BY_DAY}))
    return {number: known[number].base_w for row in rows if (number := row.values["cabinet"]) in known}


def _settled(
    one: Watched, findings: Sequence[Finding], held: Sequence[Row]
) -> list[tuple[Row | None, dict[str, Any]]]:
    """Return what is to be written of a cabinet: each finding beside the record that it goes on with, if any.

    What lasts since before the first night looked at is the finding that was open then. What a whole night shows (dark,
    stuck, a wrong clock) and is shown no more is over.
    """
    told: list[tuple[Row | None, dict[str, Any]]] = []
    for finding in findings:
        values = _values(one, finding)
        row = next((r for r in held if r.values["code"] == values["code"]), None)
        if row is None and finding.night == 0:
            begun = noon_us(one.first)
            same = (r for r in held if r.values["kind"] == finding.kind and r.values["since"] < begun)
            row = max((r for r in same if r.values["state"] == "open"), key=lambda r: r.values["since"], default=None)  # fmt: skip
            if row is not None:
                values |= {"code": row.values["code"], "since": row.values["since"]}
        told.append((row, values))
    going_on = {row.id for row, _ in told if row is not None}
    ended: dict[str, Any] = {"state": "over", "ended": noon_us(one.first + timedelta(days=_last_known(one)))}
    seen_by_night = [r for r in held if r.values["state"] == "open" and r.values["kind"] in _BY_NIGHT]
    return [*told, *((row, ended) for row in seen_by_night if row.id not in going_on)]


def _last_known(one: Watched) -> int:
    return max((n for n, level in enumerate(one.level) if np.isfinite(level)), default=len(one.nights) - 1)


def _values(one: Watched, finding: Finding) -> dict[str, Any]:
    since = one.first + timedelta(days=finding.night)
    over = finding.last < _last_known(one)
    return {
        "code": f"{one.row.values['code']}/{finding.kind}/{since.isoformat()}", "cabinet": one.row.id, "kind": finding.kind,
        "since": noon_us(since), "amount": float(finding.amount), "state": "over" if over else "open",
        "ended": noon_us(one.first + timedelta(days=finding.last + 1)) if over else None,
    }  # fmt: skip


def report_of(town: Town, now_us: int, count: int = NIGHTS) -> list[dict[str, Any]]:
    """Return what every cabinet's curve says, as JSON values; a cabinet without curve or lamps says why nothing is known."""
    rows = list(town.store.records.all("cabinet"))
    plans, bases = Plans(town), bases_of(town)
    watched = {
        row.id: read_cabinet(town, row, now_us, count, plans, bases.get(row.id, math.inf)) for row in rows
    }
    known = [one for one in watched.values() if one is not None]
    told = []
    for row in rows:
        one = watched[row.id]
        seen = None if one is None else watch_one(one, known)
        told.append({
            "cabinet": row.values["code"], "lamps": len(one.cabinet.lamps) if one else 0, "knows": seen.why if seen else "no_curve",
            "least_lamps": seen.least if seen else None,
            "findings": [] if one is None or seen is None else [
                {"kind": f.kind, "since": (one.first + timedelta(days=f.night)).isoformat(), "amount": f.amount,
                 "until": (one.first + timedelta(days=f.last)).isoformat()}
                for f in seen.findings
            ],
        })  # fmt: skip
    return told
