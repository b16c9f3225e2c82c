"""The water network of the town's centre, what it draws and what it loses; the sewers, with the rain that gets in.

Pressures are solved on the network itself (global gradient method, Todini and Pilati 1988, Hazen-Williams), so that a leak
is seen where it must be. Flows are m³/h, lengths m, heads m of water.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from beffroi.model.instant import DAY_US, HOUR_US, MINUTE_US
from beffroi.scene.chance import Chance
from beffroi.scene.civil import day_of_year, moment
from beffroi.scene.plan import Plan
from beffroi.scene.series import Station
from beffroi.scene.stations import TOWN, Builder
from beffroi.scene.weather import Weather

__all__ = ["AREAS", "USERS", "Burst", "Grid", "Waterworks", "water_stations"]

Array = NDArray[np.float64]
_RADIUS_M, _SNAP_M = 350.0, 8.0
_ROUGHNESS, _HEAD_M = 115.0, 62.0
_EXPONENT, _TURNS = 1.852, 30
_SENSORS = 8
# area: name, homes, mean use of a home in m³/h, constant night use and old losses in m³/h
AREAS: Mapping[str, tuple[str, int, float, float]] = {
    "CENTRE": ("Centre ancien", 860, 0.0125, 1.6), "FAUBOURGS": ("Faubourgs et hameaux", 1240, 0.0125, 3.4),
}  # fmt: skip
# meter of a large user: its name, Q3 in m³/h, what it draws on average, for how many days it is stopped, and turned round
USERS: Mapping[str, tuple[str, float, float, float, float]] = {
    "CPT03": ("Piscine intercommunale", 6.3, 2.4, 6.2, 0.0), "CPT04": ("Collège", 40.0, 0.16, 0.0, 0.0),
    "CPT05": ("Zone artisanale", 10.0, 1.9, 0.0, 8.4),
}  # fmt: skip
_HOURS = (0.32, 0.2, 0.15, 0.14, 0.2, 0.5, 1.1, 1.75, 1.6, 1.3, 1.15, 1.2, 1.4, 1.3, 1.05, 0.95, 0.95, 1.05, 1.3, 1.55, 1.45,
          1.1, 0.8, 0.5)  # fmt: skip


class Burst(NamedTuple):
    """One leak of the story: where, from when to when, how much at its largest, how long it grew (0: at once)."""

    area: str
    pipe: str
    start_us: int
    end_us: int | None
    peak_m3h: float
    growth_us: int

    def flow(self, at_us: int) -> float:
        """Return what it loses at an instant, in m³/h."""
        if at_us < self.start_us or (self.end_us is not None and at_us >= self.end_us):
            return 0.0
        grown = 1.0 if not self.growth_us else min(1.0, (at_us - self.start_us) / self.growth_us)
        return self.peak_m3h * grown * grown


class Pipe(NamedTuple):
    """One pipe of the centre."""

    code: str
    start: int
    end: int
    course: shapely.LineString
    diameter_mm: float
    laid: int


class Grid:
    """Nodes and pipes under the streets of the centre, fed at the node nearest to the water tower."""

    def __init__(self, plan: Plan, seed: int) -> None:
        self.places, self.pipes = _laid(plan, Chance(seed, "waterworks"))
        n = len(self.places)
        self.source = max(range(n), key=lambda i: self.places[i][1])
        length = np.array([p.course.length for p in self.pipes])
        diameter = np.array([p.diameter_mm for p in self.pipes]) / 1000
        self.resistance = 10.67 * length / (_ROUGHNESS**_EXPONENT * diameter**4.8704)
        self.incidence = np.zeros((len(self.pipes), n))
        for i, p in enumerate(self.pipes):
            self.incidence[i, p.start], self.incidence[i, p.end] = -1.0, 1.0
        share = np.zeros(n)
        for p, run in zip(self.pipes, length, strict=True):
            share[p.start] += run / 2
            share[p.end] += run / 2
        self.share = share / share.sum()
        self.elevation = np.array([18.0 + 0.01 * y for _, y in self.places])

    def code(self, node: int) -> str:
        """Return the name of a node."""
        return f"N{node + 1:03d}"

    def sensors(self) -> list[int]:
        """Return the nodes where pressure is measured: far from one another and from the source."""
        chosen = [self.source]
        while len(chosen) <= _SENSORS:
            chosen.append(
                max(
                    range(len(self.places)),
                    key=lambda i: min(math.dist(self.places[i], self.places[j]) for j in chosen),
                )
            )
        return chosen[1:]

    def pressures(self, demand: Array) -> Array:
        """Return the pressure at every node, in m, for the demand at each, in m³/h."""
        free = [i for i in range(len(demand)) if i != self.source]
        a, d = self.incidence[:, free], demand[free] / 3600
        fixed = self.incidence[:, self.source] * _HEAD_M
        flow = np.full(len(self.pipes), 0.005)
        head = np.full(len(free), _HEAD_M)
        for _ in range(_TURNS):
            slope = np.maximum(_EXPONENT * self.resistance * np.abs(flow) ** (_EXPONENT - 1), 1e-4)
            loss = self.resistance * np.abs(flow) ** (_EXPONENT - 1) * flow
            held = a.T / slope
            # of each pipe loss(q) + rise = 0, of each node what comes is drawn: one Newton step on both
            head = np.linalg.solve(held @ a, a.T @ flow - d - held @ (loss + fixed))
            following = flow - (loss + a @ head + fixed) / slope
            moved = float(np.abs(following - flow).max())
            flow = following
            if moved < 1e-7:
                break
        heads = np.full(len(demand), _HEAD_M)
        heads[free] = head
        pressures: Array = heads - self.elevation
        return pressures

    def loaded(self, use_m3h: float, leaks: Mapping[str, float]) -> Array:
        """Return the demand at each node: the use of the area along its pipes, and leaks at theirs."""
        demand: Array = use_m3h * self.share
        for p in self.pipes:
            lost = leaks.get(p.code, 0.0)
            if lost:
                demand[p.start] += lost / 2
                demand[p.end] += lost / 2
        return demand


def _laid(plan: Plan, draw: Chance) -> tuple[list[tuple[float, float]], list[Pipe]]:
    streets = [s.axis for s in plan.streets if s.commune == TOWN and s.rank in ("street", "avenue", "lane")]
    middle = shapely.Point(0, 0)
    near = [
        g
        for g in shapely.unary_union(streets).geoms
        if g.centroid.distance(middle) < _RADIUS_M and g.length > _SNAP_M
    ]
    spots: list[tuple[float, float]] = []

    def spot(point: tuple[float, float]) -> int:
        for i, known in enumerate(spots):
            if math.dist(known, point) <= _SNAP_M:
                return i
        spots.append((round(point[0], 1), round(point[1], 1)))
        return len(spots) - 1

    links: dict[tuple[int, int], shapely.LineString] = {}
    for line in near:
        ends = sorted((spot(line.coords[0]), spot(line.coords[-1])))
        if ends[0] != ends[1]:
            links.setdefault((ends[0], ends[1]), line)
    kept = sorted(_largest(len(spots), links))
    number = {old: new for new, old in enumerate(kept)}
    pipes = []
    for i, ((a, b), course) in enumerate((k, links[k]) for k in sorted(links) if k[0] in number):
        size = (80.0, 100.0, 150.0)[draw.pick(i, (0.35, 0.5, 0.15), 1)]
        pipes.append(
            Pipe(f"C{i + 1:03d}", number[a], number[b], course, size, 1938 + int(draw.unit(i, 2) * 80))
        )
    return [spots[k] for k in kept], pipes


def _largest(count: int, links: Iterable[tuple[int, int]]) -> set[int]:
    """Return the nodes of the largest part that holds together."""
    ways: list[list[int]] = [[] for _ in range(count)]
    for a, b in links:
        ways[a].append(b)
        ways[b].append(a)
    left = set(range(count))
    best: set[int] = set()
    while left:
        part, queue = set(), [min(left)]
        while queue:
            node = queue.pop()
            if node not in part:
                part.add(node)
                queue += ways[node]
        left -= part
        best = max(best, part, key=len)
    return best


class Waterworks:
    """What the areas draw and lose through time."""

    def __init__(self, plan: Plan, seed: int, sky: Weather, end_us: int) -> None:
        self.grid = Grid(plan, seed)
        self.sky = sky
        self.noise = {area: Chance(seed, f"water-{area}") for area in AREAS}
        self.bursts = _story(self.grid, end_us)
        self.end_us = end_us
        self.solved = lru_cache(maxsize=2048)(self._solved)

    def use(self, area: str, at_us: int) -> float:
        """Return what people draw, in m³/h."""
        _, homes, each, _ = AREAS[area]
        day, weekday, hour, holiday = moment(at_us)
        slot = int(hour)
        following = _HOURS[(slot + 1) % 24]
        shape = _HOURS[slot] + (hour - slot) * (following - _HOURS[slot])
        if weekday > 4 or holiday:
            shape = 0.75 * shape + 0.35 * _HOURS[(slot - 2) % 24]
        season = 1 + 0.07 * math.sin((day_of_year(at_us) - 110) / 365.25 * 2 * math.pi)
        noise = self.noise[area]
        return (
            homes
            * each
            * shape
            * season
            * (1 + 0.02 * noise.normal(day))
            * (1 + 0.035 * noise.smooth(at_us, 3 * HOUR_US, 1))
        )

    def inflow(self, area: str, start_us: int, end_us: int) -> float:
        """Return the mean flow that entered an area over an interval, in m³/h."""
        middle = (start_us + end_us) // 2
        lost = sum(b.flow(middle) for b in self.bursts if b.area == area)
        return self.use(area, middle) + AREAS[area][3] + lost

    def pressure(self, node: int, at_us: int) -> float:
        """Return the pressure at a node of the centre, in m."""
        return float(self.solved(at_us // HOUR_US * HOUR_US)[node])

    def _solved(self, at_us: int) -> Array:
        leaks = {b.pipe: b.flow(at_us) for b in self.bursts if b.area == "CENTRE"}
        return self.grid.pressures(self.grid.loaded(self.use("CENTRE", at_us) + AREAS["CENTRE"][3], leaks))

    def user(self, meter: str, start_us: int, end_us: int) -> float:
        """Return what the meter of a large user counts, in m³/h: one is stopped, one is too large, one was fitted the wrong way."""
        middle = (start_us + end_us) // 2
        since = (self.end_us - middle) / DAY_US
        _, _, mean, stopped, turned = USERS[meter]
        drawn = (
            mean * _HOURS[int(moment(middle)[2])] * (1 + 0.1 * self.noise["CENTRE"].normal(middle // HOUR_US))
        )
        if since < stopped:
            return 0.0
        return -drawn if since < turned else drawn

    def sewage(self, start_us: int, end_us: int) -> float:
        """Return the mean flow at the plant's inlet, in m³/h: what people used, ground water, and rain of the last hours."""
        middle = (start_us + end_us) // 2
        used = 0.85 * sum(self.use(area, middle - HOUR_US) for area in AREAS)
        rain = sum(self._hour_mm(end_us // HOUR_US - k) * math.exp(-k / 5) for k in range(14))
        return used + 7.5 + 4.2 * rain

    def overflow(self, start_us: int, end_us: int) -> float:
        """Return the share of an interval that the storm overflow ran."""
        del start_us
        return min(1.0, max(0.0, self._hour_mm(end_us // HOUR_US) - 3.0) / 2.0)

    def _hour_mm(self, hour: int) -> float:
        return self.sky.rain_mm((hour - 1) * HOUR_US, hour * HOUR_US)


def _story(grid: Grid, end_us: int) -> tuple[Burst, ...]:
    """Return the leaks: one repaired, one that burst and still runs, one that grows, and one in the other area."""
    pick = [p.code for p in sorted(grid.pipes, key=lambda p: -p.course.length)]

    def ago(days: float) -> int:
        return end_us - int(days * DAY_US)

    return (
        Burst("CENTRE", pick[3], ago(24.6), ago(17.4), 4.2, 0),
        Burst("CENTRE", pick[10], ago(11.3), None, 3.4, 0),
        Burst("FAUBOURGS", "", ago(21.0), None, 3.9, 16 * DAY_US),
    )


def water_stations(build: Builder, works: Waterworks) -> Iterator[Station]:
    """Yield the meters of the areas, the pressure sensors of the centre and what measures the sewers."""
    grid = works.grid

    def metered(*areas: str) -> Callable[[int, int], float]:
        draw = Chance(build.seed, f"meter-{areas[0]}")
        return lambda a, b: (
            sum(works.inflow(area, a, b) for area in areas) * (1 + 0.005 * draw.normal(b // MINUTE_US))
        )

    for code, name, areas, place in (
        ("CPT01", "Compteur de la sortie du château d'eau", ("CENTRE", "FAUBOURGS"), grid.places[grid.source]),
        ("CPT02", "Compteur du départ des faubourgs", ("FAUBOURGS",), grid.places[min(range(len(grid.places)), key=lambda i: grid.places[i][1])]),
    ):  # fmt: skip
        yield Station(
            code, name, "Débitmètre électromagnétique, moyenne de l'heure", "watergrid", TOWN, place, "Débitmètre électromagnétique",
            (build(code, "water_flow", 60, metered(*areas), decimals=2, interval=True, low=0.0),),
            asset=("water_meter", code), category="eau potable", public=False,
        )  # fmt: skip
    for serial, (code, (name, _, _, _, _)) in enumerate(USERS.items()):

        def used(a: int, b: int, code: str = code) -> float:
            return works.user(code, a, b)

        yield Station(
            code, f"Compteur : {name}", "Compteur à émetteur d'impulsions, moyenne de l'heure", "watergrid", TOWN,
            grid.places[7 + 11 * serial], "Compteur mécanique et tête d'impulsions",
            (build(code, "water_flow", 60, used, decimals=2, interval=True),),
            asset=("water_meter", code), category="eau potable", public=False,
        )  # fmt: skip
    for node in grid.sensors():
        code = grid.code(node)
        draw = Chance(build.seed, f"pressure-{code}")

        def pressure(_: int, t: int, node: int = node, draw: Chance = draw) -> float:
            return works.pressure(node, t) + 0.004 * draw.normal(t // MINUTE_US)

        yield Station(
            f"pression-{code.lower()}", f"Pression au nœud {code}", "Sonde de pression sur pile, quatre mesures par jour", "watergrid",
            TOWN, grid.places[node], "Sonde de pression autonome",
            (build(f"pression-{code.lower()}", "water_pressure", 360, pressure, decimals=3, delay_us=2 * HOUR_US, low=0.0),),
            asset=("water_node", code), category="eau potable", public=False,
        )  # fmt: skip
    yield Station(
        "step-entree", "Entrée de la station d'épuration", "Canal venturi, moyenne de l'heure", "watergrid", TOWN, (240.0, -560.0),
        "Canal venturi à ultrasons", (build("step-entree", "sewer_flow", 60, works.sewage, decimals=1, interval=True, low=0.0),),
        asset=("sewer_point", "step-entree"), category="assainissement",
    )  # fmt: skip
    yield Station(
        "deversoir-pont", "Déversoir d'orage du pont", "Détecteur de surverse, part de l'heure", "watergrid", TOWN, (235.0, -120.0),
        "Détecteur de surverse", (build("deversoir-pont", "sewer_overflow", 60, works.overflow, decimals=2, interval=True, low=0.0, high=1.0),),
        asset=("sewer_point", "deversoir-pont"), category="assainissement",
    )  # fmt: skip
