"""Where the leaks of a town are, from its pressure sensors and what EPANET says each pipe would do to them.

What EPANET says (`signatures`) is computed once for a network, by `beffroi leaks model`, and kept; so the town itself needs
no simulator to locate.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from beffroi.model.instant import DAY_US, HOUR_US
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.services.watergrid.areas.reading import series_of, wall
from beffroi.services.watergrid.hydraulics.model import Link, Model, Node, read_model
from beffroi.services.watergrid.leaks.locate import Course, Nights, locate
from beffroi.services.watergrid.leaks.signature import Signatures, signatures
from beffroi.store.record import Query, Row
from beffroi.town import Town

__all__ = ["calm_nights", "keep_signatures", "locate_area", "network", "teach_places"]

_BASE_NIGHTS, _LEAST_NIGHTS = 90, 30
_TOLD = 12
_FROM_H, _TO_H = 1, 5
_FEW = 4  # sensors below which a place would be a guess


def keep_signatures(town: Town, area: Row, found: Signatures, base: Nights) -> None:
    """Keep what a leak at each pipe does to each sensor, and calm nights (nights × sensors)."""
    document = {
        "pipes": found.pipes, "sensors": found.sensors, "drop": np.round(found.drop, 6).tolist(),
        "demand": np.round(found.demand, 6).tolist(), "first_day": base.first_day,
        "nights": [[None if not np.isfinite(v) else round(float(v), 3) for v in night] for night in base.values],
    }  # fmt: skip
    town.store.set_setting(f"watergrid.signatures.{area.values['code']}", document)


def teach_places(town: Town, code: str, path: Path, hour: float) -> tuple[int, int]:
    """Compute by EPANET what a leak at each pipe does to the town's sensors; return how many pipes and sensors.

    The nights until now are taken as calm. Raises `Problem` when there are too few sensors or nights.
    """
    area = next(iter(town.store.records.find("water_area", Query(where={"code": code})).rows), None)
    if area is None:
        raise NotFound(
            Text(f"Il n'y a pas de secteur « {code} ».", f"There is no area '{code}'."),
            Text("Déclarez-le dans les données, collection water_area.", "Declare it in the data, collection water_area."),
            "--area",
        )  # fmt: skip
    model = read_model(path)
    series = series_of(town, "water_node", "water_pressure")
    sensors = tuple(
        r.values["code"] for r in town.store.records.all("water_node") if r.id in series and r.values["code"] in model.nodes
    )  # fmt: skip
    last = town.clock() // DAY_US
    base = calm_nights(town, sensors, last - _BASE_NIGHTS, _BASE_NIGHTS)
    heard = int(np.isfinite(base.values).all(axis=1).sum()) if sensors else 0
    if len(sensors) < _FEW or heard < _LEAST_NIGHTS:
        raise Problem(
            Text(f"{len(sensors)} sondes et {heard} nuits entières : trop peu pour situer une fuite.", f"{len(sensors)} sensors and {heard} whole nights: too few to locate a leak."),
            Text(f"Il faut {_FEW} sondes posées sur des nœuds du modèle, et {_LEAST_NIGHTS} nuits.", f"It takes {_FEW} sensors on nodes of the model, and {_LEAST_NIGHTS} nights."),
            "--area",
        )  # fmt: skip
    found = signatures(path, model, sensors, hour)
    keep_signatures(town, area, found, base)
    return len(found.pipes), len(sensors)


def _kept(town: Town, area: Row) -> tuple[Signatures, Nights] | None:
    document = town.store.setting(f"watergrid.signatures.{area.values['code']}")
    if not document:
        return None
    found = Signatures(
        tuple(document["pipes"]),
        tuple(document["sensors"]),
        np.array(document["drop"]),
        np.array(document["demand"]),
    )
    nights = np.array(
        [[np.nan if v is None else v for v in night] for night in document["nights"]], dtype=float
    )
    return found, Nights(document["first_day"], nights.reshape(-1, len(found.sensors)))


def network(town: Town, territory: str | None = None) -> Model:
    """Return the network of the town's records."""
    query = Query(territories=None if territory is None else (territory,))
    nodes = {
        r.values["code"]: Node(
            r.values["code"],
            "tank" if r.values["kind"] in ("tank", "intake", "treatment", "delivery") else r.values["kind"],
            r.values.get("elevation_m") or 0.0, r.values.get("demand_m3h") or 0.0,
            None if r.geometry is None else tuple(r.geometry["coordinates"][:2]),
        )
        for r in town.store.records.all("water_node", query)
    }  # fmt: skip
    links: dict[str, Link] = {}
    for r in town.store.records.all("water_pipe", query):
        v = r.values
        if v["state"] != "abandoned" and v.get("start") in nodes and v.get("end") in nodes:
            course = tuple(tuple(p[:2]) for p in (r.geometry or {}).get("coordinates", ()))
            links[v["code"]] = Link(v["code"], "pipe", v["start"], v["end"], v.get("length_m") or 0.0, v.get("diameter_mm"), None, v["state"], "", course)  # fmt: skip
    for r in town.store.records.all("water_valve", query):
        v = r.values
        if v.get("start") in nodes and v.get("end") in nodes:
            kind = "pump" if v["kind"] == "pump" else "valve"
            links[v["code"]] = Link(
                v["code"], kind, v["start"], v["end"], 0.0, v.get("diameter_mm"), None, v["state"]
            )
    return Model("", "CMH", nodes, links)


