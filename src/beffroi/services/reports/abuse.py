"""Abuse: signs that a report was not sent by someone who saw something, each with its name.

Nothing honest is ever refused: a sign sends the report to be read by an agent before anyone else sees it. The trap, a
form filled in under three seconds, the same text again, many from one network, links, and the town's own list.
"""

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection, insert

from beffroi.model.instant import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from beffroi.services.reports.where import folded
from beffroi.store.quick import insert_rows, quick
from beffroi.store.tables import sighting

__all__ = ["SIGNS", "Post", "challenge", "crowded", "many_from", "marked", "signs", "solved", "start_mark"]

SIGNS = {
    "trap": ("Champ piège rempli", "Trap field filled in"),
    "too_fast": ("Rempli en moins de 3 s", "Filled in under 3 s"),
    "no_start": ("Formulaire sans début", "Form without a beginning"),
    "same_text": ("Même texte qu'un autre envoi", "Same text as another post"),
    "many": ("Beaucoup d'envois de ce réseau", "Many posts from this network"),
    "links": ("Liens dans le texte", "Links in the text"),
    "listed": ("Sur la liste d'abus", "On the abuse list"),
    "mail": ("Courriel dans le texte", "E-mail in the text"),
    "phone": ("Téléphone dans le texte", "Telephone in the text"),
    "plate": ("Immatriculation dans le texte", "Number plate in the text"),
    "name": ("Nom d'une personne dans le texte", "A person's name in the text"),
}
LEAST_US = 3 * SECOND_US
OLDEST_US = DAY_US  # of a form that was opened; an offline draft may be older and is then read first
MANY, MANY_US = 6, 10 * MINUTE_US
SAME_US = 2 * HOUR_US
KEPT_US = DAY_US
_LINK = re.compile(r"https?://|www\.|\[url|</?a\b", re.IGNORECASE)
WORK = 20_000  # tries that the proof of work takes on average: half a second on an old telephone


class Post(msgspec.Struct, frozen=True):
    """What a post shows of how it was made."""

    text: str
    address: str  # of the network; only ever kept as a keyed digest, for a day
    trap: str = ""
    start: str = ""  # what `start_mark` wrote when the form was opened
    proof: str = ""


def _digest(secret: bytes, *parts: str) -> bytes:
    return hmac.new(secret, "\0".join(("report", *parts)).encode(), hashlib.sha256).digest()


def network_of(address: str) -> str:
    """Return the address, or for IPv6 its /64: one household has 2⁶⁴ of them."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else str(parsed)


# --- When the form was opened.


def start_mark(secret: bytes, now_us: int) -> str:
    """Return the hidden value that says when a form was opened, and cannot be made by anyone else."""
    return f"{now_us:x}.{_digest(secret, 'start', f'{now_us:x}').hex()[:24]}"


def marked(secret: bytes, mark: str) -> int | None:
    """Return when the form was opened, None when the mark is not ours."""
    moment, _, code = mark.partition(".")
    right = hmac.compare_digest(_digest(secret, "start", moment).hex()[:24].encode(), code.encode())
    return int(moment, 16) if right and re.fullmatch("[0-9a-f]{1,16}", moment) else None


# --- Proof of work, asked only when many come from one network.


def challenge(secret: bytes, mark: str) -> str:
    """Return the first half of a riddle: find n < 2 × `WORK` such that SHA-256(mark + n) is the second half."""
    wanted = int.from_bytes(_digest(secret, "work", mark)[:4], "big") % (2 * WORK)
    return hashlib.sha256(f"{mark}{wanted}".encode()).hexdigest()


def solved(secret: bytes, mark: str, proof: str) -> bool:
    """True when `proof` is the number that the riddle of this form asks for."""
    return (
        proof.isdigit()
        and len(proof) < 8
        and hashlib.sha256(f"{mark}{proof}".encode()).hexdigest() == challenge(secret, mark)
    )


# --- Signs.


def many_from(c: Connection, secret: bytes, address: str, now_us: int) -> bool:
    """True when so many posts came from one network lately that the next form asks for a proof of work."""
    return _seen(c, _digest(secret, "network", network_of(address)), now_us - MANY_US, MANY)


def crowded(c: Connection, secret: bytes, what: str, address: str, now_us: int, most: int) -> bool:
    """Note that someone of a network does `what`; True when `most` did within ten minutes, and it is not noted."""
    key = _digest(secret, what, network_of(address))
    if _seen(c, key, now_us - MANY_US, most):
        return True
    c.execute(insert(sighting), {"key": key, "at_us": now_us})
    return False


def _seen(c: Connection, key: bytes, since_us: int, times: int) -> bool:
    """True when something was seen that many times: a flood is not counted to its end by each of its posts."""
    some = "SELECT 1 FROM sighting WHERE key = :key AND at_us >= :since LIMIT :times"
    return len(quick(c, some, {"key": key, "since": since_us, "times": times})) == times


def signs(
    c: Connection, secret: bytes, post: Post, now_us: int, listed: Iterable[str] = (), *, note: bool = True
) -> list[str]:
    """Return the signs of one post, and remember it in the transaction of `c` (for a day, as keyed digests)."""
    network, text = (
        _digest(secret, "network", network_of(post.address)),
        _digest(secret, "text", folded(post.text)),
    )
    opened = marked(secret, post.start)
    proved = solved(secret, post.start, post.proof)
    said = folded(post.text)
    found = {
        "trap": bool(post.trap),
        "no_start": opened is None or now_us - opened > OLDEST_US,
        "too_fast": opened is not None and now_us - opened < LEAST_US,
        "same_text": len(said) > 20 and _seen(c, text, now_us - SAME_US, 1),
        "many": not proved and _seen(c, network, now_us - MANY_US, MANY),
        "links": _LINK.search(post.text) is not None,
        "listed": any(
            word and word in f" {said} " for word in (f" {folded(w)} " for w in listed if w.strip())
        ),
    }
    if note:
        if now_us % 16 == 0 or not network[0] & 15:  # one post in sixteen sweeps for all
            quick(c, "DELETE FROM sighting WHERE at_us < :before", {"before": now_us - KEPT_US})
        insert_rows(c, sighting, [{"key": key, "at_us": now_us} for key in {network, text}])
    return [sign for sign, seen in found.items() if seen]
