"""Personal values: sealed under a key of their person, so that dropping the key erases them everywhere,
history and backups of the database included.

AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce; each person's key is itself sealed under a key
derived (HKDF-SHA256, RFC 5869) from the installation's secret, which is kept outside the database.
"""

import base64
import os
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Connection, insert, select, update

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.store.tables import person_key

__all__ = ["Keyring", "seal", "sealed_text", "unseal", "unsealed_text"]

_NONCE = 12


def seal(key: bytes, place: str, value: Any) -> bytes:
    """Return `value` (JSON) sealed under `key`, bound to `place` so that it cannot be moved elsewhere."""
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, msgspec.json.encode(value), place.encode())


def unseal(key: bytes, place: str, data: bytes) -> Any:
    """Return the value sealed by `seal`. Raises `Problem` when the key or the place is another."""
    try:
        return msgspec.json.decode(AESGCM(key).decrypt(data[:_NONCE], data[_NONCE:], place.encode()))
    except InvalidTag as error:
        raise Problem(
            Text("Une valeur personnelle ne s'ouvre pas avec la clé de cette installation.",
                 "A personal value does not open with the key of this installation."),
            Text("Remettez le fichier secret.key d'origine.", "Put the original secret.key file back."),
            place=place, status=500,
        ) from error  # fmt: skip


def sealed_text(data: bytes) -> dict[str, str]:
    """Return sealed bytes as history keeps them in JSON."""
    return {"sealed": base64.b64encode(data).decode()}


def unsealed_text(value: Any) -> bytes | None:
    """Return the sealed bytes of a value of history, or None when it is not a sealed one."""
    if isinstance(value, dict) and set(value) == {"sealed"} and isinstance(value["sealed"], str):
        return base64.b64decode(value["sealed"])
    return None


class Keyring:
    """The keys of persons, in table `person_key`. Never cached: an erasure acts at once in every process."""

    def __init__(self, secret: Callable[[], bytes]) -> None:
        self._secret = secret
        self._wrapping: AESGCM | None = None

    def _wrap(self) -> AESGCM:
        if self._wrapping is None:
            derived = HKDF(SHA256(), 32, salt=None, info=b"beffroi person keys").derive(self._secret())
            self._wrapping = AESGCM(derived)
        return self._wrapping

    def new(self, c: Connection, ids: Iterable[int]) -> dict[int, bytes]:
        """Make one key for each of the fresh numbers `ids`; return them."""
        keys = {person: AESGCM.generate_key(256) for person in ids}
        if keys:
            c.execute(
                insert(person_key), [{"id": i, "wrapped": self._wrapped(i, k)} for i, k in keys.items()]
            )
        return keys

    def _wrapped(self, person: int, key: bytes) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + self._wrap().encrypt(nonce, key, str(person).encode())

    def keys(self, c: Connection, persons: Iterable[int | None]) -> dict[int, bytes]:
        """Return the keys of those `persons` that were not erased."""
        wanted = sorted({p for p in persons if p is not None})
        found: dict[int, bytes] = {}
        for start in range(0, len(wanted), 500):
            some = select(person_key).where(person_key.c.id.in_(wanted[start : start + 500]))
            for row in c.execute(some):
                if row.wrapped is not None:
                    found[row.id] = self._unwrapped(row.id, bytes(row.wrapped))
        return found

    def _unwrapped(self, person: int, wrapped: bytes) -> bytes:
        try:
            return self._wrap().decrypt(wrapped[:_NONCE], wrapped[_NONCE:], str(person).encode())
        except InvalidTag as error:
            raise Problem(
                Text("Les clés des personnes ne s'ouvrent pas avec le secret de cette installation.",
                     "The keys of persons do not open with the secret of this installation."),
                Text("Remettez le fichier secret.key d'origine.", "Put the original secret.key file back."),
                place="secret.key", status=500,
            ) from error  # fmt: skip

    def erase(self, c: Connection, persons: Iterable[int]) -> None:
        """Drop the keys: what they sealed can never be read again."""
        c.execute(update(person_key).where(person_key.c.id.in_(list(persons))).values(wrapped=None))
