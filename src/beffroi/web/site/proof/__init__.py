"""The proof of worth on screen: business cases and their editor, consumption, one page for each service."""

from starlette.routing import BaseRoute

from beffroi.web.site.proof import accounts_page, case_editor, case_page, service_page, sobriety_page

__all__ = ["ROUTES"]

# the page of a service last: its address takes any name
ROUTES: list[BaseRoute] = [
    *case_editor.ROUTES,
    *accounts_page.ROUTES,
    *case_page.ROUTES,
    *sobriety_page.ROUTES,
    *service_page.ROUTES,
]
