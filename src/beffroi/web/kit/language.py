"""Which language a page speaks: `?lang=`, then the cookie, then the browser's wish, then the town's own."""

from starlette.datastructures import MutableHeaders, QueryParams
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["COOKIE", "LanguageMiddleware", "preferred"]

COOKIE = "langue"
KNOWN = ("fr", "en")


def preferred(accept: str, default: str = "fr") -> str:
    """Return the language of `KNOWN` that an Accept-Language header likes best (RFC 9110 §12.5.4)."""
    best, best_weight = default, 0.0
    for part in accept.split(","):
        tag, _, parameter = part.strip().partition(";")
        name = tag.strip().lower().partition("-")[0]
        try:
            weight = float(parameter.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if name in KNOWN and weight > best_weight:
            best, best_weight = name, weight
    return best


class LanguageMiddleware:
    """Sets `request.state.language`; a `?lang=` of the address is remembered in a cookie for a year."""

    def __init__(self, app: ASGIApp, default: str = "fr") -> None:
        self.app = app
        self.default = default

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection in its reader's language."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        query = scope.get("query_string", b"")
        asked = QueryParams(query).get("lang", "") if b"lang=" in query else ""
        chosen = asked if asked in KNOWN else self._remembered(dict(scope["headers"]))
        scope.setdefault("state", {})["language"] = chosen
        if asked not in KNOWN:
            await self.app(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                cookie = f"{COOKIE}={asked}; Path=/; Max-Age=31536000; SameSite=Lax"
                MutableHeaders(scope=message).append("Set-Cookie", cookie)
            await send(message)

        await self.app(scope, receive, answer)

    def _remembered(self, headers: dict[bytes, bytes]) -> str:
        cookies = headers.get(b"cookie")
        if cookies is not None:
            # Starlette's parser: the standard library's raises on cookies that other programs may have set.
            remembered = cookie_parser(cookies.decode("latin-1")).get(COOKIE)
            if remembered in KNOWN:
                return remembered
        wish = headers.get(b"accept-language")
        return self.default if wish is None else preferred(wish.decode("latin-1"), self.default)
