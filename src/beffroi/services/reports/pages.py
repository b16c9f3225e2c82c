"""The pages of the service of reports."""

from starlette.routing import BaseRoute

from beffroi.services.reports.desk.pages import DESK_ROUTES

__all__ = ["ROUTES"]

ROUTES: list[BaseRoute] = [*DESK_ROUTES]
