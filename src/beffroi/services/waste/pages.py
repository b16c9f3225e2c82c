"""`/services/waste/tournee`: today's round, how full each container is and when it will be, and whether sensors pay."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.model.declaration import Entrance
from beffroi.model.problem import Forbidden, Unauthorised
from beffroi.model.text import Text
from beffroi.services.waste.stock import today
from beffroi.town import Town
from beffroi.web.kit.page import principal_of, render

__all__ = ["ENTRANCES", "ROUTES"]

PLACE = "/services/waste/tournee"
ENTRANCES = (Entrance(Text("Tournée du jour", "Today's round"), PLACE, "agent"),)


def index(request: Request) -> Response:
    """Answer today's round."""
    town: Town = request.app.state.town
    who = principal_of(request)
    if who.role == "citizen":
        raise Unauthorised(
            Text("Il faut se connecter.", "You need to sign in."),
            Text("Connectez-vous, puis recommencez.", "Sign in, then try again."),
        )
    if not who.staff:
        raise Forbidden(
            Text("Cette page est celle des agents.", "This page is for staff."),
            Text("Demandez à un agent.", "Ask an agent."),
        )
    return render(request, "waste/today.html", today=today(town, who.territories or None))


ROUTES: list[BaseRoute] = [Route(PLACE, index)]
