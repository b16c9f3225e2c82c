"""The pages of the water service, and those that its own page leads to: each part of it brings a table."""

from starlette.routing import BaseRoute

from beffroi.services.water.camera.pages import ENTRANCES as CAMERA_ENTRANCES
from beffroi.services.water.camera.pages import ROUTES as CAMERA

__all__ = ["ENTRANCES", "ROUTES"]

ENTRANCES = (*CAMERA_ENTRANCES,)
ROUTES: list[BaseRoute] = [*CAMERA]
