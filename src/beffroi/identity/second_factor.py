"""The second factor of a local account: a generator of codes (TOTP), and ten recovery codes for the day it is lost.

The generator's secret is sealed; recovery codes are kept as keyed hashes and work once. A code that was used is refused,
and so is every earlier one. Who signs in by a provider of identity is asked by that provider, not here.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable

from sqlalchemy import Connection, delete, func, insert, select, update

from beffroi.identity import attempts, safekeeping, totp
from beffroi.identity.people import STAFF_ROLES, Person
from beffroi.identity.rights import require_reach
from beffroi.model.principal import Principal
from beffroi.model.problem import Problem, Unauthorised
from beffroi.model.text import Text
from beffroi.store.open import Store
from beffroi.store.tables import (
    account,
    federated_session,
    recovery_code,
    second_factor,
    session,
)

__all__ = [
    "CODES",
    "OneMoreStep",
    "check",
    "codes_left",
    "demand",
    "enrol",
    "equipped",
    "has",
    "new_codes",
    "remove",
    "require_for",
    "required",
    "reset",
]

CODES = 10
SETTING = "security.second_factor"  # roles that must have one
_ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ23456789"  # nothing that is read for another
_WRONG = Text("Ce code n'est pas le bon, ou a déjà servi.", "This code is wrong, or was used already.")
_NEXT = Text(
    "Attendez le code suivant, ou prenez un code de secours.",
    "Wait for the next code, or use a recovery code.",
)


class OneMoreStep(Unauthorised):
    """The first factor was right: `stage` is "code" (it is asked) or "enrol" (a generator must be set up first)."""

    def __init__(self, person: Person, stage: str) -> None:
        super().__init__(
            Text("Il manque le code de votre second facteur.", "The code of your second factor is missing."),
            Text("Connectez-vous sur la page de connexion.", "Sign in on the sign-in page."),
        )
        self.person = person
        self.stage = stage


def required(store: Store) -> tuple[str, ...]:
    """Return the roles that must have a second factor."""
    return tuple(store.setting(SETTING, []))


def has(store: Store, person_id: int) -> bool:
    """Tell whether an account has a generator."""
    with store.read() as c:
        return (
            c.execute(select(second_factor.c.step).where(second_factor.c.account_id == person_id)).first()
            is not None
        )


def equipped(store: Store) -> set[int]:
    """Return the accounts that have a generator."""
    with store.read() as c:
        return set(c.execute(select(second_factor.c.account_id)).scalars())


def codes_left(store: Store, person_id: int) -> int:
    """Return how many recovery codes an account has left."""
    mine = select(func.count()).where(
        recovery_code.c.account_id == person_id, recovery_code.c.used_us.is_(None)
    )
    with store.read() as c:
        return int(c.execute(mine).scalar_one())


def demand(store: Store, person: Person) -> None:
    """Raise `OneMoreStep` when the first factor is not enough for this account."""
    if has(store, person.id):
        raise OneMoreStep(person, "code")
    if person.role in required(store):
        raise OneMoreStep(person, "enrol")


def check(store: Store, person: Person, given: str, *, address: str) -> None:
    """Use up a code of the generator, or a recovery code. Raises `Unauthorised`; 429 after too many attempts."""
    counted = f"second factor {person.id}"
    attempts.admit(store, counted, address)
    typed = "".join(given.split()).replace("-", "").upper()
    with store.write() as c:
        means = _used(store, c, person.id, typed)
        if means == "recovery":
            left = select(func.count()).where(
                recovery_code.c.account_id == person.id, recovery_code.c.used_us.is_(None)
            )
            store.audit.note(
                c,
                person.principal,
                "factor.recovery",
                f"user:{person.id}",
                {"left": c.execute(left).scalar_one()},
            )
        elif not means:
            store.audit.note(
                c,
                "anonymous",
                "factor.refused",
                f"user:{person.id}",
                {"address": store.audit.digest(address)},
            )
    if not means:
        raise Unauthorised(_WRONG, _NEXT, place="code")
    attempts.forgive(store, counted, address)


def _used(store: Store, c: Connection, person_id: int, typed: str) -> str:
    """Use a code up; return "generator", "recovery" or ""."""
    row = c.execute(select(second_factor).where(second_factor.c.account_id == person_id)).first()
    if row is None:
        return ""
    if typed.isascii() and typed.isdecimal():
        secret = bytes.fromhex(safekeeping.reopen(store, f"factor:{person_id}", bytes(row.secret)))
        step = totp.matching_step(secret, typed, store.clock(), row.step)
        if step is None:
            return ""
        moved = update(second_factor).where(
            second_factor.c.account_id == person_id, second_factor.c.step < step
        )
        return "generator" if c.execute(moved.values(step=step)).rowcount else ""
    mark = _mark(store, person_id, typed)
    spent = (
        update(recovery_code)
        .where(recovery_code.c.hash == mark, recovery_code.c.used_us.is_(None))
        .values(used_us=store.clock())
    )
    return "recovery" if c.execute(spent).rowcount else ""


def enrol(
    store: Store, who: Principal, person: Person, secret: bytes, given: str, *, address: str
) -> list[str]:
    """Set up a generator whose first code is `given`; return the recovery codes, shown this once. Raises `Problem`.

    Every other session of the account ends: they were opened with less.
    """
    counted = f"second factor {person.id}"
    attempts.admit(store, counted, address)
    step = totp.matching_step(secret, "".join(given.split()), store.clock(), -1)
    if step is None:
        raise Problem(
            Text("Ce code n'est pas le bon.", "This code is wrong."),
            Text("Vérifiez l'heure du téléphone, puis tapez le code affiché maintenant.",
                 "Check the telephone's clock, then type the code shown now."), place="code",
        )  # fmt: skip
    attempts.forgive(store, counted, address)
    with store.write() as c:
        c.execute(delete(second_factor).where(second_factor.c.account_id == person.id))
        c.execute(
            insert(second_factor).values(
                account_id=person.id, secret=safekeeping.close(store, f"factor:{person.id}", secret.hex()), step=step,
                created_us=store.clock(),
            )
        )  # fmt: skip
        c.execute(delete(session).where(session.c.account_id == person.id))
        codes = _fresh_codes(store, c, person.id)
        store.audit.note(c, who, "factor.enrol", f"user:{person.id}")
    return codes


def new_codes(store: Store, who: Principal, person: Person, given: str, *, address: str) -> list[str]:
    """Return ten new recovery codes, the old ones being void, after a code of the generator. Raises `Problem`."""
    check(store, person, given, address=address)
    with store.write() as c:
        codes = _fresh_codes(store, c, person.id)
        store.audit.note(c, who, "factor.codes", f"user:{person.id}")
    return codes


def remove(store: Store, who: Principal, person: Person, given: str, *, address: str) -> None:
    """Take one's generator away, after one of its codes. Raises `Problem`: not while the role must have one."""
    if person.role in required(store):
        raise Problem(
            Text("Votre rôle doit avoir un second facteur.", "Your role must have a second factor."),
            Text("Pour changer de téléphone, un administrateur peut le réinitialiser.",
                 "To change telephones, an administrator can reset it."), place="code", status=403,
        )  # fmt: skip
    check(store, person, given, address=address)
    _drop(store, who, person, "factor.remove")


