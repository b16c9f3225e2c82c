"""Devices: browsers that asked to be told by web push, without address or telephone.

The town calls no push service unless a person subscribed, and then only the one that the person's browser named.
"""

import base64
import hashlib
from functools import lru_cache

import msgspec

from beffroi.model.instant import DAY_US, SECOND_US
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.rules.mail import ActionError
from beffroi.rules.webhook import send
from beffroi.services.reports.letters import Words
from beffroi.settings import Settings
from beffroi.standards import web_push
from beffroi.standards.web_push import Subscription
from beffroi.town import Town

__all__ = ["public_key", "subscription_of", "tell"]

TIMEOUT_S = 5.0
TTL_S = 4 * DAY_US // SECOND_US  # a telephone that stays off longer reads the report's page instead
_LONGEST = 400  # characters of a notification: no telephone shows more
_GONE = (404, 410)  # RFC 8030, section 7.3: the browser unsubscribed
_LATER = (408, 425, 429)
_STOP = Text("Ne plus recevoir", "Stop these messages")


@lru_cache(maxsize=8)
def _public(secret: bytes) -> str:
    return web_push.public_text(web_push.sender_key(secret))


def public_key(town: Town) -> str:
    """Return what a browser must know of this town to let it, and nobody else, send."""
    return _public(town.settings.secret())


def subscription_of(town: Town, written: str) -> Subscription:
    """Return the subscription that a page sent as JSON. Raises `Problem`."""
    try:
        value = msgspec.json.decode(written or "null")
    except msgspec.DecodeError as error:
        raise Problem(
            Text("L'abonnement n'est pas lisible.", "The subscription cannot be read."), place="push"
        ) from error
    return web_push.read_subscription(value, private=town.settings.push.private)


def tell(town: Town, plain: dict[str, object], words: Words, key: str, language: str) -> bool:
    """Send one message to a browser; False when the browser is gone for good. `key` names the message: one that is
    sent again takes the place of the first.

    Raises `Problem` (an address that may not be called), `ActionError`, `OSError`.
    """
    settings, now_s = town.settings, town.clock() // SECOND_US
    to = web_push.read_subscription(plain, private=settings.push.private)
    topic = base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest()).decode()[:32]
    message = msgspec.json.encode({
        "title": words.subject[:_LONGEST], "body": words.short[:_LONGEST], "page": words.page, "stop": words.stop,
        "stop_title": _STOP.of(language), "lang": language, "tag": topic,
    })  # fmt: skip
    signing = web_push.sender_key(settings.secret())
    headers = {
        "Authorization": web_push.authorization(signing, to.endpoint, contact_of(settings), now_s), "TTL": str(TTL_S),
        "Content-Encoding": "aes128gcm", "Content-Type": "application/octet-stream", "Urgency": "normal", "Topic": topic,
    }  # fmt: skip
    body = web_push.seal(to, message)
    status = send(to.endpoint, body, headers, private=settings.push.private, timeout_s=TIMEOUT_S)
    if status in _GONE:
        return False
    if not 200 <= status < 300:
        raise ActionError(f"the push service answered {status}", final=400 <= status < 500 and status not in _LATER)  # fmt: skip
    return True


def contact_of(settings: Settings) -> str:
    """Return whom the operators of a push service may write to about what we send."""
    if not settings.mail.sender.endswith("@localhost"):
        return f"mailto:{settings.mail.sender}"
    return settings.base_url if settings.base_url.startswith("https://") else ""
