"""Tasking beside SensorThings: `POST /tasking/v1/TaskingCapabilities(ID)/check` tries a command without giving it.

Tasks themselves are entities of SensorThings (`/sensorthings/v1.1/Tasks`).
"""

from typing import Any

import msgspec
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.api.hooks import body_of
from beffroi.connectors.tasking import planned
from beffroi.model.instant import format_instant
from beffroi.model.principal import Principal
from beffroi.standards.sensorthings.body import decode
from beffroi.standards.tasking.tasks import check_task
from beffroi.town import Town

__all__ = ["routes"]


def routes(town: Town) -> list[BaseRoute]:
    """Return the routes of `town`."""

    def tried(who: Principal, number: int, body: bytes) -> dict[str, Any]:
        told = decode(body)
        given = told.get("taskingParameters") if isinstance(told, dict) else None
        now = town.clock()
        with town.store.read() as c:
            one, values = check_task(c, who, number, given, now)
        until = now + one.valid_us
        way, what = planned(one, 0, values, until, town.settings.lorawan)
        shown: dict[str, Any] = {"way": way, "taskingParameters": values, "validUntil": format_instant(until)}
        if way == "mqtt":
            shown |= {"topic": what[0], "message": what[1]}
        elif way == "lorawan":  # the key of the network is nobody's to read
            shown |= {"url": what.url, "body": msgspec.json.decode(what.body)}
        return shown

    async def check(request: Request) -> Response:
        who: Principal = request.state.who
        body = await body_of(request)
        return JSONResponse(await to_thread.run_sync(tried, who, request.path_params["id"], body))

    return [Route("/tasking/v1/TaskingCapabilities({id:int})/check", check, methods=["POST"])]
