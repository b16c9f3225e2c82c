"""Experiments on screen: the public register, one page each, and the forms that register and decide."""

from starlette.routing import BaseRoute

from beffroi.web.site.experiments import form_page, one, register

__all__ = ["ROUTES"]

ROUTES: list[BaseRoute] = [*register.ROUTES, *form_page.ROUTES, *one.ROUTES]
