"""Web push: a short message to one browser, sealed so that the push service between the two cannot read it.

A browser gives a `Subscription` (W3C Push API): where to post (RFC 8030) and its keys. A message is sealed for it
(RFC 8291, `aes128gcm` of RFC 8188) and signed by the sender's key, which the browser was told when it subscribed
(VAPID, RFC 8292), so that nobody else can send to that address.
"""

import base64
import binascii
import ipaddress
import os
import struct
from typing import Any
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = [
    "MOST_BYTES",
    "Subscription",
    "authorization",
    "public_text",
    "read_subscription",
    "seal",
    "sender_key",
]

_RECORD = 4096  # one record holds the whole message: what every push service takes (RFC 8291, section 4)
_OVERHEAD = (
    16 + 4 + 1 + 65 + 1 + 16
)  # salt, size, length and point of the header; delimiter and tag of the record
MOST_BYTES = _RECORD - _OVERHEAD
_LIFE_S = 12 * 3600  # of a signature; the standard allows a day
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of the curve P-256
_LONGEST = 2000


class Subscription(msgspec.Struct, frozen=True):
    """Where to reach one browser. `key` is its point on P-256 (65 bytes), `secret` what only it and we know (16)."""

    endpoint: str
    key: bytes
    secret: bytes

    def plain(self) -> dict[str, Any]:
        """Return it as browsers write it (PushSubscription.toJSON)."""
        return {"endpoint": self.endpoint, "keys": {"p256dh": _text(self.key), "auth": _text(self.secret)}}


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(written: Any) -> bytes:
    plain = str(written).rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""


def _wrong(fr: str, en: str, place: str) -> Problem:
    return Problem(
        Text(f"Cet abonnement n'est pas celui d'un navigateur : {fr}.", f"This subscription is not a browser's: {en}."),
        Text("Rechargez la page et recommencez.", "Load the page again, then try once more."), place=place,
    )  # fmt: skip


def read_subscription(value: Any, *, private: bool = False) -> Subscription:
    """Return the subscription that a browser sent. The address must be `https` and not that of a private network
    (names are looked at again each time something is sent); `private` allows both. Raises `Problem`."""
    keys = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(keys, dict):
        raise _wrong("les clés manquent", "its keys are missing", "/keys")
    endpoint, key, secret = (
        str(value.get("endpoint", "")),
        _bytes(keys.get("p256dh")),
        _bytes(keys.get("auth")),
    )
    if not _reachable(endpoint, private):
        raise _wrong("son adresse n'est pas publique", "its address is not public", "/endpoint")
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
    except ValueError as error:
        raise _wrong("sa clé n'est pas sur la courbe P-256", "its key is not on the curve P-256", "/keys/p256dh") from error  # fmt: skip
    if len(key) != 65 or len(secret) != 16:
        raise _wrong("ses clés n'ont pas la bonne longueur", "its keys have the wrong length", "/keys/auth")
    return Subscription(endpoint, key, secret)


def _reachable(endpoint: str, private: bool) -> bool:
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError:
        return False
    host = (parts.hostname or "").rstrip(".")
    plain = (
        endpoint.isascii() and endpoint.isprintable() and " " not in endpoint and len(endpoint) <= _LONGEST
    )
    if not plain or not host or parts.username is not None or parts.scheme not in ("https", "http"):
        return False
    if private:
        return True
    try:
        named = not ipaddress.ip_address(host).is_private
    except ValueError:
        named = "." in host and not host.endswith((".localhost", ".local", ".internal"))
    return parts.scheme == "https" and port in (None, 443) and named


def sender_key(secret: bytes) -> ec.EllipticCurvePrivateKey:
    """Return the key by which an installation signs what it sends, made from its secret: no file more to keep, and
    subscriptions go on after a restored backup."""
    derived = HKDF(hashes.SHA256(), 48, salt=None, info=b"beffroi web push").derive(secret)
    return ec.derive_private_key(int.from_bytes(derived, "big") % (_ORDER - 1) + 1, ec.SECP256R1())


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def public_text(key: ec.EllipticCurvePrivateKey) -> str:
    """Return the public half, as browsers take it (`applicationServerKey`)."""
    return _text(_point(key.public_key()))


def authorization(key: ec.EllipticCurvePrivateKey, endpoint: str, contact: str, now_s: int) -> str:
    """Return the `Authorization` of a message to `endpoint` (RFC 8292): a token signed with ES256 for that service.
    `contact` is whom its operators may write to: `mailto:…` or `https://…`, "" for nobody."""
    parts = urlsplit(endpoint)
    claims = {"aud": f"{parts.scheme}://{parts.netloc}", "exp": now_s + _LIFE_S, **({"sub": contact} if contact else {})}  # fmt: skip
    head = _text(msgspec.json.encode({"typ": "JWT", "alg": "ES256"}))
    signed = f"{head}.{_text(msgspec.json.encode(claims))}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"vapid t={signed}.{_text(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}, k={public_text(key)}"


def seal(
    to: Subscription, message: bytes, *, salt: bytes | None = None, ephemeral: ec.EllipticCurvePrivateKey | None = None
) -> bytes:  # fmt: skip
    """Return `message` (at most `MOST_BYTES`) sealed for one browser, as the body to post with the content coding
    `aes128gcm`. `salt` and `ephemeral` are drawn unless given. Raises `ValueError` when it is too long."""
    if len(message) > MOST_BYTES:
        raise ValueError(f"a push message has at most {MOST_BYTES} bytes, not {len(message)}")
    salt = os.urandom(16) if salt is None else salt
    ephemeral = ec.generate_private_key(ec.SECP256R1()) if ephemeral is None else ephemeral
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), to.key)
    ours = _point(ephemeral.public_key())
    shared = ephemeral.exchange(ec.ECDH(), theirs)
    material = _derived(shared, to.secret, b"WebPush: info\0" + to.key + ours, 32)
    key = _derived(material, salt, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derived(material, salt, b"Content-Encoding: nonce\0", 12)
    sealed = AESGCM(key).encrypt(nonce, message + b"\x02", None)  # 2: the last record
    return salt + struct.pack(">IB", _RECORD, len(ours)) + ours + sealed


def _derived(material: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt=salt, info=info).derive(material)
