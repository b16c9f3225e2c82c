"""`/administration/sante` and `/metrics`: how the machine does, for people and for Prometheus."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from beffroi.doctor import examine, metrics
from beffroi.identity.rights import require_reach
from beffroi.model.problem import Forbidden, Unauthorised
from beffroi.model.text import Text
from beffroi.web.kit.page import principal_of
from beffroi.web.site.administration.desk import PRIVATE, entry, off_loop, show

__all__ = ["ROUTES"]

_SEVERITY = {"ok": "vert", "warning": "jaune", "fault": "rouge"}


@entry(admin=True)
async def health(request: Request) -> Response:
    """Show what the doctor finds, the worst first."""
    require_reach(principal_of(request), ())
    found = await off_loop(examine, request.app.state.town)
    order = ("fault", "warning", "ok")
    found = sorted(found, key=lambda one: order.index(one.state))
    return show(request, "health", found=found, severity=_SEVERITY)


async def prometheus(request: Request) -> Response:
    """Answer the same as figures, to an administrator's key."""
    who = principal_of(request)
    if who.id == "anonymous":
        raise Unauthorised(Text("Ces chiffres ne sont pas publics.", "These figures are not public."),
                           Text("Donnez une clé d'administrateur (Authorization: Bearer).",
                                "Give an administrator's key (Authorization: Bearer)."))  # fmt: skip
    if who.role != "admin" or who.territories:
        raise Forbidden(Text("Ces chiffres sont pour l'administrateur.", "These figures are for the administrator."),
                        Text("Demandez-lui une clé.", "Ask them for a key."))  # fmt: skip
    found = await off_loop(examine, request.app.state.town)
    return PlainTextResponse(metrics(found), media_type="text/plain; version=0.0.4", headers=PRIVATE)


ROUTES = [Route("/administration/sante", health), Route("/metrics", prometheus)]
