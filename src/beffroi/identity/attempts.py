"""Attempts: how often signing in failed, per account and per address, and how long to wait.

Counted before the password is looked at (parallel guesses cannot slip through), for accounts that do not exist
too (nothing is learnt), and kept only as keyed hashes.
"""

import hashlib
import hmac
import ipaddress

from sqlalchemy import delete, select, text

from beffroi.model.instant import MINUTE_US, SECOND_US
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.store.open import Store
from beffroi.store.tables import attempt

__all__ = ["admit", "forgive", "wait_us"]

WINDOW_US = 30 * MINUTE_US  # without a failure for that long, the count starts again
FREE = {"account": 5, "address": 30}  # a town hall has one address
_FIRST_WAIT_US = 15 * SECOND_US
_LONGEST_WAIT_US = 15 * MINUTE_US
# One statement, so that two processes counting at once both count.
_COUNT = text(
    "INSERT INTO attempt (key, failures, last_us) VALUES (:key, 1, :now)"
    " ON CONFLICT (key) DO UPDATE SET failures = attempt.failures + 1, last_us = excluded.last_us"
)


def wait_us(failures: int, free: int) -> int:
    """Return how long to wait after that many failures: none, then 15 s doubling up to 15 min."""
    if failures < free:
        return 0
    return min(_FIRST_WAIT_US << min(failures - free, 10), _LONGEST_WAIT_US)


def admit(store: Store, account: str, address: str) -> None:
    """Count one attempt for the account and the address. Raises `Problem` (429) while either must wait."""
    now = store.clock()
    longest = 0
    with store.write() as connection:
        connection.execute(delete(attempt).where(attempt.c.last_us < now - WINDOW_US))
        keys = []
        for kind, value in (("account", account), ("address", address)):
            key = _key(store, kind, value)
            row = connection.execute(select(attempt).where(attempt.c.key == key)).first()
            keys.append(key)
            if row is not None:
                longest = max(longest, row.last_us + wait_us(row.failures, FREE[kind]) - now)
        if longest <= 0:
            for key in sorted(keys):  # always in the same order: no deadlock
                connection.execute(_COUNT, {"key": key, "now": now})
    if longest > 0:
        raise Problem(
            Text("Trop d'essais : attendez {n} s.", "Too many attempts: wait {n} s.").filled(n=-(-longest // SECOND_US)),
            Text("Un administrateur peut aussi vous donner un lien de connexion.",
                 "An administrator can also give you a sign-in link."),
            status=429,
        )  # fmt: skip


def forgive(store: Store, account: str, address: str) -> None:
    """Forget the account's failures after a success, and give the address its attempt back."""
    with store.write() as connection:
        connection.execute(delete(attempt).where(attempt.c.key == _key(store, "account", account)))
        connection.execute(
            attempt.update()
            .where(attempt.c.key == _key(store, "address", address), attempt.c.failures > 0)
            .values(failures=attempt.c.failures - 1)
        )


def _network(address: str) -> str:
    """Return the address, or for IPv6 its /64: one household has 2⁶⁴ of them."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else address


def _key(store: Store, kind: str, value: str) -> bytes:
    value = _network(value) if kind == "address" else value
    message = f"attempt\0{kind}\0{value.strip().lower()}".encode()
    return hmac.new(store.settings.secret(), message, hashlib.sha256).digest()
