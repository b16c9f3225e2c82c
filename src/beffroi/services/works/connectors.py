"""Files that the works service reads."""

from beffroi.services.works import car_parks, charging

__all__ = ["IMPORTS"]

IMPORTS = (*car_parks.IMPORTS, *charging.IMPORTS)
