"""The environment's part of the demonstration town: the levels of vigilance of its own gauge.

Its stations are in the scene (`beffroi.scene.stations`); the platform writes them.
"""

from collections.abc import Callable, Iterator

from sqlalchemy import select

from beffroi.model.principal import SYSTEM
from beffroi.rules import rulebook
from beffroi.scene import Scene
from beffroi.store.tables import datastream
from beffroi.town import Town

__all__ = ["build"]

_VIGILANCE = """\
name: Vigilance crue au Vieux-Pont
description: Seuils du plan communal de sauvegarde (inventés, comme la ville).
watch: {datastream: %d}
when: {above: {jaune: 1.00, orange: 1.80, rouge: 2.60}, hysteresis: 0.10, for: 20 min}
message: "La Sarelle au Vieux-Pont : {value} {unit}"
message_en: "The Sarelle at the Vieux-Pont: {value} {unit}"
"""


def build(town: Town, scene: Scene) -> Iterator[tuple[int, Callable[[], None]]]:
    """Return what happens: the vigilance is switched on when the history starts."""

    def watch() -> None:
        gauge = select(datastream.c.id).where(datastream.c.key == "sarelle-pont/river_level")
        with town.store.read() as connection:
            number = connection.execute(gauge).scalar_one()
        rulebook.add(town.store, _VIGILANCE % number, SYSTEM, enabled=True, origin="environment")

    yield scene.start_us, watch
