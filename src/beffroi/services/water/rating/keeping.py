"""Keep the rating of each station up to date with its gaugings, and compute the discharge from the level with it.

The derived series is a datastream of its own, never mixed with what was measured: a value is written for a level at which
the station's own discharge is missing or doubtful.
"""

import hashlib
import logging
from collections.abc import Sequence

import msgspec
import numpy as np
from sqlalchemy import select

from beffroi.intake.identify import Entrance, identify
from beffroi.intake.source_keys import sent_key
from beffroi.model.instant import DAY_US, HOUR_US, MINUTE_US
from beffroi.model.observation import Draft, Observation, Quality
from beffroi.model.principal import SYSTEM
from beffroi.model.result import number_of
from beffroi.services.water.own_series import known_series
from beffroi.services.water.rating.gaugings import Gauging
from beffroi.services.water.rating.table import RatingTable, table_of
from beffroi.services.water.rating.tracking import ShiftTracker
from beffroi.standards.reading import Series, Station
from beffroi.store.good import LEFT_ASIDE
from beffroi.store.record import Query, Row
from beffroi.store.tables import datastream, thing
from beffroi.town import Town

__all__ = [
    "LEAST",
    "current_rating",
    "derive",
    "gaugings_of",
    "import_file",
    "rate",
    "rated_series",
    "series_id",
]

log = logging.getLogger("beffroi.water")
LEAST = 3  # gaugings, below which a station has no curve
_LATE_US = 3 * HOUR_US  # how far back late levels are looked for
_FIRST_US = 30 * DAY_US  # how far back the first computation goes


def gaugings_of(town: Town, station_id: int) -> list[Row]:
    """Return the gaugings of a station, in the order of time."""
    return list(town.store.records.all("gauging", Query(where={"station": station_id}, sort="at")))


def current_rating(town: Town, station_id: int) -> tuple[Row, RatingTable] | None:
    """Return the last version of a station's curve and its table, if it has one."""
    found = town.store.records.find(
        "rating_version", Query(where={"station": station_id}, sort="-_id", limit=1)
    ).rows
    return (found[0], msgspec.convert(found[0].values["curve"], RatingTable)) if found else None


