"""From a problem to an answer: a page for people, JSON for programs."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from beffroi.model.problem import Forbidden, NotFound, Problem, Unauthorised
from beffroi.model.text import Text
from beffroi.web.kit.page import language_of, render
from beffroi.web.kit.programs import for_programs

__all__ = ["HANDLERS", "broken", "problem_page", "problem_response"]

logger = logging.getLogger(__name__)
_KNOWN: dict[int, Problem] = {
    401: Unauthorised(Text("Cette page demande une connexion.", "This page needs a sign-in.")),
    403: Forbidden(Text("Vous n'avez pas le droit de faire cela.", "You may not do this.")),
    404: NotFound(
        Text("Cette page n'existe pas, ou plus.", "This page does not exist, or no longer."),
        Text(
            "Vérifiez l'adresse, ou repartez de la situation.",
            "Check the address, or start again from the situation.",
        ),
    ),
    405: Problem(
        Text("Cette adresse ne s'utilise pas ainsi.", "This address is not used that way."), status=405
    ),
    413: Problem(Text("C'est trop gros pour être reçu.", "This is too large to be received."), status=413),
}
_BROKEN = Problem(
    Text("Beffroi n'a pas su répondre.", "Beffroi could not answer."),
    Text("L'erreur est notée dans le journal. Réessayez ; si elle revient, prévenez l'administrateur.",
         "The error is in the log. Try again; if it comes back, tell the administrator."),
    status=500,
)  # fmt: skip


def broken(_error: BaseException) -> Problem:
    """Return what is told of a fault of ours."""
    return _BROKEN


def problem_page(request: Request, problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Return the page that tells a reader what went wrong, where, and how to mend it."""
    return render(request, "kit/problem.html", problem.status, headers, problem=problem)


def problem_json(
    problem: Problem, headers: Mapping[str, str] | None = None, language: str = "en"
) -> Response:
    """Return the same for a program (RFC 9457), in the reader's language."""
    reason = problem.reason.of(language)
    body = {
        "type": "about:blank", "title": reason, "status": problem.status,
        "reason": reason, "mend": problem.mend.of(language), "place": problem.place,
    }  # fmt: skip
    sent = {"Content-Language": language, **(headers or {})}
    return JSONResponse(body, problem.status, sent, media_type="application/problem+json")


def problem_response(
    request: Request, problem: Problem, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a page when the reader asks for HTML at an address of pages, JSON otherwise."""
    wants_page = "text/html" in request.headers.get("accept", "")
    if wants_page and not for_programs(request.url.path):
        return problem_page(request, problem, headers)
    return problem_json(problem, headers, language_of(request))


async def on_problem(request: Request, error: Exception) -> Response:
    """Answer a `Problem`."""
    assert isinstance(error, Problem)
    return problem_response(request, error, {"Retry-After": "2"} if error.status in (429, 503) else None)


async def on_http(request: Request, error: Exception) -> Response:
    """Answer what the framework refused (no such route, wrong method)."""
    assert isinstance(error, HTTPException)
    unknown = Problem(Text(error.detail, error.detail), status=error.status_code)
    return problem_response(request, _KNOWN.get(error.status_code, unknown), error.headers)


async def on_crash(request: Request, error: Exception) -> Response:
    """Answer a fault of ours; its trace is in the log."""
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem_response(request, _BROKEN)


HANDLERS: dict[Any, Callable[[Request, Exception], Any]] = {
    Problem: on_problem, HTTPException: on_http, Exception: on_crash,
}  # fmt: skip
"""For Starlette's `exception_handlers`."""
