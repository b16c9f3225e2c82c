"""Safekeeping: small secrets that must be readable again (a TOTP generator, an ID token), sealed under a key derived
from the installation's own secret, which is kept outside the database (see `store.personal` for the cipher)."""

import base64
import binascii
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from beffroi.model.problem import Problem
from beffroi.store.open import Store
from beffroi.store.personal import seal, unseal

__all__ = ["close", "close_text", "reopen", "reopen_text"]


def _key(store: Store) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"beffroi safekeeping").derive(store.settings.secret())


def close(store: Store, place: str, value: Any) -> bytes:
    """Return `value` (JSON) sealed, bound to `place`."""
    return seal(_key(store), place, value)


def reopen(store: Store, place: str, data: bytes) -> Any:
    """Return what `close` sealed. Raises `Problem` when it is not that, or of another place."""
    return unseal(_key(store), place, data)


def close_text(store: Store, place: str, value: Any) -> str:
    """Return `value` sealed, for a cookie."""
    return base64.urlsafe_b64encode(close(store, place, value)).decode()


def reopen_text(store: Store, place: str, text: str) -> Any | None:
    """Return what `close_text` sealed, None when it is anything else."""
    try:
        return reopen(store, place, base64.urlsafe_b64decode(text.encode("ascii", "replace")))
    except (Problem, binascii.Error, ValueError):
        return None
