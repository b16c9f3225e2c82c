"""Signing in and out: by address and password, or by a link that works once."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from beffroi.identity import sessions, sign_in
from beffroi.identity.people import Person
from beffroi.model.instant import SECOND_US
from beffroi.model.problem import Problem
from beffroi.web.kit.form import Input
from beffroi.web.kit.language import COOKIE as LANGUAGE_COOKIE
from beffroi.web.kit.page import principal_of, translate
from beffroi.web.kit.who import SESSION_COOKIE
from beffroi.web.site.administration.desk import off_loop, refused, see_other, show, store_of

__all__ = ["ROUTES", "give_session", "local"]


def local(address: str) -> str:
    """Return where to go next, which must be a page of this town, else the home page."""
    inside = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return quote(address, safe="/?&=%+-_.~:,@!$'()*") if inside else "/"


def give_session(request: Request, response: Response, secret: str, person: Person) -> Response:
    """Put a new session in the answer's cookies, and the person's language when this browser has chosen none."""
    secure = request.url.scheme == "https" or request.app.state.town.settings.base_url.startswith("https:")
    response.set_cookie(
        SESSION_COOKIE,
        secret,
        max_age=sessions.ABSOLUTE_US // SECOND_US,
        httponly=True,
        samesite="lax",
        secure=secure,
    )
    if LANGUAGE_COOKIE not in request.cookies:
        response.set_cookie(LANGUAGE_COOKIE, person.language, max_age=31_536_000, samesite="lax")
    return response


def _peer(request: Request) -> str:
    return request.client.host if request.client else ""


async def _enter(request: Request, entered: tuple[Person, str], after: str) -> Response:
    """Answer someone who has just signed in: another session than the one the browser came with."""
    person, secret = entered
    if request.state.session_secret:
        await off_loop(
            sessions.end_secret, store_of(request), principal_of(request), request.state.session_secret
        )
    return give_session(request, see_other(local(after)), secret, person)


async def form(request: Request) -> Response:
    """Show the sign-in form."""
    return _form(request, {"suite": request.query_params.get("suite", "/")})


def _form(
    request: Request, values: dict[str, str], errors: dict[str, str] | None = None, status: int = 200
) -> Response:
    _ = translate(request)
    inputs = [
        Input("email", _("Adresse électronique"), "email", required=True, autocomplete="username"),
        Input("password", _("Mot de passe"), "password", required=True, autocomplete="current-password"),
        Input("suite", "", "hidden"),
    ]
    return show(request, "sign_in", status, inputs=inputs, values=values, errors=errors or {})


async def enter(request: Request) -> Response:
    """Sign in by password."""
    sent = await request.form()
    email, after = str(sent.get("email", "")), str(sent.get("suite", "/"))
    try:
        entered = await off_loop(
            sign_in.by_password, store_of(request), email, str(sent.get("password", "")),
            address=_peer(request), agent=request.headers.get("user-agent", ""),
        )  # fmt: skip
    except Problem as problem:
        return _form(request, {"email": email, "suite": after}, refused(request, problem), problem.status)
    return await _enter(request, entered, after)


async def by_link(request: Request) -> Response:
    """Sign in by a one-time link; someone else who is signed in here is asked first, and so is a preview."""
    secret = request.path_params["secret"]
    person = await off_loop(sign_in.link_person, store_of(request), secret)
    preview = request.method == "HEAD" or "prefetch" in request.headers.get("sec-purpose", "")
    asked = principal_of(request).id in ("anonymous", f"user:{person.id}") or request.method == "POST"
    if preview or not asked:
        return show(request, "link", person=person)
    entered = await off_loop(
        sign_in.by_link, store_of(request), secret, agent=request.headers.get("user-agent", "")
    )
    return await _enter(request, entered, request.query_params.get("suite", "/"))


async def farewell(request: Request) -> Response:
    """Ask before signing out (the header's button does it in one press)."""
    return show(request, "sign_out") if principal_of(request).id != "anonymous" else see_other("/")


async def leave(request: Request) -> Response:
    """Sign out: the session ends on the server too."""
    if request.state.session_secret:
        await off_loop(
            sessions.end_secret, store_of(request), principal_of(request), request.state.session_secret
        )
    response = see_other("/")
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="lax")
    return response


ROUTES = [
    Route("/connexion", form, methods=["GET"]),
    Route("/connexion", enter, methods=["POST"]),
    Route("/connexion/lien/{secret}", by_link, methods=["GET", "POST"]),
    Route("/deconnexion", farewell, methods=["GET"]),
    Route("/deconnexion", leave, methods=["POST"]),
]
