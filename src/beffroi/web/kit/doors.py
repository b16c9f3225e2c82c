"""The doors of the application: what every request passes, outermost first."""

from urllib.parse import urlsplit

from starlette.middleware import Middleware

from beffroi.identity.gate import Gate
from beffroi.settings import Settings
from beffroi.web.kit.csrf import CsrfMiddleware
from beffroi.web.kit.headers import SafetyMiddleware
from beffroi.web.kit.language import LanguageMiddleware
from beffroi.web.kit.who import WhoMiddleware

__all__ = ["middleware"]


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def middleware(gate: Gate, settings: Settings, *, open_writes: bool = False) -> list[Middleware]:
    """Return the middleware of the application, for Starlette."""
    return [
        Middleware(SafetyMiddleware, form_targets=tuple(_origin(one.issuer) for one in settings.oidc)),
        Middleware(LanguageMiddleware, default=settings.language),
        Middleware(WhoMiddleware, gate=gate, open_writes=open_writes),
        Middleware(CsrfMiddleware, secret=settings.secret()),
    ]
