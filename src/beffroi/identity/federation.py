"""Federation: from what a provider of identity says of someone to an account here, its rights and a session.

Whom a provider knows is remembered by issuer and subject. The first time, an account with the same verified address is
taken (someone was invited), else one is made when the settings allow it. With a table of rights, the provider decides:
at each sign-in the first row that matches gives role, territories and service; nobody matches: nobody enters.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from beffroi.identity import people, safekeeping, sign_in
from beffroi.identity.keys import digest
from beffroi.identity.people import Person
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import Conflict, Forbidden, Problem
from beffroi.model.text import Text
from beffroi.settings import OidcRole, OidcSettings
from beffroi.store.open import Store
from beffroi.store.tables import federated, federated_session, session

__all__ = ["end_together", "enter", "name_of", "origin_of", "right_of"]

_ASK = Text("Demandez une invitation à l'administrateur de votre commune.", "Ask your town's administrator for an invitation.")  # fmt: skip


def right_of(roles: Sequence[OidcRole], claims: Mapping[str, Any]) -> OidcRole | None:
    """Return the first row of a table of rights that matches, None when none does."""
    return next((row for row in roles if row.value == "*" or row.value in _values(claims, row.claim)), None)


def _values(claims: Mapping[str, Any], name: str) -> list[str]:
    """Return the values of a claim as texts; `realm_access.roles` looks inside objects."""
    found: Any = claims
    if name not in claims:
        for part in name.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    else:
        found = claims[name]
    return [str(one) for one in (found if isinstance(found, list) else [found]) if one is not None]


def name_of(claims: Mapping[str, Any]) -> str:
    """Return what a person is called: `name`, or given and family (ProConnect: usual) name, or the address."""
    parts = (claims.get("given_name"), claims.get("usual_name") or claims.get("family_name"))
    whole = claims.get("name") or " ".join(str(p) for p in parts if p)
    text = str(whole or claims.get("email") or claims.get("preferred_username") or claims["sub"])
    return "".join(c if c.isprintable() else " " for c in text).strip()[:120] or "?"


def enter(
    store: Store, settings: OidcSettings, claims: Mapping[str, Any], id_token: str, *, agent: str
) -> tuple[Person, str]:
    """Return the person that `claims` (verified) speak of, and the secret of their new session. Raises `Problem`."""
    right = right_of(settings.roles, claims)
    if settings.roles and right is None:
        _note_refusal(store, settings, claims, "no right")
        raise Forbidden(
            Text("Votre compte n'ouvre aucun droit ici.", "Your account gives no right here."),
            Text("Demandez à l'administrateur de vous mettre dans le bon groupe.",
                 "Ask the administrator to put you into the right group."),
        )  # fmt: skip
    subject = str(claims["sub"])
    person = _known(store, settings.issuer, subject) or _first_time(store, settings, claims, right)
    if person.disabled:
        _note_refusal(store, settings, claims, "disabled")
        raise Forbidden(Text("Votre compte est désactivé.", "Your account is disabled."), _ASK)
    if right is not None:
        person = _with_right(store, person, right)
    person, secret = sign_in.enter(store, person.id, agent, f"openid:{settings.name}")
    with store.write() as c:
        number = c.execute(select(session.c.id).where(session.c.hash == digest(secret))).scalar_one()
        sid = claims.get("sid")
        c.execute(
            insert(federated_session).values(
                session_id=number, provider=settings.name, issuer=settings.issuer, subject=subject,
                sid=sid if isinstance(sid, str) else None, id_token=safekeeping.close(store, f"session:{number}", id_token),
            )
        )  # fmt: skip
    return person, secret


def _known(store: Store, issuer: str, subject: str) -> Person | None:
    with store.read() as c:
        number = c.execute(
            select(federated.c.account_id).where(federated.c.issuer == issuer, federated.c.subject == subject)
        ).scalar()
    return None if number is None else people.get(store, number)


def _first_time(
    store: Store, settings: OidcSettings, claims: Mapping[str, Any], right: OidcRole | None
) -> Person:
    """Return the account of someone the provider sends for the first time. Raises `Forbidden`."""
    address = str(claims.get("email") or "")
    verified = bool(address) and (settings.trust_email or claims.get("email_verified") is True)
    person = people.find(store, address) if verified else None
    made = person is None and settings.create and right is not None and verified
    if made and right is not None:
        try:
            person = people.add(
                store, SYSTEM, email=address, name=name_of(claims), role=right.role, service=right.service or None,
                territories=right.territories, language=store.settings.language,
            )  # fmt: skip
        except Conflict:  # another request was faster
            person = people.find(store, address)
    if person is None:
        _note_refusal(store, settings, claims, "unknown")
        raise Forbidden(
            Text("Aucun compte n'est ouvert ici à votre nom.", "No account is open here in your name.")
            if verified
            else Text("Votre fournisseur d'identité ne garantit pas votre adresse électronique.",
                      "Your identity provider does not vouch for your e-mail address."),
            _ASK,
        )  # fmt: skip
    with store.write() as c:
        c.execute(
            insert(federated).values(
                issuer=settings.issuer, subject=str(claims["sub"]), account_id=person.id, created_us=store.clock()
            )
        )  # fmt: skip
        detail = {"provider": settings.name, "subject": store.audit.digest(str(claims["sub"])), "new": made}
        store.audit.note(c, SYSTEM, "person.federate", f"user:{person.id}", detail)
    return person


def _with_right(store: Store, person: Person, right: OidcRole) -> Person:
    """Return the person with the rights that the provider gives today. Raises `Problem`."""
    wanted = (right.role, tuple(sorted(right.territories)), right.service or None)
    if (person.role, person.territories, person.service) == wanted:
        return person
    return people.change(store, SYSTEM, person.id, role=wanted[0], territories=wanted[1], service=wanted[2])


def _note_refusal(store: Store, settings: OidcSettings, claims: Mapping[str, Any], why: str) -> None:
    with store.write() as c:
        detail = {"provider": settings.name, "subject": store.audit.digest(str(claims["sub"])), "why": why}
        store.audit.note(c, "anonymous", "sign_in.refused", "account", detail)


def origin_of(store: Store, session_id: int) -> tuple[str, str] | None:
    """Return the provider that a session came from and its ID token, None for a session of our own."""
    with store.read() as c:
        row = c.execute(select(federated_session).where(federated_session.c.session_id == session_id)).first()
    if row is None:
        return None
    try:
        return row.provider, str(safekeeping.reopen(store, f"session:{session_id}", bytes(row.id_token)))
    except Problem:
        return None


def end_together(store: Store, settings: OidcSettings, subject: str, sid: str) -> int:
    """End the sessions that came from a session (or from all sessions: no `sid`) at the provider; return how many."""
    table = federated_session
    query = select(table.c.session_id).where(table.c.issuer == settings.issuer)
    if subject:
        query = query.where(table.c.subject == subject)
    if sid:
        query = query.where(table.c.sid == sid)
    with store.write() as c:
        found = _ended(c, [row.session_id for row in c.execute(query)])
        for number, person in found:
            store.audit.note(
                c, f"user:{person}", "sign_out", f"session:{number}", {"means": f"openid:{settings.name}"}
            )
    return len(found)


def _ended(c: Connection, numbers: Sequence[int]) -> list[tuple[int, int]]:
    rows = c.execute(select(session.c.id, session.c.account_id).where(session.c.id.in_(numbers))).all()
    c.execute(delete(session).where(session.c.id.in_(numbers)))
    return [(row.id, row.account_id) for row in rows]
