"""The second factor on screen: asked at sign-in, set up with a QR code, its recovery codes, and which roles must have it."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from beffroi.identity import people, safekeeping, second_factor, sign_in, totp
from beffroi.identity.people import STAFF_ROLES, Person
from beffroi.identity.rights import require_reach
from beffroi.model.problem import Problem, Unauthorised
from beffroi.model.text import Text
from beffroi.web.kit.form import Input
from beffroi.web.kit.page import principal_of, translate
from beffroi.web.kit.qr import qr_svg
from beffroi.web.site.administration.desk import (
    entry,
    off_loop,
    refused,
    role_names,
    see_other,
    show,
    store_of,
)
from beffroi.web.site.administration.sign_in import (
    PENDING,
    PENDING_US,
    base_of,
    give_session,
    peer,
    welcome,
)

__all__ = ["ROUTES"]

SECRET = "beffroi_generateur"  # noqa: S105 -- the name of a cookie


def _code_input(request: Request) -> Input:
    _ = translate(request)
    return Input("code", _("Code du moment, ou code de secours"), required=True, autocomplete="one-time-code")


def _pending(request: Request, stage: str) -> dict[str, Any]:
    """Return what this browser is in the middle of. Raises `Unauthorised` when it is not, or for too long."""
    store = store_of(request)
    kept = safekeeping.reopen_text(store, PENDING, request.cookies.get(PENDING, ""))
    if not isinstance(kept, dict) or kept["stage"] != stage or store.clock() - kept["at"] >= PENDING_US:
        raise Unauthorised(
            Text("Cette connexion n'est plus en cours.", "This sign-in is no longer under way."),
            Text("Recommencez depuis la page de connexion.", "Start again from the sign-in page."),
        )
    return kept


async def ask(request: Request) -> Response:
    """Ask for the code."""
    _pending(request, "code")
    return show(request, "code", inputs=[_code_input(request)], errors={})


async def take(request: Request) -> Response:
    """Sign in with the code."""
    kept = _pending(request, "code")
    sent, store = await request.form(), store_of(request)
    person = await off_loop(people.get, store, kept["person"])
    try:
        entered = await off_loop(
            sign_in.by_code, store, person, str(sent.get("code", ""))[:40], address=peer(request),
            agent=request.headers.get("user-agent", ""),
        )  # fmt: skip
    except Problem as problem:
        return show(
            request, "code", problem.status, inputs=[_code_input(request)], errors=refused(request, problem)
        )
    response = await welcome(request, entered, kept["after"])
    response.delete_cookie(PENDING, httponly=True, samesite="lax")
    return response


async def first_time(request: Request) -> Response:
    """Show the generator that a role must set up before it enters."""
    kept = _pending(request, "enrol")
    person = await off_loop(people.get, store_of(request), kept["person"])
    return _generator(request, person, kept["secret"], "/connexion/second-facteur")


async def first_set_up(request: Request) -> Response:
    """Set the generator up and sign in; the recovery codes are shown."""
    kept = _pending(request, "enrol")
    store = store_of(request)
    person = await off_loop(people.get, store, kept["person"])
    if await off_loop(second_factor.has, store, person.id):  # set up in another window meanwhile
        return see_other("/connexion")
    answer = await _set_up(request, person, kept["secret"], "/connexion/second-facteur", kept["after"])
    if answer.status_code == 200:
        answer.delete_cookie(PENDING, httponly=True, samesite="lax")
    return answer


def _generator(
    request: Request, person: Person, secret_hex: str, action: str, errors: dict[str, str] | None = None, status: int = 200
) -> Response:  # fmt: skip
    _ = translate(request)
    secret = bytes.fromhex(secret_hex)
    address = totp.address(secret, request.app.state.town.name, person.email)
    inputs = [Input("code", _("Code affiché par le téléphone"), required=True, autocomplete="one-time-code")]
    return show(
        request, "generator", status, qr=qr_svg(address), typed=totp.shown(secret), address=address, inputs=inputs,
        errors=errors or {}, action=action, entering=action.startswith("/connexion"),
    )  # fmt: skip


async def _set_up(request: Request, person: Person, secret_hex: str, action: str, after: str) -> Response:
    sent, store = await request.form(), store_of(request)
    try:
        codes = await off_loop(
            second_factor.enrol, store, person.principal, person, bytes.fromhex(secret_hex),
            str(sent.get("code", ""))[:20], address=peer(request),
        )  # fmt: skip
    except Problem as problem:
        return _generator(request, person, secret_hex, action, refused(request, problem), problem.status)
    secret = await off_loop(
        sign_in.enter, store, person.id, request.headers.get("user-agent", ""), "second factor"
    )
    return give_session(request, show(request, "recovery_codes", codes=codes, after=after), secret[1], person)


async def _mine(request: Request) -> Person:
    return await off_loop(people.get, store_of(request), int(principal_of(request).id.removeprefix("user:")))


@entry(admin=False)
async def own(request: Request) -> Response:
    """Show one's second factor, or the generator to set up."""
    store, person = store_of(request), await _mine(request)
    if await off_loop(second_factor.has, store, person.id):
        return await _own(request, person)
    kept = safekeeping.reopen_text(store, f"{SECRET}:{person.id}", request.cookies.get(SECRET, ""))
    secret = kept if isinstance(kept, str) else totp.fresh_secret().hex()
    response = _generator(request, person, secret, "/compte/second-facteur")
    _keep(request, response, person, secret)
    return response


