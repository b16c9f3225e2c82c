"""Signing in: by password, or by a link that works once."""

import secrets

from sqlalchemy import delete, func, insert, select, update

from beffroi.identity import attempts, second_factor, sessions
from beffroi.identity.keys import digest
from beffroi.identity.passwords import matches
from beffroi.identity.people import Person, get, person_of
from beffroi.identity.rights import require_reach
from beffroi.model.instant import HOUR_US
from beffroi.model.principal import SYSTEM, Principal
from beffroi.model.problem import Problem, Unauthorised
from beffroi.model.text import Text
from beffroi.store.open import Store
from beffroi.store.tables import account, sign_in_link

__all__ = [
    "LINK_HOURS",
    "admin_link",
    "by_code",
    "by_link",
    "by_password",
    "enter",
    "link_person",
    "make_link",
    "renew",
]

LINK_HOURS = 24
_WRONG = Text("L'adresse ou le mot de passe est faux.", "The address or the password is wrong.")
_STALE = Text(
    "Ce lien a déjà servi ou n'est plus valable.", "This link was used already or is no longer valid."
)


def by_password(store: Store, email: str, password: str, *, address: str, agent: str) -> tuple[Person, str]:
    """Return the person and the secret of their new session.

    Raises `Unauthorised` with the same words and in the same time whatever is wrong (no account, disabled, no
    password, another password), `OneMoreStep` when a second factor is asked, and `Problem` 429 after too many attempts.
    """
    attempts.admit(store, email, address)
    wanted = email.strip().lower().replace("\0", "\ufffd")  # PostgreSQL's text cannot hold a NUL
    with store.read() as connection:
        row = connection.execute(select(account).where(account.c.email == wanted)).first()
    kept = row.password if row is not None and not row.disabled else None
    if not matches(kept, password) or row is None:
        with store.write() as connection:
            store.audit.note(
                connection, "anonymous", "sign_in.refused", "account",
                {"email": store.audit.digest(email), "address": store.audit.digest(address)},
            )  # fmt: skip
        raise Unauthorised(
            _WRONG,
            Text("Vérifiez les deux, ou demandez un lien à votre administrateur.",
                 "Check both, or ask your administrator for a link."),
        )  # fmt: skip
    attempts.forgive(store, email, address)
    second_factor.demand(store, person_of(row))
    return enter(store, row.id, agent, "password")


def make_link(store: Store, who: Principal, person_id: int, *, hours: float = LINK_HOURS) -> str:
    """Return the secret of a new sign-in link for a person (path `/connexion/lien/SECRET`). Raises `Problem`.

    An administrator of a territory gives links only to its people; nobody to an account above their own.
    """
    secret, now = secrets.token_urlsafe(24), store.clock()
    with store.write() as connection:
        row = connection.execute(
            select(account).where(account.c.id == person_id, account.c.disabled == 0)
        ).first()
        if row is None:
            raise Problem(
                Text(
                    "Cette personne n'existe pas ou est désactivée.",
                    "There is no such person, or they are disabled.",
                ),
                place="person",
                status=404,
            )
        require_reach(who, person_of(row).territories)
        connection.execute(delete(sign_in_link).where(sign_in_link.c.expires_us <= now))
        connection.execute(
            insert(sign_in_link).values(
                hash=digest(secret), account_id=person_id, expires_us=now + int(hours * HOUR_US)
            )
        )
        store.audit.note(connection, who, "link.create", f"user:{person_id}", {"hours": hours})
    return secret


def link_until(store: Store, person_id: int) -> int | None:
    """Return until when the latest link of a person that was not used holds, None when there is none."""
    query = select(func.max(sign_in_link.c.expires_us)).where(
        sign_in_link.c.account_id == person_id, sign_in_link.c.used_us.is_(None),
        sign_in_link.c.expires_us > store.clock(),
    )  # fmt: skip
    with store.read() as connection:
        until: int | None = connection.execute(query).scalar()
    return until


def revoke_links(store: Store, who: Principal, person_id: int) -> int:
    """Void every link of a person that was not used; return how many there were. Raises `Problem`."""
    require_reach(who, get(store, person_id).territories)
    with store.write() as connection:
        gone = connection.execute(
            delete(sign_in_link).where(
                sign_in_link.c.account_id == person_id, sign_in_link.c.used_us.is_(None)
            )
        ).rowcount
        if gone:
            store.audit.note(connection, who, "link.revoke", f"user:{person_id}", {"links": gone})
    return int(gone)


def admin_link(store: Store, *, hours: float = LINK_HOURS) -> str | None:
    """Return the path of a fresh sign-in link for the town's first administrator, or None when it has none."""
    query = select(account.c.id).where(
        account.c.role == "admin", account.c.disabled == 0, account.c.territories == "[]"
    )
    with store.read() as connection:
        number = connection.execute(query.order_by(account.c.id).limit(1)).scalar()
    return None if number is None else f"/connexion/lien/{make_link(store, SYSTEM, number, hours=hours)}"


def link_person(store: Store, secret: str) -> Person:
    """Return whom a link is for, without using it up (previews of mail programs follow links). Raises `Unauthorised`."""
    with store.read() as connection:
        row = connection.execute(
            select(account)
            .join(sign_in_link, sign_in_link.c.account_id == account.c.id)
            .where(
                sign_in_link.c.hash == digest(secret), sign_in_link.c.used_us.is_(None),
                sign_in_link.c.expires_us > store.clock(), account.c.disabled == 0,
            )
        ).first()  # fmt: skip
    if row is None:
        raise _stale()
    return person_of(row)


def by_link(store: Store, secret: str, *, agent: str) -> tuple[Person, str]:
    """Use a link up; return the person and the secret of their new session. Raises `Unauthorised`, `OneMoreStep`."""
    person = link_person(store, secret)
    now = store.clock()
    with store.write() as connection:
        used = connection.execute(
            update(sign_in_link)
            .where(sign_in_link.c.hash == digest(secret), sign_in_link.c.used_us.is_(None))
            .values(used_us=now)
        )
    if used.rowcount == 0:  # another request was faster
        raise _stale()
    second_factor.demand(store, person)
    return enter(store, person.id, agent, "link")


def by_code(store: Store, person: Person, code: str, *, address: str, agent: str) -> tuple[Person, str]:
    """Return the person and the secret of their session, after the first factor and now the second. Raises `Unauthorised`."""
    second_factor.check(store, person, code, address=address)
    return enter(store, person.id, agent, "second factor")


def renew(store: Store, person_id: int, *, agent: str) -> str:
    """Return the secret of a fresh session for someone who has just proved who they are (a new password)."""
    return enter(store, person_id, agent, "password changed")[1]


def _stale() -> Unauthorised:
    return Unauthorised(
        _STALE,
        Text("Demandez-en un autre à votre administrateur.", "Ask your administrator for another one."),
    )


def enter(store: Store, person_id: int, agent: str, means: str) -> tuple[Person, str]:
    """Start a session for someone who has proved who they are by `means`. Raises `Unauthorised` when disabled."""
    now = store.clock()
    with store.write() as connection:
        row = connection.execute(
            select(account).where(account.c.id == person_id, account.c.disabled == 0)
        ).first()
        if row is None:  # disabled in between
            raise Unauthorised(_WRONG)
        connection.execute(update(account).where(account.c.id == person_id).values(signed_in_us=now))
        secret = sessions.start(store, connection, person_id, agent)
        store.audit.note(connection, f"user:{person_id}", "sign_in", f"user:{person_id}", {"means": means})
    return person_of(row), secret
