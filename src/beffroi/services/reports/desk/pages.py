"""The pages of the desk, for the service's table of routes."""

from starlette.routing import BaseRoute

from beffroi.services.reports.desk import one, queue

__all__ = ["DESK_ROUTES"]

DESK_ROUTES: list[BaseRoute] = [*queue.ROUTES, *one.ROUTES]
