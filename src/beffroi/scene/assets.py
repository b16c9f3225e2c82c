"""What the town owns along its streets: light points, supports, cabinets, bins."""

import math
from collections.abc import Iterator, Sequence

import msgspec
from shapely.geometry import LineString

from beffroi.scene.chance import Chance
from beffroi.scene.plan import VILLAGE_AT, Building, Plan, Street

__all__ = ["Assets", "Bin", "Cabinet", "Lamp", "make_assets"]


class Cabinet(msgspec.Struct, frozen=True):
    """A cabinet that feeds light points: code, place, subscribed power, year, meter number."""

    code: str
    place: tuple[float, float]
    commune: str
    street: str
    power_kva: float
    year: int
    meter: str
    astronomical_clock: bool


class Lamp(msgspec.Struct, frozen=True):
    """A light point on its support: technology, power, height, state."""

    code: str
    support: str
    cabinet: str
    place: tuple[float, float]
    commune: str
    street: str
    technology: str  # led, shp (high-pressure sodium), im (metal halide)
    power_w: int
    height_m: float
    support_kind: str  # mast, wall, pole
    year: int
    state: str  # on, out, flickering, removed


class Bin(msgspec.Struct, frozen=True):
    """A drop-off container: what it takes, its volume, and its collection."""

    code: str
    place: tuple[float, float]
    commune: str
    street: str
    stream: str  # verre, papier, emballages, ordures
    volume_l: int
    year: int
    days_to_fill: float
    weekday: int  # of its collection, Monday = 0
    sensor: bool


class Assets(msgspec.Struct, frozen=True):
    """Everything of a town that has a place and a life of its own."""

    cabinets: tuple[Cabinet, ...]
    lamps: tuple[Lamp, ...]
    bins: tuple[Bin, ...]
    buildings: tuple[Building, ...]  # the public ones


def make_assets(seed: int, plan: Plan) -> Assets:
    """Return what the two communes own, from the plan and the seed."""
    draw = Chance(seed, "assets")
    cabinets = tuple(_cabinets(draw, plan))
    lamps = tuple(_lamps(draw, plan.streets, cabinets))
    bins = tuple(_bins(draw, plan.streets))
    return Assets(cabinets, lamps, bins, tuple(b for b in plan.buildings if b.name))


def _cabinets(draw: Chance, plan: Plan) -> Iterator[Cabinet]:
    centres = [(0.0, 60.0), (-230.0, 30.0), (60.0, 330.0), (-330.0, 330.0), (-420.0, -180.0), (-130.0, -360.0),
               (160.0, -300.0), (430.0, 160.0), (480.0, -180.0), (-860.0, 320.0), (-600.0, -800.0), (740.0, 440.0),
               (-140.0, 780.0), (-700.0, -320.0), (-2300.0, 900.0), (1900.0, 1500.0), (-1800.0, -1900.0),
               (1500.0, -1250.0), VILLAGE_AT, (VILLAGE_AT[0] - 190.0, VILLAGE_AT[1] - 60.0)]  # fmt: skip
    town, village = (c.code for c in plan.communes)
    for number, (x, y) in enumerate(centres, start=1):
        commune = village if y < -4000 else town
        street = min((s for s in plan.streets if s.lit), key=lambda s: _away(s.axis, x, y))
        near = street.axis.interpolate(street.axis.project(_point(x, y)))
        yield Cabinet(
            f"AR{number:02d}", (round(near.x + 4.4, 2), round(near.y + 3.1, 2)), commune, street.name,
            (3.0, 6.0, 9.0, 12.0)[draw.pick(number, (1, 3, 3, 1), 1)], 1978 + int(draw.unit(number, 2) * 44),
            f"{2_100_000_000_000 + int(draw.unit(number, 3) * 9e11):014d}", draw.unit(number, 4) < 0.7,
        )  # fmt: skip


def _point(x: float, y: float) -> LineString:
    return LineString([(x, y), (x, y)]).centroid


def _away(axis: LineString, x: float, y: float) -> float:
    return float(axis.distance(_point(x, y)))


def _lamps(draw: Chance, streets: Sequence[Street], cabinets: Sequence[Cabinet]) -> Iterator[Lamp]:
    serial = 0
    for street in streets:
        if not street.lit:
            continue
        spacing = 27.0 if street.rank == "avenue" else 31.0 if street.rank == "street" else 36.0
        # one street is renewed at a time: its lamps are alike
        key = sum(map(ord, street.name))
        technology = ("led", "shp", "im")[draw.pick(key, (0.58, 0.34, 0.08), 5)]
        year = {"led": 2014, "shp": 1991, "im": 2003}[technology] + int(draw.unit(key, 6) * 10)
        for step in range(int(street.axis.length // spacing)):
            serial += 1
            yield _lamp(draw, serial, street, (step + 0.5) * spacing, step, technology, year, cabinets)


def _lamp(
    draw: Chance, serial: int, street: Street, at: float, step: int, technology: str, year: int,
    cabinets: Sequence[Cabinet],
) -> Lamp:  # fmt: skip
    here, ahead = street.axis.interpolate(at), street.axis.interpolate(at + 0.5)
    length = math.hypot(ahead.x - here.x, ahead.y - here.y) or 1.0
    side = 4.3 if step % 2 else -4.3
    place = (
        round(here.x - (ahead.y - here.y) / length * side, 2),
        round(here.y + (ahead.x - here.x) / length * side, 2),
    )
    cabinet = min(
        (c for c in cabinets if c.commune == street.commune), key=lambda c: math.dist(c.place, place)
    )
    wall = street.setback_m < 2 and draw.unit(serial, 7) < 0.6
    kind = "wall" if wall else "mast" if draw.unit(serial, 8) < 0.8 else "pole"
    power = {"led": (24, 36, 52), "shp": (70, 100, 150), "im": (70, 100, 150)}[technology]
    state = ("on", "out", "flickering", "removed")[draw.pick(serial, (0.965, 0.022, 0.008, 0.005), 9)]
    return Lamp(
        f"PL{serial:04d}", f"SU{serial:04d}", cabinet.code, place, street.commune, street.name, technology,
        power[2 if street.rank == "avenue" else draw.pick(serial, (2, 3), 10)],
        6.0 if wall else 8.0 if street.rank == "avenue" else 5.0, kind, year, state,
    )  # fmt: skip


def _bins(draw: Chance, streets: Sequence[Street]) -> Iterator[Bin]:
    serial = 0
    lit = [s for s in streets if s.lit and s.axis.length > 90]
    for index, street in enumerate(lit):
        if index % 2:
            continue
        at = street.axis.interpolate(street.axis.length * draw.between(0.3, 0.7, index, 11))
        for stream in ("verre", "papier", "emballages")[: 1 + draw.pick(index, (2, 2, 1), 12)]:
            serial += 1
            yield Bin(
                f"PAV{serial:03d}", (round(at.x + 2.6 * serial % 8 - 4, 2), round(at.y + 5.1, 2)), street.commune, street.name,
                stream, {"verre": 4000, "papier": 4000, "emballages": 5000}[stream], 2009 + int(draw.unit(serial, 13) * 16),
                draw.between(7.0, 20.0, serial, 14), draw.pick(serial, (1, 1, 1, 1, 1), 15), draw.unit(serial, 16) < 0.62,
            )  # fmt: skip
