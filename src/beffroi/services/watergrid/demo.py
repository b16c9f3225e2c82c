"""The water of the demonstration town: a small network under the centre's streets, two metered areas, known leaks.

What the areas are like is learnt on an archive of the months before the history, which the town's series do not hold; the
leaks are then found by the same daily round as in a real town, on a few days of the history and at its end.
"""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beffroi.model.instant import DAY_US, HOUR_US
from beffroi.model.principal import SYSTEM, Principal
from beffroi.scene import Scene
from beffroi.scene.plan import wgs84
from beffroi.scene.waterworks import AREAS, USERS, Grid, Waterworks
from beffroi.services.watergrid.areas.judging import learn_area
from beffroi.services.watergrid.areas.places import keep_signatures
from beffroi.services.watergrid.areas.reading import last_day, local_day
from beffroi.services.watergrid.areas.round import look_round
from beffroi.services.watergrid.leaks.balance import learn
from beffroi.services.watergrid.leaks.locate import Nights
from beffroi.services.watergrid.leaks.signature import LEVELS_M3H, Signatures
from beffroi.store.record import Query, Row
from beffroi.store.record_writer import Writer, draft
from beffroi.town import Town

__all__ = ["archive", "build"]

Event = tuple[int, Callable[[], None]]
_ARCHIVE_DAYS, _YEAR_DAYS = 112, 365
_NIGHTS = 60
_AGENT = Principal("user:demo-technique", "Bruno Marchand", "agent", ("18901",))
_INFLOWS = {"CENTRE": "CPT01-CPT02", "FAUBOURGS": "CPT02"}
_ROUNDS_AFTER_DAYS = (2, 5, 9, 14)


def build(town: Town, scene: Scene) -> Iterator[Event]:
    """Write the network and its areas; return the rounds that find the leaks, and the repair of the first."""
    works = scene.waterworks
    commune = scene.communes[0].code
    with town.store.records.writer(SYSTEM, "Reprise du plan de réseau") as writer:
        _network(town, writer, works.grid, commune)
        _areas(town, writer, scene, commune)
        _years(writer, scene, commune)
    yield scene.start_us, lambda: _learn(town, scene)
    days = {scene.end_us - 1}
    for burst in works.bursts:
        days |= {burst.start_us + k * DAY_US for k in _ROUNDS_AFTER_DAYS}
        if burst.end_us is not None:
            days.add(burst.end_us + 2 * DAY_US)
    for at in sorted(d for d in days if scene.start_us + 2 * DAY_US <= d < scene.end_us):
        yield at, lambda: look_round(town)
    first = works.bursts[0]
    if first.start_us > scene.start_us:
        yield first.start_us + 4 * DAY_US, lambda: _send(town, scene)


def _network(town: Town, writer: Writer, grid: Grid, commune: str) -> None:
    sensors = set(grid.sensors())
    draw = grid.share
    nodes = [
        ({
            "code": grid.code(i), "kind": "tank" if i == grid.source else "junction", "elevation_m": round(float(grid.elevation[i]) + 140, 1),
            "demand_m3h": round(float(draw[i]) * 10.75, 3), "subscribers": round(float(draw[i]) * AREAS["CENTRE"][1]), "sensor": i in sensors,
        }, {"type": "Point", "coordinates": wgs84(place)})
        for i, place in enumerate(grid.places)
    ]  # fmt: skip
    pipes = [
        ({
            "code": p.code, "start": grid.code(p.start), "end": grid.code(p.end), "length_m": round(p.course.length, 1),
            "diameter_mm": p.diameter_mm, "material": "fonte grise" if p.laid < 1965 else "fonte ductile" if p.laid < 1990 else "PVC",
            "laid": p.laid, "area": "CENTRE", "state": "open",
        }, {"type": "LineString", "coordinates": wgs84(p.course)})
        for p in grid.pipes
    ]  # fmt: skip
    valves = [
        ({"code": f"V{i + 1:02d}", "kind": "gate", "pipe": p.code, "diameter_mm": p.diameter_mm, "state": "open"},
         {"type": "Point", "coordinates": wgs84(p.course.interpolate(min(3.0, p.course.length / 2)))})
        for i, p in enumerate(grid.pipes[::3])
    ]  # fmt: skip
    for collection, rows in (("water_node", nodes), ("water_pipe", pipes), ("water_valve", valves)):
        shelf = town.store.records.shelf(collection)
        writer.create_many(shelf, [draft(shelf.collection, v, g, commune) for v, g in rows])