def _keep(request: Request, response: Response, person: Person, secret: str) -> None:
    """Let the browser hold the generator that it was shown, sealed, until its first code comes."""
    sealed = safekeeping.close_text(store_of(request), f"{SECRET}:{person.id}", secret)
    response.set_cookie(SECRET, sealed, path="/compte", httponly=True, samesite="strict", max_age=3600)


async def _own(
    request: Request, person: Person, errors: dict[str, str] | None = None, status: int = 200
) -> Response:
    store = store_of(request)
    left = await off_loop(second_factor.codes_left, store, person.id)
    must = person.role in await off_loop(second_factor.required, store)
    return show(
        request, "second_factor", status, left=left, must=must, inputs=[_code_input(request)], errors=errors or {}
    )  # fmt: skip


@entry(admin=False)
async def change_own(request: Request) -> Response:
    """Set one's generator up, make new recovery codes, or take it away."""
    store, person = store_of(request), await _mine(request)
    if not await off_loop(second_factor.has, store, person.id):
        kept = safekeeping.reopen_text(store, f"{SECRET}:{person.id}", request.cookies.get(SECRET, ""))
        if not isinstance(kept, str):
            return see_other("/compte/second-facteur")
        answer = await _set_up(request, person, kept, "/compte/second-facteur", "/compte")
        if answer.status_code == 200:
            answer.delete_cookie(SECRET, path="/compte")
        return answer
    sent = await request.form()
    given, deed = str(sent.get("code", ""))[:40], str(sent.get("deed", "codes"))
    try:
        if deed == "remove":
            await off_loop(
                second_factor.remove, store, person.principal, person, given, address=peer(request)
            )
            return see_other("/compte?fait=second-facteur")
        codes = await off_loop(
            second_factor.new_codes, store, person.principal, person, given, address=peer(request)
        )
    except Problem as problem:
        return await _own(request, person, refused(request, problem), problem.status)
    return show(request, "recovery_codes", codes=codes, after="/compte")


@entry(admin=True)
async def reset(request: Request) -> Response:
    """Take away the second factor of someone who lost telephone and codes."""
    store, who = store_of(request), principal_of(request)
    person = await off_loop(people.get, store, request.path_params["number"])
    await off_loop(second_factor.reset, store, who, person)
    return see_other(f"/administration/personnes/{person.id}?fait")


@entry(admin=True)
async def security(request: Request) -> Response:
    """Show which roles must have a second factor, and the providers of identity with what each gives."""
    require_reach(principal_of(request), ())
    return await _security(request)


async def _security(request: Request, errors: dict[str, str] | None = None, status: int = 200) -> Response:
    store, names = store_of(request), role_names(request)
    chosen = await off_loop(second_factor.required, store)
    people_of = await off_loop(people.every, store)
    equipped = await off_loop(second_factor.equipped, store)
    roles = [
        (role, names[role], role in chosen, sum(p.role == role and not p.disabled for p in people_of),
         sum(p.role == role and not p.disabled and p.id in equipped for p in people_of))
        for role in STAFF_ROLES
    ]  # fmt: skip
    return show(
        request, "security", status, roles=roles, errors=errors or {}, done="fait" in request.query_params,
        providers=request.app.state.town.settings.oidc, names=names, base=base_of(request),
    )  # fmt: skip


@entry(admin=True)
async def choose_roles(request: Request) -> Response:
    """Choose the roles that must have a second factor."""
    sent = await request.form()
    roles = [str(role) for role in sent.getlist("roles")]
    try:
        await off_loop(second_factor.require_for, store_of(request), principal_of(request), roles)
    except Problem as problem:
        return await _security(request, refused(request, problem), problem.status)
    return see_other("/administration/securite?fait")


ROUTES = [
    Route("/connexion/code", ask, methods=["GET"]),
    Route("/connexion/code", take, methods=["POST"]),
    Route("/connexion/second-facteur", first_time, methods=["GET"]),
    Route("/connexion/second-facteur", first_set_up, methods=["POST"]),
    Route("/compte/second-facteur", own, methods=["GET"]),
    Route("/compte/second-facteur", change_own, methods=["POST"]),
    Route("/administration/personnes/{number:int}/second-facteur", reset, methods=["POST"]),
    Route("/administration/securite", security, methods=["GET"]),
    Route("/administration/securite", choose_roles, methods=["POST"]),
]
