"""The town's look as served: its colour and logo (changed under Administration, Town)."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.model.problem import NotFound
from beffroi.model.text import Text
from beffroi.web.kit.look import Look, look_of

__all__ = ["ROUTES", "answer_colours", "answer_logo"]

KEPT = {"Cache-Control": "public, max-age=31536000, immutable"}
SANDBOX = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}


def answer_colours(look: Look) -> Response:
    """Answer the custom properties of a colour."""
    return Response(look.css(), media_type="text/css", headers=KEPT)


def answer_logo(look: Look) -> Response:
    """Answer a logo; a drawing may style itself but run nothing. Raises `NotFound`."""
    found = look.logo_file()
    if found is None:
        raise NotFound(Text("Cette ville n'a pas de logo.", "This town has no logo."))
    return Response(found[1], media_type=found[0], headers={**KEPT, **SANDBOX})


def colours(request: Request) -> Response:
    """Answer the custom properties of the town's colour."""
    return answer_colours(look_of(request.app.state.town))


def logo(request: Request) -> Response:
    """Answer the town's logo."""
    return answer_logo(look_of(request.app.state.town))


ROUTES: list[BaseRoute] = [
    Route("/ville-{version}.css", colours),
    Route("/logo-{version}", logo),
]
