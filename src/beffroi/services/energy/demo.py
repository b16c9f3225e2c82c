"""The energy service's part of the demonstration town: meters with known waste.

The school heats at week-ends, the town hall runs by night, the gymnasium had its lamps replaced, the workshop drifts, the library is
well run, and the school's water never stops. What is true is kept beside (setting `demo.energy`).
"""

from collections.abc import Callable, Iterator
from datetime import date
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.intake.identify import OPEN, identify
from beffroi.model.instant import DAY_US, HOUR_US, to_datetime
from beffroi.model.observation import Draft
from beffroi.model.principal import SYSTEM
from beffroi.model.result import number_of
from beffroi.scene import Scene
from beffroi.scene.civil import moment, school_day
from beffroi.scene.plan import Building, wgs84
from beffroi.services.energy.importing import Taken, keep
from beffroi.services.energy.intervals import Interval
from beffroi.services.energy.studying import study_town
from beffroi.standards.reading import Series, Station
from beffroi.store.record import Row
from beffroi.town import Town

__all__ = ["build"]

Array = NDArray[np.float64]
_CURVE_DAYS, _DAYS = 100, 430
_WHOLE_DAYS = 14  # of history, below which a town has a curve as long as its history and no more
_WORKS_AGO, _WORKS_DAYS = 170, 6
_DRIFT_AGO = 38
_DRIFT, _LAMPS = 0.16, 0.28


class _Meter(msgspec.Struct, frozen=True):
    """One invented meter: kW by night and by day, kW per degree under 17 °C, and what is wrong."""

    use: str  # of the building
    code: str
    night: float
    day: float
    heat: float
    fault: str = ""
    zone: str | None = None
    fluid: str = "electricity"


_METERS = (
    _Meter("école", "18901000000011", 1.6, 13.0, 0.75, "weekend", "B"), _Meter("mairie", "18901000000028", 2.0, 11.0, 0.3, "night"),
    _Meter("sport", "18901000000035", 1.5, 15.0, 0.35, "works"), _Meter("culture", "18901000000042", 0.9, 7.0, 0.3),
    _Meter("technique", "18901000000059", 1.4, 9.0, 0.2, "drift"), _Meter("école", "EAU-18901-0007", 0.0, 0.5, 0.0, "leak", "B", "water"),
)  # fmt: skip
_NIGHT_KW, _LEAK_M3 = 4.2, 0.09


def build(town: Town, scene: Scene) -> Iterator[tuple[int, Callable[[], None]]]:
    """Write sites and points, then what their meters told and what was found in it, at the end of the history."""
    buildings = {b.use: b for b in reversed(scene.assets.buildings) if b.commune == scene.communes[0].code}
    with town.store.records.writer(SYSTEM, "Inventaire des compteurs") as writer:
        sites: dict[str, Row] = {}
        for meter in _METERS:
            building = buildings.get(meter.use)
            if building is not None and meter.use not in sites:
                shape = {
                    "type": "Point",
                    "coordinates": wgs84((building.footprint.centroid.x, building.footprint.centroid.y)),
                }
                sites[meter.use] = writer.create(
                    "energy_site", _site(meter, building), shape, building.commune
                )
        points = [
            (meter, writer.create("delivery_point", _point(meter, sites[meter.use]), None, sites[meter.use].territory))
            for meter in _METERS if meter.use in sites
        ]  # fmt: skip
    yield scene.end_us - 2, lambda: _tell(town, scene, points)


def _site(meter: _Meter, building: Building) -> dict[str, Any]:
    surface = round(building.footprint.area * building.floors)
    return {
        "code": f"site-{meter.use}", "name": building.name, "use": meter.use.capitalize(), "surface_m2": float(surface), "zone": meter.zone,
        "reference_year": 2017, "reference_kwh": round(surface * 62.0), "reference_thermal": 55.0,
    }  # fmt: skip


def _point(meter: _Meter, site: Row) -> dict[str, Any]:
    return {
        "code": meter.code, "fluid": meter.fluid, "site": site.id, "use": "Eau" if meter.fluid == "water" else "Tout",
        "price": 4.1 if meter.fluid == "water" else 0.21, "power_kva": None if meter.fluid == "water" else 36.0,
        "tariff": None if meter.fluid == "water" else "BTINFMU4", "supplier": "Régie de l'eau" if meter.fluid == "water" else "Énergies du Berry",
    }  # fmt: skip


class _Sky(msgspec.Struct, frozen=True):
    """The hours before the end of the history: instants, civil day, hour, open for offices and for a school, temperature."""

    at: NDArray[np.int64]
    day: NDArray[np.int64]
    hour: Array
    office: NDArray[np.bool_]
    school: NDArray[np.bool_]
    celsius: Array


def _sky(scene: Scene, days: int) -> _Sky:
    last = scene.end_us // HOUR_US
    at = np.arange(last - days * 24, last)
    moments = [moment(int(t) * HOUR_US) for t in at]
    every = at[::3]
    celsius = np.interp(at, every, [scene.weather.temperature(int(t) * HOUR_US) for t in every])
    return _Sky(
        at, np.array([m[0] for m in moments]), np.array([m[2] for m in moments]), np.array([m[1] < 5 and not m[3] for m in moments]),
        np.array([school_day(m[0], m[1], m[3]) for m in moments]), celsius,
    )  # fmt: skip


