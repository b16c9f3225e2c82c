"""Living: the application as it is served, made anew when the services in use change, without losing a request.

What is under way ends in the application that began it; what comes next is answered by the new one. The change is
looked for every second, so that each process follows what one of them (or a command) was told.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any

from anyio import to_thread
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Living"]

log = logging.getLogger("beffroi.living")
LOOK_S = 1.0


class Living:
    """ASGI application whose inside can be replaced. `make` returns the inside; `sign` what it was made from;
    `adopted` is called in the loop after each replacement."""

    def __init__(
        self, first: ASGIApp, make: Callable[[], ASGIApp], sign: Callable[[], Any], adopted: Callable[[], None] = lambda: None
    ) -> None:  # fmt: skip
        self._first = first
        self._now = first
        self._make, self._sign, self._adopted = make, sign, adopted
        self._made_from = sign()
        self._lock = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; the lifespan is the first application's, and this one's."""
        if scope["type"] != "lifespan":
            await self._now(scope, receive, send)
            return
        watching = asyncio.create_task(self._watch(), name="living")
        try:
            await self._first(scope, receive, send)
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching

    async def refresh(self) -> bool:
        """Replace the inside if what it was made from has changed; tell whether it was."""
        changed = await to_thread.run_sync(self._refreshed)
        if changed:
            self._adopted()
        return changed

    def _refreshed(self) -> bool:
        with self._lock:
            sign = self._sign()
            if sign == self._made_from:
                return False
            self._now = self._make()
            self._made_from = sign
            return True

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.refresh()
            except Exception:
                log.exception("the services could not be changed; those of before go on")
