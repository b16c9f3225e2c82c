"""`/signaler/saisir`: what someone tells on the telephone, at the counter or on paper, entered by staff."""

import secrets
from collections import defaultdict

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.model.problem import Forbidden, Problem, Unauthorised
from beffroi.model.text import Text
from beffroi.services.reports import drafts
from beffroi.services.reports.citizen.form import (
    ACCEPT,
    before_sending,
    category_of,
    category_options,
    inputs,
    join,
    problems_of,
    said,
    submission_of,
)
from beffroi.services.reports.citizen.reading import Sent, read_form, town_of
from beffroi.services.reports.questions import inputs_of
from beffroi.services.reports.submission import submit
from beffroi.web.kit.page import language_of, principal_of, render

__all__ = ["ROUTES"]

CHANNELS = ("phone", "counter", "paper", "mail")


def _staff(request: Request) -> None:
    who = principal_of(request)
    if who.staff:
        return
    said = Text("Cette page est pour les agents.", "This page is for the town's staff.")
    mend = Text("Vous habitez ici ? Signalez par /signaler.", "Do you live here? Report by /signaler.")
    raise Unauthorised(said, mend) if who.role == "citizen" else Forbidden(said, mend)


def page(request: Request) -> Response:
    """Answer the form of the counter."""
    _staff(request)
    return _page(request, {"channel": "phone", "category": request.query_params.get("categorie", "")}, [])


def _page(request: Request, values: dict[str, str], problems: list[Problem]) -> Response:
    language = language_of(request)
    category = category_of(request, values.get("category", ""))
    return render(
        request, "citizen/counter.html", 400 if problems else 200, values=defaultdict(str, values), errors=defaultdict(str, {p.place: said(p, language) for p in problems}),
        inputs=inputs(request, values.get("kind") == "saisine"), channels=CHANNELS, options=category_options(request), accept=ACCEPT,
        questions=inputs_of(category, language) if category else [], category=category,
    )  # fmt: skip


async def enter(request: Request) -> Response:
    """Take the report in on behalf of someone, and lead to the receipt to print."""
    _staff(request)
    sent = await read_form(request)
    return await run_in_threadpool(_enter, request, sent)


def _enter(request: Request, sent: Sent) -> Response:
    who = principal_of(request)
    channel = sent.get("channel")
    given = msgspec.structs.replace(
        submission_of(request, sent), channel=channel if channel in CHANNELS else "phone",
        language="en" if sent.get("language") == "en" else "fr",
    )  # fmt: skip
    town = town_of(request)
    if sent.get("same"):  # each caller is someone else
        return join(request, sent, given, f"counter {secrets.token_hex(8)}", None)
    if sent.get("back"):
        return _page(request, dict(sent.texts), [])
    problems = problems_of(town, sent, given)
    if problems:
        return _page(request, dict(sent.texts), problems)
    asked = before_sending(request, sent, given, staff=True)
    if asked is not None:
        return asked
    made = submit(town, given, None, who, lambda writer: drafts.take(writer, sent.get("draft")))
    return RedirectResponse(f"/suivi/{made.number}/{made.key}/accuse", 303)


ROUTES: list[BaseRoute] = [
    Route("/signaler/saisir", page),
    Route("/signaler/saisir", enter, methods=["POST"]),
]
