"""Atom (RFC 4287) with GeoRSS-Simple points."""

from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

import msgspec

from beffroi.model.instant import format_instant

__all__ = ["Entry", "atom", "plain"]

ATOM, GEORSS = "http://www.w3.org/2005/Atom", "http://www.georss.org/georss"
register_namespace("", ATOM)
register_namespace("georss", GEORSS)


class Entry(msgspec.Struct, frozen=True):
    """One entry: its address (which is its id), title, times in microseconds UTC, summary, GeoJSON point, and other
    editions as (address, media type)."""

    address: str
    title: str
    published_us: int
    updated_us: int
    summary: str
    geometry: Mapping[str, Any] | None = None
    editions: tuple[tuple[str, str], ...] = ()


def atom(own: str, page: str, title: str, updated: str, entries: Iterable[Entry], language: str) -> bytes:
    """Return a feed."""
    feed = Element(f"{{{ATOM}}}feed", {"{http://www.w3.org/XML/1998/namespace}lang": language})
    _add(feed, "id", own)
    _add(feed, "title", title)
    _add(feed, "updated", updated)
    _add(feed, "link", href=own, rel="self", type="application/atom+xml")
    _add(feed, "link", href=page, rel="alternate", type="text/html")
    SubElement(_add(feed, "author"), f"{{{ATOM}}}name").text = title
    for one in entries:
        entry = _add(feed, "entry")
        _add(entry, "id", one.address)
        _add(entry, "title", plain(one.title))
        _add(entry, "link", href=one.address, rel="alternate", type="text/html")
        for address, media_type in one.editions:
            _add(entry, "link", href=address, rel="alternate", type=media_type)
        _add(entry, "published", format_instant(one.published_us))
        _add(entry, "updated", format_instant(one.updated_us))
        _add(entry, "summary", plain(one.summary))
        if one.geometry is not None:
            lon, lat = one.geometry["coordinates"][:2]
            SubElement(entry, f"{{{GEORSS}}}point").text = f"{lat} {lon}"
    body: bytes = tostring(feed, "utf-8", xml_declaration=True)
    return body


def _add(parent: Element, name: str, text: str | None = None, **attributes: str) -> Element:
    made = SubElement(parent, f"{{{ATOM}}}{name}", attributes)
    made.text = text
    return made


def plain(text: str) -> str:
    """Return a text without the characters that XML 1.0 cannot hold."""
    return "".join(
        c
        for c in text
        if c in "\t\n\r" or (c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff")
    )
