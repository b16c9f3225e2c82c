"""Files that the works service reads."""

from beffroi.services.works.car_parks import IMPORTS

__all__ = ["IMPORTS"]
