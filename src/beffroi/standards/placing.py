"""Placing: which reference system the coordinates of a layer are in, whatever its file says or fails to say.

A system is *plausible* when nearly all sampled places fall, brought to WGS 84, in the part of France it is made for.
What the file names is taken when it is plausible, or when nothing else is; otherwise the one plausible system is
guessed and said. Several of them (the zones of UTM) are told apart by where the town already has things. What
remains doubtful is refused: a wrong place is worse than none.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import msgspec
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import mapping, shape

from beffroi.model.problem import Problem
from beffroi.model.reference_system import is_wgs84, projection, system
from beffroi.model.text import Text

__all__ = ["SWAPPED", "WGS84", "Placement", "as_told", "placed", "sample"]

WGS84 = "EPSG:4326"
SWAPPED = "EPSG:4326 (latitude, longitude)"
Box = tuple[float, float, float, float]
MAINLAND: Box = (-5.4, 41.2, 9.8, 51.3)
OVERSEAS: tuple[Box, ...] = (
    (-63.3, 14.2, -60.7, 18.3),  # Guadeloupe, Martinique, Saint-Martin, Saint-Barthélemy
    (-54.8, 1.9, -51.4, 6.0),  # Guyane
    (55.0, -21.6, 56.0, -20.7),  # La Réunion
    (44.9, -13.2, 45.5, -12.4),  # Mayotte
    (-56.7, 46.6, -56.0, 47.3),  # Saint-Pierre-et-Miquelon
    (163.4, -22.9, 168.4, -19.3),  # Nouvelle-Calédonie
    (-155.0, -28.0, -134.0, -7.5),  # Polynésie française
    (-178.3, -14.5, -176.0, -13.1),  # Wallis-et-Futuna
)
FRANCE = (MAINLAND, *OVERSEAS)


_HEXAGON = shapely.Polygon(
    [(-5.4, 47.4), (-5.4, 49.0), (-2.2, 50.1), (1.3, 51.3), (2.7, 51.3), (4.4, 50.2), (6.3, 49.8), (8.5, 49.2),
     (7.8, 47.4), (7.0, 46.9), (7.3, 45.2), (7.9, 43.9), (7.7, 43.5), (9.8, 43.2), (9.8, 41.2), (8.3, 41.2),
     (8.3, 42.6), (3.4, 42.1), (-2.1, 42.8), (-2.4, 46.2)]
)  # fmt: skip
shapely.prepare(_HEXAGON)


def _zone(number: int) -> Box:
    return (MAINLAND[0], number - 1.2, MAINLAND[2], number + 1.2)


# what French files are written in, and where each may be used (IGN; the conic zones reach a degree either way), in
# the order in which they are believed: what only rare files are in is no doubt about what most are in
CANDIDATES: dict[str, tuple[Box, ...]] = {
    WGS84: FRANCE,
    SWAPPED: FRANCE,
    "EPSG:2154": (MAINLAND,),
    **{f"EPSG:{3900 + n}": (_zone(n),) for n in range(42, 51)},
    "EPSG:27572": (MAINLAND,),
    "EPSG:32630": ((-6, MAINLAND[1], 0, MAINLAND[3]),),
    "EPSG:32631": ((0, MAINLAND[1], 6, MAINLAND[3]),),
    "EPSG:32632": ((6, MAINLAND[1], 12, MAINLAND[3]),),
    "EPSG:5490": (OVERSEAS[0],),
    "EPSG:2972": (OVERSEAS[1],),
    "EPSG:2975": (OVERSEAS[2],),
    "EPSG:4471": (OVERSEAS[3],),
    "EPSG:4467": (OVERSEAS[4],),
    "EPSG:3857": FRANCE,
}
_COMMON = {WGS84, SWAPPED, "EPSG:2154", *(f"EPSG:{3900 + n}" for n in range(42, 51))}
_RARE = {"EPSG:3857"}
_SHARE = 0.95
_NEAR_DEGREES = 0.7  # some 50 km
How = Literal["none", "named", "assumed", "guessed"]
Points = NDArray[np.float64]


class Placement(msgspec.Struct, frozen=True):
    """The system of a layer and how it is known: the file `named` it, or it is what GeoJSON and degrees are `assumed`
    to be, or it was `guessed` from the coordinates; `none` without places. `move` brings a GeoJSON geometry to WGS 84."""

    crs: str
    how: How
    move: Callable[[dict[str, Any]], dict[str, Any]]


def sample(geometries: Iterable[dict[str, Any] | None], most: int = 2_000) -> Points:
    """Return one point of each of the first geometries that have one, as rows of x and y."""
    found: list[tuple[float, float]] = []
    for geometry in geometries:
        inner: Any = None if geometry is None else geometry.get("coordinates")
        while isinstance(inner, list | tuple) and inner and isinstance(inner[0], list | tuple):
            inner = inner[0]
        if isinstance(inner, list | tuple) and len(inner) >= 2:
            try:
                found.append((float(inner[0]), float(inner[1])))
            except (TypeError, ValueError):
                continue
        if len(found) == most:
            break
    return np.array(found, dtype=float).reshape(-1, 2)


def placed(points: Points, named: str | None, near: tuple[float, float] | None = None) -> Placement:
    """Return the placement of sampled `points`; `near`: longitude and latitude of what the town already has.

    Raises `Problem` when the system is neither named nor to be guessed.
    """
    if not len(points):
        return Placement(named or WGS84, "none", _same)
    said = _code(named) if named else None
    told = said or WGS84
    if _plausible(points, told) or (said == WGS84 and _degrees(points) and not _plausible(points, SWAPPED)):
        return Placement(told, "named" if said else "assumed", _mover(told))
    fits = [code for code in CANDIDATES if code != told and _plausible(points, code)]
    if said is not None and said not in CANDIDATES and not fits and _somewhere(points, said):
        return Placement(said, "named", _mover(said))  # abroad, or a system we do not guess
    if len(fits) > 1 and near is not None:
        fits = [code for code in fits if _beside(points, code, near)] or fits
    fits = _believed(fits)
    if len(fits) == 1:
        return Placement(fits[0], "guessed", _mover(fits[0]))
    if not fits and said is None and _degrees(points):
        return Placement(WGS84, "assumed", _same)  # degrees, outside France
    raise _doubtful(points, named, fits)


def as_told(code: str) -> Placement:
    """Return the placement in a system that a person named, whatever the coordinates. Raises `Problem` when PROJ does not
    know it."""
    known = code if code in CANDIDATES else _code(code)
    return Placement(known, "named", _mover(known))


def _believed(fits: list[str]) -> list[str]:
    """Return those of the plausible systems that files are most often in."""
    for rank in (_COMMON, CANDIDATES.keys() - _COMMON - _RARE):
        some = [code for code in fits if code in rank]
        if some:
            return some
    return fits


def _doubtful(points: Points, named: str | None, fits: Sequence[str]) -> Problem:
    x, y = points[0]
    first = f"{x:.7g}, {y:.7g}"
    if fits:
        why = Text(f"Les coordonnées ({first}) vont aussi bien à plusieurs systèmes : {', '.join(fits)}.",
                   f"The coordinates ({first}) fit several systems as well: {', '.join(fits)}.")  # fmt: skip
    elif named:
        why = Text(f"Le fichier se dit en {named[:60]}, mais ses coordonnées ({first}) n'y sont pas, ni dans un système connu.",
                   f"The file says it is in {named[:60]}, but its coordinates ({first}) are not, nor in a known system.")  # fmt: skip
    else:
        why = Text(f"Le système de coordonnées n'est pas dit, et {first} n'en laisse deviner aucun.",
                   f"The reference system is not said, and {first} does not let one be guessed.")  # fmt: skip
    why = Text(why.fr.replace("{", "(").replace("}", ")"), why.en.replace("{", "(").replace("}", ")"))
    return Problem(why, Text("Dites-le : --crs EPSG:2154 (Lambert-93), EPSG:32630 (UTM 30N)…",
                             "Say it: --crs EPSG:2154 (Lambert-93), EPSG:32630 (UTM 30N)…"), place="crs")  # fmt: skip


def _code(named: str) -> str:
    """Return a named system by its EPSG code where it has one. Raises `Problem` for a name that PROJ does not know."""
    if is_wgs84(named):
        return WGS84
    found = system(named)
    code = found.to_epsg(min_confidence=70)
    return f"EPSG:{code}" if code else str(found.to_wkt())


def _brought(points: Points, code: str) -> Points:
    if code == WGS84:
        return points
    if code == SWAPPED:
        return points[:, ::-1]
    return np.column_stack(projection(code).transform(points[:, 0], points[:, 1]))


def _within(points: Points, boxes: Iterable[Box]) -> bool:
    x, y = points[:, 0], points[:, 1]
    inside = np.zeros(len(points), dtype=bool)
    for west, south, east, north in boxes:
        there = (x >= west) & (x <= east) & (y >= south) & (y <= north)
        if south >= MAINLAND[1] and east <= 12:
            there &= shapely.contains_xy(_HEXAGON, x, y)
        inside |= there
    return bool(inside.mean() >= _SHARE)


def _plausible(points: Points, code: str) -> bool:
    return _within(_brought(points, code), CANDIDATES.get(code, FRANCE))


def _degrees(points: Points) -> bool:
    return _within(points, [(-180, -90, 180, 90)])


def _somewhere(points: Points, code: str) -> bool:
    """True when the points are where a named system may be used."""
    area = system(code).area_of_use
    brought = _brought(points, code)
    return _within(brought, [(-180, -90, 180, 90) if area is None else area.bounds])


def _beside(points: Points, code: str, near: tuple[float, float]) -> bool:
    centre = np.median(_brought(points, code), axis=0)
    return bool(np.hypot(*(centre - np.array(near))) < _NEAR_DEGREES)


def _same(geometry: dict[str, Any]) -> dict[str, Any]:
    return geometry


def _mover(code: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    if code == WGS84:
        return _same
    if code == SWAPPED:
        return lambda geometry: _moved(geometry, lambda xy: xy[:, ::-1])
    transformer = projection(code)
    return lambda geometry: _moved(
        geometry, lambda xy: np.column_stack(transformer.transform(xy[:, 0], xy[:, 1]))
    )


def _moved(geometry: dict[str, Any], by: Callable[[Points], Points]) -> dict[str, Any]:
    # a ten-millionth of a degree is a centimetre: more digits would only be noise of the projection
    if geometry.get("type") == "Point":
        ((x, y),) = by(np.array([geometry["coordinates"][:2]], dtype=float)).tolist()
        return {"type": "Point", "coordinates": [round(x, 7), round(y, 7)]}
    moved = shapely.transform(shapely.force_2d(shape(geometry)), lambda xy: np.round(by(xy), 7))
    return dict(mapping(moved))
