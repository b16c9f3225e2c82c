"""The service's rules, gathered from its parts."""

from beffroi.services.water.camera.rules import RULES as _CAMERA

__all__ = ["RULES"]

RULES = (*_CAMERA,)
