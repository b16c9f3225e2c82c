"""The pages of the service of reports."""

from starlette.routing import BaseRoute

from beffroi.services.reports.citizen.pages import CITIZEN_ROUTES

__all__ = ["ROUTES"]

ROUTES: list[BaseRoute] = [*CITIZEN_ROUTES]
