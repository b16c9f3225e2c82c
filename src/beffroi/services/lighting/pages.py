"""The pages of the lighting service."""

from starlette.routing import BaseRoute

from beffroi.services.lighting.talq.serving import ROUTES as TALQ

__all__ = ["ROUTES"]

ROUTES: list[BaseRoute] = [*TALQ]
