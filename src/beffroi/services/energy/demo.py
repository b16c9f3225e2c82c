"""The energy service's part of the demonstration town: meters with known waste.

The school heats at week-ends, the town hall runs by night, the gymnasium had its lamps replaced, the workshop drifts, the library is
well run, and the school's water never stops. One bill counts more than the meter, one asks more than the contract; the town hall
subscribes more power than it draws, the gymnasium less. What is true is kept beside (setting `demo.energy`).
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
from beffroi.services.energy.bills import measured_between, take_bill
from beffroi.services.energy.facturx import ElectronicBill, Line
from beffroi.services.energy.importing import Taken, keep, keep_powers
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
_PEAK = 1.05  # highest power of a day over its highest hour
_PRICES = {"water": 4.1, "gas": 0.11, "electricity": 0.21}
_SUPPLIERS = {"water": "Régie de l'eau", "gas": "Gaz du Berry", "electricity": "Énergies du Berry"}
_STANDING = 14.6  # euros a kVA a year, with tax
_OVERCOUNTED, _OVERPRICED = 1.12, 1.18
_BILLED = (
    ("18901000000028", _OVERCOUNTED, 1.0),
    ("18901000000035", 1.0, _OVERPRICED),
    ("18901000000042", 1.0, 1.0),
)
_ESTIMATED_AGO, _CORRECTED_AGO, _LATE_AGO = (
    40,
    33,
    3,
)  # days of the library whose curve was estimated, corrected, is not whole


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
    kva: float | None = None


_METERS = (
    _Meter("école", "18901000000011", 1.6, 13.0, 0.75, "weekend", "B", kva=36), _Meter("mairie", "18901000000028", 2.0, 11.0, 0.3, "night", kva=36),
    _Meter("sport", "18901000000035", 1.5, 15.0, 0.35, "works", kva=24), _Meter("culture", "18901000000042", 0.9, 7.0, 0.3, kva=36),
    _Meter("technique", "18901000000059", 1.4, 9.0, 0.2, "drift", kva=30), _Meter("école", "EAU-18901-0007", 0.0, 0.5, 0.0, "leak", "B", "water"),
    _Meter("technique", "GI189011", 0.0, 0.0, 0.9, fluid="gas"),
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
        "reference_year": 2017, "reference_kwh": round(surface * 62.0), "reference_thermal": 55.0, "usual_degree_days": 2450.0,
        "absolute_kwh_m2": 52.0 if meter.use == "école" else None,
    }  # fmt: skip


def _point(meter: _Meter, site: Row) -> dict[str, Any]:
    return {
        "code": meter.code, "fluid": meter.fluid, "site": site.id, "use": {"water": "Eau", "gas": "Chauffage"}.get(meter.fluid, "Tout"),
        "price": _PRICES[meter.fluid], "power_kva": meter.kva, "euro_kva": _STANDING if meter.kva else None,
        "tariff": "BTINFMU4" if meter.kva else None, "supplier": _SUPPLIERS[meter.fluid],
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
    if meter.fluid == "gas":
        heated = np.where(by_day, 1.0, 0.4)
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
        if meter.fluid == "gas":  # read by the month
            keep(town, point, "day", "raw", list(_by_month(sky, used)), Taken())
            continue
        first = len(used) - curve_days * 24
        curve = [
            Interval(int(t) * HOUR_US, int(t + 1) * HOUR_US, float(v) * 1000)
            for t, v in zip(sky.at[first:], used[first:], strict=True)
        ]
        if whole and not meter.fault:
            curve = _with_states(town, point, sky, curve)
        keep(town, point, "curve", "raw", curve, Taken())
        if whole:
            daily = list(_by_day(sky, used))
            keep(town, point, "day", "raw", daily if meter.fault else daily[: -_ESTIMATED_AGO - 2], Taken())
        if whole and meter.kva:
            keep_powers(town, point, list(_powers(sky, used, scene.seed)), Taken())
    if whole:
        _bills(town, scene.end_us, points)
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


def _by_month(sky: _Sky, used: Array) -> Iterator[Interval]:
    """Yield whole civil months."""
    months = sky.day.astype("datetime64[D]").astype("datetime64[M]").astype(int)
    edges = np.flatnonzero(np.diff(months)) + 1
    for begin, end in pairwise(edges.tolist()):
        yield Interval(
            int(sky.at[begin]) * HOUR_US, int(sky.at[end]) * HOUR_US, float(used[begin:end].sum()) * 1000
        )


def _with_states(town: Town, point: Row, sky: _Sky, curve: list[Interval]) -> list[Interval]:
    """Return the raw curve of a meter whose network was down one day (estimated), wrong another (corrected), and is late on a third."""
    ago = {i.start_us: int(sky.at[-1] + 1 - i.start_us // HOUR_US) // 24 for i in curve}
    of = {n: [i for i in curve if ago[i.start_us] == n] for n in (_ESTIMATED_AGO, _CORRECTED_AGO)}
    keep(town, point, "curve", "estimated", of[_ESTIMATED_AGO], Taken())
    keep(town, point, "curve", "corrected", of[_CORRECTED_AGO], Taken())
    late = [i for i in curve if ago[i.start_us] == _LATE_AGO][8:13]
    wrong = {i: msgspec.structs.replace(i, wh=i.wh / 2) for i in of[_CORRECTED_AGO]}
    return [wrong.get(i, i) for i in curve if i not in late and ago[i.start_us] != _ESTIMATED_AGO]


def _powers(sky: _Sky, used: Array, seed: int) -> Iterator[tuple[int, int, float]]:
    """Yield the highest power of each civil day of the last year, kVA."""
    draw = np.random.default_rng([seed, len(used)])
    edges = (np.flatnonzero(np.diff(sky.day)) + 1)[-366:]
    for begin, end in pairwise(edges.tolist()):
        kva = float(used[begin:end].max()) * _PEAK * (1 + 0.03 * draw.random())
        yield int(sky.at[begin]) * HOUR_US, int(sky.at[end]) * HOUR_US, round(kva, 2)


def _bills(town: Town, end_us: int, points: list[tuple[_Meter, Row]]) -> None:
    """Take in a bill of the last whole month of three points: one counts too much, one is too dear, one is right."""
    now = to_datetime(end_us).date()
    end = date.fromordinal(now.replace(day=1).toordinal() - 1)
    start = end.replace(day=1)
    for number, (code, counted, dearer) in enumerate(_BILLED, 1):
        point = next((p for m, p in points if m.code == code), None)
        if point is None:
            continue
        used = round(measured_between(town, point, start, end)[0] * counted)
        price = round(point.values["price"] / 1.2 * dearer, 5)
        standing = round(point.values["power_kva"] * _STANDING / 1.2 / 12, 2)
        lines = (Line("Énergie", float(used), "kWh", price, round(used * price, 2), code, start, end),
                 Line("Abonnement", 1.0, "", standing, standing, code, start, end))  # fmt: skip
        without = round(sum(line.amount for line in lines), 2)
        bill = ElectronicBill(
            f"EB-{end:%Y%m}-{number:03}", date.fromordinal(end.toordinal() + 9), point.values["supplier"], None, "EUR", lines, without,
            round(without * 0.2, 2), round(without * 1.2, 2), start, end, "urn:cen.eu:en16931:2017",
        )  # fmt: skip
        take_bill(town, bill, SYSTEM, point.territory)


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
        if meter.fluid == "gas":
            continue
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
    for code, counted, dearer in _BILLED:
        if counted > 1 or dearer > 1:
            found.append({"point": code, "kind": "bill", "share": round(max(counted, dearer) - 1, 2)})
    return found
