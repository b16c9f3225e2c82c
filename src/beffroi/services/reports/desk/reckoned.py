"""What the pages of kept figures share: the last result, asking for it the first time, and asking for it anew."""

from typing import TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.model.principal import Principal
from beffroi.model.problem import Forbidden, NotFound, Unauthorised, Unavailable
from beffroi.model.text import Text
from beffroi.services.reports.desk.reckoners import BIAS, FIGURES
from beffroi.services.reports.desk.reckoning import Kept, Standing, ask, kept_of, standing_of
from beffroi.services.reports.desk.seen import town_of
from beffroi.town import Town
from beffroi.web.kit.page import principal_of

__all__ = ["PLACES", "ROUTES", "kept_or_asked", "not_yet", "require_reader"]

T = TypeVar("T")
PLACES = {FIGURES: "/services/reports/chiffres", BIAS: "/services/reports/biais"}


def require_reader(request: Request) -> Principal:
    """Return who asks, when they may read figures: staff and elected officials."""
    who = principal_of(request)
    if who.staff or who.role == "elu":
        return who
    said = Text(
        "Ces chiffres sont pour les élus et les agents.", "These figures are for elected officials and staff."
    )
    if who.role == "citizen":
        raise Unauthorised(said, Text("Connectez-vous.", "Sign in."))
    raise Forbidden(said)


def kept_or_asked(
    town: Town, who: Principal, name: str, kind: type[T]
) -> tuple[tuple[Kept, T] | None, Standing]:
    """Return what is kept and how that stands; what was never computed is asked for, whoever comes first."""
    found = kept_of(town, name, who, kind)
    standing = standing_of(town, name, who, found and found[0])
    if found is None and not standing.running and not standing.error:
        ask(town, name, who)
        standing = standing_of(town, name, who, None)
    return found, standing


def not_yet() -> Unavailable:
    """Return what is said to who asks for a file before there is anything to put in it."""
    return Unavailable(
        Text("Ces chiffres sont en cours de calcul.", "These figures are being computed."),
        Text("Revenez dans une minute.", "Come back in a minute."),
    )


async def recompute(request: Request) -> Response:
    """Ask for a reckoning anew, and go back to its page."""
    who, form = require_reader(request), await request.form()
    name, back = str(form.get("name", "")), str(form.get("back", ""))
    place = PLACES.get(name)
    if place is None:
        raise NotFound(Text("Il n'y a pas de tel calcul.", "There is no such reckoning."), place="name")
    await run_in_threadpool(ask, town_of(request), name, who)
    return RedirectResponse(back if back == place or back.startswith(f"{place}?") else place, 303)


ROUTES: list[BaseRoute] = [Route("/services/reports/calcul", recompute, methods=["POST"])]
