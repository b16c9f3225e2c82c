"""Who is asking: from the key or the session cookie of a request to `request.state.who`."""

import functools
import ipaddress

from anyio import to_thread
from starlette.requests import Request, cookie_parser
from starlette.types import ASGIApp, Receive, Scope, Send

from beffroi.identity.gate import Caller, Gate
from beffroi.model.principal import ANONYMOUS, Principal
from beffroi.model.problem import Problem, Unauthorised
from beffroi.model.text import Text
from beffroi.web.kit.errors import problem_response
from beffroi.web.kit.programs import for_programs

__all__ = ["OPEN_WRITES", "SESSION_COOKIE", "WhoMiddleware", "header_of"]

SESSION_COOKIE = "beffroi_session"
OPEN_WRITES = Principal("open-writes", "--open-writes", "admin")
_BAD_KEY = Unauthorised(
    Text("Cette clé n'est pas, ou plus, valable.", "This key is not, or no longer, valid."),
    Text("Créez-en une : beffroi token create, ou Administration, Clés.",
         "Create one: beffroi token create, or Administration, Keys."),
    place="Authorization",
)  # fmt: skip


class WhoMiddleware:
    """Sets `request.state.who` (and `.session`, `.means`: "key", "session", "open" or "")."""

    def __init__(self, app: ASGIApp, gate: Gate, *, open_writes: bool = False) -> None:
        self.app = app
        self.gate = gate
        self.open_writes = open_writes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, knowing who asks; a key that is not valid is refused (401) at once."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state.update(who=ANONYMOUS, session=None, means="", session_secret="")
        try:
            await self._recognise(scope, state)
        except Problem as problem:
            headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'} if problem.status == 401 else None
            await problem_response(Request(scope), problem, headers)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    async def _recognise(self, scope: Scope, state: dict[str, object]) -> None:
        authorization = header_of(scope, b"authorization")
        if authorization:
            scheme, _, secret = authorization.partition(" ")
            caller = await self._find("token", secret.strip()) if scheme.lower() == "bearer" else None
            if caller is None:
                raise _BAD_KEY
            state.update(who=caller.who, means="key")
            return
        secret = cookie_parser(header_of(scope, b"cookie")).get(SESSION_COOKIE, "")
        caller = await self._find("session", secret) if secret else None
        if caller is not None:
            state.update(who=caller.who, session=caller.session, means="session", session_secret=secret)
        elif self.open_writes and for_programs(scope["path"]) and _from_this_machine(scope):
            state.update(who=OPEN_WRITES, means="open")

    async def _find(self, kind: str, secret: str) -> Caller | None:
        known = self.gate.recall(kind, secret)
        return known or await to_thread.run_sync(self.gate.look_up, kind, secret)


def header_of(scope: Scope, name: bytes) -> str:
    """Return a header of the request, or ""."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return ""


def _from_this_machine(scope: Scope) -> bool:
    """True when both the peer and the address it asked for are the loopback (no site rebinds a name to it)."""
    peer = scope["client"][0] if scope.get("client") else ""
    host = header_of(scope, b"host")
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return _loopback(peer) and (name == "localhost" or _loopback(name))


@functools.lru_cache(maxsize=1024)
def _loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
