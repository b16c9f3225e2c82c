"""`GET /health`: can this town write, right now?"""

import asyncio
import contextlib
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from beffroi import __version__
from beffroi.election import Election
from beffroi.model.problem import Problem
from beffroi.store.database import connect_sqlite
from beffroi.store.jobs import due
from beffroi.store.open import Store

__all__ = ["ROUTES", "examine"]

REMEMBERED_S = 1.0  # a flood of questions costs one small write a second
# While writing waits its turn, whoever else asks waits too: in no thread, which those who read would lack.
DOOR = CapacityLimiter(1)


def examine(store: Store) -> dict[str, Any]:
    """Return the state of the store, having written to its disk for real (and waited for it).

    `status` is "ok" or "cannot write" (then `reason` says why); `keeper` is True when a process holds the
    duties (MQTT, rules, sealing); `waiting` and `lag_s` count the jobs that are due and how late the oldest is.
    """
    report: dict[str, Any] = {"status": "ok", "version": __version__, "store": store.dialect}
    now = store.clock()
    try:
        store.set_setting("health.written_us", now)
        if store.database.observations_path is not None:
            _write_beside(store.database.observations_path)
        with store.read() as connection:
            waiting, lag_s = due(connection, now)
        report["keeper"] = Election(store).held()
        report["waiting"] = waiting
        report["lag_s"] = lag_s
    except (Problem, OSError, sqlite3.Error) as error:
        report["status"] = "cannot write"
        report["reason"] = str(error)
    return report


def _write_beside(path: Path) -> None:
    """Write to the file of the observations, which may lie on a full disk when that of the records does not."""
    with contextlib.closing(connect_sqlite(path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE counter SET next = next")
        connection.execute("COMMIT")


class _Doctor:
    """Examines at most once a second, whoever asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: tuple[float, dict[str, Any]] | None = None

    def ask(self, store: Store) -> dict[str, Any]:
        with self._lock:
            if self._known is None or time.monotonic() - self._known[0] > REMEMBERED_S:
                report = examine(store)
                self._known = (time.monotonic(), report)
            return self._known[1]


async def health(request: Request) -> Response:
    """Answer 200 when Beffroi can write, 503 when not (or not within 10 seconds)."""
    state = request.app.state
    doctor = getattr(state, "doctor", None)
    if doctor is None:
        doctor = state.doctor = _Doctor()
    try:
        report = await asyncio.wait_for(
            to_thread.run_sync(doctor.ask, state.town.store, abandon_on_cancel=True, limiter=DOOR), 10
        )
    except TimeoutError:
        report = {"status": "cannot write", "version": __version__, "reason": "no answer in 10 s"}
    return JSONResponse(report, 200 if report["status"] == "ok" else 503, {"Cache-Control": "no-store"})


ROUTES = [Route("/health", health)]
