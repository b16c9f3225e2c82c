"""What every answer says to the browser to keep it safe, and how much a request may weigh."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.web.kit.errors import problem_response
from beffroi.web.kit.programs import for_programs

__all__ = ["DATA", "POLICY", "TLS", "SafetyMiddleware", "limit_of"]

POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; frame-ancestors 'none'; base-uri 'none';"
    " form-action 'self'"
)
Pairs = tuple[tuple[bytes, bytes], ...]
_PAGES: Pairs = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), payment=(), usb=(), geolocation=(self)"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
)
# Open data is read by other sites' scripts too; never with a person's cookie (no allow-credentials).
DATA: Pairs = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"access-control-allow-origin", b"*"),
)
TLS: Pairs = ((b"strict-transport-security", b"max-age=31536000"),)
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match, Prefer, Idempotency-Key",
    "Access-Control-Max-Age": "86400",
}
_MEGABYTE = 1_000_000
_TOO_LARGE = Text("La demande pèse plus de {n} Mo.", "The request is heavier than {n} MB.")
_SPLIT = Text("Envoyez en plusieurs fois.", "Send it in several parts.")


def limit_of(path: str, content_type: str) -> int:
    """Return how many bytes the body of a request may have: data 32 MB, files 64 MB, a file that is brought 512 MB, forms
    1 MB."""
    if for_programs(path):
        return 32 * _MEGABYTE
    if path == "/donnees/apporter" and content_type.startswith("multipart/"):
        return 512 * _MEGABYTE + _MEGABYTE
    return 64 * _MEGABYTE if content_type.startswith("multipart/") else _MEGABYTE


class SafetyMiddleware:
    """Adds the safety headers to every answer and refuses (413) bodies over the limit, announced or not."""

    def __init__(self, app: ASGIApp, form_targets: tuple[str, ...] = ()) -> None:
        """Serve `app`; `form_targets`: hosts that a form may lead to (signing out of a provider of identity too)."""
        self.app = app
        policy = " ".join((POLICY, *form_targets)).encode()
        self._pages: Pairs = ((b"content-security-policy", policy), *_PAGES[1:])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        added = DATA if for_programs(scope["path"]) else self._pages
        if scope["scheme"] == "https":
            added += TLS

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                known = {name for name, _value in headers}
                message["headers"] = headers + [pair for pair in added if pair[0] not in known]
            await send(message)

        headers = dict(scope["headers"])
        if scope["method"] == "OPTIONS" and added[0] in DATA and b"access-control-request-method" in headers:
            await Response(None, 204, _PREFLIGHT)(scope, receive, answer)
            return
        if scope["method"] in ("GET", "HEAD"):
            await self.app(scope, receive, answer)
            return
        limit = limit_of(scope["path"], headers.get(b"content-type", b"").decode("latin-1").lower())
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > limit:
            await problem_response(Request(scope), _too_large(limit))(scope, receive, answer)
            return
        await self.app(scope, _counted(receive, limit), answer)


def _too_large(limit: int) -> Problem:
    return Problem(_TOO_LARGE.filled(n=limit // _MEGABYTE), _SPLIT, status=413)


def _counted(receive: Receive, limit: int) -> Receive:
    """Return `receive`, raising `Problem` (413) once more than `limit` bytes of body came."""
    total = 0

    async def counted() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > limit:
            raise _too_large(limit)
        return message

    return counted
