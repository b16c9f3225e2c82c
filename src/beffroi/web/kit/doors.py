"""The doors of the application: what every request passes, outermost first."""

from starlette.middleware import Middleware

from beffroi.identity.gate import Gate
from beffroi.settings import Settings
from beffroi.web.kit.csrf import CsrfMiddleware
from beffroi.web.kit.headers import SafetyMiddleware
from beffroi.web.kit.language import LanguageMiddleware
from beffroi.web.kit.who import WhoMiddleware

__all__ = ["middleware"]


def middleware(gate: Gate, settings: Settings, *, open_writes: bool = False) -> list[Middleware]:
    """Return the middleware of the application, for Starlette."""
    return [
        Middleware(SafetyMiddleware),
        Middleware(LanguageMiddleware, default=settings.language),
        Middleware(WhoMiddleware, gate=gate, open_writes=open_writes),
        Middleware(CsrfMiddleware, secret=settings.secret()),
    ]
