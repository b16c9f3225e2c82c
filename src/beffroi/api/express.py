"""The express lane: observations that arrive pass only the doors that concern them.

A post of observations by a program carries no cookie and no mark of a browser, so there is nothing to be forged and
no language to choose: past the check of the key it goes straight to SensorThings, which bounds its size and adds the
safety headers itself. What a browser sends passes every door (with `--open-writes`, another site's page could write
else).
"""

import logging

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from beffroi.api.sensorthings import ROOT, served
from beffroi.identity.gate import Gate
from beffroi.town import Town
from beffroi.web.kit.errors import broken, problem_response
from beffroi.web.kit.who import WhoMiddleware

__all__ = ["ExpressLane"]

_PREFIX = ROOT + "/"
_BROWSERS_SAY = frozenset((b"cookie", b"origin", b"sec-fetch-site"))
logger = logging.getLogger(__name__)


class ExpressLane:
    """ASGI application around the whole: takes posts of observations, leaves everything else to `app`."""

    def __init__(self, app: ASGIApp, town: Town, gate: Gate, *, open_writes: bool = False) -> None:
        self.app = app
        self.lane: ASGIApp = WhoMiddleware(served(town), gate, open_writes=open_writes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http" and scope["method"] == "POST":
            path: str = scope["path"]
            if path.endswith("Observations") and path.startswith(_PREFIX) and not _by_a_browser(scope):
                await self._travel(scope, receive, send)
                return
        await self.app(scope, receive, send)

    async def _travel(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.lane(scope, receive, send)
        except ClientDisconnect:
            return
        except Exception as error:
            # a fault of ours: its trace is in the log, and the sender is told that nothing can be promised
            logger.exception("%s failed", scope["path"])
            await problem_response(Request(scope), broken(error))(scope, receive, send)


def _by_a_browser(scope: Scope) -> bool:
    for name, _value in scope["headers"]:  # noqa: SIM110 -- a generator costs more than the loop
        if name in _BROWSERS_SAY:
            return True
    return False
