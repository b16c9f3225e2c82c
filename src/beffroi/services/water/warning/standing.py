"""How a river stands now: colour, level, which way it goes, how old that is, what the next threshold is."""

from typing import Any

import msgspec
from sqlalchemy import select

from beffroi.model.instant import DAY_US, HOUR_US, MINUTE_US
from beffroi.model.observation import Observation
from beffroi.services.water.warning.images import latest
from beffroi.services.water.warning.keeping import LIVE, current
from beffroi.services.water.warning.messages import slug_of
from beffroi.services.water.warning.ranks import COLOURS, rank, worst
from beffroi.services.water.warning.thresholds import QUIET_PERIODS
from beffroi.store.good import LEFT_ASIDE
from beffroi.store.record import Query, Row
from beffroi.store.tables import datastream
from beffroi.town import Town

__all__ = ["Limit", "River", "Standing", "rivers", "standing_of"]

STEADY_M = 0.02  # less in an hour is the ripple of the water


class Limit(msgspec.Struct, frozen=True):
    """A threshold on the level."""

    colour: str
    value: float


class Standing(msgspec.Struct, frozen=True):
    """A station now. `colour` is "" when nothing can be said: no threshold, or silent without a warning. `change_m` is the rise
    of the last hour; `points` the level of the last day; `vigicrues` the State's colour for its section."""

    station: Row
    colour: str
    warning: Row | None
    confirmed: bool
    level_m: float | None
    at_us: int | None
    change_m: float | None
    flow_m3_s: float | None
    silent: bool
    image: Row | None
    limits: tuple[Limit, ...]
    points: tuple[tuple[int, float], ...]
    vigicrues: str = ""

    @property
    def arrow(self) -> str:
        """ "up", "down", "steady", or "" when it is not known."""
        if self.change_m is None:
            return ""
        return "steady" if abs(self.change_m) < STEADY_M else "up" if self.change_m > 0 else "down"


class River(msgspec.Struct, frozen=True):
    """A river and its stations, going downstream."""

    name: str
    slug: str
    stations: tuple[Standing, ...]

    @property
    def colour(self) -> str:
        """The highest colour of its stations; "" when none is known."""
        known = [s.colour for s in self.stations if s.colour]
        return worst(*known) if known else ""

    @property
    def worst(self) -> Standing:
        """The station to look at first: the highest colour, then a silent one, then the furthest downstream."""
        return max(
            self.stations, key=lambda s: (rank(s.colour or "vert"), s.silent, s.station.values["position"])
        )


def rivers(town: Town, slug: str = "") -> list[River]:
    """Return the town's rivers by name, or the one at an address."""
    found: dict[str, list[Row]] = {}
    for station in town.store.records.all("river_station", Query(sort="position")):
        name = station.values["river"]
        if not slug or slug_of(name) == slug:
            found.setdefault(name, []).append(station)
    return [
        River(name, slug_of(name), tuple(standing_of(town, row) for row in rows))
        for name, rows in sorted(found.items())
    ]


def _good(town: Town, number: int | None, since_us: int) -> list[Observation]:
    if number is None:
        return []
    found = town.store.observations.series(number, since_us)
    return [o for o in found if o.result.value is not None and o.quality not in LEFT_ASIDE]


def standing_of(town: Town, station: Row) -> Standing:
    """Return how a station stands."""
    v, now = station.values, town.clock()
    levels = _good(town, v["level"], now - DAY_US - HOUR_US)
    flows = _good(town, v["flow"], now - 3 * HOUR_US)
    points = tuple((o.start_us, o.result.value or 0.0) for o in levels)
    warning = current(town, station.id)
    live = warning is not None and warning.values["state"] in LIVE
    limits = _limits(town, station.id)
    quiet = QUIET_PERIODS * v["period_min"] * MINUTE_US
    last = _last(town, v["level"] or v["flow"])
    silent = last is None or now - last > quiet
    colour = (
        warning.values["colour"] if warning is not None and live else "" if silent or not limits else "vert"
    )
    level = points[-1][1] if points else None
    return Standing(
        station, colour, warning if live else None, live and warning is not None and warning.values["state"] == "confirmed",
        level, points[-1][0] if points else last, _change(points), flows[-1].result.value if flows else None, silent,
        latest(town, station.id), limits, points, _vigicrues(town, v["vigicrues"]),
    )  # fmt: skip


def _last(town: Town, number: int | None) -> int | None:
    if number is None:
        return None
    found = town.store.observations.last([number]).get(number)
    return None if found is None else found.start_us


def _limits(town: Town, station_id: int) -> tuple[Limit, ...]:
    rows = town.store.records.find(
        "river_threshold", Query(where={"station": station_id, "quantity": "level"}, limit=50)
    ).rows
    return tuple(
        sorted((Limit(r.values["colour"], r.values["value"]) for r in rows), key=lambda limit: limit.value)
    )


def _change(points: tuple[tuple[int, float], ...]) -> float | None:
    """Return the rise of the last hour, in metres: from the last value that is an hour old or more, per hour."""
    if not points:
        return None
    end = points[-1][0]
    before = [p for p in points if end - 3 * HOUR_US <= p[0] <= end - HOUR_US]
    if not before:
        return None
    return (points[-1][1] - before[-1][1]) * HOUR_US / (end - before[-1][0])


def _vigicrues(town: Town, section: str | None) -> str:
    """Return the State's colour for a section, when a connector reads it."""
    if not section:
        return ""
    key = f"vigicrues/section/{section}/colour"
    with town.store.read() as connection:
        number: Any = connection.execute(select(datastream.c.id).where(datastream.c.key == key)).scalar()
    found = town.store.observations.last([number]).get(number) if number is not None else None
    fits = found is not None and found.result.value in (1, 2, 3, 4) and town.clock() - found.start_us < DAY_US
    return COLOURS[int(found.result.value or 1) - 1] if fits and found is not None else ""
