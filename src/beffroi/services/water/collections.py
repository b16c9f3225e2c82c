"""The service's collections, gathered from its parts."""

from beffroi.services.water.camera.collections import COLLECTIONS as _CAMERA

__all__ = ["COLLECTIONS"]

COLLECTIONS = (*_CAMERA,)
