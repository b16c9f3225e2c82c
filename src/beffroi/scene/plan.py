"""The plan of the two communes: river, streets, buildings, limits; metres east and north of the belfry.

The belfry stands at a place of the Lambert-93 grid (EPSG:2154) in the open country of the Berry, so that
distances, areas and the sun are right. Everything built there is invented.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import msgspec
from shapely import STRtree
from shapely.geometry import LineString, MultiLineString, Point, Polygon
from shapely.geometry.base import BaseGeometry
from shapely.ops import linemerge, unary_union

from beffroi.model.reference_system import projection
from beffroi.scene import names
from beffroi.scene.chance import Chance

__all__ = ["Building", "Commune", "Plan", "Street", "make_plan", "to_wgs84", "wgs84"]

ORIGIN_E, ORIGIN_N = 652_400.0, 6_662_300.0
VILLAGE_AT = (-3950.0, -5150.0)
_RIVER = ((-5600, -9200), (-5000, -7900), (-4300, -6700), (-3700, -5700), (-3350, -5000), (-2500, -4250), (-1650, -3300),
          (-900, -2450), (-250, -1600), (120, -900), (250, -300), (215, 120), (330, 620), (720, 1300), (930, 2150),
          (1500, 3050), (1850, 4200))  # fmt: skip
RIVER_HALF_WIDTH_M = 7.0


class Commune(msgspec.Struct, frozen=True):
    """One of the two communes: INSEE code (one that is not attributed), name, inhabitants, limits."""

    code: str
    name: str
    inhabitants: int
    limits: Polygon
    centre: tuple[float, float]


class Street(msgspec.Struct, frozen=True):
    """One street: its name, its axis, and what lines it. `rank`: road, avenue, street, lane."""

    name: str
    axis: LineString
    rank: str
    commune: str
    lit: bool = True
    setback_m: float = 4.0
    frontage_m: float = 17.0


class Building(msgspec.Struct, frozen=True):
    """One building: footprint, address, floors, use."""

    footprint: Polygon
    address: str
    commune: str
    floors: int
    use: str = "habitation"
    name: str = ""


class Plan(msgspec.Struct, frozen=True):
    """All that stands still."""

    communes: tuple[Commune, ...]
    river: LineString
    streets: tuple[Street, ...]
    buildings: tuple[Building, ...]
    woods: tuple[Polygon, ...]
    meadows: tuple[Polygon, ...]
    places: tuple[tuple[str, float, float, str], ...]

    def building(self, name: str) -> Building:
        """Return the public building called `name`."""
        return next(b for b in self.buildings if b.name == name)


def to_wgs84(points: Any) -> Any:
    """Return an array of places of the plan as longitudes and latitudes (for `shapely.transform`)."""
    xs, ys = projection(2154).transform(points[:, 0] + ORIGIN_E, points[:, 1] + ORIGIN_N)
    placed = points.copy()
    placed[:, 0], placed[:, 1] = xs.round(6), ys.round(6)
    return placed


def wgs84(geometry: BaseGeometry | tuple[float, float]) -> list[object]:
    """Return the GeoJSON coordinates (longitude, latitude, 6 decimals: 0.1 m) of a place of the plan."""
    if isinstance(geometry, tuple):
        longitude, latitude = projection(2154).transform(geometry[0] + ORIGIN_E, geometry[1] + ORIGIN_N)
        return [round(longitude, 6), round(latitude, 6)]
    if isinstance(geometry, Point):
        return wgs84((geometry.x, geometry.y))
    if isinstance(geometry, LineString):
        return _line(geometry.coords)
    if isinstance(geometry, Polygon):
        return [_line(ring.coords) for ring in (geometry.exterior, *geometry.interiors)]
    return [wgs84(part) for part in geometry.geoms]


def _line(points: Iterable[Sequence[float]]) -> list[object]:
    xs, ys = zip(*((p[0] + ORIGIN_E, p[1] + ORIGIN_N) for p in points), strict=True)
    longitudes, latitudes = projection(2154).transform(xs, ys)
    return [[round(x, 6), round(y, 6)] for x, y in zip(longitudes, latitudes, strict=True)]


def make_plan(seed: int) -> Plan:
    """Return the plan of one seed: the same streets, houses that differ."""
    draw = Chance(seed, "plan")
    river = LineString(_rounded(_RIVER, 3))
    town, village = _limits(draw)
    streets = (
        *_streets(draw, river, town.code),
        *_village_streets(village.code),
        *_roads(draw, town, village),
    )
    water = river.buffer(RIVER_HALF_WIDTH_M)
    public = tuple(_addressed(building, streets) for building in _public(town.code, village.code))
    houses = _houses(draw, streets, water.buffer(9.0), public)
    meadows = (_shift(river.buffer(130), town.limits), _shift(river.buffer(110), village.limits))
    woods = tuple(_woods(draw, (town, village), streets, water))
    places = (
        (town.name, 0.0, 0.0, "town"),
        (village.name, *VILLAGE_AT, "village"),
        *((name, x, y, "hamlet") for name, x, y, _ in names.HAMLETS),
        *((name, x + 120.0, y + 90.0, "suburb") for name, x, y, _, _ in names.ESTATES),
    )
    return Plan((town, village), river, streets, (*public, *houses), woods, meadows, places)


def _shift(band: BaseGeometry, limits: Polygon) -> Polygon:
    inside = band.intersection(limits)
    return inside if isinstance(inside, Polygon) else max(inside.geoms, key=lambda g: g.area)


def _rounded(points: Iterable[Sequence[float]], times: int) -> list[tuple[float, float]]:
    """Return the line with its corners cut (Chaikin, 1974)."""
    line = [(float(x), float(y)) for x, y in points]
    for _ in range(times):
        cut = [line[0]]
        for (ax, ay), (bx, by) in pairwise(line):
            cut += [
                (0.75 * ax + 0.25 * bx, 0.75 * ay + 0.25 * by),
                (0.25 * ax + 0.75 * bx, 0.25 * ay + 0.75 * by),
            ]
        line = [*cut, line[-1]]
    return line


def _limits(draw: Chance) -> tuple[Commune, Commune]:
    town = _blob(draw, (100.0, 250.0), 3300.0, 1)
    village = _blob(draw, (-3700.0, -5000.0), 2750.0, 2).difference(town)
    village = village if isinstance(village, Polygon) else max(village.geoms, key=lambda g: g.area)
    return (
        Commune("18901", "Brévigny-sur-Sarelle", 4986, town, (0.0, 0.0)),
        Commune("18902", "Montarel", 874, village, VILLAGE_AT),
    )


def _blob(draw: Chance, centre: tuple[float, float], radius: float, stream: int) -> Polygon:
    points = []
    for step in range(28):
        angle = 2 * math.pi * step / 28
        r = radius * draw.between(0.86, 1.12, step, stream)
        points.append((centre[0] + r * math.sin(angle), centre[1] + r * math.cos(angle)))
    return Polygon(_rounded([*points, points[0]], 1))


def _polar(bearing: float, radius: float) -> tuple[float, float]:
    """Return the place at a bearing and distance of the belfry, bent as old towns are."""
    angle = math.radians(bearing)
    x, y = radius * math.sin(angle), radius * math.cos(angle)
    bend = min(1.0, radius / 220.0)
    return (
        x * 1.07 + bend * 34.0 * math.sin(y / 190.0 + 0.8),
        y * 0.94 + bend * 30.0 * math.sin(x / 150.0 - 0.5),
    )


def _streets(draw: Chance, river: LineString, code: str) -> Iterable[Street]:
    bank = river.buffer(16.0)
    for index, (bearing, name, _) in enumerate(names.RADIALS):
        bend = draw.between(-7, 7, index, 3)
        line = [
            _polar(bearing, 32),
            _polar(bearing + bend, 260),
            _polar(bearing + bend / 2, 560),
            _polar(bearing, 800),
        ]
        yield Street(name, LineString(_rounded(line, 2)), "avenue", code, True, 1.0, 11.0)
    square = Polygon([_polar(b, 34) for b in range(0, 360, 20)])
    yield Street("Place du Beffroi", LineString(square.exterior.coords), "street", code, True, 1.5, 12.0)
    for ring, (radius, labels) in enumerate(names.RINGS):
        yield from _ring(draw, ring, radius, labels, bank, code)
    for bearing, inner, outer, name in names.CROSSINGS:
        reach = (outer - inner) / 4
        line = [_polar(bearing + 1.1 * math.sin(k * 1.7), inner + k * reach) for k in range(5)]
        yield Street(name, LineString(_rounded(line, 2)), "street", code, True, 2.5, 14.0)
    for name, start, end in names.LINKS:
        yield Street(name, LineString([start, end]), "street", code, True, 5.0, 21.0)
    for _, x, y, angle, labels in names.ESTATES:
        yield from _estate(x, y, angle, labels, code)
    quay = river.parallel_offset(26, "left").intersection(Point(0, 0).buffer(620))
    yield Street("Quai de la Sarelle", _longest(quay), "street", code, True, 3.0, 13.0)


def _ring(
    draw: Chance, ring: int, radius: float, labels: tuple[str, ...], bank: BaseGeometry, code: str
) -> Iterable[Street]:
    arc = 360.0 / len(labels)
    for index, name in enumerate(labels):
        first = index * arc + 23 * ring
        steps = 10
        line = []
        for step in range(steps + 1):
            bearing = first + arc * step / steps
            # a wobble of the bearing alone, so that neighbouring streets meet
            wobble = 1.0 + 0.07 * draw.smooth(round(bearing % 360 * 1000), 40_000, 10 + ring)
            line.append(_polar(bearing, radius * wobble))
        axis = LineString(_rounded(line, 1)).difference(bank)
        dense = ring < 2
        yield Street(
            name, _longest(axis), "street", code, True, 1.0 if dense else 4.0, 12.0 if dense else 17.0
        )


def _longest(axis: BaseGeometry) -> LineString:
    if isinstance(axis, MultiLineString):
        axis = linemerge(axis)
    return axis if isinstance(axis, LineString) else max(axis.geoms, key=lambda line: line.length)


def _estate(x: float, y: float, angle: float, labels: tuple[str, ...], code: str) -> Iterable[Street]:
    """Yield the three long streets of an estate and the lanes across them."""
    turn = math.radians(angle)

    def at(east: float, north: float) -> tuple[float, float]:
        return (
            x + east * math.cos(turn) - north * math.sin(turn),
            y + east * math.sin(turn) + north * math.cos(turn),
        )

    for row, label in enumerate(labels[:3]):
        line = [at(0, row * 62), at(130, row * 62 + 9), at(260, row * 62)]
        yield Street(label, LineString(_rounded(line, 2)), "street", code, True, 5.0, 19.0)
    for column, label in enumerate(labels[3:]):
        east = 20.0 + 105.0 * column
        yield Street(label, LineString([at(east, 2), at(east, 124)]), "lane", code, True, 5.0, 19.0)


def _village_streets(code: str) -> Iterable[Street]:
    ox, oy = VILLAGE_AT
    for name, points in names.VILLAGE:
        line = LineString(_rounded([(x + ox, y + oy) for x, y in points], 2))
        yield Street(name, line, "street", code, True, 2.5, 16.0)


def _roads(draw: Chance, town: Commune, village: Commune) -> Iterable[Street]:
    for bearing, _, number in names.RADIALS:
        if number and bearing != 197:
            line = [
                _polar(bearing, 800),
                _polar(bearing + 5, 1700),
                _polar(bearing - 3, 2600),
                _polar(bearing, 3700),
            ]
            axis = LineString(_rounded(line, 3)).intersection(town.limits)
            yield Street(number, _longest(axis), "road", town.code, False)
    south = [
        _polar(197, 800),
        (-700, -2000),
        (-2100, -3700),
        (-3400, -4650),
        (VILLAGE_AT[0] + 380, VILLAGE_AT[1] + 190),
    ]
    yield Street("D 147", LineString(_rounded(south, 3)), "road", town.code, False)
    west = [(VILLAGE_AT[0] - 420, VILLAGE_AT[1] - 160), (-5300, -5500), (-6900, -5900)]
    yield Street(
        "D 147",
        _longest(LineString(_rounded(west, 3)).intersection(village.limits)),
        "road",
        village.code,
        False,
    )
    for index, (name, x, y, houses) in enumerate(names.HAMLETS):
        nearest = min((_polar(b, 800) for b, _, _ in names.RADIALS), key=lambda p: math.dist(p, (x, y)))
        middle = ((x + nearest[0]) / 2 + draw.between(-150, 150, index, 4), (y + nearest[1]) / 2)
        yield Street(
            f"Route de {name}", LineString(_rounded([nearest, middle, (x, y)], 3)), "lane", town.code, False
        )
        half = houses * 9.0
        turn = draw.between(0, math.pi, index, 5)
        dx, dy = half * math.cos(turn), half * math.sin(turn)
        hamlet = [(x - dx, y - dy), (x, y), (x + dx * 0.8 - dy * 0.3, y + dy * 0.8 + dx * 0.3)]
        yield Street(name, LineString(_rounded(hamlet, 2)), "lane", town.code, True, 7.0, 26.0)


_PUBLIC: tuple[tuple[str, str, float, float, float, float, int, str], ...] = (
    # name, use, east, north, length, depth, floors, commune ("t" town, "v" village)
    ("Beffroi", "monument", 0, 0, 9, 9, 6, "t"),
    ("Hôtel de ville", "mairie", -52, 66, 34, 16, 3, "t"),
    ("École Jules-Ferry", "école", -165, -60, 52, 18, 2, "t"),
    ("École Simone-Veil", "école", -640, 330, 60, 20, 1, "t"),
    ("Collège de la Sarelle", "collège", -455, -175, 74, 26, 3, "t"),
    ("Gymnase municipal", "sport", -560, -330, 46, 30, 1, "t"),
    ("Piscine intercommunale", "sport", -690, -420, 58, 34, 1, "t"),
    ("Médiathèque", "culture", 78, -98, 30, 18, 2, "t"),
    ("Salle des fêtes", "culture", -120, 300, 36, 22, 1, "t"),
    ("Centre technique municipal", "technique", -820, -140, 62, 28, 1, "t"),
    ("Station d'épuration", "technique", 640, 900, 50, 30, 1, "t"),
    ("Église Saint-Denis", "culte", 88, 72, 42, 17, 3, "t"),
    ("Mairie de Montarel", "mairie", 60, 92, 20, 12, 2, "v"),
    ("École de Montarel", "école", -150, 60, 34, 14, 1, "v"),
)


def _public(town: str, village: str) -> Iterable[Building]:
    for name, use, x, y, length, depth, floors, where in _PUBLIC:
        ox, oy = VILLAGE_AT if where == "v" else (0.0, 0.0)
        cx, cy = x + ox, y + oy
        box = [(cx - length / 2, cy - depth / 2), (cx + length / 2, cy - depth / 2), (cx + length / 2, cy + depth / 2),
               (cx - length / 2, cy + depth / 2)]  # fmt: skip
        yield Building(Polygon(box), name, village if where == "v" else town, floors, use, name)


def _addressed(building: Building, streets: Sequence[Street]) -> Building:
    """Return a public building with the street that it stands on."""
    lit = (street for street in streets if street.lit)
    nearest = min(lit, key=lambda street: street.axis.distance(building.footprint))
    return msgspec.structs.replace(building, address=nearest.name)


def _houses(
    draw: Chance, streets: Sequence[Street], banks: BaseGeometry, public: Sequence[Building]
) -> list[Building]:
    roads = unary_union([s.axis.buffer(4.0) for s in streets])
    taken = [banks, roads, *(b.footprint.buffer(3.0) for b in public)]
    fixed = STRtree(taken)
    built: list[Building] = []
    cells: dict[tuple[int, int], list[Polygon]] = {}
    for street in streets:
        if street.rank == "road" or street.name.startswith("Route de"):
            continue
        for house in _along(draw, street):
            if any(taken[i].intersects(house.footprint) for i in fixed.query(house.footprint)):
                continue
            centre = house.footprint.centroid
            cell = (int(centre.x // 40), int(centre.y // 40))
            near = [
                p for i in (-1, 0, 1) for j in (-1, 0, 1) for p in cells.get((cell[0] + i, cell[1] + j), ())
            ]
            if any(p.distance(house.footprint) < 0.8 for p in near):
                continue
            cells.setdefault(cell, []).append(house.footprint)
            built.append(house)
    return built


def _along(draw: Chance, street: Street) -> Iterable[Building]:
    """Yield the houses of both sides of a street, odd numbers on its left."""
    number = 0
    key = sum(map(ord, street.name))
    for side in (1, -1):
        at, count = street.frontage_m / 2, 0
        while at < street.axis.length - 4.0:
            serial = key * 1000 + count * 2 + (side < 0)
            width = min(street.frontage_m - 1.6, draw.between(8.5, 15.0, serial, 6))
            depth = draw.between(7.5, 12.0, serial, 7)
            number = 2 * count + (1 if side > 0 else 2)
            if draw.unit(serial, 8) < 0.93:
                floors = (
                    1 + draw.pick(serial, (0.35, 0.5, 0.15), 9)
                    if street.setback_m > 2
                    else 2 + int(draw.unit(serial, 9) * 2)
                )
                shape = _rectangle(street, at, side, width, depth)
                yield Building(shape, f"{number} {street.name}", street.commune, floors)
            at += street.frontage_m * draw.between(0.95, 1.2, serial, 10)
            count += 1


def _rectangle(street: Street, at: float, side: int, width: float, depth: float) -> Polygon:
    here, ahead = street.axis.interpolate(at), street.axis.interpolate(at + 0.5)
    length = math.hypot(ahead.x - here.x, ahead.y - here.y) or 1.0
    ux, uy = (ahead.x - here.x) / length, (ahead.y - here.y) / length
    nx, ny = -uy * side, ux * side
    near = 4.2 + street.setback_m
    corners = ((-width / 2, near), (width / 2, near), (width / 2, near + depth), (-width / 2, near + depth))
    return Polygon([(here.x + ux * a + nx * b, here.y + uy * a + ny * b) for a, b in corners])


def _woods(
    draw: Chance, communes: Sequence[Commune], streets: Sequence[Street], water: BaseGeometry
) -> Iterable[Polygon]:
    lived_in = unary_union([s.axis.buffer(60 if s.rank != "road" else 12) for s in streets])
    for number in range(26):
        commune = communes[number % 3 == 2]
        middle = commune.limits.centroid
        angle, reach = draw.between(0, 360, number, 11), draw.between(1100, 3000, number, 12)
        dx, dy = _polar(angle, reach)
        grove = _blob(draw, (middle.x + dx, middle.y + dy), draw.between(110, 420, number, 13), 20 + number)
        left = grove.intersection(commune.limits).difference(lived_in).difference(water.buffer(20))
        for part in getattr(left, "geoms", (left,)):
            if isinstance(part, Polygon) and part.area > 8_000:
                yield part
