"""TOTP: codes of the minute (RFC 6238 over RFC 4226's HOTP), SHA-1, six digits, thirty seconds, as every generator knows."""

import base64
import hmac
import secrets
from urllib.parse import quote, urlencode

__all__ = ["PERIOD_S", "address", "code", "fresh_secret", "matching_step", "shown", "step_at"]

PERIOD_S = 30
DIGITS = 6
WINDOW = 1  # steps before and after: the telephone's clock, and the time to type (RFC 6238 §5.2)


def fresh_secret() -> bytes:
    """Return a new secret of 160 bits (RFC 4226 §4, R6)."""
    return secrets.token_bytes(20)


def step_at(now_us: int) -> int:
    """Return the time step of an instant."""
    return now_us // (PERIOD_S * 1_000_000)


def code(secret: bytes, step: int, *, digits: int = DIGITS, digest: str = "sha1") -> str:
    """Return the code of a time step (RFC 4226 §5.3)."""
    mac = hmac.new(secret, step.to_bytes(8, "big"), digest).digest()
    offset = mac[-1] & 15
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**digits:0{digits}d}"


def matching_step(secret: bytes, given: str, now_us: int, after: int) -> int | None:
    """Return the step later than `after` whose code is `given`, None when there is none: a code is used once."""
    now, found = step_at(now_us), None
    for step in range(now - WINDOW, now + WINDOW + 1):  # every one is compared: the time tells nothing
        if hmac.compare_digest(code(secret, step), given) and step > after:
            found = step
    return found


def shown(secret: bytes) -> str:
    """Return the secret as it is typed by hand: base32 in fours."""
    text = base64.b32encode(secret).decode().rstrip("=")
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4))


def address(secret: bytes, town: str, account: str) -> str:
    """Return the `otpauth:` address that a generator reads from a QR code (Key URI format)."""
    label = quote(f"{town.replace(':', ' ')}:{account}", safe="")
    query = {"secret": shown(secret).replace(" ", ""), "issuer": town.replace(":", " ")}
    return f"otpauth://totp/{label}?{urlencode(query, quote_via=quote)}"
