"""`/preuve/{service}`: the proof of one service, a section for each question."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.model.problem import NotFound
from beffroi.model.text import Text
from beffroi.web.kit.page import render
from beffroi.web.site.proof.cases import town_of
from beffroi.web.site.proof.sections import sections_of, tabs_of

__all__ = ["ROUTES"]


def page(request: Request) -> Response:
    """Answer the proof of a service."""
    service = town_of(request).registry.services.get(request.path_params["service"])
    if service is None:
        raise NotFound(Text("Il n'y a pas de service de ce nom.", "There is no service of that name."))
    return render(
        request,
        "proof/service.html",
        service=service,
        sections=sections_of(request, service),
        tabs=tabs_of(request),
    )


ROUTES: list[BaseRoute] = [Route("/preuve/{service}", page)]
