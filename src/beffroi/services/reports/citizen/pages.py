"""The citizens' pages, for the service's table of routes."""

from starlette.routing import BaseRoute

from beffroi.services.reports.citizen import (
    alerts,
    counter,
    devices,
    form,
    lists,
    one,
    pictures,
    poster,
    settings,
)

__all__ = ["CITIZEN_ROUTES"]

CITIZEN_ROUTES: list[BaseRoute] = [
    *form.ROUTES,
    *poster.ROUTES,
    *counter.ROUTES,
    *settings.ROUTES,
    *pictures.ROUTES,
    *lists.ROUTES,
    *alerts.ROUTES,
    *devices.ROUTES,
    *one.ROUTES,
]
