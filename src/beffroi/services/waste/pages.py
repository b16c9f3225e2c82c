"""`/services/waste/tournee`: today's round, how full each container is and when it will be, and whether sensors pay."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.identity.rights import require_staff
from beffroi.model.declaration import Entrance
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
    who = require_staff(principal_of(request))
    return render(request, "waste/today.html", today=today(town, who.territories or None))


ROUTES: list[BaseRoute] = [Route(PLACE, index)]
