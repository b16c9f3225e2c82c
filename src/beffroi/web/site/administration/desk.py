"""What the pages of this package share: who may enter, what a form holds, what to say when it is refused."""

import functools
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, ParamSpec, TypeVar
from urllib.parse import quote

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from beffroi.connectors.openid import Relying, relying
from beffroi.identity.rights import require_admin, require_signed_in
from beffroi.model.principal import Principal
from beffroi.model.problem import Problem
from beffroi.store.open import Store
from beffroi.web.kit.page import language_of, principal_of, render, translate

__all__ = [
    "PRIVATE",
    "codes_of",
    "entry",
    "off_loop",
    "refused",
    "relying_of",
    "role_names",
    "sections_of",
    "see_other",
    "show",
    "store_of",
    "within",
]

P = ParamSpec("P")
R = TypeVar("R")
Endpoint = Callable[[Request], Awaitable[Response]]
PRIVATE = {"Cache-Control": "no-store"}  # what shows a secret, or a person, is kept by no cache


def store_of(request: Request) -> Store:
    """Return the town's store."""
    store: Store = request.app.state.town.store
    return store


def relying_of(request: Request) -> dict[str, Relying]:
    """Return this town's providers of identity by name, each with what it was last known to say of itself."""
    state = request.app.state
    known: dict[str, Relying] | None = getattr(state, "relying", None)
    if known is None:
        settings = state.town.settings
        known = state.relying = relying(settings.oidc, settings.data)
    return known


async def off_loop(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run what reads or writes the store (or hashes a password) in a thread."""
    return await to_thread.run_sync(functools.partial(function, *args, **kwargs))


def entry(*, admin: bool) -> Callable[[Endpoint], Endpoint]:
    """Let only signed-in people (or administrators) in; who is not signed in is led to the sign-in page and back."""

    def around(endpoint: Endpoint) -> Endpoint:
        @functools.wraps(endpoint)
        async def guarded(request: Request) -> Response:
            who = principal_of(request)
            if (
                who.id == "anonymous"
                and request.method in ("GET", "HEAD")
                and "html" in request.headers.get("accept", "")
            ):
                return see_other(f"/connexion?suite={quote(request.url.path)}")
            (require_admin if admin else require_signed_in)(who)
            return await endpoint(request)

        return guarded

    return around


def show(request: Request, name: str, status: int = 200, **context: Any) -> Response:
    """Return a page of this package, kept by no cache."""
    return render(
        request, f"administration/{name}.html", status, PRIVATE, sections=sections_of(request), **context
    )


def see_other(address: str) -> Response:
    """Send the browser to another page after a form (303)."""
    return RedirectResponse(address, 303)


def refused(request: Request, problem: Problem) -> dict[str, str]:
    """Return the errors to show in the form: what is wrong and how to mend it, at the field it is about."""
    language = language_of(request)
    said = " ".join(part for part in (problem.reason.of(language), problem.mend.of(language)) if part)
    return {problem.place: said}


def codes_of(text: str) -> list[str]:
    """Return the territory codes typed in one field, separated by spaces or commas."""
    return text.replace(",", " ").replace(";", " ").split()


def within(who: Principal, territories: Iterable[str]) -> bool:
    """True when an administrator of `who`'s territories looks after someone (or a key) limited to `territories`."""
    theirs = set(territories)
    return not who.territories or (bool(theirs) and theirs <= set(who.territories))


def role_names(request: Request) -> dict[str, str]:
    """Return the words for each role."""
    _ = translate(request)
    return {
        "agent": _("Agent"), "responsable": _("Responsable"), "elu": _("Élu"), "supplier": _("Prestataire"),
        "admin": _("Administrateur"), "device": _("Appareil"), "citizen": _("Habitant"),
    }  # fmt: skip


def sections_of(request: Request) -> list[tuple[str, str, bool]]:
    """Return the tabs of the administration that this administrator may open."""
    _ = translate(request)
    names = [
        (_("Vue d'ensemble"), "/administration"), (_("Personnes"), "/administration/personnes"),
        (_("Clés"), "/administration/cles"), (_("Sessions"), "/administration/sessions"),
        (_("Territoires"), "/administration/territoires"),
    ]  # fmt: skip
    if not principal_of(request).territories:
        names += [
            (_("Ville"), "/administration/ville"),
            (_("Commune"), "/administration/commune"),
            (_("Sécurité"), "/administration/securite"),
            (_("Services"), "/administration/services"),
            (_("Conservation"), "/administration/conservation"),
            (_("Registre"), "/administration/registre"),
            (_("Devoirs"), "/administration/devoirs"),
            (_("Journal"), "/administration/journal"),
            (_("Santé"), "/administration/sante"),
        ]
    path = request.url.path
    return [
        (name, href, path == href or (href != "/administration" and path.startswith(href)))
        for name, href in names
    ]
