"""The express lane: observations that arrive pass only the doors that concern them.

A post of observations by a program carries no cookie and no mark of a browser, so there is nothing to be forged and
no language to choose: it goes through the safety headers, the size limit and the check of the key, straight to
SensorThings. What a browser sends passes every door (with `--open-writes`, another site's page could write else).
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from beffroi.api.sensorthings import ROOT, served
from beffroi.identity.gate import Gate
from beffroi.town import Town
from beffroi.web.kit.headers import SafetyMiddleware
from beffroi.web.kit.who import WhoMiddleware

__all__ = ["ExpressLane"]

_PREFIX = ROOT + "/"
_BROWSERS_SAY = (b"cookie", b"origin", b"sec-fetch-site")


class ExpressLane:
    """ASGI middleware, outermost: takes posts of observations, leaves everything else to `app`."""

    def __init__(self, app: ASGIApp, town: Town, gate: Gate, *, open_writes: bool = False) -> None:
        self.app = app
        self.lane: ASGIApp = SafetyMiddleware(WhoMiddleware(served(town), gate, open_writes=open_writes))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http" and scope["method"] == "POST":
            path: str = scope["path"]
            if path.endswith("Observations") and path.startswith(_PREFIX) and not _by_a_browser(scope):
                await self.lane(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _by_a_browser(scope: Scope) -> bool:
    return any(name in _BROWSERS_SAY for name, _value in scope["headers"])
