"""Administration of people: invite, change, disable, give a link; their sessions."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from beffroi.identity import people, second_factor, sessions, sign_in, territories
from beffroi.identity.people import STAFF_ROLES, Person
from beffroi.identity.rights import require_reach
from beffroi.identity.sessions import Session
from beffroi.model.problem import Problem
from beffroi.web.kit.form import Input
from beffroi.web.kit.page import principal_of, translate
from beffroi.web.kit.table import Cell, Column, Row
from beffroi.web.site.administration import invitation
from beffroi.web.site.administration.desk import (
    codes_of,
    entry,
    off_loop,
    refused,
    role_names,
    see_other,
    show,
    store_of,
    within,
)

__all__ = ["ROUTES", "limits", "link_address", "session_table"]


def limits(request: Request, roles: Sequence[str]) -> list[Input]:
    """Return the inputs that say what a person or a key may do, and where."""
    _ = translate(request)
    names = role_names(request)
    services = request.app.state.town.registry.services.values()
    options = (
        ("", _("Tous les services")),
        *((s.name, s.title.of(request.state.language)) for s in services),
    )
    inputs = [
        Input("role", _("Rôle"), "select", required=True, options=tuple((r, names[r]) for r in roles)),
        Input("service", _("Service"), "select", options=options,
              hint=_("Obligatoire pour un prestataire ; sans effet sur les rôles de la commune.")),
    ]  # fmt: skip
    known = territories.every(store_of(request))
    if known:
        hint = _(
            "Codes séparés par des espaces ; vide : tous. Connus : {codes}.",
            codes=", ".join(f"{t.code} ({t.name})" for t in known),
        )
        inputs.append(Input("territories", _("Territoires"), hint=hint))
    return inputs


def link_address(request: Request, secret: str, after: str = "/") -> str:
    """Return the full address of a sign-in link, as it is given to someone."""
    base = request.app.state.town.settings.base_url.rstrip("/") or str(request.base_url).rstrip("/")
    return f"{base}/connexion/lien/{secret}" + (f"?suite={after}" if after != "/" else "")


def session_table(
    request: Request, found: Sequence[Session], names: Mapping[int, str]
) -> tuple[list[Column], list[Row]]:
    """Return the table of sessions; the one that asks is marked."""
    _ = translate(request)
    here = request.state.session
    columns = [
        Column("person", _("Personne")), Column("agent", _("Navigateur")), Column("seen", _("Vue"), "age"),
        Column("created", _("Ouverte le"), "instant"), Column("expires", _("Finira"), "instant"),
    ]  # fmt: skip
    rows = [
        Row({
            "person": names.get(s.person_id, ""), "seen": s.seen_us, "created": s.created_us, "expires": s.expires_us,
            "agent": Cell(s.agent or "–", note=_("celle-ci") if here is not None and s.id == here.id else ""),
        }, key=str(s.id))
        for s in found
    ]  # fmt: skip
    return columns, rows


@entry(admin=True)
async def roll(request: Request) -> Response:
    """List the people and offer to invite one."""
    return await _roll(request)


async def _roll(
    request: Request,
    values: Mapping[str, str] | None = None,
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    _ = translate(request)
    who, names = principal_of(request), role_names(request)
    every = [p for p in await off_loop(people.every, store_of(request)) if within(who, p.territories)]
    places = {t.code: t.name for t in await off_loop(territories.every, store_of(request))}
    places |= {
        s.name: s.title.of(request.state.language) for s in request.app.state.town.registry.services.values()
    }
    columns = [
        Column("name", _("Nom")), Column("email", _("Adresse électronique")), Column("role", _("Rôle")),
        Column("limits", _("Limité à")), Column("seen", _("Dernière connexion"), "age"), Column("state", _("État")),
    ]  # fmt: skip
    rows = [
        Row({
            "name": p.name, "email": p.email, "role": names[p.role], "seen": p.signed_in_us,
            "limits": ", ".join(places.get(one, one) for one in (p.service or "", *p.territories) if one),
            "state": _("désactivé") if p.disabled else _("actif") if p.signed_in_us else _("invité"),
        }, href=f"/administration/personnes/{p.id}")
        for p in every
    ]  # fmt: skip
    inputs = [
        Input("name", _("Nom"), required=True, autocomplete="off"),
        Input("email", _("Adresse électronique"), "email", required=True, autocomplete="off"),
        *await off_loop(limits, request, STAFF_ROLES),
        *_delivery(request),
    ]
    usual = {"role": "agent", "delivery": inputs[-2].options[0][0], "days": str(invitation.DAYS)}
    return show(
        request, "people", status, columns=columns, rows=rows, inputs=inputs, values=values or usual,
        errors=errors or {},
    )  # fmt: skip


def _delivery(request: Request) -> list[Input]:
    """Return the inputs that say how an invitation goes and for how long it holds."""
    _ = translate(request)
    ways = [("hand", _("Montrer le lien : je le donne moi-même"))]
    if request.app.state.town.settings.mail.url:
        ways.insert(0, ("mail", _("Envoyer l'invitation par courriel")))
    return [
        Input("delivery", _("Invitation"), "radio", required=True, options=tuple(ways)),
        Input("days", _("Valable (jours)"), "number", minimum=1, maximum=30),
    ]


@entry(admin=True)
async def invite(request: Request) -> Response:
    """Add a person, and send the invitation or show its link, this once."""
    sent = {name: str(value) for name, value in (await request.form()).items()}
    store, who = store_of(request), principal_of(request)
    try:
        days = invitation.days_of(sent.get("days", ""))
        person = await off_loop(
            people.add, store, who, email=sent.get("email", ""), name=sent.get("name", ""), role=sent.get("role", ""),
            service=sent.get("service") or None, territories=codes_of(sent.get("territories", "")),
            language=request.state.language,
        )  # fmt: skip
    except Problem as problem:
        return await _roll(request, sent, refused(request, problem), problem.status)
    return await _deliver(request, person, days, by_mail=sent.get("delivery") == "mail")


async def _deliver(request: Request, person: Person, days: int, *, by_mail: bool) -> Response:
    """Make a fresh link for a person; send it, or show it when it does not leave or is to be given by hand."""
    store, who = store_of(request), principal_of(request)
    secret = await off_loop(invitation.fresh_link, store, who, person, days)
    address = link_address(request, secret, "/compte" if not person.has_password else "/")
    problem = None
    if by_mail:
        try:
            await off_loop(invitation.send, request, store, who, person, address, days)
        except Problem as met:
            problem = met
        else:
            return see_other(f"/administration/personnes/{person.id}?invitation")
    return show(request, "given_link", person=person, address=address, hours=days * 24, problem=problem)


@entry(admin=True)
async def resend(request: Request) -> Response:
    """Send the invitation again: another link, the earlier one being void."""
    person = await _person(request)
    sent = await request.form()
    days = invitation.days_of(str(sent.get("days", "")))
    return await _deliver(request, person, days, by_mail=True)


@entry(admin=True)
async def revoke(request: Request) -> Response:
    """Take an invitation back."""
    person = await _person(request)
    await off_loop(sign_in.revoke_links, store_of(request), principal_of(request), person.id)
    return see_other(f"/administration/personnes/{person.id}?fait")


def _given(request: Request, person: Person, secret: str) -> Response:
    address = link_address(request, secret, "/compte" if not person.has_password else "/")
    return show(request, "given_link", person=person, address=address, hours=sign_in.LINK_HOURS, problem=None)


async def _person(request: Request) -> Person:
    """Return the person of the address. Raises `NotFound`, or `Forbidden` for another territory's."""
    person = await off_loop(people.get, store_of(request), request.path_params["number"])
    require_reach(principal_of(request), person.territories)
    return person


