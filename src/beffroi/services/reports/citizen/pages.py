"""The citizens' pages, for the service's table of routes."""

from starlette.routing import BaseRoute

from beffroi.services.reports.citizen import alerts, counter, form, lists, one, pictures, poster

__all__ = ["CITIZEN_ROUTES"]

CITIZEN_ROUTES: list[BaseRoute] = [
    *form.ROUTES,
    *poster.ROUTES,
    *counter.ROUTES,
    *pictures.ROUTES,
    *lists.ROUTES,
    *alerts.ROUTES,
    *one.ROUTES,
]
