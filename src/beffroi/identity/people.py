"""People of the town: accounts, their role, territories and service."""

import json
from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from beffroi.identity.passwords import check_strength, hash_password
from beffroi.identity.rights import require_reach, require_signed_in
from beffroi.identity.wording import clean_email, clean_name, clean_role, clean_service, clean_territories
from beffroi.model.principal import Principal, Role
from beffroi.model.problem import Conflict, Forbidden, NotFound, Problem
from beffroi.model.text import LANGUAGES, Text
from beffroi.store.open import Store
from beffroi.store.tables import account, session, sign_in_link

__all__ = [
    "STAFF_ROLES",
    "Person",
    "add",
    "change",
    "every",
    "find",
    "get",
    "kept_password",
    "set_language",
    "set_password",
]

STAFF_ROLES: tuple[Role, ...] = ("agent", "responsable", "elu", "supplier", "admin")
_NO_SUCH_PERSON = Text("Cette personne n'existe pas.", "There is no such person.")


class Person(msgspec.Struct, frozen=True):
    """One account, without its password."""

    id: int
    email: str
    name: str
    role: Role
    territories: tuple[str, ...]
    service: str | None
    language: str
    disabled: bool
    has_password: bool
    created_us: int
    signed_in_us: int | None

    @property
    def principal(self) -> Principal:
        """Who this person is when they act."""
        return Principal(f"user:{self.id}", self.name, self.role, self.territories, self.service)


def person_of(row: Any) -> Person:
    """Return the person that a row of `account` holds."""
    return Person(
        row.id, row.email, row.name, row.role, tuple(json.loads(row.territories)), row.service, row.language,
        bool(row.disabled), row.password is not None, row.created_us, row.signed_in_us,
    )  # fmt: skip


def every(store: Store) -> list[Person]:
    """Return every account, by name."""
    with store.read() as connection:
        return [
            person_of(row) for row in connection.execute(select(account).order_by(func.lower(account.c.name)))
        ]


def get(store: Store, person_id: int) -> Person:
    """Return one account. Raises `NotFound`."""
    with store.read() as connection:
        return _get(connection, person_id)


def find(store: Store, email: str) -> Person | None:
    """Return the account with this address, or None."""
    with store.read() as connection:
        row = connection.execute(select(account).where(account.c.email == email.strip().lower())).first()
    return None if row is None else person_of(row)


def add(
    store: Store, who: Principal, *, email: str, name: str, role: str,
    territories: Iterable[str] = (), service: str | None = None, language: str = "fr",
) -> Person:  # fmt: skip
    """Add an account without a password (its first sign-in is by link). Raises `Problem`, `Conflict`, `Forbidden`."""
    values = _checked({"email": email, "name": name, "role": role, "service": service, "language": language})
    with store.write() as connection:
        number = store.number(connection, "account")  # first: two processes adding at once wait here
        codes = clean_territories(connection, territories)
        require_reach(who, codes)
        if (
            connection.execute(select(account.c.id).where(account.c.email == values["email"])).first()
            is not None
        ):
            raise Conflict(
                Text("Un compte a déjà cette adresse.", "An account already has this address."),
                Text(
                    "Modifiez ce compte, ou prenez une autre adresse.",
                    "Change that account, or use another address.",
                ),
                place="email",
            )
        connection.execute(
            insert(account).values(
                **values, id=number, territories=json.dumps(codes), created_us=store.clock(), disabled=0
            )
        )
        store.audit.note(
            connection, who, "person.add", f"user:{number}",
            {"email": store.audit.digest(values["email"]), "role": values["role"], "territories": codes, "service": values["service"]},
        )  # fmt: skip
        return _get(connection, number)


