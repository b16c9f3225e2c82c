"""Signed webhooks that cannot be turned against the town's own network.

The receiver checks `Beffroi-Signature: t=SECONDS,v1=HEX`, HEX being HMAC-SHA256 of `SECONDS.body` under the
shared secret, refuses an old `t`, and knows a repetition by `Beffroi-Delivery`. The name is resolved once, every
address it has must be public (unless the town allows private ones), and the connection goes to that very
address: a name that answers differently the second time gains nothing. Redirections are not followed.
"""

import contextlib
import hashlib
import hmac
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping
from urllib.parse import urlsplit

from beffroi.model.instant import SECOND_US
from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["post", "send", "signature", "verify"]

TOLERANCE_S = 300


def signature(secret: bytes, body: bytes, at_s: int) -> str:
    """Return the value of the signature's header."""
    mac = hmac.new(secret, f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={mac}"


def verify(secret: bytes, body: bytes, header: str, now_s: int) -> bool:
    """True when `header` signs `body` and is not older (or newer) than five minutes."""
    parts = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    at = parts.get("t", "")
    if not at.isdigit() or abs(now_s - int(at)) > TOLERANCE_S:
        return False
    return hmac.compare_digest(signature(secret, body, int(at)), header)


def addresses(host: str, port: int, *, private: bool) -> list[str]:
    """Return the addresses of a host. Raises `Problem` when one of them is not public and that is not allowed."""
    found = list(
        dict.fromkeys(str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    )
    for address in found:
        if not private and not _public(address):
            raise Problem(
                Text(f"L'envoi vise une adresse privée ({address}).", f"The message aims at a private address ({address})."),
                Text("Autorisez les adresses privées dans l'administration, si c'est voulu.",
                     "Allow private addresses in the administration, if it is meant."),
            )  # fmt: skip
    return found


def _public(address: str) -> bool:
    ip = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    mapped = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None)
    return ip.is_global and not ip.is_multicast and (mapped is None or _public(str(mapped)))


def post(
    url: str, body: bytes, secret: bytes, key: str, *, now_us: int, private: bool, timeout_s: float
) -> int:
    """Send `body` signed, and return the status of the answer. Raises `Problem` for a forbidden address, `OSError`."""
    headers = {
        "Content-Type": "application/json", "Beffroi-Delivery": key,
        "Beffroi-Signature": signature(secret, body, now_us // SECOND_US),
    }  # fmt: skip
    return send(url, body, headers, private=private, timeout_s=timeout_s)


def send(url: str, body: bytes, headers: Mapping[str, str], *, private: bool, timeout_s: float) -> int:
    """Post `body` to the one address that was looked at, and return the status of the answer; nothing is followed.
    An answer that comes drop by drop is cut off after three times `timeout_s`.

    Raises `Problem` for a forbidden address, `OSError`.
    """
    parts = urlsplit(url)
    secure, host = parts.scheme == "https", parts.hostname or ""
    port = parts.port or (443 if secure else 80)
    address = addresses(host, port, private=private)[0]
    sock: socket.socket = socket.create_connection((address, port), timeout=timeout_s)
    other = sock.dup()
    end = threading.Timer(3 * timeout_s, _cut, (other,))
    end.daemon = True
    end.start()
    try:
        if secure:
            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=host)
        connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
        connection.sock = sock
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, body, {"User-Agent": "Beffroi", **headers})
        return connection.getresponse().status
    except http.client.HTTPException as error:
        raise OSError(f"no proper answer: {type(error).__name__}") from error
    finally:
        end.cancel()
        other.close()
        sock.close()


def _cut(sock: socket.socket) -> None:
    """End a connection under the thread that waits for it."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
