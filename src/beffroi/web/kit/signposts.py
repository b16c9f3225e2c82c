"""Signposts: the routes that can answer a path, by its first part: three hundred are not tried one after the other."""

from collections import defaultdict

from starlette.routing import BaseRoute, Router
from starlette.types import Receive, Scope, Send

__all__ = ["Signposts"]


class Signposts:
    """Sends a request to the routes of a router whose path begins as its own, in the router's order.

    Answers are those of the whole router, 404, 405 and the redirection of a last slash included: no other route could
    have matched.
    """

    def __init__(self, router: Router) -> None:
        self._whole = router
        firsts = [(_first(route), route) for route in router.routes]
        known = {first for first, _ in firsts if first is not None}
        groups: dict[str, list[BaseRoute]] = defaultdict(list)
        anywhere: list[BaseRoute] = []
        for first, route in firsts:
            if first is None:
                anywhere.append(route)
            for name in known if first is None else (first,):
                groups[name].append(route)
        self._routers = {name: _router(router, routes) for name, routes in groups.items()}
        self._others = _router(router, anywhere)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or scope.get("root_path"):
            await self._whole.app(scope, receive, send)
            return
        parts = scope["path"].split("/", 2)
        first = parts[1] if len(parts) > 1 and not parts[0] else ""
        await self._routers.get(first, self._others).app(scope, receive, send)


def _first(route: BaseRoute) -> str | None:
    """Return the first part of the paths that a route takes, None when it is not one and the same."""
    path = getattr(route, "path", None)
    if not isinstance(path, str) or not path.startswith("/"):
        return None
    first = path.split("/", 2)[1]
    return None if "{" in first or path == "" else first


def _router(whole: Router, routes: list[BaseRoute]) -> Router:
    return Router(routes, redirect_slashes=whole.redirect_slashes, default=whole.default)
