"""The plan of the scene as the ground of the base map."""

from collections.abc import Iterator

import shapely
from shapely.geometry.base import BaseGeometry

from beffroi.scene import Scene
from beffroi.scene.plan import RIVER_HALF_WIDTH_M, to_wgs84

__all__ = ["ground"]

_STREETS = {"road": "secondary", "avenue": "tertiary", "street": "street", "lane": "street"}


def ground(scene: Scene) -> Iterator[tuple[str, BaseGeometry, str]]:
    """Yield `(kind, geometry in longitude and latitude, name)` of everything that a map of the town shows."""
    plan = scene.plan
    for commune in plan.communes:
        yield "boundary", _placed(commune.limits), commune.name
    yield "water", _placed(plan.river.buffer(RIVER_HALF_WIDTH_M)), "La Sarelle"
    for green in (*plan.meadows, *plan.woods):
        yield "green", _placed(green), ""
    for building in plan.buildings:
        yield "building", _placed(building.footprint), building.name
    for street in plan.streets:
        yield _STREETS[street.rank], _placed(street.axis), street.name


def _placed(geometry: BaseGeometry) -> BaseGeometry:
    return shapely.transform(geometry, to_wgs84)
