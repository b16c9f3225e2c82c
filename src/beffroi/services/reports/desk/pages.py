"""The pages of the desk, for the service's table of routes."""

from starlette.routing import BaseRoute

from beffroi.services.reports.desk import (
    bias_page,
    field_page,
    figures_page,
    firm_page,
    one,
    queue,
    reckoned,
    rounds_page,
    routing_page,
    teams_page,
)

__all__ = ["DESK_ROUTES"]

DESK_ROUTES: list[BaseRoute] = [
    *queue.ROUTES,
    *routing_page.ROUTES,
    *rounds_page.ROUTES,
    *teams_page.ROUTES,
    *field_page.ROUTES,
    *figures_page.ROUTES,
    *bias_page.ROUTES,
    *reckoned.ROUTES,
    *firm_page.ROUTES,
    *one.ROUTES,
]
