"""The addresses of the service of reports."""

from starlette.routing import BaseRoute

from beffroi.services.reports.citizen.pages import CITIZEN_ROUTES
from beffroi.services.reports.open311.serving import ROUTES as OPEN311_ROUTES

__all__ = ["ROUTES"]

ROUTES: list[BaseRoute] = [*CITIZEN_ROUTES, *OPEN311_ROUTES]
