"""The stock as the lighting service reads it: the assets service's lamps, supports and cabinets, through the records of
the platform by the names of its collections; the load curves of cabinets; the tree from cabinet to lamp."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
from sqlalchemy import select

from beffroi.model.instant import to_datetime
from beffroi.model.problem import NotFound
from beffroi.model.text import Text
from beffroi.services.lighting.calendars import Plan, choose
from beffroi.services.lighting.energy import Stock, losses_of
from beffroi.services.lighting.schedule import (
    Nights,
    clock_instants,
    nights_of,
)
from beffroi.services.lighting.watch import Cabinet, Floats, Night
from beffroi.store.good import LEFT_ASIDE
from beffroi.store.record import Query, Row
from beffroi.store.tables import datastream, thing
from beffroi.town import Town

__all__ = [
    "Feeder",
    "arrays_of",
    "cabinet_of",
    "curve_of",
    "lamps_of",
    "nights_for",
    "require_stock",
    "tree_of",
]

AWAY = ("planned", "removed")
_COLLECTIONS = ("lamp", "support", "cabinet")


class Feeder(msgspec.Struct, frozen=True):
    """One feeder of a cabinet: its supports, each with its lamps."""

    name: str
    supports: tuple[tuple[Row | None, tuple[Row, ...]], ...]

    @property
    def lamps(self) -> int:
        """How many lamps it feeds."""
        return sum(len(lamps) for _, lamps in self.supports)


def require_stock(town: Town) -> None:
    """Raise `NotFound` when no service keeps lamps, supports and cabinets."""
    if any(name not in town.store.records.collections for name in _COLLECTIONS):
        raise NotFound(
            Text("Aucun service ne tient les points lumineux.", "No service keeps light points."),
            Text("Installez le service Patrimoine (equipment).", "Install the assets service (equipment)."),
        )


def lamps_of(town: Town, territories: tuple[str, ...] | None = None, **where: Any) -> Iterator[Row]:
    """Yield the lamps that are installed."""
    rows = town.store.records.all("lamp", Query(where=where, territories=territories))
    return (row for row in rows if row.values["state"] not in AWAY)


def arrays_of(rows: Iterable[Row], assumed_w: float | None = None) -> tuple[Stock, int]:
    """Return the lamps as arrays, and how many were left out: without place, or without power unless one is assumed."""
    kept, left = [], 0
    for row in rows:
        watts = assumed_w if row.values["power_w"] is None else row.values["power_w"]
        if row.geometry is None or row.geometry["type"] != "Point" or watts is None:
            left += 1
            continue
        kept.append((*row.geometry["coordinates"][:2], watts, row.values["source"]))
    points = np.array([k[:3] for k in kept], np.float64).reshape(-1, 3)
    return Stock(points[:, 0], points[:, 1], points[:, 2], losses_of([k[3] for k in kept])), left


def tree_of(town: Town, cabinet_id: int) -> list[Feeder]:
    """Return the feeders of a cabinet, each with its supports and lamps."""
    lamps = sorted(lamps_of(town, cabinet=cabinet_id), key=lambda r: str(r.values["code"]))
    wanted = sorted({row.values["support"] for row in lamps if row.values["support"]})
    supports: dict[int, Row] = {}
    for start in range(0, len(wanted), 400):
        part = town.store.records.find(
            "support", Query(where={"_id": wanted[start : start + 400]}, limit=400)
        )
        supports |= {row.id: row for row in part.rows}
    by_feeder: dict[str, dict[int, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in lamps:
        by_feeder[str(row.values["feeder"] or "")][row.values["support"] or 0].append(row)
    return [
        Feeder(name, tuple((supports.get(number), tuple(held)) for number, held in posts.items()))
        for name, posts in sorted(by_feeder.items())
    ]


def cabinet_of(row: Row, lamps: Sequence[Row], base_w: float = 0.0) -> Cabinet:
    """Return a cabinet as its curve is watched: lamps without power are counted at the mean of the others."""
    known = [r.values["power_w"] for r in lamps if r.values["power_w"]]
    mean = sum(known) / len(known) if known else 0.0
    losses = losses_of([r.values["source"] for r in lamps])
    watts = [float((r.values["power_w"] or mean) * (1 + loss)) for r, loss in zip(lamps, losses, strict=True)]
    return Cabinet(str(row.values["code"]), tuple(w for w in watts if w > 0), base_w)


def curve_of(town: Town, cabinet_id: int, start_us: int, end_us: int) -> tuple[Floats, Floats]:
    """Return the load curve of a cabinet: starts of its slots (seconds since 1970) and watts, the doubtful left out."""
    columns = (
        select(datastream.c.id, datastream.c.unit_symbol, datastream.c.expected_interval_us)
        .join(thing, thing.c.id == datastream.c.thing_id)
        .where(
            thing.c.collection == "cabinet",
            thing.c.record_id == cabinet_id,
            datastream.c.kind == "active_power",
        )
    )
    with town.store.read() as c:
        found = c.execute(columns.order_by(datastream.c.id)).first()
    if found is None:
        return np.empty(0), np.empty(0)
    scale = 1000.0 if found[1] == "kW" else 1.0
    # an instant is the stamp of what was measured up to it; an interval says itself where it begins
    back = (found[2] or 0) / 1e6
    rows = [
        (o.start_us / 1e6 - (0.0 if o.end_us is not None else back), o.result.value * scale)
        for o in town.store.observations.series(found[0], start_us, end_us)
        if o.result.value is not None and o.quality not in LEFT_ASIDE
    ]
    points = np.array(rows, np.float64).reshape(-1, 2)
    return points[:, 0], points[:, 1]


def nights_for(plan: Plan, place: tuple[float, float], first: date, count: int, zone: str) -> list[Night]:
    """Return the nights that a cabinet should have, each as spans of constant level."""
    codes = choose(plan.calendar, first, count)
    made: dict[str, Nights] = {}
    found = []
    for n, code in enumerate(codes):
        if code not in made:
            made[code] = nights_of(
                plan.programs[code], np.array([place[0]]), np.array([place[1]]), first, count, zone
            )
        nights, program = made[code], plan.programs[code]
        on, off = float(nights.on[0, n]), float(nights.off[0, n])
        steps = [clock_instants(zone, int(nights.days[0]), count, s.minutes)[n] for s in program.steps]
        edges = [on, *(min(max(float(s), on), off) for s in steps), off]
        levels = [program.level, *(s.level for s in program.steps)]
        spans = tuple((a, b, level) for a, b, level in zip(edges, edges[1:], levels, strict=False) if b > a)
        found.append(Night(on, off, spans))
    return found


def last_nights(now_us: int, count: int) -> date:
    """Return the day on which the first of the last `count` whole nights began."""
    moment = to_datetime(now_us).astimezone(UTC)
    today = moment.date() if moment.hour >= 12 else moment.date() - timedelta(days=1)
    return today - timedelta(days=count)


def noon_us(day: date) -> int:
    """Return noon (UTC) of a day in microseconds."""
    return int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()) * 1_000_000
