"""Keys: what proves that a report, or a subscription, is one's own, without an account.

A key is ten letters and digits that can be read aloud. It is made from the installation's secret and what it opens, so
that every later letter can carry it, and a copy of the database gives none. A number with a wrong key answers like a
number that does not exist; a record whose `key_hash` is empty (erased) opens with no key.
"""

import hashlib
import hmac

__all__ = ["digest", "key_of", "opens", "plain", "reply_key", "written"]

# Crockford's base 32: no letter that one takes for another.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH = 10  # 50 bits
_MISREAD = str.maketrans("OIL", "011")


def key_of(secret: bytes, of: str) -> str:
    """Return the key of something (a report's number with its instant, "alert/12")."""
    code = int.from_bytes(hmac.new(secret, f"report key\0{of}".encode(), hashlib.sha256).digest()[:8], "big")
    return "".join(_ALPHABET[(code >> 5 * n) & 31] for n in range(_LENGTH))


def plain(key: str) -> str:
    """Return a key as it is compared: upper case, without what people put between, misread letters mended."""
    return "".join(c for c in key.upper() if c.isalnum()).translate(_MISREAD)[:40]


def written(key: str) -> str:
    """Return a key as people read it: 7KQ4-M2XP-9D."""
    return "-".join(key[n : n + 4] for n in range(0, len(key), 4))


def digest(secret: bytes, of: str) -> str:
    """Return what is stored beside something whose key is in use."""
    return hmac.new(secret, f"report key in use\0{of}".encode(), hashlib.sha256).hexdigest()[:32]


def opens(secret: bytes, of: str, key: str, stored: str | None) -> bool:
    """True when `key` is that of something whose `key_hash` is still stored."""
    right = hmac.compare_digest(key_of(secret, of).encode(), plain(key).encode())
    return right and stored is not None and hmac.compare_digest(digest(secret, of), stored)


def reply_key(secret: bytes, report: int) -> str:
    """Return what the letters about a report carry, so that a reply is known for one (see `desk.letters_in`)."""
    code = hmac.new(secret, f"reply {report}".encode(), hashlib.sha256).hexdigest()[:20]
    return f"r{report}.{code}"
