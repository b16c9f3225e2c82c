"""`/live`: new values as server-sent events, resumed without loss from the commit sequence.

One watcher per process reads the bus once per commit and hands each value to the readers that asked for its
series; a reader that cannot keep up is let go, and its browser comes back with `Last-Event-ID`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from beffroi.model.instant import format_instant
from beffroi.model.observation import Observation
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.town import Town
from beffroi.web.kit.page import principal_of
from beffroi.web.site.catalogue import series_of, values_of

__all__ = ["ROUTES", "Watcher", "event_of"]

QUEUE = 2_000
PAGE = 5_000
QUIET_S = 15.0
MOST_SERIES = 500


def event_of(o: Observation) -> str:
    """Return the event of one value; its id is the commit sequence."""
    number = o.result.value
    body: dict[str, Any] = {
        "datastream": o.datastream_id, "id": o.id, "at": format_instant(o.end_us or o.start_us), "value": number,
        "text": None if number is not None else o.result.json().strip('"'), "quality": o.quality,
        # of a MultiDatastream, in the order of its components, digits as received
        "values": msgspec.Raw(o.result.json().encode()) if values_of(o) else None,
    }  # fmt: skip
    return f"id: {o.seq}\nevent: observation\ndata: {msgspec.json.encode(body).decode()}\n\n"


class Watcher:
    """Reads the bus for all readers of one process, while there is at least one."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self._queues: set[asyncio.Queue[Observation | None]] = set()
        self._task: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def reader(self) -> AsyncIterator[asyncio.Queue[Observation | None]]:
        """Give a queue of everything committed from now on; None in it means: too slow, come back."""
        queue: asyncio.Queue[Observation | None] = asyncio.Queue(QUEUE)
        if self._task is None or self._task.done():
            position = await run_in_threadpool(self.town.store.observations.head)
            self._task = asyncio.create_task(self._watch(position), name="live")
        self._queues.add(queue)
        try:
            yield queue
        finally:
            self._queues.discard(queue)
            if not self._queues and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _watch(self, position: int) -> None:
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(woken.set)

        cancel = self.town.store.listen(wake)
        try:
            while True:
                woken.clear()
                fresh = await run_in_threadpool(self.town.store.observations.after, position, PAGE)
                for observation in fresh:
                    position = observation.seq
                    self._hand(observation)
                if len(fresh) < PAGE:
                    await woken.wait()
        finally:
            cancel()

    def _hand(self, observation: Observation) -> None:
        for queue in tuple(self._queues):
            if queue.qsize() < QUEUE - 1:
                queue.put_nowait(observation)
            elif not queue.full():
                queue.put_nowait(None)


def _numbers(text: str) -> list[int]:
    try:
        found = sorted({int(part) for part in text.split(",") if part.strip()})
    except ValueError:
        found = []
    if not found or len(found) > MOST_SERIES:
        raise Problem(
            Text("Il faut de une à {most} séries.", "One to {most} series are needed.").filled(
                most=MOST_SERIES
            ),
            Text("Écrivez par exemple /live?datastreams=3,7.", "Write for example /live?datastreams=3,7."),
            place="datastreams",
        )
    return found


def _position(request: Request) -> int | None:
    text = request.headers.get("last-event-id") or request.query_params.get("after", "")
    return int(text) if text.isdigit() and len(text) < 17 else None


async def live(request: Request) -> Response:
    """Answer an event stream of the series asked for (`?datastreams=3,7`), from `Last-Event-ID` or `?after=` on."""
    town: Town = request.app.state.town
    asked = _numbers(request.query_params.get("datastreams", ""))
    mine = await run_in_threadpool(series_of, town, principal_of(request))
    wanted = {series.id for series in mine} & set(asked)
    watcher = getattr(request.app.state, "watcher", None) or Watcher(town)
    request.app.state.watcher = watcher
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(
        _events(watcher, wanted, _position(request)), media_type="text/event-stream", headers=headers
    )


async def _events(watcher: Watcher, wanted: set[int], position: int | None) -> AsyncIterator[str]:
    yield "retry: 2000\n\n"
    async with watcher.reader() as queue:
        sent = position
        while sent is not None:
            missed = await run_in_threadpool(watcher.town.store.observations.after, sent, PAGE)
            for observation in missed:
                sent = observation.seq
                if observation.datastream_id in wanted:
                    yield event_of(observation)
            if len(missed) < PAGE:
                break
        while True:
            fresh: Observation | None
            try:
                fresh = await asyncio.wait_for(queue.get(), QUIET_S)
            except TimeoutError:
                yield ": \n\n"
                continue
            if fresh is None:
                return
            if fresh.datastream_id in wanted and (sent is None or fresh.seq > sent):
                yield event_of(fresh)


ROUTES: list[BaseRoute] = [Route("/live", live)]
