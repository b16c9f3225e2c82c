"""Logos: what a town uploads, checked byte by byte and written anew, so that nothing but the drawing is kept."""

import base64
import binascii
import re
import struct
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Iterator

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["LARGEST", "clean_logo"]

LARGEST = 60_000
_PNG = b"\x89PNG\r\n\x1a\n"
_KEPT_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"sRGB", b"gAMA", b"IDAT", b"IEND")  # no text, no EXIF, no profile
_MOST_PIXELS = 2000
_SVG = "http://www.w3.org/2000/svg"
_ELEMENTS = (
    "svg g path rect circle ellipse line polyline polygon text tspan defs linearGradient radialGradient stop title desc"
    " clipPath mask use symbol style"
)
_ATTRIBUTES = (
    "id class d x y x1 y1 x2 y2 cx cy r rx ry fx fy width height viewBox preserveAspectRatio points transform fill"
    " fill-rule fill-opacity stroke stroke-width stroke-linecap stroke-linejoin stroke-miterlimit stroke-dasharray"
    " stroke-opacity opacity offset stop-color stop-opacity gradientUnits gradientTransform spreadMethod clip-path"
    " clip-rule mask maskUnits clipPathUnits font-family font-size font-weight font-style text-anchor letter-spacing"
    " dx dy style version"
)
_DRAWS = frozenset(_ELEMENTS.split())
_SAYS = frozenset(_ATTRIBUTES.split())
_OUTSIDE = re.compile(r"url\s*\(\s*['\"]?(?!#)|@|expression|javascript:|\\|<|&", re.IGNORECASE)


def clean_logo(body: bytes) -> str:
    """Return the logo as it is kept, `image/png;base64,…` or `image/svg+xml;base64,…`, written anew.

    Raises `Problem` when it is neither a whole PNG nor an SVG drawing, or too large.
    """
    if len(body) > LARGEST:
        raise _refuse(
            Text("Le logo pèse plus de 60 ko.", "The logo is heavier than 60 kB."),
            Text(
                "Réduisez-le : 200 pixels de haut suffisent.", "Make it smaller: 200 pixels high are enough."
            ),
        )
    kind, clean = ("image/png", _png(body)) if body.startswith(_PNG) else ("image/svg+xml", _svg(body))
    return f"{kind};base64,{base64.b64encode(clean).decode()}"


def _refuse(reason: Text, mend: Text | None = None) -> Problem:
    return Problem(
        reason,
        mend
        or Text("Enregistrez-le de nouveau en PNG ou en SVG simple.", "Save it again as PNG or plain SVG."),
        place="logo",
    )


def _damaged() -> Problem:
    return _refuse(Text("Cette image PNG est abîmée.", "This PNG image is damaged."))


def _chunks(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Give each chunk's kind and data (PNG, third edition, §5). Raises `Problem` for a wrong length or checksum."""
    place = len(_PNG)
    while place < len(body):
        try:
            length, kind = struct.unpack_from(">I4s", body, place)
            (checksum,) = struct.unpack_from(">I", body, place + 8 + length)
        except struct.error as error:
            raise _damaged() from error
        data = body[place + 8 : place + 8 + length]
        if binascii.crc32(kind + data) != checksum:
            raise _damaged()
        yield kind, data
        place += 12 + length
        if kind == b"IEND":
            return  # what follows the end is not the image


def _png(body: bytes) -> bytes:
    kept = [(kind, data) for kind, data in _chunks(body) if kind in _KEPT_CHUNKS]
    kinds = [kind for kind, _data in kept]
    if (
        not kinds
        or kinds[0] != b"IHDR"
        or kinds[-1] != b"IEND"
        or b"IDAT" not in kinds
        or len(kept[0][1]) != 13
    ):
        raise _damaged()
    width, height = struct.unpack_from(">II", kept[0][1])
    if not (0 < width <= _MOST_PIXELS and 0 < height <= _MOST_PIXELS):
        raise _refuse(
            Text("L'image dépasse 2 000 pixels de côté.", "The image is more than 2,000 pixels wide or high.")
        )
    try:
        inflate = zlib.decompressobj()
        inflate.decompress(
            b"".join(data for kind, data in kept if kind == b"IDAT"), 9 * _MOST_PIXELS * _MOST_PIXELS
        )
    except zlib.error as error:
        raise _damaged() from error
    parts = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", binascii.crc32(k + d)) for k, d in kept]
    return _PNG + b"".join(parts)


def _svg(body: bytes) -> bytes:
    not_an_image = _refuse(
        Text(
            "Ce fichier n'est ni une image PNG ni un dessin SVG.",
            "This file is neither a PNG image nor an SVG drawing.",
        )
    )
    if b"<!DOCTYPE" in body.upper() or b"<!ENTITY" in body.upper() or b"\0" in body:
        body = re.sub(
            rb"<!DOCTYPE[^>\[]*>", b"", body, count=1, flags=re.IGNORECASE
        )  # the harmless one of old editors
        if b"<!DOCTYPE" in body.upper() or b"<!ENTITY" in body.upper() or b"\0" in body:
            raise not_an_image
    try:
        root = ET.fromstring(body)  # noqa: S314 -- no DTD or entity is left: nothing can expand or be fetched
    except (ET.ParseError, ValueError, LookupError) as error:
        raise not_an_image from error
    if root.tag != f"{{{_SVG}}}svg":
        raise not_an_image
    ET.register_namespace("", _SVG)
    drawing: bytes = ET.tostring(_drawn(root), encoding="utf-8")
    return drawing


def _drawn(element: ET.Element) -> ET.Element:
    """Return the element with only what draws: known elements and attributes, references only to itself."""
    kept = ET.Element(element.tag)
    for name, value in element.attrib.items():
        bare = name.rpartition("}")[2]
        if bare == "href" and value.startswith("#"):
            kept.set("href", value)
        elif bare == name and bare in _SAYS and not _OUTSIDE.search(value):
            kept.set(name, value)
    text = element.text or ""
    kept.text = "" if element.tag == f"{{{_SVG}}}style" and _OUTSIDE.search(text) else text
    kept.tail = element.tail
    for child in element:
        space, _brace, name = str(child.tag).removeprefix("{").partition("}")
        if space == _SVG and name in _DRAWS:
            kept.append(_drawn(child))
    return kept