def rate(town: Town, station: Row) -> Row | None:
    """Make the curve of a station again when its gaugings changed; return the new version, if any."""
    rows = [r for r in gaugings_of(town, station.id) if r.values["discharge"] > 0]
    if len(rows) < LEAST:
        return None
    told = [
        (r.values["at"] / 1e6, r.values["stage"], r.values["discharge"], r.values["sigma_percent"] / 100)
        for r in rows
    ]
    basis = hashlib.sha256(repr(told).encode()).hexdigest()[:32]
    known = current_rating(town, station.id)
    if known is not None and known[0].values["basis"] == basis:
        return None
    first = max(LEAST, min(len(told) // 3, 10))
    tracker = ShiftTracker(told[:first])
    tracker.shifts.clear()
    errors = []
    for gauging in told[first:]:
        seen = tracker.look(gauging[0], gauging[1])
        errors.append(abs(tracker.estimate(seen).discharge / gauging[2] - 1) * 100)
        tracker.take(*gauging, seen)
    moved = bool(tracker.shifts) and tracker.shifts[-1] == told[-1][0]
    tracker = ShiftTracker(told)
    stages = [t[1] for t in told]
    table = table_of(tracker, told[-1][0], min(stages), max(stages))
    zero, spread = tracker.zero()
    values = {
        "station": station.id, "since": rows[-1].values["at"], "gaugings": len(told), "zero_m": round(zero, 4),
        "zero_sigma_m": round(spread, 4), "shifted": moved, "error_percent": round(float(np.median(errors)), 2) if errors else None,
        "lowest_m": min(stages), "highest_m": max(stages), "curve": msgspec.to_builtins(table), "basis": basis,
    }  # fmt: skip
    gaugings = len(told)
    return town.store.records.put(
        "rating_version", values, territory=station.territory, who=SYSTEM, reason=f"{gaugings} jaugeages"
    )


def derive(town: Town, station: Row) -> int:
    """Write the discharge of the levels that have none measured; return how many were written."""
    level, known = station.values["level"], current_rating(town, station.id)
    if level is None or known is None:
        return 0
    version, table = known
    now, place = town.clock(), f"water.rated.{station.id}"
    reached = town.store.setting(place)
    since = now - _FIRST_US if reached is None else min(int(reached), now) - _LATE_US
    levels = town.store.observations.series(level, since, now + 1)
    if not levels:
        return 0
    wanted = _unmeasured(town, station, levels, since, now)
    number = rated_series(town, station) if wanted else 0
    drafts = [_draft(number, one, table, version) for one in wanted]
    stored = town.store.observations.append(drafts).stored if drafts else 0
    town.store.set_setting(place, levels[-1].start_us)
    return stored


def _unmeasured(
    town: Town, station: Row, levels: Sequence[Observation], since: int, now: int
) -> list[Observation]:
    """Return the good levels near which the station's own discharge has no good value."""
    near = max(station.values["period_min"], 1) * MINUTE_US
    flow = station.values["flow"]
    measured = (
        []
        if flow is None or flow == known_series(town, station, "rated")
        else town.store.observations.series(flow, since - near, now + near)
    )
    times = np.array(
        [o.start_us for o in measured if o.result.value is not None and o.quality not in LEFT_ASIDE],
        dtype=np.int64,
    )
    good = [o for o in levels if o.result.value is not None and o.quality not in LEFT_ASIDE]
    if not len(times):
        return good
    at = np.array([o.start_us for o in good], dtype=np.int64)
    after = np.clip(np.searchsorted(times, at), 0, len(times) - 1)
    before = np.clip(after - 1, 0, None)
    gap = np.minimum(np.abs(times[after] - at), np.abs(times[before] - at))
    return [o for o, far in zip(good, gap > near, strict=True) if far]


def _draft(number: int, level: Observation, table: RatingTable, version: Row) -> Draft:
    said = table.read(float(level.result.value or 0.0))
    bounds = [round(said.low, 4), round(said.high, 4) if np.isfinite(said.high) else None]
    extra = {
        "resultQuality": {"interval90": bounds, "flags": list(said.flags)},
        "parameters": {"method": "rating", "rating_version": version.id, "stage_m": level.result.value},
    }  # fmt: skip
    return Draft(
        number, level.start_us, number_of(f"{said.discharge:.4g}"),
        quality=int(Quality.SUSPECT if said.flags and said.flags[0] != "below_zero_flow" else Quality.ESTIMATED),
        extra=msgspec.json.encode(extra).decode(), source_key=sent_key(number, b"rated", b"%d" % level.id),
    )  # fmt: skip


def rated_series(town: Town, station: Row) -> int:
    """Return the datastream of a station's discharge computed from its level, made at first need."""
    return series_id(
        town, station, "rated", "discharge", "Débit calculé d'après la hauteur", "Courbe de tarage"
    )


def series_id(town: Town, station: Row, key: str, code: str, name: str, method: str) -> int:
    """Return the datastream `{station}/{key}` of a kind, on the thing that measures the station's level."""
    with town.store.read() as c:
        row = None
        if station.values["level"] is not None:
            on = select(thing.c.key, thing.c.name).join(datastream, datastream.c.thing_id == thing.c.id)
            row = c.execute(on.where(datastream.c.id == station.values["level"])).first()
    code_of = station.values["code"]
    place = Station(
        row.key if row and row.key else f"river_station/{code_of}",
        row.name if row else station.values["name"],
    )
    series = Series(f"water/{code_of}/{key}", code, place, name=name, method=method)
    found = identify(
        town.store, town.registry.datastream_kind, [series], numeric=lambda _: True, door=Entrance(territory=station.territory),
        service_of=town.registry.service_of,
    )  # fmt: skip
    return found[series.key].id


def import_file(town: Town, station: Row, gaugings: Sequence[Gauging], who: object) -> tuple[int, int]:
    """Write gaugings read from a file; return how many are new and how many were known."""
    known = {
        (r.values["at"], r.values["stage"], r.values["discharge"]) for r in gaugings_of(town, station.id)
    }
    fresh = [g for g in gaugings if (round(g.at * 1e6), g.stage, g.discharge) not in known]
    with town.store.records.writer(who, "Fichier de jaugeages") as writer:  # type: ignore[arg-type]
        for g in fresh:
            values = {
                "station": station.id, "at": round(g.at * 1e6), "stage": g.stage, "discharge": g.discharge,
                "sigma_percent": round(min(max(g.sigma * 100, 0.5), 100.0), 3),
            }  # fmt: skip
            writer.create("gauging", values, None, station.territory)
    return len(fresh), len(gaugings) - len(fresh)
