"""Signing in by a provider of identity (OpenID Connect): there, back, and out when the provider says so."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from beffroi.connectors.openid import Relying
from beffroi.identity import federation, safekeeping
from beffroi.identity.people import Person
from beffroi.model.instant import MINUTE_US, SECOND_US
from beffroi.model.problem import NotFound, Problem, Unauthorised
from beffroi.model.text import Text
from beffroi.standards import openid
from beffroi.standards.openid import Asked
from beffroi.store.open import Store
from beffroi.web.kit.page import language_of
from beffroi.web.site.administration.desk import (
    off_loop,
    refused,
    relying_of,
    see_other,
    store_of,
)
from beffroi.web.site.administration.sign_in import base_of, hand, local, sign_in_form, welcome

__all__ = ["LOGOUT", "RETURN", "ROUTES"]

COOKIE = "beffroi_openid"  # what this browser went to ask, sealed: another browser's answer is not taken
KEPT_US = 10 * MINUTE_US
LARGEST = 64_000  # bytes of a logout token's form: anybody may send one
RETURN = "/connexion/retour/{name}"
LOGOUT = "/hooks/openid/{name}/logout"
_STALE = Unauthorised(
    Text("Cette connexion n'a pas été demandée d'ici, ou il y a trop longtemps.",
         "This sign-in was not asked for here, or too long ago."),
    Text("Recommencez depuis la page de connexion.", "Start again from the sign-in page."),
)  # fmt: skip


def _one(request: Request) -> Relying:
    found = relying_of(request).get(request.path_params["name"])
    if found is None:
        raise NotFound(
            Text("Ce fournisseur d'identité n'est pas réglé ici.", "This identity provider is not set here.")
        )
    return found


def _return(request: Request) -> str:
    return base_of(request) + RETURN.format(name=request.path_params["name"])


async def depart(request: Request) -> Response:
    """Send the browser to the provider, remembering what it went to ask."""
    one, store = _one(request), store_of(request)
    asked = openid.fresh(one.settings.name, local(request.query_params.get("suite", "/")), store.clock())
    try:
        place = await off_loop(one.address, asked, _return(request))
    except Problem as problem:
        return sign_in_form(request, {"suite": asked.after}, refused(request, problem), problem.status)
    response = see_other(place)
    kept = safekeeping.close_text(store, COOKIE, {f: getattr(asked, f) for f in asked.__struct_fields__})
    hand(request, response, COOKIE, kept, KEPT_US // SECOND_US)
    response.headers["Cache-Control"] = "no-store"
    return response


async def come_back(request: Request) -> Response:
    """Take the provider's answer; whom it vouches for is signed in."""
    one = _one(request)
    asked = _asked(request, one.settings.name)
    after = asked.after if asked is not None else "/"
    try:
        if asked is None:
            raise _STALE
        entered = await off_loop(_entered, request, one, asked, _return(request))
    except Problem as problem:
        response = sign_in_form(request, {"suite": after}, refused(request, problem), problem.status)
    else:
        response = await welcome(request, entered, after)
    response.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return response


def _asked(request: Request, name: str) -> Asked | None:
    """Return what this browser went to ask of the provider, None when it did not, or is back too late."""
    store = store_of(request)
    kept: Any = safekeeping.reopen_text(store, COOKIE, request.cookies.get(COOKIE, ""))
    if not isinstance(kept, dict):
        return None
    asked = Asked(**kept)
    return asked if asked.provider == name and store.clock() - asked.at_us < KEPT_US else None


def _entered(request: Request, one: Relying, asked: Asked, back: str) -> tuple[Person, str]:
    store, answer = store_of(request), request.query_params
    if (
        answer.get("state", "") != asked.state
        or answer.get("iss", one.provider().issuer) != one.provider().issuer
    ):
        raise _STALE
    if "code" not in answer:
        raise _declined(answer.get("error", ""))
    claims, id_token = one.exchange(asked, answer["code"], back, store.clock() / SECOND_US)
    return federation.enter(
        store, one.settings, claims, id_token, agent=request.headers.get("user-agent", "")
    )


def _declined(error: str) -> Problem:
    shown = "".join(c for c in error[:40] if c.isalnum() or c in "_-")
    return Unauthorised(
        Text(f"Le fournisseur d'identité n'a pas ouvert la session ({shown}).",
             f"The identity provider did not sign you in ({shown})."),
        Text("Recommencez, ou connectez-vous autrement.", "Start again, or sign in another way."),
    )  # fmt: skip


async def logged_out(request: Request) -> Response:
    """End the sessions that a provider's logout token names (Back-Channel Logout 1.0 §2.7)."""
    one, store = _one(request), store_of(request)
    headers = {"Cache-Control": "no-store"}
    try:
        if int(request.headers.get("content-length", "0")) > LARGEST:
            raise openid.refused(Text("La demande est trop lourde.", "The request is too heavy."))
        token = str((await request.form(max_fields=5)).get("logout_token", ""))[:20_000]
        await off_loop(_end, store, one, token)
    except Problem as problem:
        said = {"error": "invalid_request", "error_description": problem.reason.of(language_of(request))}
        return JSONResponse(said, 400, headers)
    return Response(None, 200, headers)


def _end(store: Store, one: Relying, token: str) -> None:
    subject, sid = one.logged_out(token, store.clock() / SECOND_US)
    federation.end_together(store, one.settings, subject, sid)


ROUTES = [
    Route("/connexion/avec/{name}", depart, methods=["GET"]),
    Route(RETURN, come_back, methods=["GET"]),
    Route(LOGOUT, logged_out, methods=["POST"]),
]
