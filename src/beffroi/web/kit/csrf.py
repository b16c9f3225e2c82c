"""Requests that another site makes a browser send are refused.

A form carries a token bound to the session (signed out: to a random cookie). A program's call that only a cookie
gives rights must come from our own pages, which its `Origin`, `Sec-Fetch-Site` or `X-CSRF-Token` shows. A call
with a key needs none of this: no browser adds a key by itself.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request, cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from beffroi.model.problem import Forbidden, Problem
from beffroi.model.text import Text
from beffroi.web.kit.errors import problem_response
from beffroi.web.kit.programs import for_programs
from beffroi.web.kit.who import header_of

__all__ = ["FORM_COOKIE", "CsrfMiddleware"]

FORM_COOKIE = "beffroi_form"
_SAFE = ("GET", "HEAD", "OPTIONS")
_HEAD = 64_000  # in a form with files, the token is within its first bytes: `csrf()` comes first
_IN_PARTS = re.compile(rb'name="csrf"\r\n(?:[^\r\n]+\r\n)*\r\n([0-9a-f]{64})\r\n')
_REFUSED = Forbidden(
    Text("Ce formulaire n'est plus valable, ou vient d'un autre site.", "This form is out of date, or comes from another site."),
    Text("Revenez à la page, rechargez-la, puis envoyez de nouveau.", "Go back to the page, reload it, then send again."),
    place="csrf",
)  # fmt: skip


class CsrfMiddleware:
    """Sets `request.state.csrf` (a callable that gives the form's token) and checks what comes back (403)."""

    def __init__(self, app: ASGIApp, secret: bytes) -> None:
        self.app = app
        self._secret = secret

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, unless it was forged."""
        state = scope.setdefault("state", {})
        if scope["type"] != "http" or state.get("means") == "key":  # no browser adds a key by itself
            await self.app(scope, receive, send)
            return
        anchor = state.get("session_secret") or cookie_parser(header_of(scope, b"cookie")).get(
            FORM_COOKIE, ""
        )
        fresh = ""

        def token() -> str:
            nonlocal fresh
            if not anchor and not fresh:
                fresh = secrets.token_urlsafe(24)
            return self._token(anchor or fresh)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start" and fresh:
                secure = "; Secure" if scope["scheme"] == "https" else ""
                cookie = f"{FORM_COOKIE}={fresh}; Path=/; HttpOnly; SameSite=Lax{secure}"
                MutableHeaders(scope=message).append("Set-Cookie", cookie)
            await send(message)

        state["csrf"] = token
        if scope["method"] not in _SAFE:
            try:
                receive = await self._checked(scope, receive, anchor)
            except Problem as problem:
                await problem_response(Request(scope), problem)(scope, receive, answer)
                return
        await self.app(scope, receive, answer)

    def _token(self, anchor: str) -> str:
        return hmac.new(self._secret, b"csrf\0" + anchor.encode(), hashlib.sha256).hexdigest()

    def _right(self, anchor: str, given: str) -> bool:
        return bool(anchor) and hmac.compare_digest(self._token(anchor), given)

    async def _checked(self, scope: Scope, receive: Receive, anchor: str) -> Receive:
        """Return a `receive` that gives the whole body again. Raises `Problem`."""
        given = header_of(scope, b"x-csrf-token")
        if given and given.isascii() and self._right(anchor, given):
            return receive
        kind = header_of(scope, b"content-type").lower()
        if for_programs(scope["path"]) or kind.startswith("application/json"):
            if scope["state"].get("means") and not _same_site(
                scope, strict=scope["state"]["means"] == "session"
            ):
                raise _REFUSED
            return receive
        if _same_site(scope, strict=False):
            read = _token_in_parts if kind.startswith("multipart/form-data") else _token_in_form
            found, again = await read(receive)
            if self._right(anchor, found):
                return again
        raise _REFUSED


def _same_site(scope: Scope, *, strict: bool) -> bool:
    """True when the browser says the request comes from our pages; when it says nothing, True unless `strict`."""
    origin, site = header_of(scope, b"origin"), header_of(scope, b"sec-fetch-site")
    if origin:
        return urlsplit(origin).netloc.lower() == header_of(scope, b"host").lower()
    if site:
        return site in ("same-origin", "none")
    return not strict


async def _token_in_form(receive: Receive) -> tuple[str, Receive]:
    messages: list[Message] = []
    while not messages or messages[-1].get("more_body"):
        messages.append(await receive())
    body = b"".join(m.get("body", b"") for m in messages)
    try:
        found = parse_qs(body.decode("utf-8", "replace"), max_num_fields=2000).get("csrf", [""])[0]
    except ValueError:
        found = ""
    return found if found.isascii() else "", _again(messages, receive)


async def _token_in_parts(receive: Receive) -> tuple[str, Receive]:
    messages: list[Message] = []
    head, match = b"", None
    while match is None and len(head) < _HEAD and (not messages or messages[-1].get("more_body")):
        messages.append(await receive())
        head += messages[-1].get("body", b"")
        match = _IN_PARTS.search(head)
    return match.group(1).decode() if match else "", _again(messages, receive)


def _again(messages: list[Message], receive: Receive) -> Callable[[], Awaitable[Message]]:
    waiting = iter(messages)

    async def again() -> Message:
        message = next(waiting, None)
        return message if message is not None else await receive()

    return again
