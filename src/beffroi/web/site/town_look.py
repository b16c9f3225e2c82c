"""The town's look as served: its colour and logo (changed under Administration, Town)."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.model.problem import NotFound
from beffroi.model.text import Text
from beffroi.web.kit.look import look_of

__all__ = ["ROUTES"]

KEPT = {"Cache-Control": "public, max-age=31536000, immutable"}
SANDBOX = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}


def colours(request: Request) -> Response:
    """Answer the custom properties of the town's colour."""
    return Response(look_of(request.app.state.town).css(), media_type="text/css", headers=KEPT)


def logo(request: Request) -> Response:
    """Answer the town's logo; a drawing may style itself but run nothing."""
    found = look_of(request.app.state.town).logo_file()
    if found is None:
        raise NotFound(Text("Cette ville n'a pas de logo.", "This town has no logo."))
    return Response(found[1], media_type=found[0], headers={**KEPT, **SANDBOX})


ROUTES: list[BaseRoute] = [
    Route("/ville-{version}.css", colours),
    Route("/logo-{version}", logo),
]
