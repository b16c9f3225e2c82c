"""`…/appareil`: a browser asks to be told, of one report or of new ones around a point, by web push.

Only script sends here, after the person pressed the button that says what happens and their browser asked them again.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.reports import following
from beffroi.services.reports.abuse import crowded, marked
from beffroi.services.reports.citizen.alerts import ask_on_device
from beffroi.services.reports.citizen.reading import TRAP, address_of, town_of
from beffroi.services.reports.devices import subscription_of
from beffroi.services.reports.subscriptions import follower_path, move_device
from beffroi.standards.web_push import Subscription, read_subscription
from beffroi.web.kit.page import language_of

__all__ = ["ROUTES"]

MOST = 60  # devices of one network within ten minutes: a school, not a flood
_FORGED = Problem(
    Text("Cette page est trop ancienne.", "This page is too old."),
    Text("Rechargez-la, puis recommencez.", "Load it again, then try once more."), place="start",
)  # fmt: skip
_CROWDED = Problem(
    Text("Beaucoup d'appareils de ce réseau viennent de s'abonner.", "Many devices of this network have just subscribed."),
    Text("Recommencez dans dix minutes.", "Try again in ten minutes."), status=429,
)  # fmt: skip


class _Moved(msgspec.Struct):
    """A browser's new subscription, and the pages that end those it has."""

    stops: list[str]
    push: dict[str, Any]


Deed = Callable[[Request, dict[str, str], Subscription], str]


def _report(request: Request, _sent: dict[str, str], device: Subscription) -> str:
    town, number = town_of(request), request.path_params["number"]
    key = request.path_params.get("key", "")
    row = following.own(town, number, key) if key else following.public(town, number)
    return follower_path(town, following.follow_on(town, row, device, language_of(request), author=bool(key)))


def _subscribing(deed: Deed) -> Callable[[Request], object]:
    """Return the route that subscribes a browser by `deed`, and answers with the page that ends it."""

    async def subscribe(request: Request) -> Response:
        """Tell a browser by web push."""
        sent = {name: str(value) for name, value in (await request.form()).items()}
        return await run_in_threadpool(_subscribe, request, sent, deed)

    return subscribe


def _subscribe(request: Request, sent: dict[str, str], deed: Deed) -> Response:
    town = town_of(request)
    secret = town.settings.secret()
    if sent.get(TRAP) or marked(secret, sent.get("start", "")) is None:
        raise _FORGED
    device = subscription_of(town, sent.get("push", ""))
    with town.store.write() as c:
        if crowded(c, secret, "device", address_of(request), town.clock(), MOST):
            raise _CROWDED
    return JSONResponse({"stop": deed(request, sent, device)}, headers={"Cache-Control": "no-store"})


async def move(request: Request) -> Response:
    """Reach a browser by another address from now on: it names its subscriptions by the pages that end them."""
    return await run_in_threadpool(_move, request, await request.body())


def _move(request: Request, body: bytes) -> Response:
    town = town_of(request)
    try:
        sent = msgspec.json.decode(body, type=_Moved)
    except msgspec.MsgspecError as error:
        raise Problem(
            Text("La demande n'est pas lisible.", "The request cannot be read."), place=str(error)
        ) from error
    device = read_subscription(sent.push, private=town.settings.push.private)
    moved = sum(move_device(town, path, device) for path in sent.stops[:MOST])
    return JSONResponse({"moved": moved}, headers={"Cache-Control": "no-store"})


ROUTES: list[BaseRoute] = [
    Route("/signalements/appareil", move, methods=["POST"]),
    Route("/signalements/alertes/appareil", _subscribing(ask_on_device), methods=["POST"]),
    Route("/signalements/{number}/appareil", _subscribing(_report), methods=["POST"]),
    Route("/suivi/{number}/{key}/appareil", _subscribing(_report), methods=["POST"]),
]
