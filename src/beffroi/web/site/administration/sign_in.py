"""Signing in and out: by address and password, or by a link that works once."""

import secrets
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from beffroi.identity import federation, safekeeping, sessions, sign_in, totp
from beffroi.identity.people import Person
from beffroi.identity.second_factor import OneMoreStep
from beffroi.model.instant import MINUTE_US, SECOND_US
from beffroi.model.problem import Problem
from beffroi.web.kit.form import Input
from beffroi.web.kit.language import COOKIE as LANGUAGE_COOKIE
from beffroi.web.kit.page import principal_of, translate
from beffroi.web.kit.who import SESSION_COOKIE
from beffroi.web.site.administration.desk import (
    off_loop,
    refused,
    relying_of,
    see_other,
    show,
    store_of,
)

__all__ = [
    "PENDING",
    "ROUTES",
    "base_of",
    "give_session",
    "hand",
    "local",
    "one_more_step",
    "peer",
    "secure",
    "sign_in_form",
    "welcome",
]

PENDING = "beffroi_suite"  # what a browser holds between the first factor and the second, sealed
PENDING_US = 10 * MINUTE_US


def local(address: str) -> str:
    """Return where to go next, which must be a page of this town, else the home page."""
    inside = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return quote(address, safe="/?&=%+-_.~:,@!$'()*") if inside else "/"


def secure(request: Request) -> bool:
    """True when this town is asked over TLS, by this hop or by its public address."""
    return request.url.scheme == "https" or request.app.state.town.settings.base_url.startswith("https:")


def base_of(request: Request) -> str:
    """Return this town's own address, without a last slash."""
    settings = request.app.state.town.settings
    return str(settings.base_url or request.base_url).rstrip("/")


def hand(request: Request, response: Response, name: str, value: str, seconds: int) -> None:
    """Put a cookie in the answer that no script reads and no other site sends."""
    response.set_cookie(name, value, max_age=seconds, httponly=True, samesite="lax", secure=secure(request))


def give_session(request: Request, response: Response, secret: str, person: Person) -> Response:
    """Put a new session in the answer's cookies, and the person's language when this browser has chosen none."""
    hand(request, response, SESSION_COOKIE, secret, sessions.ABSOLUTE_US // SECOND_US)
    if LANGUAGE_COOKIE not in request.cookies:
        response.set_cookie(LANGUAGE_COOKIE, person.language, max_age=31_536_000, samesite="lax")
    return response


def peer(request: Request) -> str:
    """Return the address that asks."""
    return request.client.host if request.client else ""


async def welcome(request: Request, entered: tuple[Person, str], after: str) -> Response:
    """Answer someone who has just signed in: another session than the one the browser came with."""
    person, secret = entered
    if request.state.session_secret:
        await off_loop(
            sessions.end_secret, store_of(request), principal_of(request), request.state.session_secret
        )
    return give_session(request, see_other(local(after)), secret, person)


def one_more_step(request: Request, step: OneMoreStep, after: str) -> Response:
    """Lead on someone whose first factor was right: to the code, or to set up a generator first."""
    store = store_of(request)
    kept = {
        "person": step.person.id, "stage": step.stage, "after": local(after), "at": store.clock(),
        "secret": totp.fresh_secret().hex() if step.stage == "enrol" else "",
    }  # fmt: skip
    place = "/connexion/code" if step.stage == "code" else "/connexion/second-facteur"
    response = see_other(place)
    hand(request, response, PENDING, safekeeping.close_text(store, PENDING, kept), PENDING_US // SECOND_US)
    return response


async def form(request: Request) -> Response:
    """Show the sign-in form."""
    return sign_in_form(request, {"suite": request.query_params.get("suite", "/")})


def sign_in_form(
    request: Request, values: dict[str, str], errors: dict[str, str] | None = None, status: int = 200
) -> Response:
    """Return the sign-in page: the providers of identity of this town, then address and password."""
    _ = translate(request)
    inputs = [
        Input("email", _("Adresse électronique"), "email", required=True, autocomplete="username"),
        Input("password", _("Mot de passe"), "password", required=True, autocomplete="current-password"),
        Input("suite", "", "hidden"),
    ]
    after = quote(local(values.get("suite", "/")), safe="")
    providers = [
        (one.title or one.name, f"/connexion/avec/{one.name}" + (f"?suite={after}" if after != "%2F" else ""))
        for one in request.app.state.town.settings.oidc
    ]
    return show(
        request, "sign_in", status, inputs=inputs, values=values, errors=errors or {}, providers=providers
    )


async def enter(request: Request) -> Response:
    """Sign in by password."""
    sent = await request.form()
    email, after = str(sent.get("email", "")), str(sent.get("suite", "/"))
    try:
        entered = await off_loop(
            sign_in.by_password, store_of(request), email, str(sent.get("password", "")),
            address=peer(request), agent=request.headers.get("user-agent", ""),
        )  # fmt: skip
    except OneMoreStep as step:
        return one_more_step(request, step, after)
    except Problem as problem:
        return sign_in_form(
            request, {"email": email, "suite": after}, refused(request, problem), problem.status
        )
    return await welcome(request, entered, after)


async def by_link(request: Request) -> Response:
    """Sign in by a one-time link; someone else who is signed in here is asked first, and so is a preview."""
    secret = request.path_params["secret"]
    person = await off_loop(sign_in.link_person, store_of(request), secret)
    preview = request.method == "HEAD" or "prefetch" in request.headers.get("sec-purpose", "")
    asked = principal_of(request).id in ("anonymous", f"user:{person.id}") or request.method == "POST"
    if preview or not asked:
        return show(request, "link", person=person)
    after = request.query_params.get("suite", "/")
    try:
        entered = await off_loop(
            sign_in.by_link, store_of(request), secret, agent=request.headers.get("user-agent", "")
        )
    except OneMoreStep as step:
        return one_more_step(request, step, after)
    return await welcome(request, entered, after)


async def farewell(request: Request) -> Response:
    """Ask before signing out (the header's button does it in one press)."""
    return show(request, "sign_out") if principal_of(request).id != "anonymous" else see_other("/")


async def leave(request: Request) -> Response:
    """Sign out: the session ends on the server too, and at the provider of identity that it came from."""
    store, here = store_of(request), request.state.session
    origin = await off_loop(federation.origin_of, store, here.id) if here is not None else None
    if request.state.session_secret:
        await off_loop(sessions.end_secret, store, principal_of(request), request.state.session_secret)
    response = see_other(await off_loop(_parting, request, origin) if origin else "/")
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="lax")
    return response


def _parting(request: Request, origin: tuple[str, str]) -> str:
    """Return where the provider of identity signs someone out, "/" when it does not (or cannot be asked)."""
    name, id_token = origin
    one = relying_of(request).get(name)
    if one is None or not one.settings.logout:
        return "/"
    try:
        return (
            one.logout_address(id_token, f"{base_of(request)}/deconnexion/fait", secrets.token_urlsafe(32))
            or "/"
        )
    except Problem:
        return "/"


async def left(request: Request) -> Response:
    """Say that one is signed out, here and at the provider of identity that sends one back here."""
    return show(request, "signed_out")


ROUTES = [
    Route("/connexion", form, methods=["GET"]),
    Route("/connexion", enter, methods=["POST"]),
    Route("/connexion/lien/{secret}", by_link, methods=["GET", "POST"]),
    Route("/deconnexion", farewell, methods=["GET"]),
    Route("/deconnexion", leave, methods=["POST"]),
    Route("/deconnexion/fait", left, methods=["GET"]),
]