def calm_nights(town: Town, sensors: tuple[str, ...], first: int, count: int) -> Nights:
    """Return the mean pressures of nights, from 01:00 to 05:00 on the wall clock; days are counted since 1970."""
    by_code = {
        r.values["code"]: r.id
        for r in town.store.records.all("water_node", Query(where={"code": list(sensors)}))
    }
    series = series_of(town, "water_node", "water_pressure")
    sums, seen = np.zeros((count, len(sensors))), np.zeros((count, len(sensors)))
    start = first * DAY_US - 3 * HOUR_US
    for column, code in enumerate(sensors):
        number = series.get(by_code.get(code, -1))
        if number is None:
            continue
        for one in town.store.observations.series(number, start, start + (count + 1) * DAY_US):
            at = wall(one.start_us)
            night = at.toordinal() - 719_163 - first
            if (
                _FROM_H <= at.hour < _TO_H
                and 0 <= night < count
                and one.result.value is not None
                and one.quality != 3
            ):
                sums[night, column] += float(one.result.value)
                seen[night, column] += 1
    with np.errstate(invalid="ignore", divide="ignore"):
        return Nights(first, np.where(seen > 0, sums / seen, np.nan))


def locate_area(town: Town, area: Row) -> int:
    """Give the leaks of an area their likely pipes. Return how many were located."""
    kept = _kept(town, area)
    leaks = [
        r for r in town.store.records.all("water_leak", Query(where={"area": area.id}))
        if r.values["state"] != "false"
    ]  # fmt: skip
    if kept is None or not leaks:
        return 0
    found, base = kept
    now = town.clock()
    first = min(r.values["start"] for r in leaks) // DAY_US - 30
    first = max(first, base.first_day + len(base.values))
    count = now // DAY_US - first + 1
    if count < 6:
        return 0
    year = calm_nights(town, found.sensors, first, count)
    alive = [i for i in range(len(found.sensors)) if np.isfinite(year.values[:, i]).mean() > 0.7]
    if len(alive) < _FEW:
        return 0
    seen = Signatures(
        found.pipes, tuple(found.sensors[i] for i in alive), found.drop[:, :, alive], found.demand[alive]
    )
    model = network(town, area.territory)
    known = [p for p in found.pipes if p in model.links]
    if len(known) < len(found.pipes):
        return 0
    courses = [_course(r) for r in leaks]
    located = locate(Nights(base.first_day, base.values[:, alive]), Nights(first, year.values[:, alive]), courses, seen, model)  # fmt: skip
    for row, place in zip(leaks, located, strict=True):
        best: list[Any] = [[p, round(v, 4)] for p, v in place.best(_TOLD) if v > 0.005]
        if place.strength < 4 or best == row.values.get("candidates"):
            continue
        values: dict[str, Any] = {"candidates": best}
        if not row.values.get("found"):  # what was seen on site is not guessed again
            values["pipe"] = best[0][0]
        town.store.records.put(
            "water_leak",
            values,
            id=row.id,
            who=SYSTEM,
            reason="Localisation",
            geometry=_line(model, best[0][0]),
        )
    return len(leaks)


def _line(model: Model, pipe: str) -> dict[str, Any] | None:
    course = model.links[pipe].course
    return {"type": "LineString", "coordinates": [list(p) for p in course]} if len(course) > 1 else None


def _course(row: Row) -> Course:
    v = row.values

    def days(instant_us: int) -> float:
        at = wall(instant_us)
        return (
            at.toordinal()
            - 719_163
            + (at - at.replace(hour=0, minute=0, second=0, microsecond=0)) / timedelta(days=1)
        )

    return Course(
        days(v["start"]), days(v["detected"]), None if v["end"] is None else days(v["end"]), max(v["m3_per_day"] / 24, 0.3), v["kind"]
    )  # fmt: skip
