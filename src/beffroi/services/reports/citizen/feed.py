"""Atom (RFC 4287) with GeoRSS-Simple points."""

from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

from beffroi.model.instant import format_instant

__all__ = ["atom"]

ATOM, GEORSS = "http://www.w3.org/2005/Atom", "http://www.georss.org/georss"
Entry = tuple[str, str, int, int, str, Mapping[str, Any] | None]
register_namespace("", ATOM)
register_namespace("georss", GEORSS)


def atom(own: str, page: str, title: str, updated: str, entries: Iterable[Entry], language: str) -> bytes:
    """Return a feed. An entry is (address, title, published µs, updated µs, summary, GeoJSON point or None)."""
    feed = Element(f"{{{ATOM}}}feed", {"{http://www.w3.org/XML/1998/namespace}lang": language})
    _add(feed, "id", own)
    _add(feed, "title", title)
    _add(feed, "updated", updated)
    _add(feed, "link", href=own, rel="self", type="application/atom+xml")
    _add(feed, "link", href=page, rel="alternate", type="text/html")
    SubElement(_add(feed, "author"), f"{{{ATOM}}}name").text = title
    for address, name, published, changed, summary, geometry in entries:
        entry = _add(feed, "entry")
        _add(entry, "id", address)
        _add(entry, "title", _plain(name))
        _add(entry, "link", href=address, rel="alternate", type="text/html")
        _add(entry, "published", format_instant(published))
        _add(entry, "updated", format_instant(changed))
        _add(entry, "summary", _plain(summary))
        if geometry is not None:
            lon, lat = geometry["coordinates"][:2]
            SubElement(entry, f"{{{GEORSS}}}point").text = f"{lat} {lon}"
    body: bytes = tostring(feed, "utf-8", xml_declaration=True)
    return body


def _add(parent: Element, name: str, text: str | None = None, **attributes: str) -> Element:
    made = SubElement(parent, f"{{{ATOM}}}{name}", attributes)
    made.text = text
    return made


def _plain(text: str) -> str:
    """Return a text without the characters that XML 1.0 cannot hold."""
    return "".join(
        c
        for c in text
        if c in "\t\n\r" or (c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff")
    )
