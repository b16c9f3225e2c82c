"""Letters that come in: which report a reply is about, what its writer added, the photos that came along.

A notification is sent from an address, and with a `Message-ID`, that carry a reply key: `r12.3f0c…` (the report's
number in the store and a code that only the installation can make). Reading needs nothing else, so a reply works from
any mailbox; who only knows the number cannot write. RFC 5322; automatic letters are told by RFC 3834, bounces by RFC 3464.
"""

import hashlib
import hmac
import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import EmailPolicy
from html.parser import HTMLParser
from typing import Any

import msgspec

__all__ = ["Attachment", "Letter", "key_holds", "read_letter", "reply_key"]

MOST_BYTES = 25_000_000
MOST_TEXT = 5000
_KEY = re.compile(r"\br(\d{1,15})\.([0-9a-f]{20})\b")
_ADDRESSED = ("To", "Cc", "Delivered-To", "X-Original-To", "In-Reply-To", "References")
_QUOTE = re.compile(
    r"^(>|-{2,} ?(Message d'origine|Message original|Original Message|Message transféré|Forwarded message)"
    r"|_{10,}\s*$|-- ?$|(De|From|Von) ?: .*@|(Envoyé|Sent) (de|depuis|from) (mon|my) "
    r"|(Le|On) .{6,200}(a écrit|wrote) ?:\s*$)"
)


class Attachment(msgspec.Struct, frozen=True):
    """One file of a letter, as it came."""

    name: str
    media_type: str
    data: bytes


class Letter(msgspec.Struct, frozen=True):
    """What was read of one letter. `report` is the report's id with its `code` (see `key_holds`), None when unknown."""

    sender: str
    subject: str
    message_id: str
    text: str
    photos: tuple[Attachment, ...]
    report: int | None
    code: str
    automatic: bool  # an absence, a list, a machine: never answer, never count as a person
    bounced: bool  # a mail server says that our letter did not arrive


def reply_key(secret: bytes, report: int) -> str:
    """Return what addresses and message ids of letters about a report carry."""
    return f"r{report}.{_code(secret, report)}"


def _code(secret: bytes, report: int) -> str:
    return hmac.new(secret, f"reply {report}".encode(), hashlib.sha256).hexdigest()[:20]


def key_holds(secret: bytes, letter: Letter) -> bool:
    """True when the letter answers one that this installation wrote about that report."""
    return letter.report is not None and hmac.compare_digest(_code(secret, letter.report), letter.code)


class _Tolerant(EmailPolicy):
    """A header that the library fails to parse is its text, without the parameters where it is a media type."""

    def header_fetch_parse(self, name: str, value: str) -> Any:
        """Return the header as the library has it, or its plain text."""
        try:
            return super().header_fetch_parse(name, value)
        except Exception:  # noqa: BLE001 -- its parser has faults of many kinds, UnboundLocalError among them
            text = str(value).replace("\r", "").replace("\n", "")
            return text.partition(";")[0].strip() if name.lower().startswith("content-") else text


_POLICY = _Tolerant()


def read_letter(raw: bytes) -> Letter:
    """Return what a letter says; whatever it holds, reading does not fail."""
    message = message_from_bytes(raw, policy=_POLICY)
    assert isinstance(message, EmailMessage)
    found = _KEY.search(" ".join(_header(message, name) for name in _ADDRESSED))
    bounced = message.get_content_type() == "multipart/report" or not _address(message, "Return-Path", "<x>")
    if found is None and bounced:  # the key is in the letter that comes back
        found = _KEY.search(raw[:MOST_BYTES].decode("latin-1"))
    return Letter(
        sender=_address(message, "From").strip("<>").lower(),
        subject=_header(message, "Subject")[:200],
        message_id=_header(message, "Message-ID").strip()[:200],
        text=_own_words(_text(message)),
        photos=tuple(_photos(message)),
        report=int(found[1]) if found else None,
        code=found[2] if found else "",
        automatic=bounced or _automatic(message),
        bounced=bounced,
    )


def _header(message: EmailMessage, name: str) -> str:
    return " ".join(str(value) for value in message.get_all(name, []))


def _address(message: EmailMessage, name: str, default: str = "") -> str:
    written = _header(message, name) or default
    found = re.search(r"<([^<>]*)>", written)
    return found[1].strip() if found else written.strip()


def _automatic(message: EmailMessage) -> bool:
    return (
        _header(message, "Auto-Submitted").lower() not in ("", "no")
        or _header(message, "Precedence").lower() in ("bulk", "junk", "list", "auto_reply")
        or any(message.get(name) is not None for name in ("X-Autoreply", "X-Autorespond", "List-Id"))
    )


def _text(message: EmailMessage) -> str:
    try:
        part = message.get_body(("plain", "html"))
        content = part.get_content() if part is not None else ""
    except (LookupError, ValueError, AttributeError, TypeError):  # an unknown charset, a broken part
        return ""
    if part is not None and part.get_content_subtype() == "html":
        reader = _Words()
        reader.feed(content)
        return "".join(reader.parts)
    return str(content)


class _Words(HTMLParser):
    """The words of an HTML letter, a line for each block; quotations and styles left out."""

    _LEFT_OUT = frozenset({"style", "script", "head", "blockquote", "title"})
    _LINES = frozenset({"p", "div", "br", "li", "tr", "h1", "h2", "h3"})

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._inside = 0
        self._quoted = False  # mail programs put what they quote last, in a part of class "…quote"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a line at a block, and leave out what is not words."""
        self._inside += tag in self._LEFT_OUT
        self._quoted = self._quoted or any(k == "class" and "quote" in (v or "") for k, v in attrs)
        if tag in self._LINES:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        """End what is left out."""
        if tag in self._LEFT_OUT and self._inside:
            self._inside -= 1

    def handle_data(self, data: str) -> None:
        """Keep words."""
        if not self._inside and not self._quoted:
            self.parts.append(data)


def _own_words(text: str) -> str:
    """Return what the writer wrote, without what is quoted below it and the signature."""
    kept: list[str] = []
    lines = text.replace("\r\n", "\n").replace("\x00", "").split("\n")
    for n, line in enumerate(lines):
        # an attribution may be cut in two: "Le mer. 25 nov. 2026 à 10:12, Mairie\n<m@x.fr> a écrit :"
        joined = f"{line.strip()} {lines[n + 1].strip()}" if n + 1 < len(lines) else line.strip()
        if _QUOTE.match(line.strip()) or (line.startswith(("Le ", "On ")) and _QUOTE.match(joined)):
            break
        kept.append(line.rstrip())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()[:MOST_TEXT]


def _photos(message: EmailMessage) -> list[Attachment]:
    """Return the images of a letter (at most eight), attached or inside it; small ones are logos."""
    found = []
    for part in message.walk():
        if part.get_content_maintype() != "image" or part.is_multipart():
            continue
        try:
            data = part.get_payload(decode=True)
            name = part.get_filename() or "photo"
        except (LookupError, ValueError, AttributeError, TypeError):
            continue
        if isinstance(data, bytes) and len(data) > 4000:
            found.append(Attachment(name[:100], part.get_content_type(), data))
    return found[:8]
