"""The records of the water service: each part of it brings a table."""

from beffroi.services.water.camera.collections import COLLECTIONS as CAMERA
from beffroi.services.water.forecast.records import COLLECTIONS as FORECAST
from beffroi.services.water.rating.records import COLLECTIONS as RATING
from beffroi.services.water.warning.records import COLLECTIONS as WARNING

__all__ = ["COLLECTIONS"]

COLLECTIONS = (*WARNING, *CAMERA, *RATING, *FORECAST)
