"""Sources of rivers that can be polled: the kinds to write in `[[connectors]]`."""

from beffroi.services.water.hubeau import polling as hubeau
from beffroi.services.water.vigicrues import polling as vigicrues

__all__ = ["CONNECTORS"]

CONNECTORS = (("hubeau", hubeau.poll), ("vigicrues", vigicrues.poll))
