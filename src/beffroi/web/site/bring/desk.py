"""What the pages of bringing share: who may enter, whose file it is, the work done at once or by the keeper."""

import functools
from collections.abc import Callable
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from beffroi.identity.rights import require_signed_in
from beffroi.intake.bringing import brought
from beffroi.intake.bringing.brought import Brought, save
from beffroi.intake.bringing.taking import work_on
from beffroi.intake.take import Intake
from beffroi.model.problem import Forbidden
from beffroi.model.text import Text
from beffroi.town import Town
from beffroi.web.kit.page import principal_of

__all__ = [
    "AT_ONCE_BYTES",
    "AT_ONCE_ROWS",
    "PRIVATE",
    "agent_only",
    "begin",
    "intake_of",
    "of_request",
    "town_of",
]

PRIVATE = {"Cache-Control": "no-store"}
AT_ONCE_BYTES = 1_500_000  # a file of that size is read, and its rows stored, while the page is asked for
AT_ONCE_ROWS = 3_000
Page = Callable[[Request], Response]


def town_of(request: Request) -> Town:
    """Return the town that the request is for."""
    town: Town = request.app.state.town
    return town


def check_agent(request: Request) -> None:
    """Raise `Unauthorised` or `Forbidden` unless the reader is signed in as someone of the town."""
    who = principal_of(request)
    require_signed_in(who)
    if not who.staff:
        raise Forbidden(Text("Apporter un fichier est réservé aux agents de la commune.", "Bringing a file is for the town's staff."),
                        Text("Demandez ce droit à l'administrateur.", "Ask the administrator for this right."))  # fmt: skip


def agent_only(page: Page) -> Page:
    """Let only people of the town in; who is not signed in is led to the sign-in page and back."""

    @functools.wraps(page)
    def guarded(request: Request) -> Response:
        signed_out = principal_of(request).id == "anonymous"
        if signed_out and request.method in ("GET", "HEAD") and "html" in request.headers.get("accept", ""):
            return RedirectResponse(f"/connexion?suite={quote(request.url.path)}", 303)
        check_agent(request)
        return page(request)

    return guarded


def of_request(request: Request) -> Brought:
    """Return the brought file of the address. Raises `NotFound`, also for somebody else's."""
    one = brought.get(town_of(request).store, int(request.path_params["number"]))
    who = principal_of(request)
    if one.owner != who.id and who.role != "admin":
        raise Forbidden(Text("Ce fichier a été apporté par quelqu'un d'autre.", "This file was brought by someone else."),
                        Text("Demandez-lui, ou à l'administrateur.", "Ask them, or the administrator."))  # fmt: skip
    return one


def intake_of(town: Town) -> Intake:
    """Return the way in for what files hold."""
    registry = town.registry
    return Intake(town.store, registry.datastream_kind, registry.service_of, registry.file_kinds)


def begin(town: Town, one: Brought, *, small: bool) -> None:
    """Keep a file that waits for work. A little work is done at once, leased with the very write that tells it: the
    keeper, who looks each second, would else take it and leave whoever asked before a page that waits."""
    save(town.store, one, leased=small)
    if small:
        work_on(intake_of(town), one)
