"""Rivers that are rendered, whose truth is known."""

import numpy as np
import pytest

from beffroi.services.water.camera.frames import Sequence
from beffroi.services.water.camera.scene import River, Weather, frames, river_of

SMALL = (640, 360)


def sequence_of(river: River, weather: Weather = Weather(), count: int = 8, dt_s: float = 0.1) -> Sequence:
    """Return frames of a river with their times."""
    return Sequence(frames(river, count, dt_s, weather), np.arange(count) * dt_s)


@pytest.fixture(scope="session")
def river() -> River:
    return river_of(3, SMALL)


@pytest.fixture(scope="session")
def by_day(river: River) -> Sequence:
    return sequence_of(river)