@entry(admin=True)
async def person_page(request: Request) -> Response:
    """Show one person's rights and sessions."""
    person = await _person(request)
    return await _show_person(request, person, _values(person))


def _values(person: Person) -> dict[str, str]:
    return {
        "name": person.name, "role": person.role, "service": person.service or "",
        "territories": " ".join(person.territories), "disabled": "1" if person.disabled else "",
    }  # fmt: skip


async def _show_person(
    request: Request,
    person: Person,
    values: Mapping[str, str],
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    _ = translate(request)
    inputs = [
        Input("name", _("Nom"), required=True),
        *await off_loop(limits, request, STAFF_ROLES),
        Input(
            "disabled",
            _("Compte désactivé"),
            "checkbox",
            hint=_("Ses sessions se ferment aussitôt ; rien n'est effacé."),
        ),
    ]
    mine = await off_loop(sessions.of_person, store_of(request), person.id)
    columns, rows = session_table(request, mine, {person.id: person.name})
    return show(
        request, "person", status, person=person, inputs=inputs, values=values, errors=errors or {}, columns=columns,
        rows=rows, done="fait" in request.query_params, invited="invitation" in request.query_params,
        link_until=await off_loop(sign_in.link_until, store_of(request), person.id),
        has_factor=await off_loop(second_factor.has, store_of(request), person.id),
        by_mail=bool(request.app.state.town.settings.mail.url),
    )  # fmt: skip


@entry(admin=True)
async def change(request: Request) -> Response:
    """Change one person's name and rights."""
    person = await _person(request)
    sent = {name: str(value) for name, value in (await request.form()).items()}
    changes: dict[str, Any] = {
        "name": sent.get("name", ""), "role": sent.get("role", ""), "service": sent.get("service") or None,
        "disabled": "disabled" in sent,
    }  # fmt: skip
    if "territories" in sent:
        changes["territories"] = codes_of(sent["territories"])
    try:
        await off_loop(people.change, store_of(request), principal_of(request), person.id, **changes)
    except Problem as problem:
        return await _show_person(request, person, sent, refused(request, problem), problem.status)
    return see_other(f"/administration/personnes/{person.id}?fait")


@entry(admin=True)
async def give_link(request: Request) -> Response:
    """Show, once, a new sign-in link for a person."""
    person = await _person(request)
    secret = await off_loop(sign_in.make_link, store_of(request), principal_of(request), person.id)
    return _given(request, person, secret)


@entry(admin=True)
async def all_sessions(request: Request) -> Response:
    """List the open sessions of everyone this administrator looks after."""
    who, store = principal_of(request), store_of(request)
    names = {p.id: p.name for p in await off_loop(people.every, store) if within(who, p.territories)}
    found = [s for s in await off_loop(sessions.of_person, store) if s.person_id in names]
    columns, rows = session_table(request, found, names)
    return show(request, "sessions", columns=columns, rows=rows)


@entry(admin=True)
async def end_sessions(request: Request) -> Response:
    """End the chosen sessions."""
    who, store = principal_of(request), store_of(request)
    chosen = {int(str(row)) for row in (await request.form()).getlist("row") if str(row).isdigit()}
    for found in await off_loop(sessions.of_person, store):
        if found.id in chosen:
            person = await off_loop(people.get, store, found.person_id)
            require_reach(who, person.territories)
            await off_loop(sessions.end, store, who, found.id)
    return see_other("/administration/sessions")


ROUTES = [
    Route("/administration/personnes", roll, methods=["GET"]),
    Route("/administration/personnes", invite, methods=["POST"]),
    Route("/administration/personnes/{number:int}", person_page, methods=["GET"]),
    Route("/administration/personnes/{number:int}", change, methods=["POST"]),
    Route("/administration/personnes/{number:int}/lien", give_link, methods=["POST"]),
    Route("/administration/personnes/{number:int}/invitation", resend, methods=["POST"]),
    Route("/administration/personnes/{number:int}/invitation/retrait", revoke, methods=["POST"]),
    Route("/administration/sessions", all_sessions, methods=["GET"]),
    Route("/administration/sessions", end_sessions, methods=["POST"]),
]
