"""The records of the water service: each part of it brings a table."""

from beffroi.services.water.warning.records import COLLECTIONS as WARNING

__all__ = ["COLLECTIONS"]

COLLECTIONS = (*WARNING,)
