"""The demonstration town as pure data: its plan, its sky, its sensors, its faults and its people.

Nothing here knows the store. Every value is a function of the seed and of the instant alone, so what the
live mode adds tomorrow is what a longer history would hold.
"""

from beffroi.scene.scene import Scene, make_scene
from beffroi.scene.series import Fault, Reading, Series, Station

__all__ = ["Fault", "Reading", "Scene", "Series", "Station", "make_scene"]