def _areas(town: Town, writer: Writer, scene: Scene, commune: str) -> None:
    grid = scene.waterworks.grid
    from shapely.geometry import MultiPoint  # noqa: PLC0415

    hull = MultiPoint(grid.places).convex_hull.buffer(25)
    lengths = {"CENTRE": round(sum(p.course.length for p in grid.pipes) / 1000, 2), "FAUBOURGS": 31.4}
    for code, (name, homes, _, _) in AREAS.items():
        values = {
            "code": code, "name": name, "inflow": _INFLOWS[code], "households": homes, "connections": round(homes * 0.8),
            "length_km": lengths[code], "pressure_m": 44.0, "price_eur_m3": 1.1,
        }  # fmt: skip
        shape = {"type": "Polygon", "coordinates": wgs84(hull)} if code == "CENTRE" else None
        writer.create("water_area", values, shape, commune)
    for code, name, place, nominal in (
        ("CPT01", "Sortie du château d'eau", grid.places[grid.source], 100.0),
        ("CPT02", "Départ des faubourgs", min(grid.places, key=lambda p: p[1]), 63.0),
    ):
        writer.create("water_meter", {"code": code, "name": name, "nominal_m3h": nominal, "diameter_mm": 150.0}, {"type": "Point", "coordinates": wgs84(place)}, commune)  # fmt: skip
    for serial, (code, (name, nominal, *_)) in enumerate(USERS.items()):
        values = {
            "code": code,
            "name": name,
            "nominal_m3h": nominal,
            "diameter_mm": 40.0 if nominal < 25 else 80.0,
        }
        at = {"type": "Point", "coordinates": wgs84(grid.places[7 + 11 * serial])}
        writer.create("water_meter", values, at, commune)
    for code, name, kind, served, place in (
        ("step-entree", "Entrée de la station d'épuration", "inlet", 2100, (240.0, -560.0)),
        ("deversoir-pont", "Déversoir d'orage du pont", "overflow", None, (235.0, -120.0)),
    ):
        values = {"code": code, "name": name, "kind": kind, "households": served}
        writer.create("sewer_point", values, {"type": "Point", "coordinates": wgs84(place)}, commune)
    del town


def _years(writer: Writer, scene: Scene, commune: str) -> None:
    last = (datetime(1970, 1, 1) + timedelta(microseconds=scene.end_us)).year - 1  # noqa: DTZ001 -- a year number
    for ago, (produced, domestic, other) in enumerate(
        ((241_300, 171_900, 18_200), (246_800, 173_100, 17_600))
    ):
        values: dict[str, Any] = {
            "code": str(last - ago), "produced_m3": float(produced), "imported_m3": 0.0, "exported_m3": 6_400.0, "domestic_m3": float(domestic),
            "other_m3": float(other), "unmetered_m3": 1_900.0, "service_m3": 1_200.0 if ago else None, "length_km": 37.3, "renewed_km": 1.1,
            "scarce": False, "days": 365,
        }  # fmt: skip
        writer.create("water_year", values, None, commune)


def _learn(town: Town, scene: Scene) -> None:
    """Learn the areas on the months before the history, and keep what a leak would do to the sensors."""
    works = scene.waterworks
    last = last_day(scene.start_us)
    first = last - timedelta(days=_ARCHIVE_DAYS - 1)
    for area in list(town.store.records.all("water_area")):
        code = area.values["code"]
        year = archive(works, code, last - timedelta(days=_YEAR_DAYS - 1), _YEAR_DAYS)
        learn_area(town, area, year[-_ARCHIVE_DAYS:], first)
        _standing(town, area, year, last - timedelta(days=_YEAR_DAYS - 1))
        if code == "CENTRE":
            keep_signatures(
                town,
                area,
                _signatures(works.grid, works.use(code, local_day(first + timedelta(hours=27)))),
                _calm(works, last),
            )


def _standing(town: Town, area: Row, year: NDArray[np.float64], first: datetime) -> None:
    """Keep what an area lost before: it takes the seasons of a year to tell that from what is always used."""
    found = learn(year, first.weekday(), first.timetuple().tm_yday)
    town.store.records.put("water_area", {"standing_m3h": round(found.standing, 2)}, id=area.id, who=SYSTEM, reason="Secteur appris")  # fmt: skip


def archive(works: Waterworks, code: str, first: datetime, days: int) -> NDArray[np.float64]:
    """Return the inflow of an area by the clock on the wall, days × 24 from 06:00, m³/h, as a town's meters are read."""
    starts = [local_day(first + timedelta(hours=6 + h)) for h in range(days * 24)]
    return np.array([works.inflow(code, at, at + HOUR_US) for at in starts]).reshape(days, 24)


def _signatures(grid: Grid, use_m3h: float) -> Signatures:
    sensors = grid.sensors()
    calm = grid.pressures(grid.loaded(use_m3h, {}))[sensors]
    more = grid.pressures(grid.loaded(use_m3h * 1.01, {}))[sensors]
    drop = np.array([
        [(calm - grid.pressures(grid.loaded(use_m3h, {p.code: flow}))[sensors]) / flow for p in grid.pipes] for flow in LEVELS_M3H
    ])  # fmt: skip
    return Signatures(
        tuple(p.code for p in grid.pipes), tuple(grid.code(i) for i in sensors), drop, calm - more
    )


def _calm(works: Waterworks, last: datetime) -> Nights:
    """Return the nights before the history, as the sensors would have measured them."""
    sensors = works.grid.sensors()
    first = last - timedelta(days=_NIGHTS - 1)
    noise = np.random.default_rng(7)
    nights = [
        [works.pressure(i, local_day(first + timedelta(days=k, hours=3))) for i in sensors]
        for k in range(_NIGHTS)
    ]
    values = np.array(nights) + 0.004 * noise.standard_normal((_NIGHTS, len(sensors)))
    return Nights((first - datetime(1970, 1, 1)).days, values)  # noqa: DTZ001


def _send(town: Town, scene: Scene) -> None:
    """Plan the repair of the first leak."""
    rows = town.store.records.find("water_leak", Query(sort="detected", limit=1)).rows
    if rows:
        when = date(1970, 1, 1) + timedelta(days=scene.waterworks.bursts[0].end_us // DAY_US)  # type: ignore[operator]
        values = {"intervention": when, "team": "Régie des eaux"}
        town.store.records.put(
            "water_leak", values, id=rows[0].id, who=_AGENT, reason="Réparation programmée"
        )
