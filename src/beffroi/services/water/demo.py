"""The water service's part of the demonstration town: each part of it brings what happens."""

from collections.abc import Callable, Iterator

from beffroi.scene import Scene
<<<<<<< HEAD
from beffroi.services.water.forecast.demo import build as discharge
from beffroi.services.water.warning.demo import build as warning
=======
from beffroi.services.water.camera.demo import build as camera
>>>>>>> watercam
from beffroi.town import Town

__all__ = ["build"]

<<<<<<< HEAD
_PARTS = (warning, discharge)
=======
_PARTS = (camera,)
>>>>>>> watercam


def build(town: Town, scene: Scene) -> Iterator[tuple[int, Callable[[], None]]]:
    """Return what happens on the river, in the order of its parts."""
    for part in _PARTS:
        yield from part(town, scene)
