"""What the law asks a public site to say: its accessibility, who publishes it, which sensors watch, whom to tell of a hole."""

from starlette.routing import BaseRoute

from beffroi.web.site.duties import answers, notices, sensors, statement

__all__ = ["ROUTES"]

ROUTES: list[BaseRoute] = [*statement.ROUTES, *notices.ROUTES, *sensors.ROUTES, *answers.ROUTES]
