"""One's own account: password, language, sessions."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from beffroi.identity import attempts, passwords, people, second_factor, sessions, sign_in
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.web.kit.form import Input
from beffroi.web.kit.language import COOKIE as LANGUAGE_COOKIE
from beffroi.web.kit.page import principal_of, translate
from beffroi.web.site.administration.desk import (
    entry,
    off_loop,
    refused,
    role_names,
    see_other,
    show,
    store_of,
)
from beffroi.web.site.administration.people import session_table
from beffroi.web.site.administration.sign_in import give_session

__all__ = ["ROUTES"]


@entry(admin=False)
async def account(request: Request) -> Response:
    """Show one's account."""
    return await _account(request)


async def _account(request: Request, errors: dict[str, str] | None = None, status: int = 200) -> Response:
    _ = translate(request)
    store = store_of(request)
    person = await off_loop(people.get, store, _number(request))
    mine = await off_loop(sessions.of_person, store, person.id)
    inputs = [
        Input("password", _("Nouveau mot de passe"), "password", required=True, autocomplete="new-password",
              hint=_("Au moins 12 caractères : par exemple quatre mots sans rapport.")),
        Input("again", _("Le même, encore une fois"), "password", required=True, autocomplete="new-password"),
    ]  # fmt: skip
    if person.has_password:
        inputs.insert(
            0,
            Input(
                "current",
                _("Mot de passe actuel"),
                "password",
                required=True,
                autocomplete="current-password",
            ),
        )
    columns, rows = session_table(request, mine, {person.id: person.name})
    return show(
        request, "account", status, person=person, role=role_names(request)[person.role], inputs=inputs,
        errors=errors or {}, has_factor=await off_loop(second_factor.has, store, person.id), columns=columns[1:], rows=rows, done=request.query_params.get("fait", ""),
        languages=[Input("language", _("Langue des pages"), "radio", required=True, options=(("fr", "Français"), ("en", "English")))],
    )  # fmt: skip


def _number(request: Request) -> int:
    return int(principal_of(request).id.removeprefix("user:"))


@entry(admin=False)
async def change_password(request: Request) -> Response:
    """Choose one's password; every session ends but a fresh one, here."""
    sent = {name: str(value) for name, value in (await request.form()).items()}
    store, who = store_of(request), principal_of(request)
    person = await off_loop(people.get, store, _number(request))
    try:
        if sent.get("password", "") != sent.get("again", ""):
            raise Problem(
                Text("Les deux mots de passe ne sont pas les mêmes.", "The two passwords are not the same."),
                place="again",
            )
        await off_loop(_check_current, request, person, sent.get("current", ""))
        await off_loop(people.set_password, store, who, person.id, sent.get("password", ""))
    except Problem as problem:
        return await _account(request, refused(request, problem), problem.status)
    secret = await off_loop(sign_in.renew, store, person.id, agent=request.headers.get("user-agent", ""))
    return give_session(request, see_other("/compte?fait=mot-de-passe"), secret, person)


def _check_current(request: Request, person: people.Person, current: str) -> None:
    """Raise `Problem` unless `current` is the person's password: an open screen must not be enough to take it."""
    if not person.has_password:
        return
    store, address = store_of(request), request.client.host if request.client else ""
    attempts.admit(store, person.email, address)
    if not passwords.matches(people.kept_password(store, person.id), current):
        raise Problem(
            Text("Ce n'est pas votre mot de passe actuel.", "This is not your current password."),
            place="current", status=403,
        )  # fmt: skip
    attempts.forgive(store, person.email, address)


@entry(admin=False)
async def change_language(request: Request) -> Response:
    """Choose the language of pages, here and wherever one signs in next."""
    language = str((await request.form()).get("language", ""))
    try:
        await off_loop(people.set_language, store_of(request), principal_of(request), language)
    except Problem as problem:
        return await _account(request, refused(request, problem), problem.status)
    response = see_other("/compte?fait=langue")
    response.set_cookie(LANGUAGE_COOKIE, language, max_age=31_536_000, samesite="lax")
    return response


@entry(admin=False)
async def end_sessions(request: Request) -> Response:
    """End the chosen sessions, or all but this one; of one's own only."""
    sent, store, number = await request.form(), store_of(request), _number(request)
    chosen = {int(str(row)) for row in sent.getlist("row") if str(row).isdigit()}
    if "others" in sent:
        mine = await off_loop(sessions.of_person, store, number)
        chosen = {s.id for s in mine} - {request.state.session.id}
    for one in sorted(chosen):
        await off_loop(sessions.end, store, principal_of(request), one, person_id=number)
    return see_other("/compte?fait=sessions")


ROUTES = [
    Route("/compte", account, methods=["GET"]),
    Route("/compte/mot-de-passe", change_password, methods=["POST"]),
    Route("/compte/langue", change_language, methods=["POST"]),
    Route("/compte/sessions", end_sessions, methods=["POST"]),
]
