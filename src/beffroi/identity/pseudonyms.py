"""Pseudonyms: the same person gives the same word, and nobody can go back without the installation's secret."""

import base64
import hashlib
import hmac

__all__ = ["pseudonym"]


def pseudonym(secret: bytes, purpose: str, value: str) -> str:
    """Return 16 letters and digits (80 bits) for `value`, different for each `purpose`: no crossing of files."""
    digest = hmac.new(secret, f"pseudonym\0{purpose}\0{value}".encode(), hashlib.sha256).digest()
    return base64.b32encode(digest[:10]).decode().lower()