def change(store: Store, who: Principal, person_id: int, **values: Any) -> Person:
    """Change name, role, territories, service, language or `disabled` of an account.

    Disabling or changing rights ends the person's sessions at once. Raises `Problem`; the last administrator of
    the whole town cannot be removed.
    """
    with store.write() as connection:
        before = _get(connection, person_id)
        require_reach(who, before.territories)
        fresh = _checked({"role": before.role, "service": before.service, **values})
        codes = clean_territories(connection, values.get("territories", before.territories))
        require_reach(who, codes)
        fresh |= {"territories": json.dumps(codes), "disabled": int(values.get("disabled", before.disabled))}
        connection.execute(update(account).where(account.c.id == person_id).values(**fresh))
        after = _get(connection, person_id)
        if before.role == "admin":
            _keep_an_admin(connection)
        if after.disabled or after.principal != before.principal:
            connection.execute(delete(session).where(session.c.account_id == person_id))
            connection.execute(delete(sign_in_link).where(sign_in_link.c.account_id == person_id))
        store.audit.note(connection, who, "person.change", f"user:{person_id}", _difference(before, after))
    return after


def set_password(store: Store, who: Principal, person_id: int, password: str) -> None:
    """Give an account a new password and end its sessions. Only the person may (or the command line)."""
    if who.id not in (f"user:{person_id}", "system"):
        require_signed_in(who)
        raise Forbidden(
            Text("Chacun choisit son propre mot de passe.", "Everyone chooses their own password.")
        )
    person = get(store, person_id)
    check_strength(password, person.email, person.name)
    kept = hash_password(password)  # slow on purpose: outside the transaction
    with store.write() as connection:
        connection.execute(update(account).where(account.c.id == person_id).values(password=kept))
        connection.execute(delete(session).where(session.c.account_id == person_id))
        store.audit.note(connection, who, "person.password", f"user:{person_id}")


def kept_password(store: Store, person_id: int) -> str | None:
    """Return the hash of an account's password, or None when it has none."""
    with store.read() as connection:
        kept: str | None = connection.execute(
            select(account.c.password).where(account.c.id == person_id)
        ).scalar()
    return kept


def set_language(store: Store, who: Principal, language: str) -> None:
    """Remember the language that a signed-in person chose."""
    require_signed_in(who)
    _checked({"language": language})
    with store.write() as connection:
        connection.execute(update(account).where(account.c.id == int(who.id[5:])).values(language=language))


def _get(connection: Connection, person_id: int) -> Person:
    row = connection.execute(select(account).where(account.c.id == person_id)).first()
    if row is None:
        raise NotFound(_NO_SUCH_PERSON, place="person")
    return person_of(row)


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    """Return the columns to write, each checked."""
    fresh: dict[str, Any] = {}
    if "email" in values:
        fresh["email"] = clean_email(values["email"])
    if "name" in values:
        fresh["name"] = clean_name(values["name"])
    if "role" in values:
        fresh["role"] = clean_role(values["role"], among=STAFF_ROLES)
        fresh["service"] = clean_service(values.get("service"), fresh["role"])
    if "language" in values:
        if values["language"] not in LANGUAGES:
            raise Problem(
                Text("Cette langue n'est pas connue.", "This language is not known."), place="language"
            )
        fresh["language"] = values["language"]
    return fresh


def _keep_an_admin(connection: Connection) -> None:
    left = select(account.c.id).where(
        account.c.role == "admin", account.c.disabled == 0, account.c.territories == "[]"
    )
    if connection.execute(left.limit(1)).first() is None:
        raise Problem(
            Text("La ville n'aurait plus d'administrateur.", "The town would have no administrator left."),
            Text("Nommez-en d'abord un autre.", "Name another one first."),
            place="role",
        )


def _difference(before: Person, after: Person) -> dict[str, Any]:
    """Return what changed, for the audit: rights in clear, the name only as having changed."""
    changed = {
        field: [getattr(before, field), getattr(after, field)]
        for field in ("role", "territories", "service", "language", "disabled")
        if getattr(before, field) != getattr(after, field)
    }
    return {**changed, "renamed": True} if before.name != after.name else changed
