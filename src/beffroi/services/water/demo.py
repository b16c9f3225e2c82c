"""The water service's part of the demonstration town: each part of it brings what happens."""

from collections.abc import Callable, Iterator

from beffroi.scene import Scene
from beffroi.services.water.camera.demo import build as camera
from beffroi.services.water.forecast.demo import build as discharge
from beffroi.services.water.warning.demo import build as warning
from beffroi.town import Town

__all__ = ["build"]

_PARTS = (warning, discharge, camera)


def build(town: Town, scene: Scene) -> Iterator[tuple[int, Callable[[], None]]]:
    """Return what happens on the river, in the order of its parts."""
    for part in _PARTS:
        yield from part(town, scene)
