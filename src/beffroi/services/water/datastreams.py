"""The service's datastreams, gathered from its parts."""

from beffroi.services.water.camera.datastreams import DATASTREAMS as _CAMERA

__all__ = ["DATASTREAMS"]

DATASTREAMS = (*_CAMERA,)
