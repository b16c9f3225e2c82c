"""Common Alerting Protocol 1.2 (OASIS, ITU-T X.1303bis): a message, written.

Elements stand in the order of the schema. Times carry an offset in figures (`+00:00`, never `Z`), as §3.3.2 asks; an
identifier or a sender has no space, comma, `<` or `&` (§3.2.1).
"""

import re
from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

import msgspec

from beffroi.model.instant import format_instant
from beffroi.standards.atom import plain

__all__ = ["MEDIA_TYPE", "NAMESPACE", "WORDS", "Alert", "Area", "Info", "Resource", "time_of", "write"]

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
MEDIA_TYPE = "application/cap+xml"
register_namespace("cap", NAMESPACE)
_UNFIT = re.compile(r"[\s,<&]")
# Allowed words (§3.2.1 and §3.2.2).
WORDS = {
    "status": ("Actual", "Exercise", "System", "Test", "Draft"), "msgType": ("Alert", "Update", "Cancel", "Ack", "Error"),
    "responseType": ("Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None"),
    "urgency": ("Immediate", "Expected", "Future", "Past", "Unknown"),
    "severity": ("Extreme", "Severe", "Moderate", "Minor", "Unknown"),
    "certainty": ("Observed", "Likely", "Possible", "Unlikely", "Unknown"),
}  # fmt: skip


class Area(msgspec.Struct, frozen=True):
    """Where: words, a circle as (latitude, longitude, km) or polygons of (latitude, longitude), geocodes by their name."""

    description: str
    circle: tuple[float, float, float] | None = None
    polygons: tuple[tuple[tuple[float, float], ...], ...] = ()
    geocodes: tuple[tuple[str, str], ...] = ()


class Resource(msgspec.Struct, frozen=True):
    """A file beside the message, by its address."""

    description: str
    media_type: str
    uri: str


class Info(msgspec.Struct, frozen=True):
    """What happens, in one language (RFC 3066, such as fr-FR); times are microseconds UTC."""

    language: str
    event: str
    urgency: str
    severity: str
    certainty: str
    effective_us: int
    expires_us: int
    sender_name: str
    headline: str
    description: str
    instruction: str
    responses: tuple[str, ...] = ()
    onset_us: int | None = None
    web: str = ""
    contact: str = ""
    parameters: tuple[tuple[str, str], ...] = ()
    resources: tuple[Resource, ...] = ()
    areas: tuple[Area, ...] = ()
    category: str = "Met"


class Alert(msgspec.Struct, frozen=True):
    """A message. `references` are those it replaces or ends, as (sender, identifier, sent µs)."""

    identifier: str
    sender: str
    sent_us: int
    status: str
    message_type: str
    infos: tuple[Info, ...]
    references: tuple[tuple[str, str, int], ...] = ()
    note: str = ""
    incidents: tuple[str, ...] = ()


def time_of(instant_us: int) -> str:
    """Return an instant as CAP writes it, to the second: `2026-11-22T03:12:00+00:00`."""
    return format_instant(instant_us // 1_000_000 * 1_000_000).replace("Z", "+00:00")


def write(alert: Alert) -> bytes:
    """Return the message as XML. Raises `ValueError` for an identifier or a word that CAP does not allow."""
    for told in (alert.identifier, alert.sender):
        if not told or _UNFIT.search(told):
            raise ValueError(told)
    root = Element(_tag("alert"))
    _add(root, "identifier", alert.identifier)
    _add(root, "sender", alert.sender)
    _add(root, "sent", time_of(alert.sent_us))
    _word(root, "status", alert.status)
    _word(root, "msgType", alert.message_type)
    _add(root, "scope", "Public")
    _add(root, "note", alert.note)
    _add(
        root,
        "references",
        " ".join(f"{sender},{name},{time_of(at)}" for sender, name, at in alert.references),
    )
    _add(root, "incidents", " ".join(alert.incidents))
    for info in alert.infos:
        _info(root, info)
    body: bytes = tostring(root, "utf-8", xml_declaration=True)
    return body


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _add(parent: Element, name: str, text: str) -> None:
    """Add an element with its text; without one, none."""
    if text:
        SubElement(parent, _tag(name)).text = plain(text)


def _word(parent: Element, name: str, word: str) -> None:
    if word not in WORDS[name]:
        raise ValueError(word)
    _add(parent, name, word)


def _info(root: Element, info: Info) -> None:
    one = SubElement(root, _tag("info"))
    _add(one, "language", info.language)
    _add(one, "category", info.category)
    _add(one, "event", info.event)
    for word in info.responses:
        _word(one, "responseType", word)
    for name, word in (("urgency", info.urgency), ("severity", info.severity), ("certainty", info.certainty)):
        _word(one, name, word)
    _add(one, "effective", time_of(info.effective_us))
    _add(one, "onset", "" if info.onset_us is None else time_of(info.onset_us))
    _add(one, "expires", time_of(info.expires_us))
    texts = (("senderName", info.sender_name), ("headline", info.headline), ("description", info.description),
             ("instruction", info.instruction), ("web", info.web), ("contact", info.contact))  # fmt: skip
    for name, text in texts:
        _add(one, name, text)
    _pairs(one, "parameter", info.parameters)
    for resource in info.resources:
        inner = SubElement(one, _tag("resource"))
        _add(inner, "resourceDesc", resource.description)
        _add(inner, "mimeType", resource.media_type)
        _add(inner, "uri", resource.uri)
    for area in info.areas:
        _area(one, area)


def _pairs(parent: Element, name: str, pairs: Iterable[tuple[str, str]]) -> None:
    for key, value in pairs:
        inner = SubElement(parent, _tag(name))
        _add(inner, "valueName", key)
        SubElement(inner, _tag("value")).text = plain(value)


def _area(parent: Element, area: Area) -> None:
    one = SubElement(parent, _tag("area"))
    _add(one, "areaDesc", area.description)
    for ring in area.polygons:
        _add(one, "polygon", " ".join(f"{lat:.6f},{lon:.6f}" for lat, lon in ring))
    if area.circle is not None:
        lat, lon, radius = area.circle
        _add(one, "circle", f"{lat:.6f},{lon:.6f} {radius:g}")
    _pairs(one, "geocode", area.geocodes)
