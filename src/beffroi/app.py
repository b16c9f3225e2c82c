"""The composition root, read as a table of contents: what a running Beffroi is made of."""

import asyncio
import contextlib
import gc
import importlib
import importlib.util
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from anyio import to_thread
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from beffroi import logs, memory
from beffroi.api.express import ExpressLane
from beffroi.extensions import shelf
from beffroi.identity.gate import Gate
from beffroi.keeper import Keeper
from beffroi.living import Living
from beffroi.town import Town, open_town
from beffroi.web.kit import doors
from beffroi.web.kit.errors import HANDLERS
from beffroi.web.kit.page import pages_for
from beffroi.web.kit.signposts import Signposts

__all__ = ["FACES", "create_app", "from_environment", "living", "with_express_lane"]

# Each face is a module with ROUTES (or routes(town)): the standards first, then the pages of the platform.
FACES = (
    "beffroi.api.health",
    "beffroi.api.sensorthings",
    "beffroi.api.features",
    "beffroi.api.alarms",
    "beffroi.api.gaps",
    "beffroi.api.hooks",
    "beffroi.api.tasking",
    "beffroi.web.kit.static",
    "beffroi.web.site.live",
    "beffroi.web.site.situation",
    "beffroi.web.site.tour",
    "beffroi.web.site.map",
    "beffroi.web.site.base_map",
    "beffroi.web.site.things",
    "beffroi.web.site.commands",
    "beffroi.web.site.series",
    "beffroi.web.site.manual_reading",
    "beffroi.web.site.retention",
    "beffroi.web.site.observation",
    "beffroi.web.site.bring",
    "beffroi.web.site.data",
    "beffroi.web.site.watch",
    "beffroi.web.site.services",
    "beffroi.web.site.experiments",
    "beffroi.web.site.evidence",
    "beffroi.web.site.duties",
    "beffroi.web.site.proof",
    "beffroi.web.site.town_look",
    "beffroi.web.site.communes",
    "beffroi.web.site.devices",
    "beffroi.web.site.linking",
    "beffroi.web.site.administration",
)


def routes_of(town: Town) -> list[BaseRoute]:
    """Return every route of the platform and of its services."""
    routes: list[BaseRoute] = []
    for name in FACES:
        if importlib.util.find_spec(name) is None:
            continue
        face = importlib.import_module(name)
        routes.extend(face.routes(town) if hasattr(face, "routes") else face.ROUTES)
    for service in town.registry.services.values():
        routes.extend(service.routes)
    return routes


# A thread that comes back from the database waits that long for one that computes. With Python's 5 ms, the thirty
# statements of a transaction hold everybody's turn to write for 150 ms on a busy town.
SWITCH_S = 0.0005
THREADS = 12  # of a process that answer at once: more of them only take the interpreter from one another


def create_app(
    town: Town, *, open_writes: bool = False, keeper: Keeper | None = None, gate: Gate | None = None
) -> Starlette:
    """Return the ASGI application of `town`; `keeper`, when given, lives as long as the application."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, Any]]:
        to_thread.current_default_thread_limiter().total_tokens = THREADS
        sys.setswitchinterval(SWITCH_S)
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(guard.close)
            stack.callback(asyncio.create_task(memory.keep_small(), name="memory").cancel)
            if keeper is not None:
                await stack.enter_async_context(keeper)
            yield {}

    guard = gate or Gate(town.store)
    app = Starlette(
        routes=routes_of(town),
        lifespan=lifespan,
        middleware=doors.middleware(guard, town.settings, open_writes=open_writes),
        exception_handlers=HANDLERS,
    )
    app.router.middleware_stack = Signposts(app.router)
    app.state.town = town
    app.state.gate = guard
    app.state.open_writes = open_writes
    app.state.keeper = keeper
    return app


def with_express_lane(app: Starlette) -> ExpressLane:
    """Return the application with its lane for observations that arrive, as it is served."""
    state = app.state
    return ExpressLane(app, state.town, state.gate, open_writes=state.open_writes)


def living(town: Town, app: Starlette) -> Living:
    """Return the application as it is served: another takes its place when the services in use change."""
    state = app.state

    def again() -> ExpressLane:
        town.renew()
        fresh = create_app(town, open_writes=state.open_writes, gate=state.gate)
        fresh.state.keeper = state.keeper
        fresh.state.living = state.living
        fresh.state.pages = pages_for(town)  # read now rather than by whoever comes first
        return with_express_lane(fresh)

    adopted = state.keeper.adopt if state.keeper is not None else lambda: None
    state.living = Living(with_express_lane(app), again, lambda: shelf.sign(town.store), adopted)
    made: Living = state.living
    return made


def from_environment(town: Town | None = None) -> Living:
    """Return the application that `beffroi serve` described in the environment (one call per worker process)."""
    memory.few_arenas()
    logs.begin()  # a process made anew after one died has none yet
    town = town or open_town(Path(os.environ["BEFFROI_DATA"]))
    mqtt_host, _, mqtt_port = os.environ.get("BEFFROI_MQTT", "127.0.0.1:0").rpartition(":")
    open_writes = os.environ.get("BEFFROI_OPEN_WRITES") == "1"
    address = os.environ.get("BEFFROI_ADDRESS", "")
    keeper = Keeper(town, mqtt=(mqtt_host, int(mqtt_port)), open_writes=open_writes, address=address)
    served = living(town, create_app(town, open_writes=open_writes, keeper=keeper))
    gc.collect()
    gc.freeze()  # what was loaded stays: no collection need walk through it again
    gc.set_threshold(50_000, 20, 20)  # an answer of thousands of rows is not garbage
    return served
