"""The wetted cross-section at a level: stations, depths, area."""

import itertools
import math
from typing import Any

import msgspec
import numpy as np

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.water.camera.site import Section, Site

__all__ = ["Wetted", "bed_of", "wetted"]

Array = np.ndarray[Any, Any]
_VERTICALS = 40  # ISO 748 asks for twenty at least; a picture gives as many as it is asked for


class Wetted(msgspec.Struct, frozen=True, eq=False):
    """What of a section is under water: its verticals, from bank to bank, and its exact area."""

    stations: Any  # of the verticals, metres from the section's first point
    depths: Any
    area_m2: float
    width_m: float
    above_banks: bool = False
    bed: Any = None  # (n, 2) station and altitude

    @property
    def left(self) -> float:
        """Station of the water's edge nearest the first point."""
        return float(self.stations[0])

    @property
    def right(self) -> float:
        """Station of the other edge."""
        return float(self.stations[-1])


def bed_of(section: Section) -> Array:
    """Return the bed as (station, altitude), stations along the line from the first point to the last."""
    points = np.array(section.points, float)
    if len(points) < 3 or not np.all(np.isfinite(points)):
        raise Problem(
            Text("La section a moins de trois points, ou un point sans valeur.",
                 "The section has fewer than three points, or a point without a value."),
            Text("Donnez x, y et l'altitude du fond, d'une rive à l'autre.",
                 "Give x, y and the bed's altitude, from bank to bank."), "/section/points")  # fmt: skip
    along = points[-1, :2] - points[0, :2]
    length = math.hypot(*along)
    if length < 1e-6:
        raise Problem(
            Text("Les deux bouts de la section sont au même endroit.",
                 "Both ends of the section are at one place."),
            Text("Donnez un point sur chaque rive.", "Give a point on each bank."), "/section/points")  # fmt: skip
    stations = (points[:, :2] - points[0, :2]) @ (along / length)
    order = np.argsort(stations, kind="stable")
    return np.column_stack((stations[order], points[order, 2]))


def wetted(site: Site, level: float | None = None) -> Wetted:
    """Return the wetted section at a reading of the gauge. Raises Problem when it is dry or there is no section."""
    if site.section is None:
        raise Problem(
            Text("Ce site n'a pas de section relevée : la vitesse se mesure, pas le débit.",
                 "This site has no surveyed section: velocity can be measured, discharge cannot."),
            Text("Ajoutez la section et la bathymétrie au site.", "Add the section and bathymetry to the site."),
            "/section")  # fmt: skip
    altitude = site.altitude(level)
    if not math.isfinite(altitude):
        raise Problem(
            Text("Le niveau n'est pas un nombre.", "The level is not a number."),
            Text("Donnez une hauteur en mètres.", "Give a height in metres."),
            "--level",
        )
    bed = bed_of(site.section)
    if altitude <= bed[:, 1].min():
        raise Problem(
            Text("À ce niveau la section est à sec : son point le plus bas est à {low:.3f} m.",
                 "At this level the section is dry: its lowest point is at {low:.3f} m.")
            .filled(low=float(bed[:, 1].min()) - site.zero),
            Text("Donnez le niveau lu à l'échelle, en mètres.", "Give the level read on the gauge, in metres."),
            "--level")  # fmt: skip
    fine = _with_shores(bed, altitude)
    depth = np.maximum(altitude - fine[:, 1], 0)
    wet = np.flatnonzero(depth > 0)
    left, right = fine[max(0, wet[0] - 1), 0], fine[min(len(fine) - 1, wet[-1] + 1), 0]
    above = bool(altitude > min(bed[0, 1], bed[-1, 1]) + 1e-9)
    count = max(5, site.section.verticals or _VERTICALS)
    stations = np.linspace(left, right, count)
    return Wetted(
        stations,
        np.maximum(altitude - np.interp(stations, bed[:, 0], bed[:, 1]), 0),
        float(np.trapezoid(depth, fine[:, 0])),
        float(np.sum(np.diff(fine[:, 0])[(depth[:-1] > 0) | (depth[1:] > 0)])),
        above,
        bed,
    )


def _with_shores(bed: Array, altitude: float) -> Array:
    """Return the bed with a point added wherever it comes out of the water."""
    rows = [bed[0]]
    for a, b in itertools.pairwise(bed):
        if (a[1] - altitude) * (b[1] - altitude) < 0:
            share = (altitude - a[1]) / (b[1] - a[1])
            rows.append(np.array((a[0] + share * (b[0] - a[0]), altitude)))
        rows.append(b)
    return np.array(rows)