def _used(meter: _Meter, sky: _Sky, seed: int) -> Array:
    """Return what a meter counts in each hour."""
    draw = np.random.default_rng([seed, int.from_bytes(meter.code[-6:].encode(), "big")])
    opened = sky.school if meter.use == "école" else sky.office
    busy = np.where(opened, np.clip((sky.hour - 6) / 2, 0, 1) * np.clip((19.5 - sky.hour) / 2, 0, 1), 0.0)
    if meter.fluid == "water":
        flow = meter.day * busy * draw.gamma(4.0, 0.25, len(busy))
        return np.round(flow + _LEAK_M3, 3)
    cold = np.maximum(17.0 - sky.celsius, 0.0)
    by_day = (sky.hour >= 6) & (sky.hour < 20)
    heated = np.where(meter.fault == "weekend", by_day, by_day & opened) * 1.0
    used = meter.night + meter.day * busy + meter.heat * cold * heated
    if meter.fault == "night":
        used = used + _NIGHT_KW
    age = (sky.at[-1] + 1 - sky.at) // 24
    if meter.fault == "works":
        used = np.where(age <= _WORKS_AGO, used - _LAMPS * meter.day * busy, used)
    if meter.fault == "drift":
        used = np.where(age <= _DRIFT_AGO, used * (1 + _DRIFT), used)
    slow = 1 + 0.02 * draw.standard_normal(len(used) // 24 + 1)[: len(used) // 24 + 1].repeat(24)[: len(used)]
    return np.asarray(
        np.round(np.maximum(used * slow * (1 + 0.05 * draw.standard_normal(len(used))), 0.0), 3)
    )


def _tell(town: Town, scene: Scene, points: list[tuple[_Meter, Row]]) -> None:
    whole = scene.days >= _WHOLE_DAYS
    days, curve_days = (_DAYS, _CURVE_DAYS) if whole else (scene.days, scene.days)
    sky = _sky(scene, days)
    _temperature(town, sky)
    for meter, point in points:
        used = _used(meter, sky, scene.seed)
        first = len(used) - curve_days * 24
        curve = [
            Interval(int(t) * HOUR_US, int(t + 1) * HOUR_US, float(v) * 1000)
            for t, v in zip(sky.at[first:], used[first:], strict=True)
        ]
        keep(town, point, "curve", "raw", curve, Taken())
        if whole and meter.fluid != "water":
            keep(town, point, "day", "raw", list(_by_day(sky, used)), Taken())
    if whole:
        _works(town, scene, points)
        study_town(town, scene.end_us)
        town.store.set_setting("energy.studied", scene.end_us)
        town.store.set_setting("demo.energy", _truth(sky, scene.seed))


def _by_day(sky: _Sky, used: Array) -> Iterator[Interval]:
    """Yield whole civil days."""
    edges = np.flatnonzero(np.diff(sky.day)) + 1
    for begin, end in pairwise(edges.tolist()):
        yield Interval(
            int(sky.at[begin]) * HOUR_US, int(sky.at[end]) * HOUR_US, float(used[begin:end].sum()) * 1000
        )


def _temperature(town: Town, sky: _Sky) -> None:
    series = Series(
        "energy/outside/temperature",
        "day_temperature",
        Station("energy/outside", "Température extérieure"),
        method="Moyenne du jour",
    )
    found = identify(
        town.store,
        town.registry.datastream_kind,
        [series],
        numeric=lambda _: True,
        door=OPEN,
        service_of=town.registry.service_of,
    )
    number = found[series.key].id
    edges = np.concatenate([[0], np.flatnonzero(np.diff(sky.day)) + 1, [len(sky.day)]])
    drafts = [
        Draft(
            number,
            int(sky.at[begin]) * HOUR_US,
            number_of(f"{sky.celsius[begin:end].mean():.2f}"),
            int(sky.at[end - 1] + 1) * HOUR_US,
        )
        for begin, end in pairwise(edges.tolist())
    ]
    town.store.observations.append(drafts)


def _works(town: Town, scene: Scene, points: list[tuple[_Meter, Row]]) -> None:
    point = next((p for m, p in points if m.fault == "works"), None)
    if point is None:
        return
    end = to_datetime(scene.end_us - (_WORKS_AGO + 1) * DAY_US).date()
    values = {
        "title": "Luminaires du gymnase remplacés par des LED", "point": point.id, "start": date.fromordinal(end.toordinal() - _WORKS_DAYS),
        "end": end, "cost": 18_400.0,
    }  # fmt: skip
    town.store.records.put(
        "energy_works", values, territory=point.territory, who=SYSTEM, reason="Travaux de l'année"
    )


def _truth(sky: _Sky, seed: int) -> list[dict[str, object]]:
    """Return what is really wasted: kWh (m³) a year by point and kind, and the share that works really saved."""
    found: list[dict[str, object]] = []
    for meter in _METERS:
        right = msgspec.structs.replace(meter, fault="")
        waste = float((_used(meter, sky, seed) - _used(right, sky, seed)).sum()) * 365 * 24 / len(sky.at)
        if meter.fault in ("weekend", "night"):
            found.append({"point": meter.code, "kind": meter.fault, "per_year": round(waste)})
        elif meter.fault == "leak":
            found.append({"point": meter.code, "kind": "night", "per_year": round(_LEAK_M3 * 8766)})
        elif meter.fault == "drift":
            found.append({"point": meter.code, "kind": "drift", "share": _DRIFT})
        elif meter.fault == "works":
            after = (sky.at[-1] + 1 - sky.at) // 24 <= _WORKS_AGO
            would = _used(right, sky, seed)[after].sum()
            found.append(
                {
                    "point": meter.code,
                    "kind": "works",
                    "share": round(1 - float(_used(meter, sky, seed)[after].sum() / would), 4),
                }
            )
    return found
