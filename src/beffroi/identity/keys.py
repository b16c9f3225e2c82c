"""Keys: what programs and devices hold to act (`Authorization: Bearer …`, or the MQTT password)."""

import hashlib
import json
import secrets
from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import insert, select, update

from beffroi.identity.rights import require_reach
from beffroi.identity.wording import clean_name, clean_role, clean_service, clean_territories
from beffroi.model.instant import DAY_US
from beffroi.model.principal import Principal, Role
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.store.open import Store
from beffroi.store.tables import token

__all__ = ["KEY_ROLES", "PREFIX", "Key", "create", "digest", "every", "revoke"]

KEY_ROLES: tuple[Role, ...] = ("device", "supplier", "elu", "agent", "responsable", "admin")
PREFIX = "beffroi_"  # so that a key left in a file is recognised by secret scanners


class Key(msgspec.Struct, frozen=True):
    """One key; its secret is known only to its holder. `used_us` is right within an hour."""

    id: int
    prefix: str
    name: str
    role: Role
    service: str | None
    territories: tuple[str, ...]
    author: str
    created_us: int
    expires_us: int | None
    used_us: int | None
    revoked_us: int | None

    @property
    def principal(self) -> Principal:
        """Who this key acts as."""
        return Principal(f"token:{self.id}", self.name, self.role, self.territories, self.service)

    def valid_at(self, now_us: int) -> bool:
        """True unless it was revoked or has expired."""
        return self.revoked_us is None and (self.expires_us is None or now_us < self.expires_us)


def digest(secret: str) -> bytes:
    """Return what is kept of a secret of 256 random bits: no salt or slowness is needed for those."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def key_of(row: Any) -> Key:
    """Return the key that a row of `token` holds."""
    return Key(
        row.id, row.prefix, row.name, row.role, row.service, tuple(json.loads(row.territories)), row.author,
        row.created_us, row.expires_us, row.used_us, row.revoked_us,
    )  # fmt: skip


def create(
    store: Store, who: Principal, *, role: str, name: str = "", service: str | None = None,
    territories: Iterable[str] = (), days: int | None = None,
) -> tuple[Key, str]:  # fmt: skip
    """Return a new key and its secret, shown this once. `days` until it expires, None for never. Raises `Problem`."""
    wanted = clean_role(role, among=KEY_ROLES)
    limit = clean_service(service, wanted)
    if days is not None and not 1 <= days <= 36_500:
        raise Problem(
            Text("La durée est hors limites.", "The duration is out of range."),
            Text("Entre 1 et 36 500 jours.", "Between 1 and 36,500 days."),
            place="days",
        )
    label = clean_name(name or " ".join(part for part in (wanted, limit) if part))
    secret = PREFIX + secrets.token_urlsafe(32)
    now = store.clock()
    with store.write() as connection:
        codes = clean_territories(connection, territories)
        require_reach(who, codes)
        number = store.number(connection, "token")
        values = {
            "id": number, "prefix": secret[: len(PREFIX) + 6], "name": label, "role": wanted, "service": limit,
            "territories": json.dumps(codes), "author": who.id, "created_us": now,
            "expires_us": None if days is None else now + days * DAY_US,
        }  # fmt: skip
        connection.execute(insert(token).values(**values, hash=digest(secret)))
        store.audit.note(
            connection, who, "key.create", f"token:{number}",
            {"name": label, "role": wanted, "service": limit, "territories": codes, "days": days},
        )  # fmt: skip
        row = connection.execute(select(token).where(token.c.id == number)).one()
    return key_of(row), secret


def every(store: Store) -> list[Key]:
    """Return every key, newest first, the revoked ones too."""
    with store.read() as connection:
        return [key_of(row) for row in connection.execute(select(token).order_by(token.c.id.desc()))]


def revoke(store: Store, who: Principal, which: int | str) -> Key:
    """Revoke a key by its number or its prefix: refused from now on, in every process. Raises `Problem`."""
    with store.write() as connection:
        match = token.c.id == which if isinstance(which, int) else token.c.prefix == which
        row = connection.execute(select(token).where(match)).first()
        if row is None:
            raise NotFound(
                Text("Cette clé n'existe pas.", "There is no such key."),
                Text("La liste des clés donne leurs numéros.", "The list of keys gives their numbers."),
                place="token",
            )
        key = key_of(row)
        require_reach(who, key.territories)
        if key.revoked_us is None:
            now = store.clock()
            connection.execute(update(token).where(token.c.id == key.id).values(revoked_us=now))
            store.audit.note(connection, who, "key.revoke", f"token:{key.id}")
            key = msgspec.structs.replace(key, revoked_us=now)
    return key