def reset(store: Store, who: Principal, person: Person) -> None:
    """Take someone's generator away (the telephone and the codes are lost), and end their sessions. Raises `Forbidden`."""
    require_reach(who, person.territories)
    _drop(store, who, person, "factor.reset")


def require_for(store: Store, who: Principal, roles: Iterable[str]) -> None:
    """Choose the roles that must have a second factor; sessions of theirs opened here with less end. Raises `Problem`."""
    require_reach(who, ())
    wanted = [role for role in STAFF_ROLES if role in set(roles)]
    mine = int(who.id[5:]) if who.id.startswith("user:") else None
    if mine is not None and who.role in wanted and not has(store, mine) and not _federated(store, mine):
        raise Problem(
            Text("Activez d'abord votre propre second facteur.", "Set up your own second factor first."),
            Text("Mon compte, Second facteur.", "My account, Second factor."), place="roles",
        )  # fmt: skip
    store.change_settings(who, {SETTING: wanted or None}, "factor.require", "town", {"roles": wanted})
    theirs = (
        select(account.c.id)
        .where(account.c.role.in_(wanted))
        .where(account.c.id.not_in(select(second_factor.c.account_id)))
    )
    with store.write() as c:
        c.execute(
            delete(session).where(
                session.c.account_id.in_(theirs), session.c.id.not_in(select(federated_session.c.session_id))
            )
        )


def _federated(store: Store, person_id: int) -> bool:
    held = (
        select(session.c.id)
        .join(federated_session, federated_session.c.session_id == session.c.id)
        .where(session.c.account_id == person_id)
    )
    with store.read() as c:
        return c.execute(held.limit(1)).first() is not None


def _drop(store: Store, who: Principal, person: Person, action: str) -> None:
    with store.write() as c:
        c.execute(delete(second_factor).where(second_factor.c.account_id == person.id))
        c.execute(delete(recovery_code).where(recovery_code.c.account_id == person.id))
        if who.id != f"user:{person.id}":
            c.execute(delete(session).where(session.c.account_id == person.id))
        store.audit.note(c, who, action, f"user:{person.id}")


def _fresh_codes(store: Store, c: Connection, person_id: int) -> list[str]:
    c.execute(delete(recovery_code).where(recovery_code.c.account_id == person_id))
    codes = ["".join(secrets.choice(_ALPHABET) for _ in range(10)) for _ in range(CODES)]
    # a code begins with a letter: six digits alone are always the generator's
    codes = [secrets.choice(_ALPHABET[:22]) + code[1:] for code in codes]
    c.execute(
        insert(recovery_code),
        [{"hash": _mark(store, person_id, code), "account_id": person_id} for code in codes],
    )
    return [f"{code[:5]}-{code[5:]}" for code in codes]


def _mark(store: Store, person_id: int, code: str) -> bytes:
    message = f"recovery\0{person_id}\0{code}".encode()
    return hmac.new(store.settings.secret(), message, hashlib.sha256).digest()
